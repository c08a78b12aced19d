"""A file too large for one PUT: a multipart upload whose parts are read in order and sent side by side.

The content is hashed while it is sent. Where it may be what the bucket has already, or was changed so short ago that
its times may hide another change, it is digested first, and the two readings are compared. A run that was
killed left its upload open: its parts are not sent again where their content is still the file's. The upload is
completed only if the file is the same at the end as at the beginning; else it is aborted and tried anew (law 4).
Parts count when their CRC-64 is confirmed, the object when its own is: that of its parts combined (law 3).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import xxhash

from backup_action.adapters.files.folder import Opener
from backup_action.adapters.files.read import (
    RACY_NS,
    TRIES,
    Unstable,
    block_size,
    crc64,
    identity,
    pieces,
    read,
    unread,
)
from backup_action.adapters.oss.control import Control
from backup_action.adapters.oss.data import Written
from backup_action.core import checksum
from backup_action.core.entry import BLOCKS_FROM, Blocks, Entry
from backup_action.core.found import Found, entry
from backup_action.core.plan import Item, Step
from backup_action.core.problem import Kind, Problem
from backup_action.transfer.flow import Budget, together
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.vault import Lease, Vault
from backup_action.vault.lease import digest

Confirmed = dict[int, tuple[str, int]]  # ETag and size of each part that an upload has, by number

PARTS_MAX: Final = 10_000  # OSS's limit
PART_MAX: Final = 64 << 20  # bytes; parts are held in memory, so a file may have at most 625 GiB


@dataclass(frozen=True, slots=True)
class Carried:
    """A file that the bucket has: its entry as read, what OSS confirmed (None: all as the parent says), and how."""

    read_as: Entry
    at: Written | None
    sent: bool


class Large:
    """Sends large files of one run."""

    def __init__(self, vault: Vault, safe: Safekeeping | None, part: int, headers: Mapping[str, str]) -> None:
        """`safe` is None for a dry run; `part` is the usual size of a part, in bytes; `headers` go with the object."""
        self._vault = vault
        self._safe = safe
        self._part = part
        self._headers = dict(headers)
        self._control = Control(vault.bucket)

    async def send(
        self, item: Item, found: Found, opener: Opener, budget: Budget, stopped: Callable[[], bool]
    ) -> Carried | Problem:
        """Brings the file into the bucket, if it is not there already."""
        if found.size > PART_MAX * PARTS_MAX:
            return Problem(Kind.FILE_TOO_LARGE, opener.name(found.root, found.inner), {"maximum": "625 GiB"})
        first: Entry | None = None
        if item.step is not Step.SEND or self._safe is None:
            content = await asyncio.to_thread(read, found, opener, 0, stopped)
            if isinstance(content, Problem):
                return content
            first = content.entry
            if item.step is Step.READ and item.known and item.known.sha256 == first.sha256:
                return Carried(first, None, sent=False)
            if item.step is Step.ADOPT and (there := await self._vault.adopt(first)):
                return Carried(first, there, sent=False)
            if self._safe is None:
                return Carried(first, Written("", "", first.crc64), sent=True)
        assert self._safe is not None  # noqa: S101  (a dry run has returned)
        await self._safe.clear(item)
        return await self._tries(self._safe.lease, found, opener, budget, first, stopped)

    async def _tries(
        self, lease: Lease, found: Found, opener: Opener, budget: Budget, first: Entry | None,
        stopped: Callable[[], bool],
    ) -> Carried | Problem:  # fmt: skip
        for attempt in range(TRIES):
            if first is None and (attempt or _is_racy(found)):
                content = await asyncio.to_thread(read, found, opener, 0, stopped)
                if isinstance(content, Problem):
                    return content
                first = content.entry
            try:
                handle = opener.open(found.root, found.inner)
            except OSError as error:
                return unread(found, opener, error)
            try:
                return Carried(*await self._once(lease, handle, found, budget, first), sent=True)
            except Unstable:
                first = None
            except OSError as error:
                return unread(found, opener, error)
            finally:
                os.close(handle)
        return Problem(Kind.FILE_CHANGING, opener.name(found.root, found.inner))

    async def _once(
        self, lease: Lease, handle: int, found: Found, budget: Budget, first: Entry | None
    ) -> tuple[Entry, Written]:
        before = identity(os.fstat(handle))
        reading = Reading(handle, msgspec.structs.replace(found, **before), self._part)
        key = self._vault.prefix + found.place
        upload, there = await self._upload(lease, key, reading.part)
        try:
            async with self._control.ending(key, upload):
                parts = await self._parts(reading, key, upload, there, budget)
                after = await asyncio.to_thread(reading.finish)
                if identity(os.fstat(handle)) != before or (first is not None and first.sha256 != after.sha256):
                    raise Unstable(Kind.FILE_CHANGING)
                return after, await self._control.complete(key, upload, parts, after.crc64)
        finally:
            lease.ended(key)

    async def _upload(self, lease: Lease, key: str, part: int) -> tuple[str, Confirmed]:
        """An upload for a key: the one that a run before left open, with the parts that it has, or a new one."""
        before = lease.inherited.pop(key, None)
        if before and (before.part, before.headers) == (part, digest(self._headers)):
            there = await self._control.parts(key, before.upload)
            if there is not None:
                lease.began(key, before.upload, part, before.headers)
                return before.upload, there
        elif before:
            await self._control.abort(key, before.upload)
        upload = await self._control.begin(key, self._headers)
        lease.began(key, upload, part, digest(self._headers))
        return upload, {}

    async def _parts(self, reading: Reading, key: str, upload: str, there: Confirmed, budget: Budget) -> list[Written]:
        tasks = []
        async with together() as group:
            for number in range(1, reading.count + 1):
                held = await budget.take(reading.part)
                try:
                    data = await asyncio.to_thread(reading.next)
                except BaseException:
                    budget.give(held)
                    raise
                work = self._send_part(key, upload, number, data, reading.crcs[-1], there.get(number), budget, held)
                tasks.append(group.create_task(work))
        return [task.result() for task in tasks]

    async def _send_part(
        self, key: str, upload: str, number: int, data: bytes, crc64: int, there: tuple[str, int] | None,
        budget: Budget, held: int,
    ) -> Written:  # fmt: skip
        """Sends a part, unless a run before did: the upload has it where its ETag is the MD5 of these very bytes."""
        try:
            if there is not None and there[1] == len(data):
                md5 = await asyncio.to_thread(lambda: hashlib.md5(data, usedforsecurity=False).hexdigest())
                if md5.upper() == there[0].upper():
                    return Written(there[0], "", crc64)
            return await self._vault.bucket.part(key, upload, number, data, crc64)
        finally:
            budget.give(held)


def _is_racy(found: Found) -> bool:
    return max(found.mtime_ns, found.ctime_ns) >= time.time_ns() - RACY_NS


class Reading:
    """One pass over a large file, part by part, hashed on the way."""

    def __init__(self, handle: int, found: Found, part: int) -> None:
        """`found` is the file as its handle says it is."""
        self._handle = handle
        self._found = found
        self._block = block_size(found.size)
        wanted = max(part, -(-found.size // PARTS_MAX))
        self.part = -(-wanted // self._block) * self._block  # bytes; whole blocks
        self.count = max(1, -(-found.size // self.part))
        self._at = 0
        self.crcs: list[int] = []  # CRC-64 of each part that was read
        self._sizes: list[int] = []
        self._sha, self._digests = hashlib.sha256(), bytearray()
        self._racy = _is_racy(found)

    def next(self) -> bytes:
        """The next part. Raises Unstable when the file has become shorter."""
        size = min(self.part, self._found.size - self._at)
        data = b"".join(pieces(self._handle, self._at, size, self.part))
        self._sha.update(data)
        self.crcs.append(crc64(data))
        self._sizes.append(size)
        view = memoryview(data)
        for start in range(0, size, self._block):
            self._digests += xxhash.xxh3_128_digest(view[start : start + self._block])
        self._at += size
        return data

    def finish(self) -> Entry:
        """The entry of what was read."""
        crc = checksum.whole(zip(self.crcs, self._sizes, strict=True))
        read_as = entry(self._found, self._sha.hexdigest(), crc, racy=self._racy)
        large = self._found.size > BLOCKS_FROM
        return msgspec.structs.replace(read_as, blocks=Blocks(self._block, bytes(self._digests)) if large else None)
