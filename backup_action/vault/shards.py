"""What the shards of one run leave in the bucket, until one snapshot is made of it: nothing of it is a snapshot.

| object in `<prefix>/.oss-backup/shards/<source>/<group>/` | is |
|---|---|
| `2-of-8.1.begun` | the first attempt of the shard 2 of 8 has begun |
| `2-of-8.1.jsonl.zst` | its entries, as a snapshot has them |
| `2-of-8.1.json` | the part: what else there is to say of it, written last; see `core/shard.py` |

`<source>` is the digest of source and layout, `<group>` the name of the run that the shards share. Each object is
written once. Of a shard only the last attempt counts: one that has begun and not ended takes the place of the part of
the one before, since it may have written over what that named. Whoever made the snapshot removes all that was there of
the source by then: a group that is older goes on from a snapshot that is no longer the newest.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Final

import fastcrc
import msgspec

from backup_action.core import shard
from backup_action.core.address import CATALOGUE
from backup_action.core.cipher import Unopened, is_sealed
from backup_action.core.problem import Kind, Stop
from backup_action.core.segments import Segments
from backup_action.core.shard import Part
from backup_action.core.snapshot import Snapshot, Unreadable
from backup_action.core.stored import Stored
from backup_action.core.verification import Share
from backup_action.vault.catalogue import Vault
from backup_action.vault.stretches import whole

SHARDS: Final = f"{CATALOGUE}/shards/"
BEGUN: Final = ".begun"
ENTRIES: Final = ".jsonl.zst"
PART: Final = ".json"
ONCE: Final = {"x-oss-forbid-overwrite": "true"}
_NAME = re.compile(r"([0-9]{1,3})-of-([0-9]{1,3})\.([0-9]{1,6})(\.begun|\.jsonl\.zst|\.json)")


class Attempt(msgspec.Struct, frozen=True):
    """The last attempt of one shard; `ended`: its part is there."""

    number: int
    of: int
    attempt: int
    ended: Stored | None

    @property
    def name(self) -> str:
        """What its objects' names begin with."""
        return f"{self.number}-of-{self.of}.{self.attempt}"


class Shards:
    """One group of one source."""

    def __init__(self, vault: Vault, group: str) -> None:
        """`group` is a checked name."""
        self.group = group
        self._vault = vault
        self._source = f"{SHARDS}{vault.lease_name}/"
        self._mine = f"{self._source}{group}/"
        self._name = ""

    async def begin(self, share: Share, id: str) -> bool:
        """Says that a shard begins; true where it is not its first attempt. Raises Stop where it runs elsewhere too."""
        before = {one.number: one for one in last(await self._listed()) if one.of == share.of}
        attempt = before[share.number].attempt + 1 if share.number in before else 1
        self._name = f"{share.number}-of-{share.of}.{attempt}"
        await self._write(self._name + BEGUN, msgspec.json.encode({"format": shard.FORMAT, "id": id}) + b"\n")
        return attempt > 1

    async def store(self, part: Part, entries: bytes) -> None:
        """Keeps what the shard hands on, the part last. Raises Stop."""
        for ending, data in ((ENTRIES, entries), (PART, shard.encode(part))):
            name = self._name + ending
            sealed = await asyncio.to_thread(self._vault.ring.seal, data, self._about(name))
            await self._write(name, sealed, is_ours=True)

    async def attempts(self) -> list[Attempt]:
        """The last attempt of every shard that has begun. Raises Stop."""
        return last(await self._listed())

    async def part(self, one: Attempt) -> Part:
        """What a shard that has ended hands on. Raises Stop where it cannot be read, or is another's."""
        name = one.name + PART
        try:
            part = shard.decode(bytes(await self._read(name)))
        except shard.Unreadable as error:
            raise self._damaged(name, error) from None
        whose = (part.number, part.of, part.group, part.source, part.layout)
        if whose != (one.number, one.of, self.group, self._vault.source, self._vault.layout):
            raise self._damaged(name, "it is the part of another shard")
        return part

    async def entries(self, one: Attempt, part: Part) -> Snapshot:
        """The entries of a part. Raises Stop."""
        name = one.name + ENTRIES
        data = await self._read(name)
        try:
            found = await asyncio.to_thread(Snapshot, data, shard.FORMAT)
        except Unreadable as error:
            raise self._damaged(name, error) from None
        if (found.id, found.foot.digest) != (part.id, part.digest):
            raise self._damaged(name, "they are not those that the part names")
        return found

    async def left(self) -> list[str]:
        """Keys below the prefix of all that is there of this source, whichever group's. Raises Stop."""
        return [self._source + row.key for row in await self._vault.below(self._source)]

    async def remove(self, key: str) -> None:
        """Removes one of those. Raises Stop."""
        await self._vault.bucket.delete(self._vault.prefix + key)

    async def _listed(self) -> list[Stored]:
        return list(await self._vault.below(self._mine))

    async def _read(self, name: str) -> Segments:
        answer = await whole(self._vault.bucket, self._vault.prefix + self._mine + name, self._vault.keep)
        if answer is None:
            raise self._damaged(name, "it is listed, but not there")
        if self._vault.ring.ciphers and not is_sealed(next(iter(answer.segments), b"")):
            raise self._damaged(name, "it is not sealed, as all is in this vault")
        try:
            opening = self._vault.ring.opening
            return await asyncio.to_thread(opening, answer.segments, self._about(name), self._vault.keep)
        except Unopened as error:
            raise self._damaged(name, error) from None

    async def _write(self, name: str, data: bytes, *, is_ours: bool = False) -> None:
        """Writes an object once; what stands there already must be this one. Raises Stop.

        `is_ours`: nobody else writes that name, so it is this one, though its answer was lost, or it came badly.
        """
        key, crc64 = self._vault.prefix + self._mine + name, fastcrc.crc64.xz(data)
        try:
            await self._vault.bucket.put(key, data, crc64, {**self._vault.headers, **ONCE})
        except Stop as stop:
            if stop.problem.facts.get("code") != "FileAlreadyExists":
                raise
            there = await self._vault.bucket.get(key, first=len(data) + 1)
            is_this = there is not None and there.body == data  # its ETag need not be an MD5
            if not is_this and not is_ours:
                raise Stop(Kind.LEASE_HELD, key, owner=f"{self.group} {name}") from None
            if not is_this:
                await self._vault.bucket.put(key, data, crc64, self._vault.headers)

    def _about(self, name: str) -> str:
        """What an object is sealed about: it is of no use in another's place."""
        return f"shard {self.group} {name}"

    def _damaged(self, name: str, reason: object) -> Stop:
        return Stop(Kind.SHARD_DAMAGED, f"{self.group}/{name}", reason=reason)


def last(rows: Iterable[Stored]) -> list[Attempt]:
    """Of each shard the last attempt, by number; objects that have no name of ours are none."""
    found: dict[tuple[int, int], Attempt] = {}
    for row in rows:
        told = _NAME.fullmatch(row.key)
        if told is None:
            continue
        number, of, attempt = int(told[1]), int(told[2]), int(told[3])
        ended = row if told[4] == PART else None
        before = found.get((of, number))
        if before is None or attempt > before.attempt or (attempt == before.attempt and ended):
            found[of, number] = Attempt(number, of, attempt, ended)
    return [found[which] for which in sorted(found)]
