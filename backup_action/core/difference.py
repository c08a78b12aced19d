"""What differs between two snapshots: both are read once, side by side, in the order of their keys.

| a file or link is | where |
|---|---|
| added, removed | only one of the two has its path |
| changed | both have it, with another content, target or kind |
| moved | it is added, and a file of the same SHA-256 is removed; empty files are never |
| nothing but counted (`metadata`) | both have it with the same content, and mode or time differ |

Folders are counted where they come or go, or have another mode: their times follow what is in them. A `gone` entry is
no part of a snapshot. Held are the rows, packed, eight bytes for each added file, and the paths of those that moved.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from backup_action.core.entry import Entry, Sort, order, told
from backup_action.core.listing import DifferenceRow, Sum, What
from backup_action.core.spool import Spool

_Key = tuple[str, bytes]  # a path as a row has it


class Difference(msgspec.Struct):
    """The rows, and what they add up to."""

    rows: Spool[DifferenceRow] = msgspec.field(default_factory=lambda: Spool(DifferenceRow))
    files: Counter[str] = msgspec.field(default_factory=Counter)  # by what became of them
    bytes: Counter[str] = msgspec.field(default_factory=Counter)
    metadata: int = 0
    folders_added: int = 0
    folders_removed: int = 0

    def sum(self, what: What) -> Sum:
        """Files and links of one sort of change, with the bytes of their content."""
        return Sum(self.files[what], self.bytes[what])

    def add(self, row: DifferenceRow) -> None:
        """Adds a row at the end."""
        self.rows.append(row)
        self.files[row.what] += 1
        self.bytes[row.what] += row.bytes_before if row.what == "removed" else row.bytes


def difference(before: Iterable[Entry], after: Iterable[Entry]) -> Difference:
    """From one snapshot's entries to another's, each in order."""
    plain, found = Spool(DifferenceRow), Difference()
    for old, new in pairs(_there(before), _there(after)):
        if row := _row(old, new):
            plain.append(row)
        elif old is None or new is None:
            found.folders_added += old is None
            found.folders_removed += new is None
        else:
            found.metadata += _facts(old) != _facts(new)
    moves = _moves(plain)
    for row in plain:
        move = moves.get(row.sha256) if row.what != "changed" and _may_move(row) else None
        if move is None or not move.takes(row.what):
            found.add(row)
        elif row.what == "added":
            was, was_raw = _path(move.origins[move.came - 1])
            found.add(msgspec.structs.replace(row, what="moved", bytes_before=row.bytes, was=was, was_raw=was_raw))
    return found


def pairs(before: Iterable[Entry], after: Iterable[Entry]) -> Iterator[tuple[Entry | None, Entry | None]]:
    """Both streams as one: what stands at the same place in both together, in order."""
    olds, news = iter(before), iter(after)
    old, new = next(olds, None), next(news, None)
    while old or new:
        if new is None or (old is not None and order(old) < order(new)):
            yield old, None
            old = next(olds, None)
        elif old is None or order(new) < order(old):
            yield None, new
            new = next(news, None)
        else:
            yield old, new
            old, new = next(olds, None), next(news, None)


def content(entry: Entry) -> tuple[str, str, str, int]:
    """What makes two files or links the same: of a link the target alone, whatever object lies in its place."""
    if entry.kind is Sort.LINK:
        return entry.kind, entry.target, "", 0
    return entry.kind, "", entry.sha256 or " ".join(entry.chunks), entry.size


def _there(entries: Iterable[Entry]) -> Iterator[Entry]:
    return (entry for entry in entries if not entry.gone)


def _facts(entry: Entry) -> tuple[int, int]:
    return entry.mode, 0 if entry.kind is Sort.FOLDER else entry.mtime_ns


def _row(old: Entry | None, new: Entry | None) -> DifferenceRow | None:
    """The row of a file or link whose content differs; None for all else."""
    entry = new or old
    if entry is None or entry.kind is Sort.FOLDER:
        return None
    if old and new and content(old) == content(new):
        return None
    what: What = "changed" if old and new else "added" if new else "removed"
    now, was = (one.size if one and one.kind is Sort.FILE else 0 for one in (new, old))
    sha256 = entry.sha256 if entry.kind is Sort.FILE else ""  # a link may have one, of what lies beside it
    return DifferenceRow(what, *told(entry.path), entry.kind.value, now, was, sha256)


class _Move:
    """Files of one content that moved: of several, the first goes with the first."""

    __slots__ = ("came", "count", "origins", "went")

    def __init__(self) -> None:
        self.origins: list[str | _Key] = []
        self.count = self.came = self.went = 0

    def takes(self, what: str) -> bool:
        """Whether the next that was added or removed is one that moved."""
        seen = self.came if what == "added" else self.went
        if seen >= min(self.count, len(self.origins)):
            return False
        if what == "added":
            self.came += 1
        else:
            self.went += 1
        return True


def _moves(rows: Iterable[DifferenceRow]) -> dict[str, _Move]:
    """By SHA-256, for each that is both added and removed: where its files were, and how many came."""
    came = array("Q", sorted(_short(row) for row in rows if row.what == "added" and _may_move(row)))
    moves: dict[str, _Move] = {}
    for row in rows:
        if row.what == "removed" and _may_move(row):
            at = bisect_left(came, _short(row))
            if at < len(came) and came[at] == _short(row):
                path = (row.path, row.raw) if row.raw else row.path
                moves.setdefault(row.sha256, _Move()).origins.append(path)
    for row in rows:
        if row.what == "added" and (move := moves.get(row.sha256)):
            move.count += 1
    return moves


def _path(kept: str | _Key) -> _Key:
    return (kept, b"") if isinstance(kept, str) else kept


def _may_move(row: DifferenceRow) -> bool:
    return bool(row.sha256) and bool(row.bytes or row.bytes_before)


def _short(row: DifferenceRow) -> int:
    return hash(row.sha256) % (1 << 64)
