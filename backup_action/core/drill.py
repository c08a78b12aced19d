"""What a drill restores, and what its time says of a whole restore.

The sample: the newest file and the oldest, the largest that fits, and a share of all others that moves on each day. It
holds at most `budget` bytes and about `MOST` files; a snapshot that is smaller than that is restored whole. Every path
is in just one share, so as many days as there are shares come by all of them; a file that finds no room on its day
waits for the next time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from backup_action.core.entry import Entry
from backup_action.core.verification import Share

MOST: Final = 1000  # files of the share, more or less: hashes are not even
LARGE: Final = 8 << 20  # bytes; a file over this tells how fast bytes come, and nothing else

Entries = Callable[[], Iterable[Entry]]


class FormatLine(msgspec.Struct, frozen=True):
    """How files of one format opened: all of it, not at all, as far as the caps allow, or nobody looked."""

    name: str
    opened: int = 0
    failed: int = 0
    partly: int = 0
    passed: int = 0
    even: int = 0  # tables whose rows all have as many columns


class Drilled(msgspec.Struct, frozen=True):
    """What a drill did. `estimate` is the seconds that a restore of the whole snapshot would take, 0 if not known."""

    files: int = 0  # restored and proven
    bytes: int = 0
    seconds: float = 0.0
    snapshot_files: int = 0
    snapshot_bytes: int = 0
    estimate: float = 0.0
    formats: list[FormatLine] = []


class Sample(NamedTuple):
    """Files to restore, in the order of keys, and what of the snapshot might have been taken."""

    entries: list[Entry]
    files: int
    bytes: int
    smallest: int  # bytes; -1 where there is no file


def pick(files: Entries, budget: int, day: int) -> Sample:
    """The sample of a snapshot whose files `files` gives, in order, each time that it is called.

    `budget` is in bytes; `day` is counted in days since any.
    """
    count = size = 0
    smallest = -1
    for entry in files():
        count, size = count + 1, size + entry.size
        smallest = entry.size if smallest < 0 else min(smallest, entry.size)
    chosen: dict[str, Entry] = {}
    for rank in (_newness, _oldness, _largeness):
        room = budget - sum(entry.size for entry in chosen.values())
        best = max((entry for entry in files() if entry.size <= room), key=rank, default=None)
        if best is not None:
            chosen.setdefault(best.path, best)
    room = budget - sum(entry.size for entry in chosen.values())
    rest = size - sum(entry.size for entry in chosen.values())
    for entry in _turn(files, room, count - len(chosen), rest, day):
        if entry.path not in chosen and entry.size <= room:
            room -= entry.size
            chosen[entry.path] = entry
    return Sample(sorted(chosen.values(), key=lambda entry: entry.place), count, size, smallest)


def _newness(entry: Entry) -> tuple[int, str]:
    return entry.mtime_ns, entry.place


def _oldness(entry: Entry) -> tuple[int, str]:
    return -entry.mtime_ns, entry.place


def _largeness(entry: Entry) -> tuple[int, str]:
    return entry.size, entry.place


def _turn(files: Entries, room: int, count: int, size: int, day: int) -> list[Entry]:
    """The files whose turn it is, in an order that is another each day: who finds no room is not always the same."""
    if count <= 0 or room < (size > 0):
        return []
    of = max(-(-size // max(room, 1)), -(-count // MOST))
    share = Share(day % of + 1, of)
    return sorted((entry for entry in files() if share.has(entry.path)), key=lambda entry: _shuffled(entry.path, day))


def _shuffled(path: str, day: int) -> bytes:
    return hashlib.sha256(f"{day}\0{path}".encode("utf-8", "surrogateescape")).digest()


class Pile(NamedTuple):
    """What was restored in one go, and how long that took."""

    files: int
    bytes: int
    seconds: float


def estimate(large: Pile, small: Pile, files: int, size: int) -> float:
    """Seconds that it would take to restore so many files and bytes, at the pace of two piles of a sample.

    The model is a time for each byte and a time for each file. Large files tell the first; what the small ones took
    beyond that tells the second. It is never more than if bytes or files, whichever are further from their total, all
    took as long as in the sample. 0 where nothing was restored.
    """
    took = large.seconds + small.seconds
    told = Pile(large.files + small.files, large.bytes + small.bytes, took)
    if not told.files:
        return 0.0
    most = took * max(files / told.files, size / told.bytes if told.bytes else 0.0)
    if not large.bytes or not small.files:
        return most
    by_byte = large.seconds / large.bytes
    by_file = max(0.0, small.seconds - small.bytes * by_byte) / small.files
    return min(most, size * by_byte + files * by_file)


def piles(entries: list[Entry]) -> Iterator[list[Entry]]:
    """The sample in two piles: what is large, and all the rest."""
    yield [entry for entry in entries if entry.size > LARGE]
    yield [entry for entry in entries if entry.size <= LARGE]
