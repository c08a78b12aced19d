"""A large file at the soft end of a run."""

import asyncio
import os
import stat
from pathlib import Path

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
from backup_action.core.entry import Sort
from backup_action.core.found import Found
from backup_action.core.plan import Item, Step
from backup_action.core.problem import Kind, Problem
from backup_action.core.selection import select
from backup_action.core.tally import Tally
from backup_action.transfer.copying import Copying
from backup_action.transfer.flow import Budget
from backup_action.transfer.large import Carried, Large
from backup_action.transfer.reading import Reading
from backup_action.vault import Vault


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
