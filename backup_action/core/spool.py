"""A pile of values that may be too long to hold: then kept packed, and read back in order as often as one likes.

A million scanned files take about 30 MB this way: in memory, or wherever `keep` puts them. Where they are
few they may stay as they are: to pack and to unpack them takes longer than most that is done to them.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import msgspec
import zstandard

from backup_action.core.segments import Keep, Segments, in_memory

T = TypeVar("T", bound=msgspec.Struct)
SEGMENT = 4096  # values packed together
LOOSE = 4 * SEGMENT  # values that may stay as they are, where they are small: about 10 MB of what a scan finds


class Spool(Generic[T]):
    """An append-only sequence of one kind of Struct.

    Packed by pickle, which keeps the surrogate escapes of names that are no UTF-8; what is unpacked is what was packed
    here.
    """

    def __init__(self, kind: type[T], values: Iterable[T] = (), keep: Keep = in_memory, loose: int = 0) -> None:
        """Begins with `values`. `keep` takes the packed segments, and gives them back as they were.

        `loose`: up to so many values none is packed; of more all are, but for those of the last segment.
        """
        self._kind = kind
        self._packed = Segments(keep)
        self._open: list[T] = []
        self._count = 0
        self._loose = loose
        for value in values:
            self.append(value)

    def append(self, value: T) -> None:
        """Adds one value at the end."""
        self._open.append(value)
        self._count += 1
        if len(self._open) >= SEGMENT and self._count > self._loose:
            self._pack(SEGMENT)

    def close(self) -> None:
        """Has the last values packed too, if any are: for one spool of many that has come to its end."""
        if self._count > self._loose:
            self._pack(1)

    def _pack(self, least: int) -> None:
        """Packs what is open in segments of at least so many values."""
        while len(self._open) >= least:
            rows = [msgspec.structs.astuple(value) for value in self._open[:SEGMENT]]
            packed = zstandard.compress(pickle.dumps(rows, 5), 1)
            self._packed.append(bytes(memoryview(packed)))  # what zstd gives has the room of what it was given
            self._open = self._open[SEGMENT:]

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        for packed in self._packed:
            for row in pickle.loads(zstandard.decompress(packed)):  # noqa: S301  (our own bytes)
                yield self._kind(*row)
        yield from self._open
