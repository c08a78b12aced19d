"""What is sent, in the pieces in which it lies in memory or elsewhere: put together first, it would lie there twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import fastcrc


class Body:
    """Bytes, one piece after the other. Sent as often as it takes: nothing is used up."""

    __slots__ = ("_size", "pieces")

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """`pieces` are gone through again and again, and are the same each time."""
        self.pieces = pieces
        self._size = sum(map(len, pieces))

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def crc64(self) -> int:
        """CRC-64 of all of it, as OSS counts it."""
        crc = 0
        for piece in self.pieces:
            crc = fastcrc.crc64.xz(piece, crc)
        return crc

    @property
    def sha256(self) -> str:
        """SHA-256 of all of it, in hex."""
        digest = hashlib.sha256()
        for piece in self.pieces:
            digest.update(piece)
        return digest.hexdigest()

    @property
    def md5(self) -> str:
        """MD5 of all of it, as the ETag of a simple object is: hex in capitals."""
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self.pieces:
            digest.update(piece)
        return digest.hexdigest().upper()

    def views(self, size: int) -> Iterator[memoryview]:
        """All of it, at most `size` bytes at a time, without a copy."""
        for piece in self.pieces:
            view = memoryview(piece)
            for start in range(0, len(view), size):
                yield view[start : start + size]
