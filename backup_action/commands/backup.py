"""backup: wanted are the files on disk, there is the last snapshot, checked against the bucket's listing.

What is missing or changed is sent, then a snapshot is committed, last of all (laws 1 and 2).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from backup_action import access
from backup_action.adapters import progress
from backup_action.adapters.files.folder import Opener
from backup_action.adapters.files.scan import Scan, scan
from backup_action.adapters.overflow import Overflow
from backup_action.core import address, guard, place, plan, recent, render, reread, selection, shard
from backup_action.core.alarm import Census
from backup_action.core.deadline import Deadline
from backup_action.core.entry import Sort
from backup_action.core.place import Root
from backup_action.core.plan import Item
from backup_action.core.problem import AGAIN, Kind, Problem, Stop
from backup_action.core.report import Draft
from backup_action.core.reread import NO_TURN, Turn
from backup_action.core.snapshot import HELD, Head, Snapshot, Writer
from backup_action.core.spool import Spool
from backup_action.core.stored import Stored
from backup_action.settings import Settings
from backup_action.transfer import foresight, sharing
from backup_action.transfer.committing import commit, new_head, sound, tidy, writing
from backup_action.transfer.flow import meanwhile, together
from backup_action.transfer.packing import Packing
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.transfer.sharing import Sharing
from backup_action.transfer.upload import Upload
from backup_action.vault import Catalogue, Lease, Vault, neighbours
from backup_action.vault.catalogue import TREE
from backup_action.vault.packs import Packs

FIRST: Final = 16_384  # paths that are planned while the lease is being taken: as many as a scan holds unpacked


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
        vault = Vault(bucket, settings.prefix, draft.source, settings.layout, access.sealing(settings), Overflow().keep)
        async with together() as group:
            scanning = group.create_task(
                asyncio.to_thread(scan, roots, chosen, vault.room, stopped, vault.keep, follow=settings.follow_symlinks)
            )
            asking = group.create_task(state(vault, roots, settings, draft))
        scanned, there = scanning.result(), asking.result()
        note(draft, vault, scanned, there.parent, roots)
        await asyncio.to_thread(guards, settings, scanned, there, roots, stopped)
        head, census = there.head(vault, draft, roots), Census(roots)
        lease = there.shard.lease() if there.shard else Lease(vault, head.id, token, draft.run.url or draft.run.host)
        async with planned(vault, there, scanned, lease, settings, draft) as (safe, steps):
            draft.turn = steps.turn
            writer, met = Writer(head, vault.keep), shard.met(draft.tally)
            if safe and there.shard:
                await there.shard.begin(safe, head.id)
            upload = transfer(vault, there, safe, roots, writer, settings, draft, stopped, census)
            async with watched(draft, there.totals(scanned), settings, environ):
                await upload.run(steps.items(safe))
            goes_on = draft.turn.start if upload.is_cut else draft.turn.end
            if safe and there.shard:
                await there.shard.hand_on(safe, writer, head, draft, census, met, len(scanned.unread), goes_on)
            elif not there.shard:
                draft.tally.out_of_reach(len(scanned.unread))
                sound(census, there.parent, settings, draft)
                if safe:
                    whole = scanned.complete
                    await commit(vault, safe, writer, head, there.parent, draft, complete=whole, goes_on=goes_on)
                    await tidy(vault, safe, upload.gone, settings, roots, draft)
                elif settings.delete:
                    draft.tally.deleted = upload.removable()


class There(msgspec.Struct, frozen=True):
    """What the bucket has: the catalogue, the newest snapshot of this source, and the listing of everything else."""

    catalogue: Catalogue
    parent: Snapshot | None
    listing: list[Spool[Stored]]
    packs: Packs | None = None  # layout vault
    shard: Sharing | None = None  # this run is one of several that share the paths

    def head(self, vault: Vault, draft: Draft, roots: tuple[Root, ...]) -> Head:
        """The head of the new snapshot, or of a shard's entries."""
        head = new_head(vault, draft, roots, self.parent)
        return msgspec.structs.replace(head, format=shard.FORMAT) if self.shard else head

    def has(self, path: str) -> bool:
        """Whether a path is this run's."""
        return self.shard is None or self.shard.share.has(path)

    def totals(self, scanned: Scan) -> tuple[int, int]:
        """Files and bytes that were found, of this run's paths."""
        if self.shard is None:
            return sum(scanned.files), sum(scanned.bytes)
        sizes = [found.size for found in scanned.found if found.kind is Sort.FILE and self.has(found.path)]
        return len(sizes), sum(sizes)

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
        held = self.packs.present if self.packs else None
        items = plan.compare(scanned.found, entries, there, scanned.covers, since, turn.has, held)
        return plan.own(items, self.has) if self.shard else items


class Plan(msgspec.Struct):
    """The plan of a run, and which unchanged files it reads again; the beginning may be worked out already."""

    scanned: Scan
    there: There
    turn: Turn
    rest: Iterator[Item]
    first: list[Item]

    def items(self, safe: Safekeeping | None) -> Iterator[Item]:
        """All of it, once: anew where the lease tells of a run that never committed."""
        first, self.first = self.first, []  # whoever iterates lets go of it
        if safe and safe.lease.is_after_failure:
            return self.there.against(self.scanned, safe, self.turn)
        return itertools.chain(first, self.rest)


def ahead(settings: Settings, scanned: Scan, there: There) -> Plan:
    """Chooses the files whose turn it is, and plans the first paths where that takes little. Not for the event loop."""
    its = turn(settings, scanned, there.parent)
    rest = there.against(scanned, turn=its)
    is_light = not there.shard and (there.parent is None or there.parent.is_held)
    return Plan(scanned, there, its, rest, list(itertools.islice(rest, FIRST if is_light else 0)))


@asynccontextmanager
async def planned(
    vault: Vault, there: There, scanned: Scan, lease: Lease, settings: Settings, draft: Draft
) -> AsyncIterator[tuple[Safekeeping | None, Plan]]:
    """Takes the lease and holds it meanwhile; what waits for that plans ahead."""
    async with (
        meanwhile(asyncio.to_thread(ahead, settings, scanned, there)) as planning,
        writing(vault, there.catalogue, there.parent, lease, settings, draft) as safe,
    ):
        yield safe, await planning


async def state(vault: Vault, roots: tuple[Root, ...], settings: Settings, draft: Draft) -> There:
    """What is there. Raises Stop where another source's places overlap ours."""
    part = sharing.of(vault, settings, draft)
    if settings.layout != TREE:
        catalogue, packs = await asyncio.gather(vault.catalogue(), access.packs(vault, settings))
        parent, _ = await asyncio.gather(vault.parent(catalogue, held=HELD), packs.load())
        return There(catalogue, parent, [], packs, part)
    catalogue = await vault.catalogue()
    parent = await vault.parent(catalogue, held=HELD)
    await neighbours.refuse_overlap(vault, catalogue, roots, parent)
    if parent is None:
        await vault.ask_to_read()
    return There(catalogue, parent, await vault.listing(parent.marks if parent else []), shard=part)


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
        vault, safe, roots, writer, draft.tally, concurrency=vault.bucket.attempts.concurrency.workers, census=census,
        headers=access.describing(settings), parent=there.parent, stopped=stopped, follow=settings.follow_symlinks,
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
async def watched(
    draft: Draft, totals: tuple[int, int], settings: Settings, environ: Mapping[str, str]
) -> AsyncIterator[None]:
    """Says how far the transfer is while it runs, and what comes before and after it. `totals`: files and bytes."""
    language, (files, size) = settings.language, totals
    await progress.tell(render.sending(files, size, language, dry_run=settings.dry_run))
    async with progress.shown(draft.tally, files, size, language, environ):
        yield
    if not settings.dry_run:
        await progress.tell(render.committing(language, shard=bool(draft.shard)))


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
        if there.shard:  # of its own paths each shard sees whether most change
            before = guard.totals((one for one in there.parent.entries() if there.has(one.path)), roots)
        with Opener(tuple(root.source for root in roots), follow=settings.follow_symlinks) as opener:
            foresight.refuse_change(
                lambda: there.against(scanned), opener, before[0], settings.max_change,
                removing=roots if settings.delete and not there.shard else (), stopped=stopped,
            )  # fmt: skip


def turn(settings: Settings, scanned: Scan, parent: Snapshot | None) -> Turn:
    """Which unchanged files this run reads again. Not for the event loop; a dry run reads none."""
    if parent is None:
        return NO_TURN
    files = ((found.path, found.size) for found in scanned.found if found.kind is Sort.FILE)
    runs = 0 if settings.dry_run else settings.reread_runs
    return reread.turn(files, parent.foot.reread, runs, int(address.size(settings.reread_bytes)))
