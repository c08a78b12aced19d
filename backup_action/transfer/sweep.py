"""Finds what may be removed of the content that only removed snapshots named, and removes it, many at a time.

What may go is what a listing shows now: a content in `history/`, or a version that is not its key's current one. What
came to lie there, or stopped to be current, only within the grace waits: a backup that is under way may have seen it
before. The objects under their own keys are never removed: on a bucket without versions no request names one.

Between two batches the catalogue is read again, so that what a backup committed meanwhile is needed at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from backup_action.core.leftovers import HISTORY, Leftovers, Needs, sha256_of
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.spool import Spool
from backup_action.core.stored import StoredVersion
from backup_action.core.tally import Tally
from backup_action.core.tombstone import Leftover
from backup_action.transfer.flow import Crew, together
from backup_action.vault import Catalogue, Vault

AT_ONCE: Final = 32  # removals
BATCH: Final = 500  # objects between two looks at the catalogue
NULL: Final = "null"  # the version of an object that has none of its own


class Found(msgspec.Struct):
    """What a listing showed of two piles of leftovers: of one that goes now, and of one that goes later."""

    going: Spool[Leftover] = msgspec.field(default_factory=lambda: Spool(Leftover))
    waiting: Spool[Leftover] = msgspec.field(default_factory=lambda: Spool(Leftover))  # would go, but for the grace
    bytes_going: int = 0
    objects_later: int = 0
    bytes_later: int = 0


async def find(vault: Vault, now: Leftovers, later: Leftovers, settled: float) -> Found:
    """Looks what is there of both. `settled` is the moment before which the grace began. Raises Stop."""
    found, piles = Found(), (now, later)
    versions = [pile.versions() for pile in piles]
    async for row, since in _rows(vault, any(pile.has_versions for pile in piles)):
        key = row.key[len(vault.prefix) :]
        if sha256 := sha256_of(key):
            goes_now, goes_later = (pile.has_content(sha256) for pile in piles)
        elif row.is_latest or row.version in ("", NULL):
            continue
        else:
            goes_now, goes_later = (pile.has(key, row.version) for pile in versions)
        if goes_now:
            is_settled = since is not None and since <= settled
            (found.going if is_settled else found.waiting).append(Leftover(key, row.version, row.size))
            found.bytes_going += row.size * is_settled
        elif goes_later:
            found.objects_later += 1
            found.bytes_later += row.size
    return found


async def _rows(vault: Vault, has_versions: bool) -> AsyncIterator[tuple[StoredVersion, int | None]]:
    """What lies there, and since when it is what it is now: for an old version, since another took its place."""
    if not vault.may_be_versioned and not has_versions:
        for stored in await vault.below(HISTORY):
            key = vault.prefix + HISTORY + stored.key
            row = StoredVersion(
                key, "", stored.size, stored.etag, stored.last_modified, is_latest=True, is_marker=False
            )
            yield row, stored.last_modified
        return
    above: StoredVersion | None = None
    async for row in vault.bucket.versions(vault.prefix + ("" if has_versions else HISTORY)):
        newer = above if above is not None and above.key == row.key else None
        above = row
        if not row.is_marker:
            yield row, row.last_modified if row.is_latest else newer.last_modified if newer else None


class Sweep:
    """One run's removals of content."""

    def __init__(self, vault: Vault, needs: Needs, known: Catalogue, tally: Tally) -> None:
        """`needs` has all that stay of the snapshots that `known` lists; the tally hears of refusals."""
        self.objects = 0  # removed
        self.bytes = 0
        self.held = 0  # that OSS does not let go yet
        self._vault = vault
        self._needs = needs
        self._known = known.ids
        self._tally = tally

    async def run(self, going: Iterable[Leftover]) -> None:
        """Removes what is still not needed. Raises Stop."""
        rest = iter(going)
        while batch := list(islice(rest, BATCH)):
            await self._look()
            await self._remove(one for one in batch if not self._needs.has(one))

    async def _look(self) -> None:
        """Reads the snapshots that came since."""
        for stored in (await self._vault.catalogue()).snapshots:
            if stored.key not in self._known:
                await asyncio.to_thread(self._needs.read, await self._vault.snapshot(stored.key))
                self._known.add(stored.key)

    async def _remove(self, batch: Iterator[Leftover]) -> None:
        crew: Crew[Leftover] = Crew(AT_ONCE, self._one)
        async with together() as group, crew.working(group):
            for one in batch:
                await crew.hand(one)

    async def _one(self, one: Leftover) -> None:
        is_kept = bool(sha256_of(one.key))  # only there is a whole object removed, and only without versions
        version = "" if is_kept and not self._vault.may_be_versioned else one.version
        try:
            await self._vault.bucket.delete(self._vault.prefix + one.key, version)
        except Stop as stop:
            self.held += 1
            self._tally.tell(held(stop, one.key))
            return
        self.objects += 1
        self.bytes += one.size


def held(stop: Stop, where: str) -> Problem:
    """The problem of one object that a retention still holds; any other Stop goes on."""
    if stop.problem.kind is not Kind.OSS_WORM:
        raise stop
    return Problem(Kind.PRUNE_HELD, where, stop.problem.facts)
