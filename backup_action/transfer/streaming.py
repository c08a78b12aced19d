"""A large file on its way into packs: read in order, a piece at a time, while the pieces before are hashed and packed.

The file must be the same at the end as at the beginning, by its handle; one that was changed so short ago that its
times may hide another change is digested first, and the two readings are compared (law 4). Chunks of a reading that
did not hold still stay in their packs, named by no snapshot.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar

import msgspec

from backup_action.adapters.files.folder import Opener
from backup_action.adapters.files.read import TRIES, Unstable, crc64, forget, identity, is_racy, pieces, read, unread
from backup_action.core.alarm import SAMPLE, is_dense
from backup_action.core.cut import Cutter
from backup_action.core.entry import Entry
from backup_action.core.found import Found, entry
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.transfer.flow import together
from backup_action.transfer.framing import Framing, Made
from backup_action.vault.packs import Packs

PIECE: Final = 8 << 20  # bytes
WINDOW: Final = 3  # pieces that are packed at a time

T = TypeVar("T")
Read = tuple[Entry, list[str], int]  # what the file is, the names of its chunks, how many of its bytes are new


class Aside(Protocol):
    """Does something in a thread."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...  # noqa: D102


class Streaming:
    """For one large file."""

    def __init__(
        self, packs: Packs, aside: Aside, stow: Callable[[list[Made]], Awaitable[None]],
        late: Callable[[], Kind | None], *, dry: bool,
    ) -> None:  # fmt: skip
        """`stow` takes frames; `late` says why the file must be given up, if it must."""
        self._packs = packs
        self._aside = aside
        self._stow = stow
        self._late = late
        self._dry = dry

    async def run(self, found: Found, opener: Opener, *, from_disk: bool = False) -> Read | Problem:
        """Reads the file into packs. Raises Stop when the run is stopped. `from_disk`: as for `read`."""
        try:
            for attempt in range(TRIES):
                handle = opener.open(found.root, found.inner)
                try:
                    now, first = msgspec.structs.replace(found, **identity(os.fstat(handle))), ""
                    if is_racy(now) or attempt:
                        content = await self._aside(lambda: read(found, opener, 0, lambda: bool(self._late())))
                        if isinstance(content, Problem):
                            return self._given_up(content, found)
                        first = content.entry.sha256
                    if from_disk:
                        forget(handle)
                    result = await self._once(handle, found)
                    if first in ("", result[0].sha256):
                        return result
                except Unstable as error:
                    if error.kind is not Kind.FILE_CHANGING:
                        return self._given_up(Problem(error.kind, found.path), found)
                finally:
                    os.close(handle)
        except OSError as error:
            return unread(found, opener, error)
        return Problem(Kind.FILE_CHANGING, opener.name(found.root, found.inner))

    def _given_up(self, problem: Problem, found: Found) -> Problem:
        if problem.kind in (Kind.INTERRUPTED, Kind.FILE_LATE):
            if self._late() is Kind.INTERRUPTED:
                raise Stop(Kind.INTERRUPTED)
            return Problem(Kind.FILE_LATE, found.path)
        return problem

    async def _once(self, handle: int, found: Found) -> Read:
        before = identity(os.fstat(handle))
        found = msgspec.structs.replace(found, **before)
        sha, cutter, self._crc = hashlib.sha256(), Cutter(), 0
        dense = is_dense(found.path, os.pread(handle, SAMPLE, 0))
        packing: list[asyncio.Task[tuple[list[str], int]]] = []
        racy, failed = is_racy(found), None
        async with together() as group:
            gate = asyncio.Semaphore(WINDOW)
            try:
                for start in range(0, found.size, PIECE):
                    if why := self._late():
                        raise Unstable(why)
                    await gate.acquire()
                    size = min(PIECE, found.size - start)
                    chunks = await self._aside(lambda at=start, size=size: self._piece(handle, at, size, sha, cutter))  # type: ignore[misc]
                    packing.append(group.create_task(self._pack(chunks, gate)))
            except (Unstable, OSError) as error:
                failed = error  # the pieces before are packed to their end all the same, see `Packs.claim`
            await gate.acquire()
            packing.append(group.create_task(self._pack([] if failed else list(cutter.end()), gate)))
        if failed:
            raise failed
        if os.pread(handle, 1, found.size) or identity(os.fstat(handle)) != before:
            raise Unstable(Kind.FILE_CHANGING)
        results = [task.result() for task in packing]
        names, new = [name for some, _ in results for name in some], sum(new for _, new in results)
        read_as = entry(found, sha.hexdigest(), self._crc, racy=racy)
        return msgspec.structs.replace(read_as, dense=dense), names, new

    def _piece(self, handle: int, start: int, size: int, sha: Any, cutter: Cutter) -> list[memoryview]:
        """In a thread: the next bytes, hashed, and the chunks that are certain by then."""
        data = b"".join(pieces(handle, start, size, PIECE))
        sha.update(data)
        self._crc = crc64(data, self._crc)
        return list(cutter.feed(data))

    async def _pack(self, chunks: list[memoryview], gate: asyncio.Semaphore) -> tuple[list[str], int]:
        def work() -> tuple[list[str], int, list[Made]]:
            framing = Framing(self._packs, dry=self._dry)
            names, new = framing.take(chunks)
            framing.close()
            return names, new, framing.frames

        try:
            names, new, frames = await self._aside(work)
            await self._stow(frames)
            return names, new
        finally:
            gate.release()
