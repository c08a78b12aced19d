"""Holdings: in which pack each chunk is, as the indexes tell, and whether the bucket's listing has that pack.

Where several packs have a chunk, its place is the one that a restore would read: the first that is listed with the
size that its index says. Every index is taken at its word here; packs that are read prove it (`core.soundness`).
Holds about 200 bytes of each chunk, and of the packs what `Told` says.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from backup_action.core import pack
from backup_action.core.index import Packed

_SIZE_BITS: Final = 27  # a chunk has at most `pack.FRAME_MAX` bytes


class State(enum.Enum):
    """What the listing says of a pack that an index tells of."""

    LISTED = "listed"  # with the size that the index says, which its frames fill
    MISSING = "missing"
    SIZE = "size"  # it has another one
    FRAMES = "frames"  # its frames, as the index tells of them, do not fill it


class Told(NamedTuple):
    """One pack as one index tells of it."""

    pack: str
    size: int
    source: str  # the id of the index
    key: str  # the id of the key that it was sealed under, "" for none
    state: State


class Place(NamedTuple):
    """Where a chunk is: the number of the telling, and the chunk's size in bytes."""

    told: int
    size: int


class Holdings:
    """What all indexes of a vault tell. Add them in the order in which a restore looks through them."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        """`sizes` are the names and sizes of all packs that the bucket lists."""
        self.told: list[Told] = []
        self.contradictions: list[tuple[str, str]] = []  # id of an index, and a pack that an earlier one told otherwise
        self._sizes = sizes
        self._numbers: dict[bytes, int] = {}
        self._packs: set[bytes] = set()
        self._places: dict[bytes, int] = {}

    def add(self, id: str, key: str, packed: Packed) -> None:
        """Takes in one pack that an index tells of. What another index has told just so is passed over."""
        which = _identity(key, packed)
        if which in self._numbers:
            return
        number = self._numbers[which] = len(self.told)
        name = bytes.fromhex(packed.pack)
        if name in self._packs:
            self.contradictions.append((id, packed.pack))
        self._packs.add(name)
        state = self._state(key, packed)
        self.told.append(Told(packed.pack, packed.size, id, key, state))
        for frame in packed.frames:
            for chunk in frame.chunks:
                self._note(bytes.fromhex(chunk.name), number, chunk.size)

    def number(self, key: str, packed: Packed) -> int:
        """The number of a telling that was added."""
        return self._numbers[_identity(key, packed)]

    def find(self, name: bytes) -> Place | None:
        """Where a chunk is; None where no index tells of it."""
        place = self._places.get(name)
        return None if place is None else Place(place >> _SIZE_BITS, place & ((1 << _SIZE_BITS) - 1))

    def _note(self, name: bytes, number: int, size: int) -> None:
        before = self._places.get(name)
        if before is None or (self._is_readable(number) and not self._is_readable(before >> _SIZE_BITS)):
            self._places[name] = number << _SIZE_BITS | size

    def _is_readable(self, number: int) -> bool:
        """Whether a restore would read this pack."""
        return self.told[number].state in (State.LISTED, State.FRAMES)

    def _state(self, key: str, packed: Packed) -> State:
        size = self._sizes.get(packed.pack)
        if size != packed.size:
            return State.MISSING if size is None else State.SIZE
        return State.LISTED if pack.fits(size, packed.frames, sealed=bool(key)) else State.FRAMES


def _identity(key: str, packed: Packed) -> bytes:
    return hashlib.blake2b(key.encode() + b" " + msgspec.json.encode(packed), digest_size=32).digest()
