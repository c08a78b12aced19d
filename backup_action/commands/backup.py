"""backup: wanted are the files on disk, there is the last snapshot, checked against the bucket's listing.

What is missing or changed is sent, then a snapshot is committed, last of all (laws 1 and 2).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from backup_action import access
from backup_action.adapters import progress
from backup_action.adapters.files.folder import Opener
from backup_action.adapters.files.scan import Scan, scan
from backup_action.core import address, guard, place, plan, recent, render, reread, selection, snapshot
from backup_action.core.alarm import Census
from backup_action.core.deadline import Deadline
from backup_action.core.entry import Entry, Sort
from backup_action.core.place import Root
from backup_action.core.plan import Item
from backup_action.core.problem import AGAIN, ALARMS, Kind, Problem, Stop
from backup_action.core.report import Draft, SnapshotLine
from backup_action.core.reread import NO_TURN, Turn
from backup_action.core.snapshot import FORMAT, Head, Origin, Parent, Snapshot, Writer
from backup_action.core.spool import Spool
from backup_action.core.stored import Stored
from backup_action.core.tally import Tally
from backup_action.settings import Settings
from backup_action.transfer import foresight
from backup_action.transfer.flow import together
from backup_action.transfer.packing import Packing
from backup_action.transfer.removal import Removal
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.transfer.upload import Upload
from backup_action.vault import Catalogue, History, Lease, Vault, alarms, neighbours, script
from backup_action.vault.catalogue import TREE
from backup_action.vault.packs import Packs


async def run(settings: Settings, environ: Mapping[str, str], draft: Draft, stopped: Callable[[], bool]) -> None:
    """The journey; once more from its beginning where another run committed meanwhile, or a prune removed packs."""
    deadline = Deadline.after(settings.deadline_minutes, time.monotonic)
    try:
        await backup(settings, environ, draft, deadline, stopped)
    except Stop as stop:
        if stop.problem.kind not in AGAIN:
            raise
        draft.begin_again()
        await backup(settings, environ, draft, deadline, stopped)


async def backup(
    settings: Settings, environ: Mapping[str, str], draft: Draft, deadline: Deadline, stopped: Callable[[], bool]
) -> None:
    """The whole journey. Fills the draft as it goes; raises Stop."""
    roots = place.roots(settings.paths)
    chosen = selection.select(settings.exclude, settings.include)
    access.announce(draft, settings, tuple((root.source, root.destination) for root in roots))
    await progress.tell(render.looking(settings.language))
    async with access.opened(settings, environ, draft, deadline) as (bucket, token):
        vault = Vault(bucket, settings.prefix, draft.source, settings.layout, access.sealing(settings))
        async with together() as group:
            scanning = group.create_task(
                asyncio.to_thread(scan, roots, chosen, vault.room, stopped, follow=settings.follow_symlinks)
            )
            asking = group.create_task(state(vault, roots, settings))
        scanned, there = scanning.result(), asking.result()
        note(draft, vault, scanned, there.parent, roots)
        await asyncio.to_thread(guards, settings, scanned, there, roots, stopped)
        draft.turn = await asyncio.to_thread(turn, settings, scanned, there.parent)
        head, census = new_head(vault, draft, roots, there.parent), Census(roots)
        async with writing(vault, there, head, token, settings, draft) as safe:
            writer = Writer(head)
            upload = transfer(vault, there, safe, roots, writer, settings, draft, stopped, census)
            async with watched(draft, scanned, settings, environ):
                await upload.run(there.against(scanned, safe, draft.turn))
            draft.tally.out_of_reach(len(scanned.unread))
            sound(census, there.parent, settings, draft)
            if not safe and settings.delete:
                draft.tally.deleted = upload.removable()
            if safe:
                goes_on = draft.turn.start if upload.is_cut else draft.turn.end
                await commit(vault, safe, writer, head, there.parent, scanned, draft, goes_on)
                await tidy(vault, safe, upload.gone, settings, roots, draft)


@dataclass(frozen=True, slots=True)
class There:
    """What the bucket has: the catalogue, the newest snapshot of this source, and the listing of everything else."""

    catalogue: Catalogue
    parent: Snapshot | None
    listing: list[Spool[Stored]]
    packs: Packs | None = None  # layout vault

    def against(self, scanned: Scan, safe: Safekeeping | None = None, turn: Turn = NO_TURN) -> Iterator[Item]:
        """The plan. What a run wrote since the parent that never committed, as the lease tells, is no drift.

        `turn`: unchanged files that are to be read again.
        """
        entries = self.parent.entries() if self.parent else iter(())
        since = plan.NEVER
        if self.parent and safe and safe.lease.is_after_failure:
            rows = {stored.key: stored.last_modified for stored in self.catalogue.snapshots}
            since = rows.get(self.parent.id, plan.NEVER)
        there: Iterator[Stored] = itertools.chain(*self.listing)
        if self.packs:
            there = self.packs.present(self.parent.entries() if self.parent else ())
        return plan.compare(scanned.found, entries, there, scanned.covers, since, turn.has)


async def state(vault: Vault, roots: tuple[Root, ...], settings: Settings) -> There:
    """What is there. Raises Stop where another source's places overlap ours."""
    if settings.layout != TREE:
        catalogue, packs = await asyncio.gather(vault.catalogue(), access.packs(vault, settings))
        parent, _ = await asyncio.gather(vault.parent(catalogue), packs.load())
        return There(catalogue, parent, [], packs)
    catalogue = await vault.catalogue()
    parent = await vault.parent(catalogue)
    await neighbours.refuse_overlap(vault, catalogue, roots, parent)
    if parent is None:
        await vault.ask_to_read()
    return There(catalogue, parent, await vault.listing(parent.marks if parent else []))


def transfer(
    vault: Vault, there: There, safe: Safekeeping | None, roots: tuple[Root, ...], writer: Writer, settings: Settings,
    draft: Draft, stopped: Callable[[], bool], census: Census,
) -> Upload | Packing:  # fmt: skip
    """What sends the files, by the layout."""
    if there.packs:
        return Packing(
            vault, there.packs, safe, roots, writer, draft.tally, stopped=stopped, follow=settings.follow_symlinks,
            census=census,
        )  # fmt: skip
    return Upload(
        vault, safe, roots, writer, draft.tally, headers=access.describing(settings),
        concurrency=vault.bucket.attempts.law.workers, stopped=stopped, follow=settings.follow_symlinks, census=census,
    )  # fmt: skip


def note(draft: Draft, vault: Vault, scanned: Scan, parent: Snapshot | None, roots: tuple[Root, ...]) -> None:
    """Notes what the scan met, the runs before, and places of the last that this run was not asked to back up."""
    for problem in scanned.problems:
        draft.tell(problem)
    if parent is None:
        return
    draft.recent, draft.kept = parent.recent, recent.kept(vault.kept())
    left = [root.destination or "." for root in parent.head.roots if not place.overlap((root,), roots)]
    if left:
        draft.tell(Problem(Kind.ROOTS_DROPPED, ", ".join(left), {"snapshot": parent.id}))


@asynccontextmanager
async def watched(draft: Draft, scanned: Scan, settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[None]:
    """Says how far the transfer is while it runs, and what comes before and after it."""
    language, files, size = settings.language, sum(scanned.files), sum(scanned.bytes)
    await progress.tell(render.sending(files, size, language, dry_run=settings.dry_run))
    async with progress.shown(draft.tally, files, size, language, environ):
        yield
    if not settings.dry_run:
        await progress.tell(render.committing(language))


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


def guards(
    settings: Settings, scanned: Scan, there: There, roots: tuple[Root, ...], stopped: Callable[[], bool]
) -> None:
    """Before the first write: raises Stop where a disaster on the disk would be mirrored. Not for the event loop."""
    if there.parent is None:
        return
    before = (there.parent.foot.files, there.parent.foot.bytes)
    if {root.destination for root in there.parent.head.roots} != {root.destination for root in roots}:
        before = guard.totals(there.parent.entries(), roots)
    if scanned.complete:
        guard.refuse_shrink(before, (sum(scanned.files), sum(scanned.bytes)), settings.max_shrink)
    if settings.history == "none" and there.packs is None:
        with Opener(tuple(root.source for root in roots), follow=settings.follow_symlinks) as opener:
            foresight.refuse_change(
                there.against(scanned), opener, before[0], settings.max_change,
                removing=roots if settings.delete else (), stopped=stopped,
            )  # fmt: skip


def turn(settings: Settings, scanned: Scan, parent: Snapshot | None) -> Turn:
    """Which unchanged files this run reads again. Not for the event loop; a dry run reads none."""
    if parent is None:
        return NO_TURN
    files = ((found.path, found.size) for found in scanned.found if found.kind is Sort.FILE)
    runs = 0 if settings.dry_run else settings.reread_runs
    return reread.turn(files, parent.foot.reread, runs, int(address.size(settings.reread_bytes)))


def sound(census: Census, parent: Snapshot | None, settings: Settings, draft: Draft) -> None:
    """Raises the alarms that what was sent calls for, before the commit, so that the snapshot counts them."""
    if parent is not None:
        for problem in census.alarms(parent.recent, parent.head.sequence, settings.alarm_percent, parent.id):
            draft.tell(problem)


@asynccontextmanager
async def writing(
    vault: Vault, there: There, head: Head, token: str, settings: Settings, draft: Draft
) -> AsyncIterator[Safekeeping | None]:
    """Holds the source's lease meanwhile; a dry run writes nothing and needs none."""
    if settings.dry_run:
        yield None
        return
    lease = Lease(vault, head.id, token, draft.run.url or draft.run.host)
    await lease.take(there.catalogue, there.parent)
    draft.target = msgspec.structs.replace(draft.target, versioning=lease.versioning)
    history = History(vault, on=settings.history == "auto")
    try:
        async with together() as group:
            renewing = group.create_task(lease.renew())
            yield Safekeeping(lease, history, draft.tally, there.parent.id if there.parent else "")
            renewing.cancel()
    except BaseException:
        await lease.release()
        raise
    finally:
        if history.lost:
            draft.tell(Problem(Kind.HISTORY_OFF, "history", {"count": str(history.lost)}))


async def commit(
    vault: Vault, safe: Safekeeping, writer: Writer, head: Head, parent: Snapshot | None, scanned: Scan, draft: Draft,
    goes_on: int,
) -> None:  # fmt: skip
    """Ends the snapshot and stores it, if the lease is still ours and the parent still the newest; then its alarms.

    `goes_on`: where the next run's re-read begins.
    """
    tally: Tally = draft.tally
    catalogue = await vault.catalogue()
    await vault.refuse_moved(catalogue)
    safe.lease.check(catalogue)
    counts = tally.total()
    complete = scanned.complete and not counts.files_failed
    sent = tally.stored or counts.bytes_uploaded
    effort = recent.Effort(time.time() - draft.started, counts.files_uploaded, sent)
    data, foot = writer.finish(dict(tally.problem_counts), complete=complete, effort=effort, reread=goes_on)
    if parent is None and head.layout != TREE:
        await script.leave(vault)
    raised = [problem for problem in tally.problems if problem.kind in ALARMS]
    if raised:  # before the commit: a run that is killed in between must not be one that raised none
        await alarms.store(vault, head.id, draft.source, head.layout, raised)
    await vault.commit(head.id, data)
    grew = (parent.id, parent.foot.digest) if parent else ("", "")
    draft.snapshot = SnapshotLine(head.id, foot.digest, head.sequence, *grew)
    draft.recent, draft.kept = snapshot.recent(head, foot), recent.kept([*vault.kept(), head.id])
    draft.verified = True


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
