"""One snapshot at a glance: what it has by root, and its largest files."""

from catalogues import entries, entry, snapshot
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.entry import Entry, Sort
from backup_action.core.overview import LARGEST, shown


@given(st.lists(st.integers(0, 50), max_size=40))
def test_the_largest_are_told_the_first_of_equals_first(sizes: list[int]) -> None:
    some = [entry(f"t/{at:03}", sha256="11" * 32, size=size) for at, size in enumerate(sizes)]
    told = shown(snapshot("20261101T000000Z-1a2b0000", None, some)[0], some)
    expected = sorted(some, key=lambda one: (-one.size, one.path))[:LARGEST]
    assert [(one.bytes, one.path) for one in told.largest] == [(one.size, one.path) for one in expected]
    assert (told.places[0].files, told.places[0].bytes) == (len(sizes), sum(sizes))


@given(entries())
def test_each_root_has_what_lies_below_it(some: list[Entry]) -> None:
    found, _ = snapshot("20261101T000000Z-1a2b0000", None, some)
    found.head.roots[:] = []
    assert shown(found, some).places == [] and shown(found, some).total == len(some)
    within = [entry("t", Sort.FOLDER), entry("t/l", Sort.LINK, target="x"), entry("tx", sha256="11" * 32, size=5)]
    other, _ = snapshot("20261101T000000Z-1a2b0000", None, within)
    (place,) = shown(other, within).places
    assert (place.files, place.links, place.folders, place.bytes) == (0, 1, 1, 0), "tx is not below t"
