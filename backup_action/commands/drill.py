"""drill: wanted is a sample of a snapshot, there is an empty folder. It is restored, proven, opened, and removed again.

The code that restores is the one of `restore`; what it took tells how long a whole restore would take.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from backup_action import access
from backup_action.adapters import github, host, progress
from backup_action.adapters.files.scratch import scratch
from backup_action.adapters.files.target import Target
from backup_action.core import address, drill, render, selection, selector, tree
from backup_action.core.drill import Drilled, FormatLine, Pile, Sample
from backup_action.core.entry import Entry
from backup_action.core.problem import STATUS, Kind, Status, Stop
from backup_action.core.report import Draft, SnapshotLine
from backup_action.core.selection import Selection
from backup_action.core.snapshot import Snapshot
from backup_action.settings import Settings
from backup_action.transfer.download import Download
from backup_action.transfer.opening import Opening
from backup_action.transfer.thawing import Thawing

DAY: Final = 86_400  # seconds


async def run(settings: Settings, environ: Mapping[str, str], draft: Draft, stopped: Callable[[], bool]) -> None:
    """The whole journey. Fills the draft as it goes; raises Stop."""
    chosen = selection.select(settings.exclude, settings.include)
    access.announce(draft, settings, ())
    draft.tally.open_roots(1)
    async with access.opened(settings, environ, draft) as (bucket, _):
        vault = await access.unlocked(bucket, settings, draft)
        snapshot = await vault.choose(settings.snapshot or selector.LATEST)
        await asyncio.to_thread(tree.check, snapshot.entries(), snapshot.id, settings.layout)
        draft.snapshot = SnapshotLine.of(snapshot)
        sample = await asyncio.to_thread(pick, snapshot, chosen, settings, int(draft.started // DAY))
        with opened(settings, environ) as target:
            contents = await access.contents(vault, sample.entries)

            def download() -> Download:
                thawing = Thawing(bucket, draft.tally, days=0, tier="")
                return Download(
                    contents, target, draft.tally, thawing, overwrite="always",
                    concurrency=bucket.attempts.concurrency.workers, dry=settings.dry_run, stopped=stopped,
                )  # fmt: skip

            opening = Opening(target, draft.tally, stopped)
            async with watched(sample, settings, environ, draft):
                large, small = [await restore(download(), pile, draft) for pile in drill.piles(sample.entries)]
            if not settings.dry_run:
                await opening.run(sample.entries)
                draft.drill = told(sample, large, small, opening.lines())
        is_whole = all(STATUS[kind] is Status.OK for kind in draft.tally.met())
        draft.verified = is_whole and not settings.dry_run


def pick(snapshot: Snapshot, chosen: Selection, settings: Settings, day: int) -> Sample:
    """The sample. Raises Stop where no file can be taken: a drill that proves nothing is no success."""

    def files() -> Iterator[Entry]:
        return (entry for entry in snapshot.entries() if entry.is_file and chosen.takes(entry.path))

    sample = drill.pick(files, int(address.size(settings.drill_bytes)), day)
    if not sample.entries:
        smallest = sample.smallest if sample.smallest >= 0 else None
        raise Stop(Kind.DRILL_EMPTY, snapshot.id, smallest=smallest)
    return sample


@contextmanager
def opened(settings: Settings, environ: Mapping[str, str]) -> Iterator[Target]:
    """A target of our own that is gone afterwards; a dry run makes none. Raises Stop where it cannot be made."""
    above = Path(settings.target) if settings.target else temporary(environ)
    with ExitStack() as ending:
        try:
            path = "" if settings.dry_run else ending.enter_context(scratch(above))
            target = Target(path, make=not settings.dry_run)
        except OSError as error:
            raise Stop(Kind.TARGET_UNUSABLE, str(above), reason=error.strerror) from None
        ending.callback(target.close)
        yield target


def temporary(environ: Mapping[str, str]) -> Path:
    """Where a scratch folder goes: the job's temporary folder, or where this host keeps our state."""
    if github.is_runner(environ) and environ.get("RUNNER_TEMP"):
        return Path(environ["RUNNER_TEMP"])
    return host.state_folder(environ)


@asynccontextmanager
async def watched(sample: Sample, settings: Settings, environ: Mapping[str, str], draft: Draft) -> AsyncIterator[None]:
    """Says how far the drill is while it runs."""
    files, size = len(sample.entries), sum(entry.size for entry in sample.entries)
    await progress.tell(render.drilling(files, size, settings.language))
    async with progress.shown(draft.tally, files, size, settings.language, environ):
        yield


async def restore(download: Download, entries: list[Entry], draft: Draft) -> Pile:
    """Restores one pile; what came of it, and how long it took."""
    if not entries:
        return Pile(0, 0, 0.0)
    before, start = draft.tally.total(), time.monotonic()
    await download.run(entries)
    seconds, after = time.monotonic() - start, draft.tally.total()
    return Pile(after.files_uploaded - before.files_uploaded, after.bytes_uploaded - before.bytes_uploaded, seconds)


def told(sample: Sample, large: Pile, small: Pile, formats: list[FormatLine]) -> Drilled:
    """What the report says of it."""
    return Drilled(
        files=large.files + small.files,
        bytes=large.bytes + small.bytes,
        seconds=round(large.seconds + small.seconds, 3),
        snapshot_files=sample.files,
        snapshot_bytes=sample.bytes,
        estimate=round(drill.estimate(large, small, sample.files, sample.bytes), 3),
        formats=formats,
    )
