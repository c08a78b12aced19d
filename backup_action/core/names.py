"""Sets of names that only grow and take little room, however many there are.

| set | of | bytes each | exact |
|---|---|---|---|
| `Names` | 64-bit digests | 32 at most | no: it may take a name for one that it has (once in about 2**64 / n) |
| `Digests` | 256-bit digests | 36 | yes |

Neither ever says that it has not what it has. `Names` is for what is kept, where a mistake keeps too much.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from typing import Final

_START: Final = 1 << 10  # places; a power of two
_FULL: Final = 2  # places for each name, at least
_ROWS: Final = 1 << 12
_SIZE: Final = 32  # bytes of a digest


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


class Digests:
    """SHA-256 digests, or what is as long and as evenly spread: one behind the other, in rows by how they begin."""

    def __init__(self) -> None:
        """Begins empty."""
        self._rows = [bytearray() for _ in range(_ROWS)]

    def __len__(self) -> int:
        return sum(map(len, self._rows)) // _SIZE

    def __iter__(self) -> Iterator[bytes]:
        for row in self._rows:
            for at in range(0, len(row), _SIZE):
                yield bytes(row[at : at + _SIZE])

    def __contains__(self, digest: bytes) -> bool:
        row = self._rows[digest[0] << 4 | digest[1] >> 4]
        at = row.find(digest)
        while at > 0 and at % _SIZE:  # the end of one and the beginning of the next
            at = row.find(digest, at + 1)
        return at >= 0

    def add(self, digest: bytes) -> bool:
        """Adds it, all 32 bytes; false where it was there."""
        if digest in self:
            return False
        self._rows[digest[0] << 4 | digest[1] >> 4] += digest
        return True
