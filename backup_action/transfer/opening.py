"""Opens restored files as what their names say they are, one after another, off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable

from backup_action.adapters.files.target import Target
from backup_action.core import formats
from backup_action.core.drill import FormatLine
from backup_action.core.entry import Entry
from backup_action.core.formats import State
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.tally import Tally


class Opening:
    """One look at the files of a target."""

    def __init__(self, target: Target, tally: Tally, stopped: Callable[[], bool]) -> None:
        """`tally` hears of each file that does not open; `stopped` is asked all the time."""
        self._target = target
        self._tally = tally
        self._stopped = stopped
        self._states: Counter[tuple[str, State]] = Counter()
        self._even: Counter[str] = Counter()

    async def run(self, entries: Iterable[Entry]) -> None:
        """Looks at each of the entries that was restored; a cancelled look comes to its end before its files go."""
        looking = asyncio.get_running_loop().run_in_executor(None, lambda: self._all(entries))
        try:
            await asyncio.shield(looking)
        except asyncio.CancelledError:
            await asyncio.wait([looking])
            raise

    def lines(self) -> list[FormatLine]:
        """How each format fared, by name."""
        names = sorted({name for name, _ in self._states})
        return [
            FormatLine(name, **{state.value: self._states[name, state] for state in State}, even=self._even[name])
            for name in names
        ]

    def _all(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if self._stopped():
                raise Stop(Kind.INTERRUPTED)
            if name := formats.kind(entry.path):
                with contextlib.suppress(OSError):  # it was not restored, and that is told
                    self._look(entry, name)

    def _look(self, entry: Entry, name: str) -> None:
        with os.fdopen(self._target.open(entry.path), "rb") as file:
            opened = formats.look(entry.path, file, entry.size, self._stopped)
        self._states[name, opened.state] += 1
        self._even[name] += opened.even
        if opened.state is State.FAILED:
            self._tally.tell(Problem(Kind.DRILL_FORMAT, entry.path, {"format": name, "reason": opened.reason}))
