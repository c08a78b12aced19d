"""Where the content of a snapshot's file is in a vault, and how it is fetched: its chunks, in frames, in packs.

What is wanted is known beforehand, so that frames which stand beside each other in a pack are fetched in one request,
and only those. Files come in the order in which they were packed, so most of what a request brings is used at once;
the last frames are kept for those that come a little later. A chunk that is all of a file is held against its name; the
others are proven by the SHA-256 of their file, and not hashed one by one unless that says otherwise.
"""

from __future__ import annotations

import asyncio
import bisect
import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from backup_action.adapters.oss.refusal import Refusal
from backup_action.core import index, pack
from backup_action.core.cipher import Cipher
from backup_action.core.entry import Entry
from backup_action.core.pack import Frame
from backup_action.core.problem import Kind, Stop
from backup_action.core.ring import Ring
from backup_action.vault.catalogue import Vault
from backup_action.vault.contents import FROZEN, Frozen, Missing, Part
from backup_action.vault.packs import Read, indexes, listed, pack_key

STRETCH: Final = 4 << 20  # bytes of a pack fetched at a time
PLAIN: Final = 8 << 20  # bytes that they unpack to, unless one frame alone has more
FETCHED: Final = 8  # stretches on their way at a time, whatever the number of connections
SHAPES: Final = 16  # files whose shape is kept in mind
GAP: Final = 64 << 10  # bytes that are fetched for nothing rather than to ask twice
KEPT: Final = 64 << 20  # bytes of chunks in memory
TRIES: Final = 2  # what was altered on the way is no damage

Span = tuple[int, int]  # where frames begin and end in their pack


class _Place(msgspec.Struct, frozen=True):
    """Where a chunk is: which stretch, which of its frames, where in what that unpacks to, and its size.

    `by_name`: it is held against its name, for it is all of a file, or its file is in doubt.
    """

    stretch: int
    frame: int
    at: int
    size: int
    by_name: bool


class _Shape(msgspec.Struct, frozen=True):
    """Where the chunks of one file are, and where in the file each begins."""

    chunks: list[str]
    places: list[_Place]
    starts: list[int]


class _Stretch(msgspec.Struct, frozen=True):
    """Frames of one pack that are fetched together."""

    pack: str
    start: int
    end: int
    frames: list[Frame]  # some are none that is wanted: a gap
    cipher: Cipher


class _Unpacked(msgspec.Struct, frozen=True):
    """A frame's chunks, one after the other, and where those begin that are not what their names say."""

    plain: bytes
    broken: frozenset[int]


class Chunks:
    """Reads files of snapshots, as `Contents` does for files under their own paths. `prepare` it first."""

    def __init__(self, vault: Vault, ring: Ring) -> None:
        """Asks nothing yet."""
        self._vault = vault
        self._ring = ring
        self._places: dict[bytes, _Place] = {}
        self._stretches: list[_Stretch] = []
        self._cache: OrderedDict[int, asyncio.Task[list[_Unpacked | None]]] = OrderedDict()
        self._size = 0
        self._turn = asyncio.Semaphore(FETCHED)
        self._shapes: OrderedDict[str, _Shape] = OrderedDict()

    async def prepare(self, entries: Iterable[Entry]) -> None:
        """Finds out where all that these files have is. Raises Stop where an index cannot be read."""
        (found, _), sizes = await asyncio.gather(indexes(self._vault, self._ring), listed(self._vault))
        await asyncio.to_thread(self._look, found, sizes, entries)

    def _look(self, found: Mapping[str, Read], sizes: Mapping[str, int], entries: Iterable[Entry]) -> None:
        """Notes where wanted chunks are, in packs that are there; of one that is in two of them, the first."""
        wanted: dict[bytes, bool] = {}  # by name: whether it is all of a file
        for entry in entries:
            if entry.is_file:
                for key in map(bytes.fromhex, entry.chunks):
                    wanted[key] = wanted.get(key, False) or self.proves(entry)
        for id, one in found.items():
            cipher = self._ring.of(one.key)
            try:
                for packed in index.packs(one.data):
                    hit = [any(bytes.fromhex(c.name) in wanted for c in frame.chunks) for frame in packed.frames]
                    if any(hit) and sizes.get(packed.pack) == packed.size:
                        self._note(packed, hit, cipher, wanted)
            except index.Unreadable as error:
                raise Stop(Kind.INDEX_DAMAGED, id, reason=error) from None

    def _note(self, packed: index.Packed, hit: list[bool], cipher: Cipher, wanted: dict[bytes, bool]) -> None:
        for stretch in stretches(packed, hit, cipher):
            number = len(self._stretches)
            self._stretches.append(stretch)
            for count, frame in enumerate(stretch.frames):
                at = 0
                for chunk in frame.chunks:
                    key = bytes.fromhex(chunk.name)
                    if key in wanted:
                        self._places[key] = _Place(number, count, at, chunk.size, wanted.pop(key))
                    at += chunk.size

    def has(self, entry: Entry) -> bool:
        """Whether the indexes tell where all of a file is, and its chunks add up to its size."""
        return self._shape(entry) is not None

    def _shape(self, entry: Entry) -> _Shape | None:
        """None where not all of it is there. Kept in mind for a while: a large file is asked for in many stretches."""
        known = self._shapes.get(entry.path)
        if known and known.chunks is entry.chunks:
            return known
        places = [self._places.get(bytes.fromhex(name)) for name in entry.chunks]
        found = [place for place in places if place]
        starts = [0, *itertools.accumulate(place.size for place in found)]
        if len(found) < len(places) or starts[-1] != entry.size:
            return None
        shape = self._shapes[entry.path] = _Shape(entry.chunks, found, starts)
        if len(self._shapes) > SHAPES:
            self._shapes.popitem(last=False)
        return shape

    def proves(self, entry: Entry) -> bool:
        """Whether what `read` gives of a file is held against its very SHA-256 already: one chunk, named by that."""
        return entry.chunks == [entry.sha256]

    def doubt(self, entry: Entry) -> None:
        """To be told of a file that was not what its SHA-256 says: the next time its chunks are held against theirs."""
        shape = self._shape(entry)
        for name, place in zip(entry.chunks, shape.places, strict=True) if shape else ():
            self._places[bytes.fromhex(name)] = msgspec.structs.replace(place, by_name=True)
            self._forget(place.stretch)

    async def read(self, entry: Entry, start: int, size: int, *, past: int = 0) -> tuple[bytes, int]:
        """`size` bytes from `start`, and `past`, since a chunk is in one place only. Raises Missing and Stop."""
        parts, place = await self.parts(entry, start, size, past=past)
        return b"".join(parts), place

    async def parts(self, entry: Entry, start: int, size: int, *, past: int = 0) -> tuple[Sequence[Part], int]:
        """The same, in parts: nothing is copied."""
        shape = self._shape(entry)
        if shape is None:
            raise Missing
        parts, end = [], start + size
        for number in range(bisect.bisect_right(shape.starts, start) - 1, len(shape.places)):
            at, place = shape.starts[number], shape.places[number]
            if at >= end:
                break
            parts.append((await self._chunk(place))[max(start - at, 0) : end - at])
        return parts, past

    async def _chunk(self, place: _Place) -> memoryview:
        for _ in range(TRIES):
            frame = (await self._unpacked(place.stretch))[place.frame]
            if frame is not None and place.at not in frame.broken:
                return memoryview(frame.plain)[place.at : place.at + place.size]
            self._forget(place.stretch)  # what was altered on the way comes whole the second time
        raise Missing(altered=True)

    async def _unpacked(self, number: int) -> list[_Unpacked | None]:
        """The frames of a stretch, None for one that does not open; several who want it wait for one
        request. Raises Missing and Stop.
        """
        task = self._cache.get(number)
        if task is None:
            task = self._cache[number] = asyncio.ensure_future(self._fetch(self._stretches[number]))
            self._size += _plain(self._stretches[number])
            while self._size > KEPT and len(self._cache) > 1 and next(iter(self._cache)) != number:
                self._forget(next(iter(self._cache)))
        self._cache.move_to_end(number)
        try:
            return await asyncio.shield(task)
        except (Missing, Stop):
            if self._cache.get(number) is task:
                self._forget(number)
            raise

    def _forget(self, number: int) -> None:
        if self._cache.pop(number, None):
            self._size -= _plain(self._stretches[number])

    async def _fetch(self, stretch: _Stretch) -> list[_Unpacked | None]:
        key = self._vault.prefix + pack_key(stretch.pack)
        async with self._turn:
            try:
                data = await self._vault.bucket.stretch(key, stretch.start, stretch.end - stretch.start)
            except Refusal:
                raise Missing from None
            except Stop as stop:
                if stop.problem.facts.get("code") == FROZEN:
                    raise Frozen(stop, key, "") from None
                if stop.problem.facts.get("code") != "InvalidRange":
                    raise
                raise Missing(altered=True) from None
            return await asyncio.to_thread(self._unpack, memoryview(data), stretch)

    def _unpack(self, data: memoryview, stretch: _Stretch) -> list[_Unpacked | None]:
        """In a thread: the frames, chunks that are files held against their names. A broken one costs no other."""
        frames: list[_Unpacked | None] = []
        at = 0
        for frame in stretch.frames:
            try:
                plain = pack.unpack(data[at : at + frame.stored], frame, stretch.cipher)
                frames.append(_Unpacked(plain, frozenset(self._broken(memoryview(plain), frame, stretch.cipher))))
            except pack.Broken:
                frames.append(None)
            at += frame.stored
        return frames

    def _broken(self, plain: memoryview, frame: Frame, cipher: Cipher) -> Iterator[int]:
        at = 0
        for chunk in frame.chunks:
            place = self._places.get(bytes.fromhex(chunk.name))
            if place is not None and place.by_name:
                digest = hashlib.sha256(plain[at : at + chunk.size]).digest()
                if cipher.name(digest) != chunk.name:
                    yield at
            at += chunk.size


def stretches(packed: index.Packed, hit: list[bool], cipher: Cipher) -> Iterable[_Stretch]:
    """Stretches of a pack that cover all frames that are hit."""
    start = end = at = plain = 0  # where the stretch begins and ends, where we are, and what it unpacks to by here
    frames: list[Frame] = []
    pending: list[Frame] = []  # behind the last that was hit
    for frame, is_hit in zip(packed.frames, hit, strict=True):
        size = sum(chunk.size for chunk in frame.chunks)
        if frames and is_hit and (at + frame.stored - start > STRETCH or at - end > GAP or plain + size > PLAIN):
            yield _Stretch(packed.pack, start, end, frames, cipher)
            frames = []
        if is_hit:
            if not frames:
                start, plain, pending = at, 0, []
            frames += [*pending, frame]
            pending, end = [], at + frame.stored
        elif frames:
            pending.append(frame)
        at += frame.stored
        plain += size
    if frames:
        yield _Stretch(packed.pack, start, end, frames, cipher)


def _plain(stretch: _Stretch) -> int:
    return sum(chunk.size for frame in stretch.frames for chunk in frame.chunks)
