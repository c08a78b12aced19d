"""An object of our own, however long: read a stretch at a time, and kept in segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.refusal import Refusal
from backup_action.core.segments import Keep, Segments

STRETCH: Final = 8 << 20  # bytes; what is no longer takes one request
SEGMENT: Final = 1 << 18  # bytes


class Whole(msgspec.Struct, frozen=True):
    """The object, and the headers that came with its first bytes."""

    headers: Mapping[str, str]
    segments: Segments


async def whole(bucket: Bucket, key: str, keep: Keep) -> Whole | None:
    """None where it is not there, or not there any more. Raises Stop."""
    answer = await bucket.get(key, first=STRETCH)
    if answer is None:
        return None
    segments = Segments(keep, _segments(answer.parts))
    size = _size(answer.headers, len(segments))
    try:
        while len(segments) < size:
            parts = await bucket.parts_of(key, len(segments), min(STRETCH, size - len(segments)), answer.etag)
            if not parts:
                break  # cut short: whoever reads it will tell
            for segment in _segments(parts):
                segments.append(segment)
    except Refusal:
        return None
    return Whole(answer.headers, segments)


def _segments(parts: Sequence[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for piece in (part[start : start + SEGMENT] for part in parts for start in range(0, len(part), SEGMENT)):
        waiting.append(piece)
        size += len(piece)
        if size >= SEGMENT:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _size(headers: Mapping[str, str], came: int) -> int:
    """The object's size, by `Content-Range: bytes 0-99/12345`; an answer without one holds all of it."""
    told = headers.get("Content-Range", "").rpartition("/")[2]
    return int(told) if told.isascii() and told.isdigit() else came
