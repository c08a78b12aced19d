"""What a scan found on the disk: one path below one root, before anything was read of it."""

from __future__ import annotations

import msgspec

from backup_action.core.entry import Entry, Sort


class Found(msgspec.Struct, frozen=True, gc=False):
    """One path. `inner` is below its root ("" for the root itself), `path` is where it goes below the prefix."""

    root: int  # which of the run's roots
    inner: str
    path: str
    place: str  # the key of `path`; see `place`
    kind: Sort
    size: int
    mode: int
    mtime_ns: int
    ctime_ns: int
    dev: int
    inode: int
    target: str = ""  # where a link points, as it is written in the link

    @property
    def order(self) -> str:
        """Where it stands among the others: as `entry.order`."""
        return self.place + "/" if self.kind is Sort.FOLDER else self.place


def entry(found: Found, sha256: str = "", crc64: int = 0, *, racy: bool = False) -> Entry:
    """The entry of what was found, without what the bucket says of it."""
    return Entry(
        found.path, found.kind, found.place, found.size, found.mode, found.mtime_ns, found.ctime_ns, found.dev,
        found.inode, found.target, sha256, crc64, racy,
    )  # fmt: skip


def unchanged(found: Found, known: Entry) -> bool:
    """True when nothing says that the content may have changed since it was read for `known`."""
    return (
        not known.racy
        and not known.stale
        and not known.gone
        and found.kind is known.kind
        and found.size == known.size
        and found.mtime_ns == known.mtime_ns
        and found.ctime_ns == known.ctime_ns
        and found.inode == known.inode
        and found.dev == known.dev
    )
