"""The bytes of one file that is open: written with holes where there are zeros, and read for their digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final

HOLE: Final = 64 << 10  # bytes; as many zeros are left out of a file that is written
PIECE: Final = 1 << 20  # bytes read at a time
GRAIN: Final = 4096  # bytes; of fewer zeros no file system makes a hole
_ZEROS: Final = bytes(HOLE)


def write(handle: int, data: bytes | memoryview, start: int = 0) -> int:
    """Writes all of it from `start`, leaving holes for long runs of zeros; gives where what was written ends."""
    view, begin, end = memoryview(data), 0, start
    for at in [*_holes(data), _end(data)]:
        while begin < at:
            begin += os.pwrite(handle, view[begin:at], start + begin)
            end = start + begin
        begin = at + HOLE
    return end


def write_all(handle: int, parts: Sequence[bytes | memoryview], start: int = 0) -> int:
    """The same of a content that came in parts."""
    end = start
    for part in parts:
        end = write(handle, part, start) if any_but_zeros(part) else end
        start += len(part)
    return end


def any_but_zeros(part: bytes | memoryview) -> bool:
    """Whether a part is to be written: one that is all zeros stays a hole, unless it is tiny."""
    return len(part) < GRAIN or bool(part[0]) or len(part) > HOLE or part != _ZEROS[: len(part)]


def _holes(data: bytes | memoryview) -> Iterator[int]:
    """Where runs of HOLE zeros begin, at multiples of HOLE."""
    for at in range(0, len(data) - HOLE + 1, HOLE):
        if not data[at] and not data[at + HOLE - 1] and data[at : at + HOLE] == _ZEROS:
            yield at


def _end(data: bytes | memoryview) -> int:
    """Where what is to be written ends: zeros behind the last whole block may go on in what follows."""
    rest = len(data) % HOLE
    is_hole = rest >= GRAIN and not data[-1] and data[-rest:] == _ZEROS[:rest]
    return len(data) - rest if is_hole else len(data)


def digest(handle: int, stopped: Callable[[], bool]) -> str:
    """SHA-256 of all that the handle has to read, or of less when it is stopped."""
    sha = hashlib.sha256()
    while not stopped() and (data := os.read(handle, PIECE)):
        sha.update(data)
    return sha.hexdigest()
