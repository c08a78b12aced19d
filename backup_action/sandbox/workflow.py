"""Runs a workflow file for one trigger as GitHub does: its jobs in the order of the file, one after another.

    workflow = workflow_file.load(path)
    run = run_workflow(workflow, workflow_trigger.by_hand(workflow, {"profile": "nightly"}), Runner(…))

The variables for OIDC go to jobs with `id-token: write` only. Actions and reusable workflows of other repositories are
folders that the Runner names; any other is refused. All jobs share the Runner's workspace.

Not done: containers, environments, concurrency (it is evaluated and told), time limits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from backup_action.sandbox import (
    composite,
    expressions,
    runner,
    step_process,
    workflow_call,
    workflow_file,
    workflow_matrix,
)
from backup_action.sandbox.action_file import Action
from backup_action.sandbox.expression_values import ExpressionError, Value
from backup_action.sandbox.job import GITHUB, Job, create
from backup_action.sandbox.runner import ActionRun
from backup_action.sandbox.step_process import Patience
from backup_action.sandbox.workflow_commands import Annotation
from backup_action.sandbox.workflow_file import Workflow, WorkflowError, WorkflowJob
from backup_action.sandbox.workflow_matrix import Strategy
from backup_action.sandbox.workflow_permissions import DEFAULT, Permissions, grants_oidc
from backup_action.sandbox.workflow_trigger import Trigger

MAX_DEPTH = 10  # workflows that call each other, the first included


@dataclass(frozen=True, slots=True)
class Runner:
    """The repository and the machine. `oidc`: what the runner gives a job for OIDC, if it may have it.

    `repositories` maps `owner/name@ref` to the folder that stands for it, or to None: then its action does nothing.
    """

    workspace: Path
    temp: Path
    tool_cache: Path
    variables: Mapping[str, str] = field(default_factory=dict)  # the context `vars`
    secrets: Mapping[str, str] = field(default_factory=dict)
    oidc: Mapping[str, str] = field(default_factory=dict)
    repositories: Mapping[str, Path | None] = field(default_factory=dict)
    github: Mapping[str, Value] = field(default_factory=dict)
    echo: Callable[[str], None] | None = None
    cancel: threading.Event | None = None
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """What a run came to. A called workflow's jobs stand in `jobs` under `caller / job`."""

    conclusion: str  # success failure cancelled skipped
    jobs: Mapping[str, ActionRun]
    outputs: Mapping[str, str]  # of `workflow_call`
    concurrency: Mapping[str, Value]  # evaluated

    @property
    def log(self) -> str:
        """The logs of all jobs."""
        return "".join(job.log for job in self.jobs.values())


@dataclass(frozen=True, slots=True)
class _Frame:
    """One workflow file while it runs: what its expressions know, and what its jobs may do."""

    workflow: Workflow
    runner: Runner
    event: Mapping[str, Value]
    inputs: Mapping[str, Value]
    secrets: Mapping[str, Value]
    allowed: Permissions | None = None  # None: nobody calls it
    depth: int = 1
    of_job: Mapping[str, Value] = field(default_factory=dict)  # the contexts needs, matrix and strategy of one job

    def contexts(self) -> dict[str, Value]:
        return {"github": self.github(), "inputs": self.inputs, "vars": dict(self.runner.variables)}

    def job_contexts(self) -> dict[str, Value]:
        _, alone = next(Strategy().runs())
        more: dict[str, Value] = {"secrets": self.secrets, "needs": {}}
        return {**self.contexts(), **more, **alone, **self.of_job}

    def github(self) -> dict[str, Value]:
        return {**GITHUB, **self.event, **self.runner.github}

    def permissions(self, job: WorkflowJob) -> Permissions:
        """What the job may do. Raises WorkflowError where a called workflow asks for more than its caller has."""
        return workflow_call.narrowed(job.permissions, self.workflow.permissions, self.allowed, DEFAULT)


def run_workflow(workflow: Workflow, trigger: Trigger, machine: Runner) -> WorkflowRun:
    """Runs the workflow. Raises WorkflowError for what GitHub would refuse before a step runs."""
    event: dict[str, Value] = {"event_name": trigger.name, "event": dict(trigger.event), "workflow": workflow.name}
    return _run(_Frame(workflow, machine, event, trigger.inputs, dict(machine.secrets)))


def _run(frame: _Frame) -> WorkflowRun:
    runs: dict[str, ActionRun] = {}
    results: dict[str, Value] = {}
    conclusions: dict[str, str] = {}
    contexts = frame.job_contexts()
    try:
        concurrency = {name: expressions.resolve(value, contexts) for name, value in frame.workflow.concurrency.items()}
        for job in frame.workflow.jobs:
            needed = {name: results[name] for name in job.needs}
            status = workflow_matrix.status([conclusions[name] for name in job.needs])
            holds = expressions.condition(job.condition, contexts | {"needs": needed}, status=status)
            conclusion, outputs, ended = _runs(frame, job, needed) if holds else ("skipped", {}, {})
            conclusions[job.id] = conclusion
            runs |= ended
            results[job.id] = {"result": conclusion, "outputs": dict(outputs)}
            runs.setdefault(job.id, _nothing(conclusion, outputs))
        outputs_of_call = {
            name: expressions.interpolate(value, frame.contexts() | {"jobs": results})
            for name, value in frame.workflow.call.outputs.items()
        }
    except ExpressionError as error:
        raise WorkflowError(f"{frame.workflow.path}: {error}") from None
    ended_as = workflow_matrix.worst([run.conclusion for run in runs.values()])
    return WorkflowRun(ended_as, runs, outputs_of_call, concurrency)


def _nothing(conclusion: str, outputs: Mapping[str, str]) -> ActionRun:
    """A job that has no steps of its own to tell of."""
    return ActionRun(conclusion, outputs, "", "", (), (), (), ())


def _runs(
    frame: _Frame, job: WorkflowJob, needed: Mapping[str, Value]
) -> tuple[str, Mapping[str, str], dict[str, ActionRun]]:
    """A job in each of the ways that its matrix says."""
    outputs: dict[str, str] = {}
    ended: dict[str, ActionRun] = {}
    conclusions: list[str] = []
    for label, contexts in job.strategy.runs():
        if job.strategy.fail_fast and "failure" in conclusions:
            conclusions.append("cancelled")
            ended[job.id + label] = _nothing("cancelled", {})
            continue
        one = replace(frame, of_job={"needs": dict(needed), **contexts})
        conclusion, told, runs = _job(one, job)
        conclusions.append(conclusion)
        outputs |= told
        ended |= {name.replace(job.id, job.id + label, 1): run for name, run in runs.items()}
    return workflow_matrix.worst(conclusions), outputs, ended


def _job(frame: _Frame, job: WorkflowJob) -> tuple[str, Mapping[str, str], dict[str, ActionRun]]:
    """One job: how it ended, its outputs, and the runs that it consists of."""
    if job.uses:
        called = _call(frame, job)
        return called.conclusion, called.outputs, {f"{job.id} / {name}": run for name, run in called.jobs.items()}
    run = _steps(frame, job)
    return run.conclusion, run.outputs, {job.id: run}


def _steps(frame: _Frame, job: WorkflowJob) -> ActionRun:
    """A job with steps of its own."""
    state = _state(frame, job)
    steps = Action(state.workspace, job.id, {}, job.outputs, job.steps)
    outer: dict[str, Value] = {
        name: value for name, value in frame.job_contexts().items() if name not in ("github", "inputs")
    }
    try:
        _refuse_unknown_actions(job, frame.runner)
        finished = composite.run_job(state, steps, frame.inputs, outer)
    except WorkflowError as error:
        state.error(str(error))
        finished = composite.Finished("failure", {})
    finally:
        step_process.end_orphans(state.tracking)
    kept = {name: value for name, value in finished.outputs.items() if not state.masker.hides(value)}
    for name in finished.outputs.keys() - kept.keys():
        state.annotate(Annotation("warning", f"Skip output '{name}' since it may contain secret."))
    return runner.result_of(state, composite.Finished(finished.result, kept))


def _state(frame: _Frame, job: WorkflowJob) -> Job:
    """The job at its start, its secrets masked."""
    machine, contexts = frame.runner, frame.job_contexts()
    _check_place(job, contexts)
    env: dict[str, str] = {}
    for name, value in {**frame.workflow.env, **job.env}.items():
        env[name] = expressions.interpolate(value, contexts)
    granted = machine.oidc if grants_oidc(frame.permissions(job)) else {}
    for folder in (machine.workspace, machine.temp, machine.tool_cache):
        folder.mkdir(parents=True, exist_ok=True)
    state = create(
        environment={**env, **granted},
        workspace=machine.workspace.resolve(),
        temp=machine.temp.resolve(),
        tool_cache=machine.tool_cache.resolve(),
        github={**frame.github(), "job": job.id},
    )
    state.echo, state.cancel, state.patience = machine.echo, machine.cancel, machine.patience
    state.repositories = machine.repositories
    for secret in [*machine.secrets.values(), *frame.secrets.values()]:
        state.masker.add_lines(str(secret))
    event = frame.event["event"]
    runner.write_event(state, event if isinstance(event, Mapping) else {})
    return state


def _check_place(job: WorkflowJob, contexts: Mapping[str, Value]) -> None:
    """Raises WorkflowError unless the job comes to labels of a runner, and to a number of minutes if to any."""
    labels, minutes = (expressions.resolve(value, contexts) for value in (job.runs_on, job.minutes))
    several = labels if isinstance(labels, list) else [labels]
    if not several or not all(isinstance(label, str) and label for label in several):
        raise WorkflowError(f"the job {job.id}: runs-on gives no labels")
    if minutes is not None and (isinstance(minutes, bool) or not isinstance(minutes, int | float)):
        raise WorkflowError(f"the job {job.id}: timeout-minutes is no number")


def _refuse_unknown_actions(job: WorkflowJob, machine: Runner) -> None:
    """GitHub fetches all actions before the first step; one that cannot be had fails the job there."""
    for step in job.steps:
        if step.uses and not step.uses.startswith("./") and not composite.is_known(step.uses, machine.repositories):
            what = "nothing is downloaded, and no local folder stands for it"
            raise WorkflowError(f"Unable to resolve action '{step.uses}': {what}")


def _call(frame: _Frame, job: WorkflowJob) -> WorkflowRun:
    """A job that is a reusable workflow. It sees the caller's event, and nothing of the caller's environment."""
    if frame.depth >= MAX_DEPTH:
        raise WorkflowError(f"{job.uses}: workflows may call each other {MAX_DEPTH} deep at most")
    called = workflow_file.load(workflow_call.find(job.uses, frame.workflow.path, frame.runner.repositories))
    contexts = frame.job_contexts()
    given: dict[str, Value] = {name: expressions.resolve(value, contexts) for name, value in job.inputs.items()}
    secrets: dict[str, Value] | None = None
    if job.secrets is not None:
        secrets = {name: expressions.interpolate(value, contexts) for name, value in job.secrets.items()}
    inputs = workflow_call.inputs(called, given, frame.contexts())
    passed = workflow_call.secrets(called, secrets, frame.secrets)
    inner = _Frame(called, frame.runner, frame.event, inputs, passed, frame.permissions(job), frame.depth + 1)
    return _run(inner)
