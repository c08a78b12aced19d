"""Where chunks are at home, and what becomes of packs and indexes."""

import hashlib
import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import cipher, clearing, pack, tombstone
from backup_action.core.clearing import Bounds, Marks
from backup_action.core.homes import Homes, Needed, Weight
from backup_action.core.index import Packed
from backup_action.core.pack import Chunk, Frame
from backup_action.core.pruning import Fate, Standing
from backup_action.core.retention import AHEAD
from backup_action.core.stored import Stored
from backup_action.core.tombstone import State, Tombstone

DAY, NOW = 86_400.0, 1_800_000_000.0
ID = "20260101T000000Z-0000000{}"


def name(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def packed(number: int, *chunks: int) -> Packed:
    return Packed(name(number), 100, [Frame(10, [Chunk(name(one), one + 1) for one in chunks])])


@given(st.sets(st.integers(0, 40)), st.lists(st.lists(st.integers(0, 40), max_size=8, unique=True), max_size=8))
def test_a_chunk_that_is_needed_is_at_home_in_the_best_pack_that_has_it_and_nowhere_else(
    wanted: set[int], contents: list[list[int]]
) -> None:
    needed = Needed()
    for number in wanted:
        needed.add(name(number))
        needed.add(name(number))
    assert len(needed) == len(wanted)
    homes, packs = Homes(needed), {rank: packed(1000 + rank, *some) for rank, some in enumerate(contents, 1)}
    for rank, one in sorted(packs.items(), key=lambda row: name(row[0])):  # in whatever order
        homes.offer(one, rank)
    best = {chunk: rank for rank, some in reversed(list(enumerate(contents, 1))) for chunk in some if chunk in wanted}
    assert homes.lacking == len(wanted) - len(best)
    for rank, some in enumerate(contents, 1):
        assert homes.weigh(packs[rank], rank) == Weight(
            sum(one + 1 for one in some if best.get(one) == rank), sum(one + 1 for one in some)
        )


def test_names_that_begin_alike_are_told_apart_and_many_are_held() -> None:
    needed, chance = Needed(), random.Random(1)
    alike = [f"{'ab' * 8}{number:016x}{'0' * 32}" for number in range(3000)]
    zero = "0" * 64
    many = [zero, *alike, *(chance.randbytes(32).hex() for _ in range(3000))]
    for one in many:
        needed.add(one)
    assert len(needed) == len(many) and all(needed.place(one) >= 0 for one in many)
    assert needed.place(f"{'ab' * 8}{3000:016x}{'0' * 32}") == -1
    homes = Homes(needed)
    homes.offer(Packed(name(1), 1, [Frame(1, [Chunk(one, 1) for one in alike])]), 1)
    assert homes.lacking == len(many) - len(alike)


def lying(**modified: float) -> dict[str, Stored]:
    return {key: Stored(key, 10, "", int(since)) for key, since in modified.items()}


def standing(state: State, since: float, *packs: str, indexes: tuple[str, ...] = ()) -> Standing:
    told = Tombstone(
        tombstone.FORMAT, ID.format(0), "", "vault", "", "", state, [], packs=list(packs), indexes=list(indexes)
    )
    return Standing(told, int(since))


def decided(marks: Marks, bounds: Bounds, *, lacking: bool = False) -> Mapping[str, Fate]:
    there = lying(needed=0, spent=0, young=NOW - DAY + 1, orphan=NOW - DAY, other=0)
    weights = {"needed": Weight(1, 5), "spent": Weight(0, 5)}
    return clearing.decide(there, weights, {"needed", "spent", "other"}, marks, bounds, lacking=lacking)


def test_the_fate_of_a_pack_follows_from_need_and_mark_and_grace() -> None:
    bounds = Bounds(NOW, DAY)
    told = decided(Marks(), bounds)
    assert told == {
        "needed": Fate.KEPT, "spent": Fate.MARKED, "young": Fate.KEPT, "orphan": Fate.MARKED, "other": Fate.KEPT,
    }  # fmt: skip
    assert set(decided(Marks(), bounds, lacking=True).values()) == {Fate.KEPT}
    for age, fate in ((DAY - 1, Fate.WAITING), (DAY, Fate.REMOVED)):
        marks = Marks.of([standing(State.MARKED, NOW - age, "needed", "spent", "young", "orphan", "other")])
        assert decided(marks, bounds) == {
            "needed": Fate.LIFTED, "spent": fate, "young": fate, "orphan": fate, "other": Fate.LIFTED,
        }  # fmt: skip
        assert decided(marks, bounds, lacking=True)["spent"] is Fate.WAITING
    assert decided(Marks.of([standing(State.REMOVING, NOW, "spent")]), bounds)["spent"] is Fate.REMOVED


def test_of_two_marks_the_earlier_counts() -> None:
    marks = Marks.of([standing(State.MARKED, 9, "a"), standing(State.MARKED, 5, "a"), standing(State.MARKED, 7, "a")])
    assert marks.packs == {"a": 5}


@pytest.mark.parametrize("ago", [0.0, 1.0])
def test_while_a_backup_writes_that_may_be_from_before_the_mark_the_pack_waits(ago: float) -> None:
    since = NOW - 3 * DAY
    marks = Marks.of([standing(State.MARKED, since, "spent")])
    bounds = Bounds(NOW, DAY, [NOW, since + AHEAD + ago])
    told = decided(marks, bounds)
    assert told["spent"] is (Fate.REMOVED if ago else Fate.WAITING)
    counted = clearing.counted(told, lying(needed=0, spent=0, young=0, orphan=0, other=0), marks, bounds)
    assert counted.busy == (not ago)
    begun = Marks.of([standing(State.REMOVING, since, "spent")])
    assert decided(begun, bounds)["spent"] is told["spent"]


def test_the_best_home_has_no_mark_and_is_the_newest() -> None:
    marks = Marks.of([standing(State.MARKED, 0, "marked")])
    ranks = clearing.ranked(lying(old=1, new=3, b=2, a=2, marked=9), marks)
    assert sorted(ranks, key=ranks.__getitem__) == ["new", "a", "b", "old", "marked"] and min(ranks.values()) == 1


def indexes(replaced: set[str], marks: Marks, **named: set[str]) -> dict[str, Fate]:
    fates = {"kept": Fate.KEPT, "marked": Fate.WAITING, "removed": Fate.REMOVED}
    ids = {key: f"{ID.format(number)}-0" for number, key in enumerate(named)}
    told = clearing.decide_indexes(
        {ids[key]: packs for key, packs in named.items()},
        {ids[key] for key in replaced},
        fates,
        marks,
        Bounds(NOW, DAY),
    )
    return {key: told[ids[key]] for key in named}


def test_an_index_goes_when_all_that_it_names_goes_or_a_newer_one_has_it() -> None:
    named = {"live": {"kept", "gone"}, "spent": {"removed", "gone"}, "waits": {"marked", "removed"}, "old": {"kept"}}
    told = indexes({"old"}, Marks(), **named)
    assert told == {"live": Fate.KEPT, "spent": Fate.MARKED, "waits": Fate.MARKED, "old": Fate.MARKED}
    ids = tuple(f"{ID.format(number)}-0" for number in range(4))
    marks = Marks.of([standing(State.MARKED, NOW - DAY, indexes=ids)])
    assert indexes({"old"}, marks, **named) == {
        "live": Fate.LIFTED, "spent": Fate.REMOVED, "waits": Fate.WAITING, "old": Fate.REMOVED,
    }  # fmt: skip


def test_an_index_whose_packs_the_newer_one_does_not_have_stays_whatever_that_says() -> None:
    assert indexes({"old"}, Marks(), forged={"gone"}, old={"kept"})["old"] is Fate.KEPT


def test_an_object_among_the_indexes_that_is_not_named_like_ours_stays() -> None:
    told = clearing.decide_indexes({"theirs": set()}, (), {}, Marks(), Bounds(NOW, DAY))
    assert told == {"theirs": Fate.KEPT}


def test_packs_of_which_little_is_needed_are_repacked_those_first_of_which_the_least_is() -> None:
    weights = {"half": Weight(5, 10), "less": Weight(4, 10), "least": Weight(1, 10), "none": Weight(0, 10)}
    fates = dict.fromkeys(weights, Fate.KEPT) | {"lifted": Fate.LIFTED}
    assert clearing.sparse(weights | {"lifted": Weight(1, 10)}, fates, 50) == ["least", "less"]
    assert clearing.sparse(weights, fates, 0) == []


def test_a_pack_of_a_name_that_is_to_be_avoided_has_another_and_the_same_content() -> None:
    def made(avoid: set[str]) -> tuple[str, bytes]:
        one = pack.Open()
        one.add(pack.compress([b"content"], cipher.PLAIN), [Chunk(name(1), 7)])
        name_of_it, body = one.finish(cipher.PLAIN, avoid)
        return name_of_it, bytes(body)

    first, data = made(set())
    second, other = made({first})
    third, _ = made({first, second})
    assert len({first, second, third}) == 3
    assert pack.directory(data, cipher.PLAIN) == pack.directory(other, cipher.PLAIN)
