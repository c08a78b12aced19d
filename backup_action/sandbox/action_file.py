"""Reads `action.yml`: a composite action's inputs, outputs and steps.

The YAML is read as GitHub reads it, by version 1.2's core rules: `on`, `yes` and `no` are text, `010` is ten, dates are
text, and a name that is given twice is an error. Every expression is checked while reading: a composite action knows
the contexts github, inputs, steps, env, runner, job, strategy and matrix, and not secrets, vars or needs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from backup_action.sandbox import expressions
from backup_action.sandbox.expression_values import ExpressionError, Value, is_primitive, parse_number, text

NAMES = ("action.yml", "action.yaml")
STEP_CONTEXTS = frozenset({"github", "inputs", "strategy", "matrix", "steps", "job", "runner", "env"})
INPUT_CONTEXTS = STEP_CONTEXTS - {"inputs", "steps", "env"}
_STEP_KEYS = frozenset({"id", "name", "if", "env", "continue-on-error"})
_RUN_KEYS = _STEP_KEYS | {"run", "shell", "working-directory"}
_USES_KEYS = _STEP_KEYS | {"uses", "with"}
_ID = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_-]{0,99}")


class ActionFileError(ValueError):
    """An action that GitHub would not load; the text says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input. `required` is kept for readers; GitHub does not enforce it."""

    default: str = ""
    required: bool = False
    deprecation: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A step as written: either `run` with `shell`, or `uses`; expressions are not evaluated yet."""

    id: str = ""
    name: str = ""
    run: str | None = None
    shell: str = ""
    uses: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    condition: str = ""
    continue_on_error: Value = False
    working_directory: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """A composite action and the folder that it is in."""

    folder: Path
    name: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, str]
    steps: tuple[Step, ...]


class _Loader(yaml.SafeLoader):
    """YAML 1.2 core instead of PyYAML's 1.1."""


_NUMBER = r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+)\Z"
_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(_NUMBER), list("-+.0123456789"))


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    return parse_number(str(loader.construct_scalar(node)))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = text(loader.construct_object(key_node, deep=True))
        if key.lower() in (name.lower() for name in found):
            raise ActionFileError(f"'{key}' is already defined, line {key_node.start_mark.line + 1}")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load_yaml(text: str) -> Any:
    """The content of a YAML text by GitHub's rules; numbers are floats. Raises ActionFileError."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader with other resolvers)
    except yaml.YAMLError as error:
        raise ActionFileError(f"not valid YAML: {error}") from None


def load(folder: Path) -> Action:
    """The action in a folder. Raises ActionFileError, also for an action that is not composite."""
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None:
        raise ActionFileError(
            f"Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '{folder}'. "
            "Did you forget to run actions/checkout before running your local action?"
        )
    try:
        return _action(folder, load_yaml(path.read_text("utf-8")))
    except (ActionFileError, ExpressionError, UnicodeDecodeError) as error:
        raise ActionFileError(f"{path}: {error}") from None


def _action(folder: Path, content: Any) -> Action:
    root = mapping(content, "the file")
    runs = mapping(root.get("runs"), "runs")
    if text(runs.get("using")).lower() != "composite":
        raise ActionFileError(f"only composite actions can be run here, not using: '{text(runs.get('using'))}'")
    steps = read_steps(runs.get("steps"), "runs.steps")
    outputs = {
        name: checked(mapping(item, f"outputs.{name}").get("value"), f"outputs.{name}.value", STEP_CONTEXTS)
        for name, item in mapping(root.get("outputs"), "outputs").items()
    }
    inputs = {name: _input(name, item) for name, item in mapping(root.get("inputs"), "inputs").items()}
    return Action(folder, checked(root.get("name"), "name", frozenset()), inputs, outputs, steps)


def _input(name: str, content: Any) -> Input:
    known = mapping(content, f"inputs.{name}")
    default = checked(known.get("default"), f"inputs.{name}.default", INPUT_CONTEXTS, files=True)
    deprecation = checked(known.get("deprecationMessage"), f"inputs.{name}.deprecationMessage", frozenset())
    return Input(default, known.get("required") is True, deprecation)


def read_steps(
    content: Any, where: str, contexts: frozenset[str] = STEP_CONTEXTS, *, in_job: bool = False
) -> tuple[Step, ...]:
    """The steps of an action, or those of a job: they may leave their shell out, and have a time limit."""
    steps = tuple(_step(item, contexts, in_job=in_job) for item in sequence(content, where))
    ids = [step.id.lower() for step in steps if step.id]
    if repeated := {name for name in ids if ids.count(name) > 1}:
        raise ActionFileError(f"The identifier '{min(repeated)}' may not be used more than once within the same scope")
    return steps


def _step(content: Any, contexts: frozenset[str], *, in_job: bool) -> Step:
    known = mapping(content, "a step")
    kind = "run" if "run" in known else "uses"
    allowed = (_RUN_KEYS if kind == "run" else _USES_KEYS) | ({"timeout-minutes"} if in_job else set())
    if kind not in known:
        raise ActionFileError("a step has neither 'run' nor 'uses'")
    if unexpected := [key for key in known if key not in allowed]:
        raise ActionFileError(f"Unexpected value '{unexpected[0]}' in a step with '{kind}'")
    if kind == "run" and not in_job and not text(known.get("shell")):
        raise ActionFileError("Required property is missing: shell")
    identifier = text(known.get("id"))
    if identifier and not _ID.fullmatch(identifier):
        raise ActionFileError(f"The identifier '{identifier}' is invalid")

    def scalar(key: str) -> str:
        return checked(known.get(key), key, contexts, files=True)

    def scalars(key: str) -> dict[str, str]:
        items = mapping(known.get(key), key).items()
        return {name: checked(value, f"{key}.{name}", contexts, files=True) for name, value in items}

    expressions.check(text(known.get("if")), contexts - {"secrets"}, condition=True, files=True)
    for key in ("continue-on-error", "timeout-minutes"):
        scalar(key)
    return Step(
        id=identifier,
        name=scalar("name"),
        run=scalar("run") if kind == "run" else None,
        shell=scalar("shell"),
        uses=text(known.get("uses")),
        inputs=scalars("with"),
        env=scalars("env"),
        condition=text(known.get("if")),
        continue_on_error=known.get("continue-on-error", False),
        working_directory=scalar("working-directory"),
    )


def checked(content: Any, where: str, contexts: frozenset[str], *, files: bool = False) -> str:
    """A scalar as text, its expressions checked."""
    if not is_primitive(content):
        raise ActionFileError(f"{where}: a {text(content).lower()} was not expected")
    try:
        expressions.check(text(content), contexts, files=files)
    except ExpressionError as error:
        raise ActionFileError(f"{where}: {error}") from None
    return text(content)


def mapping(content: Any, where: str) -> dict[str, Any]:
    """The content if it is a mapping; nothing is an empty one."""
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ActionFileError(f"{where}: a mapping was expected")
    return content


def sequence(content: Any, where: str) -> list[Any]:
    """The content if it is a list."""
    if not isinstance(content, list):
        raise ActionFileError(f"{where}: a sequence was expected")
    return content
