"""prune: wanted is what the snapshots name that the rules keep, there is the catalogue; the rest goes, snapshots first.

In two phases: a tombstone marks what no rule keeps, and a later run removes it once the mark is older than the grace
(`core.pruning`). Until then a marked snapshot can be restored. It takes no lease: what a backup under way may rely on,
the newest snapshot of its source names, and that is never removed. A run that is killed leaves every kept snapshot
whole, and the next goes on. In a vault the content is in packs that all sources share: see `core.clearing`.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter

import msgspec

from backup_action import access
from backup_action.adapters.oss.data import Bucket
from backup_action.core import address, pruning, retention, tombstone
from backup_action.core.leftovers import Leftovers, Needs
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.pruning import Fate, Packs, Plan, Pruning
from backup_action.core.report import Draft
from backup_action.core.retention import Dated, Rules, Verdict
from backup_action.core.snapshot import Head
from backup_action.core.tombstone import Marked, State, Tombstone
from backup_action.settings import Settings
from backup_action.transfer import clearing, sweep
from backup_action.transfer.clearing import Clearing, Limits
from backup_action.transfer.sweep import Found, Sweep
from backup_action.vault import Catalogue, Vault, alarms, packs
from backup_action.vault.catalogue import TREE
from backup_action.vault.tombstones import Tombstones


async def run(settings: Settings, environ: Mapping[str, str], draft: Draft, stopped: Callable[[], bool]) -> None:
    """The whole journey. Fills the draft as it goes; raises Stop."""
    rules = rules_of(settings)
    access.announce(draft, settings, ())
    draft.dry_run = settings.dry_run or not settings.apply
    async with access.opened(settings, environ, draft) as (bucket, _):
        there = await state(bucket, settings, draft, rules)
        await guards(there, settings)
        load = await weigh(there)
        shown = told(there.plan, load.found, settings)
        cleared = None if there.vault.layout == TREE else await clears(there, load.needs, settings, draft)
        if not draft.dry_run:
            await alarms.acknowledge(there.vault, settings.acknowledge, draft.run.actor or draft.run.host)
            await lift(there, draft)
            await mark(there, draft)
            shown = await remove(there, load, shown, draft)
            await there.tombstones.tidy(await there.tombstones.standing(), there.now - there.grace)
        if cleared:
            shown = with_packs(shown, await (cleared.foresee() if draft.dry_run else cleared.run()))
        draft.pruning = shown  # last: what was cut short must not be told as done


def rules_of(settings: Settings) -> Rules:
    """The keep-rules. Raises Stop without any: that would mean to remove everything."""
    counts = (settings.keep_last, settings.keep_hourly, settings.keep_daily, settings.keep_weekly)
    rules = Rules(*counts, settings.keep_monthly, settings.keep_yearly, retention.span(settings.keep_within))
    if not rules.any:
        raise Stop(Kind.SETTING_KEEP, "keep-last")
    return rules


class There(msgspec.Struct, frozen=True):
    """What the bucket has of this source, and what is to become of it."""

    vault: Vault
    tombstones: Tombstones
    catalogue: Catalogue
    heads: Mapping[str, Head]
    now: float  # OSS's clock
    grace: float  # seconds
    plan: Plan

    def tombstone(self, draft: Draft, state: State, marks: list[Marked]) -> Tombstone:
        """A new one, of this source."""
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now))
        id = self.vault.new_id(self.now)
        return Tombstone(tombstone.FORMAT, id, draft.source, self.vault.layout, created, draft.version, state, marks)

    def ended(self, told: Pruning, removal: Sweep, held: Collection[str], left: int) -> Pruning:
        """What the report says once it is done: `held` snapshots wait, and so many objects are left."""
        lines = [msgspec.structs.replace(one, fate=Fate.WAITING) if one.id in held else one for one in told.snapshots]
        counts = {"removed": told.removed - len(held), "waiting": told.waiting + len(held), "objects_left": left}
        freed = {"objects_freed": removal.objects, "bytes_freed": removal.bytes}
        return msgspec.structs.replace(told, snapshots=lines, **counts, **freed)


async def state(bucket: Bucket, settings: Settings, draft: Draft, rules: Rules) -> There:
    """What is there, judged. Raises Stop where this source has no snapshot, or a head or a tombstone is damaged."""
    vault = await access.unlocked(bucket, settings, draft)
    catalogue = await vault.catalogue()
    heads = {head.id: head for head in await vault.heads(catalogue)}
    if not heads:
        raise Stop(Kind.SNAPSHOT_UNKNOWN, draft.source, cause="none")
    now, grace = await vault.now(max(heads)), settings.grace_hours * 3600.0
    dated = [dated_of(head) for head in heads.values()]
    pruning.refuse_clock(time.time(), now, [one.moment for one in dated])
    verdicts = retention.judge(dated, rules, now)
    for verdict in verdicts:
        if retention.FUTURE in verdict.reasons:
            draft.tell(Problem(Kind.SNAPSHOT_FUTURE, verdict.snapshot.id))
    tombstones = Tombstones(vault)
    plan = pruning.decide(verdicts, await tombstones.standing(), now, grace)
    return There(vault, tombstones, catalogue, heads, now, grace, plan)


def dated_of(head: Head) -> Dated:
    """What the rules need of a head. Raises Stop where its id tells no time."""
    try:
        moment = retention.moment(head.id)
    except ValueError:
        raise Stop(Kind.SNAPSHOT_DAMAGED, head.id, reason="its id tells no time") from None
    return Dated(head.id, head.sequence, moment, head.parent.id if head.parent else "")


async def guards(there: There, settings: Settings) -> None:
    """All that may refuse before anything is removed, one line a guard. Raises Stop."""
    await alarms.refuse_open(there.vault, settings.acknowledge)
    verdicts = [verdict for verdict, _ in there.plan.fates]
    pruning.refuse_newest(verdicts, await newest_complete(there, verdicts))
    pruning.refuse_many(there.plan, settings.max_prune)


async def newest_complete(there: There, verdicts: Sequence[Verdict]) -> str:
    """The id of the newest complete snapshot that is not from the future; "" without one. Raises Stop."""
    for verdict in pruning.counted(verdicts):
        if (await there.vault.snapshot(verdict.snapshot.id)).foot.complete:
            return verdict.snapshot.id
    return ""


class Load(msgspec.Struct, frozen=True):
    """What goes, and what is needed by all that stays."""

    needs: Needs
    found: Found


async def weigh(there: There) -> Load:
    """Reads every snapshot below the prefix, whoever's, and looks what is there that only those that go named.

    One at a time, so that memory stays bounded. Raises Stop where one cannot be read: nothing was written yet.
    """
    plan, needs = there.plan, Needs()
    going, marked = plan.ids(Fate.REMOVED), plan.ids(Fate.MARKED, Fate.WAITING)
    now, later = Leftovers(needs), Leftovers(needs)
    is_tree = there.vault.layout == TREE
    if is_tree and not marked and not plan.removes:
        return Load(needs, Found())
    gone = {*going, *marked} if is_tree else set(going)
    for stored in there.catalogue.snapshots:
        if stored.key not in gone:
            await asyncio.to_thread(needs.read, await there.vault.snapshot(stored.key))
    if not is_tree:
        return Load(needs, Found())
    for id in marked:
        snapshot = await there.vault.snapshot(id)
        await asyncio.to_thread(later.read, snapshot)
        await asyncio.to_thread(needs.read, snapshot)  # until it goes itself, it needs what it names
    for id in going:
        await asyncio.to_thread(now.read, await there.vault.snapshot(id))
    for one in there.plan.begun:
        await asyncio.to_thread(now.take, await there.tombstones.listed(one))
    return Load(needs, await sweep.find(there.vault, now, later, there.now - there.grace))


async def clears(there: There, needs: Needs, settings: Settings, draft: Draft) -> Clearing:
    """What clears the vault of packs, all that there is read. Raises Stop: nothing was written yet."""
    vault, most = there.vault, int(address.size(settings.repack_bytes))
    limits = Limits(there.now, there.grace, settings.repack_percent, most, draft.version)
    into = packs.Packs(vault, vault.ring, access.describing(settings))
    found = await clearing.stock(vault)
    return Clearing(vault, found, needs.chunks, there.catalogue, into, limits, draft.tally)


def with_packs(shown: Pruning, packs: Packs) -> Pruning:
    """The same; what is content in a tree is packs in a vault."""
    return msgspec.structs.replace(
        shown, packs=packs, objects_freed=packs.removed, bytes_freed=packs.bytes_freed,
        objects_later=packs.marked + packs.waiting, bytes_later=packs.bytes_later, objects_left=packs.left,
    )  # fmt: skip


def told(plan: Plan, found: Found, settings: Settings) -> Pruning:
    """What the report says before anything is done; the fates are what a real run makes of them."""
    kept, lifted = len(plan.ids(Fate.KEPT, Fate.LIFTED)), len(plan.ids(Fate.LIFTED))
    marked, waiting, removed = (len(plan.ids(fate)) for fate in (Fate.MARKED, Fate.WAITING, Fate.REMOVED))
    return Pruning(
        plan.lines(), kept, lifted, marked, waiting, removed, len(found.going), found.bytes_going,
        found.objects_later, found.bytes_later, len(found.waiting), settings.grace_hours,
    )  # fmt: skip


async def lift(there: There, draft: Draft) -> None:
    """Takes away the marks of snapshots that the rules keep again: their tombstones are written anew, or go."""
    lifted, left = set(there.plan.ids(Fate.LIFTED)), set(there.plan.ids(Fate.WAITING, Fate.REMOVED))
    for one in (one.tombstone for one in there.plan.standing if one.tombstone.state is State.MARKED):
        marks = [mark for mark in one.snapshots if mark.id in left]
        is_done = True
        if not marks:
            is_done = await there.tombstones.delete(one)
        elif any(mark.id in lifted for mark in one.snapshots):
            is_done = await there.tombstones.replace(msgspec.structs.replace(one, snapshots=marks))
        if not is_done:
            draft.tell(Problem(Kind.PRUNE_HELD, one.id))


async def mark(there: There, draft: Draft) -> None:
    """Phase 1: the tombstone of what no rule keeps and no tombstone names."""
    marks = [marked(verdict) for verdict in there.plan.of(Fate.MARKED)]
    if marks:
        await there.tombstones.put(there.tombstone(draft, State.MARKED, marks))


def marked(verdict: Verdict) -> Marked:
    """What a tombstone says of a snapshot."""
    return Marked(verdict.snapshot.id, verdict.snapshot.sequence, verdict.reasons)


async def remove(there: There, load: Load, shown: Pruning, draft: Draft) -> Pruning:
    """Phase 2: the list of what goes, the snapshots, and then their content, but for what is held or needed by now."""
    if not there.plan.removes:
        return shown
    record = await begin(there, load.found, draft)
    held = await remove_snapshots(there, load.needs, draft)
    leases = await remove_leases(there, held, draft)
    removal = Sweep(there.vault, load.needs, there.catalogue, draft.tally)
    await removal.run(load.found.going)
    left = len(load.found.waiting) + removal.held
    for one in there.plan.due:
        if record is not None:
            await there.tombstones.delete(one.tombstone)
        elif one.tombstone.state is State.REMOVING and not leases:
            await there.tombstones.end(one.tombstone)
    if record is not None and not left and not held and not leases:
        await there.tombstones.end(msgspec.structs.replace(record, objects=removal.objects, bytes=removal.bytes))
    return there.ended(shown, removal, held, left)


async def begin(there: There, found: Found, draft: Draft) -> Tombstone | None:
    """The tombstone of a removal that begins, its list before it; it takes over what earlier ones had still to do.

    None where nothing is left of those.
    """
    going = heapq.merge(found.going, found.waiting, key=attrgetter("key"))
    now = there.plan.of(Fate.REMOVED)
    if not now and not len(found.going) + len(found.waiting):
        return None
    marks = [marked(verdict) for verdict in now]
    marks += [mark for one in there.plan.begun for mark in one.snapshots if mark.id not in there.heads]
    record = there.tombstone(draft, State.REMOVING, marks)
    listed = await there.tombstones.put_list(record.id, going)
    counts = {"objects": len(found.going), "bytes": found.bytes_going}
    record = msgspec.structs.replace(record, listed=listed, **counts)
    await there.tombstones.put(record)
    return record


async def remove_snapshots(there: There, needs: Needs, draft: Draft) -> set[str]:
    """Removes them, oldest first. Gives those that OSS does not let go: they stay, and all that they name."""
    held, catalogue = set[str](), await there.vault.catalogue()
    for id in reversed(there.plan.ids(Fate.REMOVED)):
        if id not in catalogue.ids:
            continue
        try:
            await there.vault.remove(id)
        except Stop as stop:
            draft.tell(sweep.held(stop, id))
            await asyncio.to_thread(needs.read, await there.vault.snapshot(id))
            held.add(id)
    return held


async def remove_leases(there: There, held: Collection[str], draft: Draft) -> int:
    """Removes the leases of what was removed, by this run or by one that was killed. Gives how many snapshots' stay."""
    catalogue, stay = await there.vault.catalogue(), 0
    for id in {mark.id for one in there.plan.due for mark in one.tombstone.snapshots} - catalogue.ids - set(held):
        try:
            await there.vault.remove_leases(id, catalogue)
        except Stop as stop:
            draft.tell(sweep.held(stop, id))
            stay += 1
    return stay
