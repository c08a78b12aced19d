"""Brings a folder to what a snapshot says: looks at what is there, fetches what differs, proves it, puts it in place.

Every file is written under another name, held against its SHA-256, and takes its place only when it is on the content.
So a restore that is cut short goes on where it was, and a second one moves nothing. Links are made when all files
stand, then what is too much is removed, if that is asked for; folders get their times last, from the innermost out.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from backup_action.adapters.files import content
from backup_action.adapters.files.target import Target
from backup_action.core.entry import Entry, Sort
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.restoring import Need, is_dressed, need
from backup_action.core.spool import Spool
from backup_action.core.tally import Tally
from backup_action.transfer.extras import Extras
from backup_action.transfer.fetching import Fetching
from backup_action.transfer.thawing import Thawing
from backup_action.transfer.writing import Writing, unwritable
from backup_action.vault.chunks import Chunks
from backup_action.vault.contents import Contents

BATCH: Final = 256  # entries looked at in one go off the event loop
PAUSES: Final = (1.0, 1.5, 300.0)  # seconds between two looks at what thaws: the first, how they grow, the longest


async def no_time(files: int) -> float:
    """Waits for nothing that must be thawed first."""
    return 0.0


class Download:
    """One restore. `dry`: everything but the writing."""

    def __init__(
        self, contents: Contents | Chunks, target: Target, tally: Tally, thawing: Thawing, *, overwrite: str,
        concurrency: int | Callable[[], int], dry: bool, stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        """`overwrite` is the setting; `stopped` is asked between batches."""
        self._target = target
        self._tally = tally
        self._thawing = thawing
        self._overwrite = overwrite
        self._dry = dry
        self._stopped = stopped
        self._folders: Spool[Entry] = Spool(Entry)
        self._links: Spool[Entry] = Spool(Entry)
        self._fresh: list[str] = []  # folders that this run made, each in the one before it: nothing is there yet
        self._files = 0  # that were looked at: each must come to an end
        self._writing = Writing(target, tally)
        self._fetching = Fetching(contents, target, self._writing, tally, thawing, concurrency)

    async def run(
        self, entries: Iterable[Entry], extras: Extras | None = None,
        waiting: Callable[[int], Awaitable[float]] = no_time,
    ) -> None:  # fmt: skip
        """Restores the entries, which come in the order of keys, and removes `extras`. To be called once. Raises Stop.

        `waiting` is asked where files must be thawed first: given how many, it says for how many seconds to wait.
        """
        before = self._tally.total().files_total
        try:
            async with self._fetching.working():
                await self._feed(entries)
            if files := len(self._fetching.frozen):
                await self._thaw(time.monotonic() + await waiting(files))
            await self._writing.aside(self._link_all)
            if extras is not None:
                await self._writing.aside(lambda: extras.run(self._tally, dry=self._dry, stopped=self._stopped))
            await self._writing.aside(self._dress_all)
            if self._tally.total().files_total - before != self._files:
                raise AssertionError("not every file was accounted for")
        finally:
            self._writing.close()

    async def _feed(self, entries: Iterable[Entry]) -> None:
        batch: list[Entry] = []
        for entry in entries:
            batch.append(entry)
            if len(batch) == BATCH:
                await self._hand(batch)
                batch = []
        await self._hand(batch)

    async def _hand(self, batch: list[Entry]) -> None:
        if self._stopped():
            raise Stop(Kind.INTERRUPTED)
        for entry in await self._writing.aside(lambda: self._look(batch)):
            if self._dry:
                self._tally.sent(0, entry.size)
            else:
                await self._fetching.hand(entry)

    async def _thaw(self, end: float) -> None:
        """Asks again and again for what must be thawed first, until the end; tells what is left."""
        pause, growth, longest = PAUSES
        while len(self._fetching.frozen):
            left = end - time.monotonic()
            if left <= 0 and not self._thawing.ready:
                break
            if not self._thawing.ready:
                await asyncio.sleep(min(pause, left))
                pause = min(pause * growth, longest)
            self._thawing.ready = 0
            frozen = self._fetching.take_frozen()
            async with self._fetching.working():
                for entry in frozen:
                    await self._fetching.hand(entry)
        for _ in self._fetching.frozen:
            self._tally.failed(0)
        self._thawing.tell(self._fetching.classes)

    def _look(self, batch: list[Entry]) -> list[Entry]:
        """In a thread: what of a batch must be fetched. Folders are made, and links put by, on the way."""
        return [entry for entry in batch if self._consider(entry)]

    def _consider(self, entry: Entry) -> bool:
        try:
            if entry.kind is Sort.FOLDER:
                self._tally.folders += 1
                self._folders.append(entry)
                if not self._dry:
                    is_new = self._target.make(entry.path)
                    above = [path for path in self._fresh if entry.path.startswith(f"{path}/")]
                    self._fresh = [*above, entry.path] if is_new else above
                return False
            if entry.kind is Sort.LINK:
                self._links.append(entry)
                return False
            self._files += 1
            if self._is_needed(entry):
                return True
            self._tally.same(0, entry.size)
        except OSError as error:
            self._fail(entry, unwritable(error, entry.path))
        return False

    def _is_needed(self, entry: Entry) -> bool:
        """Whether a file must be fetched; one that has the content already gets its mode and time."""
        if entry.path.rpartition("/")[0] in self._fresh:
            return True
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
            return content.digest(handle, self._stopped) == entry.sha256
        finally:
            os.close(handle)

    def _link_all(self) -> None:
        for entry in self._links:
            self._tally.links += 1
            self._attempt(entry, self._link)

    def _dress_all(self) -> None:
        """The modes and times of folders, from the innermost out."""
        for entry in reversed(list(self._folders)):
            self._attempt(entry, self._target.dress)

    def _attempt(self, entry: Entry, do: Callable[[Entry], None]) -> None:
        if self._dry:
            return
        try:
            do(entry)
        except OSError as error:
            self._fail(entry, unwritable(error, entry.path))

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
