"""Holes: what is written reads as it was given, however it is cut into parts, and long runs of zeros take no room."""

import itertools
import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_action.adapters.files import content
from backup_action.adapters.files.content import GRAIN, HOLE


def written(parts: list[bytes]) -> tuple[bytes, int]:
    """What a new file has after it was written in parts, and the bytes that it takes on the disk."""
    size = sum(map(len, parts))
    with tempfile.TemporaryFile() as file:
        end = content.write_all(file.fileno(), parts)
        there = os.fstat(file.fileno()).st_size
        assert there <= end <= size and (end < size or there == size), "else who wrote it would take it for whole"
        file.truncate(size)
        file.seek(0)
        return file.read(), os.fstat(file.fileno()).st_blocks * 512


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 3 * HOLE)), max_size=6),
    st.lists(st.integers(0, 6 * HOLE), max_size=5),
    st.integers(0, 2**32),
)
@settings(max_examples=60)
def test_it_reads_as_it_was_given(runs: list[tuple[bool, int]], cuts: list[int], seed: int) -> None:
    noise = random.Random(seed)
    data = b"".join(bytes(size) if is_zero else noise.randbytes(size) for is_zero, size in runs)
    at = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    assert written([data[a:b] for a, b in itertools.pairwise(at)])[0] == data


@pytest.mark.parametrize("size", [GRAIN, 50_000, HOLE, 350_123, 1 << 20, (1 << 20) + 4097])
def test_zeros_that_come_in_pieces_of_any_size_take_no_room(size: int, tmp_path: Path) -> None:
    if os.statvfs(tmp_path).f_frsize > GRAIN:
        pytest.skip("a file system of large blocks")
    parts = [b"x", *[bytes(size)] * (-(-(8 << 20) // size)), b"x"]
    data, room = written(parts)
    assert data == b"".join(parts) and room <= 4 * GRAIN
