"""What passes between a workflow and the reusable one that it calls: the file, inputs, secrets, permissions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backup_action.sandbox import expressions
from backup_action.sandbox.expression_values import Value, is_primitive, text
from backup_action.sandbox.workflow_file import Input, Workflow, WorkflowError
from backup_action.sandbox.workflow_permissions import Permissions, excess

FOLDER = ".github/workflows"


def find(uses: str, caller: Path, repositories: Mapping[str, Path | None]) -> Path:
    """The file that `uses` names: beside the caller's, or in the folder that stands for another repository."""
    name, at, ref = uses.partition("@")
    *above, file = name.split("/")
    if above == [".", *FOLDER.split("/")] and not at:
        return caller.parent / file
    folder = repositories.get("/".join(above[:2]) + at + ref)
    if not at or "/".join(above[2:]) != FOLDER or folder is None:
        raise WorkflowError(f"'{uses}' cannot be called here: nothing is downloaded, and no local folder stands for it")
    return folder / FOLDER / file


def inputs(called: Workflow, given: Mapping[str, Value], contexts: Mapping[str, Value]) -> dict[str, Value]:
    """The called workflow's `inputs`, each of its declared type. Raises WorkflowError."""
    if "workflow_call" not in called.triggers:
        raise WorkflowError(f"{called.path}: workflow is not reusable as it is missing a `on.workflow_call` trigger")
    known = called.call.inputs
    if strange := [name for name in given if name not in known]:
        raise WorkflowError(f"Invalid input, {strange[0]} is not defined in the referenced workflow.")
    for name, declared in known.items():
        if declared.required and name not in given:
            raise WorkflowError(f"Input {name} is required, but not provided while calling.")
    return {
        name: _typed(name, declared, given[name] if name in given else expressions.resolve(declared.default, contexts))
        for name, declared in known.items()
    }


def _typed(name: str, declared: Input, value: Value) -> Value:
    empty: dict[str, Value] = {"boolean": False, "number": 0.0, "string": ""}
    if value is None:
        return empty[declared.type]
    if declared.type == "boolean" and isinstance(value, bool):
        return value
    if declared.type == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if declared.type == "string" and is_primitive(value):
        return text(value)
    raise WorkflowError(f"The value of the input {name} is no {declared.type}: {text(value)}")


def secrets(called: Workflow, given: Mapping[str, Value] | None, all_of: Mapping[str, Value]) -> dict[str, Value]:
    """The called workflow's `secrets`: those that were named, or with `inherit` (None) all. Raises WorkflowError."""
    if given is None:
        return dict(all_of)
    if strange := [name for name in given if name not in called.call.secrets]:
        raise WorkflowError(f"Invalid secret, {strange[0]} is not defined in the referenced workflow.")
    for name, required in called.call.secrets.items():
        if required and not given.get(name):
            raise WorkflowError(f"Secret {name} is required, but not provided while calling.")
    return dict(given)


def narrowed(
    job: Permissions | None, workflow: Permissions | None, allowed: Permissions | None, default: Permissions
) -> Permissions:
    """A job's permissions: its own, else its workflow's, else its caller's (`allowed`), else the default's."""
    asked = job if job is not None else workflow
    if asked is None:
        return default if allowed is None else allowed
    if allowed is not None and (refusal := excess(asked, allowed)):
        raise WorkflowError(refusal)
    return asked
