"""Where small files are read: on the event loop itself while the disk answers at once, and else in threads.

A thread releases the GIL at every system call and must get it back: half a dozen times a file. Where the answers come
from memory, that costs more than to read. A disk that takes its time is asked by several threads; the event loop waits
for it once in a while, for one batch, to see whether it still does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeVar

SMALL: Final = 16 << 10  # bytes of a file, in the mean of a batch; what is larger is hashed without the GIL
QUICK: Final = 200e-6  # seconds that a file may take, in the mean of a batch
AGAIN: Final = 32  # batches that threads read after one that took longer

T = TypeVar("T")


class Readers:
    """The readers of one run, for one event loop."""

    def __init__(self, pool: Executor, clock: Callable[[], float] = time.perf_counter) -> None:
        """`pool` has the threads; `clock` tells seconds."""
        self._pool = pool
        self._clock = clock
        self._aside = 0  # batches of small files that threads are yet to read

    async def read(self, work: Callable[[], T], files: int, size: int) -> T:
        """What `work` gives, which reads so many files of `size` bytes in all."""
        is_small = size <= SMALL * files
        if not is_small or self._aside:
            self._aside -= is_small
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        began = self._clock()
        result = work()
        if self._clock() - began > QUICK * files:
            self._aside = AGAIN
        return result
