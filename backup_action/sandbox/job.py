"""The state of one job as the runner keeps it: log, masks, annotations, and what steps pass on to later ones."""

from __future__ import annotations

import os
import platform
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backup_action.sandbox.expressions import CaseSensitive, Status, Value
from backup_action.sandbox.masking import Masker
from backup_action.sandbox.step_process import TRACKING, Patience
from backup_action.sandbox.workflow_commands import Annotation, Effects

ANNOTATION_LIMIT = 10  # of each level in one step; a composite's inner steps count as one
MESSAGE_LIMIT = 4096  # characters of an annotation
TOKEN_VARIABLES = "ACTIONS_ID_TOKEN_REQUEST_"  # noqa: S105  (the start of two names, no secret)
GITHUB: Mapping[str, Value] = {
    "action_ref": "",
    "action_repository": "",
    "actor": "octocat",
    "actor_id": "583231",
    "api_url": "https://api.github.com",
    "base_ref": "",
    "event_name": "workflow_dispatch",
    "graphql_url": "https://api.github.com/graphql",
    "head_ref": "",
    "job": "backup",
    "ref": "refs/heads/main",
    "ref_name": "main",
    "ref_protected": False,
    "ref_type": "branch",
    "repository": "example/quant-data",
    "repository_id": "123456789",
    "repository_owner": "example",
    "repository_owner_id": "987654321",
    "retention_days": "90",
    "run_attempt": "1",
    "run_id": "1700000000",
    "run_number": "1",
    "server_url": "https://github.com",
    "sha": "0123456789abcdef0123456789abcdef01234567",
    "triggering_actor": "octocat",
    "workflow": "oss-backup",
    "workflow_ref": "example/quant-data/.github/workflows/oss-backup.yml@refs/heads/main",
    "workflow_sha": "0123456789abcdef0123456789abcdef01234567",
}
"""The `github` context where the caller says nothing else."""

_EXPORTED = frozenset({*GITHUB, "action", "action_path", "event_path", "workspace"}) | {
    "env",
    "output",
    "path",
    "state",
    "step_summary",
}
_ARCHITECTURES = {"x86_64": "X64", "amd64": "X64", "aarch64": "ARM64", "arm64": "ARM64"}


@dataclass(frozen=True, slots=True)
class StepRun:
    """How a step ended. `outcome` is before, `conclusion` after `continue-on-error`; `exit_code` None: no process."""

    id: str
    name: str
    depth: int  # 0: a step of the job, 1: one of the action that it uses
    outcome: str  # success failure cancelled skipped
    conclusion: str
    outputs: Mapping[str, str]
    exit_code: int | None = None
    summary: str = ""


@dataclass(slots=True)
class Job:
    """What lives as long as a job. `env` and `path` change when steps write GITHUB_ENV and GITHUB_PATH."""

    workspace: Path
    temp: Path
    tool_cache: Path
    env: dict[str, str]
    forced: dict[str, str]  # given to every process and not to be overridden
    github: dict[str, Value]
    runner: dict[str, Value]
    cancel: threading.Event | None = None
    patience: Patience = field(default_factory=Patience)
    echo: Callable[[str], None] | None = None
    path: list[str] = field(default_factory=list)  # the last one is searched first
    masker: Masker = field(default_factory=Masker)
    log: list[str] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    steps: list[StepRun] = field(default_factory=list)
    repositories: Mapping[str, Path | None] = field(default_factory=dict)  # owner/name@ref and what stands for it here
    counted_from: int = 0  # where the annotations of the job's present step begin
    spared: bool = False  # the present step began after the cancellation, which no longer is about it
    tracking: str = field(default_factory=lambda: f"github_{uuid.uuid4()}")

    @property
    def cancelled(self) -> bool:
        """Whether the job was cancelled."""
        return self.cancel is not None and self.cancel.is_set()

    @property
    def debug(self) -> bool:
        """Whether ACTIONS_STEP_DEBUG asks for `::debug::` lines."""
        return self.env.get("ACTIONS_STEP_DEBUG", "").lower() == "true"

    def status(self, result: str) -> Status:
        """What the status functions answer after a result so far."""
        return Status(success=result == "success", failure=result == "failure", cancelled=self.cancelled)

    def write(self, line: str) -> None:
        """One line for the log, masked."""
        masked = self.masker.mask(line)
        self.log.append(masked)
        if self.echo is not None:
            self.echo(masked)

    def annotate(self, annotation: Annotation) -> None:
        """An annotation: always in the log; beyond the limit of its level it is not kept."""
        if annotation.message:
            self.write(f"##[{annotation.level}]{annotation.message}")
        mine = self.annotations[self.counted_from :]
        if sum(kept.level == annotation.level for kept in mine) < ANNOTATION_LIMIT:
            message = self.masker.mask(annotation.message)[:MESSAGE_LIMIT]
            self.annotations.append(Annotation(annotation.level, message, annotation.properties))

    def begin_step(self) -> None:
        """A step of the job itself begins: its annotations are counted anew, an earlier cancellation is past."""
        self.counted_from = len(self.annotations)
        self.spared = self.cancelled

    def error(self, message: str) -> None:
        """An error annotation of the runner's own."""
        self.annotate(Annotation("error", message))

    def set_variable(self, name: str, value: str, env: CaseSensitive) -> None:
        """A variable for the steps that follow; `env` is the running step's own context."""
        self.env[name] = value
        env[name] = value

    def add_folder(self, folder: str) -> None:
        """A folder that later steps search for programs before all others."""
        self.path = [known for known in self.path if known != folder] + [folder]

    def carry_out(self, effects: Effects, env: CaseSensitive, outputs: dict[str, str]) -> None:
        """Does what a command said; masks first, since the same effects may print."""
        for mask in effects.masks:
            self.masker.add_lines(mask)
        for line in effects.printed:
            self.write(line)
        for annotation in effects.annotations:
            self.annotate(annotation)
        for name, value in effects.env:
            self.set_variable(name, value, env)
        for folder in effects.path:
            self.add_folder(folder)
        outputs.update(effects.outputs)

    def process_environment(self, env: Mapping[str, Value], github: Mapping[str, Value]) -> dict[str, str]:
        """All variables of a step's process: nothing is inherited but PATH and HOME."""
        variables = {"HOME": os.environ.get("HOME", "/"), "PATH": self.search_path(), "CI": "true"}
        variables |= {name: str(value) for name, value in env.items()}
        if self.path and "PATH" in env:
            variables["PATH"] = os.pathsep.join([*reversed(self.path), str(env["PATH"])])
        for name, value in github.items():
            if name in _EXPORTED and isinstance(value, str | bool):
                variables[f"GITHUB_{name.upper()}"] = str(value) if isinstance(value, str) else str(value).lower()
        variables |= {f"RUNNER_{name.upper()}": str(value) for name, value in self.runner.items()}
        return variables | self.forced | {"GITHUB_ACTIONS": "true", TRACKING: self.tracking}

    def search_path(self) -> str:
        """Where the runner looks for a shell: folders that steps added, then its own PATH."""
        return os.pathsep.join([*reversed(self.path), os.environ.get("PATH", os.defpath)])


def create(
    *, environment: Mapping[str, str], workspace: Path, temp: Path, tool_cache: Path, github: Mapping[str, Value]
) -> Job:
    """A job at its start. The token for OIDC requests is masked from the beginning, as on GitHub."""
    forced = {name: value for name, value in environment.items() if name.startswith(TOKEN_VARIABLES)}
    env = {name: value for name, value in environment.items() if name not in forced}
    runner: dict[str, Value] = {
        "arch": _ARCHITECTURES.get(platform.machine().lower(), platform.machine().upper()),
        "environment": "github-hosted",
        "name": "sandbox",
        "os": "macOS" if sys.platform == "darwin" else "Linux",
        "temp": str(temp),
        "tool_cache": str(tool_cache),
        "workspace": str(workspace.parent),
    }
    job = Job(workspace, temp, tool_cache, env, forced, {**GITHUB, **github, "workspace": str(workspace)}, runner)
    job.masker = Masker([forced.get(f"{TOKEN_VARIABLES}TOKEN", "")])
    return job
