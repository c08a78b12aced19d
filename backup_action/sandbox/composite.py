"""Runs the steps of a composite action in order, as the runner's CompositeActionHandler does, and those of a job.

A step runs if its condition holds; without one, if no step before it failed. `success()` and `failure()` look at the
steps of this action so far, `cancelled()` at the job. A failed step does not end the action: the steps after it are
judged one by one; a condition that cannot be evaluated does end it. Outputs are taken at the end, whatever happened.
On a cancelled job every process that is still started gets its SIGINT at once, `always()` or not; but a job's own step
that holds after the cancellation is left to its work, with all that it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backup_action.sandbox import action_file, command_files, expressions, steps
from backup_action.sandbox.action_file import Action, ActionFileError, Step
from backup_action.sandbox.expressions import CaseSensitive, ExpressionError, Status, Value
from backup_action.sandbox.job import Job, StepRun
from backup_action.sandbox.steps import Outcome, Script, StepError, first_line, worse
from backup_action.sandbox.workflow_commands import Annotation

DEFAULT_SHELL = "bash -e {0}"  # of a job's step that names none
MAX_DEPTH = 9  # composites within composites (actions/runner, Constants.CompositeActionsMaxDepth)


@dataclass(frozen=True, slots=True)
class Finished:
    """How an action ended."""

    result: str
    outputs: dict[str, str]


@dataclass(slots=True)
class _Scope:
    """One action while it runs, or a job's own steps: then `outer` has the contexts that only a job has."""

    job: Job
    action: Action
    inputs: Mapping[str, Value]
    overrides: Mapping[str, str]  # the `env:` of the steps that called it
    depth: int
    outer: Mapping[str, Value] | None = None
    result: str = "success"
    steps: dict[str, Value] = field(default_factory=dict)

    def contexts(self, env: Mapping[str, Value], github: Mapping[str, Value] | None = None) -> dict[str, Value]:
        own: dict[str, Value] = {
            "github": self.github() if github is None else github,
            "inputs": self.inputs,
            "steps": self.steps,
            "env": env,
        }
        if self.outer is not None:
            status = "cancelled" if self.job.cancelled else self.result
            own |= {**self.outer, "job": {"status": status}}
        return _job_contexts(self.job) | own

    def github(self) -> dict[str, Value]:
        if self.outer is not None:
            return dict(self.job.github)
        return {**self.job.github, "action_path": str(self.action.folder), "action_status": self.result}

    def env(self) -> CaseSensitive:
        return CaseSensitive({**self.job.env, **self.overrides})


def _job_contexts(job: Job) -> dict[str, Value]:
    strategy: dict[str, Value] = {"fail-fast": True, "job-index": 0, "job-total": 1, "max-parallel": 1}
    status = "cancelled" if job.cancelled else "success"
    return {
        "github": job.github,
        "runner": job.runner,
        "job": {"status": status},
        "strategy": strategy,
        "matrix": None,
    }


def run(job: Job, action: Action, given: Mapping[str, str], *, env: Mapping[str, str], depth: int = 1) -> Finished:
    """Runs the action with the given inputs; `env` is the calling step's own. Nothing is raised: errors are results."""
    if depth > MAX_DEPTH:
        job.error(f"Composite action depth exceeded max depth {MAX_DEPTH}")
        return Finished("failure", {})
    try:
        return _walk(_Scope(job, action, _inputs(job, action, given), env, depth))
    except ExpressionError as error:
        job.error(str(error))
        return Finished("failure", {})


def run_job(job: Job, steps: Action, inputs: Mapping[str, Value], outer: Mapping[str, Value]) -> Finished:
    """Runs a job's own steps, given as if they were an action. `outer`: the contexts vars, secrets and needs."""
    try:
        return _walk(_Scope(job, steps, inputs, {}, 0, outer))
    except ExpressionError as error:
        job.error(str(error))
        return Finished("failure", {})


def _walk(scope: _Scope) -> Finished:
    for number, step in enumerate(scope.action.steps, 1):
        if scope.depth == 0:
            scope.job.begin_step()
        if not _run_step(scope, step, number):
            break
    if scope.outer is not None and scope.job.cancelled:
        scope.result = "cancelled"
    return Finished(scope.result, _outputs(scope))


def _inputs(job: Job, action: Action, given: Mapping[str, str]) -> dict[str, Value]:
    """What was given, and the defaults of the rest; names disregard case, unknown ones are kept with a warning."""
    inputs: dict[str, Value] = dict(given)
    named = {name.lower(): name for name in given}
    for name, known in action.inputs.items():
        if name.lower() not in named:
            inputs[name] = expressions.interpolate(known.default, _job_contexts(job), workspace=job.workspace)
        elif known.deprecation:
            message = f"Input '{named[name.lower()]}' has been deprecated with message: {known.deprecation}"
            job.annotate(Annotation("warning", message))
    valid = {name.lower() for name in action.inputs}
    if unexpected := [name for name in given if name.lower() not in valid]:
        listed, strange = "', '".join(action.inputs), "', '".join(unexpected)
        message = f"Unexpected input(s) '{strange}', valid inputs are ['{listed}']"
        job.annotate(Annotation("warning", message))
    return inputs


def _outputs(scope: _Scope) -> dict[str, str]:
    """The action's outputs; one that cannot be evaluated is an error that leaves none."""
    contexts = scope.contexts(scope.env())
    return {name: expressions.interpolate(value, contexts) for name, value in scope.action.outputs.items()}


def _run_step(scope: _Scope, step: Step, number: int) -> bool:
    """Runs a step if its condition holds; False if the action ends here."""
    env = scope.env()
    goes_on = True
    outcome = Outcome()
    try:
        contexts = scope.contexts(env)
        own = {name: _text(scope, value, contexts) for name, value in step.env.items()}
        env.update(own)
        if not _holds(scope, step, env):
            _record(scope, step, step.name or step.id, Outcome("skipped"), "skipped")
            return True
        outcome = _call(scope, step, env, own) if step.uses else _script(scope, step, env, number)
    except _ConditionError as error:
        scope.job.error(str(error))
        outcome, goes_on = Outcome("failure"), False
    except (ExpressionError, StepError, ActionFileError) as error:
        scope.job.error(str(error))
        outcome = Outcome("failure")
    conclusion = "success" if outcome.result == "failure" and _tolerated(scope, step, env) else outcome.result
    scope.result = worse(scope.result, conclusion)
    _record(scope, step, _name(scope, step, env), outcome, conclusion)
    return goes_on


class _ConditionError(RuntimeError):
    """An `if:` that could not be evaluated."""


def _holds(scope: _Scope, step: Step, env: CaseSensitive) -> bool:
    ended = scope.outer is not None and scope.job.cancelled
    status: Status = scope.job.status("cancelled" if ended else scope.result)
    try:
        return expressions.condition(step.condition, scope.contexts(env), status=status, workspace=scope.job.workspace)
    except ExpressionError as error:
        raise _ConditionError(str(error)) from None


def _text(scope: _Scope, source: str, contexts: Mapping[str, Value]) -> str:
    return expressions.interpolate(source, contexts, workspace=scope.job.workspace)


def _name(scope: _Scope, step: Step, env: CaseSensitive) -> str:
    """What the step is called; an expression that fails leaves the text as written."""
    fallback = f"Run {step.uses or first_line(step.run or '')}"
    try:
        return _text(scope, step.name or fallback, scope.contexts(env))
    except ExpressionError:
        return step.name or fallback


def _tolerated(scope: _Scope, step: Step, env: CaseSensitive) -> bool:
    """Whether `continue-on-error` is true. A text is refused, as on GitHub: only a real boolean counts."""
    try:
        value = expressions.resolve(step.continue_on_error, scope.contexts(env), workspace=scope.job.workspace)
        if not isinstance(value, bool):
            raise ExpressionError("Expected a boolean for continue-on-error")
    except ExpressionError as error:
        what = "The step failed and an error occurred when attempting to determine whether to continue on error."
        scope.job.error(what)
        scope.job.error(str(error))
        return False
    return value


def _record(scope: _Scope, step: Step, name: str, outcome: Outcome, conclusion: str) -> None:
    """Writes the step into the `steps` context and into the job's list."""
    if step.id:
        outputs: dict[str, Value] = dict(outcome.outputs)
        scope.steps[step.id] = {"outputs": outputs, "outcome": outcome.result, "conclusion": conclusion}
    scope.job.steps.append(
        StepRun(
            step.id,
            scope.job.masker.mask(name),
            scope.depth,
            outcome.result,
            conclusion,
            dict(outcome.outputs),
            outcome.exit_code,
            outcome.summary,
        )
    )


def _script(scope: _Scope, step: Step, env: CaseSensitive, number: int) -> Outcome:
    files = command_files.create(scope.job.temp)
    github = scope.github() | {"action": step.id or (f"__run_{number}" if number > 1 else "__run")}
    github |= {kind: str(getattr(files, kind)) for kind in ("path", "env", "step_summary", "state", "output")}
    contexts = scope.contexts(env, github)
    folder = scope.job.workspace / _text(scope, step.working_directory, contexts)
    shell = _text(scope, step.shell, contexts) or DEFAULT_SHELL
    script = Script(_text(scope, step.run or "", contexts), shell, folder, env, github, files)
    return steps.run(scope.job, script)


def _call(scope: _Scope, step: Step, env: CaseSensitive, own: Mapping[str, str]) -> Outcome:
    """A `uses:`. A path is below the workspace, also inside an action, as on GitHub."""
    folder = Path(scope.job.workspace, step.uses) if step.uses.startswith("./") else _elsewhere(scope.job, step.uses)
    if folder is None:
        return Outcome()
    action = action_file.load(folder.resolve())
    contexts = scope.contexts(env)
    given = {name: _text(scope, value, contexts) for name, value in step.inputs.items()}
    announce(scope.job, step.uses, given, env)
    finished = run(scope.job, action, given, env={**scope.overrides, **own}, depth=scope.depth + 1)
    return Outcome(finished.result, finished.outputs)


def is_known(uses: str, repositories: Mapping[str, Path | None]) -> bool:
    """Whether something stands for the repository of a `uses: owner/name@ref`, also of one with a folder in it."""
    return _split(uses)[0] in repositories


def _split(uses: str) -> tuple[str, list[str]]:
    """`owner/name@ref`, and the folders within."""
    name, at, ref = uses.partition("@")
    parts = name.split("/")
    return "/".join(parts[:2]) + at + ref, parts[2:]


def _elsewhere(job: Job, uses: str) -> Path | None:
    """The folder that stands for another repository's action; None for one that is to do nothing."""
    known, inner = _split(uses)
    if known not in job.repositories:
        raise StepError(f"'{uses}' cannot be run here: nothing is downloaded, and no local folder stands for it")
    folder = job.repositories[known]
    return None if folder is None else Path(folder, *inner)


def announce(job: Job, uses: str, given: Mapping[str, str], env: Mapping[str, Value]) -> None:
    """The group at the head of an action's log."""
    job.write(f"##[group]Run {uses}")
    for title, items in (("with", given), ("env", env)):
        if items:
            job.write(f"{title}:")
        for name, value in items.items():
            job.write(f"  {name}: {value}")
    job.write("##[endgroup]")
