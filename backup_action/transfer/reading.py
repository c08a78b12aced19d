"""A large file read once, part by part, and hashed on the way."""

from __future__ import annotations

import hashlib

import msgspec
import xxhash

from backup_action.adapters.files.read import crc64, is_racy, pieces
from backup_action.core import checksum
from backup_action.core.alarm import is_dense
from backup_action.core.entry import BLOCKS_FROM, Blocks, Entry, block_size
from backup_action.core.found import Found, entry
from backup_action.core.parts import part_size


class Reading:
    """One pass over a large file, part by part, hashed on the way."""

    def __init__(self, handle: int, found: Found, part: int) -> None:
        """`found` is the file as its handle says it is."""
        self._handle = handle
        self._found = found
        self._block = block_size(found.size)
        self.part = part_size(found.size, part)  # bytes; whole blocks, since it is held in memory
        self.count = max(1, -(-found.size // self.part))
        self._at = 0
        self._dense = False
        self.crcs: list[int] = []  # CRC-64 of each part that was read
        self._sizes: list[int] = []
        self._sha, self._digests = hashlib.sha256(), bytearray()
        self._racy = is_racy(found)

    def next(self) -> bytes:
        """The next part. Raises Unstable when the file has become shorter."""
        size = min(self.part, self._found.size - self._at)
        data = b"".join(pieces(self._handle, self._at, size, self.part))
        if not self._at:
            self._dense = is_dense(self._found.path, memoryview(data))
        self._sha.update(data)
        self.crcs.append(crc64(data))
        self._sizes.append(size)
        view = memoryview(data)
        for start in range(0, size, self._block):
            self._digests += xxhash.xxh3_128_digest(view[start : start + self._block])
        self._at += size
        return data

    def finish(self) -> Entry:
        """The entry of what was read."""
        crc = checksum.whole(zip(self.crcs, self._sizes, strict=True))
        read_as = entry(self._found, self._sha.hexdigest(), crc, racy=self._racy)
        large = self._found.size > BLOCKS_FROM
        blocks = Blocks(self._block, bytes(self._digests)) if large else None
        return msgspec.structs.replace(read_as, blocks=blocks, dense=self._dense)
