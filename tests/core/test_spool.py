"""A spool is a list that does not take a list's room."""

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


def test_blocks_are_packed_in_order_whatever_the_names() -> None:
    many = [Stored(f"key/\udcff{i:06}", i, "E", 2**60 + i) for i in range(spool.BLOCK * 3 + 7)]
    pile = Spool(Stored, many)
    assert list(pile) == many and len(pile) == len(many)
