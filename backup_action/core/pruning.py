"""What a run of prune does with each snapshot, what keeps it from doing so, and what it reports.

A snapshot that no rule keeps is marked first, by a tombstone. It is removed by a later run that finds the mark older
than the grace by OSS's clock, and the rules still of the same mind; where they keep it again, the mark is lifted. Until
it is removed, all that it names stays.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from backup_action.core.guard import is_beyond
from backup_action.core.problem import Kind, Stop
from backup_action.core.retention import AHEAD, FUTURE, Verdict
from backup_action.core.tombstone import State, Tombstone

LINES: Final = 1000  # snapshots told one by one
SLACK: Final = 15 * 60  # seconds that clocks of hosts may differ: as much as OSS allows of a signature


class Fate(enum.StrEnum):
    """What becomes of a snapshot."""

    KEPT = "kept"
    LIFTED = "lifted"  # it was marked, and is kept again
    MARKED = "marked"  # by this run
    WAITING = "waiting"  # marked before, and the grace is not over
    REMOVED = "removed"


class Line(msgspec.Struct, frozen=True):
    """One snapshot in a report. `reasons` are those of `retention`; `by` is the newer snapshot that covers it."""

    id: str
    sequence: int
    fate: Fate
    reasons: list[str]
    by: str = ""


class Packs(msgspec.Struct, frozen=True):
    """What became of a vault's packs, or would in a dry run (`core.clearing`)."""

    kept: int = 0  # lifted ones too, and those that were repacked not
    lifted: int = 0
    marked: int = 0  # by this run, repacked ones too
    waiting: int = 0  # marked before
    removed: int = 0
    repacked: int = 0
    busy: int = 0  # of those that wait: whose grace is over, but for a backup that is still writing
    bytes_freed: int = 0
    bytes_later: int = 0  # of those that are marked or wait
    left: int = 0  # that OSS did not let go yet


class Pruning(msgspec.Struct, frozen=True):
    """What a run of prune did, or a dry one would do. Objects and bytes are of content, not of the catalogue.

    In a vault they are packs.
    """

    snapshots: list[Line] = []  # newest first, the first `LINES`
    kept: int = 0  # lifted ones too
    lifted: int = 0
    marked: int = 0  # by this run
    waiting: int = 0  # marked before
    removed: int = 0
    objects_freed: int = 0
    bytes_freed: int = 0
    objects_later: int = 0  # of what is marked: freed when it is removed
    bytes_later: int = 0
    objects_left: int = 0  # that could not be removed yet: the next run goes on
    grace_hours: int = 24
    packs: Packs | None = None  # layout vault


class Standing(msgspec.Struct, frozen=True):
    """A tombstone that stands in the bucket, and since when by OSS's clock."""

    tombstone: Tombstone
    since: int

    def is_due(self, now: float, grace: float) -> bool:
        """Whether its snapshots may be removed: the grace is over, or was when an earlier run began to."""
        is_over = now - self.since >= grace
        return self.tombstone.state is State.REMOVING or (self.tombstone.state is State.MARKED and is_over)


class Plan(msgspec.Struct, frozen=True):
    """The fate of each snapshot, newest first, by the marks that stand."""

    fates: Sequence[tuple[Verdict, Fate]]
    standing: Sequence[Standing]  # that are not done
    due: Sequence[Standing]

    def ids(self, *fates: Fate) -> list[str]:
        """The snapshots that have one of these."""
        return [verdict.snapshot.id for verdict, fate in self.fates if fate in fates]

    def of(self, *fates: Fate) -> list[Verdict]:
        """Their verdicts."""
        return [verdict for verdict, fate in self.fates if fate in fates]

    @property
    def begun(self) -> list[Tombstone]:
        """Those of removals that began and did not end."""
        return [one.tombstone for one in self.standing if one.tombstone.state is State.REMOVING]

    @property
    def removes(self) -> bool:
        """Whether there is something to remove: snapshots, or what an earlier run had still to remove of theirs."""
        return bool(self.begun or self.ids(Fate.REMOVED))

    def lines(self) -> list[Line]:
        """For the report."""
        return [Line(v.snapshot.id, v.snapshot.sequence, fate, v.reasons, v.by) for v, fate in self.fates[:LINES]]


def decide(verdicts: Sequence[Verdict], standing: Sequence[Standing], now: float, grace: float) -> Plan:
    """The plan. `now` is OSS's clock, `grace` seconds."""
    not_done = [one for one in standing if one.tombstone.is_open]
    due = [one for one in not_done if one.is_due(now, grace)]
    marked = {mark.id for one in not_done for mark in one.tombstone.snapshots}
    ripe = {mark.id for one in due for mark in one.tombstone.snapshots}

    def fate(verdict: Verdict) -> Fate:
        id = verdict.snapshot.id
        if verdict.kept:
            return Fate.LIFTED if id in marked else Fate.KEPT
        return Fate.REMOVED if id in ripe else Fate.WAITING if id in marked else Fate.MARKED

    return Plan([(verdict, fate(verdict)) for verdict in verdicts], not_done, due)


def counted(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those that are not quarantined, newest first."""
    return [verdict for verdict in verdicts if verdict.reasons != [FUTURE]]


def refuse_newest(verdicts: Sequence[Verdict], complete: str) -> None:
    """Raises Stop where the rules would remove the newest snapshot, or the newest complete one (`complete`, an id)."""
    newest = counted(verdicts)[:1]
    for verdict in [*newest, *(one for one in verdicts if one.snapshot.id == complete)]:
        if not verdict.kept:
            cause = "" if verdict in newest else "complete"
            raise Stop(Kind.PRUNE_NEWEST, verdict.snapshot.id, cause=cause)


def refuse_many(plan: Plan, limit: int) -> None:
    """Raises Stop where one run would mark, or remove, more than `limit` percent of a source's snapshots."""
    whole = len(counted([verdict for verdict, _ in plan.fates]))
    for fate in (Fate.MARKED, Fate.REMOVED):
        count = len(plan.ids(fate))
        if is_beyond(count, whole, limit):
            raise Stop(
                Kind.PRUNE_MANY, "max-prune", count=count, whole=whole, percent=100 * count // whole, limit=limit
            )


def refuse_clock(ours: float, theirs: float, moments: Collection[int]) -> None:
    """Raises Stop where this machine's clock cannot be right: far from OSS's, or before a snapshot was begun.

    `moments` are of the snapshots; those after OSS's clock by more than `AHEAD` say nothing of ours.
    """
    if abs(ours - theirs) > AHEAD:
        raise Stop(Kind.PRUNE_CLOCK, "", cause="far", hours=round(abs(ours - theirs) / 3600))
    newest = max((moment for moment in moments if moment <= theirs + AHEAD), default=0)
    if ours + SLACK < newest:
        raise Stop(Kind.PRUNE_CLOCK, "", hours=round((newest - ours) / 3600, 1))
