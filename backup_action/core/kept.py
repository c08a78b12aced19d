"""Which contents the history has, packed: 48 bytes each, so that a million take 48 MB and are found in 20 steps."""

from __future__ import annotations

import bisect
import hashlib
from typing import Final

from backup_action.core.entry import Entry
from backup_action.core.stored import Stored

_SHA: Final = 32
_ROW: Final = 48  # SHA-256, size, and half of a digest of the ETag


class KeptContents:
    """The listing of the history, in its own order, which is that of SHA-256."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self._rows = bytearray()

    def __len__(self) -> int:
        return len(self._rows) // _ROW

    def add(self, stored: Stored) -> None:
        """Adds an object, its key being `<2 hex>/<sha256>`; any other is none of ours, and passed over."""
        folder, _, name = stored.key.partition("/")
        sha = _sha(name)
        if sha and name.startswith(folder) and len(folder) == 2 and 0 <= stored.size < 1 << 64:
            self._rows += sha + stored.size.to_bytes(8) + _short(stored.etag)

    def look(self, entry: Entry) -> tuple[bool, bool]:
        """Whether there is an object of the entry's content and size, and whether it has the entry's ETag too."""
        sha = _sha(entry.sha256)
        row = self._row(bisect.bisect_left(range(len(self)), sha, key=lambda at: self._row(at)[:_SHA]))
        if not sha or row[:_SHA] != sha or int.from_bytes(row[_SHA:-8]) != entry.size:
            return False, False
        return True, bool(entry.etag) and row[-8:] == _short(entry.etag)

    def _row(self, at: int) -> bytes:
        return bytes(self._rows[at * _ROW : (at + 1) * _ROW])


def _sha(text: str) -> bytes:
    """The digest that a text in lower-case hex is; nothing for any other."""
    try:
        sha = bytes.fromhex(text)
    except ValueError:
        return b""
    return sha if len(sha) == _SHA and sha.hex() == text else b""


def _short(etag: str) -> bytes:
    return hashlib.blake2b(etag.encode("utf-8", "surrogateescape"), digest_size=8).digest()
