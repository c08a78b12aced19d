"""A spool is a list that does not take a list's room."""

import tracemalloc
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import spool
from backup_action.core.spool import Spool
from backup_action.core.stored import Stored

values = st.builds(Stored, st.text(max_size=5), st.integers(0, 2**60), st.text(max_size=3), st.integers(0, 2**40))


@given(st.lists(values, max_size=30))
def test_it_gives_back_what_it_got_as_often_as_asked(some: list[Stored]) -> None:
    pile = Spool(Stored, some)
    assert len(pile) == len(some) and list(pile) == some and list(pile) == some


@given(st.lists(values, max_size=30), st.integers(0, 40), st.integers(0, 30))
def test_it_gives_back_what_it_got_however_much_of_it_stays_loose(some: list[Stored], loose: int, closed: int) -> None:
    pile = Spool(Stored, some[:closed], loose=loose)
    pile.close()
    for one in some[closed:]:
        pile.append(one)
    assert len(pile) == len(some) and list(pile) == some and list(pile) == some


def test_few_stay_as_they_are_and_many_are_packed_in_order_whatever_the_names() -> None:
    many = [Stored(f"key/\udcff{i:06}", i, "E", 2**60 + i) for i in range(spool.LOOSE + spool.SEGMENT * 2)]
    kept: list[bytes] = []

    def keep(block: bytes) -> Callable[[], bytes]:
        kept.append(block)
        return lambda: block

    pile = Spool(Stored, many[: spool.LOOSE], keep, spool.LOOSE)
    pile.close()
    assert not kept and next(iter(pile)) is many[0], "as it was"
    for one in many[spool.LOOSE :]:
        pile.append(one)
    assert len(kept) == len(many) // spool.SEGMENT, "in segments of one size"
    assert list(pile) == many and len(pile) == len(many)


def test_what_is_packed_takes_no_more_room_than_its_bytes() -> None:
    tracemalloc.start()
    pile = Spool(Stored, (Stored(f"key/{i:07}", i % 99, "E", 2**40) for i in range(spool.SEGMENT * 8 + 1)))
    pile.close()
    taken, packed = tracemalloc.get_traced_memory()[0], sum(map(len, pile._packed))
    tracemalloc.stop()
    assert packed < 6 * len(pile) and taken < 16 * len(pile), "bytes; one row alone is longer before it is packed"


def test_one_that_has_come_to_its_end_holds_nothing_open_and_goes_on() -> None:
    some = [Stored(str(i), i, "E", i) for i in range(5)]
    kept: list[bytes] = []

    def keep(block: bytes) -> Callable[[], bytes]:
        kept.append(block)
        return lambda: block

    pile = Spool(Stored, some[:3], keep, loose=2)
    for _ in range(2):
        pile.close()
    assert len(kept) == 1 and list(pile) == some[:3]
    pile.append(some[3])
    assert len(kept) == 1 and list(pile) == some[:4]
