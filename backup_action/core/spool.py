"""A pile of values too long to hold: kept packed, read back in order as often as one likes.

A million scanned files take about 30 MB this way: in memory, or wherever `keep` puts them.
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


class Spool(Generic[T]):
    """An append-only sequence of one kind of Struct.

    Packed by pickle, which keeps the surrogate escapes of names that are no UTF-8; what is unpacked is what was packed
    here.
    """

    def __init__(self, kind: type[T], values: Iterable[T] = (), keep: Keep = in_memory) -> None:
        """Begins with `values`. `keep` takes the packed segments, and gives them back as they were."""
        self._kind = kind
        self._packed = Segments(keep)
        self._open: list[T] = []
        self._count = 0
        for value in values:
            self.append(value)

    def append(self, value: T) -> None:
        """Adds one value at the end."""
        self._open.append(value)
        self._count += 1
        if len(self._open) == SEGMENT:
            self.pack()

    def pack(self) -> None:
        """Packs the last values too: for one spool of many that has come to its end."""
        if self._open:
            rows = [msgspec.structs.astuple(value) for value in self._open]
            packed = zstandard.compress(pickle.dumps(rows, 5), 1)
            self._packed.append(bytes(memoryview(packed)))  # what zstd gives has the room of what it was given
            self._open = []

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        for packed in self._packed:
            for row in pickle.loads(zstandard.decompress(packed)):  # noqa: S301  (our own bytes)
                yield self._kind(*row)
        yield from self._open
