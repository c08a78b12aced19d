"""A snapshot's paths as a tree that can be written: nothing that leads out of its target, nothing twice.

A snapshot comes from outside, so every path is looked at before the first one is written (law 7): no absolute path,
no empty segment, `.`, `..` or NUL, no path twice, and nothing below what is no folder. Nor is anything written where
a size, a time or the way to a content is none that this program knows (law 9).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from backup_action.core.entry import Entry, Sort
from backup_action.core.problem import Kind, Stop

_NAME: Final = re.compile("[0-9a-f]{64}")  # of a chunk


def check(entries: Iterable[Entry], id: str, layout: str = "tree") -> None:
    """Raises Stop where a path cannot be written below a target. `id` is the snapshot's. Holds the paths of it all."""
    sorts: dict[str, Sort] = {}
    for entry in entries:
        if any(part in ("", ".", "..") for part in entry.path.split("/")) or "\0" in entry.path + entry.target:
            raise _damaged(id, f"a path that leads out of its place: {entry.path}")
        if entry.size < 0 or not -(1 << 63) <= entry.mtime_ns // 10**9 < 1 << 63:
            raise _damaged(id, f"a size or time that no file has: {entry.path}")
        if not _is_reachable(entry, layout):
            raise _damaged(id, f"content that is told of in an unknown way: {entry.path}")
        if entry.gone:
            continue
        if entry.path in sorts:
            raise _damaged(id, f"a path that is there twice: {entry.path}")
        sorts[entry.path] = entry.kind
    for path in sorts:
        above = path.rpartition("/")[0]
        while above:
            if sorts.get(above, Sort.FOLDER) is not Sort.FOLDER:
                raise _damaged(id, f"a path below what is no folder: {path}")
            above = above.rpartition("/")[0]


def _is_reachable(entry: Entry, layout: str) -> bool:
    """Whether a content is told of in the way of its layout: by the key, or by chunks."""
    if layout == "tree":
        return not entry.chunks and entry.etag.isascii() and entry.etag.isprintable()
    return not entry.etag and not entry.version and all(_NAME.fullmatch(name) for name in entry.chunks)


def _damaged(id: str, reason: str) -> Stop:
    return Stop(Kind.SNAPSHOT_DAMAGED, id, reason=reason)
