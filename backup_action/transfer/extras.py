"""Removes from a restore's target what the snapshot does not have, by the rule of `core/extras.py`.

It comes when all that was wanted is in its place; where anything is not, nothing is removed. Links are removed, never
followed; what is mounted below the target stays.
"""

from __future__ import annotations

from collections.abc import Callable

from backup_action.adapters.files.target import Target
from backup_action.core.extras import Known, may_go
from backup_action.core.problem import STATUS, Kind, Problem, Status, Stop
from backup_action.core.selection import Selection
from backup_action.core.tally import Tally
from backup_action.transfer.writing import unwritable


class Extras:
    """What one target has too much."""

    def __init__(self, target: Target, known: Known, chosen: Selection) -> None:
        """Looks at nothing yet."""
        self._target = target
        self._known = known
        self._chosen = chosen

    def run(self, tally: Tally, *, dry: bool, stopped: Callable[[], bool]) -> None:
        """Removes and counts them, unless something was not restored; `dry`: only counts. Not for the event loop."""
        met = tally.met()
        if Kind.SNAPSHOT_INCOMPLETE in met or any(STATUS[kind] is not Status.OK for kind in met):
            tally.tell(Problem(Kind.DELETE_HELD, "delete", {"cause": "target"}))
            return
        self._tally, self._dry = tally, dry
        ways = [_Way("", self._children(""))]
        while ways:
            if stopped():
                raise Stop(Kind.INTERRUPTED)
            self._go_on(ways)

    def _go_on(self, ways: list[_Way]) -> None:
        """One more path: `ways` are the folders from the target down to where it is."""
        here = ways[-1]
        if here.ahead:
            name, is_folder = here.ahead.pop()
            path = f"{here.path}/{name}" if here.path else name
            if is_folder and self._chosen.takes_folder(path):
                ways.append(_Way(path, self._children(path)))
            else:
                here.is_cleared &= self._let_go(path, is_folder=is_folder)
            return
        ways.pop()
        if ways:
            ways[-1].is_cleared &= here.is_cleared and self._let_go(here.path, is_folder=True)

    def _children(self, path: str) -> tuple[list[tuple[str, bool]], bool]:
        """What is to be looked at in a folder, and whether that is all of it."""
        try:
            return self._target.children(path)
        except OSError as error:
            self._tally.tell(unwritable(error, path or "."))
            return [], False

    def _let_go(self, path: str, *, is_folder: bool) -> bool:
        """Removes one path if it is too much; whether it is gone. A folder comes after all that was in it."""
        if not may_go(path, self._known, self._chosen, is_folder=is_folder):
            return False
        try:
            if not self._dry:
                self._target.remove(path, is_folder=is_folder)
        except OSError as error:
            self._tally.tell(unwritable(error, path))
            return False
        self._tally.removed += 1
        return True


class _Way:
    """A folder that is being cleared."""

    def __init__(self, path: str, ahead: tuple[list[tuple[str, bool]], bool]) -> None:
        self.path = path
        self.ahead, self.is_cleared = ahead  # what is left to look at, and whether all before it is gone
