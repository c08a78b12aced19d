"""The report: how a command ended, for every reader. Summary, outputs, annotations, DingTalk and JSON come from it."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from backup_action.core.counts import KEPT_PROBLEMS, Counts
from backup_action.core.drill import Drilled
from backup_action.core.ledger import Standing
from backup_action.core.listing import Told, View
from backup_action.core.problem import ALARMS, EXIT_CODES, SEVERITY, STATUS, Kind, Problem, Status, severest
from backup_action.core.pruning import Pruning
from backup_action.core.recent import Kept, PastRun
from backup_action.core.reread import NO_TURN, Turn
from backup_action.core.snapshot import READERS, Snapshot
from backup_action.core.tally import Tally
from backup_action.core.verification import Verification

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

    @staticmethod
    def of(snapshot: Snapshot) -> SnapshotLine:
        """What the report says of a snapshot that was read."""
        parent = snapshot.head.parent
        grew = (parent.id, parent.digest) if parent else ("", "")
        return SnapshotLine(snapshot.id, snapshot.foot.digest, snapshot.head.sequence, *grew)


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
    shard: str = ""  # `2/8`: one of several runs that share the paths, of which `merge` makes the snapshot
    dry_run: bool = False
    identity: str = ""  # ARN of the assumed role's session
    counts: Counts = Counts()
    roots: list[RootLine] = []
    folders: int = 0
    links: int = 0
    deleted_objects: int = 0  # removed from the bucket, by `delete`
    stored_bytes: int = 0  # of the packs that were sent (layout vault)
    removed_paths: int = 0  # files, links and folders that `delete` removed from a restore's target
    spared_files: int = 0  # of a restore's target, left as they are by `overwrite`
    files_reread: int = 0  # of the unchanged, as a check of the disk; see `core.reread`
    bytes_reread: int = 0
    reread_within: int = 0  # runs in which every file is read again; 0 where none is
    reread_too_large: int = 0  # files that are larger than what a run may read again
    foreign_objects: int = 0  # under the prefix, named by no snapshot that was looked at
    snapshot: SnapshotLine | None = None
    verified: bool = False  # everything sent confirmed by CRC-64, everything else by the listing
    verification: Verification | None = None  # of `verify`
    drill: Drilled | None = None  # of `drill`
    requests: int = 0  # to the bucket, retries included
    recent: list[PastRun] = []  # the last runs that committed, oldest first; this one too, if it did
    kept: Kept | None = None  # the snapshots of this source that the bucket has
    listing: View | None = None  # what `snapshots` was asked for, its first rows
    pruning: Pruning | None = None  # what prune did with each snapshot
    ledger: Standing | None = None  # how the runs of the last 30 days ended
    problems: list[Problem] = []
    problem_counts: dict[str, int] = {}
    report_path: str = ""


def exit_code(status: Status, signal: int = 0) -> int:
    """The process's exit code: the status's, or 128 and the signal's number when one ended the run."""
    return 128 + signal if signal else EXIT_CODES[status]


def outputs(report: Report, *, title: str, text: str) -> Mapping[str, str]:
    """The action's outputs, by name; `action.yml` lists the same. `title` and `text` are the notification's."""
    counts, snapshot, pruned = report.counts, report.snapshot, report.pruning
    return {
        "status": report.status.value,
        "exit-code": str(report.exit_code),
        "snapshot-id": snapshot.id if snapshot else "",
        "snapshot-digest": snapshot.digest if snapshot else "",
        "parent-id": snapshot.parent_id if snapshot else "",
        "files-total": str(counts.files_total),
        "files-uploaded": str(counts.files_uploaded),
        "files-copied": str(counts.files_copied),
        "files-unchanged": str(counts.files_unchanged),
        "files-removed": str(counts.files_removed),
        "files-failed": str(counts.files_failed),
        "bytes-total": str(counts.bytes_total),
        "bytes-uploaded": str(counts.bytes_uploaded),
        "bytes-copied": str(counts.bytes_copied),
        "alarm": "true" if not ALARMS.isdisjoint(report.problem_counts) else "false",
        "snapshots-kept": str(pruned.kept) if pruned else "",
        "snapshots-marked": str(pruned.marked + pruned.waiting) if pruned else "",
        "snapshots-removed": str(pruned.removed) if pruned else "",
        "bytes-freed": str(pruned.bytes_freed) if pruned else "",
        "files-damaged": str(damaged(report)),
        "verified": "true" if report.verified else "false",
        "drill-files": str(report.drill.files) if report.drill else "",
        "restore-estimate-seconds": str(math.ceil(report.drill.estimate))
        if report.drill and report.drill.estimate
        else "",
        "duration-seconds": f"{report.duration_seconds:.1f}",
        "success-rate-30d": report.ledger.rate if report.ledger else "",
        "p95-duration-seconds": _seconds(report.ledger.p95_seconds) if report.ledger else "",
        "report-path": report.report_path,
        "notification-title": title,
        "notification-text": text,
    }


def _seconds(told: float | None) -> str:
    return "" if told is None else f"{told:.1f}"


def damaged(report: Report) -> int:
    """Files whose content the bucket does not have, or has no longer as the snapshot states it."""
    return sum(report.problem_counts.get(kind.value, 0) for kind in (Kind.CONTENT_MISSING, Kind.CONTENT_ALTERED))


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
    shard: str = ""
    dry_run: bool = False
    identity: str = ""
    roots: tuple[tuple[str, str], ...] = ()  # source and destination
    tally: Tally = field(default_factory=Tally)
    snapshot: SnapshotLine | None = None
    verified: bool = False
    verification: Verification | None = None
    drill: Drilled | None = None
    requests: int = 0
    recent: list[PastRun] = field(default_factory=list)
    kept: Kept | None = None
    listing: Told | None = None
    page: Iterable[str] = ()  # what a command prints on stdout, off GitHub
    turn: Turn = NO_TURN
    pruning: Pruning | None = None
    ledger: Standing | None = None
    record: str = ""  # the id in the ledger, once it has one
    is_recorded: bool = False  # it is in the bucket's ledger
    is_second: bool = False  # it began again
    signal: int = 0  # the one that ended the run
    signalled: float = 0.0  # when it came, by the monotonic clock
    secrets: set[str] = field(default_factory=set, repr=False)  # what the run came to know; no report has it

    def begin_again(self) -> None:
        """Forgets what was counted and told: the run starts anew."""
        self.is_second = True
        count = len(self.tally.roots)
        self.tally = Tally()
        self.tally.open_roots(count)

    def tell(self, problem: Problem) -> None:
        """Notes a problem of the run."""
        self.tally.tell(problem)

    def interrupt(self, number: int) -> None:
        """Notes that a signal ended the run."""
        self.signal = number
        facts = {"signal": signal.Signals(number).name}
        self.tell(Problem(Kind.INTERRUPTED, facts=facts | ({"cause": "reading"} if self.command in READERS else {})))

    def finish(self, now: float) -> Report:
        """The report. Its status is that of the most severe problem."""
        tally, status = self.tally, severest(STATUS[kind] for kind in self.tally.met())
        report = Report(
            command=self.command,
            status=status,
            exit_code=exit_code(status, self.signal),
            version=self.version,
            started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
            duration_seconds=round(now - self.started, 3),
            run=self.run,
            target=self.target,
            source=self.source,
            shard=self.shard,
            dry_run=self.dry_run,
            identity=self.identity,
            snapshot=self.snapshot,
            verified=self.verified,
            verification=self.verification,
            drill=self.drill,
            requests=self.requests,
            recent=self.recent,
            kept=self.kept,
            listing=self.listing.kept() if self.listing else None,
            pruning=self.pruning,
            ledger=self.ledger,
            problems=sorted(tally.problems, key=lambda problem: SEVERITY.index(problem.status)),
            problem_counts=dict(tally.problem_counts),
        )
        return self._counted(report)

    def _counted(self, report: Report) -> Report:
        """The same, with the numbers of the tally."""
        tally = self.tally
        lines = zip(self.roots, range(len(tally.roots)), strict=False)
        return msgspec.structs.replace(
            report,
            counts=tally.total(),
            roots=[RootLine(source, place, tally.counts(number)) for (source, place), number in lines],
            folders=tally.folders,
            links=tally.links,
            deleted_objects=tally.deleted,
            stored_bytes=tally.stored,
            removed_paths=tally.removed,
            spared_files=tally.spared,
            files_reread=tally.reread,
            bytes_reread=tally.reread_bytes,
            reread_within=self.turn.within,
            reread_too_large=self.turn.too_large,
            foreign_objects=tally.foreign,
        )
