"""Files whose turn it is to be read again, but that cannot be: time is over, or they moved since the scan."""

import asyncio
import hashlib
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from backup_action.adapters.files.scan import scan
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.core import place
from backup_action.core.alarm import Census
from backup_action.core.deadline import NEVER, Deadline
from backup_action.core.entry import Entry
from backup_action.core.found import Found, entry
from backup_action.core.plan import Item, Step
from backup_action.core.selection import select
from backup_action.core.snapshot import FORMAT, Head, Snapshot, Writer
from backup_action.core.tally import Tally
from backup_action.transfer.upload import GROWTH, SMALL, Upload
from backup_action.vault import Vault

HEAD = Head(FORMAT, "20261122T180000Z-6c5f0a26", 1, "s", "tree", "2026-11-22T18:00:00Z", "0.1.0", [])
OVER = Deadline(lambda: 1.0, 0.0)


async def _keys(_: Credentials | None) -> Credentials:
    raise AssertionError("nothing is asked")


def known(found: Found) -> Entry:
    return entry(found, "ab" * 32)


async def carry(
    folder: Path,
    some: list[Found],
    deadline: Deadline,
    was: Entry | None = None,
    stopped: Callable[[], bool] = bool,
) -> tuple[Upload, Tally, list[Entry]]:
    """A dry run in which it is every file's turn; nothing is asked of any bucket."""
    roots = place.roots((f"{folder} => t",))
    tally, writer = Tally(), Writer(HEAD)
    tally.open_roots(1)
    attempts = Attempts(Place("b", "cn-hangzhou", "http://127.0.0.1:9"), _keys, deadline=deadline)
    async with Bucket(attempts, connections=1) as bucket:
        vault = Vault(bucket, "p/", "s", "tree")
        upload = Upload(
            vault, None, roots, writer, tally, headers={}, concurrency=2, stopped=stopped, census=Census(roots)
        )
        await upload.run(Item(Step.READ, one, was or known(one), reread=True) for one in some)
    return upload, tally, list(Snapshot(writer.finish({}, complete=True)[0]).entries())


def scanned(folder: Path, sizes: dict[str, int]) -> list[Found]:
    for name, size in sizes.items():
        with (folder / name).open("wb") as file:
            file.truncate(size)
    roots = place.roots((f"{folder} => t",))
    return [one for one in scan(roots, select((), ()), 1023).found if one.path != "t"]


@pytest.mark.parametrize("how", ["late", "gone"])
def test_a_turn_that_cannot_be_is_no_failure(tmp_path: Path, how: str) -> None:
    some = scanned(tmp_path, {"a": 10, "big": SMALL + 1})
    if how == "gone":
        for one in some:
            os.unlink(tmp_path / one.inner)
    upload, tally, entries = asyncio.run(carry(tmp_path, some, OVER if how == "late" else NEVER))
    assert entries == [known(one) for one in some], "what the scan saw is what the last snapshot has"
    assert (tally.total().files_unchanged, tally.total().files_failed, tally.reread) == (2, 0, 0)
    assert not tally.problems
    assert upload.is_cut is (how == "late"), "the next run begins where this one did"


def test_a_large_file_over_which_time_runs_out_waits_for_the_next_run(tmp_path: Path) -> None:
    [big] = scanned(tmp_path, {"big": SMALL + 1})
    moments = itertools.count()
    soon = Deadline(lambda: float(next(moments)), 2.0)  # asked twice before the file is opened
    upload, tally, entries = asyncio.run(carry(tmp_path, [big], soon))
    assert next(moments) > 2 and entries == [known(big)] and not tally.problems
    assert upload.is_cut and tally.total().files_unchanged == 1


def test_what_is_as_it_was_keeps_all_that_is_known_of_it(tmp_path: Path) -> None:
    """Chunks too, which only another layout has and no reading finds again."""
    some = [msgspec.structs.replace(one, mtime_ns=5, ctime_ns=5) for one in scanned(tmp_path, {"a": 10})]
    info = os.stat(tmp_path / "a")
    times = {"mtime_ns": info.st_mtime_ns, "ctime_ns": info.st_ctime_ns}
    was = msgspec.structs.replace(
        known(some[0]),
        sha256=hashlib.sha256(bytes(10)).hexdigest(),
        chunks=["a" * 64],
        etag="E",
        last_modified=3,
        **times,
    )
    _, tally, entries = asyncio.run(carry(tmp_path, some, NEVER, was))
    assert entries == [was] and (tally.reread, tally.reread_bytes) == (1, 10)


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="nothing tells what the page cache has")
@pytest.mark.parametrize("size", [10, SMALL + 1])
def test_it_is_the_disk_that_is_read(tmp_path: Path, size: int) -> None:
    """Looked at where the reader asks whether to go on: before it, and in a file far larger than at the scan in it."""
    some = scanned(tmp_path, {"a": size})
    (tmp_path / "a").write_bytes(os.urandom(GROWTH + size))
    handle = os.open(tmp_path / "a", os.O_RDWR)
    os.fsync(handle)
    seen: list[bool] = []

    def look() -> bool:
        try:
            seen.append(os.preadv(handle, [bytearray(4096)], 0, os.RWF_NOWAIT) > 0)
        except BlockingIOError:
            seen.append(False)
        return False

    try:
        look()
        asyncio.run(carry(tmp_path, some, NEVER, stopped=look))
    except OSError:
        pytest.skip("this file system does not tell what is cached")
    finally:
        os.close(handle)
    assert seen[0] and False in seen[:3]


def test_the_fixture_reads_and_would_tell(tmp_path: Path) -> None:
    """Of the same files, where nothing stands in the way: their content is not what is known."""
    some = scanned(tmp_path, {"a": 10, "big": SMALL + 1})
    upload, tally, _ = asyncio.run(carry(tmp_path, some, NEVER))
    assert tally.total().files_uploaded == 2 and not upload.is_cut
