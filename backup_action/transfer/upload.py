"""Brings the bucket to what a plan wants: reads what must be read, sends what is new, writes the snapshot's entries.

Small files are read in batches (`readers`), once: hashed, compared and sent from the same bytes. Large ones
go to `large`, what needs no reading to `settle`; what the bucket has under another key is copied there (`copying`).
A file that cannot be read keeps its parent's entry, marked stale, if the bucket still has that.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from backup_action.adapters.files.folder import Opener, Openers
from backup_action.adapters.files.read import Content, read
from backup_action.adapters.oss.data import Written
from backup_action.core.alarm import Census
from backup_action.core.entry import Entry
from backup_action.core.found import Found
from backup_action.core.place import Root, root_of
from backup_action.core.plan import Item, Step
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.reread import is_untouched
from backup_action.core.snapshot import Snapshot, Writer
from backup_action.core.spool import Spool
from backup_action.core.tally import Tally
from backup_action.transfer.copying import Copying
from backup_action.transfer.entries import BREATH, SENDING, Entries, Slot, is_known
from backup_action.transfer.flow import Budget, Crew, in_time, together
from backup_action.transfer.large import Large
from backup_action.transfer.readers import Readers
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.transfer.settle import ASK, Settling, one_object
from backup_action.vault import Vault
from backup_action.vault.copies import DIGEST, Copies

SMALL: Final = 8 << 20  # bytes; up to here a file is one PUT from memory
HELD: Final = 48 << 20  # bytes in memory at a time, for content and what is known of it
EACH: Final = 3 << 10  # bytes of that for a file of any size: its task, its entry, its place in the row
BATCH: Final = 64  # files read in one go off the event loop
BATCH_BYTES: Final = 4 << 20
GROWTH: Final = 256 << 10  # bytes that a smaller file may have grown to since the scan
READERS: Final = 4  # threads
LARGE: Final = 4  # large files at a time


class _Job(msgspec.Struct, frozen=True):
    """One file on its way; of the budget it holds its room, by the size that was found."""

    slot: Slot
    item: Item
    found: Found
    content: Content


class Upload:
    """One run's transfer."""

    def __init__(
        self, vault: Vault, safe: Safekeeping | None, roots: tuple[Root, ...], writer: Writer, tally: Tally, *,
        headers: Mapping[str, str], concurrency: int | Callable[[], int], stopped: Callable[[], bool],
        follow: bool = False, census: Census, parent: Snapshot | None = None,
    ) -> None:  # fmt: skip
        """`safe` is None for a dry run; `headers` go with every file; `stopped` is asked by readers of large files.

        `follow`: links, as the scan did. The census hears what changed. `parent`: its content need not be sent again.
        """
        self._census = census
        self._vault = vault
        self._safe = safe
        self._headers = headers
        self._deadline = vault.bucket.attempts.deadline
        self._roots = roots
        self._sources = tuple(root.source for root in roots)
        self._writer = writer
        self._tally = tally
        self._stopped = stopped
        self._follow = follow
        self._concurrency = concurrency
        self._openers = Openers(self._sources, follow=follow)
        self._settling = Settling(safe, roots, tally)
        self._entries = Entries(writer, tally, self._settling)
        copies = Copies(vault, safe.history, headers) if safe else None
        self._copying = Copying(copies, parent, tally, self._deadline, headers.get("x-oss-storage-class", ""))
        self._large = Large(vault, safe, tally, SMALL, headers, self._copying)

    @property
    def is_cut(self) -> bool:
        """Whether files whose turn it was to be read again were not, for want of time."""
        return self._entries.is_cut

    @property
    def gone(self) -> Spool[Entry]:
        """What lies in the bucket and is no longer on the disk."""
        return self._settling.gone

    def removable(self) -> int:
        """How many objects a removal would be about."""
        return sum(root_of(entry.path, self._roots) is not None for entry in self.gone)

    async def run(self, items: Iterable[Item]) -> None:
        """Carries the plan out. Raises Stop; what was sent by then stays and is found again by the next run."""
        self._budget = Budget(HELD)
        self._big = asyncio.Semaphore(LARGE)
        self._crew: Crew[_Job] = Crew(self._concurrency, self._send)
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="read")
        self._readers = Readers(self._pool, self._stopped)
        try:
            async with together() as group, self._crew.working(group):
                await self._feed(group, items)
        finally:
            self._large.tell()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._openers.close()
            self._copying.tell()

    async def _feed(self, group: asyncio.TaskGroup, items: Iterable[Item]) -> None:
        tasks: set[asyncio.Task[None]] = set()

        def launch(work: asyncio.Task[None]) -> None:
            tasks.add(work)
            work.add_done_callback(tasks.discard)

        batch: list[tuple[Slot, Item, Found]] = []
        weight = 0
        for number, planned in enumerate(items):
            item = self._entries.in_time(planned, self._deadline)
            self._census.look(item)
            found = item.found
            if found is None or item.step not in SENDING:
                settled = self._settling.settle(item)
                self._entries.pass_on(settled if settled is not ASK else await self._settling.ask(item))
            elif self._deadline.is_past():
                self._entries.fail(self._entries.place(), item, found, Problem(Kind.FILE_LATE, found.path))
            elif found.size > SMALL:
                slot = self._entries.place()
                await self._big.acquire()
                launch(group.create_task(self._send_large(slot, item, found)))
            else:
                batch.append((self._entries.place(), item, found))
                weight += _room(found)
            if len(batch) == BATCH or weight >= BATCH_BYTES or (batch and number % BREATH == 0):
                await self._budget.take(weight)
                launch(group.create_task(self._read(batch)))
                batch, weight = [], 0
            if number % BREATH == 0:
                await asyncio.sleep(0)
                await self._entries.room()
        if batch:
            await self._budget.take(weight)
            launch(group.create_task(self._read(batch)))
        while tasks:
            await asyncio.wait(tasks)

    async def _read(self, batch: list[tuple[Slot, Item, Found]]) -> None:
        """Reads a batch and hands on what must be sent. The budget holds the whole batch's bytes already."""
        size = sum(found.size for _, _, found in batch)
        results = await self._readers.read(
            self._content, [item for _, item, _ in batch], size, aside=any(item.reread for _, item, _ in batch)
        )
        results.reverse()
        grown = []
        for slot, item, found in batch:
            result = results.pop()  # from here on only its job holds the content
            if isinstance(result, Problem):
                self._entries.unread(slot, item, found, result)
            elif is_known(item, result.entry):
                self._keep(slot, item, result.entry)
            elif result.whole:
                await self._crew.hand(_Job(slot, item, found, result))
                continue
            else:
                grown.append((slot, item, found))
            self._budget.give(_room(found))
        for slot, item, found in grown:  # with nothing of the budget in hand: its parts take from it themselves
            await self._big.acquire()
            await self._send_large(slot, item, found)

    def _content(self, item: Item) -> Content | Problem:
        """One file, read. What grew far beyond what the budget holds for it is only digested."""
        assert item.found is not None  # noqa: S101  (what is read was found)
        opener, most = self._openers.mine(), max(item.found.size, GROWTH)
        return read(item.found, opener, most, self._stopped, from_disk=item.reread, known=item.known)

    async def _send(self, job: _Job) -> None:
        """In a worker: one small file."""
        read_as = job.content.entry
        try:
            if job.item.step is Step.ADOPT and (there := await self._adopted(job.item, job.content)):
                self._adopt(job.slot, job.item, read_as, there)
            else:
                if self._safe:
                    await self._safe.clear(job.item, read_as)
                at, copied = await self._copying.bring(read_as, job.content.data, lambda: self._put(job))
                self._sent(job.slot, job.item, read_as, at, copied=copied)
        except Stop as error:
            problem = one_object(error, job.found)
            self._entries.fail(job.slot, await self._left(job.item), job.found, problem)
        self._budget.give(_room(job.found))

    async def _left(self, item: Item) -> Item:
        """The item of a file that was not taken. A PUT without a good answer may have been done all the same: where no
        history has what stood there before, it is known only if it stands there still.
        """
        known = item.known
        if known is None or self._safe is None or self._safe.history.is_on or known.has_version:
            return item
        answer = await self._vault.bucket.head(self._vault.prefix + known.place)
        is_there = answer is not None and answer.etag == known.etag
        return item if is_there else msgspec.structs.replace(item, known=None)

    async def _put(self, job: _Job) -> Written:
        if self._safe is None:
            return Written("", "", job.content.entry.crc64)
        key, content = self._vault.prefix + job.found.place, job.content
        async with in_time(self._deadline):
            return await self._vault.bucket.put(key, content.data, content.entry.crc64, self._headers)

    async def _adopted(self, item: Item, content: Content) -> Written | None:
        """The object that is there, if it is the file. The listing tells enough, but for large files and versions."""
        md5 = ""
        if self._safe and not self._safe.lease.versioning and len(content.data) <= DIGEST:
            md5 = hashlib.md5(content.data, usedforsecurity=False).hexdigest()
        return await self._vault.adopt(content.entry, item.there, md5)

    async def _send_large(self, slot: Slot, item: Item, found: Found) -> None:
        try:
            with Opener(self._sources, follow=self._follow) as opener:
                result = await self._large.send(item, found, opener, self._budget, self._stopped)
            if isinstance(result, Problem):
                self._entries.unread(slot, item, found, result)
                return
            if result.sent and result.at:
                self._sent(slot, item, result.read_as, result.at, result.new, copied=result.copied)
            elif result.at:
                self._adopt(slot, item, result.read_as, result.at)
            else:
                self._keep(slot, item, result.read_as)
        except Stop as error:
            self._entries.fail(slot, item, found, one_object(error, found))
        finally:
            self._big.release()

    def _adopt(self, slot: Slot, item: Item, read_as: Entry, at: Written) -> None:
        """The bucket had it without a snapshot that says so: another tool's, or a run's that never committed."""
        self._tally.same(_root(item), read_as.size)
        if self._safe:
            self._safe.watch(item, read_as)
        self._census.sent(item, read_as)
        moment = item.there.last_modified if item.there else 0
        self._entries.fill(
            slot, msgspec.structs.replace(read_as, etag=at.etag, version=at.version, last_modified=moment)
        )

    def _sent(
        self, slot: Slot, item: Item, read_as: Entry, written: Written, new: int | None = None, *, copied: bool
    ) -> None:
        """`new`: how many of its bytes were sent, where OSS copied the others; `copied`: all of them."""
        if item.drift:
            self._tally.tell(Problem(item.drift, read_as.path))
        if copied:
            self._tally.copied(_root(item), read_as.size)
        else:
            self._tally.sent(_root(item), read_as.size, new)
        self._census.sent(item, read_as)
        self._entries.fill(slot, msgspec.structs.replace(read_as, etag=written.etag, version=written.version))

    def _keep(self, slot: Slot, item: Item, read_as: Entry) -> None:
        """The content is the parent's: its object stays, under the metadata of today."""
        known = item.known
        assert known is not None  # noqa: S101  (only `is_known` items come here)
        (self._tally.reread_same if item.reread else self._tally.same)(_root(item), read_as.size)
        at = {"etag": known.etag, "version": known.version, "last_modified": known.last_modified}
        self._entries.fill(slot, known if is_untouched(read_as, known) else msgspec.structs.replace(read_as, **at))


def _room(found: Found) -> int:
    return found.size + EACH


def _root(item: Item) -> int:
    return item.found.root if item.found else 0
