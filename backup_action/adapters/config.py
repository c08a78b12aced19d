"""The config file: TOML with settings at its top, and profiles, each a table `[profiles.NAME]` of settings.

Every profile is read, not only the one that is asked for: a mistake in next week's profile is told tonight.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import msgspec

from backup_action.core import address
from backup_action.core.problem import Kind, Stop

MAX: Final = 1 << 20  # bytes
PROFILES: Final = "profiles"

Raw = str | list[str]


class Config(msgspec.Struct, frozen=True):
    """What the file says, as text and lists of text; what is empty is left out."""

    path: str
    top: Mapping[str, Raw]
    profiles: Mapping[str, Mapping[str, Raw]]

    def place(self, profile: str = "") -> str:
        """How people are told where a value stands."""
        return f"{self.path} [{PROFILES}.{profile}]" if profile else self.path


def read(path: str, known: Collection[str]) -> Config:
    """Reads the file; `known` are the names of the settings that may stand in it.

    Raises Stop for a file that cannot be read, a profile's name that nobody could give, a setting that is unknown (in a
    profile `profile` is too), and a value that is neither text, number, boolean nor a list of texts. Values are not
    checked further.
    """
    content = _content(path)
    tables = _tables(content.pop(PROFILES, {}), path)
    empty = Config(path, {}, {})
    inner = [name for name in known if name != "profile"]
    profiles = {name: _settings(table, inner, empty.place(name)) for name, table in tables.items()}
    return Config(path, _settings(content, known, path), profiles)


def readable(path: str, known: Collection[str]) -> Config:
    """What can be read of the file when some of it is wrong. Raises Stop only where there is no TOML at all."""
    content = _content(path)
    tables = content.pop(PROFILES, {})
    found = tables.items() if isinstance(tables, dict) else ()
    profiles = {name: _right(table, known) for name, table in found if isinstance(table, dict)}
    return Config(path, _right(content, known), profiles)


def _right(table: Mapping[str, object], known: Collection[str]) -> dict[str, Raw]:
    given: dict[str, Raw] = {}
    for name, value in table.items():
        with contextlib.suppress(Stop):
            given |= _settings({name: value}, known, "")
    return given


def nearest(name: str, known: Collection[str]) -> str:
    """The known name that looks most like it, if any does."""
    return next(iter(difflib.get_close_matches(name, known, 1)), "")


def _content(path: str) -> dict[str, object]:
    import tomllib  # few runs have such a file

    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX + 1)
        if len(data) > MAX:
            raise Stop(Kind.CONFIG_MALFORMED, path, reason="over 1 MiB")
        return tomllib.loads(data.decode())
    except OSError as error:
        raise Stop(Kind.CONFIG_UNREADABLE, path, reason=error.strerror) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Stop(Kind.CONFIG_MALFORMED, path, reason=error) from None


def _tables(content: object, path: str) -> dict[str, dict[str, object]]:
    if not isinstance(content, dict) or not all(isinstance(table, dict) for table in content.values()):
        raise Stop(Kind.SETTING_MALFORMED, PROFILES, rule="tables of settings, each `[profiles.NAME]`", place=path)
    for name in content:
        try:
            address.profile(name)
        except ValueError as rule:
            raise Stop(Kind.SETTING_MALFORMED, PROFILES, given=name, rule=rule, place=path) from None
    return content


def _settings(table: Mapping[str, object], known: Collection[str], place: str) -> dict[str, Raw]:
    for name, value in table.items():
        if name == "config":
            raise Stop(Kind.SETTING_MISPLACED, name, place=place, variable="OSS_BACKUP_CONFIG")
        if name not in known and isinstance(value, dict) and (inner := next((n for n in value if n in known), "")):
            raise Stop(Kind.SETTING_MISPLACED, inner, place=place, table=name, cause="table")
        if name not in known:
            raise Stop(Kind.SETTING_UNKNOWN, name, nearest=nearest(name, known), place=place)
    given = {name: _plain(name, value, place) for name, value in table.items()}
    return {name: value for name, value in given.items() if value not in ("", [])}


def _plain(name: str, value: object, place: str) -> Raw:
    """A TOML value as text. Strings, numbers and booleans are; lists of strings stay lists."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise Stop(Kind.SETTING_MALFORMED, name, rule="text, a number, a boolean or a list of texts", place=place)
