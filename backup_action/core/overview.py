"""One snapshot at a glance: its head and foot, what it has by root, and its largest files."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from typing import Final

from backup_action.core.entry import Entry, Sort, told
from backup_action.core.listing import FORMAT, Large, Place, Shown
from backup_action.core.place import root_of
from backup_action.core.snapshot import Snapshot

LARGEST: Final = 10


def shown(snapshot: Snapshot, entries: Iterable[Entry]) -> Shown:
    """The view of a snapshot; `entries` are those that are asked for. Holds the largest of them alone."""
    head, foot, roots = snapshot.head, snapshot.foot, tuple(snapshot.head.roots)
    counts: Counter[tuple[int | None, str]] = Counter()  # by root; None: a place that the head does not have
    top: list[tuple[int, int]] = []
    facts: dict[int, Entry] = {}
    for number, entry in enumerate(entries):
        counts[None, "entries"] += 1
        root = root_of(entry.path, roots)
        counts[root, entry.kind] += 1
        if entry.kind is Sort.FILE:
            counts[root, "bytes"] += entry.size
            heapq.heappush(top, (entry.size, -number))  # of equals the last gives way
            facts[-number] = entry
            if len(top) > LARGEST:
                del facts[heapq.heappop(top)[1]]
    places = [
        Place(root.source, root.destination, *(counts[at, name] for name in ("file", "bytes", "link", "folder")))
        for at, root in enumerate(roots)
    ]
    largest = [
        Large(*told(entry.path), entry.size, str(entry.mtime_ns), entry.sha256)
        for entry in sorted(facts.values(), key=lambda entry: (-entry.size, entry.place))
    ]
    parent = (head.parent.id, head.parent.digest) if head.parent else ("", "")
    return Shown(
        FORMAT, head.id, head.created, head.sequence, head.source, head.layout, head.version, head.origin, *parent,
        foot.digest, foot.complete, foot.problems, foot.files, foot.bytes, foot.seconds, foot.files_sent,
        foot.bytes_sent, snapshot.stored, places, largest, counts[None, "entries"],
    )  # fmt: skip
