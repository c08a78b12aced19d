"""What prune did with each snapshot, or would do: a line, a table for the summary, lines for a console.

Fates and reasons are words of ours; an id that is not of the shape of one is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from backup_action.core import recent
from backup_action.core.pruning import Fate, Line, Packs, Pruning
from backup_action.core.render import numbers
from backup_action.core.report import Report
from backup_action.core.wording import Language, word
from backup_action.core.wording.pruning import WORDS

ROWS: Final = 200  # of the summary's table
CONSOLE: Final = 50


def line(report: Report, language: Language) -> str:
    """The numbers in one line; nothing where the run came to none."""
    told = report.pruning
    if told is None:
        return ""
    counts = {"kept": told.kept, "marked": told.marked + told.waiting, "removed": told.removed}
    parts = [
        _weighed(
            "to-prune-line" if report.dry_run else "pruned-line",
            told.objects_freed,
            told.bytes_freed,
            language,
            **counts,
        )
    ]
    if told.packs:
        parts += _packs(report, told.packs, language)
    if told.objects_later:
        name = "prune-packs-later-line" if told.packs else "prune-later-line"
        parts.append(_weighed(name, told.objects_later, told.bytes_later, language))
    if told.objects_left:
        parts.append(_weighed("prune-left-line", told.objects_left, 0, language))
    return ("" if language == "zh" else " ").join(parts)


def _packs(report: Report, told: Packs, language: Language) -> Iterator[str]:
    counts = {name: getattr(told, name) for name in ("kept", "marked", "repacked", "waiting", "removed", "busy")}
    shown = {name: numbers.count(value) for name, value in counts.items()}
    yield word("to-prune-packs-line" if report.dry_run else "prune-packs-line", language, **shown)
    if told.busy:
        yield word("prune-busy-line", language, busy=shown["busy"])


def notes(report: Report, language: Language) -> Iterator[str]:
    """What follows for those who read it: how long marked snapshots stay, and how to do what was only shown."""
    told = report.pruning
    if told is None:
        return
    if told.marked or told.waiting:
        yield word("prune-grace-line", language, hours=str(told.grace_hours))
    if report.dry_run:
        yield word("prune-apply-line", language)


def blocks(report: Report, language: Language) -> Iterator[str]:
    """The summary's part: a table of the snapshots, those that do not stay first."""
    told = report.pruning
    if told is None:
        return
    yield from notes(report, language)
    rows = [
        f"| `{one.id}` | {one.sequence} | {_fate(one, language)} | {reasons(one, language)} |"
        for one in _lines(told)[:ROWS]
    ]
    if rows:
        yield f"### {word('prune-snapshots', language)}"
        head = " | ".join(
            word(name, language) for name in ("snapshot", "prune-sequence", "prune-fate", "prune-reasons")
        )
        yield "\n".join([f"| {head} |", "| --- | ---: | --- | --- |", *rows])
        if hidden := _total(told) - len(rows):
            yield word("more", language, count=numbers.count(hidden))


def lines(report: Report, language: Language) -> Iterator[str]:
    """The console's part."""
    told = report.pruning
    if told is None:
        return
    shown = _lines(told)[:CONSOLE]
    for one in shown:
        yield f"{one.id}  {_fate(one, language)}{word('colon', language)}{reasons(one, language)}"
    if hidden := _total(told) - len(shown):
        yield word("more", language, count=numbers.count(hidden))
    yield from notes(report, language)


def reasons(one: Line, language: Language) -> str:
    """Why, in words; the snapshot that covers it is named."""
    told = [word(f"reason-{name}", language) for name in one.reasons if f"reason-{name}" in WORDS]
    text = word("comma", language).join(told)
    return f"{text} ({one.by})" if re.fullmatch(recent.ID, one.by) else text


def _fate(one: Line, language: Language) -> str:
    return word(f"fate-{one.fate.value}", language)


def _lines(told: Pruning) -> list[Line]:
    """Those that go before those that stay; else newest first."""
    found = [one for one in told.snapshots if re.fullmatch(recent.ID, one.id)]
    return sorted(found, key=lambda one: one.fate in (Fate.KEPT, Fate.LIFTED))


def _total(told: Pruning) -> int:
    return told.kept + told.marked + told.waiting + told.removed


def _weighed(name: str, objects: int, size: int, language: Language, **counts: int) -> str:
    shown = {key: numbers.count(value) for key, value in counts.items()}
    return word(name, language, objects=numbers.count(objects), size=numbers.size(size), **shown)
