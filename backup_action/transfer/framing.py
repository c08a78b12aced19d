"""Makes frames of what is new: the chunks that no pack has yet, compressed and sealed. In threads; holds no state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from backup_action.core import pack
from backup_action.core.pack import FRAME, Chunk
from backup_action.vault.packs import Packs

Made = tuple[bytes, list[Chunk]]  # a frame as it is stored, and its chunks in order


class Framing:
    """Collects chunks for a while and makes frames of them. For one thread at a time."""

    def __init__(self, packs: Packs, *, dry: bool) -> None:
        """`dry`: nothing is compressed, and no frame comes of it."""
        self.frames: list[Made] = []
        self._packs = packs
        self._dry = dry
        self._open: list[memoryview] = []
        self._chunks: list[Chunk] = []
        self._size = 0

    def take(self, chunks: Iterable[memoryview], whole: str = "") -> tuple[list[str], int]:
        """Names of a content's chunks, in order, and how many bytes of them are new. `whole` is the SHA-256 of the
        content where that is known, and it is one chunk.
        """
        names, new = [], 0
        for chunk in chunks:
            digest = bytes.fromhex(whole) if whole else hashlib.sha256(chunk).digest()
            name = self._packs.cipher.name(digest)
            names.append(name)
            if self._packs.claim(name):
                new += len(chunk)
                self._add(name, chunk)
        return names, new

    def _add(self, name: str, chunk: memoryview) -> None:
        if self._dry:
            return
        self._open.append(chunk)
        self._chunks.append(Chunk(name, len(chunk)))
        self._size += len(chunk)
        if self._size >= FRAME:
            self.close()

    @property
    def is_open(self) -> bool:
        """Whether there are chunks that no frame has yet."""
        return bool(self._chunks)

    def close(self) -> None:
        """Ends the frame that is open."""
        if self._chunks:
            self.frames.append((pack.compress(self._open, self._packs.cipher), self._chunks))
        self._open, self._chunks, self._size = [], [], 0
