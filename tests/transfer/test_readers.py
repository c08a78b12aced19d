"""Where small files are read: here while the disk answers at once, in threads for a while after it did not."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backup_action.core.problem import Kind, Stop
from backup_action.transfer.readers import AGAIN, QUICK, SMALL, WAIT, Readers


class Disk:
    """A disk whose answers take as long as they are said to, by its own clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.takes = 0.0  # seconds a file
        self.pool = ThreadPoolExecutor(1)
        self.is_stopped = False
        self.readers = Readers(self.pool, lambda: self.is_stopped, lambda: self.now)

    async def read(self, files: int = 64, size: int = SMALL, *, aside: bool = False) -> int:
        """How many of a batch of files of so many bytes each were read on the event loop."""

        def one(number: int) -> tuple[int, int]:
            self.now += self.takes
            return number, threading.get_ident()

        read = await self.readers.read(one, range(files), size * files, aside=aside)
        assert [number for number, _ in read] == list(range(files))
        by = [who for _, who in read]
        here = by.count(threading.get_ident())
        assert set(by[:here]) <= {threading.get_ident()}
        return here


def test_small_files_are_read_here_while_the_disk_is_quick_and_in_threads_after_it_was_not() -> None:
    async def story() -> None:
        disk = Disk()
        assert [await disk.read() for _ in range(3)] == [64] * 3
        disk.takes = QUICK * 0.99
        assert await disk.read() == 64 and await disk.read(1) == 1, "by what a file takes, however many there are"
        disk.takes = QUICK * 1.01
        assert await disk.read() == 64, "nothing was known yet"
        assert [await disk.read() for _ in range(AGAIN)] == [0] * AGAIN
        assert await disk.read() == 64, "one is tried"
        assert await disk.read() == 0
        disk.takes = 0
        assert [await disk.read() for _ in range(AGAIN)] == [0] * (AGAIN - 1) + [64]
        disk.pool.shutdown()

    asyncio.run(story())


@pytest.mark.parametrize(("takes", "here"), [(WAIT * 0.4, 3), (1.0, 1)])
def test_a_disk_that_takes_its_time_is_left_to_a_thread_within_a_batch(takes: float, here: int) -> None:
    """The event loop waits for one answer, and no longer: signals, deadlines and the lease wait with it."""

    async def story() -> None:
        disk = Disk()
        disk.takes = takes
        assert await disk.read() == here and await disk.read() == 0
        disk.pool.shutdown()

    asyncio.run(story())


def test_larger_files_are_read_in_threads_and_say_nothing_of_the_disk() -> None:
    async def story() -> None:
        disk = Disk()
        disk.takes = 1.0
        assert await disk.read(size=SMALL + 1) == 0
        disk.takes = QUICK * 2
        assert await disk.read() > 0
        assert not any([await disk.read(size=SMALL + 1) for _ in range(AGAIN)])
        assert await disk.read() == 0, "their batches were not those that it was to wait for"
        disk.pool.shutdown()

    asyncio.run(story())


def test_what_is_for_threads_goes_there_and_says_nothing_of_the_disk() -> None:
    async def story() -> None:
        disk = Disk()
        assert await disk.read(aside=True) == 0 and await disk.read() == 64
        disk.takes = QUICK * 2
        assert await disk.read() > 0
        assert not any([await disk.read(aside=True) for _ in range(AGAIN)])
        assert await disk.read() == 0
        disk.pool.shutdown()

    asyncio.run(story())


@pytest.mark.parametrize("aside", [False, True])
def test_a_run_that_is_stopped_reads_no_further_file(aside: bool) -> None:
    async def story() -> int:
        disk, read = Disk(), []

        def one(number: int) -> None:
            read.append(number)
            disk.is_stopped = number == 2

        with pytest.raises(Stop) as stop:
            await disk.readers.read(one, range(9), 0, aside=aside)
        disk.pool.shutdown()
        assert stop.value.problem.kind is Kind.INTERRUPTED
        return len(read)

    assert asyncio.run(story()) == 3
