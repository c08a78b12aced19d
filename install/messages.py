"""What the set-up says to people, and how text from outside is made harmless before it is printed.

Everything goes to stderr; stdout carries only the environment's python. The runner reads its commands from both, so no
line may begin with `::` nor hold `##[` unless we mean it.
"""

import os
import re
import sys
import unicodedata

NAME = "oss-backup set-up"
_PASSWORD = re.compile(r"(?<=://)[^/\s'\"]*@")


class SetupError(Exception):
    """The environment cannot be made.

    `code` is the exit code: 2 a setting is wrong, 5 no index was reachable, 1 anything else. `sentence` says what,
    where and what to do; `details` is another program's output, printed above it, escaped.
    """

    def __init__(self, code: int, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.code, self.sentence, self.details = code, sentence, details


def without_password(text: str) -> str:
    """The text with the user and password of each URL in it replaced by stars."""
    return _PASSWORD.sub("****@", text)


def plain(text: str) -> str:
    r"""The text on one line: control, format and separator characters as `\xNN` or `\uNNNN`, no password, no `##[`.

    The runner's older command form, `##[name]`, counts anywhere in a line.
    """
    shown = "".join(
        character
        if character == " " or unicodedata.category(character)[0] not in "CZ"
        else character.encode("unicode_escape").decode("ascii")
        for character in without_password(text)
    )
    return shown.replace("##[", "# #[")


def say(sentence: str) -> None:
    """Prints a line of progress."""
    _print(f"{NAME}: {plain(sentence)}")


def warn(sentence: str) -> None:
    """Prints a warning; on GitHub as an annotation."""
    _print(_annotation("warning", sentence))


def explain(error: SetupError) -> None:
    """Prints an error: its details, each line behind a bar so that none is taken for a command, then its sentence."""
    for line in error.details.splitlines():
        _print(f"  | {plain(line)}")
    _print(_annotation("error", error.sentence))


def _annotation(level: str, sentence: str) -> str:
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return f"::{level} title={NAME}::{plain(sentence).replace('%', '%25')}"
    return f"{NAME}: {level}: {plain(sentence)}"


def _print(line: str) -> None:
    # As bytes: a stderr in the C locale would refuse what is not ASCII.
    sys.stderr.buffer.write(line.encode() + b"\n")
    sys.stderr.buffer.flush()
