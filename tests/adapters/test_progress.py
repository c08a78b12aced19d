"""Progress on a real terminal and in a real log: drawn anew, told now and then, and never in the way."""

import asyncio
import contextlib
import os
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import opened, read, screen

from backup_action.adapters import console, progress
from backup_action.core.tally import Tally

TERMINAL = {"TERM": "xterm"}


@contextlib.contextmanager
def stderr_to(handle: int) -> Iterator[None]:
    stream = open(handle, "w", closefd=False)  # noqa: SIM115  (to close it can fail)
    try:
        with contextlib.redirect_stderr(stream):
            yield
    finally:
        with contextlib.suppress(OSError):
            stream.close()


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal of 120 columns: the person's end and the program's."""
    with opened(120) as ends:
        yield ends


async def run(tally: Tally, files: int, *, environ: dict[str, str], language: str = "en") -> None:
    """Files of 1 KiB, one after the other, each waited for by many looks."""
    tally.open_roots(1)
    async with progress.shown(
        tally, files, files * 1024, "en" if language == "en" else "zh", environ, every=0.01
    ):  # fmt: skip
        for _ in range(files):
            await asyncio.sleep(0.1)
            tally.sent(0, 1024)


@pytest.mark.parametrize(
    ("language", "last"), [("en", "3 of 3 files, 3.0 KiB of 3.0 KiB"), ("zh", "3/3 个文件，3.0 KiB/3.0 KiB")]
)
def test_on_a_terminal_one_line_is_drawn_anew(terminal: tuple[int, int], language: str, last: str) -> None:
    person, program = terminal
    with stderr_to(program):
        asyncio.run(run(Tally(), 3, environ=TERMINAL, language=language))
        console.say("the end")
    text = read(person, lambda text: "the end\r\n" in text)
    assert text.count("\r\x1b[?25l") > 3, "drawn again and again"
    shown = screen(text)
    assert len(shown) == 3 and shown[0].startswith("[####################]  " + last) and "left" not in shown[0]
    assert shown[1:] == ["the end", ""], "on a clean line"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is there again"


def test_a_narrow_terminal_has_no_bar_and_one_line(terminal: tuple[int, int]) -> None:
    person, program = terminal
    termios.tcsetwinsize(program, (24, 30))
    with stderr_to(program):
        asyncio.run(run(Tally(), 2, environ=TERMINAL))
        console.say("the end")
    drawn = read(person, lambda text: "the end" in text).split("\r\x1b[?25l")[1:]
    assert len(drawn) > 2 and not [line for line in drawn if "[#" in line or "[-" in line]
    assert all(len(line.split("\x1b")[0]) < 30 for line in drawn)


def test_in_a_log_there_is_a_line_now_and_then(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, stderr_to(log.fileno()):
        asyncio.run(run(Tally(), 3, environ=TERMINAL))
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) > 3 and all(" of 3 files, " in line for line in lines)
    assert "\x1b" not in "".join(lines) and "\r" not in "".join(lines)


def test_a_dumb_terminal_is_a_log(terminal: tuple[int, int]) -> None:
    person, program = terminal
    with stderr_to(program):
        assert not progress.on_terminal({}) and not progress.on_terminal({"TERM": "dumb"})
        assert progress.on_terminal(TERMINAL)
        asyncio.run(run(Tally(), 1, environ={"TERM": "dumb"}))
        console.say("the end")
    assert "\x1b" not in read(person, lambda text: "the end" in text)


def test_by_default_a_log_has_a_line_every_thirty_seconds(tmp_path: Path) -> None:
    async def short() -> None:
        async with progress.shown(Tally(), 1, 1, "en", {}):
            await asyncio.sleep(0.1)

    assert (progress.LOG, progress.TERMINAL < 1) == (30.0, True)
    with (tmp_path / "log").open("w") as log, stderr_to(log.fileno()):
        asyncio.run(short())
    assert (tmp_path / "log").read_text() == ""


def test_a_terminal_that_is_gone_stops_nothing(terminal: tuple[int, int]) -> None:
    person, program = terminal
    tally = Tally()
    with stderr_to(program):
        os.close(person)
        asyncio.run(run(tally, 3, environ=TERMINAL))
    assert tally.total().files_uploaded == 3


def test_a_terminal_that_is_stuck_stops_nothing(terminal: tuple[int, int]) -> None:
    """As after Ctrl-S: whoever writes to it waits."""
    person, program = terminal
    tally = Tally()
    rescue = threading.Timer(30, termios.tcflow, (program, termios.TCOON))
    rescue.start()
    with stderr_to(program):
        termios.tcflow(program, termios.TCOOFF)
        asyncio.run(run(tally, 3, environ=TERMINAL))
        assert rescue.is_alive(), "it waited for the terminal"
        rescue.cancel()
        termios.tcflow(program, termios.TCOON)
        console.say("the end")
        text = read(person, lambda text: "the end\r\n" in text)
    assert tally.total().files_uploaded == 3
    assert screen(text)[-2] == "the end"


def test_what_ends_the_run_ends_the_line_too(terminal: tuple[int, int]) -> None:
    person, program = terminal

    async def cancelled() -> None:
        tally = Tally()
        task = asyncio.create_task(run(tally, 1000, environ=TERMINAL))
        while not tally.roots or tally.total().files_uploaded < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert not [other for other in asyncio.all_tasks() if other is not asyncio.current_task()]

    with stderr_to(program):
        asyncio.run(cancelled())
        console.say("the end")
    text = read(person, lambda text: "the end\r\n" in text)
    assert screen(text)[1:] == ["the end", ""] and "\x1b" not in text[text.rindex("\x1b[?25h") + 6 :]


def test_an_error_of_the_run_comes_through(tmp_path: Path) -> None:
    async def broken() -> None:
        async with progress.shown(Tally(), 1, 1, "en", TERMINAL):
            raise LookupError("x")

    with (tmp_path / "log").open("w") as log, stderr_to(log.fileno()), pytest.raises(LookupError):
        asyncio.run(broken())
