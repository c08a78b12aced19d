"""The report: how a command ended, for every reader. Summary, outputs, annotations, DingTalk and JSON come from it."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from backup_action.core.counts import KEPT_PROBLEMS, Counts
from backup_action.core.problem import EXIT_CODES, SEVERITY, STATUS, Kind, Problem, Status, severest
from backup_action.core.recent import Kept, PastRun
from backup_action.core.tally import Tally

__all__ = ["KEPT_PROBLEMS", "Counts", "Draft", "Report", "RootLine", "Run", "SnapshotLine", "Target"]


class Run(msgspec.Struct, frozen=True):
    """Where a command ran. Fields that do not apply are empty."""

    host: str = ""
    repository: str = ""  # owner/name
    workflow: str = ""
    run_id: str = ""
    attempt: str = ""
    commit: str = ""
    ref: str = ""
    actor: str = ""
    event: str = ""
    url: str = ""  # the run's page, https


class RootLine(msgspec.Struct, frozen=True):
    """One of the paths that were backed up, with what came of it."""

    source: str  # as the setting gave it
    destination: str  # the place below the prefix, "" for the prefix itself
    counts: Counts = Counts()


class SnapshotLine(msgspec.Struct, frozen=True):
    """The snapshot that a run committed or restored, and the parent that it grew from."""

    id: str
    digest: str  # SHA-256 of its plain bytes before the foot, hex
    sequence: int
    parent_id: str = ""
    parent_digest: str = ""


class Target(msgspec.Struct, frozen=True):
    """Where the copy is."""

    bucket: str = ""
    region: str = ""
    prefix: str = ""
    endpoint: str = ""
    layout: str = "tree"
    versioning: str = ""  # Enabled, Suspended or "" for never
    history: str = ""  # the setting: auto or none


class Report(msgspec.Struct, frozen=True):
    """How a command ended. `problems` holds the first `KEPT_PROBLEMS`; `problem_counts` counts all, by kind."""

    command: str
    status: Status
    exit_code: int
    version: str  # of this program
    started_at: str  # UTC, 2026-11-22T18:00:00Z
    duration_seconds: float
    run: Run = Run()
    target: Target = Target()
    source: str = ""  # the name that snapshots belong to
    dry_run: bool = False
    identity: str = ""  # ARN of the assumed role's session
    counts: Counts = Counts()
    roots: list[RootLine] = []
    folders: int = 0
    links: int = 0
    deleted_objects: int = 0  # removed from the bucket, by `delete`
    removed_paths: int = 0  # files, links and folders that `delete` removed from a restore's target
    spared_files: int = 0  # of a restore's target, left as they are by `overwrite`
    foreign_objects: int = 0  # under the prefix, named by no snapshot that was looked at
    snapshot: SnapshotLine | None = None
    verified: bool = False  # everything sent confirmed by CRC-64, everything else by the listing
    requests: int = 0  # to the bucket, retries included
    recent: list[PastRun] = []  # the last runs that committed, oldest first; this one too, if it did
    kept: Kept | None = None  # the snapshots of this source that the bucket has
    problems: list[Problem] = []
    problem_counts: dict[str, int] = {}
    report_path: str = ""


def exit_code(status: Status, signal: int = 0) -> int:
    """The process's exit code: the status's, or 128 and the signal's number when one ended the run."""
    return 128 + signal if signal else EXIT_CODES[status]


def outputs(report: Report, *, title: str, text: str) -> Mapping[str, str]:
    """The action's outputs, by name; `action.yml` lists the same. `title` and `text` are the notification's."""
    counts, snapshot = report.counts, report.snapshot
    return {
        "status": report.status.value,
        "exit-code": str(report.exit_code),
        "snapshot-id": snapshot.id if snapshot else "",
        "snapshot-digest": snapshot.digest if snapshot else "",
        "parent-id": snapshot.parent_id if snapshot else "",
        "files-total": str(counts.files_total),
        "files-uploaded": str(counts.files_uploaded),
        "files-unchanged": str(counts.files_unchanged),
        "files-removed": str(counts.files_removed),
        "files-failed": str(counts.files_failed),
        "bytes-total": str(counts.bytes_total),
        "bytes-uploaded": str(counts.bytes_uploaded),
        "verified": "true" if report.verified else "false",
        "duration-seconds": f"{report.duration_seconds:.1f}",
        "report-path": report.report_path,
        "notification-title": title,
        "notification-text": text,
    }


def encode(report: Report) -> bytes:
    """The report as JSON, indented, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def decode(data: bytes) -> Report:
    """Reads `encode`'s JSON. Raises msgspec.ValidationError or msgspec.DecodeError on anything else."""
    return msgspec.json.decode(data, type=Report)


@dataclass(slots=True)
class Draft:
    """A report in the making: what is known so far, so that every ending, a bug's too, can become a Report."""

    command: str
    version: str
    started: float  # seconds since 1970
    run: Run = field(default_factory=Run)
    target: Target = field(default_factory=Target)
    source: str = ""
    dry_run: bool = False
    identity: str = ""
    roots: tuple[tuple[str, str], ...] = ()  # source and destination
    tally: Tally = field(default_factory=Tally)
    snapshot: SnapshotLine | None = None
    verified: bool = False
    requests: int = 0
    recent: list[PastRun] = field(default_factory=list)
    kept: Kept | None = None
    signal: int = 0  # the one that ended the run
    secrets: set[str] = field(default_factory=set, repr=False)  # what the run came to know; no report has it

    def begin_again(self) -> None:
        """Forgets what was counted and told: the run starts anew."""
        count = len(self.tally.roots)
        self.tally = Tally()
        self.tally.open_roots(count)

    def tell(self, problem: Problem) -> None:
        """Notes a problem of the run."""
        self.tally.tell(problem)

    def interrupt(self, number: int) -> None:
        """Notes that a signal ended the run."""
        self.signal = number
        self.tell(Problem(Kind.INTERRUPTED, facts={"signal": signal.Signals(number).name}))

    def finish(self, now: float) -> Report:
        """The report. Its status is that of the most severe problem."""
        tally, status = self.tally, severest(STATUS[kind] for kind in self.tally.met())
        lines = zip(self.roots, range(len(tally.roots)), strict=False)
        return Report(
            command=self.command,
            status=status,
            exit_code=exit_code(status, self.signal),
            version=self.version,
            started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            duration_seconds=round(now - self.started, 3),
            run=self.run,
            target=self.target,
            source=self.source,
            dry_run=self.dry_run,
            identity=self.identity,
            counts=tally.total(),
            roots=[RootLine(source, place, tally.counts(number)) for (source, place), number in lines],
            folders=tally.folders,
            links=tally.links,
            deleted_objects=tally.deleted,
            removed_paths=tally.removed,
            spared_files=tally.spared,
            foreign_objects=tally.foreign,
            snapshot=self.snapshot,
            verified=self.verified,
            requests=self.requests,
            recent=self.recent,
            kept=self.kept,
            problems=sorted(tally.problems, key=lambda problem: SEVERITY.index(problem.status)),
            problem_counts=dict(tally.problem_counts),
        )
