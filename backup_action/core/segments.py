"""Bytes in segments, in order, each wherever `keep` puts it: in memory, or where a long run has more room for them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

Keep: TypeAlias = Callable[[bytes], Callable[[], bytes]]  # takes a segment away, and gives what brings it back


def in_memory(segment: bytes) -> Callable[[], bytes]:
    """Keeps a segment as it is."""
    return lambda: segment


class Segments:
    """An append-only row of segments, read as often as one likes. Whoever reads has one of them in memory at a time."""

    def __init__(self, keep: Keep = in_memory, segments: Iterable[bytes] = ()) -> None:
        """Begins with `segments`."""
        self._keep = keep
        self._kept: list[Callable[[], bytes]] = []
        self._size = 0
        for segment in segments:
            self.append(segment)

    def append(self, segment: bytes) -> None:
        """Adds one at the end."""
        self._kept.append(self._keep(segment))
        self._size += len(segment)

    def __len__(self) -> int:
        """Bytes of them all."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return (fetch() for fetch in self._kept)

    def __bytes__(self) -> bytes:
        """All of them in one piece, which is made in its place: neither all segments lie beside it nor does it grow."""
        whole = io.BytesIO(bytes(self._size))
        for segment in self:
            whole.write(segment)
        return whole.getvalue()
