"""A body that is too large to be held: read as it is sent, off the event loop, and from its start at every try.

It never comes to OSS whole if it is no longer what it was (law 4): its CRC-64 is looked at before its last bytes go.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import fastcrc

READ: Final = 1 << 20  # bytes that are read at a time of a body that is not held


class Unread(Exception):
    """What a body was to be read from failed, or (`error` is None) is no longer what it was."""

    def __init__(self, error: Exception | None) -> None:
        """`error` is what reading raised."""
        super().__init__(type(error).__name__)
        self.error = error


class Stream:
    """One such body; its length is known."""

    def __init__(self, size: int, crc64: int, read: Callable[[int, int], bytes]) -> None:
        """`read` gives so many bytes from an offset, and may be called in any thread; `crc64` is that of them all."""
        self._size = size
        self._crc64 = crc64
        self._read = read

    def __len__(self) -> int:
        return self._size

    def md5(self) -> str:
        """The body's MD5, in upper-case hex. Reads all of it; raises Unread."""
        digest = hashlib.md5(usedforsecurity=False)
        for data in self._chunks():
            digest.update(data)
        return digest.hexdigest().upper()

    async def pieces(self, most: int) -> AsyncIterator[memoryview]:
        """The body, at most so many bytes at a time. Raises Unread."""
        chunks = self._chunks()
        while data := await asyncio.to_thread(next, chunks, b""):
            view = memoryview(data)
            for start in range(0, len(view), most):
                yield view[start : start + most]

    def _chunks(self) -> Iterator[bytes]:
        crc64 = 0
        for start in range(0, self._size, READ):
            try:
                data = self._read(start, min(READ, self._size - start))
            except Exception as error:
                raise Unread(error) from None
            crc64 = fastcrc.crc64.xz(data, crc64)
            if start + READ >= self._size and crc64 != self._crc64:
                raise Unread(None)
            yield data
