"""Sources: contents that the bucket has under keys of ours, so that a copy on the server can take an upload's place.

The index is a hint and proves nothing: the object may be gone or replaced since, which the ETag shows when it is
copied, and the copy is proven by itself (law 3).

Memory is bounded: at most `MOST` contents of at least `FROM` bytes, each packed into some 400 bytes with all that keys
it, so some 40 MB, and 55 for a moment. When there are more, the smaller half is given up, and from then on only larger
ones are taken in: a content is found whenever fewer than half of `MOST` others are as large as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from backup_action.core.entry import BLOCK, Blocks

# Bytes. A smaller body goes out with its headers in about one flight of TCP (ten segments, RFC 6928): its PUT takes no
# longer than a copy, costs as much, and proves itself.
FROM: Final = 16 << 10
MOST: Final = 100_000  # contents
_SIZE: Final = 8  # bytes of a size in a fingerprint
_DIGEST: Final = 16  # bytes of an XXH3-128


class Source(msgspec.Struct, frozen=True, array_like=True):
    """One object that has a content: its key below the prefix, and what names it there."""

    key: str
    etag: str
    version: str  # "" or "null" where it has none of its own
    size: int


def fingerprint(size: int, first: bytes = b"") -> bytes:
    """What a large file shows before it is read: its size, and the XXH3-128 of its first block.

    Of a source that has no digest of it, the size alone. Few files with one fingerprint are different.
    """
    return size.to_bytes(_SIZE, "big") + first


class _Line(msgspec.Struct):
    """An entry's line (`core.entry`), as far as it says what lies under its key: only then has it an ETag."""

    path: str
    key: str = ""
    place: str = ""
    size: int = 0
    sha256: str = ""
    version: str = ""
    etag: str = ""
    blocks: Blocks | None = None

    @property
    def first(self) -> bytes:
        """XXH3-128 of its first block; b"" for files up to `BLOCKS_FROM`, and for those with larger blocks."""
        return self.blocks.digests[:_DIGEST] if self.blocks and self.blocks.size == BLOCK else b""


_read = msgspec.json.Decoder(_Line).decode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Source).decode


class Sources:
    """One source for each content."""

    def __init__(self, most: int = MOST) -> None:
        """Holds at most `most`."""
        self._most = most
        self._least = FROM  # bytes of the smallest content that is taken in
        self._packed: dict[bytes, bytes] = {}  # by SHA-256
        self._fingerprints: set[bytes] = set()  # of what is held, or was

    def __len__(self) -> int:
        return len(self._packed)

    def learn(self, lines: Iterable[bytes]) -> None:
        """Takes in what the lines of a snapshot say to lie in the bucket: files, and what is gone from the disk too.

        What is known stays. A line is read for the little that is asked of it: half the time that an entry takes.
        """
        for line in map(_read, lines):
            if line.size >= self._least and line.etag and bytes.fromhex(line.sha256) not in self._packed:
                key = line.key or line.place or line.path
                self.add(line.sha256, Source(key, line.etag, line.version, line.size), line.first)

    def add(self, sha256: str, source: Source, first: bytes = b"") -> None:
        """Takes in one, in the place of what was known for that content. `first` is for its fingerprint."""
        if source.size < self._least:
            return
        self._packed[bytes.fromhex(sha256)] = _pack(source)
        self._fingerprints.add(fingerprint(source.size, first))
        if len(self._packed) > self._most:
            self._halve()

    def may_have(self, size: int, first: bytes) -> bool:
        """Whether a content of this fingerprint may be found: without it no file needs to be hashed for that."""
        return fingerprint(size, first) in self._fingerprints or fingerprint(size) in self._fingerprints

    def find(self, sha256: str, size: int) -> Source | None:
        """Where a content lies."""
        packed = self._packed.get(bytes.fromhex(sha256))
        source = _unpack(packed) if packed is not None else None
        return source if source is not None and source.size == size else None

    def forget(self, sha256: str, source: Source) -> None:
        """Takes one out that is there no longer, if it is still the one that is known."""
        name = bytes.fromhex(sha256)
        if self._packed.get(name) == _pack(source):
            del self._packed[name]

    def _halve(self) -> None:
        sizes = sorted(_unpack(packed).size for packed in self._packed.values())
        middle = sizes[len(sizes) // 2]
        room = sum(size == middle for size in sizes[len(sizes) // 2 :])  # of this very size as many as make up the half
        kept = {}
        for name, packed in self._packed.items():
            size = _unpack(packed).size
            room -= size == middle
            if size > middle or (size == middle and room >= 0):
                kept[name] = packed
        self._packed = kept
        self._fingerprints = {one for one in self._fingerprints if int.from_bytes(one[:_SIZE], "big") >= middle}
        self._least = middle + 1
