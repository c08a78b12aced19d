"""Sentences about damage of the layout vault: packs, and the files whose chunks are in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

_ADVICE_ZH: Final = (
    "下次备份会重新上传源文件中仍有的内容。请查明是谁删除了它（操作审计、生命周期规则）；如果存储空间开启了版本控制，"
    "也可以恢复它的上一个版本。"
)
_ADVICE_EN: Final = (
    "The next backup sends again what the source still has. Find out who removed it (ActionTrail, lifecycle rules); in "
    "a bucket with versioning its previous version can be brought back."
)
_AWAY_ZH: Final = (
    "如果存储空间开启了版本控制，请恢复它的上一个版本。否则请把这个对象从 `.oss-backup/packs/` 移到别处（不要删除，"
    "以便排查原因）：只有这样，下次备份才会重新上传源文件中仍有的内容。"
)
_AWAY_EN: Final = (
    "In a bucket with versioning, bring its previous version back. Else move that object away from "
    "`.oss-backup/packs/` (keep it, to find out why): only then does the next backup send again what the source still "
    "has."
)

TEXTS: Final[Mapping[str, Both]] = {
    Kind.PACK_MISSING.value: Both(
        zh=Text("缺少数据包", "存储空间中没有数据包 {where}，而快照需要它。", _ADVICE_ZH),
        en=Text("Missing pack", "The bucket does not have the pack {where}, which snapshots need.", _ADVICE_EN),
    ),
    Kind.PACK_DAMAGED.value: Both(
        zh=Text("数据包损坏", "数据包 {where} 中的内容与其名称不符⟨：{reason}⟩。", _AWAY_ZH),
        en=Text("Damaged pack", "In the pack {where} not everything is what its name says⟨: {reason}⟩.", _AWAY_EN),
    ),
    "pack.damaged#bytes": Both(
        zh=Text("数据包损坏", "数据包 {where} 的 SHA-256 与其名称不符：它被改动过⟨（{reason}）⟩。", _AWAY_ZH),
        en=Text(
            "Damaged pack",
            "The pack {where} has not the SHA-256 that is its name: it was altered⟨ ({reason})⟩.",
            _AWAY_EN,
        ),
    ),
    "pack.damaged#size": Both(
        zh=Text("数据包损坏", "数据包 {where} 的大小与索引 {index} 的记录不一致。", _AWAY_ZH),
        en=Text("Damaged pack", "The pack {where} has another size than the index {index} says.", _AWAY_EN),
    ),
    "pack.damaged#frames": Both(
        zh=Text(
            "数据包与索引不符",
            "索引 {index} 所记录的内容与数据包 {where} 的大小对不上。",
            "请用 `read: true` 再校验一次，以查明损坏的是数据包还是索引。",
        ),
        en=Text(
            "Pack and index do not agree",
            "What the index {index} tells of the pack {where} cannot be all that it holds.",
            "Verify once more with `read: true`, which says which of the two is damaged.",
        ),
    ),
    "content.missing#packed": Both(
        zh=Text(
            "存储空间中缺少内容",
            "{where} 的内容不完整：存储空间中没有数据包 {pack}⟨；涉及快照：{snapshots}⟩。",
            "不使用该数据包的文件不受影响。" + _ADVICE_ZH,
        ),
        en=Text(
            "Content missing from the bucket",
            "Of the content of {where} at least a part is gone: the bucket does not have the pack {pack}⟨; named by "
            "the snapshots {snapshots}⟩.",
            "Files that need nothing of it are not affected. " + _ADVICE_EN,
        ),
    ),
    "content.missing#unknown": Both(
        zh=Text(
            "存储空间中缺少内容",
            "{where} 的内容至少有一部分在任何索引中都没有记录⟨；涉及快照：{snapshots}⟩。",
            "其他文件不受影响。可能是 `.oss-backup/index/` 下的某个索引损坏或被删除；下次备份会重新上传源文件中仍有的"
            "内容。",
        ),
        en=Text(
            "Content missing from the bucket",
            "No index tells where the content of {where} is, or at least a part of it⟨; named by the snapshots "
            "{snapshots}⟩.",
            "Other files are not affected. An index below `.oss-backup/index/` may be damaged or gone; the next backup "
            "sends again what the source still has.",
        ),
    ),
    "content.altered#packed": Both(
        zh=Text(
            "存储空间中的内容被改动",
            "{where} 的内容至少有一部分与快照不符：数据包 {pack} 中的数据已损坏⟨；涉及快照：{snapshots}⟩。",
            "其他文件不受影响。" + _AWAY_ZH,
        ),
        en=Text(
            "Content altered in the bucket",
            "At least a part of the content of {where} is not what the snapshot states: it is damaged in the pack "
            "{pack}⟨; named by the snapshots {snapshots}⟩.",
            "Other files are not affected. " + _AWAY_EN,
        ),
    ),
    "content.altered#chunks": Both(
        zh=Text(
            "快照对文件的记录不一致",
            "快照为 {where} 记录的数据块与它的大小或 SHA-256 对不上⟨；涉及快照：{snapshots}⟩。",
            "存储空间中的数据块没有损坏，而快照或索引被改写过，或不是由本程序写入。请查看操作审计；在查明之前不要清理快照。",
        ),
        en=Text(
            "Snapshot at odds with itself",
            "The chunks that the snapshot names for {where} do not make up its size or its SHA-256⟨; so say the "
            "snapshots {snapshots}⟩.",
            "No chunk was found damaged: the snapshot or an index was rewritten, or not written by this program. Look "
            "into ActionTrail, and prune nothing until that is clear.",
        ),
    ),
    "content.frozen#packed": Both(
        zh=Text(
            "内容须先解冻才能读取",
            "{where} 的内容在归档类型的数据包中，未解冻，无法读取校验⟨；涉及快照：{snapshots}⟩。",
            "不带 `read` 的校验无需解冻，按索引和列表核对。需要读取时，请先在 OSS 控制台或用 ossutil 解冻 "
            "`.oss-backup/packs/` 下的对象。",
        ),
        en=Text(
            "Content that must be thawed to be read",
            "The content of {where} is in packs of an Archive class that are not thawed, so it was not read⟨; named by "
            "the snapshots {snapshots}⟩.",
            "Without `read` nothing has to be thawed: index and listing are enough. To read, thaw what is below "
            "`.oss-backup/packs/` first, in the OSS console or by ossutil.",
        ),
    ),
}
