"""The report: how a command ended, for every reader. Summary, outputs, annotations, DingTalk and JSON come from it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from backup_action.core.problem import EXIT_CODES, Problem, Status

KEPT_PROBLEMS = 1000  # problems told one by one; `problem_counts` counts them all


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


class Counts(msgspec.Struct, frozen=True):
    """Files and bytes of one run. total = uploaded + unchanged + failed, for files; removed stand apart."""

    files_total: int = 0
    files_uploaded: int = 0
    files_unchanged: int = 0
    files_removed: int = 0  # in the parent, no longer on disk
    files_failed: int = 0
    bytes_total: int = 0
    bytes_uploaded: int = 0


class RootLine(msgspec.Struct, frozen=True):
    """One of the paths that were backed up, with what came of it."""

    source: str  # as the setting gave it
    destination: str  # the place below the prefix, "" for the prefix itself
    counts: Counts = Counts()


class SnapshotLine(msgspec.Struct, frozen=True):
    """The snapshot that a run committed, and the parent that it grew from."""

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
    foreign_objects: int = 0  # under the prefix, named by no snapshot that was looked at
    snapshot: SnapshotLine | None = None
    verified: bool = False  # everything sent confirmed by CRC-64, everything else by the listing
    requests: int = 0  # to the bucket, retries included
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
