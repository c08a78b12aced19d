"""The sample of a drill, and what its time says of a whole restore."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from backup_action.core.drill import LARGE, MOST, Entries, Pile, estimate, pick, piles
from backup_action.core.entry import Entry, Sort

FILES = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 50)), max_size=60)


def entries(files: list[tuple[int, int]]) -> list[Entry]:
    """Files of these sizes and times."""
    names = [f"{at:04}" for at in range(len(files))]
    return [
        Entry(name, Sort.FILE, name, size=size, mtime_ns=when)
        for name, (size, when) in zip(names, files, strict=True)
    ]  # fmt: skip


def giving(files: list[Entry]) -> Entries:
    return lambda: iter(files)


@given(FILES, st.integers(1, 3000), st.integers(0, 10**6))
def test_a_sample_keeps_its_budget_and_has_the_extremes(files: list[Any], budget: int, day: int) -> None:
    made = entries(files)
    sample = pick(giving(made), budget, day)
    assert sum(entry.size for entry in sample.entries) <= budget
    assert sample.entries == sorted(sample.entries, key=lambda entry: entry.place)
    assert len({entry.path for entry in sample.entries}) == len(sample.entries)
    assert (sample.files, sample.bytes) == (len(made), sum(entry.size for entry in made))
    fitting = [entry for entry in made if entry.size <= budget]
    assert bool(sample.entries) == bool(fitting)
    if fitting:
        assert max(entry.mtime_ns for entry in fitting) == max(entry.mtime_ns for entry in sample.entries)
    assert sample.smallest == min((entry.size for entry in made), default=-1)
    if sum(entry.size for entry in made) <= budget:
        assert sample.entries == made, "a small snapshot is restored whole"


def test_the_oldest_and_the_largest_that_fit_are_in_it() -> None:
    made = entries([(10, 9), (20, 1), (900, 5), (2000, 7)] + [(5, 4)] * 2000)
    for day in range(20):
        found = {entry.path for entry in pick(giving(made), 1000, day).entries}
        assert {"0000", "0001", "0002"} < found and "0003" not in found


def test_as_many_days_as_shares_come_by_every_file_that_fits() -> None:
    made = entries([(10, 1)] * 5000)
    seen: set[str] = set()
    for day in range(1000, 1000 + 5000 // MOST + 1):
        sample = pick(giving(made), 1 << 30, day)
        assert len(sample.entries) < MOST * 1.3
        seen |= {entry.path for entry in sample.entries}
    assert len(seen) == 5000


def test_the_piles_are_the_sample() -> None:
    made = entries([(1, 1), (LARGE, 1), (LARGE + 1, 1)])
    large, small = piles(made)
    assert (len(large), len(small)) == (1, 2) and sorted([*large, *small], key=lambda entry: entry.path) == made


AMOUNT = st.integers(1, 10**9)
SECONDS = st.floats(0.001, 1e4)
PILE = st.builds(Pile, st.integers(1, 10**6), AMOUNT, SECONDS)


@given(PILE, PILE, st.integers(1, 1000), st.integers(1, 1000))
def test_an_estimate_is_never_more_than_the_slowest_reading_of_the_sample(
    large: Pile, small: Pile, times: int, more: int
) -> None:
    files, size = (large.files + small.files) * times, (large.bytes + small.bytes) * more
    took = large.seconds + small.seconds
    told = estimate(large, small, files, size)
    assert 0 < told <= took * max(times, more) * 1.000001
    assert told <= estimate(large, small, files + 1, size + 1) * 1.000001, "more takes no less"
    double = estimate(large._replace(seconds=large.seconds * 2), small._replace(seconds=small.seconds * 2), files, size)
    assert abs(double - 2 * told) <= 1e-6 * double


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 1000), st.integers(1, 50), st.integers(1, 50))
def test_an_estimate_finds_the_pace_that_the_sample_had(
    by_byte: int, by_file: int, files: int, count: int, size: int
) -> None:
    """Where a byte and a file cost what they cost, the estimate is what they cost together."""
    large = Pile(1, 1000, 1000 * by_byte / 1e6)
    small = Pile(count, size, (size * by_byte + count * by_file) / 1e6)
    more = (files + 1 + count, files * 10 + 1000 + size)
    expected = (more[0] * by_file + more[1] * by_byte) / 1e6
    most = (large.seconds + small.seconds) * max(more[0] / (1 + count), more[1] / (1000 + size))
    assume(expected <= most)
    assert abs(estimate(large, small, *more) - expected) < 1e-9


def test_an_estimate_of_nothing_and_of_one_pile() -> None:
    none = Pile(0, 0, 0.0)
    assert estimate(none, none, 10, 10) == 0
    assert estimate(none, Pile(2, 10, 1.0), 20, 50) == 10 == estimate(none, Pile(2, 0, 1.0), 20, 0)
    assert estimate(Pile(1, 100, 2.0), none, 1, 200) == 4
