"""The parts of a bounded flow: a budget of bytes, a row that keeps order, a crew of workers, one end for all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Generic, TypeVar

from backup_action.core.deadline import Deadline
from backup_action.core.problem import Kind, Stop

T = TypeVar("T")
R = TypeVar("R")

WAITING = 50_000  # results that may wait; each is a line of a snapshot, about 300 bytes


class Budget:
    """Bytes that may be held at a time. One item larger than all of it goes through alone."""

    def __init__(self, size: int) -> None:
        """`size` in bytes."""
        self._size = size
        self._free = size
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> int:
        """Waits until `size` bytes are free, first come first served; gives what is to be given back."""
        size = min(size, self._size)
        if self._free >= size and not self._queue:
            self._free -= size
            return size
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had its turn, and will not use it
                self.give(size)
            raise
        return size

    def has(self, size: int) -> bool:
        """Whether `take` would not wait."""
        return self._free >= min(size, self._size) and not self._queue

    def give(self, size: int) -> None:
        """Gives back what `take` gave."""
        self._free += size
        while self._queue and self._queue[0][0] <= self._free:
            wanted, turn = self._queue.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)


class Row(Generic[R]):
    """Results in the order of their places, whatever the order in which they come."""

    def __init__(self, hand_on: Callable[[R], None], waiting: int = WAITING) -> None:
        """`hand_on` gets each result, in order."""
        self._hand_on = hand_on
        self._waiting = waiting
        self._slots: deque[list[R]] = deque()
        self._moved = asyncio.Event()

    def pass_on(self, result: R) -> None:
        """Takes a place at the end of the row and fills it at once."""
        if self._slots:
            self._slots.append([result])
        else:
            self._hand_on(result)

    def place(self) -> list[R]:
        """A place at the end of the row."""
        slot: list[R] = []
        self._slots.append(slot)
        return slot

    def fill(self, slot: list[R], result: R) -> None:
        """Puts a result into its place, and hands on all that is now in turn."""
        slot.append(result)
        while self._slots and self._slots[0]:
            self._hand_on(self._slots.popleft()[0])
            self._moved.set()

    async def room(self) -> None:
        """Waits until fewer than the allowed number of results wait."""
        while len(self._slots) >= self._waiting:
            self._moved.clear()
            await self._moved.wait()


class Crew(Generic[T]):
    """Workers that do the same to whatever is handed to them: as many as there is use for."""

    def __init__(self, many: int | Callable[[], int], do: Callable[[T], Awaitable[None]]) -> None:
        """`many`: how many workers, or what says how many there may be now. Begins to work with `working`."""
        self._many = many if callable(many) else lambda: many
        self._queue: asyncio.Queue[T] = asyncio.Queue(maxsize=self._many() * 4)
        self._do = do

    @asynccontextmanager
    async def working(self, group: asyncio.TaskGroup) -> AsyncIterator[None]:
        """Works while items are handed over, and at the end until all of them are done. `group` is of `together`."""
        self._group, self._workers = group, set[asyncio.Task[None]]()
        yield
        await self._queue.join()
        for worker in self._workers:
            worker.cancel()

    async def hand(self, item: T) -> None:
        """Gives an item to the next worker that is free."""
        await self._queue.put(item)
        self._hire()

    def _hire(self) -> None:
        """One more, if there is use for one."""
        if self._queue.qsize() and len(self._workers) < self._many():
            self._workers.add(self._group.create_task(self._work()))

    async def _work(self) -> None:
        me = asyncio.current_task()
        assert me  # noqa: S101  (a worker is a task)
        while True:
            item = await self._queue.get()
            await self._do(item)
            del item  # an idle worker must not keep the content of its last file
            self._queue.task_done()
            if len(self._workers) > max(1, self._many()):
                self._workers.discard(me)  # at once: the next to look must not go too
                return
            self._hire()


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A group of tasks that ends with the first Stop, raised as itself and not inside of a group."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise first(errors) from None


@asynccontextmanager
async def meanwhile(work: Coroutine[None, None, R]) -> AsyncIterator[asyncio.Task[R]]:
    """Begins some work that the body waits for where it needs it. What it raises is raised there, or not at all."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()  # asyncio does not tell of what it raised before
        await asyncio.wait([task])


def begin(group: asyncio.TaskGroup, work: Coroutine[None, None, R], end: Callable[[], None]) -> asyncio.Task[R]:
    """Begins a task that holds something, which `end` gives back: also where it is cancelled before its first step."""
    task = group.create_task(work)
    task.add_done_callback(lambda _: end())
    return task


def in_time(deadline: Deadline) -> AbstractAsyncContextManager[None]:
    """Ends what is inside with Stop (FILE_LATE) at the soft end, if there is one."""
    return nullcontext() if deadline.until() is None else _ended(deadline)


@asynccontextmanager
async def _ended(deadline: Deadline) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(deadline.until()):
            yield
    except TimeoutError:
        if not deadline.is_past():
            raise
        raise Stop(Kind.FILE_LATE) from None


def first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to tell of: a Stop if there is one, else whichever came first."""
    flat = [first(error) if isinstance(error, BaseExceptionGroup) else error for error in errors.exceptions]
    return next((error for error in flat if isinstance(error, Stop)), flat[0])
