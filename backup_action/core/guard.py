"""Guards before the first write: a disaster on the disk is not mirrored into the bucket.

A tree that has far fewer files or bytes than the last snapshot (an unmounted disk, a deleted folder, truncated files)
stops the run. So does one in which most files have other content, where history is off and they would be overwritten
for good. Limits are percents of what the last snapshot has under the same paths.
"""

from __future__ import annotations

from collections.abc import Iterable

from backup_action.core.entry import Entry
from backup_action.core.place import Root, root_of
from backup_action.core.problem import Kind, Stop


def totals(entries: Iterable[Entry], roots: tuple[Root, ...]) -> tuple[int, int]:
    """Files and bytes that a snapshot has under these roots."""
    files = size = 0
    for entry in entries:
        if entry.is_file and root_of(entry.path, roots) is not None:
            files, size = files + 1, size + entry.size
    return files, size


def refuse_shrink(before: tuple[int, int], now: tuple[int, int], limit: int) -> None:
    """Raises Stop where more than `limit` percent of the files or bytes are gone."""
    for cause, old, new in zip(("", "bytes"), before, now, strict=True):
        if is_beyond(old - new, old, limit):
            percent = 100 * (old - new) // old
            raise Stop(Kind.SOURCE_SHRUNK, cause=cause, before=old, now=new, percent=percent, limit=limit)


def is_beyond(part: int, whole: int, limit: int) -> bool:
    """Whether `part` is more than `limit` percent of the whole."""
    return part * 100 > whole * limit
