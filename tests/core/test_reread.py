"""The rotating re-read: disjoint arcs, all files within the told number of runs, and never more than the budget."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_plan import FOUND, KNOWN, LINK, THERE, TOUCHED

from backup_action.core.entry import Entry, Sort
from backup_action.core.plan import Step, decide, without_reread
from backup_action.core.problem import Kind
from backup_action.core.reread import CIRCLE, NO_TURN, Turn, is_untouched, position, silent_change, turn

new = msgspec.structs.replace
paths = st.binary(min_size=1, max_size=12).map(lambda data: data.decode("utf-8", "surrogateescape"))
trees = st.dictionaries(paths, st.integers(0, 1000), max_size=60)


def rounds(tree: dict[str, int], start: int, runs: int, budget: int, count: int) -> list[tuple[Turn, list[str]]]:
    """So many runs one after the other, each with what it reads."""
    found = []
    for _ in range(count):
        told = turn(tree.items(), start, runs, budget)
        found.append((told, [path for path, size in tree.items() if told.has(path, size)]))
        start = told.end
    return found


@given(trees, st.integers(0, CIRCLE - 1), st.integers(1, 40), st.integers(1, 3000))
def test_every_file_is_read_within_the_told_runs_and_no_run_passes_the_budget(
    tree: dict[str, int], start: int, runs: int, budget: int
) -> None:
    within = turn(tree.items(), start, runs, budget).within
    told = rounds(tree, start, runs, budget, within)
    due = {path for path, size in tree.items() if 0 < size <= budget}
    assert {path for _, some in told for path in some} == due
    assert all(sum(tree[path] for path in some) <= budget for _, some in told)
    assert all(one.too_large == sum(size > budget for size in tree.values()) for one, _ in told)


@given(trees, st.integers(0, CIRCLE - 1), st.integers(1, 40), st.integers(1, 3000))
def test_arcs_of_one_round_are_disjoint_and_leave_no_gap(
    tree: dict[str, int], start: int, runs: int, budget: int
) -> None:
    told = rounds(tree, start, runs, budget, 5)
    for (one, _), (following, _) in itertools.pairwise(told):
        assert following.start == one.end
        assert 0 < one.width <= -(-CIRCLE // runs)
    read: set[str] = set()
    width = 0
    for one, some in told:
        width += one.width
        if width > CIRCLE:
            break
        assert not read & set(some)
        read |= set(some)


@given(trees, st.integers(1, 40))
def test_with_budget_enough_it_is_the_number_of_runs_that_was_asked_for(tree: dict[str, int], runs: int) -> None:
    assert turn(tree.items(), 7, runs, 60_000).within == runs


@given(trees, trees, st.integers(2, 20), st.integers(1000, 3000))
def test_a_tree_that_changes_meanwhile_leaves_no_file_out(
    stays: dict[str, int], comes: dict[str, int], runs: int, budget: int
) -> None:
    """The files that stay are all read, though others come and go from run to run."""
    both = comes | stays
    read: set[str] = set()
    start, most = 0, turn(both.items(), 0, runs, budget).within
    for number in range(max(most, turn(stays.items(), 0, runs, budget).within)):
        tree = both if number % 2 else stays
        told = turn(tree.items(), start, runs, budget)
        read |= {path for path, size in stays.items() if told.has(path, size)}
        start = told.end
    assert read == {path for path, size in stays.items() if size}


def test_shares_are_about_equal() -> None:
    tree = {f"d{n % 7}/{n}.csv": 10 for n in range(3000)}
    shares = [len(some) for _, some in rounds(tree, 0, 30, 10**9, 30)]
    assert sum(shares) == 3000 and min(shares) > 60 and max(shares) < 140


@pytest.mark.parametrize(("runs", "budget"), [(0, 100), (30, 0)])
def test_it_can_be_turned_off_and_goes_on_from_the_same_place(runs: int, budget: int) -> None:
    off = turn([("a", 1)], 99, runs, budget)
    assert (off.width, off.within, off.end) == (0, 0, 99) and not off.has("a", 1)
    assert not NO_TURN.has("a", 1)


def test_a_budget_that_is_too_small_for_the_share_is_told_honestly() -> None:
    tree = {str(n): 100 for n in range(1000)} | {"huge": 10_000}
    told = turn(tree.items(), 0, 10, 2000)
    assert told.too_large == 1
    assert 50 <= told.within <= 63, "100,000 bytes at 2,000 a run, less a file, and the ten"
    assert {path for _, some in rounds(tree, 0, 10, 2000, told.within) for path in some} == tree.keys() - {"huge"}


def test_files_at_one_position_do_not_stop_the_circle() -> None:
    at = position("a")
    told = turn([("a", 60), ("a", 60)], at, 30, 100)
    assert told.width > 0


def test_the_plan_reads_what_is_due_and_only_what_is_unchanged() -> None:
    def due(path: str, size: int) -> bool:
        return (path, size) == ("x", 3)

    item = decide(FOUND, KNOWN, THERE, is_due=due)
    assert (item.step, item.reread, item.known) == (Step.READ, True, KNOWN)
    assert without_reread(item) == decide(FOUND, KNOWN, THERE)
    for found, known, there in [
        (TOUCHED, KNOWN, THERE),
        (FOUND, None, None),
        (LINK, KNOWN, THERE),
        (FOUND, KNOWN, None),
    ]:
        assert not decide(found, known, there, is_due=due).reread


READ_AS = new(KNOWN, sha256="other", etag="", version="", last_modified=0)


def test_other_bytes_under_equal_metadata_are_an_alarm() -> None:
    told = silent_change(READ_AS, KNOWN, "20261122T180000Z-1a2b3c4d")
    assert told and (told.kind, told.where) == (Kind.ALARM_SILENT, "x")
    assert told.facts == {"before": "s", "now": "other", "snapshot": "20261122T180000Z-1a2b3c4d"}
    assert silent_change(READ_AS, new(KNOWN, stale=True), "id"), "what could not be read has the metadata of before"


@pytest.mark.parametrize("field", ["size", "mtime_ns", "ctime_ns", "inode", "dev"])
def test_a_change_that_the_metadata_tells_is_none(field: str) -> None:
    touched = new(READ_AS, **{field: 77})
    assert not is_untouched(touched, KNOWN) and silent_change(touched, KNOWN, "id") is None


@pytest.mark.parametrize(
    "known",
    [None, new(KNOWN, sha256="other"), new(KNOWN, racy=True), new(KNOWN, gone=True), new(KNOWN, kind=Sort.LINK)],
)
def test_nor_is_what_the_metadata_makes_no_promise_for(known: Entry | None) -> None:
    assert silent_change(READ_AS, known, "id") is None
