"""What heads tell of each other: figures, digests, and how each snapshot hangs on its parent."""

import pytest
from catalogues import chain, snapshot

from backup_action.core.chain import Heads
from backup_action.core.recent import KEPT, Effort
from backup_action.core.snapshot import Snapshot


def heads(found: list[Snapshot], whole: list[Snapshot] | None = None) -> Heads:
    known = Heads()
    for one in found:
        known.add(one.head, one.stored)
    for one in found if whole is None else whole:
        known.prove(one.id, one.foot)
    return known


@pytest.mark.parametrize("count", [1, 2, KEPT, KEPT + 1, 3 * KEPT + 5])
def test_of_a_whole_chain_only_the_newest_is_read(count: int) -> None:
    found = [one for one, _ in chain(count)]
    known = heads(found, [])
    assert known.lacking() == [found[-1].id]
    known.prove(found[-1].id, found[-1].foot)
    assert known.lacking() == []
    rows = known.rows()
    assert rows == heads(found).rows(), "the same as if all of them had been read"
    assert [row.id for row in rows] == [one.id for one in reversed(found)]
    for row, one in zip(rows, reversed(found), strict=True):
        foot = one.foot
        assert (row.files, row.bytes, row.digest, row.seconds) == (foot.files, foot.bytes, foot.digest, foot.seconds)
        assert (row.files_sent, row.bytes_sent, row.stored, row.complete) == (2, 3, one.stored, True)
    assert [row.link for row in rows] == ["whole"] * (count - 1) + ["first"]
    (told,) = known.chains()
    assert (told.snapshots, told.gaps, told.broken, told.whole) == (count, 0, 0, True)


def test_what_stands_before_a_gap_is_read_as_well() -> None:
    found = [one for one, _ in chain(5)]
    known = heads([found[0], found[1], found[4]], [])
    assert set(known.lacking()) == {found[1].id, found[4].id}
    known = heads([found[0], found[1], found[4]])
    assert [row.link for row in known.rows()] == ["gap", "whole", "first"]
    (told,) = known.chains()
    assert (told.snapshots, told.gaps, told.broken, told.whole) == (3, 1, 0, False)


def test_one_that_was_replaced_breaks_the_chain() -> None:
    found = [one for one, _ in chain(3)]
    other, _ = snapshot(found[1].id, found[0], effort=Effort(9, 9, 9), tail="!")
    known = heads([found[0], other, found[2]])
    assert [row.link for row in known.rows()] == ["broken", "whole", "first"]
    late, _ = snapshot(found[1].id, None)
    known = heads([found[0], late, found[2]], [found[0], found[2]])
    assert [row.link for row in known.rows() if row.id != late.id] == ["broken", "first"], "its sequence is another"
    assert known.chains()[0].broken == 1


def test_two_that_grew_from_another_each_have_it_read() -> None:
    first, _ = snapshot("20261101T000000Z-1a2b0000")
    forged, _ = snapshot("20261101T000000Z-1a2b0000", tail="!")
    one, _ = snapshot("20261102T000000Z-1a2b0001", first)
    two, _ = snapshot("20261103T000000Z-1a2b0002", forged)
    known = heads([first, one, two], [one, two])
    assert known.lacking() == [first.id]
    known.prove(first.id, first.foot)
    assert [row.link for row in known.rows()] == ["broken", "whole", "first"]


def test_what_another_source_says_of_an_id_does_not_count() -> None:
    ours = [one for one, _ in chain(1)]
    ours_as_told, _ = snapshot(ours[0].id, None, effort=Effort(9, 9, 9))
    liar, _ = snapshot("20261109T000000Z-1a2bffff", ours_as_told, source="other")
    known = heads([*ours, liar], [liar])
    assert known.lacking() == [ours[0].id]
    known.prove(ours[0].id, ours[0].foot)
    assert [row.link for row in known.rows()] == ["broken", "first"], "a parent of another source is none"
    found = [one for one, _ in chain(2)]
    known = heads([liar, *found], [found[1], liar])
    assert [row.bytes_sent for row in known.rows() if row.id == found[0].id] == [3]
    assert [(told.source, told.whole) for told in known.chains()] == [("other", False), ("story", True)]


def test_a_damaged_one_is_a_row_and_so_is_what_grew_from_it() -> None:
    found = [one for one, _ in chain(3)]
    known = heads([found[0], found[2]])
    known.damage(found[1].id, 77, "its digest does not match its content")
    assert [(row.link, row.stored > 0, row.damage) for row in known.rows()] == [
        ("damaged", True, ""), ("", True, "its digest does not match its content"), ("first", True, ""),
    ]  # fmt: skip
    assert (known.damaged, known.chains()[0].whole) == (1, False)
