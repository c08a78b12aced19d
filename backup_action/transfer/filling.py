"""Fills packs with frames: one is closed at 16 MiB, and sent while the next one fills.

Every few minutes or 200,000 chunks, and when a run is cut short, an index tells of the packs that are stored, so that
the next run need not send them again. At the end every pack is stored, and an index tells of it (law 2: packs, index,
snapshot).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from backup_action.core.pack import Open
from backup_action.core.problem import Stop
from backup_action.transfer.flow import together
from backup_action.transfer.framing import Made
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.vault.packs import Packs

FLYING: Final = 4  # packs on their way at a time
EVERY: Final = 120.0  # seconds between two indexes
LONG: Final = 8 << 20  # bytes of one, that is about 200,000 chunks, after which the next begins
PARTING: Final = 1.5  # seconds that the last index of a run that is cut short may take; a cancelled job has five


class Filling:
    """The pack that is open, and those on their way."""

    def __init__(self, packs: Packs, safe: Safekeeping | None, id: str, group: asyncio.TaskGroup) -> None:
        """`safe` is None for a dry run, which makes no frames; `id` is the snapshot's."""
        self._packs = packs
        self._safe = safe
        self._id = id
        self._group = group
        self._open = Open()
        self._flights = asyncio.Semaphore(FLYING)
        self._indexed = asyncio.get_running_loop().time()

    async def stow(self, frames: list[Made]) -> None:
        """Puts frames into the pack that is open. Waits while too many are on their way."""
        for piece, chunks in frames:
            self._open.add(piece, chunks)
            if self._open.is_full:
                await self.close()

    async def close(self) -> None:
        """Sends the pack that is open, if there is anything in it."""
        if self._open.size:
            full, self._open = self._open, Open()
            await self._flights.acquire()
            self._group.create_task(self._fly(full))

    async def _fly(self, full: Open) -> None:
        try:
            assert self._safe is not None  # noqa: S101  (a dry run makes no frames)
            await self._safe.lease.confirm()
            await self._packs.put(full)
            now = asyncio.get_running_loop().time()
            if now - self._indexed >= EVERY or self._packs.untold >= LONG:
                self._indexed = now
                await self._packs.flush(self._id)
        finally:
            self._flights.release()


@contextlib.asynccontextmanager
async def filling(packs: Packs, safe: Safekeeping | None, id: str) -> AsyncIterator[Filling]:
    """Takes frames meanwhile; at its end all of them are stored. Raises Stop."""
    try:
        async with together() as group:
            one = Filling(packs, safe, id, group)
            yield one
            await one.close()
        if safe:
            await packs.flush(id, last=True)
            await packs.refuse_moved()
    except BaseException:
        if safe:  # leaves word of what is stored to the next run, if there is time
            with contextlib.suppress(Stop, TimeoutError):
                await asyncio.shield(asyncio.wait_for(packs.flush(id), PARTING))
        raise
