"""Proves the content of a snapshot's files, layout vault: by indexes and listing, and packs in the share by reading.

Each pack is read once, whole, in one request, however many files and snapshots need it; it must be what its name says,
its directory must say what the index says, and each chunk must have its name. What was seen of it is then held against
the files: whose chunks are where they should be, and add up to it. Damage never ends the run.

Whole contents of several chunks are hashed on the way, as far as their packs come by in their order (`core.sequences`).
In memory are a few packs at a time, one frame of each, what `core.holdings` has, and the names of damaged chunks.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from backup_action.core import soundness
from backup_action.core.cipher import PLAIN
from backup_action.core.entry import Entry
from backup_action.core.holdings import State, Told
from backup_action.core.index import Packed
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.sequences import Sequences
from backup_action.core.soundness import Sound
from backup_action.core.tally import Tally
from backup_action.core.verification import PROVEN, Findings, PackCounts, Proof, Share
from backup_action.transfer.flow import Budget, Crew, together
from backup_action.transfer.proving import count
from backup_action.vault.contents import Frozen, Missing
from backup_action.vault.inventory import Inventory
from backup_action.vault.packs import pack_key

HELD: Final = 64 << 20  # bytes of packs in memory
BATCH: Final = 8  # packs that are handed on in one go
MANY: Final = 16  # packs at a time, whatever the setting says: what an index tells of each takes up to 2 MB
TRIES: Final = 2  # what was altered on the way once is no damage


class _Job(NamedTuple):
    """One pack to read: the number of its telling, and when the one before it, and it, have gone by."""

    number: int
    packed: Packed
    before: asyncio.Event
    done: asyncio.Event


class ProvingPacks:
    """One verification of one snapshot or more, one after another."""

    def __init__(
        self, inventory: Inventory, findings: Findings, tally: Tally, *, share: Share | None, concurrency: int,
        stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        """`share` of the packs is read, by their names, None for none; `stopped` is asked between packs and files."""
        self.looked_at = Tally()  # of all files that the snapshots name, for whoever watches
        self.looked_at.open_roots(1)
        self._inventory = inventory
        self._findings = findings
        self._tally = tally
        self._share = share
        self._concurrency = concurrency
        self._stopped = stopped
        self._needed: set[int] = set()  # tellings, by their numbers
        self._read: dict[int, Proof] = {}  # what came of those in the share
        self._bad: set[bytes] = set()  # chunks that are not in their packs
        self._faults: dict[int, Problem] = {}  # what is wrong with packs that were read
        self._sequences = Sequences()
        self._bytes = 0

    async def run(self, snapshot: str, entries: Callable[[], Iterable[Entry]]) -> None:
        """Proves the files of a snapshot. Raises Stop."""
        self._needed |= await asyncio.to_thread(self._wanted, entries())
        told = self._inventory.holdings.told
        numbers = sorted(number for number in self._needed - self._read.keys() if self._is_to_read(told[number]))
        if numbers:
            await asyncio.to_thread(self._expect, entries(), set(numbers))
            await self._read_all(numbers)
        await asyncio.to_thread(self._judge, snapshot, entries())

    @property
    def packs(self) -> PackCounts:
        """What there was to look at. A pack that no index tells of is not known."""
        told = self._inventory.holdings.told
        read = [number for number, proof in self._read.items() if proof in (Proof.READ, Proof.ALTERED)]
        damaged = {problem.where for problem in self.problems() if problem.kind is not Kind.INDEX_DAMAGED}
        return PackCounts(len({told[number].pack for number in self._needed}), len(read), self._bytes, len(damaged))

    def problems(self) -> Iterator[Problem]:
        """What is wrong with packs that are needed, and with an index that a whole pack speaks against."""
        for number in sorted(self._needed):
            told = self._inventory.holdings.told[number]
            where = pack_key(told.pack)
            if told.state is State.MISSING or self._read.get(number) is Proof.MISSING:
                yield Problem(Kind.PACK_MISSING, where)
            elif told.state is not State.LISTED:
                yield Problem(Kind.PACK_DAMAGED, where, {"cause": told.state.value, "index": told.source})
            elif number in self._faults:
                yield self._faults[number]

    def _wanted(self, entries: Iterable[Entry]) -> set[int]:
        """In a thread: the packs that these files need, by the numbers of their tellings."""
        wanted: set[int] = set()
        for entry in entries:
            if self._stopped():
                raise Stop(Kind.INTERRUPTED)
            found = (self._inventory.holdings.find(bytes.fromhex(name)) for name in entry.chunks)
            wanted.update(place.told for place in found if place)
        return wanted

    def _is_to_read(self, told: Told) -> bool:
        return self._share is not None and told.state is State.LISTED and self._share.has(told.pack)

    def _expect(self, entries: Iterable[Entry], numbers: set[int]) -> None:
        """In a thread: the contents that can be hashed while these packs come by."""
        for entry in entries:
            self._sequences.expect(entry, self._inventory.holdings.find, numbers)

    async def _read_all(self, numbers: list[int]) -> None:
        self._budget = Budget(HELD)
        crew: Crew[_Job] = Crew(min(self._concurrency, MANY), self._prove)
        left = self._inventory.packs(numbers)
        before = asyncio.Event()
        before.set()
        async with together() as group, crew.working(group):
            while batch := await asyncio.to_thread(lambda: list(itertools.islice(left, BATCH))):
                for number, packed in batch:
                    if self._stopped():
                        raise Stop(Kind.INTERRUPTED)
                    job = _Job(number, packed, before, asyncio.Event())
                    before = job.done
                    await crew.hand(job)

    async def _prove(self, job: _Job) -> None:
        """In a worker: one pack. It may wait for those that came before: they have their part of the budget."""
        held = await self._budget.take(job.packed.size)
        try:
            sound = await self._looked_into(job)
        except Missing:
            self._read[job.number] = Proof.MISSING
        except Frozen:
            self._read[job.number] = Proof.FROZEN
        else:
            self._note(job, sound)
        finally:
            self._budget.give(held)
        await job.before.wait()
        job.done.set()

    async def _looked_into(self, job: _Job) -> Sound:
        """What came of a pack; it is fetched again where anything is wrong. In its turn it goes by the sequences."""
        cipher, packed = self._inventory.cipher(job.number), job.packed
        found: Sound | None = None
        for _ in range(TRIES):
            data = await self._inventory.read(packed)
            sound = await asyncio.to_thread(soundness.inspect, data, packed, cipher)
            found = soundness.better(found, sound) if found else sound
            if found.is_whole:
                break
        assert found is not None  # noqa: S101  (TRIES is no 0)
        await job.before.wait()
        if not sound.bad:  # else what waits for it is told of, or proven by its chunks alone
            find = self._inventory.holdings.find
            await asyncio.to_thread(self._sequences.pass_by, job.number, data, packed, cipher, find)
        return found

    def _note(self, job: _Job, sound: Sound) -> None:
        self._bytes += job.packed.size
        self._bad |= sound.bad
        self._read[job.number] = Proof.READ if sound.is_whole else Proof.ALTERED
        if not sound.is_whole:
            self._faults[job.number] = self._fault(job.number, sound)
        self.looked_at.moving += sum(chunk.size for frame in job.packed.frames for chunk in frame.chunks)

    def _fault(self, number: int, sound: Sound) -> Problem:
        told = self._inventory.holdings.told[number]
        if sound.is_misled:
            reason = f"it tells of the pack {told.pack} otherwise than that itself"
            return Problem(Kind.INDEX_DAMAGED, told.source, {"reason": reason})
        cause = {} if sound.is_itself else {"cause": "bytes"}
        why = {"reason": sound.fault} if sound.fault else {}
        return Problem(Kind.PACK_DAMAGED, pack_key(told.pack), cause | why)

    def _judge(self, snapshot: str, entries: Iterable[Entry]) -> None:
        """In a thread: each file."""
        self.looked_at.moving = 0
        for entry in entries:
            if self._stopped():
                raise Stop(Kind.INTERRUPTED)
            self.looked_at.same(0, entry.size)
            if not self._findings.is_known(entry, snapshot):
                proof, facts = self._weighed(entry)
                self._findings.found(entry, proof, snapshot, **facts)
                count(self._tally, entry.size, proof)

    def _weighed(self, entry: Entry) -> tuple[Proof, dict[str, str]]:
        """What is proven of a file; of damage the pack that has it, "" where no index tells of a chunk."""
        proofs, size, number = {Proof.READ} if entry.chunks else {Proof.PACKED}, 0, -1
        for name in entry.chunks:
            proof, number, length = self._chunk(bytes.fromhex(name))
            if proof not in (*PROVEN, Proof.FROZEN):
                pack = self._inventory.holdings.told[number].pack if number >= 0 else ""
                return proof, {"cause": "packed", "pack": pack_key(pack)} if pack else {"cause": "unknown"}
            proofs.add(proof)
            size += length
        cipher = self._inventory.cipher(number) if entry.chunks else PLAIN
        if size != entry.size or not soundness.makes_up(entry.sha256, entry.chunks, cipher):
            return Proof.ALTERED, {"cause": "chunks"}
        if Proof.FROZEN in proofs:
            return Proof.FROZEN, {"cause": "packed"}
        if Proof.PACKED in proofs:
            return Proof.PACKED, {}
        is_whole = len(entry.chunks) == 1 or self._sequences.is_whole(entry)
        if is_whole is False:
            return Proof.ALTERED, {"cause": "chunks"}
        return (Proof.READ if is_whole else Proof.CHUNKS), {}

    def _chunk(self, name: bytes) -> tuple[Proof, int, int]:
        """What is proven of a chunk, the number of the telling of its pack, and its size."""
        place = self._inventory.holdings.find(name)
        if place is None:
            return Proof.MISSING, -1, 0
        state = self._inventory.holdings.told[place.told].state
        if state is not State.LISTED:
            return (Proof.MISSING if state is State.MISSING else Proof.ALTERED), *place
        if name in self._bad:
            return Proof.ALTERED, *place
        proof = self._read.get(place.told, Proof.PACKED)
        return (Proof.READ if proof is Proof.ALTERED else proof), *place
