"""Proves the content of a snapshot's files, many at a time, in bounded memory, writing nothing.

What is in the share is fetched and held against its SHA-256, from the first place that has it; of the rest the listing
decides, or a few HEADs. Whatever cannot be proven is noted, and the next one looked at: damage never ends the run.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, Protocol

from backup_action.core.entry import Entry
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.tally import Tally
from backup_action.core.verification import PROVEN, WAS_READ, Findings, PackCounts, Proof, Share, Weighed
from backup_action.transfer.flow import Budget, Crew, together
from backup_action.vault.contents import PLACES, Contents, Missing, lacking

STRETCH: Final = 8 << 20  # bytes fetched at a time
HELD: Final = 32 << 20  # bytes of small files in memory
BATCH: Final = 256  # files that are handed on in one go
LARGE: Final = 4  # large files at a time
WINDOW: Final = 2  # stretches of a large file that are fetched at a time
INLINE: Final = 1 << 16  # bytes that are hashed where they are: a thread would cost more


class Altered(Exception):
    """What was fetched is not what the snapshot says. Its argument is the number of the place that had it."""


class Evidence(Protocol):
    """What the bucket says of contents without giving them: `vault.evidence`."""

    def weigh(self, entries: Iterable[Entry]) -> Iterator[Weighed]: ...  # noqa: D102
    async def ask(self, weighed: Weighed) -> Proof: ...  # noqa: D102
    async def fits(self, weighed: Weighed) -> bool: ...  # noqa: D102


class Proving:
    """One verification of one snapshot or more, one after another."""

    def __init__(
        self, evidence: Evidence, contents: Contents, findings: Findings, tally: Tally, *, share: Share | None,
        concurrency: int | Callable[[], int], stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        """`share` of the files is read, None for none; `stopped` is asked between files."""
        self._evidence = evidence
        self._contents = contents
        self._findings = findings
        self._tally = tally
        self._share = share
        self._concurrency = concurrency
        self._stopped = stopped
        self.looked_at = Tally()  # of all files that the snapshots name, for whoever watches
        self.looked_at.open_roots(1)

    def problems(self) -> Iterator[Problem]:
        """What is wrong besides the files."""
        return iter(())

    @property
    def packs(self) -> PackCounts:
        """None: each file is an object."""
        return PackCounts()

    async def run(self, snapshot: str, entries: Callable[[], Iterable[Entry]]) -> None:
        """Proves the files of a snapshot, which come in the order of keys. Raises Stop."""
        self._snapshot = snapshot
        self._budget = Budget(HELD)
        self._big = asyncio.Semaphore(LARGE)
        crew: Crew[Weighed] = Crew(self._concurrency, self._prove)
        left = self._unproven(entries())
        async with together() as group, crew.working(group):
            while batch := await asyncio.to_thread(lambda: list(itertools.islice(left, BATCH))):
                for weighed in batch:
                    await crew.hand(weighed)

    def _unproven(self, entries: Iterable[Entry]) -> Iterator[Weighed]:
        """In a thread: the files that need a request. Those that another snapshot named too need none."""
        for weighed in self._evidence.weigh(entries):
            if self._stopped():
                raise Stop(Kind.INTERRUPTED)
            if self._findings.is_known(weighed.entry, self._snapshot):
                self.looked_at.same(0, weighed.entry.size)
            elif weighed.is_listed and not self._is_to_read(weighed.entry):
                self._note(weighed.entry, Proof.LISTED)
            else:
                yield weighed

    def _is_to_read(self, entry: Entry) -> bool:
        """Of an empty file there is nothing to be read: that its object is there is all that can be proven."""
        return self._share is not None and bool(entry.size) and self._share.has(entry.path)

    async def _prove(self, weighed: Weighed) -> None:
        """In a worker: one file."""
        entry = weighed.entry
        if not self._is_to_read(entry):
            proof = await self._evidence.ask(weighed)
        elif entry.size <= STRETCH:
            held = await self._budget.take(entry.size)
            try:
                proof = await self._fetched(entry, self._whole)
            finally:
                self._budget.give(held)
        else:
            async with self._big:
                proof = await self._fetched(entry, self._stretches)
        self._note(entry, await self._with_listing(weighed, proof))

    async def _with_listing(self, weighed: Weighed, proof: Proof) -> Proof:
        """What a read alone does not tell: that something follows the content, or stands in its place."""
        if proof is Proof.READ and not weighed.is_listed and not await self._evidence.fits(weighed):
            return Proof.ALTERED
        is_other = weighed.there is not None and not weighed.entry.has_version
        return Proof.ALTERED if proof is Proof.MISSING and is_other else proof

    async def _fetched(self, entry: Entry, read: Callable[[Entry, int], Awaitable[None]]) -> Proof:
        """Whether any place has the content; each is asked twice, since what is altered on the way is no damage."""
        place, altered = 0, set[int]()
        while place < PLACES:
            try:
                await read(entry, place)
                return Proof.READ
            except Altered as error:
                place = error.args[0] + (error.args[0] in altered)
                altered.add(error.args[0])
            except (Missing, Stop) as error:
                problem = lacking(error, entry, len(altered))
                if problem is None:
                    raise
                return Proof(problem.kind.value)
        return Proof.ALTERED

    async def _whole(self, entry: Entry, place: int) -> None:
        """Reads a small file, from that place on. Raises Altered and Missing."""
        data, place = await self._contents.read(entry, 0, entry.size, past=place)
        sha = hashlib.sha256()
        await _hash(sha, data)
        if sha.hexdigest() != entry.sha256:
            raise Altered(place)

    async def _stretches(self, entry: Entry, place: int) -> None:
        """The same for a large file, a stretch at a time."""
        sha = hashlib.sha256()
        pending: deque[asyncio.Task[tuple[bytes, int]]] = deque()
        async with together() as group:
            for start in range(0, entry.size, STRETCH):
                asked = self._contents.read(entry, start, min(STRETCH, entry.size - start), past=place)
                pending.append(group.create_task(asked))
                if len(pending) == WINDOW:
                    data, place = await pending.popleft()
                    await _hash(sha, data)
            for task in pending:
                data, place = await task
                await _hash(sha, data)
        if sha.hexdigest() != entry.sha256:
            raise Altered(place)

    def _note(self, entry: Entry, proof: Proof) -> None:
        self._findings.found(entry, proof, self._snapshot)
        self.looked_at.same(0, entry.size)
        count(self._tally, entry.size, proof)


def count(tally: Tally, size: int, proof: Proof) -> None:
    """Counts a file by what came of it."""
    if proof in WAS_READ:
        tally.sent(0, size)
    elif proof in PROVEN:
        tally.same(0, size)
    else:
        tally.failed(0, size=size)


async def _hash(sha: hashlib._Hash, data: bytes) -> None:
    if len(data) <= INLINE:
        sha.update(data)
    else:
        await asyncio.to_thread(sha.update, data)
