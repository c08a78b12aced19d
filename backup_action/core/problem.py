"""What can go wrong, and how bad each kind is. Facts only: the sentences for people are in `wording`.

Law 5 stands here: a result must be able to say "incomplete", and 0 means that nothing was skipped.
The most severe problem of a run gives its status and exit code.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec


class Status(enum.StrEnum):
    """How a run ended; the value is the output `status`."""

    OK = "ok"
    BUG = "bug"
    USAGE = "usage"
    INCOMPLETE = "incomplete"
    DENIED = "denied"
    UNREACHABLE = "unreachable"
    DAMAGED = "damaged"
    BUSY = "busy"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


EXIT_CODES: Final[Mapping[Status, int]] = {
    Status.OK: 0,
    Status.BUG: 1,
    Status.USAGE: 2,
    Status.INCOMPLETE: 3,
    Status.DENIED: 4,
    Status.UNREACHABLE: 5,
    Status.DAMAGED: 6,
    Status.BUSY: 7,
    Status.REFUSED: 8,
    Status.INTERRUPTED: 130,  # 143 when the signal was SIGTERM
}

# From the most to the least severe. A person's or the system's own stop stands above all but a bug.
SEVERITY: Final[tuple[Status, ...]] = (
    Status.BUG,
    Status.INTERRUPTED,
    Status.DAMAGED,
    Status.REFUSED,
    Status.USAGE,
    Status.DENIED,
    Status.UNREACHABLE,
    Status.BUSY,
    Status.INCOMPLETE,
    Status.OK,
)


class Kind(enum.StrEnum):
    """Every kind of problem. `STATUS` says how severe it is; a kind whose status is OK is a warning."""

    BUG = "bug"
    INTERRUPTED = "interrupted"

    SETTING_MISSING = "setting.missing"
    SETTING_MALFORMED = "setting.malformed"
    SETTING_UNKNOWN = "setting.unknown"
    SETTING_MISPLACED = "setting.misplaced"
    SETTING_CONTRADICTION = "setting.contradiction"
    SETTING_KEEP = "setting.keep"
    CONFIG_UNREADABLE = "config.unreadable"
    CONFIG_MALFORMED = "config.malformed"
    PROFILE_UNKNOWN = "profile.unknown"
    CA_BUNDLE = "config.ca-bundle"
    COMMAND_LINE = "command-line"
    PATHS_OVERLAP = "paths.overlap"
    SOURCES_OVERLAP = "sources.overlap"
    REPORT_UNREADABLE = "report.unreadable"

    SOURCE_MISSING = "source.missing"
    SOURCE_EMPTY = "source.empty"
    SOURCE_UNREADABLE = "source.unreadable"
    SOURCE_SHRUNK = "source.shrunk"
    SOURCE_CHANGED = "source.changed"

    SHARDS_MISSING = "shards.missing"
    SHARDS_DIFFER = "shards.differ"
    SHARDS_LEFT = "shards.left"
    SHARD_DAMAGED = "shard.damaged"
    SHARD_UNPROVEN = "shard.unproven"

    PRUNE_NEWEST = "prune.newest"
    PRUNE_MANY = "prune.many"
    PRUNE_CLOCK = "prune.clock"
    PRUNE_HELD = "prune.held"

    PROXY_UNREACHABLE = "proxy.unreachable"
    CERTIFICATE = "certificate"
    DEADLINE = "deadline"

    OIDC_NO_PERMISSION = "oidc.no-permission"
    OIDC_FORK = "oidc.fork"
    OIDC_REFUSED = "oidc.refused"
    OIDC_UNREACHABLE = "oidc.unreachable"

    STS_TRUST = "sts.trust"
    STS_PROVIDER = "sts.provider"
    STS_AUDIENCE = "sts.audience"
    STS_TOKEN_EXPIRED = "sts.token-expired"  # noqa: S105  (a kind, not a secret)
    STS_TOKEN_INVALID = "sts.token-invalid"  # noqa: S105  (a kind, not a secret)
    STS_SIGNATURE = "sts.signature"
    STS_ISSUER = "sts.issuer"
    STS_ISSUER_BROKEN = "sts.issuer-broken"
    STS_CERTIFICATE = "sts.certificate"
    STS_FINGERPRINT = "sts.fingerprint"
    STS_ROLE = "sts.role"
    STS_SESSION_NAME = "sts.session-name"
    STS_DURATION = "sts.duration"
    STS_POLICY = "sts.policy"
    STS_THROTTLED = "sts.throttled"
    STS_REFUSED = "sts.refused"
    STS_UNREACHABLE = "sts.unreachable"
    STS_ACCOUNT = "sts.account"

    OSS_RIGHT = "oss.right"
    OSS_ENDPOINT = "oss.endpoint"
    OSS_BUCKET = "oss.bucket"
    OSS_SIGNATURE = "oss.signature"
    OSS_KEY = "oss.key"
    OSS_TOKEN = "oss.token"  # noqa: S105  (a kind, not a secret)
    OSS_CLOCK = "oss.clock"
    OSS_ACCOUNT = "oss.account"
    OSS_KMS = "oss.kms"
    OSS_CLASS = "oss.class"
    OSS_WORM = "oss.worm"
    OSS_REFUSED = "oss.refused"
    OSS_UNREACHABLE = "oss.unreachable"
    OSS_MALFORMED = "oss.malformed"
    OSS_THROTTLED = "oss.throttled"

    PARENT_MOVED = "parent.moved"
    PACKS_MOVED = "packs.moved"
    LEASE_HELD = "lease.held"
    LEASE_LOST = "lease.lost"
    LEASE_HOST = "lease.host"
    STORED_MISMATCH = "stored.mismatch"
    SNAPSHOT_DAMAGED = "snapshot.damaged"
    SNAPSHOT_FORMAT = "snapshot.format"
    SNAPSHOT_UNKNOWN = "snapshot.unknown"
    SNAPSHOT_INCOMPLETE = "snapshot.incomplete"
    SNAPSHOT_FUTURE = "snapshot.future"
    TOMBSTONE_DAMAGED = "tombstone.damaged"
    SNAPSHOT_CHAIN = "snapshot.chain"
    SNAPSHOT_DIGEST = "snapshot.digest"
    CONTENT_MISSING = "content.missing"
    CONTENT_ALTERED = "content.altered"
    CONTENT_FROZEN = "content.frozen"
    CONTENT_LACKING = "content.lacking"
    CONTENT_UNPROVEN = "content.unproven"
    TARGET_UNWRITABLE = "target.unwritable"
    TARGET_UNUSABLE = "target.unusable"
    TARGET_BUSY = "target.busy"
    INDEX_DAMAGED = "index.damaged"
    PACK_MISSING = "pack.missing"
    PACK_DAMAGED = "pack.damaged"
    PASSPHRASE_MISSING = "passphrase.missing"  # noqa: S105  (a kind, not a secret)
    PASSPHRASE_WRONG = "passphrase.wrong"  # noqa: S105  (a kind, not a secret)
    PASSPHRASE_LATE = "passphrase.late"  # noqa: S105  (a kind, not a secret)
    PASSPHRASE_KEY = "passphrase.key"  # noqa: S105  (a kind, not a secret)

    FILE_UNREADABLE = "file.unreadable"
    FILE_CHANGING = "file.changing"
    FILE_VANISHED = "file.vanished"
    FILE_TOO_LARGE = "file.too-large"
    FILE_REFUSED = "file.refused"

    ALARM_SILENT = "alarm.silent-change"
    ALARM_CHANGED = "alarm.changed"
    ALARM_ENCRYPTED = "alarm.encrypted"
    ALARM_OPEN = "alarm.open"
    ALARM_UNKNOWN = "alarm.unknown"

    FILE_LATE = "file.late"
    HISTORY_UNKEPT = "history.unkept"
    DRILL_EMPTY = "drill.empty"
    DRILL_FORMAT = "drill.format"
    HISTORY_OFF = "history.off"
    DELETE_HELD = "delete.held"
    DELETE_REFUSED = "delete.refused"
    FILE_SPECIAL = "file.special"
    LINK_OUTSIDE = "link.outside"
    LINK_LOOP = "link.loop"
    COPY_FAILED = "copy.failed"
    DRIFT_MISSING = "drift.missing"
    DRIFT_REPLACED = "drift.replaced"
    ROOTS_DROPPED = "drift.roots"
    BLOCKS_REFUSED = "blocks.refused"
    BLOCKS_UNPROVEN = "blocks.unproven"
    KEYS_STORED = "keys.stored"
    POLICY_WIDE = "policy.wide"
    LEDGER_FAILED = "ledger.failed"
    NOTIFY_FAILED = "notify.failed"
    PUBLISH_FAILED = "publish.failed"


_STARTS: Final[Mapping[Status, str]] = {
    Status.USAGE: "setting profile config report passphrase",
    Status.REFUSED: "source prune shards",
    Status.DAMAGED: "tombstone stored snapshot content index pack shard",
    Status.UNREACHABLE: "proxy certificate deadline",
    Status.DENIED: "oidc sts oss",
    Status.INCOMPLETE: "target file history",
    Status.BUSY: "lease",
    Status.OK: "link delete drift copy blocks alarm drill keys policy ledger notify publish",
}
_BY_START: Final[Mapping[str, Status]] = {start: status for status, all in _STARTS.items() for start in all.split()}
_EXCEPTIONS: Final[Mapping[Kind, Status]] = {
    Kind.BUG: Status.BUG,
    Kind.INTERRUPTED: Status.INTERRUPTED,
    Kind.COMMAND_LINE: Status.USAGE,
    Kind.PATHS_OVERLAP: Status.USAGE,
    Kind.SOURCES_OVERLAP: Status.USAGE,
    Kind.OIDC_UNREACHABLE: Status.UNREACHABLE,
    Kind.STS_UNREACHABLE: Status.UNREACHABLE,
    Kind.STS_THROTTLED: Status.UNREACHABLE,
    Kind.OSS_UNREACHABLE: Status.UNREACHABLE,
    Kind.OSS_MALFORMED: Status.UNREACHABLE,
    Kind.OSS_THROTTLED: Status.OK,
    Kind.PARENT_MOVED: Status.BUSY,
    Kind.PACKS_MOVED: Status.BUSY,
    Kind.SNAPSHOT_UNKNOWN: Status.USAGE,
    Kind.PASSPHRASE_KEY: Status.DAMAGED,
    Kind.SNAPSHOT_INCOMPLETE: Status.OK,
    Kind.SNAPSHOT_FUTURE: Status.OK,
    Kind.PRUNE_HELD: Status.INCOMPLETE,
    Kind.SHARDS_LEFT: Status.OK,
    Kind.DRILL_EMPTY: Status.USAGE,
    Kind.CONTENT_FROZEN: Status.INCOMPLETE,
    Kind.TARGET_UNUSABLE: Status.REFUSED,
    Kind.TARGET_BUSY: Status.BUSY,
    Kind.DELETE_REFUSED: Status.REFUSED,
    Kind.FILE_SPECIAL: Status.OK,
    Kind.HISTORY_OFF: Status.OK,
    Kind.ALARM_OPEN: Status.REFUSED,
    Kind.ALARM_UNKNOWN: Status.USAGE,
}
STATUS: Final[Mapping[Kind, Status]] = {
    kind: _EXCEPTIONS.get(kind) or _BY_START[kind.value.partition(".")[0]] for kind in Kind
}

# Told before everything else, and kept in the bucket until somebody acknowledges them; the run is a success.
ALARMS: Final = frozenset({Kind.ALARM_SILENT, Kind.ALARM_CHANGED, Kind.ALARM_ENCRYPTED})


# What ends a run's first try: it begins again, once.
AGAIN: Final = frozenset({Kind.PARENT_MOVED, Kind.PACKS_MOVED})


class Problem(msgspec.Struct, frozen=True):
    """One thing that went wrong: its kind, the path, setting or object it is about, and the facts that help.

    `where` and every fact are text from outside: whoever prints them escapes them. `facts` may carry
    `request-id` and `ec`, which support people ask for.
    """

    kind: Kind
    where: str = ""
    facts: dict[str, str] = {}

    @property
    def status(self) -> Status:
        """How severe this problem is."""
        return STATUS[self.kind]

    @property
    def is_warning(self) -> bool:
        """True when the run is still a success in spite of it."""
        return self.status is Status.OK


class Stop(Exception):
    """Ends a command with one problem. Raised anywhere, caught once, in `cli`."""

    def __init__(self, kind: Kind, where: str = "", **facts: object) -> None:
        """Underscores in the names of facts become hyphens; None and "" are left out."""
        self.problem = Problem(
            kind, where, {k.replace("_", "-"): str(v) for k, v in facts.items() if v not in (None, "")}
        )
        super().__init__(f"{kind.value} {where}".strip())


def severest(met: Iterable[Status]) -> Status:
    """The status of a run whose problems have these: the most severe, or OK."""
    all_met = set(met)
    return next(status for status in SEVERITY if status in all_met or status is Status.OK)
