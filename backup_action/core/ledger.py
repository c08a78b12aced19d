"""The ledger: one record for each run, failed ones too, and the figures of the last thirty days.

    .oss-backup/ledger/20261122T180000Z-3f2a9c411a2b3c4d.json

An id begins with the time that the run began, then come eight hex digits for source and verb, so that a source's own
are found by their names, and eight random ones. Each record carries its `window`: what is counted of every run of its
source and verb in the last `DAYS`, at most `MOST`, itself included. So who reads the newest one knows them all.
A window that could not be read is null, which is not the same as an empty one.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, UnsetType

FORMAT: Final = "oss-backup-ledger/1"
VERBS: Final = ("backup", "restore", "verify", "drill", "prune")  # those whose runs are recorded
DAYS: Final = 30
MOST: Final = 400  # runs in a window
AHEAD: Final = 86_400.0  # seconds that the clock of another host may be ahead; what is further on is no run yet
LONGEST: Final = 1 << 20  # bytes; a longer record is none of ours
ID: Final = r"\A[0-9]{8}T[0-9]{6}Z-[0-9a-f]{16}\Z"
_SHARE: Final = 95  # percent of the runs that were not longer than the P95
_MOMENT: Final = "%Y%m%dT%H%M%SZ"
_SECOND: Final = 16  # characters of an id that say when its run began
_TAG: Final = 8  # hex digits

Id = Annotated[str, msgspec.Meta(pattern=ID)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Unreadable(ValueError):
    """The bytes are no record that this program knows."""


class UnknownFormat(Unreadable):
    """A record, but of another version of the format. Its text is that version's name."""


class Past(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, order=True):
    """What is counted of one run."""

    id: Id
    ok: bool  # it ended with exit code 0
    tenths: Count  # of a second that it took
    bytes_sent: Count


class Totals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The figures of a window. `p95_seconds` is of the runs that succeeded, null where there was none."""

    runs: Count = 0
    successes: Count = 0
    failures: Count = 0
    bytes_sent: Count = 0
    p95_seconds: float | None = None


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run. Fields that do not apply are empty."""

    format: str
    id: Id
    verb: str
    source: str
    started: str  # UTC, 2026-11-22T18:00:00Z
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    status: str
    exit_code: int
    version: str  # of the program
    host: str = ""
    repository: str = ""
    run_id: str = ""
    attempt: str = ""
    commit: str = ""
    actor: str = ""
    identity: str = ""
    snapshot: str = ""
    digest: str = ""  # of the snapshot
    files_sent: Count = 0
    bytes_sent: Count = 0
    problems: dict[str, int] = {}  # how many, by kind
    totals: Totals | None = None  # of the window
    window: list[Past] | None = None
    files_copied: Count | UnsetType = UNSET  # on the server, of content that the bucket had; left out for none
    bytes_copied: Count | UnsetType = UNSET

    @property
    def past(self) -> Past:
        """What a window has of this run."""
        return Past(self.id, self.status == "ok", min(round(self.seconds * 10), 2**53), self.bytes_sent)


class Standing(msgspec.Struct, frozen=True):
    """How a source and verb has done in the window, against what is wished of it."""

    runs: int
    successes: int
    p95_seconds: float | None = None
    wish_rate: int = 0  # percent; 0: none
    wish_minutes: int = 0  # 0: none

    @property
    def rate(self) -> str:
        """Percent of the runs that succeeded, one decimal; 100.0 only where all did, and "" where there was none."""
        if not self.runs:
            return ""
        told = round(1000 * self.successes / self.runs)
        return f"{(told if self.successes == self.runs else min(told, 999)) / 10:.1f}"

    @property
    def misses_rate(self) -> bool:
        """Whether fewer succeeded than is wished."""
        return 100 * self.successes < self.wish_rate * self.runs

    @property
    def misses_minutes(self) -> bool:
        """Whether the P95 is longer than is wished."""
        return bool(self.wish_minutes) and (self.p95_seconds or 0) > 60 * self.wish_minutes


def recorded_as(command: str, *, is_shard: bool = False) -> str:
    """The verb that a run is recorded as, "" for none.

    Shards and what merges them are one backup, so it is the merge that is recorded, whatever became of the shards.
    """
    if is_shard:
        return ""
    return "backup" if command == "merge" else command if command in VERBS else ""


def tag(source: str, verb: str) -> str:
    """The eight hex digits that stand for a source and verb. The record says in full whose it is."""
    return hashlib.sha256(f"{verb}\0{source}".encode()).hexdigest()[:_TAG]


def new_id(began: float, source: str, verb: str, roll: str) -> str:
    """An id for a run that began then, in seconds since 1970; `roll` is eight random hex digits."""
    return f"{moment(began)}-{tag(source, verb)}{roll}"


def moment(seconds: float) -> str:
    """How an id writes a moment; such texts are in the order of the moments."""
    return time.strftime(_MOMENT, time.gmtime(max(0.0, seconds)))


def is_id(text: str, of: str) -> bool:
    """Whether a text is the id of a run with this tag."""
    return re.fullmatch(ID, text) is not None and text[_SECOND + 1 :][:_TAG] == of


def horizon(now: float) -> str:
    """What every id in the window of this moment is greater than."""
    return moment(now - DAYS * 86_400)


def window(runs: Iterable[Past], now: float) -> list[Past]:
    """The runs of the last `DAYS` before `now`, each once, oldest first; of more than `MOST` the last."""
    oldest, newest = horizon(now), moment(now + AHEAD)
    once = {run.id: run for run in sorted(runs) if oldest <= run.id[:_SECOND] <= newest}
    return list(once.values())[-MOST:]


def totals(runs: Sequence[Past]) -> Totals:
    """The figures of a window. P95 by nearest rank: the shortest time that 95 percent of the runs did not exceed."""
    good = sorted(run.tenths for run in runs if run.ok)
    at = math.ceil(len(good) * _SHARE / 100) - 1
    return Totals(
        len(runs), len(good), len(runs) - len(good), sum(run.bytes_sent for run in runs),
        good[at] / 10 if good else None,
    )  # fmt: skip


def with_window(record: Record, before: Iterable[Past], now: float) -> Record:
    """The record with its window: the runs before, and itself."""
    runs = window([*before, record.past], now)
    return msgspec.structs.replace(record, totals=totals(runs), window=runs)


def encode(record: Record) -> bytes:
    """The record as one line of JSON."""
    return msgspec.json.encode(record) + b"\n"


def decode(data: bytes) -> Record:
    """Reads `encode`'s bytes. Raises UnknownFormat, or Unreadable with the reason."""
    try:
        told = msgspec.json.decode(data, type=_Mark).format
        if told != FORMAT:
            raise UnknownFormat(told)
        return msgspec.json.decode(data, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from None


class _Mark(msgspec.Struct):
    format: str
