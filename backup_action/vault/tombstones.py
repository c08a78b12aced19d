"""The tombstones of one source: which of its snapshots are marked for removal, and what a removal had still to do.

They lie in `.oss-backup/tombstones/`: `<id>.json`, and beside one whose removal has begun `<id>.jsonl.zst`, its list.
Who deletes a tombstone of marks lifts them. Its age is that of its object, by OSS's own clock: one that is written anew
begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

import fastcrc
import msgspec

from backup_action.core import tombstone
from backup_action.core.address import CATALOGUE
from backup_action.core.cipher import Unopened
from backup_action.core.problem import Kind, Stop
from backup_action.core.pruning import Standing
from backup_action.core.snapshot import is_id
from backup_action.core.tombstone import Leftover, State, Tombstone, Unreadable
from backup_action.vault.catalogue import Vault

TOMBSTONES: Final = f"{CATALOGUE}/tombstones/"
ENDING: Final = ".json"
LIST: Final = ".jsonl.zst"
RECORDS: Final = 30  # of removals that are done; older ones are deleted


class Tombstones:
    """This source's. Every method may raise Stop."""

    def __init__(self, vault: Vault) -> None:
        """Asks nothing yet."""
        self._vault = vault
        self._start = vault.prefix + TOMBSTONES
        self._lists: dict[str, int] = {}  # when each list was written, by id

    async def standing(self) -> list[Standing]:
        """All of them, records too, oldest first."""
        found: list[Standing] = []
        self._lists.clear()
        for stored in await self._vault.below(TOMBSTONES):
            id = stored.key.partition(".")[0]
            if is_id(id) and self._vault.has_our_tag(id):
                if stored.key == id + LIST:
                    self._lists[id] = stored.last_modified
                elif stored.key == id + ENDING and (told := await self._read(id)):
                    found.append(Standing(told, stored.last_modified))
        return sorted(found, key=lambda one: (one.since, one.tombstone.id))

    async def _read(self, id: str) -> Tombstone | None:
        """One of this source; None for one that is another's, or gone since it was listed."""
        answer = await self._vault.bucket.get(self._start + id + ENDING)
        if answer is None:
            return None
        try:
            told = tombstone.decode(self._vault.ring.open(answer.body, _about(id)))
            if told.id != id:
                raise Unreadable(f"it says that it is {told.id}")
        except (Unreadable, Unopened) as error:
            raise Stop(Kind.TOMBSTONE_DAMAGED, id, reason=error) from None
        return told if self._vault.is_own(told.source, told.layout) else None

    async def listed(self, told: Tombstone) -> Iterator[Leftover]:
        """What a removal that began had to remove of content."""
        answer = await self._vault.bucket.get(self._start + told.id + LIST)
        try:
            if answer is None:
                raise Unreadable("its list is not there")
            return await asyncio.to_thread(tombstone.decode_list, answer.body, told.listed)
        except Unreadable as error:
            raise Stop(Kind.TOMBSTONE_DAMAGED, told.id, reason=error) from None

    async def put(self, told: Tombstone) -> None:
        """Writes a new one."""
        data = self._vault.ring.seal(tombstone.encode(told), _about(told.id))  # it names the source
        await self._put(told.id + ENDING, data, "application/json")

    async def put_list(self, id: str, leftovers: Iterable[Leftover]) -> str:
        """Writes a list; gives its digest, for the tombstone that is to be written next."""
        data, digest = await asyncio.to_thread(tombstone.encode_list, leftovers)
        await self._put(id + LIST, data, "application/zstd")
        return digest

    async def _put(self, name: str, data: bytes, kind: str) -> None:
        headers = {"content-type": kind, **self._vault.headers}
        await self._vault.bucket.put(self._start + name, data, fastcrc.crc64.xz(data), headers)

    async def replace(self, told: Tombstone) -> bool:
        """Writes one anew. False where a retention does not let it be changed yet: then a later run does it."""
        try:
            await self.put(told)
        except Stop as stop:
            if stop.problem.kind is not Kind.OSS_WORM:
                raise
            return False
        return True

    async def end(self, told: Tombstone) -> None:
        """Makes one whose removal is over a record, and deletes its list."""
        if await self.replace(msgspec.structs.replace(told, state=State.DONE, listed="")):
            await self._delete(told.id + LIST)

    async def delete(self, told: Tombstone) -> bool:
        """Deletes one, and its list after it. False where a retention does not let it go yet."""
        is_gone = await self._delete(told.id + ENDING)
        if told.state is State.REMOVING:
            await self._delete(told.id + LIST)
        return is_gone

    async def _delete(self, name: str) -> bool:
        try:
            await self._vault.bucket.delete(self._start + name)
        except Stop as stop:
            if stop.problem.kind is not Kind.OSS_WORM:
                raise
            return False
        return True

    async def tidy(self, standing: Iterable[Standing], before: float) -> None:
        """Deletes the oldest records, and lists from before that moment to which no open tombstone belongs."""
        known = list(standing)
        records = [one.tombstone for one in known if one.tombstone.state is State.DONE]
        for told in records[:-RECORDS]:
            await self.delete(told)
        used = {one.tombstone.id for one in known if one.tombstone.state is State.REMOVING}
        for id in [id for id, since in self._lists.items() if id not in used and since < before]:
            await self._delete(id + LIST)


def _about(id: str) -> str:
    """What a tombstone of an encrypted vault is sealed about."""
    return f"tombstone {id}"
