"""No stampede: while OSS answers nobody, only a few requests at a time ask whether it is back; the others wait.

So an outage costs a run few tries however many requests it has at a time, and a bucket that is throttled is not met by
all of them at once. The first answer lets everybody go.
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

    async def ask(self, once: Callable[[], Awaitable[T]]) -> T:
        """Does it, at once or as one of the few."""
        if self._row >= self._many:
            async with self._few:
                if self._row >= self._many:
                    return await once()
        return await once()

    def failed(self) -> None:
        """No answer, or one that asks to come again."""
        self._row += 1

    def answered(self) -> None:
        """An answer for good."""
        self._row = 0
