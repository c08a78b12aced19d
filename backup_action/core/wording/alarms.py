"""Sentences of alarms: what a run found that a person must look at, and what waits until one did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

TEXTS: Final[Mapping[str, Both]] = {
    Kind.ALARM_SILENT.value: Both(
        zh=Text(
            "文件内容无声改变",
            "{where} 的大小、时间和 inode 都没有变，内容却变了：SHA-256 原为 {before}，现为 {now}。",
            "请先检查这台主机的磁盘和内存（SMART、ECC、dmesg）；也可能是以 mmap 写入的程序。快照⟨ {snapshot} ⟩中有"
            "原来的内容，可用 `command: restore` 取回；本次快照记录的是磁盘上现在的内容。",
        ),
        en=Text(
            "Content changed silently",
            "{where} has the size, times and inode of before, and other bytes: its SHA-256 was {before} and is {now}.",
            "Look at this host's disk and memory (SMART, ECC, dmesg); a program that writes by mmap is possible "
            "too. The snapshot⟨ {snapshot}⟩ has the content of before, to be had back by `command: restore`; this "
            "run's snapshot says what is on the disk now.",
        ),
    ),
    Kind.ALARM_CHANGED.value: Both(
        zh=Text(
            "改写的文件远多于平时",
            "上一个快照的 {files} 个文件中，有 {changed} 个的内容变了（{percent}%）；平时一次最多约 {usual} 个。",
            "快照已照常提交，除非关闭了历史，被替换的内容都保留着。请确认这些改动是有意的；如果不是，请从快照⟨ "
            "{snapshot} ⟩恢复。确认之前，`command: prune` 不会删除任何快照；确认无误后，请以 `acknowledge` 运行 "
            "`command: prune`。阈值是 `alarm-percent`（{limit}%）。",
        ),
        en=Text(
            "Far more rewritten than usual",
            "Of the {files} files of the last snapshot, {changed} have other content ({percent} %); usually it is "
            "{usual} at most.",
            "The snapshot was taken; what it replaced is kept, unless history is off. Make sure that this is "
            "meant; if it is not, restore from the snapshot⟨ {snapshot}⟩. Until then `command: prune` removes "
            "nothing; when all is well, run `command: prune` with `acknowledge`. The limit is `alarm-percent` "
            "({limit} %).",
        ),
    ),
    Kind.ALARM_ENCRYPTED.value: Both(
        zh=Text(
            "文件疑似被加密",
            "变动的 {changed} 个文件中，有 {encrypted} 个现在看起来是随机数据，之前不是⟨；新出现的后缀是 {suffix}⟩"
            "⟨。例如 {where}⟩。",
            "可能是勒索软件。快照已照常提交，除非关闭了历史，被替换的内容都保留着；`delete` 没有执行，"
            "`command: prune` 在确认之前不会删除任何快照。请立即检查这台主机；如果文件确实被加密，请断开主机，在干"
            "净的机器上从快照⟨ {snapshot} ⟩恢复。如果是有意的，请以 `acknowledge` 运行 `command: prune`。阈值是 "
            "`alarm-percent`（{limit}%）。",
        ),
        en=Text(
            "Files that look encrypted",
            "Of {changed} files that changed or went, {encrypted} look random now and did not before⟨; they came "
            "with the new suffix {suffix}⟩⟨; one is {where}⟩.",
            "This may be ransomware. The snapshot was taken; what it replaced is kept, unless history is off. "
            "`delete` was not done, and `command: prune` removes nothing until somebody acknowledges. Look at "
            "this host at once; if the files are encrypted, cut it off, and restore from the snapshot⟨ "
            "{snapshot}⟩ on a clean machine. If it is meant, run `command: prune` with `acknowledge`. The limit "
            "is `alarm-percent` ({limit} %).",
        ),
    ),
    Kind.ALARM_OPEN.value: Both(
        zh=Text(
            "有警报尚未确认",
            "有 {count} 个快照的警报尚未确认⟨（{kinds}）⟩，最早的是 {where}。",
            "为了不删掉最后的完好版本，没有删除任何内容。请查看该次运行的报告；确认无误后，以 "
            "`acknowledge: {where}` 或 `acknowledge: all` 重新运行。",
        ),
        en=Text(
            "An alarm is open",
            "Alarms of {count} snapshots are not acknowledged⟨ ({kinds})⟩; the oldest is {where}.",
            "Nothing was removed, so that the last good version is not. Look at that run's report; when all is "
            "well, run again with `acknowledge: {where}` or `acknowledge: all`.",
        ),
    ),
    f"{Kind.ALARM_OPEN.value}#damaged": Both(
        zh=Text(
            "有警报无法读取",
            "快照 {where} 的警报无法读取，因此视为尚未确认（共 {count} 个）。",
            "没有删除任何内容。请查看存储空间中 `.oss-backup/alarms/` 下的这个对象，弄清是谁改动了它，再把它移到别"
            "处并重新运行。",
        ),
        en=Text(
            "An alarm cannot be read",
            "The alarm of the snapshot {where} cannot be read, so it counts as open ({count} in all).",
            "Nothing was removed. Look at its object under `.oss-backup/alarms/`, find out who altered it, move "
            "it away and run again.",
        ),
    ),
    Kind.ALARM_UNKNOWN.value: Both(
        zh=Text(
            "没有这个警报",
            "快照 {where} 没有警报。",
            "没有删除任何内容。请检查 `acknowledge` 中的快照 ID，或使用 `acknowledge: all`。",
        ),
        en=Text(
            "No such alarm",
            "There is no alarm of the snapshot {where}.",
            "Nothing was removed. Check the ids in `acknowledge`, or use `acknowledge: all`.",
        ),
    ),
}
