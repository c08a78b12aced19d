"""Where small files are read: on the event loop itself while the disk answers at once, and else in threads.

A thread releases the GIL at every system call and must get it back: half a dozen times a file. Where the answers come
from memory, that costs more than to read. A disk that takes its time is asked by several threads; once in a while the
event loop tries it, to see whether it still does, and leaves the rest of a batch to a thread as soon as it waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final, TypeVar

from backup_action.core.problem import Kind, Stop

SMALL: Final = 16 << 10  # bytes of a file, in the mean of a batch; what is larger is hashed without the GIL
QUICK: Final = 200e-6  # seconds that a file may take, in the mean of a batch
WAIT: Final = 0.02  # seconds of a batch, after which its rest goes to a thread
AGAIN: Final = 32  # batches that threads read after one that took longer

T = TypeVar("T")
R = TypeVar("R")


class Readers:
    """The readers of one run, for one event loop."""

    def __init__(
        self, pool: Executor, stopped: Callable[[], bool] = bool, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """`pool` has the threads; `stopped` is asked before each file; `clock` tells seconds."""
        self._pool = pool
        self._stopped = stopped
        self._clock = clock
        self._aside = 0  # batches of small files that threads are yet to read

    async def read(self, one: Callable[[T], R], batch: Sequence[T], size: int, *, aside: bool = False) -> list[R]:
        """What `one` gives of each file of a batch, in order. Raises Stop when the run is stopped.

        `size`: bytes of them all; `aside`: they are for a thread, whatever the disk does.
        """
        left, done = iter(batch), list[R]()

        def go(is_late: Callable[[], bool]) -> bool:
            for each in left:
                if self._stopped():
                    raise Stop(Kind.INTERRUPTED)
                done.append(one(each))
                if is_late():
                    return False
            return True

        is_small = size <= SMALL * len(batch) and not aside
        if is_small and not self._aside:
            began = self._clock()
            is_done = go(lambda: self._clock() - began > WAIT)
            if not is_done or self._clock() - began > QUICK * len(batch):
                self._aside = AGAIN
            if is_done:
                return done
        else:
            self._aside -= is_small
        await asyncio.get_running_loop().run_in_executor(self._pool, go, bool)
        return done
