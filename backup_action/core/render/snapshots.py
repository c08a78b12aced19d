"""What `snapshots` tells, for people: on a console whole, in the job summary folded and at most `ROWS` of a table.

Both are made of the same parts: a line, or a table. Whatever a snapshot says is from outside, and quoted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

import msgspec

from backup_action.core import escape, recent
from backup_action.core.listing import (
    Compared,
    DifferenceRow,
    Found,
    FoundRow,
    Listed,
    Row,
    Shown,
    SnapshotRow,
    Sum,
    Told,
    View,
)
from backup_action.core.render import numbers
from backup_action.core.render.problems import quoting
from backup_action.core.render.progress import cells
from backup_action.core.report import Report
from backup_action.core.snapshot import is_id
from backup_action.core.wording import Language, word

ROWS: Final = 50  # of a table in the summary
BATCH: Final = 1000  # rows of a console's table that are set out together
_FOLD: Final = "<details><summary>{heading}</summary>\n\n{text}\n\n</details>"
_GAP: Final = "  "

Quote: TypeAlias = Callable[[str], str]
Rows: TypeAlias = Iterable[Row]


class Table(msgspec.Struct, frozen=True):
    """Columns by their words; those at `right` are figures. The last may be as long as it likes."""

    title: str
    columns: Sequence[str]
    right: frozenset[int]
    rows: Iterable[list[str]]
    total: int


Part: TypeAlias = str | Table


def page(told: Told, language: Language) -> Iterator[str]:
    """For a console: line by line, each with its end."""
    for part in parts(told.view, told.rows, language, quoting(escape.word)):
        if isinstance(part, str):
            yield escape.log(part) + "\n"
        elif part.total:
            yield f"\n{part.title}\n" if part.title else "\n"
            yield from (f"{line}\n" for line in _aligned(part, language))


def blocks(report: Report, language: Language) -> Iterator[str]:
    """For the summary: the lines, and the tables folded away."""
    view = report.listing
    if view is None:
        return
    rows: Rows = view.rows if not isinstance(view, Shown) else ()
    yield f"### {word('snapshots', language)}"
    for part in parts(view, rows, language, quoting(escape.code)):
        if isinstance(part, str):
            yield f"- {part}"
        elif part.total:
            heading = part.title or word("snapshots", language)
            yield _FOLD.format(heading=heading, text=_markdown(part, language))


def parts(view: View, rows: Rows, language: Language, quote: Quote) -> Iterator[Part]:
    """What is told of a view, its rows as they come."""
    if isinstance(view, Listed):
        yield from _listed(view, rows, language, quote)
    elif isinstance(view, Shown):
        yield from _shown(view, language, quote)
    elif isinstance(view, Compared):
        yield from _compared(view, rows, language, quote)
    else:
        yield from _found(view, rows, language, quote)


def _listed(view: Listed, rows: Rows, language: Language, quote: Quote) -> Iterator[Part]:
    for chain in view.chains:
        yield word(
            "chain-whole" if chain.whole else "chain-gaps", language, source=quote(chain.source),
            layout=quote(chain.layout), count=numbers.count(chain.snapshots),
            gaps=numbers.count(chain.gaps) if chain.gaps else "",
            broken=numbers.count(chain.broken) if chain.broken else "",
        )  # fmt: skip
    if not view.total:
        yield word("no-snapshots" if view.source else "no-snapshots-at-all", language)
    if view.damaged:
        yield word("damaged-count", language, count=numbers.count(view.damaged))
    if view.others:
        yield word("other-snapshots", language, count=numbers.count(view.others))
    columns = ("snapshot-id", "time", "sequence", "files", "size", "sent", "duration", "complete", "chain")
    told = (_snapshot(row, language, quote) for row in rows if isinstance(row, SnapshotRow))
    yield Table("", (*columns, "layout", "source", "digest-of"), frozenset({2, 3, 4, 5, 6}), told, view.total)


def _snapshot(row: SnapshotRow, language: Language, quote: Quote) -> list[str]:
    began = recent.moment(row.id).replace("T", " ").removesuffix("Z") if is_id(row.id) else ""
    link = word(f"link-{row.link}", language)
    if row.damage:
        return [quote(row.id), began, *[""] * 6, link, "", "", quote(row.damage)]
    return [
        quote(row.id), began, numbers.count(row.sequence), numbers.count(row.files), numbers.size(row.bytes),
        numbers.size(row.bytes_sent), numbers.duration(row.seconds, language),
        word("yes" if row.complete else "no", language), link, quote(row.layout), quote(row.source), quote(row.digest),
    ]  # fmt: skip


def _shown(view: Shown, language: Language, quote: Quote) -> Iterator[Part]:
    colon = word("colon", language)
    problems = ", ".join(f"{kind} {count}" for kind, count in sorted(view.problems.items()))
    facts = (
        ("snapshot", quote(view.id)), ("time", quote(view.created)), ("source", quote(view.source)),
        ("sequence", numbers.count(view.sequence)), ("layout", quote(view.layout)), ("digest-of", quote(view.digest)),
        ("parent", quote(view.parent) if view.parent else word("none", language)),
        ("complete", word("yes" if view.complete else "no", language)),
        ("problems-then", quote(problems) if problems else ""),
        ("files", f"{numbers.count(view.files)} ({numbers.size(view.bytes)})"),
        ("sent", f"{numbers.count(view.files_sent)} ({numbers.size(view.bytes_sent)})"),
        ("duration", numbers.duration(view.seconds, language)), ("stored", numbers.size(view.stored)),
        ("host", quote(view.origin.host) if view.origin.host else ""),
        ("run", quote(f"{view.origin.repository} {view.origin.run}") if view.origin.run else ""),
        ("written-by", quote(view.version)),
    )  # fmt: skip
    yield from (f"{word(name, language)}{colon}{value}" for name, value in facts if value)
    places = [
        [
            *map(numbers.count, (place.files, place.links, place.folders)), numbers.size(place.bytes),
            quote(place.destination or "."), quote(place.source),
        ]
        for place in view.places
    ]  # fmt: skip
    columns = ("files", "links", "folders", "size", "destination", "path")
    yield Table(word("by-root", language), columns, frozenset(range(4)), places, len(places))
    large = [
        [numbers.size(one.bytes), moment(one.mtime_ns), quote(one.sha256), quote(one.path)] for one in view.largest
    ]
    of_large = ("size", "modified", "digest-of", "path")
    yield Table(word("largest", language), of_large, frozenset({0}), large, len(large))


def _compared(view: Compared, rows: Rows, language: Language, quote: Quote) -> Iterator[Part]:
    yield word("compared", language, before=quote(view.before), after=quote(view.after))
    colon = word("colon", language)
    sums: dict[str, Sum] = {name: getattr(view, name) for name in ("added", "changed", "moved", "removed")}
    for name, one in sums.items():
        if one.files:
            yield f"{word(f'what-{name}', language)}{colon}{numbers.count(one.files)} ({numbers.size(one.bytes)})"
    if not view.total:
        yield word("no-changes", language)
    if view.metadata:
        yield word("metadata-count", language, count=numbers.count(view.metadata))
    if view.folders_added or view.folders_removed:
        counts = {"added": numbers.count(view.folders_added), "removed": numbers.count(view.folders_removed)}
        yield word("folders-count", language, **counts)
    told = (_difference(row, language, quote) for row in rows if isinstance(row, DifferenceRow))
    yield Table("", ("change", "before", "after", "path"), frozenset({1, 2}), told, view.total)


def _difference(row: DifferenceRow, language: Language, quote: Quote) -> list[str]:
    before = "" if row.what == "added" else numbers.size(row.bytes_before)
    after = "" if row.what == "removed" else numbers.size(row.bytes)
    path = quote(row.path)
    if row.what == "moved":
        path = word("moved-from", language, path=path, was=quote(row.was))
    return [word(f"what-{row.what}", language), before, after, path]


def _found(view: Found, rows: Rows, language: Language, quote: Quote) -> Iterator[Part]:
    counts = {"paths": numbers.count(view.paths), "snapshots": numbers.count(view.snapshots)}
    yield word("found", language, pattern=quote(view.pattern), **counts)
    if view.more:
        yield word("found-more", language)
    if view.damaged:
        yield word("damaged-count", language, count=numbers.count(view.damaged))
    columns = ("from-snapshot", "to-snapshot", "snapshots", "size", "modified", "digest-of", "path")
    told = (_run(row, language, quote) for row in rows if isinstance(row, FoundRow))
    yield Table("", columns, frozenset({2, 3}), told, view.total)


def _run(row: FoundRow, language: Language, quote: Quote) -> list[str]:
    span = [quote(row.first), quote(row.last), numbers.count(row.snapshots)]
    if not row.kind:
        return [*span, "", "", word("absent", language), quote(row.path)]
    what = quote(f"-> {row.target}" if row.target else row.sha256)
    return [*span, "" if row.target else numbers.size(row.bytes), moment(row.mtime_ns), what, quote(row.path)]


def moment(ns: str) -> str:
    """A time in ns as UTC to the second; as it is where no calendar has it."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(int(ns) // 10**9))
    except (ValueError, OverflowError, OSError):
        return escape.visible(ns)


def _aligned(table: Table, language: Language) -> Iterator[str]:
    """The lines of a console's table. Columns are as wide as the widest so far; the last is not filled up."""
    head = [word(name, language) for name in table.columns]
    widths, rows, first = [cells(name) for name in head], iter(table.rows), True
    while batch := list(islice(rows, BATCH)):
        widths = [max(width, *(cells(row[at]) for row in batch)) for at, width in enumerate(widths)]
        for row in [head, *batch] if first else batch:
            yield _GAP.join(_filled(table, at, cell, widths[at]) for at, cell in enumerate(row)).rstrip()
        first = False


def _filled(table: Table, at: int, cell: str, width: int) -> str:
    blank = " " * (width - cells(cell))
    return blank + cell if at in table.right else cell if at == len(table.columns) - 1 else cell + blank


def _markdown(table: Table, language: Language) -> str:
    head = [word(name, language) for name in table.columns]
    rule = ["---:" if at in table.right else "---" for at in range(len(head))]
    shown = list(islice(table.rows, ROWS))
    text = "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *shown))
    hidden = table.total - len(shown)
    return f"{text}\n\n{word('more', language, count=numbers.count(hidden))}" if hidden > 0 else text
