"""Limits the requests to one bucket: each waits here, first come first served, until one more may be under way.

How many may be `core/concurrency.py` says; here it is told how each request ended. So there is no stampede: neither on
a bucket that is throttled, nor on one that answers nobody. Those few that then ask whether OSS is back pause in their
places before they ask: an outage that fails at once costs a run no more tries than one that hangs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from backup_action.adapters.oss.refusal import Refusal
from backup_action.core.concurrency import Concurrency

T = TypeVar("T")


class Limiter:
    """For all requests of one bucket, in one event loop."""

    def __init__(self, concurrency: Concurrency) -> None:
        """Nobody is in it yet."""
        self.concurrency = concurrency
        self._inside = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    async def ask(self, once: Callable[[], Awaitable[T]], pause: float) -> T:
        """Does it after so many seconds, and when there is room."""
        if pause and not self.concurrency.is_away:
            await asyncio.sleep(pause)
            pause = 0.0
        await self._enter()
        try:
            if pause and self.concurrency.is_away:
                await asyncio.sleep(pause)
            return await self._heard(once)
        finally:
            self._inside -= 1
            self._admit()

    async def _heard(self, once: Callable[[], Awaitable[T]]) -> T:
        """Does it, and tells how that ended."""
        concurrency, clock = self.concurrency, asyncio.get_running_loop().time
        begun = clock()
        try:
            answer = await once()
        except Refusal as refusal:
            if not refusal.is_passing:
                concurrency.answered(begun, clock(), wanted=self._is_wanted)
            elif refusal.is_throttle:
                concurrency.refused(begun, clock(), refusal.delay)
            elif refusal.is_late:
                concurrency.timed_out(begun, clock())
            else:
                concurrency.failed()
            raise
        except TimeoutError:
            concurrency.timed_out(begun, clock())
            raise
        except Exception:
            concurrency.failed()
            raise
        concurrency.answered(begun, clock(), wanted=self._is_wanted)
        return answer

    @property
    def _is_wanted(self) -> bool:
        """Whether more would be asked for: one in eight may be between two requests."""
        return bool(self._queue) or self._inside * 8 >= self.concurrency.limit * 7

    async def _enter(self) -> None:
        if not self._queue and self._inside < self.concurrency.open(asyncio.get_running_loop().time()):
            self._inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had its turn, and will not use it
                self._inside -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        """Lets in whom there is room for; where nobody may begin yet, comes back when that is over."""
        if not self._queue:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._queue and self._inside < self.concurrency.open(now):
            turn = self._queue.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)
        if self._queue and now < self.concurrency.until:
            if self._alarm:
                self._alarm.cancel()
            self._alarm = loop.call_at(self.concurrency.until, self._admit)
