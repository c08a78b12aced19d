"""What all connections to a bucket send together, kept to a number of bytes a second. Without a limit: nothing.

A small request waits for its turn whole, before it is signed. A body that takes longer is sent in pieces, each at its
turn, and only `FEW` bodies at a time: of many that share a narrow line OSS would give up each as too slow.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from backup_action.adapters.oss.stream import Stream
from backup_action.core.body import Body
from backup_action.core.throttle import Throttle

FEW: Final = 8  # bodies that are sent in pieces at a time, or fewer, so that each has
EACH: Final = 1 << 20  # bytes a second, and parts of a large file come to their end one after the other
PIECE: Final = 512 << 10  # bytes; a body up to here is sent whole
HEAD: Final = 600  # bytes of a request's head, until one was sent: the next will be as long
OWN: Final = 80  # bytes of it that are the same for all


async def in_pieces(body: Body | Stream, most: int = PIECE) -> AsyncIterator[memoryview]:
    """The body, as much at a time as a socket takes: handed over whole it would be copied again and again."""
    if isinstance(body, Stream):
        async for piece in body.pieces(most):
            yield piece
        return
    for piece in body.views(most):
        yield piece


class Sending:
    """The throttle of one bucket's connections, in one event loop."""

    def __init__(self, limit: int) -> None:
        """`limit` is bytes a second; 0: none."""
        self._throttle = Throttle(limit) if limit else None
        self._few = asyncio.Semaphore(min(FEW, max(1, limit // EACH)))
        self._head = HEAD

    def turn(self, body: Body | Stream) -> contextlib.AbstractAsyncContextManager[Turn | None]:
        """Waits until a request with this body may be signed and sent. Gives what sends it in pieces, if it must."""
        return contextlib.nullcontext() if self._throttle is None else self._its_turn(body, self._throttle)

    @contextlib.asynccontextmanager
    async def _its_turn(self, body: Body | Stream, throttle: Throttle) -> AsyncIterator[Turn | None]:
        if len(body) <= throttle.piece:
            await asyncio.sleep(throttle.take(self._head + len(body), asyncio.get_running_loop().time()))
            yield None
        else:
            await self._few.acquire()
            turn = Turn(throttle, body, self._few)
            throttle.take(self._head, asyncio.get_running_loop().time())
            try:
                yield turn
            finally:
                turn.end()

    def head(self, method: str, target: str, headers: Mapping[str, str]) -> None:
        """Notes how long a request's head is: of many small files, heads are a good part of what is sent."""
        if self._throttle is not None:
            lines = sum(len(name) + len(value) + 4 for name, value in headers.items())
            self._head = len(method) + len(target) + lines + OWN


class Turn:
    """One body on its way, in pieces."""

    def __init__(self, throttle: Throttle, body: Body | Stream, few: asyncio.Semaphore) -> None:
        """Holds one place of `few` until the body is sent or given up."""
        self._throttle = throttle
        self._body = body
        self._few: asyncio.Semaphore | None = few

    async def pieces(self, limit: asyncio.Timeout) -> AsyncIterator[memoryview]:
        """The body. Time that passes by waiting for a turn is not held against `limit`."""
        loop = asyncio.get_running_loop()
        async for piece in in_pieces(self._body, self._throttle.piece):
            if wait := self._throttle.take(len(piece), loop.time()):
                limit.reschedule((limit.when() or loop.time()) + wait)
                await asyncio.sleep(wait)
            yield piece
        self.end()

    def end(self) -> None:
        """Gives the place to the next body."""
        if self._few is not None:
            self._few.release()
            self._few = None
