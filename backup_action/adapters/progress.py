"""Progress for whoever watches: a line that is drawn anew on a terminal, a line now and then in a log. To stderr.

It reads the counters that a run keeps anyway, and is aside of the run: a console that is gone or stuck never stops or
slows it, and when the run ends, by a signal too, the cursor stands on a clean line.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol

import click

from backup_action.adapters import console
from backup_action.adapters.aside import aside
from backup_action.core import render
from backup_action.core.pace import Pace, Progress
from backup_action.core.tally import Tally
from backup_action.core.wording import Language

LOG = 30.0  # seconds between two lines in a log
TERMINAL = 0.25  # and on a terminal
PATIENCE: Final = 0.5  # seconds that a stuck console is waited for: a cancelled job has little time
_CALM: Final = (40, 4)  # looks that a rate is made of: ten seconds on a terminal, two minutes in a log
_STEPS: Final = 1000  # of a whole bar
_BAR: Final = 20  # columns
_WIDE: Final = 98  # columns of a terminal that has room for a bar beside the figures
_CLEAR: Final = "\x1b[K"  # to the end of the line: click counts letters, and a Chinese one takes two columns


class Screen(Protocol):
    """Where progress is shown."""

    def show(self, done: Progress) -> None:
        """Shows how far it is. May block, and is called from a thread."""

    def close(self, done: Progress) -> None:
        """Shows the last of it; what comes next begins on a clean line."""

    def mute(self) -> None:
        """From here on nothing is shown, whatever is still under way in a thread."""


async def tell(line: str) -> None:
    """Prints one line, unless the console is stuck."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(aside(functools.partial(console.say, line)), PATIENCE)


@asynccontextmanager
async def shown(
    tally: Tally, files: int, size: int, language: Language, environ: Mapping[str, str], *, every: float | None = None
) -> AsyncIterator[None]:
    """Shows how far the tally is on its way to so many files and bytes, while the body runs.

    `every` is the seconds between two looks, by default `TERMINAL` or `LOG`.
    """
    is_terminal = on_terminal(environ)
    screen: Screen = Terminal(language) if is_terminal else Log(language)
    pace = Pace(files, size, _CALM[0] if is_terminal else _CALM[1])
    usual = TERMINAL if is_terminal else LOG
    task = asyncio.create_task(_watch(tally, pace, screen, usual if every is None else every))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(Exception):  # no line is worth a backup
            await asyncio.wait_for(aside(functools.partial(screen.close, _look(tally, pace))), PATIENCE)
        screen.mute()


def on_terminal(environ: Mapping[str, str]) -> bool:
    """Whether somebody watches a terminal that can draw a line anew."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return sys.stderr.isatty() and environ.get("TERM", "") not in ("", "dumb")
    return False


async def _watch(tally: Tally, pace: Pace, screen: Screen, every: float) -> None:
    """Looks again and again. Counters are read here, on the loop that changes them; only the showing is aside."""
    with contextlib.suppress(Exception):  # no line is worth a backup
        _look(tally, pace)
        while True:
            await asyncio.sleep(every)
            await aside(functools.partial(screen.show, _look(tally, pace)))


def _look(tally: Tally, pace: Pace) -> Progress:
    counts = tally.total()
    return pace.at(time.monotonic(), counts.files_total, counts.bytes_total + tally.moving)


class Log:
    """Lines in a log."""

    def __init__(self, language: Language) -> None:
        """Says nothing yet."""
        self._language = language
        self._is_open = True

    def show(self, done: Progress) -> None:
        """One line."""
        if self._is_open:
            console.say(render.progress(done, self._language))

    def close(self, done: Progress) -> None:
        """The report's lines come next, and say it better."""

    def mute(self) -> None:
        """Nothing more is said."""
        self._is_open = False


class Terminal:
    """One line of a terminal, drawn by click."""

    def __init__(self, language: Language) -> None:
        """Draws nothing yet."""
        self._language = language
        self._text = ""
        self._lock = threading.Lock()
        self._state = "new"
        self._stream = _Stream()
        self._bar = click.progressbar(
            range(_STEPS), file=self._stream, show_eta=False, show_percent=False, color=True, update_min_steps=0,
            item_show_func=lambda _: self._text,
        )  # fmt: skip

    def show(self, done: Progress) -> None:
        """Draws the line anew."""
        with self._lock:
            if self._state != "closed":
                self._draw(done)
                self._state = "drawn"

    def close(self, done: Progress) -> None:
        """Leaves the line as it is in the end."""
        with self._lock:
            if self._state == "drawn":
                self._draw(done)
                self._bar.render_finish()
            self._state = "closed"

    def mute(self) -> None:
        """Nothing more is drawn, not even by a thread that was stuck: other lines come now."""
        self._stream.is_mute = True

    def _draw(self, done: Progress) -> None:
        room = columns() - 1  # in the last column a terminal may begin a new line
        bar = _BAR if room >= _WIDE else 0
        self._text = render.progress(done, self._language, room - (bar + 4 if bar else 0))
        self._bar.bar_template = f"{'[%(bar)s]  ' if bar else ''}%(info)s{_CLEAR}"
        self._bar.width, self._bar.max_width = bar, 0  # no blanks to the width of before: `_CLEAR` does that
        self._bar.update(int(done.share * _STEPS) - self._bar.pos)


class _Stream(io.StringIO):
    """stderr as click writes to it: by the one gate, which lets nothing mix and minds no console that is gone."""

    is_mute = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not self.is_mute:
            console.draw(text)
        return len(text)


def columns() -> int:
    """Columns of the terminal that stderr is, now; 80 where it does not say."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    return 80
