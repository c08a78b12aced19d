"""Memory does not grow with the number of files: what a run holds of them lies outside, but for a segment at a time.

Counted by Python itself, so that no machine changes it: what the scan found, the last snapshot, the listing, the plan
that comes of the three, and the new snapshot.
"""

import asyncio
import contextlib
import hashlib
import socket
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.adapters.overflow import Overflow
from backup_action.core import place, plan, reread, snapshot, spool
from backup_action.core.alarm import Census
from backup_action.core.entry import Entry, Sort
from backup_action.core.found import Found
from backup_action.core.plan import Item, Step
from backup_action.core.segments import Keep, in_memory
from backup_action.core.snapshot import MARK, Head, Snapshot, Writer
from backup_action.core.spool import Spool
from backup_action.core.stored import Stored
from backup_action.core.tally import Tally
from backup_action.transfer.upload import BATCH, EACH, HELD, Upload
from backup_action.vault import Vault

HEAD = Head("oss-backup/1", "20261122T180000Z-6c5f0a26", 1, "story", "tree", "2026-11-22T18:00:00Z", "0.1.0", [])
FEW = 40_000  # files; more than are held, and than any segment holds
ROOM = 256 << 10  # bytes
IN_FLIGHT = HELD // EACH  # files that may be on their way, however small they are


def entry(number: int) -> Entry:
    told = hashlib.sha256(b"%d" % number).hexdigest()
    path, crc64 = f"t/{number:07}.txt", int(told[:16], 16)
    return Entry(
        path, Sort.FILE, path, number % 180 + 1, 0o644, crc64 >> 4, crc64 >> 4, 66, number, "", told, crc64,
        etag=told[:32].upper(), last_modified=1_800_000_000, chunks=[told],
    )  # fmt: skip


def found(known: Entry) -> Found:
    return Found(
        0, known.path[2:], known.path, known.place, known.kind, known.size, known.mode, known.mtime_ns, known.ctime_ns,
        known.dev, known.inode,
    )  # fmt: skip


def written(entries: Iterable[Entry], keep: Keep) -> Snapshot:
    writer = Writer(HEAD, keep)
    for one in entries:
        writer.add(one)
    return Snapshot(writer.finish({}, complete=True)[0], held=snapshot.HELD)


def listed(entries: Iterable[Entry], keep: Keep) -> list[Spool[Stored]]:
    """In ranges, as `vault.listing.around` asks for them."""
    ranges: list[Spool[Stored]] = []
    for number, one in enumerate(entries):
        if number % MARK == 0:
            ranges.append(Spool(Stored, keep=keep, loose=spool.LOOSE // (FEW // MARK)))
        ranges[-1].append(Stored(one.place, one.size, one.etag, one.last_modified))
        if number % MARK == MARK - 1:
            ranges[-1].close()
    return ranges


def run(files: int, keep: Keep) -> int:
    """What a run without changes does with that many files; gives the peak in bytes."""
    tracemalloc.start()
    try:
        parent = written(map(entry, range(files)), keep)
        scanned = Spool(Found, (found(entry(number)) for number in range(files)), keep, spool.LOOSE)
        there = listed(map(entry, range(files)), keep)
        turn = reread.turn(((one.path, one.size) for one in scanned), 0, 30, 1 << 20)
        rows = (row for one in there for row in one)
        steps = plan.compare(scanned, parent.entries(), rows, lambda path: True, is_due=turn.has)
        again = written((item.known for item in steps if item.known and item.step in (Step.KEEP, Step.READ)), keep)
        assert again.foot.files == files == len(scanned)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_three_times_the_files_take_the_same_memory() -> None:
    few, many = run(FEW, Overflow(ROOM).keep), run(3 * FEW, Overflow(ROOM).keep)
    assert many < few + 10 * 2 * FEW < 24 << 20, "not even ten bytes for each file more"
    assert run(2 * FEW, in_memory) > many + 100 * FEW, "what lies outside would be worth its room"


async def keys(_: Credentials | None) -> Credentials:
    return Credentials("id", "secret")


async def begun(folder: Path, port: int) -> int:
    """How many tiny files are read before a bucket that never answers has answered for the first."""
    (folder / "a").write_bytes(b"x")
    roots = place.roots((f"{folder} => t",))
    one = Found(0, "a", "t/a", "t/a", Sort.FILE, 1, 0o644, 1, 1, 1, 1)
    some = (msgspec.structs.replace(one, place=f"t/{at:06}") for at in range(2 * IN_FLIGHT))
    tally = Tally()
    tally.open_roots(1)
    async with Bucket(Attempts(Place("b", "cn-hangzhou", f"http://127.0.0.1:{port}"), keys), connections=2) as bucket:
        vault, writer = Vault(bucket, "p/", "story", "tree"), Writer(HEAD)
        upload = Upload(
            vault, None, roots, writer, tally, headers={}, concurrency=2, stopped=bool, census=Census(roots)
        )
        there = Stored("", 1, "E", 1)
        running = asyncio.create_task(upload.run(Item(Step.ADOPT, found, there=there) for found in some))
        before, now = -1, 0
        while now != before or not now:
            await asyncio.sleep(0.5)
            before, now = now, len(upload._entries._row._slots)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    return now


def test_tiny_files_are_not_read_ahead_without_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        count = asyncio.run(begun(tmp_path, silent.getsockname()[1]))
    assert IN_FLIGHT // 2 < count <= IN_FLIGHT + 2 * BATCH
