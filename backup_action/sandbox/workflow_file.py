"""Reads a workflow file: its triggers with their inputs, permissions, environment and jobs.

What GitHub would refuse to load is an error here, and so is what this stand-in does not do (`container`, `services`,
`environment`, `defaults`, and most of what a `strategy` may say): nothing is passed over in silence. Every expression
is checked for the contexts that GitHub knows in its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backup_action.sandbox import expressions, workflow_matrix
from backup_action.sandbox.action_file import (
    ActionFileError,
    Step,
    checked,
    load_yaml,
    mapping,
    read_steps,
    sequence,
)
from backup_action.sandbox.expression_values import ExpressionError, Value, is_primitive, text
from backup_action.sandbox.workflow_matrix import Strategy
from backup_action.sandbox.workflow_permissions import Permissions, permissions

MAX_INPUTS = 25  # of `workflow_dispatch`
CALL_TYPES = ("boolean", "number", "string")
DISPATCH_TYPES = (*CALL_TYPES, "choice")
_RUN = frozenset({"github", "inputs", "vars"})
_JOB = _RUN | {"needs", "strategy", "matrix"}
_STEPS = _JOB | {"secrets", "steps", "job", "runner", "env"}
_TOP_KEYS = frozenset({"name", "run-name", "on", "permissions", "env", "concurrency", "jobs"})
_ANY_JOB = frozenset({"name", "permissions", "if", "concurrency", "needs", "strategy"})
_STEP_JOB = _ANY_JOB | {"runs-on", "outputs", "env", "steps", "timeout-minutes"}
_CALLING_JOB = _ANY_JOB | {"uses", "with", "secrets"}
_CRON = re.compile(r"[0-9*/,-]+ [0-9*/,-]+ [0-9*/,-]+ [0-9A-Za-z*/,-]+ [0-9A-Za-z*/,-]+")
_JOB_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class WorkflowError(ValueError):
    """A workflow that GitHub would not load or start, or that this stand-in cannot run; the text says why."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input of `workflow_dispatch` or `workflow_call`. `default` None: there is none."""

    type: str = "string"
    default: Value = None
    required: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """What `workflow_call` declares: inputs, secrets with whether they are required, outputs as written."""

    inputs: Mapping[str, Input] = field(default_factory=dict)
    secrets: Mapping[str, bool] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkflowJob:
    """A job as written: either `steps`, or `uses` with what it passes on. `secrets` None: `inherit`."""

    id: str
    runs_on: Value = None
    minutes: Value = None
    condition: str = ""
    needs: tuple[str, ...] = ()
    strategy: Strategy = field(default_factory=Strategy)
    permissions: Permissions | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    uses: str = ""
    inputs: Mapping[str, Value] = field(default_factory=dict)
    secrets: Mapping[str, str] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as written. `triggers` has every trigger that it names; those with content of their own follow."""

    path: Path
    name: str
    triggers: frozenset[str]
    crons: tuple[str, ...]
    dispatch: Mapping[str, Input]
    types: tuple[str, ...]  # of `repository_dispatch`; empty: all
    call: Call
    permissions: Permissions | None
    env: Mapping[str, str]
    concurrency: Mapping[str, Value]
    jobs: tuple[WorkflowJob, ...]


def load(path: Path) -> Workflow:
    """The workflow in a file. Raises WorkflowError."""
    try:
        return _workflow(path, mapping(load_yaml(path.read_text("utf-8")), "the file"))
    except (ActionFileError, ExpressionError, WorkflowError, UnicodeDecodeError, OSError) as error:
        raise WorkflowError(f"{path}: {error}") from None


def _workflow(path: Path, root: dict[str, Any]) -> Workflow:
    _refuse(root, _TOP_KEYS, "the workflow")
    on = _triggers(root.get("on"))
    written = mapping(root.get("jobs"), "jobs")
    names = list(written)
    jobs = tuple(_job(name, mapping(written[name], name), names[:at]) for at, name in enumerate(names))
    if not jobs or not on:
        raise WorkflowError("a workflow needs `on` and at least one job")
    dispatch = _inputs(on.get("workflow_dispatch"), "workflow_dispatch", DISPATCH_TYPES)
    if len(dispatch) > MAX_INPUTS:
        raise WorkflowError(f"workflow_dispatch has {len(dispatch)} inputs, and at most {MAX_INPUTS} are allowed")
    types = mapping(on.get("repository_dispatch"), "repository_dispatch").get("types", [])
    return Workflow(
        path=path,
        name=checked(root.get("name"), "name", frozenset()),
        triggers=frozenset(on),
        crons=_crons(on.get("schedule", [])),
        dispatch=dispatch,
        types=tuple(text(item) for item in (types if isinstance(types, list) else [types])),
        call=_call(on.get("workflow_call")),
        permissions=permissions(root.get("permissions")),
        env=_texts(root.get("env"), "env", _RUN | {"secrets"}),
        concurrency=_concurrency(root.get("concurrency")),
        jobs=jobs,
    )


def _triggers(content: Any) -> dict[str, Any]:
    if isinstance(content, dict):
        return content
    return {text(name): None for name in (content if isinstance(content, list) else [content]) if name is not None}


def _crons(content: Any) -> tuple[str, ...]:
    crons = tuple(text(mapping(item, "schedule").get("cron")) for item in sequence(content, "schedule"))
    for cron in crons:
        if not _CRON.fullmatch(cron):
            raise WorkflowError(f"'{cron}' is not a cron line of five fields")
    return crons


def _call(content: Any) -> Call:
    known = mapping(content, "workflow_call")
    _refuse(known, frozenset({"inputs", "secrets", "outputs"}), "workflow_call")
    secrets = mapping(known.get("secrets"), "secrets")
    outputs = mapping(known.get("outputs"), "outputs")
    return Call(
        _inputs(content, "workflow_call", CALL_TYPES),
        {name: mapping(item, name).get("required") is True for name, item in secrets.items()},
        {name: checked(mapping(item, name).get("value"), name, _RUN | {"jobs"}) for name, item in outputs.items()},
    )


def _inputs(content: Any, trigger: str, types: tuple[str, ...]) -> dict[str, Input]:
    inputs = mapping(mapping(content, trigger).get("inputs"), "inputs")
    return {name: _input(name, mapping(item, name), trigger, types) for name, item in inputs.items()}


def _input(name: str, known: dict[str, Any], trigger: str, types: tuple[str, ...]) -> Input:
    _refuse(known, frozenset({"description", "required", "default", "type", "options"}), f"the input {name}")
    sort = text(known.get("type")) or ("string" if trigger == "workflow_dispatch" else "")
    if sort not in types:
        raise WorkflowError(f"the input {name} of {trigger} has the type '{sort}', not one of {', '.join(types)}")
    options = tuple(text(item) for item in sequence(known.get("options", []), "options"))
    default: Value = known.get("default")
    if (sort == "choice") is not bool(options):
        raise WorkflowError(f"the input {name}: a choice has options, and nothing else does")
    fits = {"boolean": isinstance(default, bool), "number": isinstance(default, int | float)}
    if default is not None and not fits.get(sort, is_primitive(default) and (not options or text(default) in options)):
        raise WorkflowError(f"the default of the input {name} is no {sort} of its own")
    return Input(sort, default, known.get("required") is True, options)


def _concurrency(content: Any) -> dict[str, Value]:
    known = mapping({"group": content} if isinstance(content, str) else content, "concurrency")
    _refuse(known, frozenset({"group", "cancel-in-progress"}), "concurrency")
    for name, value in known.items():
        checked(value, name, _RUN)
    return known


def _job(name: str, known: dict[str, Any], before: list[str]) -> WorkflowJob:
    calls = "uses" in known
    _refuse(known, _CALLING_JOB if calls else _STEP_JOB, f"the job {name}")
    if not _JOB_ID.fullmatch(name):
        raise WorkflowError(f"The identifier '{name}' is invalid")
    if not calls and not known.get("runs-on"):
        raise WorkflowError(f"the job {name}: Required property is missing: runs-on")
    expressions.check(text(known.get("if")), _RUN | {"needs"}, condition=True)
    _concurrency(known.get("concurrency"))
    labels = known.get("runs-on")
    for item in [known.get("name"), known.get("timeout-minutes"), *(labels if isinstance(labels, list) else [labels])]:
        checked(item, f"the job {name}", _JOB)
    secrets = known.get("secrets")
    inherited = secrets == "inherit"
    return WorkflowJob(
        id=name,
        runs_on=labels,
        minutes=known.get("timeout-minutes"),
        condition=text(known.get("if")),
        needs=workflow_matrix.needs(known.get("needs"), name, before),
        strategy=workflow_matrix.strategy(known.get("strategy"), name),
        permissions=permissions(known.get("permissions")),
        env=_texts(known.get("env"), "env", _JOB | {"secrets"}),
        outputs=_texts(known.get("outputs"), "outputs", _STEPS),
        steps=() if calls else read_steps(known.get("steps"), f"{name}.steps", _STEPS, in_job=True),
        uses=text(known.get("uses")),
        inputs=_values(known.get("with"), "with", _JOB),
        secrets=None if inherited else _texts(secrets, "secrets", _JOB | {"secrets"}),
    )


def _texts(content: Any, where: str, contexts: frozenset[str]) -> dict[str, str]:
    return {name: checked(value, f"{where}.{name}", contexts) for name, value in mapping(content, where).items()}


def _values(content: Any, where: str, contexts: frozenset[str]) -> dict[str, Value]:
    """Scalars that keep their kind, since an input of a call has one."""
    _texts(content, where, contexts)
    return dict(mapping(content, where))


def _refuse(known: Mapping[str, Any], allowed: frozenset[str], where: str) -> None:
    for key in known:
        if key not in allowed:
            raise WorkflowError(f"Unexpected value '{key}' in {where}, or nothing that can be run here")
