"""A file brought by stretches, when it is no longer what its first reading saw: nothing of it becomes an object."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import fastcrc
import msgspec
import pytest

from backup_action.adapters.files.folder import Opener
from backup_action.adapters.files.read import Content, Unstable, read
from backup_action.adapters.files.scan import scan
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.control import Control
from backup_action.adapters.oss.data import Bucket, Written
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.core import place
from backup_action.core.parts import Stretch
from backup_action.core.problem import Stop
from backup_action.core.selection import select
from backup_action.core.tally import Tally
from backup_action.sandbox.serve import Sandbox
from backup_action.sandbox.world import Fault
from backup_action.transfer.flow import Budget
from backup_action.transfer.multipart import Multipart
from backup_action.transfer.patching import Patching, Uncopied

MIB = 1 << 20
SIZE = 4 * MIB + 77
SENT = [Stretch(at * MIB, min(MIB, SIZE - at * MIB)) for at in range(5)]
MIXED = [Stretch(0, 2 * MIB, copied=True), Stretch(2 * MIB, MIB), Stretch(3 * MIB, SIZE - 3 * MIB, copied=True)]


def digested(folder: Path, *, racy: bool) -> Content:
    """What a first reading saw of the file."""
    [found] = [one for one in scan(place.roots((f"{folder} => t",)), select((), ()), 1023).found if one.path != "t"]
    with Opener((str(folder),)) as opener:
        content = read(found, opener, 0)
    assert isinstance(content, Content) and len(content.crcs) == 5
    entry = msgspec.structs.replace(content.entry, racy=racy)
    return Content(entry, whole=False, crcs=content.crcs)


def brought(
    cloud: Sandbox, file: Path, first: Content, plan: Sequence[Stretch], old: bytes, held: int = MIB, other: bytes = b""
) -> bytes:
    """The object that the plan makes of the old one; `other` is what somebody puts into its place before."""
    keys = cloud.environment

    async def credentials(_: Credentials | None) -> Credentials:
        return Credentials(keys["OSS_SANDBOX_ACCESS_KEY_ID"], keys["OSS_SANDBOX_ACCESS_KEY_SECRET"])

    async def work() -> bytes:
        at = Place(keys["OSS_SANDBOX_BUCKET"], keys["OSS_BACKUP_REGION"], keys["OSS_BACKUP_ENDPOINT"])
        async with Bucket(Attempts(at, credentials), connections=8) as bucket:
            control, etag = Control(bucket), (await bucket.put("k", old, fastcrc.crc64.xz(old))).etag
            if other:
                await bucket.put("k", other, fastcrc.crc64.xz(other))
            upload = Multipart("k", await control.begin("k", {}), {}, bucket, Tally())
            with file.open("rb") as opened:
                budget = Budget(2 * MIB)
                patching = Patching(upload, opened.fileno(), first, budget, held)
                try:
                    parts: list[Written] = await patching.parts(plan, etag)
                finally:
                    assert budget.has(2 * MIB), "what was held is given back"
            await control.complete("k", upload.id, parts, first.entry.crc64)
            answer = await bucket.get("k")
            assert answer is not None
            return answer.body

    return asyncio.run(asyncio.wait_for(work(), 60))


@pytest.mark.parametrize("held", [MIB, MIB // 2], ids=["held", "read as they are sent"])
@pytest.mark.parametrize("plan", [SENT, MIXED], ids=["sent", "mixed"])
@pytest.mark.parametrize("racy", [False, True])
def test_stretches_make_the_file(cloud: Sandbox, tmp_path: Path, plan: list[Stretch], held: int, racy: bool) -> None:
    new = os.urandom(SIZE)
    (tmp_path / "f").write_bytes(new)
    old = new[: 2 * MIB] + bytes(MIB) + new[3 * MIB :]
    first = digested(tmp_path, racy=racy)
    assert brought(cloud, tmp_path / "f", first, plan, old, held) == new
    copied = sum(one.copied for one in plan)
    assert cloud.world.counts["oss.part-copy"] == copied and cloud.world.counts["oss.part"] == len(plan) - copied


@pytest.mark.parametrize("held", [MIB, MIB // 2], ids=["held", "read as they are sent"])
@pytest.mark.parametrize(
    ("at", "racy", "is_seen"),
    [(2 * MIB + 1, False, True), (0, True, True), (SIZE - 1, True, True), (0, False, False)],
)  # fmt: skip
def test_bytes_that_changed_since_the_first_reading_are_not_taken(
    cloud: Sandbox, tmp_path: Path, at: int, racy: bool, is_seen: bool, held: int
) -> None:
    """What is copied is looked at again only where the file's times may hide a change; there is one more look later."""
    new = os.urandom(SIZE)
    (tmp_path / "f").write_bytes(new)
    first = digested(tmp_path, racy=racy)
    with (tmp_path / "f").open("r+b") as file:
        file.seek(at)
        file.write(bytes([new[at] ^ 1]))
    if is_seen:
        with pytest.raises(Unstable):
            brought(cloud, tmp_path / "f", first, MIXED, new, held)
        assert cloud.world.counts["oss.complete"] == 0
    else:
        assert brought(cloud, tmp_path / "f", first, MIXED, new, held) == new, "what the first reading saw"


def test_a_stretch_that_waited_while_another_failed_keeps_nothing(cloud: Sandbox, tmp_path: Path) -> None:
    """Its turn comes with the end of the one that fails, and its task is cancelled before its first step."""
    new = os.urandom(SIZE)
    (tmp_path / "f").write_bytes(new)
    first = digested(tmp_path, racy=False)
    with (tmp_path / "f").open("r+b") as file:
        file.write(bytes([new[0] ^ 1]))
    with pytest.raises(Unstable):
        brought(cloud, tmp_path / "f", first, SENT, new)


@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [
        (404, "NoSuchKey", Uncopied),
        (412, "PreconditionFailed", Uncopied),
        (403, "AccessDenied", Uncopied),
        (403, "InvalidObjectState", Uncopied),
        (501, "NotImplemented", Uncopied),
        (403, "UserDisable", Stop),
    ],
)
def test_a_refused_copy_is_not_a_refused_file(
    cloud: Sandbox, tmp_path: Path, status: int, code: str, raised: type[Exception]
) -> None:
    """Unless the bytes would meet the same refusal."""
    (tmp_path / "f").write_bytes(os.urandom(SIZE))
    cloud.world.faults = [Fault("status", request="part-copy", status=status, code=code, count=-1)]
    with pytest.raises(raised):
        brought(cloud, tmp_path / "f", digested(tmp_path, racy=False), MIXED, bytes(SIZE))
    assert cloud.world.counts["oss.complete"] == 0


def test_nothing_is_copied_of_an_object_that_took_the_place_of_the_old_one(cloud: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(os.urandom(SIZE))
    first = digested(tmp_path, racy=False)
    with pytest.raises(Uncopied):
        brought(cloud, tmp_path / "f", first, MIXED, os.urandom(SIZE), other=os.urandom(SIZE))
    assert cloud.world.counts["oss.complete"] == 0


@pytest.mark.parametrize("held", [MIB, MIB // 2], ids=["held", "read as they are sent"])
def test_a_file_that_became_shorter_is_not_taken(cloud: Sandbox, tmp_path: Path, held: int) -> None:
    (tmp_path / "f").write_bytes(os.urandom(SIZE))
    first = digested(tmp_path, racy=False)
    os.truncate(tmp_path / "f", 2 * MIB + 5)
    with pytest.raises(Unstable):
        brought(cloud, tmp_path / "f", first, SENT, b"", held)


@pytest.mark.parametrize("at", range(4))
def test_a_stretch_that_fails_keeps_nothing_of_the_budget(cloud: Sandbox, tmp_path: Path, at: int) -> None:
    """Nor does the stretch that was waiting for what the failing one gave back: it is ended before it begins."""
    new = os.urandom(SIZE)
    (tmp_path / "f").write_bytes(new)
    first = digested(tmp_path, racy=False)
    with (tmp_path / "f").open("r+b") as file:
        file.seek(at * MIB)
        file.write(bytes([new[at * MIB] ^ 1]))
    with pytest.raises(Unstable):
        brought(cloud, tmp_path / "f", first, SENT, b"")
