"""Reading one file at one moment, however much somebody writes to it."""

import hashlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fastcrc
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from backup_action.adapters.files import read as reading
from backup_action.adapters.files.folder import Opener
from backup_action.adapters.files.read import Content, Unstable, pieces, read
from backup_action.adapters.files.scan import scan
from backup_action.core import place
from backup_action.core.entry import BLOCK, BLOCKS_FROM, BLOCKS_MAX, block_size
from backup_action.core.found import Found
from backup_action.core.problem import Kind, Problem
from backup_action.core.selection import select

LIMIT = 1 << 16


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    with Opener((str(tmp_path),)) as opener:
        yield opener


def found(root: Path, name: str) -> Found:
    return next(one for one in scan(place.roots((f"{root} => .",)), select((), ()), 1023).found if one.path == name)


@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT])
def test_a_small_file_comes_with_its_bytes_and_digests(tmp_path: Path, opener: Opener, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "x").write_bytes(data)
    (tmp_path / "y").write_bytes(b"never empty")
    content = read(found(tmp_path, "x"), opener, LIMIT)
    assert isinstance(content, Content) and content.whole and content.data == data
    assert content.entry.sha256 == hashlib.sha256(data).hexdigest() and content.entry.size == size
    assert content.entry.crc64 == fastcrc.crc64.xz(data) and content.entry.blocks is None


def test_a_large_file_comes_digested_only(tmp_path: Path, opener: Opener) -> None:
    data = os.urandom(1 << 20) * 33 + b"tail"
    (tmp_path / "x").write_bytes(data)
    content = read(found(tmp_path, "x"), opener, LIMIT)
    assert isinstance(content, Content) and not content.whole and content.data == b""
    assert content.entry.sha256 == hashlib.sha256(data).hexdigest() and content.entry.crc64 == fastcrc.crc64.xz(data)
    blocks = content.entry.blocks
    assert blocks is not None and blocks.size == BLOCK and len(data) > BLOCKS_FROM
    starts = range(0, len(data), BLOCK)
    assert blocks.digests == b"".join(xxhash.xxh3_128_digest(data[at : at + BLOCK]) for at in starts)


@given(st.integers(min_value=1, max_value=49 << 40))
def test_blocks_are_at_most_ten_thousand_and_no_larger_than_need_be(size: int) -> None:
    block = block_size(size)
    assert -(-size // block) <= BLOCKS_MAX
    assert block == BLOCK or -(-size // (block // 2)) > BLOCKS_MAX


def test_a_file_just_written_is_racy_and_an_old_one_is_not(tmp_path: Path, opener: Opener) -> None:
    (tmp_path / "x").write_text("x")
    content = read(found(tmp_path, "x"), opener, LIMIT)
    assert isinstance(content, Content) and content.entry.racy
    old = Path(os.__file__).parent
    with Opener((str(old),)) as there:
        content = read(found(old, "os.py"), there, LIMIT * 4)
    assert isinstance(content, Content) and not content.entry.racy


def test_what_the_file_is_now_counts_and_not_what_the_scan_saw(tmp_path: Path, opener: Opener) -> None:
    (tmp_path / "x").write_text("before")
    seen = found(tmp_path, "x")
    (tmp_path / "x").write_text("after it grew")
    content = read(seen, opener, LIMIT)
    assert isinstance(content, Content) and content.data == b"after it grew" and content.entry.size == 13


@pytest.mark.parametrize(
    ("now", "kind"),
    [
        ("gone", Kind.FILE_VANISHED),
        ("link", Kind.FILE_VANISHED),
        ("fifo", Kind.FILE_VANISHED),
        ("folder", Kind.FILE_VANISHED),
    ],
)
def test_what_is_no_file_any_more_is_reported(tmp_path: Path, opener: Opener, now: str, kind: Kind) -> None:
    (tmp_path / "x").write_text("x")
    seen = found(tmp_path, "x")
    (tmp_path / "x").unlink()
    if now == "link":
        (tmp_path / "x").symlink_to("/etc/passwd")
    elif now == "fifo":
        os.mkfifo(tmp_path / "x")
    elif now == "folder":
        (tmp_path / "x").mkdir()
    problem = read(seen, opener, LIMIT)
    assert isinstance(problem, Problem) and problem.kind is Kind.FILE_VANISHED and problem.where == str(tmp_path / "x")


def test_a_folder_that_became_a_link_is_not_followed(tmp_path: Path, opener: Opener) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x").write_text("not mine")
    seen = found(tmp_path, "d/x")
    (tmp_path / "d").rename(tmp_path / "was")
    (tmp_path / "d").symlink_to(tmp_path / "elsewhere")
    problem = read(seen, opener, LIMIT)
    assert isinstance(problem, Problem) and problem.kind is Kind.FILE_VANISHED


WRITER = """
import os, sys, time
end, handle, turn = time.monotonic() + 20, os.open(sys.argv[1], os.O_RDWR), 0
print("ready", flush=True)
while time.monotonic() < end and os.path.exists(sys.argv[1]):
    turn += 1
    for at in range(0, 600_000, 100_000):
        os.pwrite(handle, (b"1", b"2")[turn % 2] * 100_000, at)
"""


def noticed(seen: Found, opener: Opener) -> bool:
    """Whether reading a file again and again shows that somebody writes it; what is read it was at some moment."""
    noticed = reads = 0
    while reads < 80 or (not noticed and reads < 5000):
        result, reads = read(seen, opener, 1 << 20), reads + 1
        if isinstance(result, Problem):
            assert result.kind is Kind.FILE_CHANGING
            noticed += 1
        else:
            assert len(list(itertools.groupby(result.data))) <= 2
    return noticed > 0


def test_a_file_that_never_holds_still_is_taken_at_one_moment_or_not_at_all(tmp_path: Path, opener: Opener) -> None:
    """At each moment the file is new content up to some place and old content behind it: two runs of bytes."""
    path = tmp_path / "x"
    path.write_bytes(b"1" * 600_000)
    seen = found(tmp_path, "x")
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stdout.readline()
        is_noticed = noticed(seen, opener)
        path.unlink()
    assert is_noticed


def test_a_file_that_grows_or_shrinks_under_the_reader_is_unstable(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * 100)
    with path.open("rb") as file:
        with pytest.raises(Unstable):
            reading._bytes(file.fileno(), 101)
        file.seek(0)
        with pytest.raises(Unstable):
            reading._bytes(file.fileno(), 99)
        with pytest.raises(Unstable):
            list(pieces(file.fileno(), 0, 101))
        assert b"".join(pieces(file.fileno(), 10, 50, 7)) == b"x" * 50


def test_a_root_that_is_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("1,2")
    source = str(tmp_path / "one.csv")
    seen = next(iter(scan(place.roots((f"{source} => one.csv",)), select((), ()), 1023).found))
    with Opener((source,)) as opener:
        content = read(seen, opener, LIMIT)
    assert isinstance(content, Content) and content.data == b"1,2" and content.entry.path == "one.csv"


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="nothing tells what the page cache has")
@pytest.mark.parametrize("from_disk", [False, True])
def test_a_re_read_comes_from_the_disk(tmp_path: Path, opener: Opener, from_disk: bool) -> None:
    """A cache that still has the good bytes would hide what became of them on the disk."""
    path = tmp_path / "x"
    path.write_bytes(os.urandom(BLOCK))
    handle = os.open(path, os.O_RDWR)
    os.fsync(handle)

    def is_cached() -> bool:
        try:
            return os.preadv(handle, [bytearray(4096)], 0, os.RWF_NOWAIT) > 0
        except BlockingIOError:
            return False
        except OSError:
            pytest.skip("this file system does not tell what is cached")

    seen: list[bool] = []

    def look() -> bool:  # asked before each block is read
        seen.append(is_cached())
        return False

    assert is_cached()
    one = found(tmp_path, "x")
    told = read(one, opener, 0, look, from_disk=from_disk)
    os.close(handle)
    assert isinstance(told, Content) and told.entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert seen[0] is not from_disk


@pytest.mark.parametrize("limit", [LIMIT, 0])
def test_a_file_that_looks_random_is_said_to(tmp_path: Path, opener: Opener, limit: int) -> None:
    for name, data in {"a.csv": os.urandom(5000), "b.csv": b"1,2\n" * 2000, "c.gz": os.urandom(5000)}.items():
        (tmp_path / name).write_bytes(data)
    told = [read(found(tmp_path, name), opener, limit) for name in ("a.csv", "b.csv", "c.gz")]
    assert [one.entry.dense for one in told if isinstance(one, Content)] == [True, False, False]


HIDER = """
import mmap, os, sys, time
size, handle = int(sys.argv[2]), os.open(sys.argv[1], os.O_RDWR)
memory = mmap.mmap(handle, size)
memory[:] = b"1" * size
ahead = time.time() + 3600
os.utime(handle, (ahead, ahead))
print("ready", flush=True)
end = time.monotonic() + 20
while time.monotonic() < end and os.path.exists(sys.argv[1]):
    for byte in (b"2", b"1"):
        memory[:] = byte * size
"""


def test_what_changes_while_its_times_hide_it_is_read_twice(tmp_path: Path, opener: Opener) -> None:
    """Stores into mapped pages leave the times as they are until the pages are written; here they lie in the future."""
    path, size = tmp_path / "x", 600_000
    path.write_bytes(bytes(size))
    with subprocess.Popen([sys.executable, "-c", HIDER, str(path), str(size)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stdout.readline()
        is_noticed = noticed(found(tmp_path, "x"), opener)
        path.unlink()
    assert is_noticed
