"""What may be copied: the last snapshot is read again only for that, and files on their way wait for their doubles."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest
from box import Box

from backup_action.adapters.files.scan import scan
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket, Written
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.core import place
from backup_action.core.alarm import Census
from backup_action.core.deadline import NEVER, Deadline
from backup_action.core.entry import Entry, Sort
from backup_action.core.found import Found
from backup_action.core.plan import compare
from backup_action.core.problem import Kind, Stop
from backup_action.core.selection import select
from backup_action.core.snapshot import FORMAT, Head, Snapshot, Writer
from backup_action.core.sources import FROM
from backup_action.core.stored import Stored
from backup_action.core.tally import Tally
from backup_action.core.thaw import FROZEN
from backup_action.transfer.copying import Copying, Turn
from backup_action.transfer.upload import SMALL, Upload
from backup_action.vault import History, Vault
from backup_action.vault.copies import Copies

HEAD = Head(FORMAT, "20261122T180000Z-6c5f0a26", 1, "s", "tree", "2026-11-22T18:00:00Z", "0.1.0", [])
AT = Written("E", "", 0)


class Counting(Snapshot):
    """Counts how often its lines are read."""

    read = 0

    def lines(self) -> Iterator[bytes]:
        self.read += 1
        return super().lines()


def parent_of(entries: list[Entry]) -> Counting:
    writer = Writer(HEAD)
    for entry in entries:
        writer.add(entry)
    return Counting(writer.finish({}, complete=True)[0])


def entry(name: str, content: bytes, size: int = 0) -> Entry:
    digest = hashlib.sha256(content).hexdigest()
    return Entry(name, Sort.FILE, name, size or len(content), sha256=digest, etag="E", last_modified=1)


async def _keys(_: Credentials | None) -> Credentials:
    raise AssertionError("nothing is asked")


async def dry_run(folder: Path, parent: Snapshot, there: list[Stored]) -> Tally:
    """A dry run of this folder; nothing is asked of any bucket."""
    roots = place.roots((f"{folder} => t",))
    tally = Tally()
    tally.open_roots(1)
    found = scan(roots, select((), ()), 1023)
    async with Bucket(Attempts(Place("b", "cn-hangzhou", "http://127.0.0.1:9"), _keys), connections=1) as bucket:
        upload = Upload(
            Vault(bucket, "p/", "s", "tree"), None, roots, Writer(HEAD), tally, headers={}, concurrency=4, stopped=bool,
            census=Census(roots), parent=parent,
        )  # fmt: skip
        await upload.run(compare(found.found, parent.entries(), there, found.covers))
    return tally


def known_as_it_is(folder: Path) -> list[Entry]:
    """Entries of what is there, so that nothing needs to be read."""
    found: list[Found] = list(scan(place.roots((f"{folder} => t",)), select((), ()), 1023).found)
    return [
        Entry(
            one.path, one.kind, one.place, one.size, one.mode, one.mtime_ns, one.ctime_ns, one.dev, one.inode,
            etag="E" if one.kind is Sort.FILE else "", last_modified=1,
            sha256=hashlib.sha256((folder / one.inner).read_bytes()).hexdigest() if one.kind is Sort.FILE else "",
        )
        for one in found
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "read"),
    [
        ({}, 0),
        ({"small": FROM - 1}, 0),
        ({"new": FROM}, 1),
        ({"new": FROM, "other": FROM + 1, "large": SMALL + 1}, 1),
    ],
)
def test_the_last_snapshot_is_read_again_only_where_something_may_be_a_copy(
    tmp_path: Path, more: dict[str, int], read: int
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode() * 2 * FROM)
    entries = known_as_it_is(tmp_path)
    parent = parent_of(entries)
    there = [Stored(one.place, one.size, "E", 1) for one in entries if one.key]
    for name, size in more.items():
        (tmp_path / name).write_bytes(name[:1].encode() * size)
    before = parent.read
    tally = asyncio.run(dry_run(tmp_path, parent, there))
    assert parent.read - before == 1 + read, "once by the plan"
    assert (tally.total().files_uploaded, tally.total().files_unchanged) == (len(more), 2)


def test_a_file_that_is_read_again_and_is_what_it_was_asks_for_no_source(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * (SMALL + 1))
    (tmp_path / "b").write_bytes(b"b" * FROM)
    entries = [msgspec.structs.replace(one, mtime_ns=1) for one in known_as_it_is(tmp_path)]
    parent = parent_of(entries)
    there = [Stored(one.place, one.size, "E", 1) for one in entries if one.key]
    tally = asyncio.run(dry_run(tmp_path, parent, there))
    assert parent.read == 1 and tally.total().files_unchanged == 2


def copying(*known: Entry, deadline: Deadline = NEVER, storage_class: str = "") -> Copying:
    """Of a dry run: every copy is made."""
    return Copying(None, parent_of(list(known)) if known else None, Tally(), deadline, storage_class)


def test_a_large_file_is_read_first_only_where_one_of_its_mark_is_known_or_on_its_way() -> None:
    async def story() -> list[bool]:
        told = []

        def of(size: int, first: bytes = b"1") -> AbstractAsyncContextManager[Turn]:
            return all.large(SMALL + size, first, is_read=False)

        all = copying(entry("known", b"1", SMALL + 7))
        async with of(7) as one, of(8) as two, of(8) as three, of(8, b"2") as other:
            told += [one.is_expected, two.is_expected, three.is_expected, other.is_expected]
        async with of(8) as four:  # none of them was sent
            told.append(four.is_expected)
            four.sent(entry("x", b"2", SMALL + 8), AT)
        async with of(8) as five, of(8, b"2") as another, all.large(SMALL + 9, b"1", is_read=True) as six:
            told += [five.is_expected, another.is_expected, six.is_expected]
            await six.copied(entry("y", b"3", SMALL + 9))
            async with of(9) as seven, of(9, b"2") as eight:
                told += [seven.is_expected, eight.is_expected]
        assert not all.flights and not all.coming
        return told

    assert asyncio.run(story()) == [True, False, True, False, False, True, False, False, True, False]


Story = Callable[[Copying, list[str]], Awaitable[None]]


async def bring(all: Copying, log: list[str], name: str, content: bytes, *, fails: bool = False) -> None:
    """One small file: what comes of it, in the log."""

    async def send() -> Written:
        log.append(f"{name} begins")
        await asyncio.sleep(0.01)
        if fails:
            raise Stop(Kind.FILE_LATE, name)
        return AT

    try:
        _, is_copied = await all.bring(entry(name, content), content, send)
        log.append(f"{name} {'copied' if is_copied else 'sent'}")
    except Stop:
        log.append(f"{name} failed")


def test_a_double_waits_until_it_can_be_copied() -> None:
    log: list[str] = []

    async def story() -> None:
        all = copying()
        data = bytes(FROM)
        await asyncio.gather(*(bring(all, log, name, data) for name in "abc"), bring(all, log, "z", data + b"z"))
        assert not all.flights

    asyncio.run(story())
    assert sorted(log) == ["a begins", "a sent", "b copied", "c copied", "z begins", "z sent"]
    assert log.index("z begins") < log.index("a sent"), "another content waits for nobody"


def test_where_the_first_fails_the_next_is_sent() -> None:
    log: list[str] = []

    async def story() -> None:
        all, data = copying(), bytes(FROM)
        await asyncio.gather(bring(all, log, "a", data, fails=True), *(bring(all, log, name, data) for name in "bc"))

    asyncio.run(story())
    assert log == ["a begins", "a failed", "b begins", "b sent", "c copied"]


def test_small_files_and_large_ones_do_not_wait_for_each_other() -> None:
    """A file that grew since the scan is sent as a large one, whatever its size is: it waits for memory."""
    read_as = entry("x", bytes(FROM))

    async def story() -> None:
        all = copying()
        async with all.large(FROM, b"", is_read=True) as large, asyncio.timeout(5):
            assert await large.copied(read_as) is None
            small = Turn(all, is_large=False)
            assert await small.copied(read_as) is None, "at once"
            small.end()

    asyncio.run(story())


@pytest.mark.parametrize("is_read", [True, False])
def test_nobody_waits_beyond_the_soft_end(is_read: bool) -> None:
    read_as = entry("x", b"1", SMALL + 1)

    async def story() -> None:
        all = copying(deadline=Deadline(time.monotonic, time.monotonic() + 0.05))
        size = SMALL + 1
        async with all.large(size, b"1", is_read=is_read) as first, all.large(size, b"1", is_read=True) as second:
            if is_read:
                await first.copied(read_as)
            await second.copied(read_as)

    with pytest.raises(Stop) as raised:
        asyncio.run(story())
    assert raised.value.problem.kind is Kind.FILE_LATE


@pytest.mark.parametrize("storage_class", FROZEN)
def test_what_would_have_to_be_thawed_is_never_copied(storage_class: str) -> None:
    known = entry("known", bytes(FROM))

    async def story() -> None:
        all = copying(known, storage_class=storage_class)
        assert (await all.bring(known, bytes(FROM), send))[1] is False
        async with all.large(SMALL + 1, b"", is_read=False) as turn:
            assert not turn.is_expected and await turn.copied(known) is None

    async def send() -> Written:
        return AT

    asyncio.run(story())


def test_once_copies_are_given_up_no_file_waits_for_its_double(box: Box) -> None:
    log: list[str] = []
    told = box.sandbox.environment
    at = Place(told["OSS_BACKUP_BUCKET"], told["OSS_BACKUP_REGION"], told["OSS_BACKUP_ENDPOINT"])
    box.post("faults", [{"kind": "status", "request": "copy", "count": -1, "status": 403, "code": "AccessDenied"}])

    async def keys(_: Credentials | None) -> Credentials:
        return Credentials(told["OSS_SANDBOX_ACCESS_KEY_ID"], told["OSS_SANDBOX_ACCESS_KEY_SECRET"])

    async def story() -> Tally:
        tally, known = Tally(), entry("known", bytes(FROM))
        async with Bucket(Attempts(at, keys), connections=1) as bucket:
            vault = Vault(bucket, "p/", "s", "tree")
            all = Copying(Copies(vault, History(vault, on=True), {}), parent_of([known]), tally, NEVER)
            await bring(all, log, "first", bytes(FROM))
            await asyncio.gather(*(bring(all, log, name, bytes(FROM)) for name in "abc"))
            double = (SMALL + 1, b"1")
            async with all.large(*double, is_read=False), all.large(*double, is_read=False) as second:
                assert not second.is_expected, "no large file is read for nothing"
        all.tell()
        return tally

    tally = asyncio.run(story())
    assert box.sent("oss.copy") == 1 and log[2:] == ["a begins", "b begins", "c begins", "a sent", "b sent", "c sent"]
    assert [(problem.kind, problem.where, problem.facts["count"]) for problem in tally.problems] == [
        (Kind.COPY_FAILED, "first", "4")
    ]
