"""Brings the bucket to what a plan wants, layout vault: what is new goes into packs, and those into the bucket.

Files are read in batches off the event loop, cut into chunks, and of those the ones that no pack has are compressed
together; large files are read piece by piece, while the pieces before are hashed and compressed. All cores have work.
What becomes of the frames is told in `filling`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

import msgspec

from backup_action.adapters.files.folder import Opener, Openers
from backup_action.adapters.files.read import Content, read
from backup_action.core.alarm import Census
from backup_action.core.cut import WHOLE, cut
from backup_action.core.entry import Entry
from backup_action.core.found import Found
from backup_action.core.place import Root
from backup_action.core.plan import Item, Step
from backup_action.core.problem import Kind, Problem
from backup_action.core.reread import is_untouched
from backup_action.core.snapshot import Writer
from backup_action.core.spool import Spool
from backup_action.core.tally import Tally
from backup_action.transfer.entries import BREATH, SENDING, Entries, Slot, is_known
from backup_action.transfer.filling import Filling, filling
from backup_action.transfer.flow import Budget, together
from backup_action.transfer.framing import Framing
from backup_action.transfer.readers import Readers
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.transfer.settle import ASK, Settling
from backup_action.transfer.streaming import Streaming
from backup_action.vault import Vault
from backup_action.vault.packs import Packs

SMALL: Final = 4 << 20  # bytes; up to here a file is read whole
HUGE: Final = 448 << 30  # the most: the names of its chunks must fit into a line, see `snapshot.LINE_MAX`
HELD: Final = 32 << 20  # bytes of content in memory at a time
BATCH: Final = 256  # files read in one go off the event loop
BATCH_BYTES: Final = 2 << 20
GROWTH: Final = 256 << 10  # bytes that a smaller file may have grown to since the scan
LARGE: Final = 2  # large files at a time

T = TypeVar("T")


class _Done(msgspec.Struct, frozen=True):
    """One file that was read: what it is, the names of its chunks, and how many of its bytes are new."""

    slot: Slot
    item: Item
    found: Found
    content: Content | Problem
    names: list[str]
    new: int


class Packing:
    """One run's transfer."""

    def __init__(
        self, vault: Vault, packs: Packs, safe: Safekeeping | None, roots: tuple[Root, ...], writer: Writer,
        tally: Tally, *, stopped: Callable[[], bool], follow: bool, census: Census,
    ) -> None:  # fmt: skip
        """`safe` is None for a dry run; `stopped`, `follow` and the census as for `Upload`."""
        self.gone: Spool[Entry] = Spool(Entry)  # nothing lies anywhere of what is gone from the disk
        self._packs = packs
        self._safe = safe
        self._deadline = vault.bucket.attempts.deadline
        self._sources = tuple(root.source for root in roots)
        self._writer = writer
        self._tally = tally
        self._census = census
        self._stopped = stopped
        self._follow = follow
        self._settling = Settling(safe, roots, tally)
        self._entries = Entries(writer, tally, self._settling)
        self._filling: Filling
        self._openers = Openers(self._sources, follow=follow)

    @property
    def is_cut(self) -> bool:
        """As of `Upload`."""
        return self._entries.is_cut

    def removable(self) -> int:
        """How many objects a removal would be about: none, ever."""
        return 0

    async def run(self, items: Iterable[Item]) -> None:
        """Carries the plan out; at its end every pack is stored, and an index tells of it. Raises Stop."""
        workers = max(2, os.cpu_count() or 2)
        self._budget = Budget(HELD)
        self._big = asyncio.Semaphore(LARGE)
        self._batches = asyncio.Semaphore(workers + 3)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pack")
        self._readers = Readers(self._pool, self._stopped)
        try:
            async with filling(self._packs, self._safe, self._writer.id) as self._filling, together() as group:
                await self._feed(group, items)
            self._tally.stored += self._packs.sent
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._openers.close()

    async def _feed(self, group: asyncio.TaskGroup, items: Iterable[Item]) -> None:
        tasks: set[asyncio.Task[None]] = set()

        def launch(work: Coroutine[None, None, None]) -> None:
            task = group.create_task(work)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        batch: list[tuple[Slot, Item, Found]] = []
        weight = 0
        for number, planned in enumerate(items):
            item = self._entries.in_time(planned, self._deadline)
            self._census.look(item)
            found, place = item.found, self._entries.place
            if found is None or item.step not in SENDING:
                await self._settle(item)
            elif self._deadline.is_past():
                self._entries.fail(place(), item, found, Problem(Kind.FILE_LATE, found.path))
            elif found.size > HUGE:
                problem = Problem(Kind.FILE_TOO_LARGE, found.path, {"maximum": "448 GiB"})
                self._entries.fail(place(), item, found, problem)
            elif found.size > SMALL:
                slot = place()
                await self._big.acquire()
                launch(self._stream(slot, item, found))
            else:
                batch.append((place(), item, found))
                weight += found.size
            if len(batch) == BATCH or weight >= BATCH_BYTES:
                launch(self._batch(batch, await self._room(weight)))
                batch, weight = [], 0
            if number % BREATH == 0:
                await asyncio.sleep(0)
                await self._entries.room()
        if batch:
            launch(self._batch(batch, await self._room(weight)))
        while tasks:
            await asyncio.wait(tasks)

    async def _room(self, weight: int) -> int:
        """Waits until another batch may be read."""
        await self._batches.acquire()
        return await self._budget.take(weight)

    async def _settle(self, item: Item) -> None:
        """What needs no reading. Nothing lies anywhere of what is gone, nor under a link's path."""
        bare = msgspec.structs.replace(item, known=None) if item.step is Step.NOTE else item
        settled = self._settling.settle(bare)
        entry = settled if settled is not ASK else await self._settling.ask(item)
        self._entries.pass_on(None if item.step is Step.GONE else entry)

    async def _batch(self, batch: list[tuple[Slot, Item, Found]], held: int) -> None:
        try:
            framing = Framing(self._packs, dry=self._safe is None)
            slow = any(item.step is not Step.READ or item.reread for _, item, _ in batch)  # it is compressed, or the
            done = await self._readers.read(partial(self._read, framing), batch, held, aside=slow)  # disk must be asked
            if framing.is_open:
                await self._aside(framing.close)
            await self._filling.stow(framing.frames)  # the next one is read when there is room for what came of this
        finally:
            self._batches.release()
            self._budget.give(held)
        for one in done:
            if isinstance(one.content, Problem):
                self._entries.unread(one.slot, one.item, one.found, one.content)
            else:
                self._take(one.slot, one.item, one.content.entry, one.names, one.new)

    def _read(self, framing: Framing, one: tuple[Slot, Item, Found]) -> _Done:
        """One file, and the frames that come of it; not always in a thread."""
        slot, item, found = one
        opener, limit = self._openers.mine(), found.size + GROWTH
        content = read(found, opener, limit, self._stopped, from_disk=item.reread, known=item.known)
        names, new = [], 0
        if isinstance(content, Content) and is_known(item, content.entry):
            assert item.known is not None  # noqa: S101  (`is_known`)
            names = item.known.chunks
        elif isinstance(content, Content) and content.whole:
            whole = content.entry.sha256 if len(content.data) <= WHOLE else ""
            names, new = framing.take(cut(content.data), whole)
            content = Content(content.entry)
        elif isinstance(content, Content):  # it grew beyond all measure since the scan
            content = Problem(Kind.FILE_CHANGING, self._openers.mine().name(found.root, found.inner))
        return _Done(slot, item, found, content, names, new)

    async def _stream(self, slot: Slot, item: Item, found: Found) -> None:
        try:
            with Opener(self._sources, follow=self._follow) as opener:
                streaming = Streaming(self._packs, self._aside, self._filling.stow, self._late, dry=self._safe is None)
                result = await streaming.run(found, opener, from_disk=item.reread)
            if isinstance(result, Problem):
                self._entries.unread(slot, item, found, result)
            else:
                self._take(slot, item, *result)
        finally:
            self._big.release()

    def _late(self) -> Kind | None:
        """Why a large file must be given up now, if so."""
        if self._stopped():
            return Kind.INTERRUPTED
        return Kind.FILE_LATE if self._deadline.is_past() else None

    def _take(self, slot: Slot, item: Item, read_as: Entry, names: list[str], new: int) -> None:
        root, known = item.found.root if item.found else 0, item.known
        same = is_known(item, read_as)
        if same:
            (self._tally.reread_same if item.reread else self._tally.same)(root, read_as.size)
        else:
            if self._safe:
                self._safe.watch(item, read_as)
            self._census.sent(item, read_as)
            if item.drift:
                self._tally.tell(Problem(item.drift, read_as.path))
            if new:
                self._tally.sent(root, read_as.size, new)
            else:
                self._tally.same(root, read_as.size)
        entry = msgspec.structs.replace(read_as, chunks=names, blocks=None)
        self._entries.fill(slot, known if known and same and is_untouched(entry, known) else entry)

    async def _aside(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)
