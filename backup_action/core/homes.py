"""Which pack of a vault each chunk that is needed is at home in; pure, and in bounded memory.

A chunk may lie in several packs. Its home is the best of them by rank, and only there it counts: so a pack all of whose
needed chunks are at home elsewhere is needed for nothing. Names are held by their first 128 bits, in at most 80 bytes
each, the home included.
"""

from __future__ import annotations

from array import array
from typing import Final, NamedTuple

from backup_action.core.index import Packed
from backup_action.core.snapshot import Snapshot

_START: Final = 1 << 10  # places; a power of two
_FULL: Final = 2  # places for each name, at least
_WORD: Final = (1 << 64) - 1


class Needed:
    """Names of chunks: a set that only grows."""

    def __init__(self) -> None:
        """Begins empty."""
        self._high = array("Q", bytes(8 * _START))  # 0 marks a free place
        self._low = array("Q", bytes(8 * _START))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def read(self, snapshot: Snapshot) -> None:
        """Adds all chunks that a snapshot names, whatever the entry is. Not for the event loop. Raises ValueError."""
        for entry in snapshot.entries():
            for name in entry.chunks:
                self.add(name)

    def add(self, name: str) -> None:
        """Adds the name of a chunk, which is 64 hex digits."""
        high, low = _words(name)
        at = self._find(high, low)
        if not self._high[at]:
            self._high[at], self._low[at] = high, low
            self._count += 1
            if self._count * _FULL > len(self._high):
                self._grow()

    def place(self, name: str) -> int:
        """Where it is, until another is added; -1 where it is not needed."""
        at = self._find(*_words(name))
        return at if self._high[at] else -1

    def has_any(self, packed: Packed) -> bool:
        """Whether a pack has one of them."""
        return any(self.place(chunk.name) >= 0 for frame in packed.frames for chunk in frame.chunks)

    @property
    def places(self) -> int:
        """How many places there are."""
        return len(self._high)

    def _find(self, high: int, low: int) -> int:
        last = len(self._high) - 1
        at = (high * 0x9E3779B97F4A7C15 >> 20) & last
        while self._high[at] and (self._high[at] != high or self._low[at] != low):
            at = (at + 1) & last
        return at

    def _grow(self) -> None:
        before = zip(self._high, self._low, strict=True)
        size = 2 * len(self._high)
        self._high, self._low = array("Q", bytes(8 * size)), array("Q", bytes(8 * size))
        for high, low in before:
            if high:
                at = self._find(high, low)
                self._high[at], self._low[at] = high, low


class Weight(NamedTuple):
    """Bytes of a pack's chunks before compression: of those that are at home in it, and of all."""

    needed: int
    whole: int


class Homes:
    """The homes of what is needed. First every pack is offered, then each may be weighed."""

    def __init__(self, needed: Needed) -> None:
        """Nothing may be added to `needed` any more."""
        self._needed = needed
        self._best = array("I", bytes(4 * needed.places))  # a pack's rank; 0 for none
        self._housed = 0

    @property
    def lacking(self) -> int:
        """How many chunks that are needed no pack has that was offered."""
        return len(self._needed) - self._housed

    def offer(self, packed: Packed, rank: int) -> None:
        """A pack that is there. Ranks are of one pack each, from 1, the best."""
        for frame in packed.frames:
            for chunk in frame.chunks:
                at = self._needed.place(chunk.name)
                if at >= 0:
                    best = self._best[at]
                    self._housed += not best
                    if not best or rank < best:
                        self._best[at] = rank

    def has(self, name: str, rank: int) -> bool:
        """Whether a chunk is needed, and at home in the pack of this rank."""
        at = self._needed.place(name)
        return at >= 0 and self._best[at] == rank

    def weigh(self, packed: Packed, rank: int) -> Weight:
        """What is at home in a pack."""
        needed = whole = 0
        for frame in packed.frames:
            for chunk in frame.chunks:
                whole += chunk.size
                needed += chunk.size * self.has(chunk.name, rank)
        return Weight(needed, whole)


def _words(name: str) -> tuple[int, int]:
    told = int(name[:32], 16)
    return told >> 64 or 1, told & _WORD
