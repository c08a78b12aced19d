"""What a step's printed lines do: masks, annotations, groups, stopped commands, and the deprecated `set-output` family.

The lines are read in `command_lines`. `Processor` remembers what `stop-commands` and `echo` said; everything else that
a command does comes out as `Effects`, and whoever runs the step carries them out.

| command | now |
|---|---|
| add-mask, error, warning, notice, debug, group, endgroup, echo, stop-commands | as documented |
| set-output, save-state | work, with a warning each time |
| set-env, add-path | refused unless ACTIONS_ALLOW_UNSECURE_COMMANDS is true; the refusal fails the step |
| add-matcher, remove-matcher | refused: this stand-in has no problem matchers |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from backup_action.sandbox.command_lines import (
    REGISTERED,
    STOP,
    Command,
    could_be_command,
    lower,
    parse,
    parse_double_colon,
    parse_legacy,
)
from backup_action.sandbox.expression_values import WHITESPACE

__all__ = [
    "REGISTERED",
    "Annotation",
    "Command",
    "Effects",
    "Processor",
    "could_be_command",
    "parse",
    "parse_double_colon",
    "parse_legacy",
]

ISSUES = frozenset({"error", "warning", "notice"})
_SILENT = ISSUES | {"add-mask", "debug"}  # never echoed
_TOKEN_MASKED_FROM = 7  # characters; longer tokens are secrets from then on
_DOCUMENTATION = "https://docs.github.com/actions/learn-github-actions/workflow-commands-for-github-actions"
_BAD_TOKEN = (
    "You cannot use a endToken that is an empty string, the string 'pause-logging', or another workflow command. "
    f"For more information see: {_DOCUMENTATION}#example-stopping-and-starting-workflow-commands or opt into insecure "
    "command execution by setting the `ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS` environment variable to `true`."
)
_DEPRECATED = (
    "The `{}` command is deprecated and will be disabled soon. Please upgrade to using Environment Files. For more "
    "information see: https://github.blog/changelog/"
    "2022-10-11-github-actions-deprecating-save-state-and-set-output-commands/"
)
_DISABLED = (
    "The `{}` command is disabled. Please upgrade to using Environment Files or opt into unsecure command execution by "
    "setting the `ACTIONS_ALLOW_UNSECURE_COMMANDS` environment variable to `true`. For more information see: "
    "https://github.blog/changelog/2020-10-01-github-actions-deprecating-set-env-and-add-path-commands/"
)


@dataclass(frozen=True, slots=True)
class Annotation:
    """An error, a warning or a notice, with where it points (file, line, title …)."""

    level: str
    message: str
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effects:
    """What a command does: lines for the log, masks, annotations, pairs to set, and whether the step fails by it."""

    printed: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    state: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    path: tuple[str, ...] = ()
    failed: bool = False


class Processor:
    """Turns the lines of one step into effects. Both streams of a step share one, and each step has its own."""

    def __init__(self, *, unsecure: bool = False, unsecure_tokens: bool = False, debug: bool = False) -> None:
        """`unsecure…`: the opt-ins by environment variable; `debug`: show `::debug::` and echo commands."""
        self._unsecure, self._unsecure_tokens, self._debug = unsecure, unsecure_tokens, debug
        self._echo = debug
        self._token: str | None = None  # not None: commands are stopped

    @property
    def stopped(self) -> bool:
        """Whether commands are stopped at the moment."""
        return self._token is not None

    def process(self, line: str) -> Effects | None:
        """What the line does, or None if it is plain output."""
        if self._token is not None:
            command = parse(line, REGISTERED | {lower(self._token)})
            if command is None or not self._token or command.name != lower(self._token):
                return None
            self._token = None
            return Effects(printed=(line,))
        command = parse(line)
        if command is None:
            return None
        if command.name == STOP:
            return self._stop(command, line)
        echoed = (line,) if self._echo and command.name not in _SILENT else ()
        effects = self._run(command, line)
        return replace(effects, printed=echoed + effects.printed)

    def _stop(self, command: Command, line: str) -> Effects:
        token = command.data
        bad = not token or lower(token) in REGISTERED or lower(token) == "pause-logging"
        if bad and not self._unsecure_tokens:
            return Effects(annotations=(Annotation("error", _BAD_TOKEN),), failed=True)
        self._token = token
        return Effects(printed=(line,), masks=(token,) if len(token) >= _TOKEN_MASKED_FROM else ())

    def _run(self, command: Command, line: str) -> Effects:
        if command.name in ISSUES:
            return Effects(annotations=(Annotation(command.name, command.data, command.properties),))
        if command.name in ("set-output", "save-state"):
            return _deprecated(command, line)
        if command.name in ("set-env", "add-path"):
            return self._disabled(command, line)
        if command.name == "echo":
            return self._set_echo(command, line)
        printed: dict[str, Callable[[str], tuple[str, ...]]] = {
            "debug": lambda data: (f"##[debug]{data}",) if self._debug else (),
            "group": lambda data: (f"##[group]{data}",),
            "endgroup": lambda data: ("##[endgroup]",),
        }
        if command.name in printed:
            return Effects(printed=printed[command.name](command.data))
        if command.name == "add-mask":
            return _add_mask(command)
        return _failure(line, "Problem matchers are not supported by this stand-in.")

    def _set_echo(self, command: Command, line: str) -> Effects:
        value = command.data.strip(WHITESPACE).upper()
        if value not in ("ON", "OFF"):
            why = f"Possible values can be: 'on', 'off'. Current value is: '{command.data}'."
            return _failure(line, f"Invalid echo command value. {why}")
        self._echo = value == "ON"
        return Effects()

    def _disabled(self, command: Command, line: str) -> Effects:
        if not self._unsecure:
            return _failure(line, _DISABLED.format(command.name))
        if command.name == "add-path":
            return Effects(path=(command.data,)) if command.data else _failure(line, "Value cannot be null.")
        name = command.properties.get("name", "")
        if name.upper() == "NODE_OPTIONS":
            why = "Can't update NODE_OPTIONS environment variable using ::set-env:: command."
            return Effects(annotations=(Annotation("error", why),))
        return Effects(env=((name, command.data),)) if name else _nameless(command, line)


def _failure(line: str, why: str) -> Effects:
    """A command that the runner refuses: two errors, and the step fails."""
    what = f"Unable to process command '{line}' successfully."
    return Effects(annotations=(Annotation("error", what), Annotation("error", why)), failed=True)


def _nameless(command: Command, line: str) -> Effects:
    return _failure(line, f"Required field 'name' is missing in ##[{command.name}] command.")


def _add_mask(command: Command) -> Effects:
    if not command.data.strip(WHITESPACE):
        why = "Can't add secret mask for empty string in ##[add-mask] command."
        return Effects(annotations=(Annotation("warning", why),))
    return Effects(masks=(command.data,))


def _deprecated(command: Command, line: str) -> Effects:
    warning = Annotation("warning", _DEPRECATED.format(command.name))
    name = command.properties.get("name", "")
    if not name:
        effects = _nameless(command, line)
        return replace(effects, annotations=(warning, *effects.annotations))
    pairs = ((name, command.data),)
    return Effects(
        annotations=(warning,),
        outputs=pairs if command.name == "set-output" else (),
        state=pairs if command.name == "save-state" else (),
    )
