"""A path through time: held against a model that has every snapshot as a dictionary."""

import itertools

from catalogues import entries, entry
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.difference import content
from backup_action.core.entry import Entry, Sort, order, told
from backup_action.core.listing import FoundRow
from backup_action.core.timeline import Timeline


def model(snapshots: list[list[Entry]]) -> list[FoundRow]:
    seen = [{order(one): one for one in some if not one.gone and one.kind is not Sort.FOLDER} for some in snapshots]
    rows = []
    for key in sorted(set(itertools.chain(*seen))):
        line = [(number, some.get(key)) for number, some in enumerate(seen)]
        line = list(itertools.dropwhile(lambda one: one[1] is None, line))
        path = told(next(one for _, one in line if one).path)
        for known, run in itertools.groupby(line, key=lambda one: one[1] and content(one[1])):
            numbers = list(run)
            one = numbers[-1][1]
            span = (f"id{numbers[0][0]}", f"id{numbers[-1][0]}", len(numbers))
            if known is None or one is None:
                rows.append(FoundRow(*path, "", *span))
            else:
                is_file = one.kind is Sort.FILE
                told_of = (str(one.mtime_ns), one.sha256 if is_file else "", one.target)
                rows.append(FoundRow(*path, one.kind.value, *span, one.size if is_file else 0, *told_of))
    return rows


@given(st.lists(entries(), max_size=6))
def test_the_runs_are_those_of_the_model(snapshots: list[list[Entry]]) -> None:
    timeline = Timeline()
    for number, some in enumerate(snapshots):
        timeline.see(f"id{number}", some)
    assert list(timeline.rows()) == model(snapshots)
    assert timeline.snapshots == len(snapshots) and not timeline.more


@given(st.lists(entries(), max_size=6), st.integers(0, 4))
def test_of_too_many_paths_the_first_are_told_whole(snapshots: list[list[Entry]], most: int) -> None:
    few, all_of_them = Timeline(most), Timeline()
    for number, some in enumerate(snapshots):
        few.see(f"id{number}", some)
        all_of_them.see(f"id{number}", some)
    assert few.paths == min(most, all_of_them.paths) and few.more == (all_of_them.paths > most)
    shown = {row.path for row in few.rows()}
    assert list(few.rows()) == [row for row in all_of_them.rows() if row.path in shown]


def test_a_file_that_comes_back_as_it_was_is_told_with_the_gap() -> None:
    timeline = Timeline()
    there = [entry("a", sha256="11" * 32, size=5, mtime_ns=9)]
    for id, some in (("1", []), ("2", there), ("3", there), ("4", []), ("5", there), ("6", [])):
        timeline.see(id, some)
    told = [(row.kind, row.first, row.last, row.snapshots) for row in timeline.rows()]
    assert told == [("file", "2", "3", 2), ("", "4", "4", 1), ("file", "5", "5", 1), ("", "6", "6", 1)]
