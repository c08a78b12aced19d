"""Fetches the files of a restore, many at a time, and hands them to the disk: whole where they are small, else in
stretches. Each is held against its SHA-256 before it may take its place; where it differs, it is asked for again, there
and in every other place that may have it.

What is held in memory at a time is bounded, small and large together. What must be thawed first is put by; from the
first such file on, large ones are only tried, so that all are asked for before the long ones are fetched.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from backup_action.adapters.files import content
from backup_action.adapters.files.target import Target
from backup_action.core.entry import Entry
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.spool import Spool
from backup_action.core.tally import Tally
from backup_action.transfer.flow import Budget, Crew, together
from backup_action.transfer.thawing import Thawing
from backup_action.transfer.writing import FEW, SMALL, THREADS, Altered, Writing, absorb, unwritable
from backup_action.vault.chunks import Chunks
from backup_action.vault.contents import PLACES, Contents, Frozen, Missing, Part, lacking

STRETCH: Final = 8 << 20  # bytes fetched at a time
HELD: Final = 48 << 20  # bytes of content in memory, on their way or here
LARGE: Final = 4  # large files at a time
EXTRA: Final = 4096  # bytes that a file takes in memory besides its content
FILES: Final = 128  # written in one go, at most
BYTES: Final = 2 << 20  # written in one go, but for the last of them


class Job(msgspec.Struct):
    """One file to fetch: from which place on, and which places had another content already."""

    entry: Entry
    place: int = 0
    altered: set[int] = msgspec.field(default_factory=set)

    @property
    def is_large(self) -> bool:
        """Whether it is fetched in stretches."""
        return self.entry.size > STRETCH

    def was_altered(self) -> bool:
        """Notes that its place had another content; whether there is where to ask again.

        Each place is asked twice: what is altered on the way is no damage.
        """
        again = self.place in self.altered
        self.altered.add(self.place)
        self.place += again
        return self.place < PLACES


class Fetching:
    """The fetching of one restore."""

    def __init__(
        self,
        contents: Contents | Chunks,
        target: Target,
        writing: Writing,
        tally: Tally,
        thawing: Thawing,
        concurrency: int | Callable[[], int],
    ) -> None:
        """Fetches nothing yet."""
        self._contents = contents
        self._target = target
        self._writing = writing
        self._tally = tally
        self._thawing = thawing
        self._concurrency = concurrency
        self._budget = Budget(HELD)
        self._pile: deque[tuple[Job, Sequence[Part]]] = deque()  # fetched, to be written
        self._tasks: set[asyncio.Task[None]] = set()
        self._going = 0  # of them, those that write
        self._later: Spool[Entry] = Spool(Entry)
        self.frozen: Spool[Entry] = Spool(Entry)  # what must be thawed first
        self.classes: Counter[str] = Counter()  # how many of them, by storage class

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Fetches meanwhile what is handed over, and at the end all of it. Raises Stop."""
        async with together() as self._group:
            self._small = Crew(self._concurrency, self._whole)
            self._large = Crew(LARGE, self._stretched)
            async with self._small.working(self._group), self._large.working(self._group):
                yield
            later, self._later = self._later, Spool(Entry)
            async with self._large.working(self._group):
                for entry in later:
                    await self._large.hand(Job(entry))
            while self._tasks:
                await asyncio.wait(self._tasks)
        await self._writing.settle()

    def take_frozen(self) -> Spool[Entry]:
        """What must be thawed first, to be handed over again later."""
        frozen, self.frozen, self.classes = self.frozen, Spool(Entry), Counter()
        return frozen

    async def hand(self, entry: Entry) -> None:
        """Fetches a file, as soon as there is room."""
        job = Job(entry)
        if job.is_large and not self._thawing.has_begun:
            await self._large.hand(job)
            return
        await self._budget.take(_room(entry))
        await self._small.hand(job)

    async def _whole(self, job: Job) -> None:
        """In a worker: one small file into memory, and on to the content. A large one is only tried."""
        entry = job.entry
        try:
            parts, job.place = await self._contents.parts(entry, 0, 1 if job.is_large else entry.size, past=job.place)
        except (Missing, Stop) as error:
            self._budget.give(_room(entry))
            await self._lost(job, error)
            return
        if job.is_large:
            self._budget.give(_room(entry))
            self._later.append(entry)
            return
        self._pile.append((job, parts))
        if self._going < (FEW if entry.size <= SMALL else THREADS):
            self._going += 1
            self._begin(self._write())

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self) -> None:
        """Writes what is fetched, in one go after another, until there is no more."""
        while self._pile:
            batch: list[tuple[Job, Sequence[Part]]] = []
            size = 0
            while self._pile and len(batch) < FILES and size < BYTES:
                batch.append(self._pile.popleft())
                size += batch[-1][0].entry.size
            names = await self._writing.put([(job.entry, parts) for job, parts in batch], self._contents.proves)
            jobs = [job for job, _ in batch]
            del batch
            for job, name in zip(jobs, names, strict=True):
                self._budget.give(_room(job.entry))
                await self._ended(job, name)
        self._going -= 1

    async def _ended(self, job: Job, name: str | Exception) -> None:
        """A small file has a name on the disk, or is to be asked for again, or is lost."""
        if isinstance(name, str):
            await self._writing.keep(job.entry, name)
        elif isinstance(name, Altered):
            self._contents.doubt(job.entry)
            if job.was_altered():
                self._begin(self._again(job))
            else:
                self._tally.failed(0, Problem(Kind.CONTENT_ALTERED, job.entry.path))
        else:
            await self._lost(job, name)

    async def _again(self, job: Job) -> None:
        await self._budget.take(_room(job.entry))
        await self._whole(job)

    async def _lost(self, job: Job, error: Exception) -> None:
        """One file cannot be restored, or not yet; raises what concerns the whole run."""
        if isinstance(error, Frozen):
            storage_class = await self._thawing.ask(error)
            self.frozen.append(job.entry)
            self.classes[storage_class] += 1
        elif isinstance(error, OSError):
            self._tally.failed(0, unwritable(error, job.entry.path))
        elif problem := lacking(error, job.entry, len(job.altered)):
            self._tally.failed(0, problem)
        else:
            raise error

    async def _stretched(self, job: Job) -> None:
        """In a worker: one large file."""
        while True:
            try:
                name = await self._stretches(job)
                break
            except Altered:
                self._contents.doubt(job.entry)
                if not job.was_altered():
                    self._tally.failed(0, Problem(Kind.CONTENT_ALTERED, job.entry.path))
                    return
            except (Missing, OSError, Stop) as error:
                await self._lost(job, error)
                return
        await self._writing.keep(job.entry, name)

    async def _stretches(self, job: Job) -> str:
        """Fetches and writes a large file; the name it has. Raises Altered, Missing, OSError and Stop."""
        entry = job.entry
        handle, name = await self._writing.aside(lambda: self._target.begin(entry.path))
        try:
            sha = await self._through(job, handle)
            if sha != entry.sha256:
                raise Altered
            await self._writing.aside(lambda: self._target.end(handle, entry))
            return name
        except BaseException:
            self._target.drop(entry.path, name)
            raise
        finally:
            os.close(handle)

    async def _through(self, job: Job, handle: int) -> str:
        """All stretches, in order; the SHA-256 of what came. As many are on their way as there is room for."""
        sha, size = hashlib.sha256(), job.entry.size
        pending: deque[tuple[int, int, asyncio.Task[tuple[Sequence[Part], int]]]] = deque()
        held = 0
        try:
            async with together() as group:
                for start in range(0, size, STRETCH):
                    many = min(STRETCH, size - start)
                    while pending and not self._budget.has(many):  # whoever waits for room holds none
                        held -= await self._take(job, handle, sha, *pending.popleft())
                    held += await self._budget.take(many)
                    task = group.create_task(self._contents.parts(job.entry, start, many, past=job.place))
                    pending.append((start, many, task))
                while pending:
                    held -= await self._take(job, handle, sha, *pending.popleft())
        finally:
            self._budget.give(held)
        return sha.hexdigest()

    async def _take(
        self,
        job: Job,
        handle: int,
        sha: hashlib._Hash,
        start: int,
        many: int,
        task: asyncio.Task[tuple[Sequence[Part], int]],
    ) -> int:
        """Writes one stretch while it is hashed; the bytes that are free again."""
        parts, job.place = await task
        writing = asyncio.ensure_future(self._writing.aside(lambda: content.write_all(handle, parts, start)))
        try:
            await self._writing.aside(lambda: absorb(sha, parts))
        finally:
            await writing
        self._budget.give(many)
        return many


def _room(entry: Entry) -> int:
    """Bytes of memory that a small file takes; a large one is only tried."""
    return EXTRA + (entry.size if entry.size <= STRETCH else 0)
