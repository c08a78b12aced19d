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
            "请检查 `bucket`、`prefix`、`layout` 和 `source`：后两者要与备份时相同，来源默认是仓库名或主机名。"
            "`snapshots --all-sources` 列出所有来源。",
        ),
        en=Text(
            "No snapshot of this source",
            "This source has no snapshot below this prefix.",
            "Look at `bucket`, `prefix`, `layout` and `source`: the last two must be those of the backup, and a source "
            "is the repository or the host by default. `snapshots --all-sources` lists all that there are.",
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
    "content.frozen#refused": Both(
        zh=Text(
            "内容须先解冻",
            "{count} 个文件的内容在 {where} 类型的对象中，须先解冻才能读取，而 OSS 没有接受解冻请求。",
            "请先解决报告中说明的原因（通常是缺少 `oss:RestoreObject` 权限），或在 OSS 控制台解冻，然后重新运行。",
        ),
        en=Text(
            "Content that must be thawed first",
            "{count} files are in objects of the class {where}, which must be thawed before they can be read; OSS did "
            "not take the request to thaw them.",
            "Mend what the report says of that (mostly the right `oss:RestoreObject` is missing), or thaw them in the "
            "OSS console, and run again.",
        ),
    ),
    "content.frozen#minutes": Both(
        zh=Text(
            "内容正在解冻",
            "{count} 个文件的内容在 {where} 类型的对象中，已请求 OSS 解冻，大约需要一分钟。",
            "请过几分钟用同样的设置重新运行：已恢复的文件不会再次下载。也可以用 `thaw-wait-minutes` 让运行等待。",
        ),
        en=Text(
            "Content that is being thawed",
            "{count} files are in objects of the class {where}; OSS was asked to thaw them, which takes about a "
            "minute.",
            "Run again with the same settings in a few minutes: what is restored already is not fetched anew. With "
            "`thaw-wait-minutes` a run waits by itself.",
        ),
    ),
    "content.frozen#hours": Both(
        zh=Text(
            "内容正在解冻",
            "{count} 个文件的内容在 {where} 类型的对象中，已请求 OSS 解冻（{tier}），最多需要 {hours} 小时。",
            "请在 {hours} 小时后用同样的设置重新运行：已恢复的文件不会再次下载。请在 `thaw-days` 的天数之内完成恢复。",
        ),
        en=Text(
            "Content that is being thawed",
            "{count} files are in objects of the class {where}; OSS was asked to thaw them ({tier}), which takes up to "
            "{hours} hours.",
            "Run again with the same settings in {hours} hours: what is restored already is not fetched anew. They "
            "stay readable for the days of `thaw-days`.",
        ),
    ),
    f"{Kind.DELETE_HELD.value}#target": Both(
        zh=Text(
            "没有从目标删除任何内容",
            "有内容没有恢复，或快照本身不完整，因此没有按 `delete` 删除目标中多余的内容。",
            "请先解决上面的问题，或选择完整的快照；下次完整恢复时会删除。",
        ),
        en=Text(
            "Nothing was removed from the target",
            "Not all was restored, or the snapshot has gaps, so nothing was removed from the target in spite of "
            "`delete`.",
            "Mend what is told above, or choose a snapshot without gaps; the next whole restore removes it.",
        ),
    ),
    Kind.DELETE_REFUSED.value: Both(
        zh=Text(
            "拒绝在这个目标中删除",
            "目标 {where} 是主文件夹或它的上级文件夹，不允许用 `delete` 删除其中多余的内容。",
            "没有写入任何内容。请把 `target` 设为专用的文件夹，或去掉 `delete`。",
        ),
        en=Text(
            "No removing in this target",
            "The target {where} is the home folder or above it, where `delete` may remove nothing.",
            "Nothing was written. Set `target` to a folder of its own, or take `delete` away.",
        ),
    ),
    f"{Kind.DELETE_REFUSED.value}#empty": Both(
        zh=Text(
            "拒绝清空目标",
            "快照 {where} 中没有任何要恢复的文件，按 `delete` 会清空目标。",
            "没有写入任何内容。请检查 `snapshot`、`include` 和 `exclude`；如果确实要清空目标，请自行删除其中的内容。",
        ),
        en=Text(
            "No emptying of the target",
            "The snapshot {where} has no file to restore, so `delete` would empty the target.",
            "Nothing was written. Look at `snapshot`, `include` and `exclude`; to empty the target, do it by hand.",
        ),
    ),
    Kind.TARGET_BUSY.value: Both(
        zh=Text(
            "另一次恢复正在写入这个目标",
            "另一个进程正在向目标 {where} 恢复。",
            "没有写入任何内容。请等它结束后重新运行。",
        ),
        en=Text(
            "Another restore writes to this target",
            "Another process restores to the target {where} now.",
            "Nothing was written. Run again when it has ended.",
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
