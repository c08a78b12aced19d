"""Contents of several chunks, hashed in their order while the packs that have them come by, each pack once.

Packs come in the order of their numbers, and a content's chunks lie in them one after the other as a rule: a backup
packs a file from its beginning on. A content whose next chunk is in a pack that has gone by is given up: to hash it,
that pack would have to be fetched again. Holds 32 bytes of each chunk of the contents on their way.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection

import msgspec

from backup_action.core import pack
from backup_action.core.cipher import Cipher
from backup_action.core.entry import Entry
from backup_action.core.holdings import Place
from backup_action.core.index import Packed
from backup_action.core.pack import Frame

Find = Callable[[bytes], Place | None]


class _Content(msgspec.Struct):
    """One on its way: its chunks' names, how many were hashed, and what digest it must have."""

    which: bytes
    names: list[bytes]
    sha256: str
    sha: hashlib._Hash = msgspec.field(default_factory=hashlib.sha256)
    at: int = 0


class Sequences:
    """Of one vault. `expect` contents, then let the packs come by; not to be called from two threads at a time."""

    def __init__(self) -> None:
        """Expects nothing yet."""
        self._found: dict[bytes, bool | None] = {}
        self._waiting: defaultdict[int, list[_Content]] = defaultdict(list)

    def expect(self, entry: Entry, find: Find, coming: Collection[int]) -> None:
        """Takes in a content of several chunks, if all packs that it needs are among those that will come by."""
        which = _which(entry)
        if len(entry.chunks) < 2 or which in self._found:
            return
        names = [bytes.fromhex(name) for name in entry.chunks]
        places = [find(name) for name in names]
        if all(place is not None and place.told in coming for place in places):
            self._found[which] = None
            self._wait(_Content(which, names, entry.sha256), -1, find)

    def pass_by(self, number: int, data: bytes, packed: Packed, cipher: Cipher, find: Find) -> None:
        """Hashes what a pack has of the contents that wait for it. Every chunk in it is known to be sound."""
        if waiting := self._waiting.pop(number, None):
            frames = _Frames(data, packed, cipher)
            for content in waiting:
                while _next(content, find) == number:
                    content.sha.update(frames.chunk(content.names[content.at]))
                    content.at += 1
                self._wait(content, number, find)

    def is_whole(self, entry: Entry) -> bool | None:
        """Whether a content has its digest; None where it could not be hashed in its order."""
        return self._found.get(_which(entry))

    def _wait(self, content: _Content, number: int, find: Find) -> None:
        """Has a content wait for the pack of its next chunk, unless that has gone by, or it has come to its end."""
        following = _next(content, find)
        if following < 0:
            self._found[content.which] = content.sha.hexdigest() == content.sha256
        elif following > number:
            self._waiting[following].append(content)


class _Frames:
    """The chunks of a pack by name; the last frame that was unpacked is kept."""

    def __init__(self, data: bytes, packed: Packed, cipher: Cipher) -> None:
        self._data = memoryview(data)
        self._cipher = cipher
        self._places: dict[bytes, tuple[Frame, int, int, int]] = {}
        self._last: tuple[int, memoryview] = (-1, memoryview(b""))
        start = 0
        for frame in packed.frames:
            at = 0
            for chunk in frame.chunks:
                self._places[bytes.fromhex(chunk.name)] = (frame, start, at, at + chunk.size)
                at += chunk.size
            start += frame.stored

    def chunk(self, name: bytes) -> memoryview:
        frame, start, first, end = self._places[name]
        if self._last[0] != start:
            piece = bytes(self._data[start : start + frame.stored])
            self._last = start, memoryview(pack.unpack(piece, frame, self._cipher))
        return self._last[1][first:end]


def _next(content: _Content, find: Find) -> int:
    """The number of the pack that has a content's next chunk; -1 at its end."""
    if content.at == len(content.names):
        return -1
    place = find(content.names[content.at])
    assert place is not None  # noqa: S101  (`expect` has looked)
    return place.told


def _which(entry: Entry) -> bytes:
    told = "".join((entry.sha256, *entry.chunks)).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(told, digest_size=16).digest()
