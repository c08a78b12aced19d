"""What was proven and how, and what a drill did, in lines for the summary, a message and a console. No name is in it.

A share is text of a report, which may be read from a file: one that is not of the shape of a share is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from backup_action.core import escape
from backup_action.core.drill import Drilled, FormatLine
from backup_action.core.render import numbers
from backup_action.core.report import Report
from backup_action.core.verification import Verification
from backup_action.core.wording import Language, word

FORMATS: Final = 20  # lines


def blocks(report: Report, language: Language) -> Iterator[str]:
    """The summary's part."""
    told = list(lines(report, language))
    if told:
        yield f"### {word('proofs' if report.verification else 'drill', language)}"
        yield from (f"- {line}" for line in told)


def lines(report: Report, language: Language) -> Iterator[str]:
    """All of it, a sentence each."""
    if report.verification:
        yield from _proofs(report.verification, language)
    if report.drill:
        yield from _drill(report.drill, language)


def short(report: Report, language: Language) -> str:
    """The most of it in one line, or nothing."""
    told = report.verification
    if told is None:
        return _estimate(report.drill, language) if report.drill else ""
    parts = [
        _counted("proof-damaged", told.damaged, language),
        _counted("proof-listed", told.listed, language),
        _counted("proof-asked", told.asked, language),
        _counted("proof-read", told.read, language, size=numbers.size(told.read_bytes)),
        _counted("proof-chunks", told.chunks, language),
        _counted("proof-packed", told.packed, language),
    ]
    return word("semicolon", language).join(part for part in parts if part)


def _proofs(told: Verification, language: Language) -> Iterator[str]:
    packs = told.packs
    every = [
        _counted("proof-damaged", told.damaged, language),
        _counted("proof-frozen", told.frozen, language),
        _counted("proof-packs-damaged", packs.damaged, language),
        _counted("proof-read", told.read, language, size=numbers.size(told.read_bytes)),
        _counted("proof-chunks", told.chunks, language),
        _counted("proof-packed", told.packed, language),
        _counted(
            "proof-packs" if packs.read else "proof-packs-listed",
            packs.needed,
            language,
            read=numbers.count(packs.read),
            size=numbers.size(packs.bytes),
        ),
        _counted("proof-asked", told.asked, language),
        _counted("proof-listed", told.listed, language),
        word("proof-share-packs" if packs.needed else "proof-share", language, share=told.share)
        * _is_share(told.share),
        _counted("proof-snapshots", told.snapshots, language),
        _counted("proof-chain-gaps" if told.gaps else "proof-chain", told.walked, language, gaps=str(told.gaps)),
        word("proof-expected", language) * told.expected,
    ]
    yield from (line for line in every if line)


def _is_share(text: str) -> bool:
    """Whether it is a share that leaves something to others."""
    return text != "1/1" and bool(re.fullmatch("[0-9]{1,5}/[0-9]{1,5}", text))


def _counted(name: str, count: int, language: Language, **more: str) -> str:
    return word(name, language, count=numbers.count(count), **more) if count else ""


def _drill(told: Drilled, language: Language) -> Iterator[str]:
    yield word(
        "drill-sample",
        language,
        count=numbers.count(told.files),
        total=numbers.count(told.snapshot_files),
        size=numbers.size(told.bytes),
        time=numbers.duration(told.seconds, language),
        **{"total-size": numbers.size(told.snapshot_bytes)},
    )
    if line := _estimate(told, language):
        yield line
    yield from (_format(one, language) for one in told.formats[:FORMATS])
    if even := sum(one.even for one in told.formats):
        yield word("drill-columns", language, count=numbers.count(even))


def _estimate(told: Drilled, language: Language) -> str:
    return word("drill-estimate", language, time=numbers.duration(told.estimate, language)) if told.estimate else ""


def _format(one: FormatLine, language: Language) -> str:
    name = "drill-opened" if one.failed + one.partly + one.passed == 0 else "drill-opened-more"
    figures = {field: numbers.count(getattr(one, field)) for field in ("opened", "failed", "partly", "passed")}
    return word(name, language, format=escape.code(one.name), **figures)
