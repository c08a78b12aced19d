"""The bytes of objects: pieces held in memory or in files, their digests, and reading any range of them.

A simple object is one piece; a multipart object keeps its parts as they came, so completing one copies nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastcrc import crc64

BLOCK = 1 << 20  # bytes read from a file, or handed to the network, at a time


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of bytes that never changes: `data`, or (where the store has a folder) the file `name`."""

    size: int
    data: bytes = b""
    name: str = ""


Pieces = tuple[Piece, ...]


class Shelf:
    """Where pieces are kept: in memory, or below a folder, one file for each, with random names."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def keep(self, data: bytes) -> Piece:
        """Stores `data`, whole or (if the disk fails: OSError) not at all."""
        if self.folder is None:
            return Piece(len(data), data)
        name = secrets.token_hex(16)
        path = self._path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return Piece(len(data), name=name)

    def drop(self, piece: Piece) -> None:
        """Forgets a piece that nothing names any more."""
        if piece.name:
            self._path(piece.name).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """The names of all files, for finding those that nothing names."""
        if self.folder is not None:
            yield from (path.name for path in self.folder.glob("??/*"))

    def _path(self, name: str) -> Path:
        assert self.folder is not None, "a piece with a name comes from a shelf with a folder"  # noqa: S101
        return self.folder / name[:2] / name

    def read(self, pieces: Pieces, start: int, length: int) -> Iterator[bytes | memoryview]:
        """The `length` bytes from `start`, in blocks of at most BLOCK."""
        for piece in pieces:
            if length <= 0:
                return
            if start >= piece.size:
                start -= piece.size
                continue
            count = min(length, piece.size - start)
            yield from self._blocks(piece, start, count)
            length -= count
            start = 0

    def _blocks(self, piece: Piece, start: int, length: int) -> Iterator[bytes | memoryview]:
        if not piece.name:
            view = memoryview(piece.data)
            for at in range(start, start + length, BLOCK):
                yield view[at : min(at + BLOCK, start + length)]
            return
        with self._path(piece.name).open("rb") as file:
            file.seek(start)
            while length > 0:
                block = file.read(min(BLOCK, length))
                yield block
                length -= len(block)

    def whole(self, pieces: Pieces) -> bytes:
        """All bytes; without a copy where they are one piece in memory."""
        if len(pieces) == 1 and not pieces[0].name:
            return pieces[0].data
        return b"".join(self.read(pieces, 0, size_of(pieces)))

    def crc(self, pieces: Pieces) -> int:
        """CRC-64 of all bytes."""
        return crc_of(self.read(pieces, 0, size_of(pieces)))


def size_of(pieces: Pieces) -> int:
    """Bytes in all."""
    return sum(piece.size for piece in pieces)


def crc_of(blocks: Iterable[bytes | memoryview]) -> int:
    """CRC-64/XZ, as in `x-oss-hash-crc64ecma`; 0 for no bytes."""
    value: int | None = None
    for block in blocks:
        value = crc64.xz(block, value) if value is not None else crc64.xz(block)
    return value or 0


def md5_of(data: bytes | bytearray) -> bytes:
    """The digest that ETags are made of."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def simple_etag(md5: bytes) -> str:
    """The ETag, without its quotes, of an object that was put in one request."""
    return md5.hex().upper()


def multipart_etag(digests: Sequence[bytes]) -> str:
    """The ETag of parts put together: no MD5 of the content, and `-N` says of how many."""
    return f"{simple_etag(md5_of(b''.join(digests)))}-{len(digests)}"
