"""A file too large for one PUT: a multipart upload whose parts are sent side by side.

Usually it is read once, in order, and hashed while it is sent. Where it may be what the bucket has already, or was
changed so short ago that its times may hide another change, it is digested first, and the two readings are compared.
Where the bucket has its last content, only the blocks that changed are sent, and OSS copies the others
(`core.parts`, `patching`); a file whose parts are too large to be held goes that way too, without copies. A run that
was killed left its upload open: its parts are not sent again where their content is still the file's. The upload is
completed only if the file is the same at the end as at the beginning; else it is aborted and tried anew (law 4).
Parts count when their CRC-64 is confirmed, the object when its own is: that of its parts combined (law 3). Where OSS
refuses to copy, or what it made of copies has another CRC-64, all of the file is sent.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from backup_action.adapters.files.folder import Opener
from backup_action.adapters.files.read import (
    TRIES,
    Content,
    Unstable,
    first_block_digest,
    identity,
    is_racy,
    read,
    unread,
)
from backup_action.adapters.oss.data import Written
from backup_action.adapters.oss.server_copy import ONE
from backup_action.core import parts
from backup_action.core.entry import Entry
from backup_action.core.found import Found
from backup_action.core.parts import HELD_MAX, SIZE_MAX, Stretch
from backup_action.core.plan import Item, Step
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.tally import Tally
from backup_action.transfer.copying import Copying, Turn
from backup_action.transfer.flow import Budget, begin, in_time, together
from backup_action.transfer.multipart import Multipart, Uploads
from backup_action.transfer.patching import Patching, Uncopied, layout
from backup_action.transfer.reading import Reading
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.vault import Lease, Vault
from backup_action.vault.contents import FROZEN


class Carried(msgspec.Struct, frozen=True):
    """A file that the bucket has: its entry as read, what OSS confirmed (None: all as the parent says), and how."""

    read_as: Entry
    at: Written | None
    sent: bool
    new: int | None = None  # bytes that were sent, where that was not all of them
    copied: bool = False  # and not by its bytes, but by a copy on the server


class Large:
    """Brings large files of one run."""

    def __init__(
        self, vault: Vault, safe: Safekeeping | None, tally: Tally, part: int, headers: Mapping[str, str],
        copying: Copying, held: int = HELD_MAX,
    ) -> None:  # fmt: skip
        """`safe` is None for a dry run; `part` is the usual size of a part, in bytes; `headers` go with the object.

        Parts of more than `held` bytes are not held in memory.
        """
        self._vault = vault
        self._safe = safe
        self._part = part
        self._held = held
        self._tally = tally
        self._uploads = Uploads(vault, tally, headers)
        self._control = vault.control
        self._copying = copying
        self._is_patching = True  # until OSS refuses to copy blocks, or makes of them what it should not
        self._unproven: list[str] = []

    def tell(self) -> None:
        """At the end of a run: tells of files of which OSS copied stretches, and not what they should have been."""
        if self._unproven:
            facts = {"count": str(len(self._unproven))}
            self._tally.tell(Problem(Kind.BLOCKS_UNPROVEN, self._unproven[0], facts))

    async def send(
        self, item: Item, found: Found, opener: Opener, budget: Budget, stopped: Callable[[], bool]
    ) -> Carried | Problem:
        """Brings the file into the bucket, if it is not there already."""
        if found.size > SIZE_MAX:
            return Problem(Kind.FILE_TOO_LARGE, opener.name(found.root, found.inner), {"maximum": "48.8 TB"})
        is_read = item.step is not Step.SEND or self._safe is None
        digest = await asyncio.to_thread(first_block_digest, found, opener) if self._copying.is_on else b""
        async with self._copying.large(found.size, digest, is_read=is_read) as turn:
            result = await self._bring(item, found, opener, budget, stopped, turn, is_read=is_read)
            if isinstance(result, Carried) and result.sent and result.at:
                turn.sent(result.read_as, result.at)
            return result

    async def _bring(
        self, item: Item, found: Found, opener: Opener, budget: Budget, stopped: Callable[[], bool], turn: Turn, *,
        is_read: bool,
    ) -> Carried | Problem:  # fmt: skip
        first: Content | None = None
        if is_read or turn.is_expected:
            digested = await self._digested(found, opener, stopped, from_disk=item.reread)
            if isinstance(digested, Problem):
                return digested
            first, read_as = digested, digested.entry
            if item.step is Step.READ and item.known and item.known.sha256 == read_as.sha256:
                return Carried(read_as, None, sent=False)
            if item.step is Step.ADOPT and (there := await self._vault.adopt(read_as)):
                return Carried(read_as, there, sent=False)
        if self._safe is not None:
            await self._safe.clear(item, first.entry if first else None)
        if first is not None and (at := await turn.copied(first.entry)):
            return Carried(first.entry, at, sent=True, copied=True)
        if self._safe is not None:
            return await self._tries(self._safe.lease, item.known, found, opener, budget, first, stopped)
        assert first is not None  # noqa: S101  (a dry run reads every file)
        plan = self._patch(item.known, first)
        at = Written("", "", first.entry.crc64)
        return Carried(first.entry, at, sent=True, new=parts.sent(plan) if plan else None)

    async def _tries(
        self, lease: Lease, known: Entry | None, found: Found, opener: Opener, budget: Budget, first: Content | None,
        stopped: Callable[[], bool],
    ) -> Carried | Problem:  # fmt: skip
        for attempt in range(TRIES):
            if first is None and (attempt or is_racy(found) or not self._is_held(found.size)):
                digested = await self._digested(found, opener, stopped)
                if isinstance(digested, Problem):
                    return digested
                first = digested
            try:
                handle = opener.open(found.root, found.inner)
            except OSError as error:
                return unread(found, opener, error)
            try:
                return await self._once(lease, handle, found, budget, first, self._patch(known, first), known)
            except Unstable:
                first = None
            except OSError as error:
                return unread(found, opener, error)
            finally:
                os.close(handle)
        return Problem(Kind.FILE_CHANGING, opener.name(found.root, found.inner))

    def _is_held(self, size: int) -> bool:
        return parts.part_size(size, self._part) <= self._held

    def _patch(self, known: Entry | None, first: Content | None) -> list[Stretch]:
        """The plan of a file whose last content the bucket has; none where nothing of it can be copied."""
        if not self._is_patching or known is None or first is None or not (known.blocks and first.entry.blocks):
            return []
        return parts.patch(known.blocks, known.size, first.entry.blocks, first.entry.size, self._part, ONE)

    async def _digested(
        self, found: Found, opener: Opener, stopped: Callable[[], bool], *, from_disk: bool = False
    ) -> Content | Problem:
        """What the file is, read from end to end. That may take long: at the soft end it is given up as late."""
        deadline = self._vault.bucket.attempts.deadline
        is_over = lambda: stopped() or deadline.is_past()  # noqa: E731
        content = await asyncio.to_thread(read, found, opener, 0, is_over, from_disk=from_disk)
        if not isinstance(content, Problem):
            return content
        is_late = content.kind is Kind.INTERRUPTED and not stopped()
        return Problem(Kind.FILE_LATE, found.path) if is_late else content

    async def _once(
        self, lease: Lease, handle: int, found: Found, budget: Budget, first: Content | None, plan: list[Stretch],
        known: Entry | None,
    ) -> Carried:  # fmt: skip
        """By copies where there are any; if OSS does not make them, or in any other case, all of it."""
        if plan and known and first:
            try:
                return await self._by_stretches(lease, handle, budget, first, plan, known.etag)
            except Uncopied as error:
                self._note(error, found.path)
        size = os.fstat(handle).st_size
        if self._is_held(size):
            return await self._in_order(lease, handle, found, budget, first)
        if first is None:  # it became that large since it was found
            raise Unstable(Kind.FILE_CHANGING)
        return await self._by_stretches(lease, handle, budget, first, parts.whole(size, self._part))

    def _note(self, error: Uncopied, path: str) -> None:
        """What a copy that failed means for the files that come: nothing, or that none is worth a try."""
        if error.stop is None:
            return
        problem = error.stop.problem
        if problem.kind is Kind.STORED_MISMATCH:
            self._is_patching = False
            self._unproven.append(path)
        elif problem.kind is Kind.OSS_RIGHT and problem.facts.get("code") != FROZEN and self._is_patching:
            self._is_patching = False
            self._tally.tell(Problem(Kind.BLOCKS_REFUSED, path, problem.facts))

    async def _by_stretches(
        self, lease: Lease, handle: int, budget: Budget, first: Content, plan: list[Stretch], source: str = ""
    ) -> Carried:
        """Stretches of a file that was digested; of those that are copied `source` is the ETag of the old object."""
        read_as = first.entry
        before = identity(os.fstat(handle))
        if before != {name: getattr(read_as, name) for name in before}:
            raise Unstable(Kind.FILE_CHANGING)
        key, part = self._vault.prefix + read_as.place, parts.part_size(read_as.size, self._part)
        async with self._uploads.open(lease, key, part, layout(plan, source) if source else "") as upload:
            async with in_time(self._vault.bucket.attempts.deadline):
                written = await Patching(upload, handle, first, budget, self._held).parts(plan, source)
            if identity(os.fstat(handle)) != before:
                raise Unstable(Kind.FILE_CHANGING)
            try:
                at = await self._control.complete(key, upload.id, written, read_as.crc64)
            except Stop as stop:
                if source and stop.problem.kind is Kind.STORED_MISMATCH:
                    raise Uncopied(stop) from None
                raise
        return _carried(read_as, at, parts.sent(plan) - upload.kept)

    async def _in_order(
        self, lease: Lease, handle: int, found: Found, budget: Budget, first: Content | None
    ) -> Carried:
        """All of a file, hashed while it is sent; where it was digested before, it must be what it was then."""
        before = identity(os.fstat(handle))
        reading = Reading(handle, msgspec.structs.replace(found, **before), self._part)
        key = self._vault.prefix + found.place
        async with self._uploads.open(lease, key, reading.part) as upload:
            async with in_time(self._vault.bucket.attempts.deadline):
                written = await self._parts(reading, upload, budget)
            after = await asyncio.to_thread(reading.finish)
            changed = first is not None and first.entry.sha256 != after.sha256
            if identity(os.fstat(handle)) != before or changed:
                raise Unstable(Kind.FILE_CHANGING)
            at = await self._control.complete(key, upload.id, written, after.crc64)
        return _carried(after, at, after.size - upload.kept)

    async def _parts(self, reading: Reading, upload: Multipart, budget: Budget) -> list[Written]:
        tasks = []
        async with together() as group:
            for number in range(1, reading.count + 1):
                held = await budget.take(reading.part)
                try:
                    data = await asyncio.to_thread(reading.next)
                except BaseException:
                    budget.give(held)
                    raise
                work = upload.send(number, data, reading.crcs[-1])
                tasks.append(begin(group, work, partial(budget.give, held)))
                del data, work  # only its task holds it
        return [task.result() for task in tasks]


def _carried(read_as: Entry, at: Written, new: int) -> Carried:
    return Carried(read_as, at, sent=True, new=new if new < read_as.size else None)
