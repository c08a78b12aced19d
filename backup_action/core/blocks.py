"""Bytes in blocks, in order, each wherever `keep` puts it: in memory, or where a long run has more room for them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

Keep: TypeAlias = Callable[[bytes], Callable[[], bytes]]  # takes a block away, and gives what brings it back


def in_memory(block: bytes) -> Callable[[], bytes]:
    """Keeps a block as it is."""
    return lambda: block


class Blocks:
    """An append-only row of blocks, read as often as one likes. Whoever reads has one of them in memory at a time."""

    def __init__(self, keep: Keep = in_memory, blocks: Iterable[bytes] = ()) -> None:
        """Begins with `blocks`."""
        self._keep = keep
        self._kept: list[Callable[[], bytes]] = []
        self._size = 0
        for block in blocks:
            self.append(block)

    def append(self, block: bytes) -> None:
        """Adds one at the end."""
        self._kept.append(self._keep(block))
        self._size += len(block)

    def __len__(self) -> int:
        """Bytes of them all."""
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return (fetch() for fetch in self._kept)

    def __bytes__(self) -> bytes:
        """All of them in one piece, which is made in its place: neither all blocks lie beside it nor does it grow."""
        whole = io.BytesIO(bytes(self._size))
        for block in self:
            whole.write(block)
        return whole.getvalue()
