"""Sentences about guards, leases and old content: what keeps a run from doing harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

_GUARDS: Final[Mapping[str, Both]] = {
    Kind.SOURCE_SHRUNK.value: Both(
        zh=Text(
            "要备份的内容大幅减少",
            "与上一个快照相比，文件少了 {percent}%（{before} 个 → {now} 个），超过 `max-shrink` 的 {limit}%。",
            "为避免把误删或未挂载的磁盘当作新状态，本次没有写入任何内容。请检查磁盘，以及 `paths`、`exclude` 和 "
            "`include`；如果内容确实少了这么多，请把 `max-shrink` 设为 100 运行一次。",
        ),
        en=Text(
            "Much less to back up than before",
            "Since the last snapshot, {percent} % of the files are gone ({before} → {now} files): more than the "
            "{limit} % of `max-shrink`.",
            "So that no lost or unmounted disk is taken for the new state, nothing was written. Look at the disk, "
            "and at `paths`, `exclude` and `include`; if it is as it should be, run once with `max-shrink: 100`.",
        ),
    ),
    "source.shrunk#bytes": Both(
        zh=Text(
            "要备份的数据大幅减少",
            "与上一个快照相比，数据少了 {percent}%（{before} 字节 → {now} 字节），超过 `max-shrink` 的 {limit}%。",
            "为避免把清空或截断的文件当作新状态，本次没有写入任何内容。请检查磁盘，以及 `paths`、`exclude` 和 "
            "`include`；如果内容确实少了这么多，请把 `max-shrink` 设为 100 运行一次。",
        ),
        en=Text(
            "Much less data than before",
            "Since the last snapshot, {percent} % of the bytes are gone ({before} → {now} bytes): more than the "
            "{limit} % of `max-shrink`.",
            "So that no emptied or truncated files are taken for the new state, nothing was written. Look at the "
            "disk, and at `paths`, `exclude` and `include`; if it is as it should be, run once with `max-shrink: 100`.",
        ),
    ),
    Kind.SOURCE_CHANGED.value: Both(
        zh=Text(
            "大部分文件的内容变了",
            "上一个快照的 {before} 个文件中，有 {now} 个以上的内容变了（{percent}%），超过 `max-change` 的 {limit}%。",
            "历史已关闭（`history: none`），覆盖后就找不回来了，所以本次没有写入任何内容。请确认文件没有被加密或"
            "损坏；确认无误后，请改用 `history: auto`，或把 `max-change` 设为 100 运行一次。",
        ),
        en=Text(
            "Most files have other content",
            "Of the {before} files of the last snapshot, {now} or more have other content ({percent} %): more than "
            "the {limit} % of `max-change`.",
            "History is off (`history: none`), so what is overwritten cannot be had back, and nothing was written. "
            "Make sure that the files were not encrypted or damaged; if all is well, use `history: auto`, or run once "
            "with `max-change: 100`.",
        ),
    ),
}

_LEASES: Final[Mapping[str, Both]] = {
    Kind.LEASE_HELD.value: Both(
        zh=Text(
            "另一台主机正在备份",
            "同一来源的另一次运行正在进行⟨（{owner}）⟩。",
            "本次没有写入任何内容。请等它结束后重新运行；如果它已经异常终止⟨，{seconds} 秒后⟩即可重新运行。在工作流中"
            "设置 `concurrency` 可以让备份依次运行。",
        ),
        en=Text(
            "Another host is backing up",
            "Another run of the same source is under way⟨ ({owner})⟩.",
            "Nothing was written. Run again when it has ended; if it died, its hold ends by itself⟨ in {seconds} s⟩. "
            "`concurrency` in the workflow lets backups run one after the other.",
        ),
    ),
    Kind.LEASE_LOST.value: Both(
        zh=Text(
            "另一次运行接管了备份",
            "同一来源的另一次运行在此期间接管了备份（{where}）。",
            "本次没有提交快照，已上传的文件会被沿用。请在工作流中设置 `concurrency`，让同一来源的备份依次运行。",
        ),
        en=Text(
            "Another run took over",
            "Another run of the same source took the lease meanwhile ({where}).",
            "This run committed no snapshot, and what it sent is taken over. Let the backups of one source run one "
            "after the other by `concurrency` in the workflow.",
        ),
    ),
    Kind.LEASE_HOST.value: Both(
        zh=Text(
            "这台主机上的另一次备份正在运行",
            "这台主机上有另一个进程正在备份同一来源（锁文件 {where}）。",
            "本次没有写入任何内容。请等它结束后重新运行。",
        ),
        en=Text(
            "Another run on this host",
            "Another process on this host is backing up the same source (lock file {where}).",
            "Nothing was written. Run again when it has ended.",
        ),
    ),
}

_HISTORY: Final[Mapping[str, Both]] = {
    Kind.HISTORY_UNKEPT.value: Both(
        zh=Text(
            "旧内容无法保留",
            "{where} 在存储空间中的旧内容无法保留⟨（{reason}）⟩，因此没有覆盖它。",
            "快照中仍是上一次的内容。归档类型的对象须先解冻；也可以开启存储空间的版本控制，或设置 `history: none` "
            "不保留旧内容，然后重新运行。",
        ),
        en=Text(
            "Old content that cannot be kept",
            "What the bucket has of {where} could not be kept⟨ ({reason})⟩, so it was not overwritten.",
            "The snapshot has the content of the last run. Objects of an Archive class must be thawed first; or switch "
            "the bucket's versioning on, or set `history: none` to keep no old content, and run again.",
        ),
    ),
    Kind.HISTORY_OFF.value: Both(
        zh=Text(
            "旧内容没有保留",
            "历史已关闭（`history: none`），本次覆盖或删除了 {count} 个文件的旧内容；更早的快照不再完整。",
            "如果需要恢复到更早的状态，请去掉 `history: none`，或开启存储空间的版本控制。",
        ),
        en=Text(
            "Old content not kept",
            "History is off (`history: none`): the old content of {count} files was overwritten or removed, so earlier "
            "snapshots are no longer whole.",
            "To be able to return to earlier states, take out `history: none`, or switch the bucket's versioning on.",
        ),
    ),
    Kind.DELETE_HELD.value: Both(
        zh=Text(
            "没有删除任何文件",
            "本次运行不完整，因此没有按 `delete` 删除存储空间中的文件。",
            "请先解决上面的问题；下次完整运行时会删除。",
        ),
        en=Text(
            "Nothing was removed",
            "This run is incomplete, so nothing was removed from the bucket in spite of `delete`.",
            "Mend what is told above; the next whole run removes it.",
        ),
    ),
    f"{Kind.DELETE_HELD.value}#run": Both(
        zh=Text(
            "没有删除任何文件",
            "同一来源的另一次运行已经开始，因此没有按 `delete` 删除存储空间中的文件。",
            "无需处理；下次完整运行时会删除。",
        ),
        en=Text(
            "Nothing was removed",
            "Another run of the same source has begun, so nothing was removed from the bucket in spite of `delete`.",
            "There is nothing to do; the next whole run removes it.",
        ),
    ),
    f"{Kind.DELETE_HELD.value}#alarm": Both(
        zh=Text(
            "没有删除任何文件",
            "本次运行有警报，因此没有按 `delete` 删除存储空间中的文件。",
            "请先查看警报；下次没有警报的完整运行会删除。",
        ),
        en=Text(
            "Nothing was removed",
            "This run raised an alarm, so nothing was removed from the bucket in spite of `delete`.",
            "Look at the alarm first; the next whole run without one removes it.",
        ),
    ),
    Kind.FILE_LATE.value: Both(
        zh=Text(
            "超过时限，文件没有上传",
            "{where} 没有上传：已到 `deadline-minutes` 规定的时间。",
            "快照中没有它的新内容，下次运行会继续。请放宽 `deadline-minutes` 或 `bandwidth-limit`。",
        ),
        en=Text(
            "Not sent before the deadline",
            "{where} was not sent: the time of `deadline-minutes` was over.",
            "The snapshot does not have its new content; the next run goes on. Allow more by `deadline-minutes` or "
            "`bandwidth-limit`.",
        ),
    ),
}

TEXTS: Final[Mapping[str, Both]] = {**_GUARDS, **_LEASES, **_HISTORY}
