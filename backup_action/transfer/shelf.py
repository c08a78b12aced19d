"""The snapshots below a prefix, looked at side by side: one that cannot be read is told of, and hides no other.

A head is read by a request for the object's first bytes, many at a time. Read whole are only those of which no other
head says what they hold: the newest of each source, to begin with, and those before gaps (`core.chain`).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from backup_action.core.chain import Heads
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.snapshot import Head, Snapshot
from backup_action.core.stored import Stored
from backup_action.transfer.flow import Crew, together
from backup_action.vault import Vault
from backup_action.vault.catalogue import SECOND

T = TypeVar("T")

FEW: Final = 4  # snapshots that are read whole at a time: one of a million files takes 100 MB
_DAMAGED: Final = (Kind.SNAPSHOT_DAMAGED, Kind.SNAPSHOT_FORMAT)


class Shelf:
    """The snapshots of one source, in any layout, or of all. `tell` hears of those that cannot be read."""

    def __init__(self, vault: Vault, source: str, tell: Callable[[Problem], None], *, concurrency: int) -> None:
        """`source` is "" for all."""
        self.others = 0  # snapshots of other sources, by their ids
        self.damaged: dict[str, str] = {}  # ids of those that cannot be read, and why
        self._vault = vault
        self._source = source
        self._tell = tell
        self._many = concurrency

    async def heads(self) -> Heads:
        """What is known of them all. Raises Stop where the bucket does not answer."""
        found = Heads()
        rows = {stored.key: stored for stored in await self._rows()}

        async def look(id: str) -> None:
            head = await self._readable(id, self._head(id))
            if head and self._source in ("", head.source):
                found.add(head, rows[id].size)

        async def prove(id: str) -> None:
            snapshot = await self._whole(id)
            if snapshot and self._source in ("", snapshot.head.source):
                found.add(snapshot.head, rows[id].size)
                found.prove(id, snapshot.foot)

        newest = {id[-8:-4]: id for id in sorted(rows)}.values()  # by what of an id tells the source
        await _each(newest, prove, FEW)
        await _each(rows.keys() - newest, look, self._many)
        await _each(found.lacking(), prove, FEW)
        for id, reason in self.damaged.items():
            found.damage(id, rows[id].size, reason)
        return found

    async def each(self, look: Callable[[Snapshot], None]) -> None:
        """Every one whole, oldest first; `look` runs in a thread while the next is on its way."""
        ids = sorted(stored.key for stored in await self._rows())
        turns = [list(same) for _, same in itertools.groupby(ids, lambda id: id[:SECOND])]
        async with together() as group:
            coming = group.create_task(self._begun(turns[0])) if turns else None
            for following in [*turns[1:], None]:
                found = await coming if coming else []
                coming = group.create_task(self._begun(following)) if following else None
                for snapshot in found:
                    await asyncio.to_thread(look, snapshot)

    async def _begun(self, ids: list[str]) -> list[Snapshot]:
        """Those whose runs began in one second, mostly one: of several the sequence tells which was first."""
        found = [snapshot for id in ids if (snapshot := await self._whole(id))]
        ours = [snapshot for snapshot in found if self._source in ("", snapshot.head.source)]
        return sorted(ours, key=lambda snapshot: (snapshot.head.layout, snapshot.head.sequence))

    async def _rows(self) -> list[Stored]:
        rows = (await self._vault.catalogue()).snapshots
        ours = [stored for stored in rows if not self._source or self._vault.has_our_tag(stored.key)]
        self.others = len(rows) - len(ours)
        return ours

    async def _head(self, id: str) -> Head | None:
        head = await self._vault.head(id)
        if head and head.id != id:
            raise Stop(Kind.SNAPSHOT_DAMAGED, id, reason=f"it says that it is {head.id}")
        return head

    async def _whole(self, id: str) -> Snapshot | None:
        return await self._readable(id, self._vault.snapshot(id))

    async def _readable(self, id: str, reading: Awaitable[T]) -> T | None:
        """What comes of a reading; None for what is damaged, which is told. Any other Stop ends the command."""
        try:
            return await reading
        except Stop as stop:
            if stop.problem.kind not in _DAMAGED:
                raise
            facts = {**stop.problem.facts, "cause": "listed"}
            self._tell(Problem(stop.problem.kind, id, facts))
            self.damaged[id] = facts.get("reason", "")
            return None


async def _each(items: Iterable[T], do: Callable[[T], Awaitable[None]], many: int) -> None:
    """Does the same to all of them, `many` at a time."""
    async with together() as group:
        crew = Crew(many, do)
        async with crew.working(group):
            for item in items:
                await crew.hand(item)
