"""Where the values of settings come from (`table` has them all).

Each is an input of the action, a flag, an environment variable, and a key of the config file:
`role-to-assume` is `INPUT_ROLE_TO_ASSUME`, `--role-to-assume`, `OSS_BACKUP_ROLE_TO_ASSUME` and `role-to-assume = "…"`.
Flags win over inputs, inputs over the environment, the environment over the config file, and there the profile over
the file's top; empty means unset.
Lists are repeated flags, or one item a line.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from backup_action.adapters import config
from backup_action.adapters.config import Config
from backup_action.core import address, place
from backup_action.core.problem import Kind, Stop
from backup_action.core.snapshot import WRITERS
from backup_action.table import NEEDED, SORTS, TABLE, Row, Settings

__all__ = ["NEEDED", "SORTS", "TABLE", "Row", "Settings"]

PROFILES_TOLD: Final = 20  # names in the sentence about a profile that the file does not have

Raw = config.Raw


class Given(msgspec.Struct, frozen=True):
    """A value as somebody wrote it, and where."""

    value: Raw
    origin: str


def flag(name: str) -> str:
    """The command line's name for a setting."""
    return TABLE[name].flag or f"--{name}"


def variable(name: str, start: str = "OSS_BACKUP_") -> str:
    """The environment's name for a setting."""
    return start + name.replace("-", "_").upper()


def gather(flags: Mapping[str, Raw], environ: Mapping[str, str]) -> Settings:
    """All settings from flags (by setting's name), inputs, environment and config file.

    Raises Stop for a setting that is unknown or malformed, in the order of the table.
    """
    given = _given(flags, environ)
    _refuse_unknown(environ)
    given = _from_config(given) | given
    values: dict[str, Any] = {
        name: _value(name, one) for name, one in given.items() if name in TABLE and not TABLE[name].set_up
    }
    settings = Settings(**{name.replace("-", "_"): value for name, value in values.items()})
    place.roots(settings.paths)
    return settings


def lenient(flags: Mapping[str, Raw], environ: Mapping[str, str]) -> Settings:
    """What can be read of the settings when some of them are wrong: those keep their defaults. Raises nothing."""
    given = _given(flags, environ)
    with contextlib.suppress(Stop):
        if file := _file(given, config.readable):
            profile = ""
            with contextlib.suppress(Stop):
                profile = _profile(file, given)
            given = _at(file, profile) | given
    values: dict[str, Any] = {}
    for name, one in given.items():
        if not TABLE[name].set_up:
            with contextlib.suppress(Stop):
                values[name.replace("-", "_")] = _value(name, one)
    return Settings(**values)


def require(settings: Settings, command: str) -> None:
    """Raises Stop for the first setting that the command needs and nobody gave, or that it cannot use."""
    if settings.ca_bundle:
        from backup_action.adapters import way  # what it needs takes a while to import

        way.check(settings.ca_bundle)
    needed = NEEDED[command]
    if command != "notify" and not settings.allow_static_keys:
        needed = ("role-to-assume", "oidc-provider-arn", *needed)
    if command == "notify":
        needed = ("dingtalk-webhook",)
        if not settings.report:  # a step before this one failed: that, and not the setting, is what to tell
            raise Stop(Kind.REPORT_UNREADABLE, "", cause="none")
    if command == "snapshots":
        _refuse_two_views(settings)
    for name in needed:
        if not getattr(settings, name.replace("-", "_")):
            raise Stop(Kind.SETTING_MISSING, name, flag=flag(name), variable=variable(name))
    if settings.kms_key_id and settings.server_side_encryption != "KMS":
        rule = "used with `server-side-encryption: KMS`"
        raise Stop(Kind.SETTING_CONTRADICTION, "kms-key-id", given=settings.kms_key_id, rule=rule)
    if command in WRITERS and settings.passphrase and settings.layout != "vault":
        raise Stop(Kind.SETTING_CONTRADICTION, "passphrase", rule="used with `layout: vault`")
    role, provider = settings.role_to_assume, settings.oidc_provider_arn
    if "role-to-assume" in needed and address.account(role) != address.account(provider):
        rule = "of the same account as `role-to-assume`"
        raise Stop(Kind.SETTING_CONTRADICTION, "oidc-provider-arn", given=provider, rule=rule)


def _refuse_two_views(settings: Settings) -> None:
    """`snapshots` shows one view: the list, maybe of all sources; a snapshot, maybe against another; or a path."""
    views = {"snapshot": settings.snapshot, "against": settings.against, "find": settings.find}
    given = [name for name, value in views.items() if value]
    if settings.all_sources and given:
        rule = "used without `all-sources`"
    elif settings.find and given != ["find"]:
        rule = "used without `find`"
    else:
        return
    raise Stop(Kind.SETTING_CONTRADICTION, given[0], given=views[given[0]], rule=rule)


def _given(flags: Mapping[str, Raw], environ: Mapping[str, str]) -> dict[str, Given]:
    given = _from_environment(environ, "OSS_BACKUP_") | _from_environment(environ, "INPUT_")
    return given | {name: Given(value, flag(name)) for name, value in flags.items() if value not in ("", [])}


def _from_environment(environ: Mapping[str, str], start: str) -> dict[str, Given]:
    names = {name: variable(name, start) for name in TABLE}
    return {name: Given(environ[v], v) for name, v in names.items() if environ.get(v, "").strip()}


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {variable(name) for name in TABLE}
    for name in sorted(environ):
        if name.startswith("OSS_BACKUP_") and name not in known and environ[name].strip():
            raise Stop(Kind.SETTING_UNKNOWN, name, nearest=config.nearest(name, known), place="environment")


def _file(given: Mapping[str, Given], read: Callable[[str, list[str]], Config] = config.read) -> Config | None:
    """The config file, where one is given."""
    names = [name for name in TABLE if name != "config"]
    return read(_text("config", given["config"]), names) if "config" in given else None


def _from_config(given: Mapping[str, Given]) -> dict[str, Given]:
    """What the config file says: its top, and over that the profile. Every profile's values are checked."""
    file = _file(given)
    if file is None:
        if "profile" in given:
            told = {"given": _text("profile", given["profile"]), "rule": "used with `config`"}
            raise Stop(Kind.SETTING_CONTRADICTION, "profile", **told)
        return {}
    profile = _profile(file, given)
    if profile and profile not in file.profiles:
        known = ", ".join([*file.profiles][:PROFILES_TOLD]) + ", …" * (len(file.profiles) > PROFILES_TOLD)
        raise Stop(Kind.PROFILE_UNKNOWN, profile, known=known, file=file.path)
    _refuse_misplaced(file)
    for name in file.profiles:
        for setting, one in _at(file, name).items():
            _value(setting, one)
    return _at(file, profile)


def _refuse_misplaced(file: Config) -> None:
    """The set-up is over when the file is read, and reads nothing but the action's inputs."""
    for profile, given in itertools.chain([("", file.top)], file.profiles.items()):
        for name in given:
            if TABLE[name].set_up:
                raise Stop(Kind.SETTING_MISPLACED, name, place=file.place(profile), variable=variable(name, "INPUT_"))


def _profile(file: Config, given: Mapping[str, Given]) -> str:
    """The profile's name: as given, else as the file's top says; empty without one."""
    top = {name: Given(value, file.path) for name, value in file.top.items()}
    chosen = given.get("profile") or top.get("profile")
    return str(_value("profile", chosen)) if chosen else ""


def _at(file: Config, profile: str) -> dict[str, Given]:
    top = {name: Given(value, file.path) for name, value in file.top.items()}
    own = file.profiles.get(profile, {})
    return top | {name: Given(value, file.place(profile)) for name, value in own.items()}


def _text(name: str, given: Given) -> str:
    if isinstance(given.value, str):
        return given.value.strip()
    shown = "" if TABLE[name].secret else given.value
    raise Stop(Kind.SETTING_MALFORMED, name, given=shown, rule="one value, not a list", place=given.origin)


def _value(name: str, given: Given) -> object:
    row, sort = TABLE[name], SORTS[name]
    try:
        if sort == "list":
            lines = given.value.splitlines() if isinstance(given.value, str) else given.value
            items = tuple(_checked(row, line.strip()) for line in lines if line.strip())
            return row.together(items) if row.together else items
        text = _text(name, given)
        return _switch(text) if sort == "switch" else _number(row, text) if sort == "number" else _checked(row, text)
    except ValueError as rule:
        shown = "" if row.secret else given.value if isinstance(given.value, str) else ", ".join(given.value)
        raise Stop(Kind.SETTING_MALFORMED, name, given=shown, rule=rule, place=given.origin) from None


def _checked(row: Row, text: str) -> str:
    if row.choices and text not in row.choices:
        raise ValueError("one of " + ", ".join(f"`{choice}`" for choice in row.choices))
    if "\0" in text:
        raise ValueError("text without NUL")
    return row.rule(text) if row.rule else text


def _switch(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("`true` or `false`")
    return text.lower() == "true"


def _number(row: Row, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text) or not row.low <= int(text) <= row.high:
        raise ValueError(f"a whole number from {row.low} to {row.high}")
    return int(text)
