"""The two ends of a run that makes a snapshot: the lease that it holds meanwhile, and the commit, last of all (law 2).

A backup has them, and so does a merge of shards, whose run begins with the first of them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from backup_action.core import recent, snapshot
from backup_action.core.alarm import Census
from backup_action.core.entry import Entry
from backup_action.core.place import Root
from backup_action.core.problem import ALARMS, Kind, Problem
from backup_action.core.report import Draft, SnapshotLine
from backup_action.core.snapshot import FORMAT, Head, Origin, Parent, Snapshot, Writer
from backup_action.core.spool import Spool
from backup_action.core.tally import Tally
from backup_action.settings import Settings
from backup_action.transfer.flow import together
from backup_action.transfer.removal import Removal
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.vault import Catalogue, History, Lease, Vault, alarms, script
from backup_action.vault.catalogue import TREE


def new_head(vault: Vault, draft: Draft, roots: tuple[Root, ...], parent: Snapshot | None) -> Head:
    """The head of the new snapshot."""
    run = draft.run
    return Head(
        format=FORMAT,
        id=vault.new_id(draft.started),
        sequence=parent.head.sequence + 1 if parent else 1,
        source=draft.source,
        layout=draft.target.layout,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(draft.started)),
        version=draft.version,
        roots=list(roots),
        parent=Parent(parent.id, parent.foot.digest) if parent else None,
        origin=Origin(run.host, run.repository, run.run_id, run.attempt, run.commit, run.actor),
        recent=parent.recent if parent else [],
    )


def sound(census: Census, parent: Snapshot | None, settings: Settings, draft: Draft) -> None:
    """Raises the alarms that what was sent calls for, before the commit, so that the snapshot counts them."""
    if parent is not None:
        for problem in census.alarms(parent.recent, parent.head.sequence, settings.alarm_percent, parent.id):
            draft.tell(problem)


@asynccontextmanager
async def writing(
    vault: Vault, catalogue: Catalogue, parent: Snapshot | None, lease: Lease, settings: Settings, draft: Draft
) -> AsyncIterator[Safekeeping | None]:
    """Holds the source's lease meanwhile; a dry run writes nothing and needs none."""
    if settings.dry_run:
        yield None
        return
    await lease.take(catalogue, parent)
    draft.target = msgspec.structs.replace(draft.target, versioning=lease.versioning)
    history = History(vault, on=settings.history == "auto")
    try:
        async with together() as group:
            renewing = group.create_task(lease.renew())
            yield Safekeeping(lease, history, draft.tally, parent.id if parent else "")
            renewing.cancel()
    except BaseException:
        await lease.release()
        raise
    finally:
        if history.lost:
            draft.tell(Problem(Kind.HISTORY_OFF, "history", {"count": str(history.lost)}))


async def commit(
    vault: Vault, safe: Safekeeping, writer: Writer, head: Head, parent: Snapshot | None, draft: Draft, *,
    complete: bool, goes_on: int,
) -> None:  # fmt: skip
    """Ends the snapshot and stores it, if the lease is still ours and the parent still the newest; then its alarms.

    `complete`: the scan was. `goes_on`: where the next run's re-read begins.
    """
    tally: Tally = draft.tally
    await still_ours(vault, safe)
    counts = tally.total()
    complete = complete and not counts.files_failed
    sent = tally.stored or counts.bytes_uploaded
    effort = recent.Effort(time.time() - draft.started, counts.files_uploaded, sent, counts.files_copied)
    segments, foot = writer.finish(dict(tally.problem_counts), complete=complete, effort=effort, reread=goes_on)
    if parent is None and head.layout != TREE:
        await script.leave(vault)
    raised = [problem for problem in tally.problems if problem.kind in ALARMS]
    if raised:  # before the commit: a run that is killed in between must not be one that raised none
        await alarms.store(vault, head.id, draft.source, head.layout, raised)
    await vault.commit(head.id, segments)
    grew = (parent.id, parent.foot.digest) if parent else ("", "")
    draft.snapshot = SnapshotLine(head.id, foot.digest, head.sequence, *grew)
    draft.recent, draft.kept = snapshot.recent(head, foot), recent.kept([*vault.kept(), head.id])
    draft.verified = True


async def still_ours(vault: Vault, safe: Safekeeping) -> None:
    """Raises Stop where another run took the lease meanwhile, or committed since the parent was read."""
    catalogue = await vault.catalogue()
    await vault.refuse_moved(catalogue)
    await safe.lease.check(catalogue)


async def tidy(
    vault: Vault, safe: Safekeeping, gone: Spool[Entry], settings: Settings, roots: tuple[Root, ...], draft: Draft
) -> None:
    """After the commit: ends uploads that a killed run left open, and removes what is gone, if that is asked for."""
    if Kind.FILE_LATE in draft.tally.met():
        await safe.lease.pass_on()
    else:
        for begun in list(safe.lease.inherited.values()):
            await vault.control.abort(begun.key, begun.upload)
    if not settings.delete or not len(gone):
        return
    if draft.tally.total().files_failed:
        draft.tell(Problem(Kind.DELETE_HELD, "delete"))
        return
    if ALARMS & draft.tally.met():
        draft.tell(Problem(Kind.DELETE_HELD, "delete", {"cause": "alarm"}))
        return
    if not await safe.lease.stay():
        draft.tell(Problem(Kind.DELETE_HELD, "delete", {"cause": "run"}))
        return
    await Removal(vault, safe, draft.tally).run(gone, roots)
    await safe.lease.release()
