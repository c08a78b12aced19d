"""What a run of prune does with each pack and each index of a vault.

A pack that nothing needs is marked by a tombstone, and so is one that no index tells of, once it is older than the
grace. It is removed by a later run that finds the mark older than the grace by OSS's clock, and still no need of it. A
backup that began after the mark does not count on the pack; one that began before and has ended is in a snapshot by
then; and while one from before the mark is still writing, the pack waits.

An index goes the same way when a newer one stands for it, or when all the packs that it names are gone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from backup_action.core.homes import Weight
from backup_action.core.pruning import Fate, Packs, Standing
from backup_action.core.retention import AHEAD
from backup_action.core.stored import Stored
from backup_action.core.tombstone import INDEX_ID, State

GOING = (Fate.MARKED, Fate.WAITING, Fate.REMOVED)


class Bounds(msgspec.Struct, frozen=True):
    """The moments that decide. `writing` are those when the backups that are under way began, by their own clocks."""

    now: float  # OSS's clock
    grace: float  # seconds
    writing: Sequence[float] = ()

    def is_over(self, since: float) -> bool:
        """Whether the grace is over for what came at `since`."""
        return self.now - since >= self.grace

    def is_busy(self, since: float) -> bool:
        """Whether a backup is writing that may have begun before `since`: a host's clock may be off by `AHEAD`."""
        return any(began <= since + AHEAD for began in self.writing)


class Marks(msgspec.Struct, frozen=True):
    """Since when each pack and each index is marked, and which of them an earlier run began to remove."""

    packs: Mapping[str, float] = msgspec.field(default_factory=dict)
    indexes: Mapping[str, float] = msgspec.field(default_factory=dict)
    begun: frozenset[str] = frozenset()

    @staticmethod
    def of(standing: Iterable[Standing]) -> Marks:
        """Of what several tombstones name, the earliest counts: whoever began later has seen that one."""
        packs: dict[str, float] = {}
        indexes: dict[str, float] = {}
        begun: set[str] = set()
        for one in standing:
            for names, told in ((packs, one.tombstone.packs), (indexes, one.tombstone.indexes)):
                for name in told:
                    names[name] = min(one.since, names.get(name, one.since))
            if one.tombstone.state is State.REMOVING:
                begun |= {*one.tombstone.packs, *one.tombstone.indexes}
        return Marks(packs, indexes, frozenset(begun))

    def fate(self, name: str, since: float | None, bounds: Bounds) -> Fate:
        """Of something that is needed for nothing, marked `since`."""
        if since is None:
            return Fate.MARKED
        is_due = name in self.begun or bounds.is_over(since)
        return Fate.REMOVED if is_due and not bounds.is_busy(since) else Fate.WAITING


def ranked(lying: Mapping[str, Stored], marks: Marks) -> dict[str, int]:
    """A rank for each pack, 1 the best home: those without a mark first, and of these the newest.

    It depends on nothing but the bucket, so that two runs at a time come to the same homes.
    """
    best = sorted(lying.values(), key=lambda one: (one.key in marks.packs, -one.last_modified, one.key))
    return {one.key: number for number, one in enumerate(best, 1)}


def decide(
    lying: Mapping[str, Stored], weights: Mapping[str, Weight], told: Collection[str], marks: Marks, bounds: Bounds,
    *, lacking: bool,
) -> dict[str, Fate]:  # fmt: skip
    """The fate of each pack that is there. `weights`: of those that index and listing agree on; `told`: all that an
    index names. `lacking`: chunks are needed that none has, so the indexes do not tell all, and nothing may go.
    """

    def fate(one: Stored) -> Fate:
        since, weight = marks.packs.get(one.key), weights.get(one.key)
        is_foreign = weight is None and one.key in told  # of another size than its index says: not ours to judge
        if is_foreign or (weight is not None and weight.needed):
            return Fate.KEPT if since is None else Fate.LIFTED
        is_young = weight is None and since is None and not bounds.is_over(one.last_modified)
        if lacking or is_young:
            return Fate.KEPT if since is None else Fate.WAITING
        return marks.fate(one.key, since, bounds)

    return {name: fate(one) for name, one in lying.items()}


def decide_indexes(
    named: Mapping[str, Collection[str]], old: Collection[str], fates: Mapping[str, Fate], marks: Marks, bounds: Bounds,
) -> dict[str, Fate]:  # fmt: skip
    """The fate of each index. `named`: the packs of each; `old`: those for which a newer one stands.

    What an old one names and is there must stand in one that stays, whatever the newer one says that it replaces.
    """
    covered = {pack for id, packs in named.items() if id not in old for pack in packs}

    def fate(id: str, packs: Collection[str]) -> Fate:
        since = marks.indexes.get(id)
        here = [fates[pack] for pack in packs if pack in fates]
        is_old = id in old and all(pack in covered for pack in packs if pack in fates)
        is_spent = is_old or (id not in old and all(one in GOING for one in here))
        if not is_spent or not re.fullmatch(INDEX_ID, id):
            return Fate.KEPT if since is None else Fate.LIFTED
        told = marks.fate(id, since, bounds)
        is_early = told is Fate.REMOVED and not is_old and any(one is not Fate.REMOVED for one in here)
        return Fate.WAITING if is_early else told

    return {id: fate(id, packs) for id, packs in named.items()}


def sparse(weights: Mapping[str, Weight], fates: Mapping[str, Fate], percent: int) -> list[str]:
    """Packs that stay, and of which less than so many percent are needed; those first of which the least is."""
    found = [
        name
        for name, weight in weights.items()
        if fates[name] is Fate.KEPT and 100 * weight.needed < percent * weight.whole and weight.needed
    ]
    return sorted(found, key=lambda name: (weights[name].needed / weights[name].whole, name))


def counted(fates: Mapping[str, Fate], lying: Mapping[str, Stored], marks: Marks, bounds: Bounds) -> Packs:
    """What a report says before anything is done."""
    count = {fate: sum(one is fate for one in fates.values()) for fate in Fate}
    size = {fate: sum(lying[name].size for name, one in fates.items() if one is fate) for fate in Fate}
    busy = sum(
        1
        for name, fate in fates.items()
        if fate is Fate.WAITING and bounds.is_over(marks.packs[name]) and bounds.is_busy(marks.packs[name])
    )
    return Packs(
        count[Fate.KEPT] + count[Fate.LIFTED], count[Fate.LIFTED], count[Fate.MARKED], count[Fate.WAITING],
        count[Fate.REMOVED], 0, busy, size[Fate.REMOVED], size[Fate.MARKED] + size[Fate.WAITING],
    )  # fmt: skip
