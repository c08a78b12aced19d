"""The index: which pack has which chunks, as JSON lines in one zstd frame. This is format 1.

| line | holds |
|---|---|
| first | `{"format": "oss-backup-index/1", "supersedes": [ids of indexes whose packs all stand here]}` |
| each further | one pack: `{"pack": …, "size": bytes, "frames": [[bytes, [[chunk, size], …]], …]}` |

Each run writes one of the packs that it made, under its snapshot's id and a number. A pack that an index tells of
counts only while the bucket's listing has it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec
import zstandard

from backup_action.core.lines import Broken, lines
from backup_action.core.pack import Frame, Name
from backup_action.core.segments import Segments

FORMAT: Final = "oss-backup-index/1"
LEVEL: Final = 3
LINE_MAX: Final = 32 << 20  # bytes of one line; a pack's is shorter, see `pack.CHUNKS`


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line."""

    format: str
    supersedes: list[str] = []


class Packed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pack: its name (the SHA-256 of its bytes), its size in bytes, and its frames in order."""

    pack: Name
    size: Annotated[int, msgspec.Meta(ge=1)]
    frames: list[Frame]


class Unreadable(ValueError):
    """These bytes are no index that this program knows; the text says why."""


_packed = msgspec.json.Decoder(Packed).decode


def shut(packed: Packed) -> bytes:
    """One pack, made small for as long as it waits for an index: each chunk takes 40 bytes, not 250."""
    return bytes(memoryview(zstandard.compress(msgspec.json.encode(packed), LEVEL)))  # see `Spool`


def opened(small: bytes) -> Packed:
    """Undoes `shut`."""
    return _packed(zstandard.decompress(small))


def encode(packs: Iterable[Packed], supersedes: list[str] | None = None) -> bytes:
    """An index of these packs."""
    frame = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
    rows = itertools.chain([Head(FORMAT, supersedes or [])], packs)
    return b"".join([*(frame.compress(msgspec.json.encode(row) + b"\n") for row in rows), frame.flush()])


def head(data: bytes | Segments) -> Head:
    """The first line. Raises Unreadable."""
    try:
        found = msgspec.json.decode(next(_lines(data), b""), type=Head)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(f"its first line is no head: {error}") from None
    if found.format != FORMAT:
        raise Unreadable(f"its format is {found.format[:40]!r}, and this program knows {FORMAT!r}")
    return found


def packs(data: bytes | Segments) -> Iterator[Packed]:
    """The packs, one at a time. Raises Unreadable."""
    head(data)
    rows = _lines(data)
    try:
        next(rows)
        yield from map(_packed, rows)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(f"it is damaged: {error}") from None


def _lines(data: bytes | Segments) -> Iterator[bytes]:
    """The lines of a whole frame, a few at a time. Raises Unreadable."""
    try:
        yield from lines(data, LINE_MAX)
    except Broken as error:
        raise Unreadable(str(error)) from None
