"""A stand-in for GitHub's runner: reads an `action.yml` and runs its composite steps as GitHub does.

    python -m backup_action.sandbox.runner ACTION_DIR --input paths=data --env-file env.sh --json run.json

The rooms behind it: `action_file` reads the action, `composite` walks its steps, `steps` runs one, `step_process` its
process, `workflow_commands` and `command_files` take in what it says, `masking` hides its secrets, `expressions`
evaluates `${{ }}`, `job` holds what outlives a step. A whole workflow file is run by `workflow`.

Not done: JavaScript and Docker actions, downloads, problem matchers, containers, `post` steps. The temporary folder is
the caller's: unlike GitHub's it is not emptied.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backup_action.sandbox import action_file, composite, step_process
from backup_action.sandbox.action_file import ActionFileError
from backup_action.sandbox.expressions import Value
from backup_action.sandbox.job import Job, StepRun, create
from backup_action.sandbox.step_process import Patience
from backup_action.sandbox.workflow_commands import Annotation

SUMMARIES_SHOWN = 20  # step summaries that GitHub shows for one job


@dataclass(frozen=True, slots=True)
class ActionRun:
    """What a run of an action came to. `summary`, `log` and the annotations' messages are masked, outputs are not."""

    conclusion: str  # success failure cancelled
    outputs: Mapping[str, str]
    summary: str  # what the steps wrote, in order; at most 20 of them
    log: str
    annotations: tuple[Annotation, ...]  # at most 10 of each level
    masks: tuple[str, ...]
    steps: tuple[StepRun, ...]
    masked_outputs: tuple[str, ...]  # outputs that hold a secret: GitHub would not let them leave the job


def run_action(
    action: Path,
    *,
    inputs: Mapping[str, str],
    environment: Mapping[str, str],
    workspace: Path,
    temp: Path,
    tool_cache: Path | None = None,
    event: Mapping[str, Value] | None = None,
    github: Mapping[str, Value] | None = None,
    echo: Callable[[str], None] | None = None,
    cancel: threading.Event | None = None,
    patience: Patience | None = None,
) -> ActionRun:
    """Runs the action in the folder `action` as the only step of a job.

    `environment` is the job's `env:`, plus what the runner would give for OIDC; `github` overrides parts of the context
    (`repository`, `ref`, `event_name` …); `echo` gets each masked line of the log as it happens; setting `cancel`
    cancels the job. An action that cannot be loaded is a failed run with an error annotation.
    """
    temp.mkdir(parents=True, exist_ok=True)
    tools = temp / "_tool" if tool_cache is None else tool_cache
    tools.mkdir(parents=True, exist_ok=True)
    job = create(
        environment=environment,
        workspace=workspace.resolve(),
        temp=temp.resolve(),
        tool_cache=tools.resolve(),
        github=github or {},
    )
    job.echo, job.cancel, job.patience = echo, cancel, patience or Patience()
    write_event(job, event or {})
    try:
        finished = _run(job, action, inputs)
    finally:
        step_process.end_orphans(job.tracking)
    return result_of(job, finished)


def _run(job: Job, folder: Path, inputs: Mapping[str, str]) -> composite.Finished:
    try:
        action = action_file.load(folder.resolve())
    except (ActionFileError, OSError) as error:
        job.error(str(error))
        return composite.Finished("failure", {})
    composite.announce(job, action.name or str(folder), inputs, job.env)
    return composite.run(job, action, inputs, env={})


def write_event(job: Job, event: Mapping[str, Value]) -> None:
    """Puts the event where steps find it: the file, and `github.event`."""
    path = job.temp / "_github_workflow" / "event.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(event, ensure_ascii=False, indent=2), "utf-8")
    job.github |= {"event": dict(event), "event_path": str(path)}


def result_of(job: Job, finished: composite.Finished) -> ActionRun:
    """What there is to tell of a job that ended."""
    summaries = [step.summary for step in job.steps if step.summary]
    return ActionRun(
        conclusion=finished.result,
        outputs=finished.outputs,
        summary="\n".join(summaries[:SUMMARIES_SHOWN]),
        log="".join(f"{line}\n" for line in job.log),
        annotations=tuple(job.annotations),
        masks=job.masker.values,
        steps=tuple(job.steps),
        masked_outputs=tuple(name for name, value in finished.outputs.items() if job.masker.hides(value)),
    )


def read_env_file(text: str) -> dict[str, str]:
    """The variables of `export NAME=VALUE` lines in shell quoting. Raises ValueError for any other line."""
    variables: dict[str, str] = {}
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        words = words[1:] if words[:1] == ["export"] else words
        for word in words:
            name, equals, value = word.partition("=")
            if not equals:
                raise ValueError(f"not a line of the form export NAME=VALUE: {line}")
            variables[name] = value
    return variables


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m backup_action.sandbox.runner", description=__doc__.split("\n")[0])
    parser.add_argument("action", type=Path, help="the folder with the action.yml")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--env-file", type=Path, help="a file of export lines: the job's environment")
    parser.add_argument("--workspace", type=Path, default=Path(), help="the checkout (the current folder)")
    parser.add_argument("--temp", type=Path, help="RUNNER_TEMP (a folder that is removed afterwards)")
    parser.add_argument("--tool-cache", type=Path, help="RUNNER_TOOL_CACHE (a folder in the temporary one)")
    parser.add_argument("--event", type=Path, help="the event as JSON")
    parser.add_argument("--json", type=Path, help="where to write the result")
    given = parser.parse_args(arguments)
    if wrong := [item for item in given.input if "=" not in item]:
        parser.error(f"--input takes NAME=VALUE, not {wrong[0]}")
    return given


def _echo(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _command(given: argparse.Namespace, temp: Path, cancel: threading.Event) -> ActionRun:
    return run_action(
        given.action,
        inputs=dict(item.split("=", 1) for item in given.input),
        environment=read_env_file(given.env_file.read_text("utf-8")) if given.env_file else {},
        workspace=given.workspace,
        temp=given.temp or temp,
        tool_cache=given.tool_cache,
        event=json.loads(given.event.read_text("utf-8")) if given.event else None,
        echo=_echo,
        cancel=cancel,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 if the action succeeded, else 1. SIGINT and SIGTERM cancel the job."""
    given = _arguments(arguments)
    cancel = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: cancel.set())
    with tempfile.TemporaryDirectory(prefix="runner-") as temp:
        result = _command(given, Path(temp), cancel)
    for annotation in result.annotations:
        place = "".join(f" {name}={value}" for name, value in annotation.properties.items())
        _echo(f"{annotation.level}{place}: {annotation.message}")
    if given.json:
        given.json.write_text(json.dumps(dataclasses.asdict(result), ensure_ascii=False, indent=2) + "\n", "utf-8")
    return 0 if result.conclusion == "success" else 1


if __name__ == "__main__":
    raise SystemExit(main())
