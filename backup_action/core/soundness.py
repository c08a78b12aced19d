"""Whether the bytes of a pack are what its name, its own directory, and an index say of it."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from backup_action.core import pack
from backup_action.core.cipher import Cipher
from backup_action.core.index import Packed
from backup_action.core.pack import Broken


class Sound(NamedTuple):
    """What came of one pack. `bad` are the chunks that are not there as the index says, by their names."""

    is_itself: bool = True  # its bytes have the SHA-256 that is its name
    fault: str = ""  # why its directory cannot be read
    is_as_told: bool = True  # its directory says what the index says
    bad: frozenset[bytes] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong with it, or with what the index says."""
        return self.is_itself and not self.fault and self.is_as_told and not self.bad

    @property
    def is_misled(self) -> bool:
        """Whether the pack is as it was written, and it is the index that is wrong."""
        return self.is_itself and not self.fault and not self.is_as_told


def inspect(data: bytes, packed: Packed, cipher: Cipher) -> Sound:
    """Looks at a whole pack: its name, its directory, each frame, each chunk. Memory: one frame besides `data`."""
    is_itself = hashlib.sha256(data).hexdigest() == packed.pack
    fault, is_as_told = "", True
    try:
        is_as_told = pack.directory(data, cipher) == packed.frames
    except Broken as error:
        fault = str(error)
    bad: set[bytes] = set()
    at = 0
    view = memoryview(data)
    for frame in packed.frames:
        bad |= _bad(bytes(view[at : at + frame.stored]), frame, cipher)
        at += frame.stored
    return Sound(is_itself, fault, is_as_told, frozenset(bad))


def _bad(piece: bytes, frame: pack.Frame, cipher: Cipher) -> set[bytes]:
    """The chunks of a frame that are not what their names say."""
    try:
        plain = memoryview(pack.unpack(piece, frame, cipher))
    except Broken:
        return {bytes.fromhex(chunk.name) for chunk in frame.chunks}
    bad, at = set(), 0
    for chunk in frame.chunks:
        if cipher.name(hashlib.sha256(plain[at : at + chunk.size]).digest()) != chunk.name:
            bad.add(bytes.fromhex(chunk.name))
        at += chunk.size
    return bad


def better(one: Sound, other: Sound) -> Sound:
    """Of two looks at one pack what both saw: what was altered on the way once is no damage."""
    is_itself, is_as_told = one.is_itself or other.is_itself, one.is_as_told or other.is_as_told
    return Sound(is_itself, one.fault and other.fault, is_as_told, one.bad & other.bad)


def makes_up(sha256: str, names: list[str], cipher: Cipher) -> bool:
    """Whether a content's digest and its chunks can belong together, as far as that shows without the content.

    The name of an only chunk comes from the digest of the whole; of none the digest is that of nothing.
    """
    try:
        digest = bytes.fromhex(sha256)
    except ValueError:
        return False
    if not names:
        return digest == hashlib.sha256().digest()
    return len(names) > 1 or cipher.name(digest) == names[0]
