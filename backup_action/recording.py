"""How a run ended is recorded: in the bucket's ledger while the bucket is open, or on this host until a run reaches it.

A record is the last thing that a run writes, and nothing hangs on it: what fails here is a warning (`ledger.failed`).
A run that could not reach the bucket, or was not let in, is kept on the host by `keep`, which knows its ending for
good; the next run of the source on that host that reaches the bucket adds it. A dry run is not recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from msgspec import UNSET

from backup_action.adapters.backlog import Backlog
from backup_action.adapters.oss.data import Bucket
from backup_action.core import ledger
from backup_action.core.ledger import Past, Record, Standing, Unreadable
from backup_action.core.patience import Patience
from backup_action.core.problem import AGAIN, STATUS, Kind, Problem, Status, Stop, severest
from backup_action.core.report import Draft, exit_code
from backup_action.settings import Settings
from backup_action.transfer.flow import together
from backup_action.vault.ledger import Ledger

TRIES: Final = Patience(tries=4, first=0.1, longest=1.0, allowance=12)
LONGEST: Final = 10.0  # seconds that a record may take when a run has ended
PARTING: Final = 2.5  # seconds after a signal, in all: a cancelled job has five
LEAST: Final = 0.2  # seconds that are worth a try
# Why a run comes to no bucket: another request would hear the same.
SHUT: Final = frozenset(
    kind
    for kind in Kind
    if kind.value.startswith(("oidc.", "sts.", "proxy.", "certificate"))
    or kind in (Kind.OSS_ENDPOINT, Kind.OSS_BUCKET, Kind.OSS_SIGNATURE, Kind.OSS_KEY, Kind.OSS_TOKEN, Kind.OSS_CLOCK)
    or kind in (Kind.OSS_ACCOUNT, Kind.OSS_UNREACHABLE, Kind.OSS_MALFORMED, Kind.LEASE_HOST)
)


@asynccontextmanager
async def recorded(
    bucket: Bucket, settings: Settings, environ: Mapping[str, str], draft: Draft, name: str,
    headers: Mapping[str, str] = {},
) -> AsyncIterator[None]:  # fmt: skip
    """Records how the body ends, where the bucket can be reached. `name` says which bucket, prefix and source."""
    verb = ledger.recorded_as(draft.command, is_shard=bool(draft.shard))
    if draft.dry_run or not verb:
        yield
        return
    aside = bucket.beside(bucket.attempts.beside(TRIES))
    book = Ledger(aside, settings.prefix, draft.source, verb, headers=headers)
    bucket.overheard = book.overhear
    reading = asyncio.ensure_future(_read(book, bucket))
    ended: BaseException | None = None
    try:
        yield
    except BaseException as error:
        ended = error
        raise
    finally:
        bucket.overheard = None
        if not _begins_again(draft, ended):
            record = _record(draft, bucket.attempts.now(), ended)
            if SHUT.isdisjoint(record.problems) and (bucket.attempts.heard.is_set() or not draft.signal):
                trouble = await _conclude(book, reading, record, settings, draft, Backlog(environ, name))
                if trouble and bucket.attempts.heard.is_set() and record.status != Status.DENIED.value:
                    draft.tell(_warning(trouble, settings.prefix))
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await reading
        draft.requests += aside.requests


async def _read(book: Ledger, bucket: Bucket) -> list[Past]:
    """The runs before, as soon as a listing has told their names: while the run goes on."""
    await book.heard.wait()
    return await book.read(bucket.attempts.now())


def _begins_again(draft: Draft, ended: BaseException | None) -> bool:
    """Whether the run is not over: it begins again where another one committed meanwhile, but only once."""
    again = isinstance(ended, Stop) and ended.problem.kind in AGAIN and not draft.is_second
    return again and draft.command == "backup"


def _record(draft: Draft, now: float, ended: BaseException | None = None) -> Record:
    """What there is to say of the run; `now` is by the server's clock where that is known."""
    local, verb = time.time(), ledger.recorded_as(draft.command)
    draft.record = draft.record or ledger.new_id(draft.started + now - local, draft.source, verb, secrets.token_hex(4))
    report, run = draft.finish(local), draft.run
    met = dict(report.problem_counts)
    if ended is not None:
        met.setdefault(_kind(ended).value, 1)
    status = severest(STATUS[Kind(kind)] for kind in met)
    line = report.snapshot
    return Record(
        ledger.FORMAT, draft.record, verb, draft.source,
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(draft.started + now - local)),
        max(0.0, report.duration_seconds), status.value, exit_code(status, draft.signal), draft.version,
        run.host, run.repository, run.run_id, run.attempt, run.commit, run.actor, draft.identity,
        line.id if line else "", line.digest if line else "",
        report.counts.files_uploaded, report.counts.bytes_uploaded, met,
        files_copied=report.counts.files_copied or UNSET, bytes_copied=report.counts.bytes_copied or UNSET,
    )  # fmt: skip


def _kind(ended: BaseException) -> Kind:
    if isinstance(ended, Stop):
        return ended.problem.kind
    return Kind.BUG if isinstance(ended, Exception) else Kind.INTERRUPTED


async def _conclude(
    book: Ledger, reading: asyncio.Future[list[Past]], record: Record, settings: Settings, draft: Draft,
    backlog: Backlog,
) -> Exception | None:  # fmt: skip
    """Writes the record, and those that the host has kept. Gives what went wrong first; raises no Exception."""
    left = draft.signalled + PARTING - time.monotonic() if draft.signal else LONGEST
    if left < LEAST:
        return None
    trouble: list[Exception] = []
    try:
        async with asyncio.timeout(left):
            is_asked = not draft.signal and record.status != Status.DENIED.value  # else what is known will do
            before = await _before(book, reading, trouble) if is_asked or reading.done() else None
            kept = [] if draft.signal else _kept(backlog)
            if before is not None:
                mine = [old.past for old in kept if (old.source, old.verb) == (record.source, record.verb)]
                record = ledger.with_window(record, [*before, *mine], book.bucket.attempts.now())
                draft.ledger = _standing(record, settings)
            async with together() as group:
                group.create_task(book.write(record))
                for old in kept:
                    group.create_task(_add(book, old, backlog))
        draft.is_recorded = True
        backlog.drop(record.id)
    except Exception as error:  # a bug in here must not cost the run its success
        trouble.append(error)
    return trouble[0] if trouble else None


async def _before(
    book: Ledger, reading: asyncio.Future[list[Past]], trouble: list[Exception]
) -> list[Past] | None:  # fmt: skip
    """The runs before; None where they cannot be read."""
    book.heard.set()  # where no listing told of it, it asks itself
    try:
        before = await reading
    except Stop as stop:
        trouble.append(stop)
        return None
    if book.passed_over:
        trouble.append(book.passed_over)
    return before


def _kept(backlog: Backlog) -> list[Record]:
    """What the host has kept. What is no record is dropped."""
    found: list[Record] = []
    for id, data in backlog.kept().items():
        try:
            record = ledger.decode(data)
        except Unreadable:
            record = None
        if record and record.id == id and record.window is None:
            found.append(record)
        else:
            backlog.drop(id)
    return found


async def _add(book: Ledger, record: Record, backlog: Backlog) -> None:
    with contextlib.suppress(Stop):  # it stays where it is
        await book.write(record)
        backlog.drop(record.id)


def _standing(record: Record, settings: Settings) -> Standing | None:
    told = record.totals
    if told is None:
        return None
    return Standing(told.runs, told.successes, told.p95_seconds, settings.wish_success_rate, settings.wish_minutes)


def _warning(error: Exception, prefix: str) -> Problem:
    """What is told of a record that failed. The text of an unexpected error may hold anything: only its type is."""
    if isinstance(error, Stop):
        facts = error.problem.facts
        told = facts.get("reason") or facts.get("code") or facts.get("status") or error.problem.kind.value
        support = {name: fact for name, fact in facts.items() if name in ("request-id", "ec")}
        return Problem(Kind.LEDGER_FAILED, error.problem.where, {"reason": told, **support})
    if isinstance(error, Unreadable):
        cause = "format" if isinstance(error, ledger.UnknownFormat) else "damaged"
        return Problem(Kind.LEDGER_FAILED, prefix, {"reason": str(error), "cause": cause})
    told = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return Problem(Kind.LEDGER_FAILED, prefix, {"reason": told})


def keep(draft: Draft, environ: Mapping[str, str], name: str) -> None:
    """Keeps on this host how a run ended that is in no ledger. Raises nothing that is an Exception."""
    try:
        record = _record(draft, time.time())
        Backlog(environ, name).keep(record.id, ledger.encode(msgspec.structs.replace(record, totals=None, window=None)))
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) else ""
        facts = {"reason": reason or type(error).__name__, "cause": "host"}
        draft.tell(Problem(Kind.LEDGER_FAILED, "ledger", facts))
