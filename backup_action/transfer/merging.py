"""Makes the entries of one snapshot of the parts that shards handed on, once all is proven to be there (law 1)."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from backup_action.core import shard
from backup_action.core.alarm import Census
from backup_action.core.entry import Entry, left_by, order
from backup_action.core.place import Root
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.report import Draft
from backup_action.core.reread import Turn
from backup_action.core.segments import Keep
from backup_action.core.shard import Part
from backup_action.core.snapshot import Snapshot, Writer
from backup_action.core.spool import Spool
from backup_action.core.tally import Tally
from backup_action.core.verification import Findings
from backup_action.transfer.flow import Crew, together
from backup_action.transfer.prover import prover
from backup_action.vault import Vault
from backup_action.vault.catalogue import TREE
from backup_action.vault.packs import AGAIN
from backup_action.vault.shards import Attempt, Shards

AT_ONCE: Final = 32  # removals


class Gathered(msgspec.Struct, frozen=True):
    """What the shards of a group handed on, by their numbers."""

    attempts: list[Attempt]
    parts: list[Part]
    entries: list[Snapshot]

    @property
    def marks(self) -> list[str]:
        """Keys at which a listing may be split, about as many objects apart as those of one snapshot."""
        return sorted(itertools.chain.from_iterable(one.marks for one in self.entries))[:: len(self.entries)]

    def merged(self) -> Iterator[Entry]:
        """All entries, in order. Raises Stop where one is in a part whose share it is not."""
        return heapq.merge(*map(_own, self.parts, self.entries), key=order)


def _own(part: Part, entries: Snapshot) -> Iterator[Entry]:
    share = part.share
    for entry in entries.entries():
        if not share.has(entry.path):
            reason = "it has a path that is not its own"
            raise Stop(Kind.SHARD_DAMAGED, f"{part.group}/{share.number}-of-{share.of}", reason=reason)
        yield entry


async def gather(vault: Vault, shards: Shards) -> Gathered:
    """Reads what the shards handed on. Raises Stop where one is missing, or where they do not fit together."""
    attempts = await shards.attempts()
    ended = [one for one in attempts if one.ended]
    begun, numbers = [one.number for one in attempts], [one.number for one in ended]
    shard.refuse_missing(shards.group, [one.of for one in attempts], begun, numbers)
    if vault.layout != TREE:
        now = vault.bucket.attempts.now()
        old = [one.number for one in ended if one.ended and now - one.ended.last_modified >= AGAIN]
        if old:  # a prune may remove what they rely on
            raise Stop(Kind.SHARDS_MISSING, shards.group, cause="old", missing=shard.ranges(old))
    parts = list(await asyncio.gather(*map(shards.part, ended)))
    shard.refuse_different(parts)
    return Gathered(attempts, parts, [await shards.entries(*both) for both in zip(ended, parts, strict=True)])


def take_in(found: Gathered, draft: Draft, roots: tuple[Root, ...]) -> Census:
    """Puts into the draft what the shards did and met, as if one run had done it; gives what they counted."""
    draft.roots = tuple((root.source, root.destination) for root in roots)
    draft.tally.open_roots(len(roots))
    census = Census(roots)
    for part in found.parts:
        draft.tally.take_in(part.sums)
        census.take_in(part.census)
    draft.tally.out_of_reach(max(part.unread for part in found.parts))
    met = shard.together(found.parts)
    for problem in met.problems:
        draft.tell(problem)
    for kind, count in met.counts.items():
        draft.tally.problem_counts[kind.value] = max(count, draft.tally.problem_counts[kind.value])
    within, too_large = (max(getattr(part, name) for part in found.parts) for name in ("within", "too_large"))
    draft.turn = Turn(within=within, too_large=too_large)
    return census


async def prove(vault: Vault, found: Gathered, id: str, concurrency: int, stopped: Callable[[], bool]) -> None:
    """Raises Stop where the bucket does not have, or no longer, what the parts name."""
    findings, tally, trouble = Findings(), Tally(), list[Problem]()
    tally.open_roots(1)
    proving = await prover(
        vault, found.marks, findings, tally, share=None, concurrency=concurrency, stopped=stopped, tell=trouble.append
    )
    await proving.run(id, lambda: (entry for entry in found.merged() if entry.is_file))
    first = next(itertools.chain(findings.problems(), proving.problems(), trouble), None)
    if first is not None:
        raise Stop(Kind.SHARD_UNPROVEN, first.where, count=findings.damaged)


def fill(writer: Writer, entries: Iterable[Entry], keep: Keep) -> Spool[Entry]:
    """Writes the entries; gives what lies in the bucket and is no longer on the disk. Not for the event loop."""
    gone = Spool(Entry, keep=keep)
    for entry in entries:
        writer.add(entry)
        left = left_by(entry)
        if left is not None and left.gone:
            gone.append(left)
    return gone


async def clear(shards: Shards, keys: Sequence[str]) -> Stop | None:
    """Removes what is of no use any more. Gives why the first that stays does."""
    trouble: list[Stop] = []

    async def remove(key: str) -> None:
        try:
            if not trouble:
                await shards.remove(key)
        except Stop as stop:
            trouble.append(stop)

    crew: Crew[str] = Crew(AT_ONCE, remove)
    async with together() as group, crew.working(group):
        for key in keys:
            await crew.hand(key)
    return trouble[0] if trouble else None
