"""The chain that snapshots are: what their heads tell of each other, and how each hangs on its parent.

| link | means |
|---|---|
| `first` | it has no parent |
| `whole` | its parent is there, one earlier in sequence, with the digest that it names as far as that is known |
| `gap` | its parent is not there |
| `damaged` | its parent is there, and cannot be read |
| `broken` | its parent is there, and is another than it says |

A head has the last 30 runs before it (`core.recent`), and its parent's digest. So of a snapshot that others grew
from nothing but its head is needed; `lacking` says which must be read whole. Digests so known are as the next head
has them: only reading a snapshot whole proves its own.
"""

from __future__ import annotations

import msgspec

from backup_action.core.listing import Chain, Link, SnapshotRow
from backup_action.core.recent import PastRun
from backup_action.core.snapshot import Foot, Head

Name = tuple[str, str, str]  # source, layout, id: what another source says of an id of ours does not count


class Heads:
    """What is known of snapshots by their heads. Holds a few hundred bytes of each."""

    def __init__(self) -> None:
        self._heads: dict[str, Head] = {}
        self._stored: dict[str, int] = {}
        self._runs: dict[Name, PastRun] = {}
        self._told: dict[Name, set[str]] = {}  # digests, by those that grew from it
        self._feet: dict[str, Foot] = {}
        self._damaged: dict[str, str] = {}

    def add(self, head: Head, stored: int) -> None:
        """A head that was read; `stored` is the size of the object."""
        for run in head.recent:
            self._runs.setdefault((head.source, head.layout, run.id), run)
        if head.parent:
            self._told.setdefault((head.source, head.layout, head.parent.id), set()).add(head.parent.digest)
        self._heads[head.id] = msgspec.structs.replace(head, recent=[], roots=[])
        self._stored[head.id] = stored

    def prove(self, id: str, foot: Foot) -> None:
        """The foot of one that was read whole."""
        self._feet[id] = foot

    def damage(self, id: str, stored: int, reason: str) -> None:
        """One that cannot be read."""
        self._heads.pop(id, None)
        self._damaged[id], self._stored[id] = reason, stored

    @property
    def damaged(self) -> int:
        """How many cannot be read."""
        return len(self._damaged)

    def lacking(self) -> list[str]:
        """Ids of which no other head has the figures and one digest: the newest of a source, and those before gaps."""
        names = [_name(head) for head in self._heads.values() if head.id not in self._feet]
        return [name[2] for name in names if name not in self._runs or len(self._told.get(name, ())) != 1]

    def rows(self) -> list[SnapshotRow]:
        """All of them, the one whose run began last first."""
        rows = [self._row(id) for id in [*self._heads, *self._damaged]]
        return sorted(rows, key=lambda row: (row.id[:16], row.source, row.sequence, row.id), reverse=True)

    def chains(self) -> list[Chain]:
        """One for each source and layout, in the order of their names."""
        links: dict[tuple[str, str], list[Link]] = {}
        for head in self._heads.values():
            links.setdefault((head.source, head.layout), []).append(self._link(head))
        return [
            Chain(*name, len(found), found.count("gap"), found.count("broken"), set(found) <= {"first", "whole"})
            for name, found in sorted(links.items())
        ]

    def _row(self, id: str) -> SnapshotRow:
        if id in self._damaged:
            return SnapshotRow(id, stored=self._stored[id], damage=self._damaged[id])
        head, foot = self._heads[id], self._feet.get(id)
        run = foot or self._runs[_name(head)]
        return SnapshotRow(
            id, head.created, head.sequence, head.source, head.layout, run.files, run.bytes, run.files_sent,
            run.bytes_sent, run.seconds, run.complete, self._digest(head), head.parent.id if head.parent else "",
            self._link(head), self._stored[id],
        )  # fmt: skip

    def _digest(self, head: Head) -> str:
        foot = self._feet.get(head.id)
        return foot.digest if foot else min(self._told[_name(head)])

    def _link(self, head: Head) -> Link:
        if head.parent is None:
            return "first"
        if head.parent.id in self._damaged:
            return "damaged"
        parent = self._heads.get(head.parent.id)
        if parent is None:
            return "gap"
        foot = self._feet.get(parent.id)
        is_it = (parent.source, parent.layout, parent.sequence) == (head.source, head.layout, head.sequence - 1)
        return "whole" if is_it and (foot is None or foot.digest == head.parent.digest) else "broken"


def _name(head: Head) -> Name:
    return head.source, head.layout, head.id
