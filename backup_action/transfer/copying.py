"""What the bucket has already is not sent: a moved, renamed or doubled file is copied on the server.

Its content may lie under a key of the last snapshot, a file that is gone from the disk included, or under one that this
run itself wrote. Files that are on their way at the same moment wait for one another, so that a content is sent once.
Where a copy fails, the bytes are sent; what was refused or not proven is told once, with the number of such files.

The parent's entries are read a second time only when something comes that could be a copy: see `core.sources` for
what that takes. A large file is read before it is sent only where something of its size, and as far as that is known
of the same first block, is known or on its way.
Small files and large ones do not wait for each other: small ones hold the memory that large ones wait for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from backup_action.adapters.oss.data import Written
from backup_action.core.deadline import Deadline
from backup_action.core.entry import Entry
from backup_action.core.problem import Problem
from backup_action.core.snapshot import Snapshot
from backup_action.core.sources import FROM, Source, Sources, fingerprint
from backup_action.core.tally import Tally
from backup_action.core.thaw import FROZEN
from backup_action.transfer.flow import in_time
from backup_action.vault.copies import Copies

FAILURES: Final = 10  # copies that may fail before no more are tried; one, where a right is missing


class Copying:
    """For one run."""

    def __init__(
        self, copies: Copies | None, parent: Snapshot | None, tally: Tally, deadline: Deadline, storage_class: str = ""
    ) -> None:
        """`copies` is None for a dry run, which only counts. What lies in an Archive class cannot be copied at all."""
        self.is_on = storage_class not in FROZEN
        self.deadline = deadline
        self.index = Sources()
        self.flights: dict[bytes, asyncio.Event] = {}  # what is being sent, by the names that turns hold
        self.coming: Counter[bytes] = Counter()  # large files among that, by fingerprint
        self.refused = 0  # files that were sent though the bucket has their content
        self._copies = copies
        self._parent = parent
        self._tally = tally
        self._learning = asyncio.Lock()
        self._left = FAILURES
        self._failed: Problem | None = None

    async def bring(self, read_as: Entry, data: bytes, send: Callable[[], Awaitable[Written]]) -> tuple[Written, bool]:
        """Has a small file copied, or else sent. True where it was copied. Raises Stop."""
        turn = Turn(self, is_large=False)
        try:
            if copied := await turn.copied(read_as, data):
                return copied, True
            written = await send()
            turn.sent(read_as, written)
            return written, False
        finally:
            turn.end()

    @asynccontextmanager
    async def large(self, size: int, first: bytes, *, is_read: bool) -> AsyncIterator[Turn]:
        """A large file's turn. `first`: the XXH3-128 of its first block; `is_read`: it is read before it is sent."""
        turn = Turn(self, first, is_large=True)
        try:
            if size >= FROM and self.is_on and not is_read and not self.is_over:
                await self.learn()
                turn.is_expected = self.index.may_have(size, first) or bool(self.coming[fingerprint(size, first)])
                if not turn.is_expected:
                    turn.hold(fingerprint(size, first), size)
            yield turn
        finally:
            turn.end()

    @property
    def is_over(self) -> bool:
        """Whether so many copies have failed that no more are tried. Then no file waits for its double either."""
        return self._left <= 0

    async def learn(self) -> None:
        """Takes in the parent's entries, once."""
        async with self._learning:
            if self._parent is not None:
                await asyncio.to_thread(self.index.learn, self._parent.lines())
                self._parent = None

    async def make(self, source: Source, read_as: Entry, data: bytes) -> Written | Problem | None:
        """A copy, as `Copies.make` says. Where too many have failed, the Problem of the first."""
        if self._copies is None:
            return Written("", "", read_as.crc64)
        if self.is_over:
            return self._failed
        async with in_time(self.deadline):
            made = await self._copies.make(source, read_as, data)
        if isinstance(made, Problem):
            self._left = 0 if made.facts.get("cause") == "right" else self._left - 1
            self._failed = self._failed or made
        return made

    def tell(self) -> None:
        """Tells of the files that were sent though the bucket has their content."""
        if self._failed is not None and self.refused:
            facts = self._failed.facts | {"count": str(self.refused)}
            self._tally.tell(msgspec.structs.replace(self._failed, facts=facts))


class Turn:
    """One file's, until it is in the bucket. What it holds, others wait for."""

    def __init__(self, copying: Copying, first: bytes = b"", *, is_large: bool) -> None:
        """Holds nothing yet. `first`: for the fingerprint of a large one."""
        self.is_expected = False  # something of its fingerprint is known or on its way, so it should be read first
        self._all = copying
        self._first = first
        self._is_large = is_large
        self._held: dict[bytes, int] = {}

    async def copied(self, read_as: Entry, data: bytes = b"") -> Written | None:
        """The file's copy, if the bucket has its content; None says that this file must be sent.

        `data` is all of it, where that is in memory. Waits while the same content is being sent. Raises Stop.
        """
        copying = self._all
        if read_as.size < FROM or not copying.is_on:
            return None
        await copying.learn()
        name, refused = b"%d %s" % (self._is_large, read_as.sha256.encode()), False
        while not copying.is_over:
            await self._wait(name, *[fingerprint(read_as.size, self._first)] * self._is_large)
            source = copying.index.find(read_as.sha256, read_as.size)
            if source is None:
                self.hold(name, read_as.size)
                break
            made = await copying.make(source, read_as, data)
            if isinstance(made, Written):
                self.sent(read_as, made)
                return made
            copying.index.forget(read_as.sha256, source)
            refused |= made is not None
        copying.refused += refused or (copying.is_over and copying.index.find(read_as.sha256, read_as.size) is not None)
        return None

    def sent(self, read_as: Entry, at: Written) -> None:
        """Notes where the content is now."""
        self._all.index.add(read_as.sha256, Source(read_as.place, at.etag, at.version, read_as.size), self._first)

    async def _wait(self, *names: bytes) -> None:
        """Until none of these is held, but not beyond the soft end."""
        flights = self._all.flights
        while flight := next((flights[name] for name in names if name in flights), None):
            async with in_time(self._all.deadline):
                await flight.wait()

    def hold(self, name: bytes, size: int) -> None:
        """Has others of this name wait until the end of this turn. Large ones of this fingerprint are read first."""
        self._held[name] = size
        self._all.flights[name] = asyncio.Event()
        self._all.coming[fingerprint(size, self._first)] += self._is_large

    def end(self) -> None:
        """Lets the others go on."""
        for name, size in self._held.items():
            self._all.flights.pop(name).set()
            mine = fingerprint(size, self._first)
            self._all.coming[mine] -= self._is_large
            if not self._all.coming[mine]:
                del self._all.coming[mine]
