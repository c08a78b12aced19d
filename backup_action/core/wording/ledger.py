"""What is told of the ledger: how the runs of the last thirty days ended, and why one could not be recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text, Word

_FAILED: Final = Kind.LEDGER_FAILED.value

TEXTS: Final[Mapping[str, Both]] = {
    _FAILED: Both(
        zh=Text(
            "未能写入运行记录",
            "本次运行的结果没有记入存储空间的运行记录（{where}）⟨：{reason}⟩。",
            "运行本身的结果不受影响。请确认角色对前缀下的 `.oss-backup/ledger/*` 有 `oss:PutObject` 权限。这条记录"
            "已保存在本机，下一次能访问存储空间的运行会补上；一次性的运行环境不会保留它。",
        ),
        en=Text(
            "Run not recorded",
            "How this run ended could not be written to the ledger in the bucket ({where})⟨: {reason}⟩.",
            "The run itself is not touched by it. See that the role has `oss:PutObject` on `.oss-backup/ledger/*` "
            "below the prefix. This host keeps the record, and the next run that reaches the bucket adds it; a runner "
            "that is made for one job keeps nothing.",
        ),
    ),
    f"{_FAILED}#host": Both(
        zh=Text(
            "未能写入运行记录",
            "本次运行没有连上存储空间，本机也无法保存它的运行记录⟨：{reason}⟩。",
            "运行本身的结果不受影响，只是 30 天的统计中会缺少这一次。请检查状态文件夹（`STATE_DIRECTORY` 或 "
            "`XDG_STATE_HOME`）的权限和剩余空间。",
        ),
        en=Text(
            "Run not recorded",
            "This run did not get through to the bucket, and the host could not keep its record either⟨: {reason}⟩.",
            "The run itself is not touched by it, but the figures of 30 days will lack it. Look at the rights and the "
            "free space of the state folder (`STATE_DIRECTORY` or `XDG_STATE_HOME`).",
        ),
    ),
    f"{_FAILED}#format": Both(
        zh=Text(
            "运行记录的格式未知",
            "存储空间中有更新版本的程序写入的运行记录（{reason}），本版本无法读取，因此没有统计它们。",
            "运行本身的结果不受影响。请把这台主机上的程序升级到相同的版本。",
        ),
        en=Text(
            "Ledger of another version",
            "The ledger in the bucket has records in a format that this version does not know ({reason}); they are not "
            "counted.",
            "The run itself is not touched by it. Update the program on this host to the version that wrote them.",
        ),
    ),
    f"{_FAILED}#damaged": Both(
        zh=Text(
            "运行记录损坏",
            "存储空间中有一条运行记录无法读取，因此没有统计它⟨：{reason}⟩。",
            "运行本身的结果不受影响，以后的记录会照常写入。请确认前缀下的 `.oss-backup/ledger/` 没有被其他程序改写。",
        ),
        en=Text(
            "Record damaged",
            "A record in the ledger of the bucket cannot be read, and is not counted⟨: {reason}⟩.",
            "The run itself is not touched by it, and later ones are recorded as usual. See that nothing else writes "
            "under `.oss-backup/ledger/` below the prefix.",
        ),
    ),
}

WORDS: Final[Mapping[str, Word]] = {
    "ledger": Word("可靠性", "Reliability"),
    "ledger-rate": Word(
        "30 天成功率 {rate} %（{successes}/{runs}）",
        "30-day success rate {rate} % ({successes} of {runs} {runs:run|runs})",
    ),
    "ledger-p95": Word("耗时 P95 {time}", "P95 duration {time}"),
    "ledger-wish-rate": Word("，目标 {wish} %", ", goal {wish} %"),
    "ledger-wish-minutes": Word("，目标 {wish} 分", ", goal {wish} min"),
    "semicolon": Word("；", "; "),
}
