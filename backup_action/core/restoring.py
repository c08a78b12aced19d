"""What a restore does about one path: the table of `overwrite`, and how a target is compared with a snapshot.

| in the target | `if-changed` | `always` | `if-newer` | `never` |
|---|---|---|---|---|
| nothing | FETCH | FETCH | FETCH | FETCH |
| a file of the same size and time | DRESS | FETCH | KEEP | KEEP |
| a file of the same size, another time | COMPARE | FETCH | COMPARE if the snapshot's is newer, else KEEP | KEEP |
| a file of another size, a link, anything else | FETCH | FETCH | FETCH if the snapshot's is newer, else KEEP | KEEP |

COMPARE reads what is there: with the snapshot's SHA-256 it is only dressed (mode and time), else fetched. A file of the
same size and time that this program restored is taken as it is; `always` is for who doubts that.
"""

from __future__ import annotations

import enum
import stat
from typing import Final, Protocol

from backup_action.core.entry import Entry, Sort

OVERWRITE: Final = ("if-changed", "always", "if-newer", "never")


class Found(Protocol):
    """What a look at a path says: `os.stat_result` does."""

    @property
    def st_mode(self) -> int: ...  # noqa: D102
    @property
    def st_size(self) -> int: ...  # noqa: D102
    @property
    def st_mtime_ns(self) -> int: ...  # noqa: D102


class Need(enum.Enum):
    """What one path needs."""

    FETCH = "fetch"
    COMPARE = "compare"
    DRESS = "dress"
    KEEP = "keep"


def is_dressed(entry: Entry, found: Found | None) -> bool:
    """Whether mode and time are the snapshot's already."""
    return found is not None and found.st_mtime_ns == entry.mtime_ns and not (found.st_mode ^ entry.mode) & 0o777


def need(entry: Entry, found: Found | None, overwrite: str) -> Need:
    """For a file or link; `found` is what stands in its place."""
    if found is None:
        return Need.FETCH
    if overwrite == "never" or (overwrite == "if-newer" and found.st_mtime_ns >= entry.mtime_ns):
        return Need.KEEP
    is_file = stat.S_ISREG(found.st_mode) and entry.kind is Sort.FILE
    if overwrite == "always" or not is_file or found.st_size != entry.size:
        return Need.FETCH
    return Need.DRESS if found.st_mtime_ns == entry.mtime_ns else Need.COMPARE
