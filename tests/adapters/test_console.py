"""Lines for people: safe, whole, and harmless when nobody listens."""

import contextlib
import io
import threading
import time

import pytest

from backup_action.adapters import console
from backup_action.sandbox.workflow_commands import could_be_command


def test_a_line_is_safe_and_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("::error::x\n##[error]备份 \udcff")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == r"\x3a:error::x\n\x23\x23[error]备份 \xff" + "\n"
    assert not could_be_command(said.err)


def test_a_stream_that_cannot_show_it_shows_an_escape() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with contextlib.redirect_stderr(stream):
        console.say("备份")
    assert stream.buffer.getvalue() == rb"\u5907\u4efd" + b"\n"  # type: ignore[attr-defined]


def test_nobody_listens(capfd: pytest.CaptureFixture[str]) -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (closed, None):
        with contextlib.redirect_stderr(stream):
            console.say("x")
    assert capfd.readouterr().err == ""


class Slow(io.StringIO):
    """A stream that lets other threads in between any two characters."""

    def write(self, text: str) -> int:
        for character in text:
            time.sleep(0)
            super().write(character)
        return len(text)


def test_lines_of_many_threads_do_not_mix() -> None:
    def talk(letter: str) -> None:
        for _ in range(10):
            console.say(letter * 50)

    threads = [threading.Thread(target=talk, args=(letter,)) for letter in "abcd"]
    stream = Slow()
    with contextlib.redirect_stderr(stream):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(stream.getvalue().splitlines()) == sorted(letter * 50 for letter in "abcd" for _ in range(10))


def test_a_line_takes_the_place_of_one_that_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    console.draw("\rhalf of it")
    console.say("whole")
    console.say("another")
    console.draw("\rto its end\n")
    console.say("the last")
    assert capsys.readouterr().err == "\rhalf of it\r\x1b[K\x1b[?25hwhole\nanother\n\rto its end\nthe last\n"
