"""Digests: a set, and exact, whatever the bytes are."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.names import Digests

near = st.lists(st.sampled_from(b"\x00\x01"), min_size=32, max_size=32).map(bytes)


@given(st.lists(near | st.binary(min_size=32, max_size=32)), st.lists(near))
def test_it_is_a_set(some: list[bytes], others: list[bytes]) -> None:
    digests, told = Digests(), set()
    for one in some:
        assert digests.add(one) == (one not in told)
        told.add(one)
    assert set(digests) == told and len(digests) == len(told) == len(list(digests))
    assert all((one in digests) == (one in told) for one in [*some, *others])


def test_the_end_of_one_and_the_beginning_of_the_next_are_none() -> None:
    digests = Digests()
    first, second = bytes(31) + b"\x05", bytes(32)
    for one in (first, second):
        digests.add(one)
    across = [(first + second)[at : at + 32] for at in range(1, 32)]
    assert not any(one in digests for one in across)
    digests.add(across[4])
    assert across[4] in digests and len(digests) == 3


def test_each_takes_little_room() -> None:
    digests = Digests()
    for at in range(100_000):
        digests.add(hashlib.sha256(b"%d" % at).digest())
    assert sum(row.__sizeof__() for row in digests._rows) < 40 * 100_000
