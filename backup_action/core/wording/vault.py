"""Sentences about what we keep in the bucket: snapshots, and the objects that they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

TEXTS: Final[Mapping[str, Both]] = {
    Kind.PARENT_MOVED.value: Both(
        zh=Text(
            "另一次运行抢先提交了快照",
            "同一来源的另一次运行在此期间提交了快照⟨ {where}⟩。",
            "本次没有提交快照，已上传的文件会被沿用。请在工作流中设置 `concurrency`，让同一来源的备份依次运行，然后"
            "重新运行。",
        ),
        en=Text(
            "Another run was first",
            "Another run of the same source committed the snapshot⟨ {where}⟩ meanwhile.",
            "This run committed none, and what it sent is taken over. Let the backups of one source run one after "
            "the other by `concurrency` in the workflow, and run again.",
        ),
    ),
    Kind.PACKS_MOVED.value: Both(
        zh=Text(
            "所依赖的数据包已被清理",
            "本次备份开始时存在的数据包 {where} 在此期间被清理，或即将被清理。",
            "本次没有提交快照，已上传的内容会被沿用。请重新运行；请避免让备份运行或休眠超过清理的宽限期。",
        ),
        en=Text(
            "Packs that were pruned meanwhile",
            "The pack {where}, which was there when this backup began, was pruned meanwhile or is about to be.",
            "This run committed no snapshot, and what it sent is taken over. Run again, and let no backup run, or "
            "sleep, for longer than the grace of prune.",
        ),
    ),
    Kind.STORED_MISMATCH.value: Both(
        zh=Text(
            "OSS 中的内容与上传的不一致",
            "OSS 中 {where} 的内容校验不通过⟨：{reason}⟩⟨（上传的 CRC-64 是 {sent}）⟩⟨（OSS 返回的是 {stored}）⟩。",
            "这个文件没有计入快照。请重新运行；如果再次出现，请检查运行器的内存和网络设备，并附上 RequestId 提交阿里"
            "云工单。",
        ),
        en=Text(
            "Stored content that differs",
            "What OSS holds of {where} is not what was sent⟨: {reason}⟩⟨ (CRC-64 as sent: {sent})⟩⟨ (as stored: "
            "{stored})⟩.",
            "It is not part of a snapshot. Run again; if it comes back, check the runner's memory and network, and "
            "ask Alibaba Cloud's support with the RequestId.",
        ),
    ),
    Kind.SNAPSHOT_DAMAGED.value: Both(
        zh=Text(
            "快照损坏",
            "快照 {where} 损坏或被改动⟨：{reason}⟩。",
            "为避免以损坏的快照为基准，本次运行已停止。如果存储空间开启了版本控制，请恢复它的上一个版本。如果没有开启，"
            "请在 OSS 控制台把 `.oss-backup/snapshots/` 下的这个快照文件改名或移到别处（不要删除，以便排查原因），"
            "下次运行会从再上一个快照继续。",
        ),
        en=Text(
            "Damaged snapshot",
            "The snapshot {where} is damaged or was altered⟨: {reason}⟩.",
            "The run went no further, so as not to build on it. In a bucket with versioning, bring its previous "
            "version back. Without, rename that snapshot's object under `.oss-backup/snapshots/` or move it away in "
            "the OSS console (keep it, to find out why); the next run then goes on from the snapshot before.",
        ),
    ),
    "snapshot.damaged#listed": Both(
        zh=Text(
            "快照损坏",
            "快照 {where} 损坏或被改动⟨：{reason}⟩。",
            "其余快照已照常列出。如果存储空间开启了版本控制，请恢复它的上一个版本；如果没有开启，请把 "
            "`.oss-backup/snapshots/` 下的这个快照文件移到别处保存（不要删除，以便排查原因）。",
        ),
        en=Text(
            "Damaged snapshot",
            "The snapshot {where} is damaged or was altered⟨: {reason}⟩.",
            "The others were looked at as ever. In a bucket with versioning, bring its previous version back. Without, "
            "move that snapshot's object under `.oss-backup/snapshots/` away (keep it, to find out why).",
        ),
    ),
    "snapshot.damaged#chain": Both(
        zh=Text(
            "快照链断裂",
            "快照 {where} 所记录的上一个快照与存储空间中的⟨ {parent}⟩ 不一致。",
            "其中之一被替换过。请与运行日志或报告中保存的 `snapshot-digest` 对照，找出被改动的快照，并查明是谁写入的"
            "（操作审计）。",
        ),
        en=Text(
            "Broken chain of snapshots",
            "The snapshot {where} names a parent that is not what is there⟨ as {parent}⟩.",
            "One of the two was replaced. Compare with the outputs `snapshot-digest` that you kept to see which, and "
            "find out who wrote it (ActionTrail).",
        ),
    ),
    Kind.SNAPSHOT_FORMAT.value: Both(
        zh=Text(
            "快照格式较新",
            "快照 {where} 的格式是这个版本的程序不认识的⟨（{reason}）⟩⟨；它认识的是 {format}⟩。",
            "它由更新的版本写成。请把工作流中 `uses:` 的版本升级到不低于写入它的版本。",
        ),
        en=Text(
            "Snapshot of an unknown format",
            "The snapshot {where} has a format that this version does not know⟨ ({reason})⟩⟨; it knows {format}⟩.",
            "A newer version wrote it. Raise the version after `uses:` in the workflow to at least that one.",
        ),
    ),
}
