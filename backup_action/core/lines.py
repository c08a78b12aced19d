"""Lines in one zstd frame, as snapshots, indexes and lists of tombstones have them: read a few at a time.

A frame comes from outside: it is unpacked in pieces so small that even the densest stays small, a line has a longest,
and a frame that is cut short or followed by anything is no frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import zstandard

from backup_action.core.segments import Segments

PIECE: Final = 4096  # bytes unpacked at a time: even the densest frame then stays under 128 MiB


class Broken(ValueError):
    """These bytes are no such frame; the text says why."""


def lines(data: bytes | Segments, longest: int, *, whole: bool = True) -> Iterator[bytes]:
    """The lines of a frame, without newlines. `longest` is in bytes; not `whole`: what its first bytes hold.

    Raises Broken.
    """
    frame = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    pieces = _pieces(data)
    begun: list[bytes] = []  # of a line
    size = 0
    try:
        while not frame.eof and (piece := next(pieces, b"")):
            *ended, rest = frame.decompress(piece).split(b"\n")
            if ended:
                yield b"".join([*begun, ended[0]])
                yield from ended[1:]
                begun, size = [], 0
            begun.append(rest)
            size += len(rest)
            if size > longest:
                raise Broken("a line is longer than any that this program writes")
    except zstandard.ZstdError as error:
        raise Broken(f"it is no whole zstd frame: {error}") from None
    if whole and (not frame.eof or frame.unused_data or next(pieces, b"") or size):
        raise Broken("it is cut short, or something follows its end")


def _pieces(data: bytes | Segments) -> Iterator[bytes]:
    for segment in (data,) if isinstance(data, bytes) else data:
        for start in range(0, len(segment), PIECE):
            yield segment[start : start + PIECE]
