"""Clears a vault of packs and indexes that nothing needs: finds them, marks them, removes them a grace later.

All snapshots below the prefix are read before, whoever's. A removal stands in a tombstone before it begins; between two
batches the catalogue is read again, so that what a backup committed meanwhile is needed at once, and so that nothing is
removed while a backup from before the mark is writing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Final

import msgspec

from backup_action.core import clearing, index, retention, tombstone
from backup_action.core.clearing import GOING, Bounds, Marks
from backup_action.core.homes import Homes, Needed, Weight
from backup_action.core.index import Packed
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.pruning import Fate, Packs, Standing
from backup_action.core.stored import Stored
from backup_action.core.tally import Tally
from backup_action.core.tombstone import State, Tombstone
from backup_action.transfer import sweep
from backup_action.transfer.flow import Crew, together
from backup_action.transfer.repack import Repack, Wanted
from backup_action.vault import Catalogue, Vault, lease, marks, packs
from backup_action.vault.packs import INDEX, Read, pack_key

AT_ONCE: Final = 32  # removals
BATCH: Final = 500  # objects between two looks at the catalogue


class Limits(msgspec.Struct, frozen=True):
    """What the settings say. `percent` and `most`, in bytes, are of what is repacked. `now` is OSS's clock."""

    now: float
    grace: float  # seconds
    percent: int
    most: int
    version: str  # of this program


class Stock(msgspec.Struct, frozen=True):
    """What the bucket has: packs by name, marks, and indexes by id; `old` are those for which a newer one stands."""

    lying: Mapping[str, Stored]
    standing: Sequence[Standing]
    marks: Marks
    indexes: Mapping[str, Read]
    old: frozenset[str]
    ranks: Mapping[str, int]

    def packed(self) -> Iterator[tuple[Packed, str]]:
        """What the indexes that count say of each pack that is there, and under which key; the first word of each."""
        seen: set[str] = set()
        for id in (id for id in self.indexes if id not in self.old):
            for one in told(id, self.indexes[id]):
                stored = self.lying.get(one.pack)
                if one.pack not in seen and stored is not None and stored.size == one.size:
                    seen.add(one.pack)
                    yield one, self.indexes[id].key

    def named(self) -> dict[str, set[str]]:
        """The names of the packs in each index. Raises Stop."""
        return {id: {one.pack for one in told(id, read)} for id, read in self.indexes.items()}


class Plan(msgspec.Struct, frozen=True):
    """The fates of packs and indexes, and of whose packs the chunks are at home where."""

    homes: Homes
    weights: Mapping[str, Weight]
    fates: Mapping[str, Fate]
    indexes: Mapping[str, Fate]
    named: Mapping[str, set[str]]


def told(id: str, read: Read) -> Iterator[Packed]:
    """The packs of one index. Raises Stop."""
    try:
        yield from index.packs(read.data)
    except index.Unreadable as error:
        raise Stop(Kind.INDEX_DAMAGED, id, reason=error) from None


async def stock(vault: Vault) -> Stock:
    """What is there. To be asked for after the catalogue: what its snapshots name is there by then. Raises Stop."""
    standing, (live, old), lying = await asyncio.gather(
        marks.standing(vault), packs.indexes(vault, vault.ring), packs.lying(vault)
    )
    told = Marks.of(standing)
    indexes = live | await packs.fetched(vault, vault.ring, old)
    return Stock(lying, standing, told, indexes, frozenset(old), clearing.ranked(lying, told))


class Clearing:
    """One run's. `stock` is what it found before it wrote anything."""

    def __init__(
        self, vault: Vault, stock: Stock, needed: Needed, known: Catalogue, into: packs.Packs, limits: Limits,
        tally: Tally,
    ) -> None:  # fmt: skip
        """`needed` has the chunks of all snapshots that `known` lists and that stay; `into` takes what is repacked."""
        self._vault = vault
        self._stock = stock
        self._needed = needed
        self._known = known.ids
        self._into = into
        self._now = limits.now
        self._limits = limits
        self._tally = tally
        self._fresh = Needed()  # of snapshots that came since
        self._gone: set[str] = set()  # packs and indexes that were removed
        self._held = 0

    async def foresee(self) -> Packs:
        """What a run would do. Raises Stop."""
        bounds = await self._bounds(await self._vault.catalogue())
        plan = await asyncio.to_thread(self._plan, bounds)
        told = clearing.counted(plan.fates, self._stock.lying, self._stock.marks, bounds)
        chosen = [one.pack for one, _ in self._chosen(plan)]
        return self._with(told, chosen)

    async def run(self) -> Packs:
        """Removes what is due, repacks, marks, and lifts marks. Raises Stop."""
        bounds = await self._bounds(await self._vault.catalogue())
        plan = await asyncio.to_thread(self._plan, bounds)
        if plan.homes.lacking:
            self._tally.tell(Problem(Kind.CONTENT_LACKING, "", {"count": str(plan.homes.lacking)}))
        await self._remove(plan)
        repacked = await self._repack(plan)
        await self._mark(plan, repacked)
        await self._settle(plan)
        return self._told(plan, bounds, repacked)

    async def _bounds(self, catalogue: Catalogue) -> Bounds:
        began = [_moment(id) for id in await lease.writing(self._vault, catalogue, self._now)]
        return Bounds(self._now, self._limits.grace, began)

    def _plan(self, bounds: Bounds) -> Plan:
        """In a thread: what becomes of everything."""
        stock, homes = self._stock, Homes(self._needed)
        for packed, _ in stock.packed():
            homes.offer(packed, stock.ranks[packed.pack])
        weights = {packed.pack: homes.weigh(packed, stock.ranks[packed.pack]) for packed, _ in stock.packed()}
        named = stock.named()
        names = {name for some in named.values() for name in some}
        fates = clearing.decide(stock.lying, weights, names, stock.marks, bounds, lacking=homes.lacking > 0)
        indexes = clearing.decide_indexes(named, stock.old, fates, stock.marks, bounds)
        return Plan(homes, weights, fates, indexes, named)

    async def _remove(self, plan: Plan) -> None:
        """Removes the packs that are due, and the indexes that then name nothing."""
        due, old = _of(plan.fates, Fate.REMOVED), _of(plan.indexes, Fate.REMOVED)
        if not due and not old:
            return
        await marks.put(self._vault, self._tombstone(State.REMOVING, due, old))
        rest = iter(due)
        while batch := list(islice(rest, BATCH)):
            await self._each(await self._look(batch), lambda name: self._delete(name, pack_key(name)))
        left = self._stock.lying.keys() - self._gone
        spent = [id for id in old if id in self._stock.old or not plan.named[id] & left]
        await self._each(spent, lambda id: self._delete(id, f"{INDEX}{id}"))

    async def _look(self, batch: Sequence[str]) -> list[str]:
        """Which of these may go now: none that a snapshot needs that came since, nor while a backup may rely on it."""
        catalogue = await self._vault.catalogue()
        for stored in catalogue.snapshots:
            if stored.key not in self._known:
                await asyncio.to_thread(self._fresh.read, await self._vault.snapshot(stored.key))
                self._known.add(stored.key)
        bounds = await self._bounds(catalogue)
        needed = await asyncio.to_thread(self._needed_now, set(batch)) if len(self._fresh) else set()
        return [name for name in batch if name not in needed and not bounds.is_busy(self._stock.marks.packs[name])]

    def _needed_now(self, batch: set[str]) -> set[str]:
        return {one.pack for one, _ in self._stock.packed() if one.pack in batch and self._fresh.has_any(one)}

    async def _each(self, names: Sequence[str], do: Callable[[str], object]) -> None:
        crew: Crew[str] = Crew(AT_ONCE, do)  # type: ignore[arg-type]
        async with together() as group, crew.working(group):
            for name in names:
                await crew.hand(name)

    async def _delete(self, name: str, key: str) -> None:
        try:
            await self._vault.bucket.delete(self._vault.prefix + key)
        except Stop as stop:
            self._held += 1
            self._tally.tell(sweep.held(stop, key))
            return
        self._gone.add(name)

    def _chosen(self, plan: Plan) -> Iterator[tuple[Packed, Wanted]]:
        """The packs to be repacked, as many as may be, and which of their chunks are needed."""
        ranks, left, sparse = self._stock.ranks, self._limits.most, set[str]()
        for name in clearing.sparse(plan.weights, plan.fates, self._limits.percent):
            left -= plan.weights[name].needed
            if left >= 0 and not plan.homes.lacking:
                sparse.add(name)
        for packed, key in self._stock.packed():
            if packed.pack in sparse and key == self._into.cipher.key_id:
                yield packed, partial(plan.homes.has, rank=ranks[packed.pack])

    async def _repack(self, plan: Plan) -> list[str]:
        """Gives the packs whose needed chunks stand elsewhere by now."""
        self._into.avoid([*self._stock.marks.packs, *_of(plan.fates, *GOING)])
        id = self._vault.new_id(self._now)
        return await Repack(self._vault, self._into, id, self._tally).run(self._chosen(plan))

    async def _mark(self, plan: Plan, repacked: Sequence[str]) -> None:
        names, ids = [*_of(plan.fates, Fate.MARKED), *repacked], _of(plan.indexes, Fate.MARKED)
        if names or ids:
            await marks.put(self._vault, self._tombstone(State.MARKED, sorted(names), ids))

    async def _settle(self, plan: Plan) -> None:
        """Lifts marks of what is needed again, and deletes tombstones of which nothing is left.

        One of a removal stands for another grace.
        """
        for one in self._stock.standing:
            packs = [name for name in one.tombstone.packs if plan.fates.get(name) is not Fate.LIFTED]
            ids = [id for id in one.tombstone.indexes if plan.indexes.get(id) is not Fate.LIFTED]
            left = (plan.fates.keys() & packs) | (plan.indexes.keys() & ids)
            is_recent = one.tombstone.state is State.REMOVING and self._now - one.since < self._limits.grace
            is_done = True
            if not is_recent and not left - self._gone:
                is_done = await marks.delete(self._vault, one.tombstone)
            elif (len(packs), len(ids)) != (len(one.tombstone.packs), len(one.tombstone.indexes)):
                told = msgspec.structs.replace(one.tombstone, packs=packs, indexes=ids)
                is_done = await marks.put(self._vault, told)
            if not is_done:
                self._tally.tell(Problem(Kind.PRUNE_HELD, one.tombstone.id))

    def _tombstone(self, state: State, packs: list[str], indexes: list[str]) -> Tombstone:
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._now))
        id, layout = self._vault.new_id(self._now), self._vault.layout
        return Tombstone(
            tombstone.FORMAT, id, "", layout, created, self._limits.version, state, [], packs=packs, indexes=indexes
        )

    def _told(self, plan: Plan, bounds: Bounds, repacked: Sequence[str]) -> Packs:
        lying = self._stock.lying
        told = clearing.counted(plan.fates, lying, self._stock.marks, bounds)
        due = _of(plan.fates, Fate.REMOVED)
        stay = [name for name in due if name not in self._gone]
        size = sum(lying[name].size for name in stay)
        told = msgspec.structs.replace(
            told, removed=len(due) - len(stay), waiting=told.waiting + len(stay), left=self._held,
            bytes_freed=told.bytes_freed - size, bytes_later=told.bytes_later + size,
        )  # fmt: skip
        return self._with(told, repacked)

    def _with(self, told: Packs, repacked: Sequence[str]) -> Packs:
        """The same, and these repacked."""
        many, size = len(repacked), sum(self._stock.lying[name].size for name in repacked)
        return msgspec.structs.replace(
            told, kept=told.kept - many, marked=told.marked + many, repacked=many, bytes_later=told.bytes_later + size
        )


def _of(fates: Mapping[str, Fate], *which: Fate) -> list[str]:
    return sorted(name for name, fate in fates.items() if fate in which)


def _moment(id: str) -> float:
    """When a run began; before everything where its id does not tell."""
    try:
        return retention.moment(id)
    except ValueError:
        return 0.0
