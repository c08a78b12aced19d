"""Names that are needed: a set of 64-bit digests in at most 32 bytes each, however many there are.

It may take a name for one that it has (once in about 2**64 / n), and never the other way round: what is held in it is
kept, so a mistake keeps too much.
"""

from __future__ import annotations

import hashlib
from array import array
from typing import Final

_START: Final = 1 << 10  # places; a power of two
_FULL: Final = 2  # places for each name, at least


def of_version(key: str, version: str) -> int:
    """The digest of one version of a key. Keys hold no NUL."""
    return int.from_bytes(hashlib.blake2b(f"{key}\0{version}".encode(), digest_size=8).digest(), "big")


def of_content(sha256: str) -> int:
    """The digest of a content: the beginning of its SHA-256. Raises ValueError where it is none."""
    return int(sha256[:16], 16)


class Names:
    """The set. Only grows."""

    def __init__(self) -> None:
        """Begins empty."""
        self._places = array("Q", bytes(8 * _START))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, digest: int) -> bool:
        return self._places[self._place(digest or 1)] != 0

    def add(self, digest: int) -> bool:
        """Adds it; false where it was there. 0, which marks a free place, is taken as 1."""
        digest = digest or 1
        at = self._place(digest)
        if self._places[at]:
            return False
        self._places[at] = digest
        self._count += 1
        if self._count * _FULL > len(self._places):
            self._grow()
        return True

    def _place(self, digest: int) -> int:
        """Where it is, or the free place where it would be."""
        last = len(self._places) - 1
        at = (digest * 0x9E3779B97F4A7C15 >> 20) & last
        while self._places[at] not in (0, digest):
            at = (at + 1) & last
        return at

    def _grow(self) -> None:
        before, self._places = self._places, array("Q", bytes(16 * len(self._places)))
        for digest in before:
            if digest:
                self._places[self._place(digest)] = digest
