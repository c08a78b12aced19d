"""What overflows comes back as it went, wherever it lies; and no disk is needed for it."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.adapters.overflow import Overflow


@given(st.lists(st.binary(max_size=300)), st.integers(0, 900))
def test_blocks_come_back_in_any_order_and_as_often_as_asked(some: list[bytes], room: int) -> None:
    kept = [(segment, fetch) for overflow in [Overflow(room)] for segment in some for fetch in [overflow.keep(segment)]]
    for _ in range(2):
        assert all(fetch() == segment for segment, fetch in reversed(kept))


def test_few_make_no_file_and_many_make_one_without_a_name(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    overflow = Overflow(10, str(tmp_path))
    first = overflow.keep(b"x" * 10)
    assert not before or len(os.listdir("/proc/self/fd")) == before
    second = overflow.keep(b"y" * 10)
    assert not before or len(os.listdir("/proc/self/fd")) == before + 1
    assert not list(tmp_path.iterdir()) and (first(), second()) == (b"x" * 10, b"y" * 10)
    del overflow, first
    assert second() == b"y" * 10, "a segment keeps its file"
    del second
    assert not before or len(os.listdir("/proc/self/fd")) == before


def test_without_a_disk_memory_must_do(tmp_path: Path) -> None:
    overflow = Overflow(0, str(tmp_path / "missing"))
    kept = [overflow.keep(bytes([at]) * 9) for at in range(5)]
    assert [fetch() for fetch in kept] == [bytes([at]) * 9 for at in range(5)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full here")
def test_on_a_full_disk_memory_must_do() -> None:
    overflow = Overflow(0)
    first = overflow.keep(b"written")
    full = os.open("/dev/full", os.O_RDWR)
    good = os.dup(overflow._handle)
    os.dup2(full, overflow._handle)
    second = overflow.keep(b"refused")
    os.dup2(good, overflow._handle)
    third = overflow.keep(b"not tried")
    assert [fetch() for fetch in (first, second, third)] == [b"written", b"refused", b"not tried"]
    assert overflow._end == len(b"written")
    os.close(full)
    os.close(good)


def test_what_the_disk_altered_is_an_error() -> None:
    overflow = Overflow(0)
    fetch = overflow.keep(b"what was found")
    os.pwrite(overflow._handle, b"W", 0)
    with pytest.raises(OSError, match="does not give back"):
        fetch()
    os.ftruncate(overflow._handle, 3)
    with pytest.raises(OSError, match="does not give back"):
        fetch()


def test_threads_do_not_overwrite_each_other() -> None:
    overflow, kept = Overflow(100), []

    def fill(number: int) -> None:
        kept.extend(
            (segment, overflow.keep(segment)) for at in range(200) for segment in [bytes([number]) * (at % 7 + 1)]
        )

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 800 and all(fetch() == segment for segment, fetch in kept)
