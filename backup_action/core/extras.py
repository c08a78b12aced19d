"""What a target has too much: the rule of `delete` in a restore.

| in the target | without `include` | with `include` |
|---|---|---|
| named by the snapshot, or above what it names | stays | stays |
| left out by `exclude`, or below such a folder | stays | stays |
| any other file or link | is removed | is removed where a pattern matches it or a folder above it |
| any other folder, when all in it is removed | is removed | is removed where a pattern matches it or one above |

So `include` never reaches beyond its patterns: with `*.csv` no folder is removed, with `/t/old/` that folder is.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable

from backup_action.core.entry import Entry, Sort
from backup_action.core.selection import Selection


class Known:
    """The paths of a snapshot, and the folders that lead to them, kept as 8 bytes each.

    Two paths with one hash keep a file that could go; never is one removed that should stay.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Reads the entries once."""
        marks: set[int] = set()
        self.files = 0  # and links
        for entry in entries:
            if entry.gone:
                continue
            self.files += entry.kind is not Sort.FOLDER
            path = entry.path
            while path and hash(path) not in marks:
                marks.add(hash(path))
                path = path.rpartition("/")[0]
        self._marks = array("q", sorted(marks))

    def __contains__(self, path: str) -> bool:
        mark = hash(path)
        at = bisect_left(self._marks, mark)
        return at < len(self._marks) and self._marks[at] == mark


def may_go(path: str, known: Known, chosen: Selection, *, is_folder: bool) -> bool:
    """Whether a path of the target is too much there; `path` is below the target."""
    if path in known:
        return False
    if not is_folder:
        return chosen.takes(path)
    return chosen.takes_folder(path) and (not chosen.included or bool(chosen.included.match_file(path + "/")))
