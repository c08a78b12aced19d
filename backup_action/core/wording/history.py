"""What is told of a run while it goes on, and of the runs before it, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.wording.text import Word

WORDS: Final[Mapping[str, Word]] = {
    "history": Word("历史", "History"),
    "kept-line": Word(
        "本来源共有 {count} 个快照，最早的是 {since}",
        "{count} {count:snapshot|snapshots} of this source since {since}",
    ),
    "history-versions": Word(
        "旧内容：保留为对象的历史版本，每个快照都记有版本 ID",
        "Older content: kept as versions of the objects; each snapshot has their version ids",
    ),
    "history-copies": Word(
        "旧内容：对象在被覆盖或删除之前，先复制到 `.oss-backup/history/` 下保留",
        "Older content: kept as copies under `.oss-backup/history/`, made before an object is overwritten or removed",
    ),
    "history-packs": Word(
        "旧内容：留在数据包里，直到 `prune` 删除没有任何快照引用的内容",
        "Older content: stays in its packs, until `prune` removes what no snapshot names",
    ),
    "history-none": Word(
        "旧内容：不保留（`history: none`）；只有最新的快照是完整的",
        "Older content: not kept (`history: none`); only the newest snapshot is whole",
    ),
    "chart-duration": Word("最近各次运行的用时（{unit}）", "Duration of recent runs ({unit})"),
    "chart-sent": Word("最近各次运行的上传量（{unit}）", "Sent by recent runs ({unit})"),
    "hours": Word("小时", "hours"),
    "minutes": Word("分", "minutes"),
    "seconds": Word("秒", "seconds"),
    "phase-look": Word(
        "正在扫描文件，并读取存储空间的列表。",
        "Looking at the files, and at what the bucket has.",
    ),
    "phase-send": Word(
        "找到 {files} 个文件（{size}），正在上传新增和有变化的内容。",
        "{files} {files:file|files} found ({size}); sending what is new or changed.",
    ),
    "phase-compare": Word(
        "找到 {files} 个文件（{size}），正在比较，不会写入任何内容。",
        "{files} {files:file|files} found ({size}); comparing, and writing nothing.",
    ),
    "phase-thaw": Word(
        "正在等待 OSS 解冻 {count} 个文件，最多 {time}……",
        "Waiting at most {time} until OSS has thawed {count} {count:file|files} …",
    ),
    "phase-restore": Word(
        "快照中有 {files} 个文件要恢复（{size}），正在与目标比较并下载有差别的内容。",
        "{files} {files:file|files} of the snapshot to restore ({size}); comparing, and fetching what differs.",
    ),
    "phase-commit": Word("正在写入快照。", "Storing the snapshot."),
    "phase-hand-on": Word("正在写入这个分片的结果。", "Storing what this shard hands on."),
    "progress-files": Word("{count}/{total} 个文件", "{count} of {total} {total:file|files}"),
    "progress-bytes": Word("{size}/{total-size}", "{size} of {total-size}"),
    "progress-rate": Word("{size}/s", "{size}/s"),
    "progress-left": Word("约剩 {time}", "about {time} left"),
    "comma": Word("，", ", "),
}
