"""A large file of which a first reading is known, brought into an upload stretch by stretch, in any order.

Only what is sent is read again, and each stretch must have the CRC-64 that the first reading saw; what is copied must
be what it saw by its digests, and the CRC-64 of the whole object is the proof (laws 3 and 4). Of a file changed so
short ago that its times may hide another change, all is read again. Stretches too large to be held are read as they
are sent.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Final

from backup_action.adapters.files.read import Content, Unstable, crc64, pieces
from backup_action.adapters.oss.data import Written
from backup_action.adapters.oss.refusal import Refusal
from backup_action.adapters.oss.server_copy import REFUSED
from backup_action.adapters.oss.stream import Stream, Unread
from backup_action.core import parts
from backup_action.core.parts import HELD_MAX, Stretch
from backup_action.core.problem import Kind, Stop
from backup_action.transfer.flow import Budget, begin, together
from backup_action.transfer.multipart import Multipart

AT_ONCE: Final = 8  # stretches of one file that are copied, or read as they are sent


class Uncopied(Exception):
    """OSS copied nothing, or not what it should; the bytes can be sent."""

    def __init__(self, stop: Stop | None = None) -> None:
        """`stop` is what OSS answered; None: the object is not there."""
        super().__init__(str(stop))
        self.stop = stop


def layout(plan: Sequence[Stretch], source: str) -> str:
    """What tells a plan with copies from every other; `source` is the ETag of what is copied."""
    told = [source, *((stretch.start, stretch.size, stretch.copied) for stretch in plan)]
    return hashlib.sha256(repr(told).encode()).hexdigest()


class Patching:
    """One file, open at `handle`, as `first` says that it was read."""

    def __init__(self, upload: Multipart, handle: int, first: Content, budget: Budget, held: int = HELD_MAX) -> None:
        """Stretches of more than `held` bytes are not held; the budget is for those that are."""
        self._upload = upload
        self._handle = handle
        self._first = first
        self._budget = budget
        self._held = held
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def parts(self, plan: Sequence[Stretch], source: str) -> list[Written]:
        """Brings all of them. Raises Uncopied, Stop, OSError, and Unstable where the file is no longer what it was."""
        tasks = []
        async with together() as group:
            for number, stretch in enumerate(plan, 1):
                work, end = await self._turn(number, stretch, source)
                tasks.append(begin(group, work, end))
        return [task.result() for task in tasks]

    async def _turn(
        self, number: int, stretch: Stretch, source: str
    ) -> tuple[Coroutine[None, None, Written], Callable[[], None]]:
        """Waits until a stretch may be begun; what brings it, and what lets the next one begin."""
        if stretch.copied or stretch.size > self._held:
            await self._gate.acquire()
            work = self._copy(number, stretch, source) if stretch.copied else self._stream(number, stretch)
            return work, self._gate.release
        held = await self._budget.take(stretch.size)
        return self._send(number, stretch), partial(self._budget.give, held)

    async def _copy(self, number: int, stretch: Stretch, source: str) -> Written:
        try:
            if self._first.entry.racy:
                await asyncio.to_thread(self._check, stretch)
            return await self._upload.copy(number, stretch, source)
        except Refusal:
            raise Uncopied from None
        except Stop as stop:
            if stop.problem.kind in REFUSED:
                raise Uncopied(stop) from None
            raise

    async def _stream(self, number: int, stretch: Stretch) -> Written:
        expected = self._crc64(stretch)
        read = lambda offset, size: b"".join(pieces(self._handle, stretch.start + offset, size))  # noqa: E731
        try:
            return await self._upload.send(number, Stream(stretch.size, expected, read), expected)
        except Unread as error:
            raise error.error or Unstable(Kind.FILE_CHANGING) from None

    async def _send(self, number: int, stretch: Stretch) -> Written:
        data = await asyncio.to_thread(self._bytes, stretch)
        return await self._upload.send(number, data, self._crc64(stretch))

    def _bytes(self, stretch: Stretch) -> bytes:
        data = b"".join(pieces(self._handle, stretch.start, stretch.size, stretch.size))
        if crc64(data) != self._crc64(stretch):
            raise Unstable(Kind.FILE_CHANGING)
        return data

    def _check(self, stretch: Stretch) -> None:
        """Reads a stretch again. Raises Unstable where it is not what the first reading saw."""
        crc = 0
        for data in pieces(self._handle, stretch.start, stretch.size):
            crc = crc64(data, crc)
        if crc != self._crc64(stretch):
            raise Unstable(Kind.FILE_CHANGING)

    def _crc64(self, stretch: Stretch) -> int:
        return parts.crc64(self._first.crcs, self._first.entry.size, stretch)
