"""Brings a folder to what a snapshot says: looks at what is there, fetches what differs, proves it, puts it in place.

Every file is written under another name, held against its SHA-256, and takes its place only when it is on the disk;
one call waits for the disk for many files. So a restore that is cut short goes on where it was, and a second one
moves nothing. Folders get their times last, from the innermost out; links are made when all files stand.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from backup_action.adapters.files import target as disk
from backup_action.adapters.files.target import Target
from backup_action.core.entry import Entry, Sort
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.restoring import Need, is_dressed, need
from backup_action.core.spool import Spool
from backup_action.core.tally import Tally
from backup_action.transfer.flow import Budget, Crew, together
from backup_action.vault.chunks import Chunks
from backup_action.vault.contents import PLACES, Contents, Missing, lacking

STRETCH: Final = 8 << 20  # bytes fetched at a time
HELD: Final = 16 << 20  # bytes of small files in memory
SETTLED: Final = 1024  # files that one wait for the disk serves
BATCH: Final = 256  # entries looked at in one go off the event loop
WRITERS: Final = 4  # threads
LARGE: Final = 2  # large files at a time
WINDOW: Final = 2  # stretches of a large file that are fetched at a time

T = TypeVar("T")


class Altered(Exception):
    """What was fetched is not what the snapshot says. Its argument is the number of the place that had it."""


class Download:
    """One restore. `dry`: everything but the writing."""

    def __init__(
        self, contents: Contents | Chunks, target: Target, tally: Tally, *, overwrite: str, concurrency: int, dry: bool,
        stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        """`overwrite` is the setting; `stopped` is asked between batches."""
        self._contents = contents
        self._target = target
        self._tally = tally
        self._overwrite = overwrite
        self._dry = dry
        self._stopped = stopped
        self._concurrency = concurrency
        self._folders: Spool[Entry] = Spool(Entry)
        self._links: Spool[Entry] = Spool(Entry)
        self._written: list[tuple[Entry, str]] = []  # files that are whole, beside their places
        self._files = 0  # that were looked at: each must come to an end
        self._settling = asyncio.Lock()

    async def run(self, entries: Iterable[Entry]) -> None:
        """Restores the entries, which come in the order of keys. Raises Stop."""
        self._budget = Budget(HELD)
        self._big = asyncio.Semaphore(LARGE)
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="write")
        self._crew: Crew[Entry] = Crew(self._concurrency, self._small)
        try:
            async with together() as group, self._crew.working(group):
                await self._feed(group, entries)
            await self._settle()
            await self._aside(self._finish)
            if self._tally.total().files_total != self._files:
                raise AssertionError("not every file was accounted for")
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)

    async def _feed(self, group: asyncio.TaskGroup, entries: Iterable[Entry]) -> None:
        tasks: set[asyncio.Task[None]] = set()
        batch: list[Entry] = []
        for entry in entries:
            batch.append(entry)
            if len(batch) == BATCH:
                await self._hand(group, tasks, batch)
                batch = []
        await self._hand(group, tasks, batch)
        if tasks:
            await asyncio.wait(tasks)

    async def _hand(self, group: asyncio.TaskGroup, tasks: set[asyncio.Task[None]], batch: list[Entry]) -> None:
        if self._stopped():
            raise Stop(Kind.INTERRUPTED)
        for entry in await self._aside(lambda: self._look(batch)):
            if entry.size <= STRETCH:
                await self._budget.take(entry.size)
                await self._crew.hand(entry)
            else:
                await self._big.acquire()
                task = group.create_task(self._large(entry))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

    def _look(self, batch: list[Entry]) -> list[Entry]:
        """In a thread: what of a batch must be fetched. Folders are made, and links put by, on the way."""
        return [entry for entry in batch if self._consider(entry)]

    def _consider(self, entry: Entry) -> bool:
        try:
            if entry.kind is Sort.FOLDER:
                self._tally.folders += 1
                self._folders.append(entry)
                if not self._dry:
                    self._target.make(entry.path)
                return False
            if entry.kind is Sort.LINK:
                self._links.append(entry)
                return False
            self._files += 1
            if self._is_needed(entry):
                return True
            self._tally.same(0, entry.size)
        except OSError as error:
            self._fail(entry, _problem(error, entry, 0))
        return False

    def _is_needed(self, entry: Entry) -> bool:
        """Whether a file must be fetched; one that has the content already gets its mode and time."""
        found = self._target.look(entry.path)
        what = need(entry, found, self._overwrite)
        try:
            if what is Need.COMPARE:
                what = Need.DRESS if self._has_content(entry) else Need.FETCH
            if what is Need.DRESS and not (self._dry or is_dressed(entry, found)):
                self._target.dress(entry)
        except PermissionError:  # it may not be read, but a new one may take its place
            what = Need.FETCH
        if what is Need.KEEP:
            self._tally.spared += 1
        return what is Need.FETCH

    def _has_content(self, entry: Entry) -> bool:
        handle = self._target.open(entry.path)
        try:
            return disk.digest(handle, self._stopped) == entry.sha256
        finally:
            os.close(handle)

    async def _small(self, entry: Entry) -> None:
        """In a worker: one file from memory."""
        try:
            await self._fetch(entry, self._whole)
        finally:
            self._budget.give(entry.size)

    async def _large(self, entry: Entry) -> None:
        try:
            await self._fetch(entry, self._stretches)
        finally:
            self._big.release()

    async def _fetch(self, entry: Entry, how: Callable[[Entry, int], Awaitable[str]]) -> None:
        """Fetches a file from the first place that has the content that the snapshot says."""
        if self._dry:
            self._tally.sent(0, entry.size)
            return
        place, altered = 0, set[int]()
        while place < PLACES:  # each is asked twice: what is altered on the way is no damage
            try:
                name = await how(entry, place)
                self._written.append((entry, name))  # not in one line: the list is another one by now
                break
            except Altered as error:
                place = error.args[0] + (error.args[0] in altered)
                altered.add(error.args[0])
            except (Missing, OSError, Stop) as error:
                self._fail(entry, _problem(error, entry, len(altered)))
                return
        else:
            self._fail(entry, Problem(Kind.CONTENT_ALTERED, entry.path))
        if len(self._written) >= SETTLED:
            await self._settle()

    async def _whole(self, entry: Entry, place: int) -> str:
        """Fetches and writes a small file, from that place on; the name it has. Raises Altered and Missing."""
        data, place = await self._contents.read(entry, 0, entry.size, past=place)

        def work() -> str:
            if hashlib.sha256(data).hexdigest() != entry.sha256:
                raise Altered(place)
            return self._target.put(entry, data)

        return await self._aside(work)

    async def _stretches(self, entry: Entry, place: int) -> str:
        """The same for a large file, a stretch at a time."""
        handle, name = await self._aside(lambda: self._target.begin(entry.path))
        try:
            sha = hashlib.sha256()
            pending: list[tuple[int, asyncio.Task[tuple[bytes, int]]]] = []
            async with together() as group:
                for start in range(0, entry.size, STRETCH):
                    asked = self._contents.read(entry, start, min(STRETCH, entry.size - start), past=place)
                    pending.append((start, group.create_task(asked)))
                    if len(pending) == WINDOW:
                        place = await self._take(handle, sha, *pending.pop(0))
                for start, task in pending:
                    place = await self._take(handle, sha, start, task)
            if sha.hexdigest() != entry.sha256:
                raise Altered(place)
            await self._aside(lambda: self._target.end(handle, entry))
            return name
        except BaseException:
            self._target.drop(entry.path, name)
            raise
        finally:
            os.close(handle)

    async def _take(self, handle: int, sha: hashlib._Hash, start: int, task: asyncio.Task[tuple[bytes, int]]) -> int:
        data, place = await task

        def work() -> None:
            sha.update(data)
            disk.write(handle, data, start)

        await self._aside(work)
        return place

    async def _settle(self) -> None:
        """Waits for the disk, and puts into place what was written by then."""
        async with self._settling:
            done, self._written = self._written, []
            if done:
                await self._aside(lambda: self._place(done))

    def _place(self, done: list[tuple[Entry, str]]) -> None:
        lost: OSError | None = None
        try:
            self._target.settle()
        except OSError as error:  # the disk says it once: none of these may take its place
            lost = error
        for entry, name in sorted(done, key=lambda one: one[0].path):
            try:
                if lost:
                    raise lost
                self._target.finish(entry, name)
                self._tally.sent(0, entry.size)
            except OSError as error:
                self._target.drop(entry.path, name)
                self._fail(entry, _problem(error, entry, 0))

    def _finish(self) -> None:
        """Links, then the modes and times of folders, from the innermost out."""
        for entry in self._links:
            self._tally.links += 1
            self._attempt(entry, self._link)
        for entry in reversed(list(self._folders)):
            self._attempt(entry, self._target.dress)

    def _attempt(self, entry: Entry, do: Callable[[Entry], None]) -> None:
        if self._dry:
            return
        try:
            do(entry)
        except OSError as error:
            self._fail(entry, _problem(error, entry, 0))

    def _link(self, entry: Entry) -> None:
        found = self._target.look(entry.path)
        if need(entry, found, self._overwrite) is Need.KEEP:
            self._tally.spared += 1
        elif found is None or self._target.points(entry.path) != entry.target:
            self._target.link(entry)

    def _fail(self, entry: Entry, problem: Problem) -> None:
        if entry.kind is Sort.FILE:
            self._tally.failed(0, problem)
        else:
            self._tally.tell(problem)

    async def _aside(self, work: Callable[[], T]) -> T:
        """In a thread, to its end: a task that is cancelled meanwhile takes nothing from under its hands."""
        done = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])
            raise


def _problem(error: Exception, entry: Entry, altered: int) -> Problem:
    """What keeps one file from being restored; raises what concerns the whole run."""
    if isinstance(error, OSError):
        return Problem(Kind.TARGET_UNWRITABLE, entry.path, {"reason": error.strerror or type(error).__name__})
    if problem := lacking(error, entry, altered):
        return problem
    raise error
