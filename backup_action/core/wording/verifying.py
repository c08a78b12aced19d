"""Sentences about proofs: contents that are not what a snapshot says, chains that do not hold, drills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text, Word

TEXTS: Final[Mapping[str, Both]] = {
    "snapshot.unknown#unmatched": Both(
        zh=Text(
            "没有要校验的内容",
            "快照 {where} 中没有任何文件符合 `include`。",
            "请检查设置 `include` 和 `exclude`：它们与快照中的路径匹配，路径从快照的顶层写起，例如 `/data/2026/`。",
        ),
        en=Text(
            "Nothing to verify",
            "No file of the snapshot {where} matches `include`.",
            "Look at the settings `include` and `exclude`: they are matched against the snapshot's paths, from its "
            "top, such as `/data/2026/`.",
        ),
    ),
    "content.missing#verify": Both(
        zh=Text(
            "存储空间中缺少内容",
            "存储空间中没有 {where} 的内容：既不在它的对象名下，也不在它的版本或历史中⟨；涉及快照：{snapshots}⟩。",
            "其他文件不受影响。请查明是谁删除了它（操作审计、生命周期规则）；若源文件还在，再备份一次会重新上传当前内容。",
        ),
        en=Text(
            "Content missing from the bucket",
            "The bucket does not have the content of {where}: not under its key, as a version, or in the history"
            "⟨; named by the snapshots {snapshots}⟩.",
            "Other files are not affected. Find out who removed it (ActionTrail, lifecycle rules); if the source still "
            "has the file, another backup sends it as it is now.",
        ),
    ),
    "content.altered#verify": Both(
        zh=Text(
            "存储空间中的内容被改动",
            "存储空间中 {where} 的内容不是快照记录的内容⟨；涉及快照：{snapshots}⟩。",
            "其他文件不受影响。请查明是谁改写了它（操作审计）；若源文件还在，再备份一次会重新上传当前内容。",
        ),
        en=Text(
            "Content altered in the bucket",
            "What the bucket has of {where} is not the content that the snapshot states⟨; named by the snapshots "
            "{snapshots}⟩.",
            "Other files are not affected. Find out who altered it (ActionTrail); if the source still has the file, "
            "another backup sends it as it is now.",
        ),
    ),
    "content.frozen#verify": Both(
        zh=Text(
            "内容须先解冻才能读取",
            "{where} 是归档类型的对象，未解冻，无法读取校验⟨；涉及快照：{snapshots}⟩。",
            "不带 `read` 的校验无需解冻，按列表核对。需要读取时，请先在 OSS 控制台或用 ossutil 解冻。",
        ),
        en=Text(
            "Content that must be thawed to be read",
            "{where} is an object of an Archive class that is not thawed, so it was not read⟨; named by the snapshots "
            "{snapshots}⟩.",
            "Without `read` nothing has to be thawed: the listing is enough. To read it, thaw it first in the OSS "
            "console or by ossutil.",
        ),
    ),
    Kind.SNAPSHOT_CHAIN.value: Both(
        zh=Text(
            "快照链对不上",
            "快照 {where} 不是 {child} 所依据的那个：后者记录的摘要是 {expected}，实际是 {found}。",
            "两者之一在提交之后被改写。请用当时运行的输出 `snapshot-digest` 核对，并查看操作审计；查明前不要清理快照。",
        ),
        en=Text(
            "Chain of snapshots that does not hold",
            "The snapshot {where} is not the one that {child} grew from: that states the digest {expected}, and this "
            "has {found}.",
            "One of the two was rewritten after its commit. Hold both against the output `snapshot-digest` of their "
            "runs, look into ActionTrail, and prune nothing until that is clear.",
        ),
    ),
    "snapshot.chain#sequence": Both(
        zh=Text(
            "快照链对不上",
            "快照 {child} 的序号是 {sequence}，与它所依据的快照 {where} 不连续。",
            "其中之一在提交之后被改写，或不是由本程序写入。请查看操作审计；在查明之前不要清理快照。",
        ),
        en=Text(
            "Chain of snapshots that does not hold",
            "The snapshot {child} is number {sequence}, which does not follow that of {where}, which it grew from.",
            "One of the two was rewritten after its commit, or not written by this program. Look into ActionTrail, and "
            "prune nothing until that is clear.",
        ),
    ),
    "snapshot.chain#orphan": Both(
        zh=Text(
            "快照链对不上",
            "快照 {where} 的序号是 {sequence}，却没有说明它所依据的快照。",
            "它在提交之后被改写，或不是由本程序写入。请查看操作审计；在查明之前不要清理快照。",
        ),
        en=Text(
            "Chain of snapshots that does not hold",
            "The snapshot {where} is number {sequence}, and names none that it grew from.",
            "It was rewritten after its commit, or not written by this program. Look into ActionTrail, and prune "
            "nothing until that is clear.",
        ),
    ),
    Kind.SNAPSHOT_DIGEST.value: Both(
        zh=Text(
            "快照不是所要求的那个",
            "快照 {where} 的摘要是 {found}，而设置 `expect-digest` 要求的是 {expected}。",
            "如果设置无误，则该快照在提交之后被替换，或更新的快照被删除。请查看操作审计。",
        ),
        en=Text(
            "Not the snapshot that was expected",
            "The snapshot {where} has the digest {found}, and the setting `expect-digest` says {expected}.",
            "If the setting is right, the snapshot was replaced after its commit, or a newer one removed. Look into "
            "ActionTrail.",
        ),
    ),
    Kind.DRILL_FORMAT.value: Both(
        zh=Text(
            "文件无法按其格式打开",
            "{where} 已按备份时的原样恢复，但无法作为 {format} 打开⟨：{reason}⟩。",
            "备份没有问题：内容与快照的 SHA-256 一致，源文件在备份时就是这样。请检查生成该文件的程序。",
        ),
        en=Text(
            "File that does not open as its format",
            "{where} came back as it was at its backup, and does not open as {format}⟨: {reason}⟩.",
            "The backup is right: the content has the SHA-256 of the snapshot, so the source was like this. Look at "
            "what writes the file.",
        ),
    ),
    Kind.DRILL_EMPTY.value: Both(
        zh=Text(
            "没有可供演练的文件",
            "快照 {where} 中没有符合条件的文件，因此什么也没有证明⟨；最小的文件有 {smallest} 字节⟩。",
            "请把设置 `drill-bytes` 调大，或检查 `include` 和 `exclude`。",
        ),
        en=Text(
            "No file to drill with",
            "No file of the snapshot {where} may be taken, so nothing was proven⟨; the smallest has {smallest} bytes⟩.",
            "Give `drill-bytes` more room, or look at `include` and `exclude`.",
        ),
    ),
}

WORDS: Final[Mapping[str, Word]] = {
    "proofs": Word("校验依据", "What was proven, and how"),
    "proof-listed": Word(
        "{count} 个文件：列表中的大小和 ETag（及时间）与快照一致",
        "{count} {count:file|files} by the listing: size and ETag, and the time where it is known",
    ),
    "proof-asked": Word(
        "{count} 个文件：旧版本或历史中的内容，HEAD 给出的大小和 CRC-64 与快照一致",
        "{count} {count:file|files} by a HEAD each: size and CRC-64 of an old version or of a content elsewhere",
    ),
    "proof-read": Word(
        "{count} 个文件：已读取全部内容（{size}），SHA-256 与快照一致",
        "{count} {count:file|files} read whole ({size}): the SHA-256 of the snapshot",
    ),
    "proof-share": Word("读取的是第 {share} 份（按路径轮换）", "What was read is share {share} of the paths"),
    "proof-chunks": Word(
        "{count} 个文件：已读取全部数据块，每块都与其名称（由 SHA-256 得出）一致，大小合计与文件一致；各块的"
        "先后次序以快照为准",
        "{count} {count:file|files} by {count:its|their} chunks: each was read, has the name that comes from its "
        "SHA-256, and they add up to the file; their order is the snapshot's word",
    ),
    "proof-packed": Word(
        "{count} 个文件：索引中有其全部数据块，所在的数据包都在列表中且大小一致",
        "{count} {count:file|files} by index and listing: every chunk is in a pack that is listed with its size",
    ),
    "proof-packs": Word(
        "涉及 {count} 个数据包，读取了其中 {read} 个（{size}）：SHA-256、目录、每个数据块",
        "{count} {count:pack|packs} needed, {read} of them read whole ({size}): SHA-256, directory, every chunk",
    ),
    "proof-packs-listed": Word(
        "涉及 {count} 个数据包，没有读取", "{count} {count:pack|packs} needed, none of them read"
    ),
    "proof-packs-damaged": Word("{count} 个数据包缺失或损坏", "{count} {count:pack|packs} missing or damaged"),
    "proof-share-packs": Word("读取的是第 {share} 份（按数据包轮换）", "What was read is share {share} of the packs"),
    "proof-damaged": Word("{count} 个文件缺失或被改动", "{count} {count:file|files} missing or altered"),
    "proof-frozen": Word("{count} 个文件未解冻，没有读取", "{count} {count:file|files} not thawed, so not read"),
    "proof-snapshots": Word("核对了 {count} 个快照的文件", "Files of {count} {count:snapshot|snapshots} looked at"),
    "proof-chain": Word(
        "{count} 个快照的摘要链已核对",
        "Digests of {count} {count:snapshot|snapshots} followed from child to parent",
    ),
    "proof-chain-gaps": Word(
        "{count} 个快照的摘要链已核对，其中 {gaps} 处的上一个快照已不在（通常是清理掉的）",
        "Digests of {count} {count:snapshot|snapshots} followed from child to parent, with {gaps} {gaps:gap|gaps} "
        "where the parent is no longer there (pruned, as a rule)",
    ),
    "proof-expected": Word("快照摘要与 `expect-digest` 一致", "The snapshot has the digest that `expect-digest` says"),
    "phase-verify": Word(
        "正在校验快照 {id}（第 {number} 个，共 {total} 个）：{files} 个文件，{size}",
        "Verifying snapshot {id} ({number} of {total}): {files} {files:file|files}, {size}",
    ),
    "phase-walk": Word("正在核对快照链", "Following the chain of snapshots"),
    "phase-drill": Word(
        "正在恢复样本：{files} 个文件，{size}",
        "Restoring a sample: {files} {files:file|files}, {size}",
    ),
    "drill": Word("恢复演练", "Restore drill"),
    "drill-sample": Word(
        "快照共 {total} 个文件（{total-size}），恢复了其中 {count} 个（{size}），用时 {time}",
        "{count} of {total} files restored ({size} of {total-size}) in {time}",
    ),
    "drill-estimate": Word(
        "按本次的速度，恢复全部约需 {time}（假设同一台机器、同样的网络，大文件按字节、小文件按个数计）",
        "At this pace all of it would take about {time}, given the same host and network: by bytes for what is large, "
        "by files for what is small",
    ),
    "drill-opened": Word("{format}：{opened} 个可以打开", "{format}: {opened} opened"),
    "drill-opened-more": Word(
        "{format}：{opened} 个可以打开，{failed} 个无法打开，{partly} 个只看了一部分，{passed} 个没有查看",
        "{format}: {opened} opened, {failed} did not, {partly} only in part, {passed} not looked at",
    ),
    "drill-columns": Word(
        "{count} 个表格每行的列数都相同", "{count} {count:table|tables} with as many columns in every row"
    ),
    "files-total-drill": Word("样本", "Sample"),
    "files-uploaded-drill": Word("已恢复并校验", "Restored and proven"),
    "files-to-upload-drill": Word("将恢复", "To restore"),
    "files-unchanged-drill": Word("未恢复", "Not restored"),
    "uploaded-line-drill": Word(
        "已恢复并校验样本 {files} 个文件（{size}），共 {total} 个（{total-size}）。",
        "{files} {files:file|files} of the sample restored and proven ({size}), of {total} ({total-size}).",
    ),
    "to-upload-line-drill": Word(
        "将恢复样本 {files} 个文件（{size}）。",
        "{files} {files:file|files} of a sample to restore ({size}).",
    ),
    "uploaded-so-far-line-drill": Word(
        "截至停止时，已恢复样本 {files} 个文件（{size}）。",
        "{files} {files:file|files} of the sample restored so far ({size}).",
    ),
    "files-uploaded-verify": Word("已读取并校验", "Read and hashed"),
    "files-unchanged-verify": Word("按列表或 HEAD 校验", "Proven by listing or HEAD"),
    "files-failed-verify": Word("未能证实", "Not proven"),
    "uploaded-line-verify": Word(
        "校验了 {total} 个文件（{total-size}）：读取 {files} 个（{size}），按列表或 HEAD 核对 {unchanged} 个。",
        "{total} {total:file|files} looked at ({total-size}): {files} read whole ({size}), {unchanged} proven by "
        "listing or HEAD.",
    ),
    "uploaded-so-far-line-verify": Word(
        "截至停止时，读取 {files} 个文件（{size}），按列表或 HEAD 核对 {unchanged} 个。",
        "{files} {files:file|files} read whole ({size}), {unchanged} proven by listing or HEAD, of those seen so far.",
    ),
    "no-snapshot-verify": Word("没有找到", "none was found"),
    "no-snapshot-drill": Word("没有找到", "none was found"),
    "verified-yes-verify": Word("是：内容和快照链均与快照一致", "yes: contents and chain are as the snapshots say"),
    "verified-yes-drill": Word(
        "是：样本中每个文件都与快照的 SHA-256 一致",
        "yes: every file of the sample has the SHA-256 of the snapshot",
    ),
}

VERDICTS: Final[Mapping[str, Word]] = {
    "ok-verify": Word(
        "校验已完成：所有内容都与快照一致；下面说明各是如何证实的。",
        "Verification complete: every content is what the snapshots say; below is how each was proven.",
    ),
    "ok-drill": Word(
        "恢复演练成功：样本已恢复，每个文件都与快照的 SHA-256 一致。",
        "Drill complete: the sample was restored, and every file has the SHA-256 of the snapshot.",
    ),
}
