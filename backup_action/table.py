"""The one table of settings: each row is an input of the action, a flag, a variable, and a key of the config file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

from backup_action.core import address, retention, selector, thaw, verification
from backup_action.core import shard as sharding
from backup_action.core.concurrency import CEILING
from backup_action.core.restoring import OVERWRITE
from backup_action.core.snapshot import WRITERS

BUCKET: Final = ("backup", "merge", "restore", "snapshots", "verify", "drill", "prune")  # verbs that ask the bucket
RECORDED: Final = ("backup", "merge", "restore", "verify", "drill", "prune")  # whose runs are in the ledger
EVERY: Final = (*BUCKET, "notify")
type_of = {"str": "text", "bool": "switch", "int": "number", "tuple[str, ...]": "list"}


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says of one setting besides its name, type and default."""

    help: str
    rule: Callable[[str], str] | None = None  # the grammar of each value: returns its normal form or raises ValueError
    together: Callable[[tuple[str, ...]], tuple[str, ...]] | None = None  # the same for all items of a list at once
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    flag: str = ""  # where the flag's name is not the setting's
    secret: bool = False
    set_up: bool = False  # read by the set-up script only; no flag, and the program ignores it
    verbs: tuple[str, ...] = ("backup",)  # the commands that take it


def _sort(annotation: str) -> str:
    return "text" if annotation.startswith("Literal[") else type_of[annotation]


def _row(default: object, help: str, **more: Any) -> Any:
    return field(default=default, repr=not more.get("secret"), metadata={"row": Row(help, **more)})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, checked. Names are the table's with underscores; defaults are the program's."""

    command: str = _row(
        "backup",
        "What to do: `backup`, `merge`, `restore`, `snapshots`, `verify`, `drill`, `prune` or `notify`.",
        choices=EVERY,
    )
    config: str = _row("", "A config file (TOML) with any of these settings.", verbs=EVERY)
    profile: str = _row(
        "", "A profile of the config file: its `[profiles.NAME]` table.", rule=address.profile, verbs=EVERY
    )
    role_to_assume: str = _row("", "ARN of the RAM role to assume.", rule=address.role_arn, verbs=BUCKET)
    oidc_provider_arn: str = _row(
        "", "ARN of the RAM OIDC provider that trusts GitHub.", rule=address.provider_arn, verbs=BUCKET
    )
    audience: str = _row(
        "sts.aliyuncs.com", "Audience of the OIDC token: a client id of the provider.", rule=address.word, verbs=BUCKET
    )
    role_session_name: str = _row(
        "", "Name of the role's session; default: from the run.", rule=address.session_name, verbs=BUCKET
    )
    role_session_expiration: int = _row(
        3600, "Seconds that the keys live, 900 to 43,200.", low=900, high=43_200, verbs=BUCKET
    )
    sts_endpoint: str = _row("", "STS endpoint; default: the region's.", rule=address.endpoint, verbs=BUCKET)
    region: str = _row("", "Region of the bucket, such as `cn-hangzhou`.", rule=address.region, verbs=BUCKET)
    bucket: str = _row("", "Name of the bucket.", rule=address.bucket, verbs=BUCKET)
    prefix: str = _row("", "Place in the bucket; empty: its top.", rule=address.prefix, verbs=BUCKET)
    endpoint: str = _row("", "OSS endpoint; default: the region's public one.", rule=address.endpoint, verbs=BUCKET)
    paths: tuple[str, ...] = _row(
        (), "What to back up, one path a line; `SRC => DEST` chooses the place in the bucket.", flag="--path"
    )
    exclude: tuple[str, ...] = _row((), "Patterns of what to leave out, as in .gitignore, one a line.", verbs=BUCKET)
    include: tuple[str, ...] = _row(
        (), "Patterns of the only files to take, as in .gitignore, one a line.", verbs=BUCKET
    )
    source: str = _row(
        "", "Name that snapshots belong to; default: the repository, or the host.", rule=address.word, verbs=BUCKET
    )
    shard: str = _row(
        "", "Back up one share of the files only, such as `2/8`; when all have, `merge` makes the snapshot.",
        rule=sharding.check,
    )  # fmt: skip
    shard_group: str = _row(
        "", "Name that the shards of one run share with their `merge`; default: the id of GitHub's run.",
        rule=sharding.group, verbs=WRITERS,
    )  # fmt: skip
    snapshot: str = _row(
        "",
        "Which one: `latest`, an id or its beginning, or a time; empty: the latest, and for `snapshots` a list of all.",
        rule=selector.check,
        verbs=("restore", "snapshots", "verify", "drill"),
    )
    against: str = _row(
        "", "The older snapshot to compare with, named as in `snapshot`.", rule=selector.check, verbs=("snapshots",)
    )
    find: str = _row(
        "", "A path, or a pattern as in .gitignore: in which snapshots it is, with what content.", verbs=("snapshots",)
    )
    all_sources: bool = _row(False, "List the snapshots of every source below the prefix.", verbs=("snapshots",))
    json: bool = _row(
        False, "Print one JSON document on stdout in place of a table; not on GitHub.", verbs=("snapshots",)
    )
    target: str = _row("", "The folder to restore to.", verbs=("restore", "drill"))
    overwrite: str = _row(
        "if-changed",
        "What to do about files that are in the target: `if-changed`, `always`, `if-newer` or `never`.",
        choices=OVERWRITE,
        verbs=("restore",),
    )
    keep_last: int = _row(0, "Snapshots to keep: the newest so many.", high=100_000, verbs=("prune",))
    keep_hourly: int = _row(
        0, "Keep the newest of each of the last so many hours with any, in UTC.", high=100_000, verbs=("prune",)
    )
    keep_daily: int = _row(0, "The same of days.", high=100_000, verbs=("prune",))
    keep_weekly: int = _row(0, "The same of weeks, from Monday.", high=100_000, verbs=("prune",))
    keep_monthly: int = _row(0, "The same of months.", high=100_000, verbs=("prune",))
    keep_yearly: int = _row(0, "The same of years.", high=100_000, verbs=("prune",))
    keep_within: str = _row(
        "",
        "Keep all that are at most so much older than the newest: `12h`, `30d`, `8w`.",
        rule=retention.check,
        verbs=("prune",),
    )
    apply: bool = _row(False, "Really mark and remove; without it, prune only says what it would do.", verbs=("prune",))
    grace_hours: int = _row(
        24, "Hours between marking a snapshot and removing it, 24 to 8,760.", low=24, high=8_760, verbs=("prune",)
    )
    max_prune: int = _row(
        50, "Percent of the snapshots that one run may mark or remove, 0 to 100.", high=100, verbs=("prune",)
    )
    repack_percent: int = _row(
        50, "Layout vault: packs of which less than so many percent are needed are written anew; 0: none.", high=100,
        verbs=("prune",),
    )  # fmt: skip
    repack_bytes: str = _row(
        "1GiB", "Most bytes of packs that one run writes anew.", rule=address.size, verbs=("prune",)
    )
    all_snapshots: bool = _row(False, "Verify every snapshot of the source, not just one.", verbs=("verify",))
    read: bool = _row(False, "Read all content and hold it against its SHA-256.", verbs=("verify",))
    read_subset: str = _row(
        "",
        "Read one share of the files only: `3/30`, or `auto/30`, which takes turns by the day.",
        rule=verification.subset,
        verbs=("verify",),
    )
    expect_digest: str = _row(
        "", "The digest that the snapshot must have: the output `snapshot-digest`.", rule=address.digest,
        verbs=("verify",),
    )  # fmt: skip
    drill_bytes: str = _row("1GiB", "Most bytes that a drill restores.", rule=address.size, verbs=("drill",))
    layout: str = _row(
        "tree",
        "How files lie in the bucket: `tree`, each an object of its own, or `vault`, in packs of shared chunks.",
        choices=address.LAYOUTS,
        verbs=BUCKET,
    )
    passphrase: str = _row("", "Encrypts the vault layout; keep it, it cannot be recovered.", secret=True, verbs=BUCKET)
    history: str = _row(
        "auto",
        "Keep what a run replaces or removes: `auto`, or `none` for the newest only.",
        choices=("auto", "none"),
        verbs=WRITERS,
    )
    delete: bool = _row(
        False,
        "Remove what is gone: a backup, from the bucket, if a snapshot of ours named it; a restore, from the target.",
        verbs=(*WRITERS, "restore"),
    )
    thaw_wait_minutes: int = _row(
        0, "Minutes to wait for objects of Archive classes to thaw, at most 4,320.", high=4_320, verbs=("restore",)
    )
    thaw_days: int = _row(
        3, "Days that they stay readable, 1 to 365; Archive: at most 7.", low=1, high=thaw.DAYS_MAX, verbs=("restore",)
    )
    thaw_tier: str = _row(
        "Standard",
        "How fast they thaw, and at what price: `Expedited`, `Standard` or `Bulk`.",
        choices=thaw.TIERS,
        verbs=("restore",),
    )
    max_shrink: int = _row(50, "Percent of the files or bytes that may be gone since the last run, 0 to 100.", high=100)
    max_change: int = _row(50, "Percent of the files that may change while history is off, 0 to 100.", high=100)
    reread_runs: int = _row(
        30, "Runs in which each unchanged file is read again, as a check of the disk; 0: never.", high=365
    )
    reread_bytes: str = _row(
        "1GB", "Most bytes of unchanged files that a run reads again, such as `500MB`.", rule=address.size
    )
    alarm_percent: int = _row(
        30, "Percent of files rewritten, or of those that look encrypted, from which a run alarms; 100: off.", high=100,
        verbs=WRITERS,
    )  # fmt: skip
    acknowledge: tuple[str, ...] = _row(
        (),
        "Alarms that somebody has looked at, so that snapshots may be removed: ids, one a line, or `all`.",
        rule=selector.alarm,
        verbs=("prune",),
    )
    follow_symlinks: bool = _row(False, "Back up what a link leads to, where that is below the same path.")
    storage_class: str = _row("", "Storage class of the files; default: the bucket's.", choices=address.CLASSES)
    server_side_encryption: str = _row(
        "", "Encryption by OSS; default: the bucket's.", choices=("AES256", "KMS", "SM4"), verbs=WRITERS
    )
    kms_key_id: str = _row(
        "", "The KMS key, for `server-side-encryption: KMS`; default: OSS's own.", rule=address.word, verbs=WRITERS
    )
    tags: tuple[str, ...] = _row(
        (), "Tags of the files' objects, one `key=value` a line, at most 10.", rule=address.tag, together=address.tags
    )
    concurrency: int = _row(
        CEILING,
        "Most requests to the bucket at a time, 1 to 512; fewer where more do not help, or where it refuses them.",
        low=1, high=512, verbs=BUCKET,
    )  # fmt: skip
    bandwidth_limit: str = _row(
        "", "Most bytes to send in a second, such as `20MB`; default: no limit.", rule=address.rate
    )
    deadline_minutes: int = _row(0, "Minutes after which nothing more is sent; 0: no end, at most 7,200.", high=7_200)
    proxy: str = _row(
        "", "HTTP proxy for every neighbour: `http://host:port`.", rule=address.proxy, secret=True, verbs=EVERY
    )
    ca_bundle: str = _row("", "File of the certificates (PEM) to trust in place of the usual ones.", verbs=EVERY)
    dry_run: bool = _row(False, "Say what would be done, and write nothing.", verbs=BUCKET)
    wish_success_rate: int = _row(
        99, "Percent of the runs of 30 days that should succeed, 0 to 100; told where fewer do.", high=100,
        verbs=RECORDED,
    )  # fmt: skip
    wish_minutes: int = _row(
        30, "Minutes that 95 percent of the runs should not exceed; told where they do; 0: no matter.", high=7_200,
        verbs=RECORDED,
    )  # fmt: skip
    language: Literal["zh", "en"] = _row("zh", "Language of reports: `zh` or `en`.", choices=("zh", "en"), verbs=EVERY)
    dingtalk_webhook: str = _row(
        "", "Address of a DingTalk robot to tell.", rule=address.webhook, secret=True, verbs=EVERY
    )
    dingtalk_secret: str = _row("", "The robot's signing secret (`SEC…`).", rule=address.word, secret=True, verbs=EVERY)
    dingtalk_keyword: str = _row("", "The robot's keyword, put into the message where it is missing.", verbs=EVERY)
    dingtalk_at: tuple[str, ...] = _row(
        (), "Whom to mention: mobile numbers, user ids, or `all`, one a line.", verbs=EVERY
    )
    notify_on: Literal["always", "problem", "never"] = _row(
        "always",
        "When to tell DingTalk: `always`, `problem` or `never`.",
        choices=("always", "problem", "never"),
        verbs=EVERY,
    )
    report: str = _row("", "A report file to tell of, for `notify`.", verbs=("notify",))
    allow_static_keys: bool = _row(
        False, "Use the `ALIBABA_CLOUD_ACCESS_KEY_…` of the environment in place of OIDC.", verbs=BUCKET
    )
    python: str = _row("", "Python interpreter, 3.11 or newer; default: the newest found.", set_up=True)
    index_url: str = _row("", "Package index for the set-up, such as a mirror in China.", set_up=True)
    cache: bool = _row(True, "`false` makes a fresh environment for this job.", set_up=True)


TABLE: Final[Mapping[str, Row]] = {f.name.replace("_", "-"): f.metadata["row"] for f in fields(Settings)}
SORTS: Final[Mapping[str, str]] = {f.name.replace("_", "-"): _sort(str(f.type)) for f in fields(Settings)}
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "backup": ("bucket", "region", "paths"),
    "merge": ("bucket", "region"),
    "restore": ("bucket", "region", "target"),
    "snapshots": ("bucket", "region"),
    "verify": ("bucket", "region"),
    "drill": ("bucket", "region"),
    "prune": ("bucket", "region"),
    "notify": (),
}
