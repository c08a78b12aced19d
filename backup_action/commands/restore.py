"""restore: wanted are the entries of a snapshot, there is the target folder.

What is missing or changed is fetched, proven, and put into place. Nothing is written outside of the target (law 7).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from backup_action import access
from backup_action.adapters import host, progress
from backup_action.adapters.files.target import Target
from backup_action.core import render, selection, selector, tree
from backup_action.core.entry import Entry, Sort
from backup_action.core.extras import Known
from backup_action.core.problem import STATUS, Kind, Problem, Status, Stop
from backup_action.core.report import Draft, SnapshotLine
from backup_action.core.selection import Selection
from backup_action.core.snapshot import Snapshot
from backup_action.settings import Settings
from backup_action.transfer.download import Download
from backup_action.transfer.extras import Extras
from backup_action.transfer.thawing import Thawing


async def run(settings: Settings, environ: Mapping[str, str], draft: Draft, stopped: Callable[[], bool]) -> None:
    """The whole journey. Fills the draft as it goes; raises Stop."""
    chosen = selection.select(settings.exclude, settings.include)
    access.announce(draft, settings, ((settings.target, ""),))
    async with access.opened(settings, environ, draft) as (bucket, _):
        vault = await access.unlocked(bucket, settings, draft)
        snapshot = await vault.choose(settings.snapshot or selector.LATEST)
        await asyncio.to_thread(tree.check, snapshot.entries(), snapshot.id, settings.layout)
        draft.snapshot = SnapshotLine.of(snapshot)
        if not snapshot.foot.complete:
            draft.tell(Problem(Kind.SNAPSHOT_INCOMPLETE, snapshot.id))
        refuse_delete(settings, environ, snapshot, chosen)
        with open_target(settings) as target:
            contents = await access.contents(vault, wanted(snapshot, chosen))
            thawing = Thawing(bucket, draft.tally, days=settings.thaw_days, tier=settings.thaw_tier)
            download = Download(
                contents, target, draft.tally, thawing, overwrite=settings.overwrite,
                concurrency=bucket.attempts.concurrency.workers, dry=settings.dry_run, stopped=stopped,
            )  # fmt: skip
            known = await asyncio.to_thread(lambda: Known(snapshot.entries())) if settings.delete else None
            extras = Extras(target, known, chosen) if known else None
            async with watched(snapshot, chosen, settings, environ, draft):
                await download.run(wanted(snapshot, chosen), extras, waiting(settings))
        if chosen.included and not draft.tally.total().files_total + draft.tally.links:
            raise Stop(Kind.SNAPSHOT_UNKNOWN, snapshot.id, cause="nothing")  # a slip of the pen is no success
        is_whole = all(STATUS[kind] is Status.OK for kind in draft.tally.met())
        draft.verified = is_whole and not settings.dry_run


def refuse_delete(settings: Settings, environ: Mapping[str, str], snapshot: Snapshot, chosen: Selection) -> None:
    """Raises Stop, before anything is written, where `delete` would do harm that nobody can want."""
    if not settings.delete:
        return
    if host.leads_home(settings.target, environ):
        raise Stop(Kind.DELETE_REFUSED, settings.target)
    if all(entry.kind is Sort.FOLDER for entry in wanted(snapshot, chosen)):
        raise Stop(Kind.DELETE_REFUSED, snapshot.id, cause="empty")


def waiting(settings: Settings) -> Callable[[int], Awaitable[float]]:
    """What is done when so many files must be thawed first: says that it waits; gives for how many seconds."""

    async def begin(files: int) -> float:
        seconds = settings.thaw_wait_minutes * 60.0
        if seconds:
            await progress.tell(render.thawing(files, seconds, settings.language))
        return seconds

    return begin


@asynccontextmanager
async def watched(
    snapshot: Snapshot, chosen: Selection, settings: Settings, environ: Mapping[str, str], draft: Draft
) -> AsyncIterator[None]:
    """Says how far the restore is while it runs."""
    sizes = [entry.size for entry in wanted(snapshot, chosen) if entry.kind is Sort.FILE]
    await progress.tell(render.restoring(len(sizes), sum(sizes), settings.language))
    async with progress.shown(draft.tally, len(sizes), sum(sizes), settings.language, environ):
        yield


@contextmanager
def open_target(settings: Settings) -> Iterator[Target]:
    """The folder to restore to; a dry run makes none. Raises Stop where it cannot be made or opened."""
    try:
        spare = settings.overwrite in ("never", "if-newer")
        target = Target(settings.target, make=not settings.dry_run, spare=spare)
    except OSError as error:
        raise Stop(Kind.TARGET_UNUSABLE, settings.target, reason=error.strerror) from None
    try:
        yield target
    finally:
        target.close()


def wanted(snapshot: Snapshot, chosen: Selection) -> Iterator[Entry]:
    """What of a snapshot is restored: patterns are matched against its paths, from its top.

    With `include` a folder is, where something in it is: it comes before that, as in the snapshot.
    """
    above: list[Entry] = []
    for entry in snapshot.entries():
        if entry.gone:
            continue
        if entry.kind is not Sort.FOLDER:
            if chosen.takes(entry.path):
                yield from (folder for folder in above if entry.path.startswith(f"{folder.path}/"))
                above = []
                yield entry
        elif chosen.included is not None:
            above = [folder for folder in above if entry.path.startswith(f"{folder.path}/")] + [entry]
        elif chosen.takes_folder(entry.path):
            yield entry
