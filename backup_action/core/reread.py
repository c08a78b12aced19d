"""The rotating re-read: which of the unchanged files a run reads again all the same, and what that may find.

A file whose bytes changed although its size, times and inode are those of the last snapshot was changed by no program
that went the usual way: a failing disk or memory, or a write that was hidden. Nothing but reading it tells.

Every path has a position on a circle, by a hash of its name. A run takes the files on an arc from where the last one
ended: at most 1/`runs` of the circle, and at most a budget of bytes, whichever ends first. The snapshot's foot says
where the next run goes on. So the arcs of consecutive runs are disjoint and leave nothing between them, whatever comes
to the tree or goes meanwhile, and each file that is not larger than the budget is read within `Turn.within` runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import xxhash

from backup_action.core.entry import Entry
from backup_action.core.problem import Kind, Problem

CIRCLE: Final = 1 << 52  # positions; a whole number that every JSON reader keeps
_SLOTS: Final = 16  # parts of the longest arc in which bytes are added up


class Turn(msgspec.Struct, frozen=True):
    """The arc of one run. `within` is in how many runs all is read at today's sizes; 0 where nothing is read again."""

    start: int = 0
    width: int = 0
    budget: int = 0  # bytes
    within: int = 0
    too_large: int = 0  # files over the budget, which are never read again

    @property
    def end(self) -> int:
        """Where the next run goes on."""
        return (self.start + self.width) % CIRCLE

    def has(self, path: str, size: int) -> bool:
        """Whether it is this file's turn. Empty files have nothing to read."""
        return 0 < size <= self.budget and (position(path) - self.start) % CIRCLE < self.width


NO_TURN: Final = Turn()


def position(path: str) -> int:
    """Where a path stands on the circle."""
    return xxhash.xxh3_64_intdigest(path.encode("utf-8", "surrogateescape")) >> 12


def turn(files: Iterable[tuple[str, int]], start: int, runs: int, budget: int) -> Turn:
    """The arc of a run that goes on from `start`, for a tree of these paths and sizes. No `runs` or `budget`: none."""
    if not runs or not budget:
        return Turn(start % CIRCLE)
    arc = -(-CIRCLE // runs)
    near: dict[int, int] = {}  # bytes by distance from the start, as far as the arc could reach
    slots = [0] * (runs * _SLOTS)
    too_large = largest = total = 0
    for path, size in files:
        if size > budget:
            too_large += 1
            continue
        at = position(path)
        slots[at * len(slots) // CIRCLE] += size
        total, largest = total + size, max(largest, size)
        if (distance := (at - start) % CIRCLE) < arc:
            near[distance] = near.get(distance, 0) + size
    width = _fitting(near, arc, budget)
    return Turn(start % CIRCLE, width, budget, _within(slots, runs, budget, total, largest), too_large)


def _fitting(near: dict[int, int], arc: int, budget: int) -> int:
    """How far the arc reaches before the budget is used up. What stands at its very start always fits."""
    used = 0
    for distance in sorted(near):
        if used + near[distance] > budget and distance:
            return distance
        used += near[distance]
    return arc


def _within(slots: list[int], runs: int, budget: int, total: int, largest: int) -> int:
    """An upper bound of the runs that go around the circle.

    Where no arc of full length holds more than the budget, `runs`. Else some end early: each of those and the first
    file of the next hold more than the budget together, and of one round their bytes are the tree's at most.
    """
    longest = _SLOTS + 2  # an arc touches so many slots at most
    around = slots + slots[:longest]
    sums = (sum(around[at : at + longest]) for at in range(len(slots)))
    if total <= budget or max(sums) <= budget:
        return runs
    return runs + total // max(budget - largest, budget // 2, 1) + 1


def is_untouched(read_as: Entry, known: Entry) -> bool:
    """Whether a file's metadata says that its content is the known one's: it was not written since, as far as told.

    What was read within the clock's grain of its last change (`racy`) has no such promise.
    """
    return not known.racy and known.is_file and _told(read_as) == _told(known)


def _told(entry: Entry) -> tuple[int, ...]:
    return entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode, entry.dev


def silent_change(read_as: Entry, known: Entry | None, snapshot: str) -> Problem | None:
    """The alarm where an untouched file has other bytes. `snapshot` is the id of the one that has the good version."""
    if known is None or read_as.sha256 == known.sha256 or not is_untouched(read_as, known):
        return None
    facts = {"before": known.sha256, "now": read_as.sha256, "snapshot": snapshot}
    return Problem(Kind.ALARM_SILENT, read_as.path, facts)
