"""Where small files are read: here while the disk answers at once, in threads for a while after it did not."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from backup_action.transfer.readers import AGAIN, QUICK, SMALL, Readers


class Disk:
    """A disk whose answers take as long as they are said to, by its own clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.takes = 0.0  # seconds a file
        self.pool = ThreadPoolExecutor(1)
        self.readers = Readers(self.pool, lambda: self.now)

    async def read(self, files: int = 64, size: int = SMALL) -> bool:
        """Whether a batch of so many files of so many bytes each was read on the event loop."""

        def work() -> int:
            self.now += self.takes * files
            return threading.get_ident()

        return await self.readers.read(work, files, size * files) == threading.get_ident()


def test_small_files_are_read_here_while_the_disk_is_quick_and_in_threads_after_it_was_not() -> None:
    async def story() -> None:
        disk = Disk()
        assert [await disk.read() for _ in range(3)] == [True] * 3
        disk.takes = QUICK * 0.99
        assert await disk.read() and await disk.read(1), "by what a file takes, however many there are"
        disk.takes = QUICK * 1.01
        assert await disk.read(), "nothing was known yet"
        assert [await disk.read() for _ in range(AGAIN)] == [False] * AGAIN
        assert await disk.read(), "one is tried"
        assert not await disk.read()
        disk.takes = 0
        assert [await disk.read() for _ in range(AGAIN)] == [False] * (AGAIN - 1) + [True]
        disk.pool.shutdown()

    asyncio.run(story())


def test_larger_files_are_read_in_threads_and_say_nothing_of_the_disk() -> None:
    async def story() -> None:
        disk = Disk()
        disk.takes = 1.0
        assert not await disk.read(size=SMALL + 1)
        disk.takes = QUICK * 2
        assert await disk.read()
        assert not any([await disk.read(size=SMALL + 1) for _ in range(AGAIN)])
        assert not await disk.read(), "their batches were not those that it was to wait for"
        disk.pool.shutdown()

    asyncio.run(story())
