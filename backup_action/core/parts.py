"""The parts of a large file: how it is divided into those of one multipart upload, within OSS's limits.

A file that nothing is known of is cut into parts of one size. One whose last content lies in the bucket is a row of
stretches: what has the same digests is copied on the server, what has not is sent. Blocks are compared at their own
place only, so what was shifted is sent.

Limits: parts of 100 KiB to 5 GiB, the last may be smaller; at most 10,000 of them; an object of at most 48.8 TB
(https://www.alibabacloud.com/help/en/oss/user-guide/limits). A block has 1 MiB at least, so only the last is smaller.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from backup_action.core import checksum
from backup_action.core.entry import Blocks, block_size

PARTS_MAX: Final = 10_000
PART_MIN: Final = 100 << 10  # bytes; of every part but the last
PART_MAX: Final = 5 << 30  # bytes; of one that is sent and of one that is copied
SIZE_MAX: Final = PARTS_MAX * PART_MAX  # bytes: OSS's 48.8 TB
HELD_MAX: Final = 64 << 20  # bytes; a larger part is read as it is sent, not held
_GRAIN: Final = 1 << 30  # bytes
_DIGEST: Final = 16  # bytes of a block's XXH3-128


class Stretch(msgspec.Struct, frozen=True):
    """One part: `size` bytes of the file from `start`, sent, or `copied` from the same place of the old object."""

    start: int
    size: int
    copied: bool = False


def grain(size: int) -> int:
    """Bytes of the stretches whose CRC-64 a digested file of `size` bytes has; parts begin and end where they do."""
    return min(block_size(size), _GRAIN)


def part_size(size: int, usual: int) -> int:
    """Bytes of a part of a file that is sent whole: `usual`, or more for one that would have too many parts."""
    step = grain(size)
    return -(-max(usual, -(-size // PARTS_MAX)) // step) * step


def whole(size: int, usual: int) -> list[Stretch]:
    """All of a file, sent. An empty one has one part, without bytes."""
    part = part_size(size, usual)
    return [Stretch(start, min(part, size - start)) for start in range(0, size, part)] or [Stretch(0, 0)]


def patch(old: Blocks, old_size: int, new: Blocks, new_size: int, usual: int, longest: int) -> list[Stretch]:
    """The stretches that make the new content of the old object; none where it has nothing that can be copied.

    Parts that are sent have about `usual` bytes, those that are copied at most about `longest`: whole blocks.
    """
    if old.size != new.size:
        return []
    count = -(-new_size // new.size)
    plan: list[Stretch] = []
    for copied, run in itertools.groupby(range(count), lambda block: _is_same(old, old_size, new, new_size, block)):
        blocks = list(run)
        start, end = blocks[0] * new.size, min((blocks[-1] + 1) * new.size, new_size)
        most = min(-(-(longest if copied else usual) // new.size) * new.size, PART_MAX)
        plan += [Stretch(at, min(most, end - at), copied) for at in range(start, end, most)]
    return plan if len(plan) <= PARTS_MAX and any(stretch.copied for stretch in plan) else []


def _is_same(old: Blocks, old_size: int, new: Blocks, new_size: int, block: int) -> bool:
    at = block * new.size
    if at >= old_size or min(new.size, old_size - at) != min(new.size, new_size - at):
        return False
    of_it = slice(block * _DIGEST, (block + 1) * _DIGEST)
    return len(new.digests[of_it]) == _DIGEST and old.digests[of_it] == new.digests[of_it]


def sent(plan: Iterable[Stretch]) -> int:
    """Bytes that are not copied."""
    return sum(stretch.size for stretch in plan if not stretch.copied)


def crc64(grains: Sequence[int], size: int, stretch: Stretch) -> int:
    """A stretch's CRC-64, from those of the grains of a file of `size` bytes. It begins and ends where grains do."""
    step, end = grain(size), stretch.start + stretch.size
    found = range(stretch.start // step, -(-end // step))
    return checksum.whole((grains[number], min(step, size - number * step)) for number in found)
