"""A body in pieces is what it would be in one."""

from __future__ import annotations

import hashlib

import fastcrc
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.body import Body

PIECES = st.lists(st.binary(max_size=40), max_size=8)


@given(PIECES)
def test_a_body_in_pieces_has_the_length_and_the_digests_of_the_whole(pieces: list[bytes]) -> None:
    body, whole = Body(pieces), b"".join(pieces)
    assert (len(body), bytes(body)) == (len(whole), whole)
    assert body.crc64 == fastcrc.crc64.xz(whole)
    assert body.sha256 == hashlib.sha256(whole).hexdigest()
    assert body.md5 == hashlib.md5(whole, usedforsecurity=False).hexdigest().upper()


@given(PIECES, st.integers(1, 50))
def test_its_views_are_all_of_it_in_order_and_none_is_too_long_or_empty(pieces: list[bytes], size: int) -> None:
    views = list(Body(pieces).views(size))
    assert b"".join(views) == b"".join(pieces)
    assert all(1 <= len(view) <= size for view in views)
