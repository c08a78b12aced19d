"""Sentences about a backup that several machines share: its shards, and what makes one snapshot of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

TEXTS: Final[Mapping[str, Both]] = {
    Kind.SHARDS_MISSING.value: Both(
        zh=Text(
            "缺少分片",
            "{where} 这一组共 {total} 个分片，缺少：{missing}⟨（其中已开始但没有完成：{begun}）⟩。",
            "没有生成快照，上一个快照仍是最新的。请重新运行缺少的分片（GitHub 上：Re-run failed jobs），然后再运行 "
            "`merge`；已完成的分片不必重做。",
        ),
        en=Text(
            "Shards are missing",
            "Of the {total} shards of the group {where} these are missing: {missing}⟨ (begun, but not ended: "
            "{begun})⟩.",
            "No snapshot was made, and the last one is still the newest. Run those shards again (on GitHub: re-run the "
            "failed jobs), and then `merge`; the others need not be done again.",
        ),
    ),
    "shards.missing#none": Both(
        zh=Text(
            "没有分片",
            "存储空间中没有 {where} 这一组的任何分片。",
            "没有生成快照。请确认各分片与 `merge` 的 `source`、`layout`、`prefix` 和 `shard-group` 相同，且分片"
            "已经运行；已经合并过的一组不能再次合并。",
        ),
        en=Text(
            "No shard at all",
            "The bucket has no shard of the group {where}.",
            "No snapshot was made. See that the shards have run, with the `source`, `layout`, `prefix` and "
            "`shard-group` of the `merge`; a group that was merged cannot be merged again.",
        ),
    ),
    "shards.missing#old": Both(
        zh=Text(
            "分片过旧",
            "{where} 这一组的分片 {missing} 完成已超过 12 小时。",
            "没有生成快照：它们依赖的数据包可能已被 `prune` 清理。请重新运行这些分片，然后再运行 `merge`。",
        ),
        en=Text(
            "Shards that are too old",
            "Of the group {where} these shards ended more than 12 hours ago: {missing}.",
            "No snapshot was made: `prune` may remove packs that they rely on. Run those shards again, and then "
            "`merge`.",
        ),
    ),
    Kind.SHARDS_DIFFER.value: Both(
        zh=Text(
            "分片互不一致",
            "{where} 这一组的分片在 {what} 上不一致：{given}。",
            "没有生成快照。所有分片必须使用相同的设置和相同的分片总数，并基于同一个快照；期间如有另一次备份提交了快照，"
            "请重新运行全部分片，然后再运行 `merge`。",
        ),
        en=Text(
            "Shards that do not fit together",
            "Shards of the group {where} differ in {what}: {given}.",
            "No snapshot was made. All shards need the same settings, the same number of shards, and the same last "
            "snapshot. Where another backup committed meanwhile, run all shards again, and then `merge`.",
        ),
    ),
    Kind.SHARDS_LEFT.value: Both(
        zh=Text(
            "分片的中间文件没有清理",
            "{where} 这一组合并后，`.oss-backup/shards/` 下的 {count} 个文件无法删除⟨（{reason}）⟩。",
            "快照不受影响，也没有程序再需要它们。请授予 `merge` 的角色在该目录下的 `oss:DeleteObject`，或用生命周期规则"
            "在几天后删除该目录下的文件。",
        ),
        en=Text(
            "What shards left was not removed",
            "{count} objects under `.oss-backup/shards/` could not be removed after the merge of {where}⟨ ({reason})⟩.",
            "The snapshot is whole without them, and nobody needs them any more. Grant the role of `merge` "
            "`oss:DeleteObject` there, or let a lifecycle rule remove what is in that folder after some days.",
        ),
    ),
    Kind.SHARD_DAMAGED.value: Both(
        zh=Text(
            "分片损坏",
            "分片 {where} 损坏或被改动⟨：{reason}⟩。",
            "没有生成快照。请重新运行这个分片，然后再运行 `merge`；并查明是谁改动了 `.oss-backup/shards/`。",
        ),
        en=Text(
            "Damaged shard",
            "The shard {where} is damaged or was altered⟨: {reason}⟩.",
            "No snapshot was made. Run that shard again, and then `merge`; and find out who wrote to "
            "`.oss-backup/shards/`.",
        ),
    ),
    Kind.SHARD_UNPROVEN.value: Both(
        zh=Text(
            "分片的内容已不在存储空间中",
            "分片上传的内容已缺失或被改写：{where}⟨（共 {count} 个文件）⟩。",
            "没有生成快照，因为快照只能指向确实存在的内容。请查明是谁改动了存储空间，重新运行全部分片，然后再运行 "
            "`merge`。",
        ),
        en=Text(
            "What shards sent is no longer there",
            "The bucket lacks what a shard sent, or has it no longer: {where}⟨ ({count} files in all)⟩.",
            "No snapshot was made: it may only name what is there. Find out who changed the bucket, run all shards "
            "again, and then `merge`.",
        ),
    ),
    "parent.moved#merge": Both(
        zh=Text(
            "另一次备份抢先提交",
            "分片运行期间，同一来源的另一次备份提交了快照 {where}。",
            "没有生成快照。请重新运行全部分片，然后再运行 `merge`。在工作流中设置 `concurrency`，可以让同一来源的备份"
            "依次运行。",
        ),
        en=Text(
            "Another backup was first",
            "Another backup of this source committed the snapshot {where} while the shards ran.",
            "No snapshot was made. Run all shards again, and then `merge`. `concurrency` in the workflow lets backups "
            "of one source run one after the other.",
        ),
    ),
}
