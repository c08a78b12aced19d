"""Large files: at the soft end of a run, and those whose parts are too large to be held."""

import asyncio
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import fastcrc
import msgspec
import oss2
import pytest

from backup_action.adapters.files.folder import Opener
from backup_action.adapters.files.read import Content, read
from backup_action.adapters.files.scan import scan
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.core import place
from backup_action.core.deadline import Deadline
from backup_action.core.entry import Entry, Sort
from backup_action.core.found import Found
from backup_action.core.parts import SIZE_MAX
from backup_action.core.plan import Item, Step
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.selection import select
from backup_action.core.tally import Tally
from backup_action.sandbox.serve import Sandbox
from backup_action.transfer.copying import Copying
from backup_action.transfer.flow import Budget
from backup_action.transfer.large import Carried, Large
from backup_action.transfer.reading import Reading
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.vault import History, Lease, Vault
from backup_action.vault.uploads import Begun, digest


@pytest.mark.parametrize("is_random", [True, False])
def test_a_large_file_is_judged_by_its_beginning(tmp_path: Path, is_random: bool) -> None:
    """As it is sent, and in the same way as where it is only digested."""
    path = tmp_path / "big.csv"
    path.write_bytes((os.urandom(1 << 20) if is_random else bytes(1 << 20)) + bytes(9 << 20))
    [found] = [one for one in scan(place.roots((f"{tmp_path} => t",)), select((), ()), 1023).found if one.path != "t"]
    with path.open("rb") as file:
        reading = Reading(file.fileno(), found, 8 << 20)
        for _ in range(reading.count):
            reading.next()
        sent = reading.finish()
    with Opener((str(tmp_path),)) as opener:
        digested = read(found, opener, 0)
    assert isinstance(digested, Content) and sent.dense is digested.entry.dense is is_random


async def keys(_: Credentials | None) -> Credentials:
    return Credentials("id", "secret")


def test_reading_a_large_file_ends_at_the_soft_end_too(tmp_path: Path) -> None:
    """It may take longer than the grace, and then nothing could be committed."""
    (tmp_path / "big").write_bytes(bytes(9 << 20))
    info = os.stat(tmp_path / "big")
    found = Found(
        0, "big", "t/big", "t/big", Sort.FILE, info.st_size, stat.S_IMODE(info.st_mode), info.st_mtime_ns,
        info.st_ctime_ns, info.st_dev, info.st_ino,
    )  # fmt: skip

    async def send(end: float, *, stopped: bool = False) -> Carried | Problem:
        attempts = Attempts(Place("b", "cn-hangzhou", "http://127.0.0.1:9"), keys, deadline=Deadline(lambda: 1.0, end))
        async with Bucket(attempts, connections=1) as bucket:
            copying = Copying(None, None, Tally(), attempts.deadline)
            large = Large(Vault(bucket, "p/", "s", "tree"), None, Tally(), 8 << 20, {}, copying)
            with Opener((str(tmp_path),)) as opener:
                return await large.send(Item(Step.SEND, found), found, opener, Budget(1), lambda: stopped)

    assert isinstance(asyncio.run(send(2.0)), Carried)
    assert asyncio.run(send(0.0)) == Problem(Kind.FILE_LATE, "t/big")
    told = asyncio.run(send(0.0, stopped=True))
    assert isinstance(told, Problem) and told.kind is Kind.INTERRUPTED


MIB = 1 << 20
SIZE = 5 * MIB + 77


def reached(cloud: Sandbox) -> Bucket:
    """Our client of the sandbox's bucket, with all rights."""
    keys = cloud.environment
    at = Place(keys["OSS_SANDBOX_BUCKET"], keys["OSS_BACKUP_REGION"], keys["OSS_BACKUP_ENDPOINT"])

    async def credentials(_: Credentials | None) -> Credentials:
        return Credentials(keys["OSS_SANDBOX_ACCESS_KEY_ID"], keys["OSS_SANDBOX_ACCESS_KEY_SECRET"])

    return Bucket(Attempts(at, credentials), connections=8)


def sent(
    cloud: Sandbox,
    folder: Path,
    held: int,
    begun: Begun | None = None,
    size: int = SIZE,
    stopped: Callable[[], bool] = bool,
) -> Carried | Problem:
    """A file as a run sends it that may hold so many bytes of a part; its parts have 1 MiB.

    `size` is what the scan saw; `begun` is an upload that another run left open.
    """
    [result] = all_sent(cloud, folder, held, begun, size, stopped)
    return result


def all_sent(
    cloud: Sandbox, folder: Path, held: int, begun: Begun | None, size: int, stopped: Callable[[], bool]
) -> list[Carried | Problem]:
    """All of a folder at the same time."""

    async def work() -> list[Carried | Problem]:
        async with reached(cloud) as bucket:
            vault, tally = Vault(bucket, "p/", "s", "tree"), Tally()
            lease = Lease(vault, vault.new_id(0), "host", "owner")
            await lease.take(await vault.catalogue(), None)
            if begun is not None:
                lease.inherited["p/t/f"] = begun
            safe, budget = Safekeeping(lease, History(vault, on=False), tally), Budget(2 * MIB)
            copying = Copying(None, None, tally, Deadline(lambda: 0.0))
            large = Large(vault, safe, tally, MIB, {}, copying, held)
            scanned = scan(place.roots((f"{folder} => t",)), select((), ()), 1023).found
            files = [  # as such that changed long ago
                msgspec.structs.replace(one, size=size, mtime_ns=0, ctime_ns=0) for one in scanned if one.path != "t"
            ]
            with Opener((str(folder),)) as opener:
                result = await asyncio.gather(
                    *(large.send(Item(Step.SEND, found), found, opener, budget, stopped) for found in files)
                )
            assert budget.has(2 * MIB) and not tally.moving, "what was held is given back"
            return result

    return asyncio.run(asyncio.wait_for(work(), 60))


def client(cloud: Sandbox) -> oss2.Bucket:
    """oss2 with all rights."""
    keys = cloud.environment
    auth = oss2.AuthV4(keys["OSS_SANDBOX_ACCESS_KEY_ID"], keys["OSS_SANDBOX_ACCESS_KEY_SECRET"])
    where = (keys["OSS_BACKUP_ENDPOINT"], keys["OSS_SANDBOX_BUCKET"])
    return oss2.Bucket(auth, *where, region=keys["OSS_BACKUP_REGION"])


def stored(cloud: Sandbox) -> bytes:
    return bytes(client(cloud).get_object("p/t/f").read())


@pytest.mark.parametrize("held", [MIB, MIB // 2], ids=["held", "read as they are sent"])
def test_parts_that_are_too_large_to_be_held_make_the_same_object(cloud: Sandbox, tmp_path: Path, held: int) -> None:
    data = os.urandom(SIZE)
    (tmp_path / "f").write_bytes(data)
    result = sent(cloud, tmp_path, held)
    assert isinstance(result, Carried) and result.sent and result.new is None and result.at
    assert stored(cloud) == data and cloud.world.counts["oss.part"] == 6
    assert (result.read_as.sha256, result.read_as.size) == (hashlib.sha256(data).hexdigest(), SIZE)
    assert result.at.crc64 == result.read_as.crc64 == fastcrc.crc64.xz(data)


@pytest.mark.parametrize("is_same", [True, False])
@pytest.mark.parametrize("held", [MIB, MIB // 2], ids=["held", "read as they are sent"])
def test_parts_that_another_run_left_are_not_sent_again(
    cloud: Sandbox, tmp_path: Path, held: int, is_same: bool
) -> None:
    """Unless they have another content."""
    data = os.urandom(SIZE)
    (tmp_path / "f").write_bytes(data)
    upload = client(cloud).init_multipart_upload("p/t/f").upload_id
    client(cloud).upload_part("p/t/f", upload, 2, data[MIB : 2 * MIB] if is_same else os.urandom(MIB))
    result = sent(cloud, tmp_path, held, Begun("p/t/f", upload, MIB, digest({})))
    assert isinstance(result, Carried) and stored(cloud) == data
    assert result.new == (SIZE - MIB if is_same else None), "of what is told as sent"
    assert cloud.world.counts["oss.part"] - 1 == (5 if is_same else 6) and cloud.world.counts["oss.initiate"] == 1


def test_a_file_that_grew_until_its_parts_cannot_be_held_is_digested_first(cloud: Sandbox, tmp_path: Path) -> None:
    """Which is given up here: it would take long."""
    (tmp_path / "f").touch()
    os.truncate(tmp_path / "f", 10_001 * MIB)
    told = sent(cloud, tmp_path, MIB, stopped=lambda: True)
    assert isinstance(told, Problem) and told.kind is Kind.INTERRUPTED
    assert cloud.world.counts["oss.initiate"] == 0


def test_a_file_larger_than_an_object_may_be_is_told_and_not_read(cloud: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    told = sent(cloud, tmp_path, MIB, size=SIZE_MAX + 1)
    assert told == Problem(Kind.FILE_TOO_LARGE, f"{tmp_path}/f", {"maximum": "48.8 TB"})


def test_what_is_too_large_to_be_fetched_is_not_held_in_memory(cloud: Sandbox) -> None:
    """Where OSS copies it not, it stays where it is, and is not overwritten."""
    etag = client(cloud).put_object("p/t/f", b"x").etag
    old = Entry("t/f", Sort.FILE, "t/f", 626 << 30, sha256="0" * 64, crc64=1, etag=etag)

    async def keep() -> None:
        async with reached(cloud) as bucket:
            try:
                await History(Vault(bucket, "p/", "s", "tree"), on=True).keep(old)
            finally:
                await asyncio.sleep(0.3)  # time for requests that nobody waits for any more

    with pytest.raises(Stop) as raised:
        asyncio.run(asyncio.wait_for(keep(), 60))
    assert raised.value.problem.kind is Kind.HISTORY_UNKEPT
    assert cloud.world.counts["oss.get"] == 0 and cloud.world.counts["oss.part-copy"] < 20


@pytest.mark.parametrize("is_double", [False, True])
def test_of_files_of_one_size_only_what_begins_alike_is_read_before_it_is_sent(
    cloud: Sandbox, tmp_path: Path, is_double: bool
) -> None:
    """A stopped run gives up a first reading, but not a sending."""
    first, rest = os.urandom(MIB), os.urandom(SIZE - MIB)
    (tmp_path / "f").write_bytes(first + rest)
    (tmp_path / "g").write_bytes((first if is_double else os.urandom(MIB)) + rest)
    results = all_sent(cloud, tmp_path, MIB, None, SIZE, lambda: True)
    kinds = [one.kind if isinstance(one, Problem) else "sent" for one in results]
    assert sorted(kinds) == ([Kind.INTERRUPTED, "sent"] if is_double else ["sent", "sent"])
