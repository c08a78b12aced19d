"""Reports of every sort, for the tests of what people read."""

import msgspec

from backup_action.core.drill import Drilled, FormatLine
from backup_action.core.ledger import Standing
from backup_action.core.problem import EXIT_CODES, Kind, Problem, Status
from backup_action.core.pruning import Fate, Line, Packs, Pruning
from backup_action.core.recent import PastRun, kept
from backup_action.core.report import Counts, Report, RootLine, Run, SnapshotLine, Target
from backup_action.core.verification import PackCounts, Verification

RUN = Run(
    host="runner-01",
    repository="example/quant-data",
    workflow="oss-backup",
    run_id="12345678901",
    attempt="1",
    commit="6f1ed002ab5595859014ebf0951522d9d6c1a2b3",
    ref="refs/heads/main",
    actor="example-user",
    event="schedule",
    url="https://github.com/example/quant-data/actions/runs/12345678901/attempts/1",
)
TARGET = Target("mt5-hub-data", "cn-hangzhou", "daily/", "https://oss-cn-hangzhou.aliyuncs.com", "tree", "Enabled")
SNAPSHOT = SnapshotLine("20261122T180000Z-1a2b3c4d", "9f86d081" * 8, 42, "20261121T180000Z-5e6f7a8b", "2c26b46b" * 8)
TRUST_POLICY = """{
  "Version": "1",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "sts:AssumeRole",
      "Principal": {"Federated": ["acs:ram::1234567890123456:oidc-provider/github"]},
      "Condition": {"StringEquals": {"oidc:sub": "repo:example/quant-data:ref:refs/heads/main"}}
    }
  ]
}"""


def report(status: Status, problems: list[Problem] | None = None, **more: object) -> Report:
    """A report with these problems, all counted."""
    found = problems or []
    counts: dict[str, int] = {}
    for problem in found:
        counts[problem.kind.value] = counts.get(problem.kind.value, 0) + 1
    fields: dict[str, object] = {
        "command": "backup",
        "status": status,
        "exit_code": EXIT_CODES[status],
        "version": "0.1.0",
        "started_at": "2026-11-22T18:00:00Z",
        "duration_seconds": 83.4,
        "run": RUN,
        "target": TARGET,
        "source": "example/quant-data",
        "problems": found,
        "problem_counts": counts,
    }
    return Report(**(fields | more))  # type: ignore[arg-type]  # the fields of a struct, by name


DONE = Counts(12_345, 67, 12_275, 2, 0, 48_318_382_080, 734_003_200)
DATA = Counts(12_000, 60, 11_938, 2, 0, 48_000_000_000, 700_000_000)
FACTORS = Counts(345, 7, 337, 0, 0, 318_382_080, 34_003_200)
ROOTS = [RootLine("data/datasets", "data/datasets", DATA), RootLine("/srv/mt5/factors", "factors", FACTORS)]
IDENTITY = "acs:ram::1234567890123456:assumed-role/oss-backup/gha-12345678901-1"

RECENT = [
    PastRun("20261119T180000Z-1a2b0001", 3725.0, 12_001, 47_000_000_000, 12_001, 47_000_000_000, True),
    PastRun("20261120T180000Z-1a2b0002", 95.2, 12_100, 47_500_000_000, 99, 500_000_000, True),
    PastRun("20261121T180000Z-5e6f7a8b", 12.0, 12_100, 47_500_000_000, 0, 0, False),
    PastRun("20261122T180000Z-1a2b3c4d", 83.0, 12_345, 48_318_382_080, 67, 734_003_200, True),
]
KEPT = kept(["20261012T180000Z-1a2b0000", *(run.id for run in RECENT)])

OK = report(
    Status.OK,
    [
        Problem(Kind.DRIFT_MISSING, "data/datasets/2026/11/20.parquet"),
        Problem(Kind.FILE_SPECIAL, "run.sock", {"sort": "socket"}),
    ],
    counts=DONE,
    roots=ROOTS,
    snapshot=SNAPSHOT,
    verified=True,
    identity=IDENTITY,
    folders=318,
    links=4,
    deleted_objects=2,
    foreign_objects=3,
    requests=141,
    recent=RECENT,
    kept=KEPT,
    ledger=Standing(30, 29, 720.0, 99, 30),
)
INCOMPLETE = report(
    Status.INCOMPLETE,
    [
        Problem(
            Kind.FILE_UNREADABLE,
            "data/[x](http://evil.example)\u202egpj.\n::error::.csv",
            {"reason": "permission denied"},
        ),
        Problem(Kind.FILE_UNREADABLE, "data/`quoted`|name \udcff", {"reason": "permission denied"}),
        Problem(Kind.FILE_CHANGING, "data/live.db"),
        Problem(
            Kind.FILE_REFUSED,
            "data/old.csv",
            {
                "code": "FileImmutable",
                "message": "The object is immutable.",
                "request-id": "6740C1B2",
                "ec": "0026-00000013",
            },
        ),
    ],
    counts=Counts(12_345, 67, 12_274, 2, 4, 48_318_382_080, 734_003_200),
    roots=ROOTS,
    snapshot=SNAPSHOT,
    identity=IDENTITY,
    target=Target("mt5-hub-data", "cn-hangzhou", "daily/", "https://oss-cn-hangzhou.aliyuncs.com", history="auto"),
    recent=RECENT[-2:],
    kept=KEPT,
    ledger=Standing(400, 400, 3725.0, 99, 30),
)
DENIED = report(
    Status.DENIED,
    [
        Problem(
            Kind.STS_TRUST,
            "acs:ram::1234567890123456:role/oss-backup",
            {
                "role": "acs:ram::1234567890123456:role/oss-backup",
                "provider": "acs:ram::1234567890123456:oidc-provider/github",
                "iss": "https://token.actions.githubusercontent.com",
                "aud": "sts.aliyuncs.com",
                "sub": "repo:example@9919/quant-data@704112233:environment:backup",
                "message": "There is no permission",
                "trust-policy": TRUST_POLICY,
                "request-id": "3D57EAD2-8723-1F26-B69C-F8707D8B565D",
            },
        )
    ],
    duration_seconds=2.04,
)
REFUSED = report(
    Status.REFUSED,
    [Problem(Kind.SOURCE_EMPTY, "data/datasets")],
    duration_seconds=0.4,
    ledger=Standing(1, 0, None, 99, 30),
)
DRY_RUN = report(
    Status.OK, counts=DONE, roots=ROOTS, dry_run=True, identity=IDENTITY, run=Run(host="nas"), source="nas"
)
# The first night on a host of one's own: one file, stored keys, a report file.
FIRST = report(
    Status.OK,
    [Problem(Kind.KEYS_STORED, "allow-static-keys")],
    counts=Counts(1, 1, 0, 0, 0, 512, 512),
    roots=[RootLine("/srv/one.csv", "srv/one.csv", Counts(1, 1, 0, 0, 0, 512, 512))],
    snapshot=SnapshotLine("20261121T180000Z-5e6f7a8b", "2c26b46b" * 8, 1),
    verified=True,
    run=Run(host="nas"),
    source="nas",
    target=Target("mt5-hub-data", "cn-hangzhou", "daily/", "https://oss-cn-hangzhou.aliyuncs.com", history="none"),
    recent=[PastRun("20261121T180000Z-5e6f7a8b", 0.9, 1, 512, 1, 512, True)],
    kept=kept(["20261121T180000Z-5e6f7a8b"]),
    report_path="/var/lib/oss-backup/report.json",
)
INTERRUPTED = report(
    Status.INTERRUPTED,
    [Problem(Kind.INTERRUPTED, "", {"signal": "SIGTERM"}), Problem(Kind.DRIFT_REPLACED, "data/datasets/a.parquet")],
    exit_code=143,
    counts=Counts(41, 1, 40, 0, 0, 4096, 1024),
    roots=[RootLine("data/datasets", "data/datasets", Counts(41, 1, 40, 0, 0, 4096, 1024))],
    identity=IDENTITY,
    recent=RECENT[:-1],
    kept=kept(run.id for run in RECENT[:-1]),
)
VERIFIED = report(
    Status.DAMAGED,
    [
        Problem(
            Kind.CONTENT_MISSING, "data/`a`|.csv", {"cause": "verify", "snapshots": f"{SNAPSHOT.id}, {RECENT[0].id}"}
        ),
        Problem(Kind.CONTENT_ALTERED, "data/b.csv", {"cause": "verify"}),
        Problem(Kind.CONTENT_FROZEN, "data/c.csv", {"cause": "verify"}),
        Problem(
            Kind.SNAPSHOT_CHAIN,
            RECENT[1].id,
            {"child": SNAPSHOT.id, "expected": "2c26b46b" * 8, "found": "9f86d081" * 8},
        ),
        Problem(Kind.SNAPSHOT_DIGEST, SNAPSHOT.id, {"expected": "2c26b46b" * 8, "found": "9f86d081" * 8}),
    ],
    command="verify",
    counts=Counts(12_345, 411, 11_931, 0, 3, 48_318_382_080, 1_610_612_736),
    snapshot=SNAPSHOT,
    verification=Verification(31, 32, 1, False, 11_000, 931, 411, 1_610_612_736, "3/30", 2, 1),
    requests=1_400,
)
PACKS = report(
    Status.DAMAGED,
    [
        Problem(Kind.PACK_MISSING, f".oss-backup/packs/2c/{'2c26b46b' * 8}"),
        Problem(Kind.PACK_DAMAGED, f".oss-backup/packs/9f/{'9f86d081' * 8}", {"cause": "bytes"}),
        Problem(
            Kind.CONTENT_MISSING, "data/a.csv",
            {"cause": "packed", "pack": f".oss-backup/packs/2c/{'2c26b46b' * 8}", "snapshots": SNAPSHOT.id},
        ),
        Problem(Kind.CONTENT_MISSING, "data/b.csv", {"cause": "unknown"}),
        Problem(
            Kind.CONTENT_ALTERED, "data/c.csv", {"cause": "packed", "pack": f".oss-backup/packs/9f/{'9f86d081' * 8}"}
        ),
        Problem(Kind.CONTENT_ALTERED, "data/d.csv", {"cause": "chunks"}),
        Problem(Kind.CONTENT_FROZEN, "data/e.csv", {"cause": "packed"}),
    ],
    command="verify",
    counts=Counts(12_345, 411, 11_929, 0, 5, 48_318_382_080, 1_610_612_736),
    snapshot=SNAPSHOT,
    verification=Verification(
        1, 32, read=400, read_bytes=1_610_612_736, share="3/30", damaged=4, frozen=1, packed=11_929, chunks=11,
        packs=PackCounts(2_950, 98, 1_644_167_168, 2),
    ),
    requests=140,
)  # fmt: skip
DRILLED = report(
    Status.OK,
    [Problem(Kind.DRILL_FORMAT, "data/odd.json", {"format": "JSON", "reason": "it is cut short"})],
    command="drill",
    counts=Counts(1_003, 1_003, 0, 0, 0, 900_000_000, 900_000_000),
    snapshot=SNAPSHOT,
    verified=True,
    drill=Drilled(
        1_003, 900_000_000, 61.2, 12_345, 48_318_382_080, 3_912.4,
        [FormatLine("CSV", 700, even=690), FormatLine("JSON", 3, 1), FormatLine("Parquet", passed=200)],
    ),
)  # fmt: skip
UNDELIVERED = report(
    Status.OK,
    [Problem(Kind.NOTIFY_FAILED, "DingTalk", {"cause": "keyword", "errcode": "310000", "errmsg": "keywords not in"})],
    command="notify",
    duration_seconds=0.7,
)
ALARM = report(
    Status.INCOMPLETE,
    [
        Problem(Kind.FILE_CHANGING, "data/live.db"),
        Problem(
            Kind.ALARM_SILENT,
            "data/datasets/2020/01/02.csv",
            {"before": "ab" * 32, "now": "cd" * 32, "snapshot": SNAPSHOT.parent_id},
        ),
        Problem(
            Kind.ALARM_CHANGED,
            facts={
                "changed": "9876", "files": "12100", "percent": "81", "usual": "99", "limit": "30",
                "snapshot": SNAPSHOT.parent_id,
            },
        ),
    ],
    counts=DONE,
    snapshot=SNAPSHOT,
    files_reread=403,
    bytes_reread=987_654_321,
    reread_within=131,
    reread_too_large=2,
    recent=RECENT,
    kept=KEPT,
)  # fmt: skip
ENCRYPTED = report(
    Status.OK,
    [
        Problem(Kind.DRIFT_MISSING, "data/datasets/2026/11/20.parquet"),
        Problem(
            Kind.ALARM_ENCRYPTED,
            "data/[x](http://evil.example)\n::error::.csv",
            {
                "encrypted": "812", "changed": "850", "limit": "30", "snapshot": SNAPSHOT.parent_id,
                "suffix": ".`lock`",
            },
        ),
    ],
    counts=DONE,
    snapshot=SNAPSHOT,
    files_reread=1,
    bytes_reread=512,
    reread_within=1,
    recent=RECENT,
    kept=KEPT,
)  # fmt: skip

_ID = "2026112{}T180000Z-1a2b0000"
PRUNED = Pruning(
    [
        Line(_ID.format(6), 9, Fate.KEPT, ["last", "daily", "within"]),
        Line("20270101T180000Z-1a2b0009", 8, Fate.KEPT, ["future"]),
        Line(_ID.format(5), 7, Fate.LIFTED, ["weekly"]),
        Line(_ID.format(4), 6, Fate.MARKED, ["covered"], _ID.format(5)),
        Line(_ID.format(3), 5, Fate.WAITING, ["beyond"], "<img src=x>"),
        Line(_ID.format(2), 4, Fate.REMOVED, ["beyond", "a reason of tomorrow"]),
        Line("| <b>no id</b> |", 3, Fate.REMOVED, ["beyond"]),
    ],
    3, 1, 1, 1, 2, 1_234, 5_368_709_120, 1, 1_048_576, 3, 24,
)  # fmt: skip
PRUNE = report(
    Status.INCOMPLETE,
    [
        Problem(Kind.PRUNE_HELD, ".oss-backup/history/9f/9f86d0", {"code": "FileImmutable", "request-id": "6A0F"}),
        Problem(Kind.SNAPSHOT_FUTURE, "20270101T180000Z-1a2b0009"),
    ],
    command="prune",
    target=TARGET,
    pruning=PRUNED,
    requests=77,
)
PRUNE_DRY = report(Status.OK, command="prune", target=TARGET, pruning=PRUNED, requests=9, dry_run=True)
PRUNE_VAULT = report(
    Status.DAMAGED,
    [
        Problem(Kind.CONTENT_LACKING, "", {"count": "2"}),
        Problem(Kind.CONTENT_UNPROVEN, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        Problem(Kind.PACKS_MOVED, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ],
    command="prune",
    target=TARGET,
    pruning=msgspec.structs.replace(PRUNED, packs=Packs(1_200, 1, 14, 3, 7, 2, 1, 5_368_709_120, 1_048_576, 0)),
    requests=131,
)
SHARD = msgspec.structs.replace(OK, shard="3/8", snapshot=None, deleted_objects=0, ledger=None)
MERGE_REFUSED = report(
    Status.REFUSED,
    [Problem(Kind.SHARDS_MISSING, "12345678901", {"missing": "2, 5-6", "total": "8", "begun": "5"})],
    command="merge",
)


COPIED = report(
    Status.OK,
    [Problem(Kind.COPY_FAILED, "data/datasets/a.parquet", {"count": "3", "cause": "right", "reason": "AccessDenied"})],
    counts=Counts(12_345, 67, 12_270, 2, 0, 48_318_382_080, 734_003_200, 8, 1_073_741_824),
    roots=[
        RootLine("data/datasets", "data/datasets", msgspec.structs.replace(DATA, files_copied=8)),
        RootLine("/srv/mt5/factors", "factors", FACTORS),
    ],
    snapshot=SNAPSHOT,
    verified=True,
)

GOLDEN = {
    "ok": OK,
    "incomplete": INCOMPLETE,
    "denied": DENIED,
    "refused": REFUSED,
    "dry-run": DRY_RUN,
    "first": FIRST,
    "interrupted": INTERRUPTED,
    "undelivered": UNDELIVERED,
    "alarm": ALARM,
    "encrypted": ENCRYPTED,
    "prune": PRUNE,
    "prune-dry": PRUNE_DRY,
    "prune-vault": PRUNE_VAULT,
    "verify": VERIFIED,
    "verify-packs": PACKS,
    "drill": DRILLED,
    "copied": COPIED,
    "copied-dry": msgspec.structs.replace(COPIED, dry_run=True, problems=[], problem_counts={}, snapshot=None),
    "shard": SHARD,
    "merge-refused": MERGE_REFUSED,
}
EVERY_STATUS = [
    *GOLDEN.values(),
    report(Status.BUG, [Problem(Kind.BUG, "ValueError in backup_action/core/plan.py, line 7")]),
    report(Status.USAGE, [Problem(Kind.SETTING_MISSING, "bucket")], target=Target(), source=""),
    report(
        Status.UNREACHABLE,
        [Problem(Kind.OSS_UNREACHABLE, "https://oss-cn-hangzhou.aliyuncs.com", {"reason": "timed out"})],
    ),
    report(Status.DAMAGED, [Problem(Kind.SNAPSHOT_DAMAGED, SNAPSHOT.id, {"reason": "the foot is missing"})]),
    report(Status.BUSY, [Problem(Kind.PARENT_MOVED, SNAPSHOT.id)]),
    report(Status.USAGE, [Problem(Kind.REPORT_UNREADABLE, facts={"cause": "none"})], command="notify"),
    report(Status.INCOMPLETE, [Problem(Kind.FILE_UNREADABLE, "data", {"cause": "folder"})], dry_run=True),
]
