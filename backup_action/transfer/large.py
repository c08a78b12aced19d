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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from backup_action.adapters.files.folder import Opener
from backup_action.adapters.files.read import TRIES, Unstable, identity, is_racy, read, unread
from backup_action.adapters.oss.control import PARTS_MAX
from backup_action.adapters.oss.data import Written
from backup_action.core.entry import Entry
from backup_action.core.found import Found
from backup_action.core.plan import Item, Step
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.tally import Tally
from backup_action.transfer.flow import Budget, in_time, together
from backup_action.transfer.reading import Reading
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.vault import Lease, Vault
from backup_action.vault.uploads import digest

PART_MAX: Final = 64 << 20  # bytes; parts are held in memory, so a file may have at most 625 GiB


@dataclass(frozen=True, slots=True)
class Carried:
    """A file that the bucket has: its entry as read, what OSS confirmed (None: all as the parent says), and how."""

    read_as: Entry
    at: Written | None
    sent: bool


@dataclass(slots=True)
class _Upload:
    """A multipart upload that is open, and what a run before left in it."""

    key: str
    id: str
    there: dict[int, tuple[str, int]]  # ETag and size of each part, by number
    moved: int = 0  # bytes of parts that OSS has


class Large:
    """Sends large files of one run."""

    def __init__(
        self, vault: Vault, safe: Safekeeping | None, tally: Tally, part: int, headers: Mapping[str, str]
    ) -> None:
        """`safe` is None for a dry run; `part` is the usual size of a part, in bytes; `headers` go with the object."""
        self._vault = vault
        self._safe = safe
        self._part = part
        self._headers = dict(headers)
        self._tally = tally
        self._control = vault.control

    async def send(
        self, item: Item, found: Found, opener: Opener, budget: Budget, stopped: Callable[[], bool]
    ) -> Carried | Problem:
        """Brings the file into the bucket, if it is not there already."""
        if found.size > PART_MAX * PARTS_MAX:
            return Problem(Kind.FILE_TOO_LARGE, opener.name(found.root, found.inner), {"maximum": "625 GiB"})
        first: Entry | None = None
        if item.step is not Step.SEND or self._safe is None:
            digested = await self._digested(found, opener, stopped, from_disk=item.reread)
            if isinstance(digested, Problem):
                return digested
            first = digested
            if item.step is Step.READ and item.known and item.known.sha256 == first.sha256:
                return Carried(first, None, sent=False)
            if item.step is Step.ADOPT and (there := await self._vault.adopt(first)):
                return Carried(first, there, sent=False)
            if self._safe is None:
                return Carried(first, Written("", "", first.crc64), sent=True)
        assert self._safe is not None  # noqa: S101  (a dry run has returned)
        await self._safe.clear(item, first)
        return await self._tries(self._safe.lease, found, opener, budget, first, stopped)

    async def _tries(
        self, lease: Lease, found: Found, opener: Opener, budget: Budget, first: Entry | None,
        stopped: Callable[[], bool],
    ) -> Carried | Problem:  # fmt: skip
        for attempt in range(TRIES):
            if first is None and (attempt or is_racy(found)):
                digested = await self._digested(found, opener, stopped)
                if isinstance(digested, Problem):
                    return digested
                first = digested
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

    async def _digested(
        self, found: Found, opener: Opener, stopped: Callable[[], bool], *, from_disk: bool = False
    ) -> Entry | Problem:
        """What the file is, read from end to end. That may take long: at the soft end it is given up as late."""
        deadline = self._vault.bucket.attempts.deadline
        is_over = lambda: stopped() or deadline.is_past()  # noqa: E731
        content = await asyncio.to_thread(read, found, opener, 0, is_over, from_disk=from_disk)
        if not isinstance(content, Problem):
            return content.entry
        is_late = content.kind is Kind.INTERRUPTED and not stopped()
        return Problem(Kind.FILE_LATE, found.path) if is_late else content

    async def _once(
        self, lease: Lease, handle: int, found: Found, budget: Budget, first: Entry | None
    ) -> tuple[Entry, Written]:
        before = identity(os.fstat(handle))
        reading = Reading(handle, msgspec.structs.replace(found, **before), self._part)
        upload = await self._upload(lease, self._vault.prefix + found.place, reading.part)
        try:
            async with self._control.ending(upload.key, upload.id):
                async with in_time(self._vault.bucket.attempts.deadline):
                    parts = await self._parts(reading, upload, budget)
                after = await asyncio.to_thread(reading.finish)
                if identity(os.fstat(handle)) != before or (first is not None and first.sha256 != after.sha256):
                    raise Unstable(Kind.FILE_CHANGING)
                return after, await self._control.complete(upload.key, upload.id, parts, after.crc64)
        except Stop as stop:
            if stop.problem.kind is Kind.FILE_LATE:
                lease.is_late(upload.key)
            raise
        finally:
            lease.ended(upload.key)
            self._tally.moving -= upload.moved

    async def _upload(self, lease: Lease, key: str, part: int) -> _Upload:
        """An upload for a key: the one that a run before left open, with the parts that it has, or a new one."""
        before = lease.inherited.pop(key, None)
        if before and (before.part, before.headers) == (part, digest(self._headers)):
            there = await self._control.parts(key, before.upload)
            if there is not None:
                lease.began(key, before.upload, part, before.headers)
                return _Upload(key, before.upload, there)
        elif before:
            await self._control.abort(key, before.upload)
        new = await self._control.begin(key, self._headers)
        lease.began(key, new, part, digest(self._headers))
        return _Upload(key, new, {})

    async def _parts(self, reading: Reading, upload: _Upload, budget: Budget) -> list[Written]:
        tasks = []
        async with together() as group:
            for number in range(1, reading.count + 1):
                held = await budget.take(reading.part)
                try:
                    data = await asyncio.to_thread(reading.next)
                except BaseException:
                    budget.give(held)
                    raise
                work = self._send_part(upload, number, data, reading.crcs[-1], budget, held)
                tasks.append(group.create_task(work))
        return [task.result() for task in tasks]

    async def _send_part(
        self, upload: _Upload, number: int, data: bytes, crc64: int, budget: Budget, held: int
    ) -> Written:
        """Sends a part, unless a run before did: the upload has it where its ETag is the MD5 of these very bytes."""
        try:
            etag, size = upload.there.get(number, ("", -1))
            if size != len(data) or etag.upper() != await asyncio.to_thread(_md5, data):
                etag = (await self._vault.bucket.part(upload.key, upload.id, number, data, crc64)).etag
            upload.moved += len(data)
            self._tally.moving += len(data)
            return Written(etag, "", crc64)
        finally:
            budget.give(held)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest().upper()
