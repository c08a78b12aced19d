"""A path through time: in which snapshots it is, and with what content, so that one knows which to restore.

Snapshots are seen oldest first. Those in a row in which a path has one content are one run, and so are those in which
it is absent between two runs, or since the last. At most `PATHS` paths are held, the first that are met.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from backup_action.core.difference import content
from backup_action.core.entry import Entry, Sort, order, told
from backup_action.core.listing import FoundRow

PATHS: Final = 1000


class _Run(msgspec.Struct):
    first: int  # numbers of snapshots
    last: int
    entry: Entry
    content: tuple[str, str, str, int]


class Timeline:
    """Of all paths that are told of."""

    def __init__(self, most: int = PATHS) -> None:
        """`most` paths are held."""
        self.more = False  # there were further paths
        self._most = most
        self._ids: list[str] = []
        self._runs: dict[str, list[_Run]] = {}

    def see(self, id: str, entries: Iterable[Entry]) -> None:
        """The next snapshot, with what of it is asked for. Folders and what is gone are passed over."""
        at = len(self._ids)
        self._ids.append(id)
        for entry in entries:
            if entry.gone or entry.kind is Sort.FOLDER:
                continue
            runs = self._runs.get(order(entry))
            if runs is None and len(self._runs) >= self._most:
                self.more = True
                continue
            runs = runs or self._runs.setdefault(order(entry), [])
            last = runs[-1] if runs else None
            if last and last.last == at - 1 and last.content == content(entry):
                last.last, last.entry = at, _light(entry)
            else:
                runs.append(_Run(at, at, _light(entry), content(entry)))

    @property
    def paths(self) -> int:
        """How many are held."""
        return len(self._runs)

    @property
    def snapshots(self) -> int:
        """How many were seen."""
        return len(self._ids)

    def rows(self) -> Iterator[FoundRow]:
        """The runs of each path, oldest first; paths in the order of a snapshot."""
        for _, runs in sorted(self._runs.items()):
            path, end = told(runs[0].entry.path), runs[0].first
            for run in runs:
                yield from self._absent(path, end, run.first)
                yield self._row(path, run)
                end = run.last + 1
            yield from self._absent(path, end, len(self._ids))

    def _absent(self, path: tuple[str, bytes], start: int, end: int) -> Iterator[FoundRow]:
        if start < end:
            yield FoundRow(*path, "", self._ids[start], self._ids[end - 1], end - start)

    def _row(self, path: tuple[str, bytes], run: _Run) -> FoundRow:
        entry, is_file = run.entry, run.entry.kind is Sort.FILE
        return FoundRow(
            *path, entry.kind.value, self._ids[run.first], self._ids[run.last], run.last - run.first + 1,
            entry.size if is_file else 0, str(entry.mtime_ns), entry.sha256 if is_file else "", told(entry.target)[0],
        )  # fmt: skip


def _light(entry: Entry) -> Entry:
    """The entry without what may be long: the digests of its blocks, and its chunks."""
    return msgspec.structs.replace(entry, blocks=None, chunks=[])
