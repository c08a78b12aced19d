"""What a run has done so far, counted by root; the report's numbers come from here."""

from __future__ import annotations

from collections import Counter

import msgspec

from backup_action.core.counts import KEPT_PROBLEMS, Counts
from backup_action.core.problem import ALARMS, Kind, Problem

_FIELDS = tuple(Counts.__struct_fields__)


class Sums(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers of a tally, without its problems."""

    roots: list[Counts]
    rest: Counts
    folders: int
    links: int
    foreign: int
    stored: int
    reread: int
    reread_bytes: int


class Tally(msgspec.Struct):
    """Counters that only go up, but for `moving`."""

    roots: list[Counter[str]] = msgspec.field(default_factory=list)
    rest: Counter[str] = msgspec.field(default_factory=Counter)  # what belongs to no root on disk, e.g. what is gone
    problems: list[Problem] = msgspec.field(default_factory=list)
    problem_counts: Counter[str] = msgspec.field(default_factory=Counter)
    folders: int = 0
    links: int = 0
    foreign: int = 0
    spared: int = 0  # files of a target that `overwrite` leaves as they are
    moving: int = 0  # bytes of large files under way that OSS has already
    deleted: int = 0  # objects removed from the bucket
    stored: int = 0  # bytes of packs that were sent: what was new, compressed (layout vault)
    reread: int = 0  # files that were read again though nothing said that they changed, and had not
    reread_bytes: int = 0
    removed: int = 0  # files, links and folders removed from a target

    def open_roots(self, count: int) -> None:
        """Begins to count for this many roots."""
        self.roots = [Counter() for _ in range(count)]

    def sent(self, root: int, size: int, new: int | None = None) -> None:
        """A file was sent and confirmed; `new`: how many of its bytes, where that was not all of them."""
        self._file(root, size, "files_uploaded")
        self.roots[root]["bytes_uploaded"] += size if new is None else new

    def copied(self, root: int, size: int) -> None:
        """A file that was put there by a copy on the server, and proven."""
        self._file(root, size, "files_copied")
        self.roots[root]["bytes_copied"] += size

    def same(self, root: int, size: int) -> None:
        """A file that the bucket has already."""
        self._file(root, size, "files_unchanged")

    def reread_same(self, root: int, size: int) -> None:
        """An unchanged file that was read again, and is what it was."""
        self.same(root, size)
        self.reread += 1
        self.reread_bytes += size

    def failed(self, root: int | None, problem: Problem | None = None, size: int = 0) -> None:
        """A file that is not in the snapshot as it is on disk now; `size` as the scan saw it, where it did."""
        line = self.rest if root is None else self.roots[root]
        line["files_failed"] += 1
        line["files_total"] += 1
        line["bytes_total"] += size
        if problem is not None:
            self.tell(problem)

    def gone(self, root: int | None) -> None:
        """A file of the parent that is no longer on disk; without a root it is one that this run does not back up."""
        if root is not None:
            self.roots[root]["files_removed"] += 1

    def out_of_reach(self, places: int) -> None:
        """So many places could not be looked at: each hides a file at least, known from the parent or not."""
        missing = max(0, places - self.rest["files_failed"])
        self.rest["files_failed"] += missing
        self.rest["files_total"] += missing

    def tell(self, problem: Problem) -> None:
        """Counts a problem, and keeps it if there is room. An alarm has a room of its own."""
        self.problem_counts[problem.kind.value] += 1
        told = self.problem_counts[problem.kind.value] if problem.kind in ALARMS else len(self.problems) + 1
        if told <= KEPT_PROBLEMS:
            self.problems.append(problem)

    def met(self) -> set[Kind]:
        """The kinds of all problems, those that were not kept too."""
        return {Kind(value) for value in self.problem_counts}

    def counts(self, root: int) -> Counts:
        """One root's numbers."""
        return _counts(self.roots[root])

    def sums(self) -> Sums:
        """All numbers of a run that wrote, apart."""
        roots = [self.counts(root) for root in range(len(self.roots))]
        more = (self.folders, self.links, self.foreign, self.stored, self.reread, self.reread_bytes)
        return Sums(roots, _counts(self.rest), *more)

    def take_in(self, sums: Sums) -> None:
        """Adds the numbers of another tally of the same roots."""
        for line, counts in zip([*self.roots, self.rest], [*sums.roots, sums.rest], strict=True):
            line.update({name: getattr(counts, name) for name in _FIELDS})
        self.folders += sums.folders
        self.links += sums.links
        self.foreign += sums.foreign
        self.stored += sums.stored
        self.reread += sums.reread
        self.reread_bytes += sums.reread_bytes

    def total(self) -> Counts:
        """All numbers."""
        return _counts(sum(self.roots, Counter(self.rest)))

    def _file(self, root: int, size: int, outcome: str) -> None:
        line = self.roots[root]
        line["files_total"] += 1
        line["bytes_total"] += size
        line[outcome] += 1


def _counts(line: Counter[str]) -> Counts:
    return Counts(**{name: line[name] for name in _FIELDS})
