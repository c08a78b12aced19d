"""The files through which a step talks back: GITHUB_OUTPUT, GITHUB_ENV, GITHUB_STATE, GITHUB_PATH, GITHUB_STEP_SUMMARY.

Grammar of the first three (actions/runner, FileCommandManager), line by line, empty lines skipped:

    NAME=VALUE            when `=` comes before any `<<`; the value may be empty
    NAME<<DELIMITER       when `<<` comes first; name and delimiter must not be empty
    …                     the value, without its last line's newline
    DELIMITER             alone on its line; the file's end may follow without a newline

Only a line feed ends a line: a carriage return belongs to the value, or spoils the delimiter. Pairs before a bad line
take effect; the bad line fails the step. GITHUB_PATH has one folder per line.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backup_action.sandbox.masking import Masker

SUMMARY_LIMIT = 1024 * 1024  # bytes
_BLOCKED = ("NODE_OPTIONS",)


class CommandFileError(ValueError):
    """A line of a command file that the runner refuses; the step fails with this text."""


@dataclass(frozen=True, slots=True)
class CommandFiles:
    """The paths of one step's files; every step has its own."""

    path: Path
    env: Path
    step_summary: Path
    state: Path
    output: Path


def create(temp: Path) -> CommandFiles:
    """Makes the empty files for a step below the job's temporary folder."""
    folder = temp / "_runner_file_commands"
    folder.mkdir(parents=True, exist_ok=True)
    suffix = uuid.uuid4()
    names = ("add_path_", "set_env_", "step_summary_", "save_state_", "set_output_")
    paths = [folder / f"{name}{suffix}" for name in names]
    for path in paths:
        path.touch()
    return CommandFiles(*paths)


def read(path: Path) -> str:
    """The text of a command file; what is no UTF-8 becomes U+FFFD, a missing file is empty."""
    try:
        return path.read_bytes().decode("utf-8-sig", "replace")
    except FileNotFoundError:
        return ""


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """The names and values, in order. Raises CommandFileError at the first bad line, after what stood before it."""
    at = 0
    while at < len(text):
        line, at = _line(text, at)
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and not 0 <= heredoc < equals:
            name, value = line[:equals], line[equals + 1 :]
        elif heredoc >= 0:
            name, delimiter = line[:heredoc], line[heredoc + 2 :]
            if not name or not delimiter:
                raise CommandFileError(
                    f"Invalid format '{line}'. Name must not be empty and delimiter must not be empty"
                )
            value, at = _heredoc(text, at, delimiter)
        else:
            raise CommandFileError(f"Invalid format '{line}'")
        if not name:
            raise CommandFileError("Value cannot be null. (Parameter 'name')")
        yield name, value


def _line(text: str, at: int) -> tuple[str, int]:
    """The line at the position, and where the next one starts."""
    end = text.find("\n", at)
    return (text[at:], len(text)) if end < 0 else (text[at:end], end + 1)


def _heredoc(text: str, start: int, delimiter: str) -> tuple[str, int]:
    """The value up to the delimiter, and where the line after it starts."""
    at = start
    while at < len(text):
        line, following = _line(text, at)
        if line == delimiter:
            return text[start : max(start, at - 1)], following
        if not text.endswith("\n", at, following):
            raise CommandFileError("Invalid value. EOF marker missing new line.")
        at = following
    raise CommandFileError(f"Invalid value. Matching delimiter not found '{delimiter}'")


def blocked(name: str) -> str | None:
    """The refusal for a variable that GITHUB_ENV may not set, else None.

    The runner refuses NODE_OPTIONS only; GITHUB_* and RUNNER_* can be written, but its own values win in each step.
    """
    if name.upper() in _BLOCKED:
        return f"Can't store {name.upper()} output parameter using '$GITHUB_ENV' command."
    return None


def folders(text: str) -> list[str]:
    """The folders of a GITHUB_PATH file, in the order written."""
    return [line for line in re.split("\r\n|\r|\n", text) if line]


def summary(path: Path, masker: Masker) -> str:
    """The step's summary as GitHub shows it: masked line by line. Raises CommandFileError above 1 MiB."""
    size = path.stat().st_size if path.exists() else 0
    if size > SUMMARY_LIMIT:
        raise CommandFileError(
            f"$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of {SUMMARY_LIMIT // 1024}k, "
            f"got {size // 1024}k. For more information see: https://docs.github.com/actions/using-workflows/"
            "workflow-commands-for-github-actions#adding-a-markdown-summary"
        )
    text = read(path)
    lines = re.split("\r\n|\r|\n", text)
    if lines[-1] == "":
        lines.pop()
    return "".join(f"{masker.mask(line)}\n" for line in lines)
