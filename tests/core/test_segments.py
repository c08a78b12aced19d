"""Segments: what is read of them is what was put in, however it was cut, in every format that is read from them."""

import itertools

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backup_action.core import cipher
from backup_action.core.cipher import RECORD, Sealed, Unopened
from backup_action.core.lines import Broken, lines
from backup_action.core.ring import Ring
from backup_action.core.segments import Segments

KEY = Sealed("0123456789abcdef", bytes(range(32)))
RING = Ring(True, {KEY.key_id: KEY})
cuts = st.lists(st.integers(0, 400_000), max_size=6)


def cut(data: bytes, at: list[int]) -> Segments:
    bounds = [0, *sorted(min(one, len(data)) for one in at), len(data)]
    return Segments(segments=[data[start:end] for start, end in itertools.pairwise(bounds)])


@given(st.lists(st.binary(max_size=9)))
def test_they_give_back_what_they_got_as_often_as_asked(some: list[bytes]) -> None:
    segments = Segments(segments=some)
    assert list(segments) == some == list(segments)
    assert bytes(segments) == b"".join(some) and len(segments) == len(bytes(segments))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 3 * RECORD + 5), cuts, cuts)
@example(2 * RECORD, [RECORD], [])
def test_what_is_sealed_does_not_depend_on_how_it_lies(size: int, one: list[int], other: list[int]) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    sealed = bytes(RING.sealing(cut(data, one), "snapshot a", lambda segment: lambda: segment))
    assert len(sealed) == 36 + size + 28 * max(1, -(-size // RECORD)), "no record is empty but for an only one"
    assert RING.open(sealed, "snapshot a") == data
    opened = RING.opening(
        cut(sealed, [100, *(at + 100 for at in other)]), "snapshot a", lambda segment: lambda: segment
    )
    assert bytes(opened) == data
    for wrong in {sealed[:-1], sealed + b"x", sealed[: 36 + RECORD + 28]} - {sealed}:
        with pytest.raises(Unopened):
            list(cipher.opening(KEY, cut(wrong, other), "snapshot a"))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), min_size=1), cuts)
def test_lines_do_not_depend_on_how_they_lie(some: list[bytes], at: list[int]) -> None:
    data = zstandard.compress(b"".join(line + b"\n" for line in some))
    assert list(lines(cut(data, at), 1000)) == some == list(lines(data, 1000))
    for wrong in (data + b"x", data[:-1]):
        with pytest.raises(Broken):
            list(lines(cut(wrong, at), 1000))


@pytest.mark.parametrize("behind", [b"x", b"", bytes(5000)])
def test_what_follows_the_end_is_seen_wherever_a_piece_ends(behind: bytes) -> None:
    data = zstandard.compress(b"line\n")
    segments = Segments(segments=[data, behind]) if behind else Segments(segments=[data])
    if not behind:
        assert list(lines(segments, 1000)) == [b"line"]
        return
    with pytest.raises(Broken):
        list(lines(segments, 1000))
