"""Sentences about restoring: which snapshot, what the bucket has of it, and the folder that it goes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

TEXTS: Final[Mapping[str, Both]] = {
    Kind.SNAPSHOT_UNKNOWN.value: Both(
        zh=Text(
            "没有这个快照",
            "没有符合 {where} 的快照⟨；最早的是 {oldest}⟩。",
            "请检查设置 `snapshot`⟨；最近的快照有：{known}⟩。",
        ),
        en=Text(
            "No such snapshot",
            "No snapshot matches {where}⟨; the oldest is {oldest}⟩.",
            "Look at the setting `snapshot`⟨; the newest are: {known}⟩.",
        ),
    ),
    "snapshot.unknown#many": Both(
        zh=Text(
            "符合的快照不止一个",
            "有 {count} 个快照的 ID 以 {where} 开头。",
            "请在设置 `snapshot` 中多写几位⟨，例如：{known}⟩。",
        ),
        en=Text(
            "More than one such snapshot",
            "The ids of {count} snapshots begin with {where}.",
            "Give more of the id in the setting `snapshot`⟨, such as: {known}⟩.",
        ),
    ),
    "snapshot.unknown#none": Both(
        zh=Text(
            "这个来源没有快照",
            "在这个前缀下，这个来源还没有任何快照。",
            "请检查 `bucket`、`prefix` 和 `source`：来源默认是仓库名或主机名，在别处恢复时要写成备份时的名称。",
        ),
        en=Text(
            "No snapshot of this source",
            "This source has no snapshot below this prefix.",
            "Look at `bucket`, `prefix` and `source`: the source is the repository or the host by default, so to "
            "restore elsewhere give the name that it had.",
        ),
    ),
    "snapshot.unknown#nothing": Both(
        zh=Text(
            "没有要恢复的内容",
            "快照 {where} 中没有任何文件符合 `include`。",
            "请检查设置 `include` 和 `exclude`：它们与快照中的路径匹配，路径从快照的顶层写起，例如 `/data/2026/`。",
        ),
        en=Text(
            "Nothing to restore",
            "No file of the snapshot {where} matches `include`.",
            "Look at the settings `include` and `exclude`: they are matched against the snapshot's paths, from its "
            "top, such as `/data/2026/`.",
        ),
    ),
    Kind.SNAPSHOT_INCOMPLETE.value: Both(
        zh=Text(
            "快照本身不完整",
            "快照 {where} 是在有文件未能备份的情况下提交的；恢复的是它所包含的内容。",
            "那些文件是更早一次的内容，或不在其中。需要时请从更早的快照恢复它们。",
        ),
        en=Text(
            "A snapshot with gaps",
            "The snapshot {where} was committed although some files could not be backed up; what it has was restored.",
            "Those files are as of an earlier run, or not in it. Restore them from an earlier snapshot if need be.",
        ),
    ),
    Kind.CONTENT_MISSING.value: Both(
        zh=Text(
            "存储空间中缺少内容",
            "存储空间中已没有 {where} 的内容：既不在它的对象名下，也不在历史中。",
            "其他文件不受影响。请确认是谁删除了它（操作审计、生命周期规则），或从其他快照恢复这个文件。",
        ),
        en=Text(
            "Content missing from the bucket",
            "The bucket has the content of {where} no more: neither under its key nor in the history.",
            "Other files are not affected. Find out who removed it (ActionTrail, lifecycle rules), or restore this "
            "file from another snapshot.",
        ),
    ),
    Kind.CONTENT_ALTERED.value: Both(
        zh=Text(
            "存储空间中的内容被改动",
            "存储空间中 {where} 的内容与快照记录的 SHA-256 不一致，没有写入它。",
            "其他文件不受影响。请确认是谁改写了它，或从其他快照恢复这个文件。",
        ),
        en=Text(
            "Content altered in the bucket",
            "What the bucket has of {where} does not have the SHA-256 that the snapshot states; it was not written.",
            "Other files are not affected. Find out who altered it, or restore this file from another snapshot.",
        ),
    ),
    Kind.CONTENT_FROZEN.value: Both(
        zh=Text(
            "内容须先解冻",
            "{where} 是归档类型的对象，须先解冻才能读取。",
            "请在 OSS 控制台或用 ossutil 解冻它，然后重新运行：已恢复的文件不会再次下载。",
        ),
        en=Text(
            "Content that must be thawed first",
            "{where} is an object of an Archive class, which must be restored (thawed) before it can be read.",
            "Thaw it in the OSS console or by ossutil, and run again: what is restored already is not fetched anew.",
        ),
    ),
    Kind.TARGET_UNWRITABLE.value: Both(
        zh=Text(
            "目标中无法写入",
            "{where} 无法写入目标⟨（{reason}）⟩。",
            "原有的文件没有改变。请检查磁盘空间和权限，然后重新运行，会从中断处继续。",
        ),
        en=Text(
            "Not written to the target",
            "{where} could not be written to the target⟨ ({reason})⟩.",
            "What stood there is as it was. Look at the free space and the rights, and run again: it goes on where it "
            "was.",
        ),
    ),
    Kind.TARGET_UNUSABLE.value: Both(
        zh=Text(
            "目标无法使用",
            "目标 {where} 无法创建或打开⟨（{reason}）⟩。",
            "没有写入任何内容。请检查设置 `target` 和它上级文件夹的权限。",
        ),
        en=Text(
            "Target that cannot be used",
            "The target {where} could not be made or opened⟨ ({reason})⟩.",
            "Nothing was written. Look at the setting `target`, and at the rights of the folders above it.",
        ),
    ),
}
