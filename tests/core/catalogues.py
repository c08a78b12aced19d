"""Entries and snapshots for the tests of what `snapshots` tells."""

import os
from collections.abc import Iterable

from hypothesis import strategies as st

from backup_action.core import place
from backup_action.core.entry import Blocks, Entry, Sort, order
from backup_action.core.place import Root
from backup_action.core.recent import Effort
from backup_action.core.snapshot import FORMAT, Head, Parent, Snapshot, Writer, recent

PATHS = ("a", "a b", "a/b", "a/b/c", "a0", "b", "中", "\udcff", "%", ".oss-backup/x", "z")
EFFORT = Effort(1.5, 2, 3)
CONTENTS = (("", 0), ("11" * 32, 5), ("22" * 32, 7), ("33" * 32, 5), ("e3b0c442" * 8, 0))


def entry(path: str, kind: Sort = Sort.FILE, sha256: str = "", size: int = 0, **more: object) -> Entry:
    """An entry under the key of its path."""
    return Entry(path, kind, place.code(path), size, sha256=sha256, **more)  # type: ignore[arg-type]


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """What a snapshot may have, in order: files, links (some with an object left in their place), folders, gone."""
    found = {}
    for path in draw(st.sets(st.sampled_from(PATHS))):
        kind = draw(st.sampled_from([Sort.FILE, Sort.FILE, Sort.FILE, Sort.LINK, Sort.FOLDER]))
        sha256, size = draw(st.sampled_from(CONTENTS))
        target = draw(st.sampled_from(["x", "y"])) if kind is Sort.LINK else ""
        made = entry(
            path, kind, sha256 if kind is not Sort.FOLDER else "", size if kind is not Sort.FOLDER else 0,
            target=target, mode=draw(st.sampled_from([0o644, 0o600])), mtime_ns=draw(st.integers(0, 1)),
            gone=kind is Sort.FILE and draw(st.booleans()) and draw(st.booleans()),
        )  # fmt: skip
        found[order(made)] = made
    return [found[key] for key in sorted(found)]


def snapshot(
    id: str, parent: Snapshot | None = None, some: Iterable[Entry] = (), *, source: str = "story",
    layout: str = "tree", effort: Effort = EFFORT, complete: bool = True, tail: str = "",
) -> tuple[Snapshot, bytes]:  # fmt: skip
    """A snapshot that grew from another, and its bytes. `tail` makes one of the same id another."""
    grew = Parent(parent.id, parent.foot.digest) if parent else None
    head = Head(
        FORMAT, id, parent.head.sequence + 1 if parent else 1, source, layout, f"2026-11-22T18:00:00Z{tail}", "0.1.0",
        [Root("data", "t")], grew, recent=recent(parent.head, parent.foot) if parent else [],
    )  # fmt: skip
    writer = Writer(head)
    for one in some:
        writer.add(one)
    data = bytes(writer.finish({}, complete=complete, effort=effort)[0])
    return Snapshot(data), data


def chain(count: int, tag: str = "1a2b", size: int = 0, **more: object) -> list[tuple[Snapshot, bytes]]:
    """That many, each grown from the one before, with one file; each is stored in at least `size` bytes."""
    blocks = Blocks(1, os.urandom(size)) if size else None
    found: list[tuple[Snapshot, bytes]] = []
    for number in range(count):
        id = f"202611{number // 24 + 1:02}T{number % 24:02}0000Z-{tag}{number:04x}"
        files = [entry("t/a", sha256="11" * 32, size=number + 1, blocks=blocks)]
        found.append(snapshot(id, found[-1][0] if found else None, files, **more))  # type: ignore[arg-type]
    return found
