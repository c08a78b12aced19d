"""Reads the commands that a step gives by printing a line, exactly as the runner reads them.

Two forms are tried in turn (actions/runner, ActionCommand.TryParseV2, then TryParse):

    ::name key=value,key=value::data      blanks may stand before it
    ##[name key=value;key=value]data      anywhere in the line; only its first `##[` counts

A line is a command only if its name is registered; while commands are stopped, so is the token. Names and keys
disregard case. In data `%0D %0A %25` are unescaped, in the keys' values also `%3A %2C`; in the old form `%3B %0D %0A
%5D %25` in both. What ends a line for the runner is a line feed, a carriage return or both: text with a lone carriage
return is two lines.

The runner searches for `::` and `##[` by the rules of its culture, which pass over characters that have no weight
(control characters, zero-width ones). `could_be_command` errs to that side, for judging untrusted text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from backup_action.sandbox.expression_values import WHITESPACE

STOP = "stop-commands"
REGISTERED: frozenset[str] = frozenset(
    {STOP, "set-env", "set-output", "save-state", "add-mask", "add-path", "add-matcher", "remove-matcher"}
    | {"debug", "warning", "error", "notice", "group", "endgroup", "echo"}
)
"""What the runner registers at the start of each step."""

_DATA = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
_PROPERTY = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
_LEGACY = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%"))


@dataclass(frozen=True, slots=True)
class Command:
    """A command that was read; `name` and the keys are in lower case."""

    name: str
    properties: dict[str, str]
    data: str


def parse_double_colon(line: str, registered: AbstractSet[str] = REGISTERED) -> Command | None:
    """The command of a line in the form `::name::data`, or None."""
    line = line.lstrip(WHITESPACE)
    end = line.find("::", 2)
    if not line.startswith("::") or end < 0:
        return None
    name, _, properties = line[2:end].partition(" ")
    if lower(name) not in registered:
        return None
    return Command(
        lower(name), _properties(properties.strip(WHITESPACE), ",", _PROPERTY), _unescape(line[end + 2 :], _DATA)
    )


def parse_legacy(line: str, registered: AbstractSet[str] = REGISTERED) -> Command | None:
    """The command of a line in the form `##[name]data`, or None."""
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name, _, properties = line[start + 3 : end].partition(" ")
    if lower(name) not in registered:
        return None
    return Command(lower(name), _properties(properties, ";", _LEGACY), _unescape(line[end + 1 :], _LEGACY))


def parse(line: str, registered: AbstractSet[str] = REGISTERED) -> Command | None:
    """The command of a line in either form, or None."""
    return parse_double_colon(line, registered) or parse_legacy(line, registered)


def could_be_command(text: str) -> bool:
    """Whether any line of the text might be a command: read as it stands, or without its weightless characters."""
    lines = text.replace("\r", "\n").split("\n")
    return any(parse(line) or parse(_weighty(line)) for line in lines)


def _weighty(line: str) -> str:
    def weightless(character: str) -> bool:
        kind = unicodedata.category(character)
        return kind in ("Cc", "Cf", "Mn", "Me", "Cn", "Co") and character not in WHITESPACE

    return "".join(character for character in line if not weightless(character))


def lower(name: str) -> str:
    """A command's name for comparing: only ASCII letters change."""
    return "".join(chr(ord(character) | 32) if "A" <= character <= "Z" else character for character in name)


def _unescape(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for escape, character in escapes:
        text = text.replace(escape, character)
    return text


def _properties(text: str, separator: str, escapes: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Keys with their values. `=` at the start of a key or of a value is dropped, and so is a key without a value."""
    found: dict[str, str] = {}
    for item in text.split(separator):
        key, _, value = item.lstrip("=").partition("=")
        if key and value.lstrip("="):
            found[lower(key)] = _unescape(value.lstrip("="), escapes)
    return found
