"""A pseudo-terminal, and what a person sees on it."""

import contextlib
import os
import pty
import termios
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def opened(columns: int) -> Iterator[tuple[int, int]]:
    """A terminal of so many columns: the person's end and the program's. Either may be closed before."""
    person, program = pty.openpty()
    termios.tcsetwinsize(program, (24, columns))
    try:
        yield person, program
    finally:
        for handle in (person, program):
            with contextlib.suppress(OSError):
                os.close(handle)


def read(person: int, enough: Callable[[str], bool] = lambda text: False) -> str:
    """All that the program sends, until it is enough, or until the program has closed its end."""
    text = b""
    while not enough(text.decode(errors="replace")):
        try:
            text += os.read(person, 65536)
        except OSError:
            break
    return text.decode()


def screen(text: str) -> list[str]:
    """The lines that a person sees in the end, as a terminal makes them of what it is sent."""
    lines, column = [""], 0
    while text:
        for sign in ("\x1b[?25l", "\x1b[?25h", "\x1b[K", "\r", "\n"):
            if text.startswith(sign):
                text = text[len(sign) :]
                break
        else:
            sign, text = text[0], text[1:]
        match sign:
            case "\r":
                column = 0
            case "\n":
                lines.append("")
            case "\x1b[K":
                lines[-1] = lines[-1][:column]
            case "\x1b[?25l" | "\x1b[?25h":
                pass
            case _:
                assert sign.isprintable()
                lines[-1] = lines[-1][:column] + sign + lines[-1][column + 1 :]
                column += 1
    return lines
