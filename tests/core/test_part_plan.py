"""The parts of large files: OSS's limits for every size, and plans against the bytes that they make."""

import itertools

import fastcrc
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_action.core.entry import Blocks, block_size
from backup_action.core.parts import (
    HELD_MAX,
    PART_MAX,
    PART_MIN,
    PARTS_MAX,
    SIZE_MAX,
    Stretch,
    crc64,
    grain,
    part_size,
    patch,
    sent,
    whole,
)

MIB, GIB, TIB = 1 << 20, 1 << 30, 1 << 40
USUAL, LONGEST = 8 * MIB, 256 * MIB
sizes = st.one_of(
    st.integers(0, SIZE_MAX),
    st.builds(
        lambda n, unit, more: min(max(0, n * unit + more), SIZE_MAX),
        st.integers(0, 10_001),
        st.sampled_from([1, MIB, 8 * MIB, 64 * MIB, GIB, PART_MAX]),
        st.integers(-2, 2),
    ),
)


def test_the_largest_object_is_what_oss_says() -> None:
    assert 48.8 * TIB < SIZE_MAX < 48.83 * TIB


@given(sizes)
def test_a_file_of_any_size_has_parts_within_the_limits(size: int) -> None:
    part = part_size(size, USUAL)
    assert PART_MIN <= part <= PART_MAX and max(1, -(-size // part)) <= PARTS_MAX
    assert part % grain(size) == 0, "so that each part's CRC-64 is known once the file is digested"
    assert part == USUAL or size > USUAL * PARTS_MAX or part == grain(size), "no larger than need be"
    assert part > HELD_MAX or part % block_size(size) == 0, "whole blocks, where parts are hashed as they are held"


@settings(max_examples=25)
@given(sizes)
def test_all_of_a_file_is_sent_once_and_in_order(size: int) -> None:
    plan = whole(size, USUAL)
    assert_covered(plan, size)
    assert sent(plan) == size and not any(stretch.copied for stretch in plan)


def assert_covered(plan: list[Stretch], size: int) -> None:
    """Every byte once, in order, in parts that OSS takes."""
    at = 0
    for stretch in plan:
        assert stretch.start == at and stretch.size <= PART_MAX
        at += stretch.size
    assert at == size and len(plan) <= PARTS_MAX
    assert all(stretch.size >= PART_MIN for stretch in plan[:-1])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Blocks, int, Blocks, int]:
    """Two contents by their digests: of blocks of any size, many or few, some of them equal."""
    block = draw(st.sampled_from([MIB << power for power in range(14)]))
    many = draw(st.integers(1, 40))

    def one() -> tuple[list[int], int]:
        letters = draw(st.lists(st.integers(0, 1), min_size=many, max_size=many + 5))
        return letters, (len(letters) - 1) * block + draw(st.one_of(st.integers(1, block), st.just(block)))

    (old, old_size), (new, new_size) = one(), one()
    return digested(block, old), old_size, digested(block, new), new_size


def digested(block: int, letters: list[int]) -> Blocks:
    return Blocks(block, b"".join(bytes([letter]) * 16 for letter in letters))


@given(pairs())
def test_a_patch_covers_the_file_once_and_keeps_the_limits(given_: tuple[Blocks, int, Blocks, int]) -> None:
    old, old_size, new, new_size = given_
    plan = patch(old, old_size, new, new_size, USUAL, LONGEST)
    block = new.size
    ends = [(at, min(at + block, new_size)) for at in range(0, new_size, block)]
    same = [
        old.digests[n * 16 :][:16] == new.digests[n * 16 :][:16] and end == min(at + block, old_size)
        for n, (at, end) in enumerate(ends)
    ]
    assert bool(plan) is any(same)
    if not plan:
        return
    assert_covered(plan, new_size)
    for stretch in plan:
        inner = same[stretch.start // block : -(-(stretch.start + stretch.size) // block)]
        assert set(inner) == {stretch.copied}, "copied is what is equal, all of it and nothing else"
        assert stretch.size <= max(LONGEST if stretch.copied else USUAL, block)
        assert not stretch.copied or stretch.start + stretch.size <= old_size
    joined = [one for one, two in itertools.pairwise(plan) if one.copied and two.copied]
    assert all(one.size == max(LONGEST, block) or block > PART_MAX for one in joined), "neighbours are joined"


@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(0, 60), st.sampled_from([1, 3, 4, 16]))
def test_a_patch_makes_the_new_bytes(head: bytes, tail: bytes, at: int, block: int) -> None:
    """With blocks of a few bytes, and one content that is an edit of the other."""
    old, new = head + tail, head[:at] + b"!" + head[at + 1 :] + tail[: len(tail) // 2] + tail[len(tail) // 2 :][::-1]
    plan = patch(blocks(old, block), len(old), blocks(new, block), len(new), 8, 16)
    made = b"".join((old if one.copied else new)[one.start : one.start + one.size] for one in plan)
    assert made == (new if plan else b"")
    assert plan or not any(old[n : n + block] == new[n : n + block] for n in range(0, len(new), block))


def blocks(data: bytes, block: int) -> Blocks:
    return Blocks(block, b"".join(xxhash.xxh3_128_digest(data[at : at + block]) for at in range(0, len(data), block)))


def test_a_file_that_grew_costs_its_last_blocks() -> None:
    old, new = [1] * 600, [1] * 600 + [0] * 7
    plan = patch(digested(MIB, old), 600 * MIB, digested(MIB, new), 607 * MIB - 5, USUAL, LONGEST)
    assert [(one.size // MIB, one.copied) for one in plan] == [(256, True), (256, True), (88, True), (6, False)]
    assert sent(plan) == 7 * MIB - 5


def test_blocks_of_other_sizes_are_not_compared() -> None:
    assert patch(digested(MIB, [1] * 9), 9 * MIB, digested(2 * MIB, [1] * 9), 18 * MIB, USUAL, LONGEST) == []


def test_a_last_block_that_was_only_cut_is_not_the_same() -> None:
    """Whatever its digest says."""
    assert patch(digested(MIB, [1]), MIB, digested(MIB, [1]), MIB - 1, USUAL, LONGEST) == []


@pytest.mark.parametrize(("block", "fits"), [(MIB, True), (4 * GIB, True), (8 * GIB, False)])
def test_every_other_block_of_a_file_of_ten_thousand(block: int, fits: bool) -> None:
    """The most parts that there can be; blocks larger than a part would make too many."""
    count = min(PARTS_MAX, SIZE_MAX // block)
    old, new = digested(block, [0] * count), digested(block, [0, 1] * (count // 2))
    plan = patch(old, count * block, new, count // 2 * 2 * block, USUAL, LONGEST)
    assert bool(plan) is fits
    if plan:
        assert_covered(plan, count // 2 * 2 * block)


@given(st.integers(0, 5), st.integers(1, 6))
def test_a_stretch_has_the_crc_of_its_bytes(start: int, count: int) -> None:
    data = DATA[: 5 * MIB + 7]
    step = grain(len(data))
    crcs = [fastcrc.crc64.xz(data[at : at + step]) for at in range(0, len(data), step)]
    stretch = Stretch(start * step, min(count * step, len(data) - start * step))
    assert crc64(crcs, len(data), stretch) == fastcrc.crc64.xz(data[stretch.start :][: stretch.size])


DATA = bytes(range(251)) * (6 * MIB // 251 + 1)
