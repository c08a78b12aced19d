"""restore: wanted are the entries of a snapshot, there is the target folder.

What is missing or changed is fetched, proven, and put into place. Nothing is written outside of the target (law 7).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from backup_action import access
from backup_action.adapters.files.target import Target
from backup_action.core import selection, tree
from backup_action.core.entry import Entry, Sort
from backup_action.core.problem import Kind, Stop
from backup_action.core.report import Draft, SnapshotLine
from backup_action.core.selection import Selection
from backup_action.core.snapshot import Snapshot
from backup_action.settings import Settings
from backup_action.transfer.download import Download
from backup_action.vault import Vault
from backup_action.vault.contents import Contents

LAYOUT = "tree"


async def restore(settings: Settings, environ: Mapping[str, str], draft: Draft, stopped: Callable[[], bool]) -> None:
    """The whole journey. Fills the draft as it goes; raises Stop."""
    chosen = selection.select(settings.exclude, settings.include)
    access.announce(draft, settings, ((settings.target, ""),))
    async with access.opened(settings, environ, draft) as (bucket, _):
        vault = Vault(bucket, settings.prefix, draft.source, LAYOUT)
        snapshot = await vault.choose(settings.snapshot)
        await asyncio.to_thread(tree.check, snapshot.entries(), snapshot.id)
        draft.snapshot = line(snapshot)
        with open_target(settings.target) as target:
            download = Download(
                Contents(vault), target, draft.tally, overwrite=settings.overwrite, concurrency=settings.concurrency,
                dry=settings.dry_run, stopped=stopped,
            )  # fmt: skip
            await download.run(wanted(snapshot, chosen))
        draft.verified = not draft.tally.total().files_failed


@contextmanager
def open_target(path: str) -> Iterator[Target]:
    """The folder to restore to. Raises Stop where it cannot be made or opened."""
    try:
        target = Target(path)
    except OSError as error:
        raise Stop(Kind.TARGET_UNUSABLE, path, reason=error.strerror) from None
    try:
        yield target
    finally:
        target.close()


def line(snapshot: Snapshot) -> SnapshotLine:
    """What the report says of the snapshot that is restored."""
    parent = snapshot.head.parent
    grew = (parent.id, parent.digest) if parent else ("", "")
    return SnapshotLine(snapshot.id, snapshot.foot.digest, snapshot.head.sequence, *grew)


def wanted(snapshot: Snapshot, chosen: Selection) -> Iterator[Entry]:
    """What of a snapshot is restored: patterns are matched against its paths, from its top."""
    for entry in snapshot.entries():
        if entry.gone:
            continue
        if entry.kind is Sort.FOLDER:
            if chosen.included is None and chosen.takes_folder(entry.path):
                yield entry
        elif chosen.takes(entry.path):
            yield entry
