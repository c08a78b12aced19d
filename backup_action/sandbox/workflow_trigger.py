"""What starts a workflow: the schedule, a person (`workflow_dispatch`), the API (`repository_dispatch`).

Each function gives the Trigger that GitHub would make of it, or raises WorkflowError with what the API would answer, or
because the workflow does not listen. The limits are those of GitHub's documentation (`repository_dispatch`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from backup_action.sandbox.expression_values import Value, text
from backup_action.sandbox.workflow_file import Input, Workflow, WorkflowError

PAYLOAD_MAX = 65_535  # characters
PAYLOAD_KEYS = 10
TYPE_MAX = 100  # characters of an event type


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that GitHub accepted: the event's name, `github.event`, and the `inputs` context."""

    name: str
    event: Mapping[str, Value]
    inputs: Mapping[str, Value] = field(default_factory=dict)


def schedule(workflow: Workflow, cron: str = "") -> Trigger:
    """The clock; without a cron line, the workflow's first."""
    _listens(workflow, "schedule")
    chosen = cron or next(iter(workflow.crons), "")
    if chosen not in workflow.crons:
        raise WorkflowError(f"the workflow has no schedule '{cron}'")
    return Trigger("schedule", {"schedule": chosen})


def by_hand(workflow: Workflow, inputs: Mapping[str, Value] | None = None) -> Trigger:
    """A person or the API, with texts as inputs."""
    _listens(workflow, "workflow_dispatch")
    given = dict(inputs or {})
    _limit(given)
    if unexpected := [name for name in given if name not in workflow.dispatch]:
        raise WorkflowError(f"Unexpected inputs provided: {json.dumps(unexpected)}")
    texts = {name: _dispatched(name, known, given.get(name)) for name, known in workflow.dispatch.items()}
    kinds: dict[str, Value] = {
        name: value == "true" if workflow.dispatch[name].type == "boolean" else value for name, value in texts.items()
    }
    return Trigger("workflow_dispatch", {"inputs": dict(texts)}, kinds)


def by_api(workflow: Workflow, event_type: str, payload: Mapping[str, Value] | None = None) -> Trigger:
    """A `repository_dispatch` event."""
    _listens(workflow, "repository_dispatch")
    if not 1 <= len(event_type) <= TYPE_MAX:
        raise WorkflowError(f"event_type has {len(event_type)} characters, and 1 to {TYPE_MAX} are allowed")
    given = dict(payload or {})
    if len(given) > PAYLOAD_KEYS:
        raise WorkflowError(f"No more than {PAYLOAD_KEYS} properties are allowed; {len(given)} were supplied.")
    _limit(given)
    if workflow.types and event_type not in workflow.types:
        raise WorkflowError(f"the workflow does not listen to the type '{event_type}'")
    return Trigger("repository_dispatch", {"action": event_type, "branch": "main", "client_payload": given})


def _listens(workflow: Workflow, name: str) -> None:
    if name not in workflow.triggers:
        raise WorkflowError(f"Workflow does not have '{name}' trigger")


def _limit(given: Mapping[str, Value]) -> None:
    length = len(json.dumps(given, ensure_ascii=False))
    if length > PAYLOAD_MAX:
        raise WorkflowError(f"the payload has {length} characters, and at most {PAYLOAD_MAX} are allowed")


def _dispatched(name: str, known: Input, given: Value) -> str:
    """An input's text: what was given, else the default, else nothing (a boolean: false)."""
    if given is None:
        if known.required and known.default is None:
            raise WorkflowError(f"Required input '{name}' not provided")
        return text(known.default) or ("false" if known.type == "boolean" else "")
    if not isinstance(given, str):
        raise WorkflowError(f"the input '{name}' is no text")
    if known.type == "boolean" and given not in ("true", "false"):
        raise WorkflowError(f"Provided value '{given}' for input '{name}' not of type boolean")
    if known.type == "choice" and given not in known.options:
        raise WorkflowError(f"Provided value '{given}' for input '{name}' not in the list of allowed values")
    if known.type == "number" and not _is_number(given):
        raise WorkflowError(f"Provided value '{given}' for input '{name}' not of type number")
    return given


def _is_number(given: str) -> bool:
    try:
        float(given)
    except ValueError:
        return False
    return given.isascii()
