"""The words of what `snapshots` shows, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.wording.text import Word

WORDS: Final[Mapping[str, Word]] = {
    "phase-read": Word("正在读取快照目录。", "Reading the catalogue."),
    "snapshots": Word("快照", "Snapshots"),
    "snapshot-id": Word("ID", "Id"),
    "time": Word("时间（UTC）", "Time (UTC)"),
    "sequence": Word("序号", "No."),
    "sent": Word("上传量", "Sent"),
    "complete": Word("完整", "Complete"),
    "chain": Word("链", "Chain"),
    "digest-of": Word("摘要（SHA-256）", "Digest (SHA-256)"),
    "link-first": Word("起点", "first"),
    "link-whole": Word("完好", "whole"),
    "link-gap": Word("上一个已不在", "parent gone"),
    "link-damaged": Word("上一个损坏", "parent damaged"),
    "link-broken": Word("断裂", "broken"),
    "link-": Word("损坏", "damaged"),
    "no-snapshots": Word("这个来源没有快照。", "There is no snapshot of this source."),
    "no-snapshots-at-all": Word("这个前缀下没有快照。", "There is no snapshot below this prefix."),
    "other-snapshots": Word(
        "这个前缀下另有其他来源的 {count} 个快照，用 `all-sources` 可以列出。",
        "{count} {count:snapshot|snapshots} of other sources below this prefix; `all-sources` lists them.",
    ),
    "chain-whole": Word(
        "{source}（{layout}）：{count} 个快照，链完好。",
        "{source} ({layout}): {count} {count:snapshot|snapshots}, the chain is whole.",
    ),
    "chain-gaps": Word(
        "{source}（{layout}）：{count} 个快照⟨，{gaps} 处的上一个快照已不在（例如已被清理）⟩⟨，{broken} 处断裂⟩。",
        "{source} ({layout}): {count} {count:snapshot|snapshots}⟨; parents that are gone, such as by pruning: {gaps}⟩"
        "⟨; broken links: {broken}⟩.",
    ),
    "damaged-count": Word("无法读取的快照：{count} 个。", "Snapshots that cannot be read: {count}."),
    "entries": Word("条目", "Entries"),
    "stored": Word("快照文件大小", "Size of the snapshot itself"),
    "written-by": Word("写入它的程序版本", "Written by version"),
    "problems-then": Word("当时的问题", "Problems of that run"),
    "by-root": Word("各路径的内容", "By path"),
    "largest": Word("最大的文件", "Largest files"),
    "modified": Word("修改时间（UTC）", "Modified (UTC)"),
    "compared": Word("从 {before} 到 {after} 的变化", "Changes from {before} to {after}"),
    "change": Word("变化", "Change"),
    "what-added": Word("新增", "added"),
    "what-changed": Word("修改", "changed"),
    "what-moved": Word("移动", "moved"),
    "what-removed": Word("删除", "removed"),
    "before": Word("原大小", "Before"),
    "after": Word("现大小", "After"),
    "moved-from": Word("{path}（原为 {was}）", "{path} (was {was})"),
    "metadata-count": Word("仅权限或时间有变化：{count} 项。", "Only mode or time changed: {count}."),
    "folders-count": Word("文件夹：新增 {added} 个，删除 {removed} 个。", "Folders: {added} added, {removed} removed."),
    "no-changes": Word("内容没有变化。", "No content differs."),
    "found": Word(
        "{pattern}：在 {snapshots} 个快照中找到 {paths} 个路径。",
        "{pattern}: {paths} {paths:path|paths} found in {snapshots} {snapshots:snapshot|snapshots}.",
    ),
    "found-more": Word(
        "符合的路径太多，只列出了一部分；请写得更具体。", "More paths match than are shown; narrow the pattern."
    ),
    "from-snapshot": Word("从", "From"),
    "to-snapshot": Word("到", "To"),
    "absent": Word("不在其中", "absent"),
}
