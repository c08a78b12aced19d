"""Executes one `run` step: writes its script, starts its shell, reads its lines and then its command files."""

from __future__ import annotations

import shlex
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backup_action.sandbox import command_files, step_process
from backup_action.sandbox.command_files import CommandFileError, CommandFiles
from backup_action.sandbox.expressions import CaseSensitive, Value
from backup_action.sandbox.job import Job
from backup_action.sandbox.workflow_commands import Processor

_FORMATS = {"bash": "--noprofile --norc -e -o pipefail {0}", "sh": "-e {0}", "python": "{0}"}
_ENDINGS = {"bash": ".sh", "sh": ".sh", "python": ".py"}
_RANKS = ("success", "failure", "cancelled")


class StepError(RuntimeError):
    """A step that cannot be started; the text is for people."""


@dataclass(slots=True)
class Outcome:
    """What became of a step so far."""

    result: str = "success"
    outputs: dict[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    summary: str = ""

    def worsen(self, result: str) -> None:
        """Takes over a result that is worse."""
        self.result = worse(self.result, result)


def worse(one: str, other: str) -> str:
    """The worse of two results: cancelled, failure, success."""
    return max(one, other, key=_RANKS.index)


@dataclass(frozen=True, slots=True)
class Script:
    """A `run` step with its expressions evaluated. `github` is its context, the command files' paths included."""

    text: str
    shell: str
    folder: Path
    env: CaseSensitive
    github: Mapping[str, Value]
    files: CommandFiles


def run(job: Job, script: Script) -> Outcome:
    """Runs the script to its end. What goes wrong is annotated and shows in the result."""
    outcome = Outcome()
    try:
        arguments, shown = _command(job, script.shell)
        _announce(job, script, shown)
        _execute(job, script, arguments, outcome)
    except (StepError, OSError) as error:
        job.error(str(error))
        outcome.worsen("failure")
    _read_files(job, script, outcome)
    return outcome


def _command(job: Job, shell: str) -> tuple[list[str], str]:
    """The arguments with `{0}` where the script's path goes, and how the log shows them."""
    name, _, given = shell.partition(" ")
    program = shutil.which(name, path=job.search_path())
    if program is None:
        raise StepError(f"{name}: command not found")
    layout = given.lstrip() or _FORMATS.get(name, "")
    if "{0}" not in layout:
        raise StepError(
            "Invalid shell option. Shell must be a valid built-in (bash, sh, cmd, powershell, pwsh) "
            "or a format string containing '{0}'"
        )
    return [program, *shlex.split(layout)], f"{program} {layout}"


def _announce(job: Job, script: Script, shown: str) -> None:
    """The group at the head of a step's log."""
    lines = script.text.replace("\r\n", "\n").rstrip("\n").split("\n")
    job.write(f"##[group]Run {first_line(script.text)}")
    for line in lines:
        job.write(f"\x1b[36;1m{line}\x1b[0m")
    job.write(f"shell: {shown}")
    if script.env:
        job.write("env:")
        for name, value in script.env.items():
            job.write(f"  {name}: {value}")
    job.write("##[endgroup]")


def first_line(text: str) -> str:
    """The first line that is not blank."""
    return text.strip(" \t\r\n").replace("\r", "\n").split("\n")[0]


def _execute(job: Job, script: Script, arguments: list[str], outcome: Outcome) -> None:
    path = job.temp / f"{uuid.uuid4()}{_ENDINGS.get(script.shell.split(' ')[0], '')}"
    path.write_text(script.text, "utf-8", newline="")
    processor = Processor(
        unsecure=_is_true(script.env, "ACTIONS_ALLOW_UNSECURE_COMMANDS"),
        unsecure_tokens=_is_true(script.env, "ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS"),
        debug=job.debug,
    )

    def receive(line: str) -> None:
        effects = processor.process(line)
        if effects is None:
            job.write(line)
        else:
            job.carry_out(effects, script.env, outcome.outputs)
            outcome.worsen("failure" if effects.failed else "success")

    ended = step_process.run(
        [argument.replace("{0}", str(path)) for argument in arguments],
        environment=job.process_environment(script.env, script.github),
        folder=script.folder,
        receive=receive,
        cancel=None if job.spared else job.cancel,
        patience=job.patience,
    )
    outcome.exit_code = ended.code
    _judge(job, ended, outcome)


def _judge(job: Job, ended: step_process.Ended, outcome: Outcome) -> None:
    if ended.streams_open:
        job.write(
            "The STDIO streams did not close within 5 seconds of the exit event from the process. "
            "This may indicate a child process inherited the STDIO streams and has not yet exited."
        )
    if ended.cancelled:
        job.error("The operation was canceled.")
        outcome.worsen("cancelled")
    elif ended.code != 0:
        job.error(f"Process completed with exit code {ended.code}.")
        outcome.worsen("failure")


def _is_true(env: Mapping[str, Value], name: str) -> bool:
    return str(env.get(name, "")).strip().lower() == "true"


def _read_files(job: Job, script: Script, outcome: Outcome) -> None:
    """Takes in what the step wrote; each file by itself, so that a bad one does not stop the others."""
    files = script.files
    for folder in command_files.folders(command_files.read(files.path)):
        job.add_folder(folder)

    def env(name: str, value: str) -> None:
        refusal = command_files.blocked(name)
        if refusal:
            job.error(refusal)
        else:
            job.set_variable(name, value, script.env)

    takers = {"env": env, "state": lambda name, value: None, "output": outcome.outputs.__setitem__}
    for kind, take in takers.items():
        try:
            for name, value in command_files.pairs(command_files.read(getattr(files, kind))):
                take(name, value)
        except CommandFileError as error:
            job.error(f"Unable to process file command '{kind}' successfully.")
            job.error(str(error))
            outcome.worsen("failure")
    try:
        outcome.summary = command_files.summary(files.step_summary, job.masker)
    except CommandFileError as error:
        job.error(str(error))  # the step does not fail by it
