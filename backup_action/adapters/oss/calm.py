"""No stampede: while OSS answers nobody, only a few requests at a time ask whether it is back; the others wait.

Those few pause before they ask, so that an outage that fails at once costs a run no more tries than one that hangs,
and a bucket that is throttled is not met by all requests at once. The first answer lets everybody go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class Calm:
    """How it went lately, for all requests of one bucket, in one event loop."""

    def __init__(self, many: int, few: int) -> None:
        """From `many` failures in a row on, `few` ask at a time."""
        self._many = many
        self._row = 0  # failures since the last answer
        self._few = asyncio.Semaphore(few)

    async def ask(self, once: Callable[[], Awaitable[T]], pause: float) -> T:
        """Does it after so many seconds; while OSS is away, as one of the few."""
        if self._row >= self._many:
            async with self._few:
                if self._row >= self._many:
                    await asyncio.sleep(pause)
                    return await once()
        if pause:
            await asyncio.sleep(pause)
        return await once()

    def failed(self) -> None:
        """No answer, or one that asks to come again."""
        self._row += 1

    def answered(self) -> None:
        """An answer for good."""
        self._row = 0
