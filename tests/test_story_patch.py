"""Stories of large files that grew or changed in places: what the bucket has of them is copied there and not sent."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from box import Box, Ended, disk, uploads, wanted

from backup_action.adapters.files.read import RACY_NS
from backup_action.core.problem import Kind
from backup_action.sandbox.serve import Sandbox

MIB = 1 << 20
SIZE = 33 * MIB  # more than files without digests of their blocks have
OVERHEAD = MIB // 4  # bytes of all requests but those that carry content


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Box]:
    """A box with a sandbox of its own, for what a killed run leaves stalled in it."""
    with Sandbox() as sandbox:
        yield Box(sandbox, tmp_path)


def write(box: Box, data: bytes, at: int = 0, name: str = "large") -> None:
    """Writes into the file in its place, as a program does that changes some of it."""
    path = box.tree / name
    path.touch()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


class Since:
    """What the bucket was asked since this was made."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._before = box.counts()

    def __call__(self, kind: str) -> int:
        return self._box.counts().get(kind, 0) - self._before.get(kind, 0)

    def has_sent(self, size: int) -> bool:
        """Whether the content that was sent has so many bytes."""
        return size <= self("bytes_in") <= size + OVERHEAD


def backed_up(box: Box, new: int, *arguments: str, **environ: str) -> Ended:
    """A run after which all is whole, and that says that it sent so many bytes."""
    ended = box.backup(*arguments, **environ)
    assert ended.code == 0, ended.text
    assert ended.told.counts.bytes_uploaded == new, ended.text
    assert box.objects()["t/large"] == wanted(box)["t/large"] and uploads(box) == []
    assert all(entry["kind"] != "file" or not entry.get("stale") for entry in box.snapshots()[-1][1:-1])
    return ended


def assert_restored(box: Box, ids: list[str], trees: list[dict[str, str]], **environ: str) -> None:
    for id, tree in zip(ids, trees, strict=True):
        told = ("--prefix", "p", "--source", "story", "--language", "en", "--snapshot", id, "--target", id)
        assert box.run("restore", *told, **environ).code == 0
        assert disk(box.folder / id / "t") == tree


def id_of(ended: Ended) -> str:
    assert ended.told.snapshot
    return ended.told.snapshot.id


def test_only_the_blocks_that_changed_are_sent_and_every_snapshot_can_be_restored(box: Box) -> None:
    """Grown and changed in places, cut off, and at last shifted by a byte, which makes all of its blocks new."""
    write(box, os.urandom(SIZE + 500))
    ids, trees = [id_of(backed_up(box, SIZE + 500))], [disk(box.tree)]

    write(box, b"12", at=20 * MIB - 1)
    write(box, os.urandom(2 * MIB), at=SIZE + 500)
    since = Since(box)
    ids, trees = [*ids, id_of(backed_up(box, 4 * MIB + 500))], [*trees, disk(box.tree)]
    assert since.has_sent(4 * MIB + 500), "two blocks for two bytes, and what follows the last whole block"
    assert (since("oss.part"), since("oss.part-copy"), since("oss.copy")) == (2, 2, 1), "the last is for the history"

    os.truncate(box.tree / "large", 32 * MIB + 5)
    since = Since(box)
    ids, trees = [*ids, id_of(backed_up(box, 5))], [*trees, disk(box.tree)]
    assert since.has_sent(5) and (since("oss.part"), since("oss.part-copy")) == (1, 1)

    data = (box.tree / "large").read_bytes()
    write(box, b"x" + data)
    since = Since(box)
    ids, trees = [*ids, id_of(backed_up(box, len(data) + 1))], [*trees, disk(box.tree)]
    assert since.has_sent(len(data) + 1) and (since("oss.part"), since("oss.part-copy")) == (5, 0)
    assert_restored(box, ids[:2], trees[:2])


def test_on_a_versioned_bucket_nothing_else_is_copied(box: Box) -> None:
    bucket = box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"]
    write(box, os.urandom(SIZE))
    first = box.backup(OSS_BACKUP_BUCKET=bucket)
    trees = [disk(box.tree)]
    write(box, b"1", at=MIB)
    since = Since(box)
    second = box.backup(OSS_BACKUP_BUCKET=bucket)
    assert (first.code, second.code) == (0, 0) and second.told.target.versioning == "Enabled"
    assert since.has_sent(MIB) and (since("oss.part-copy"), since("oss.copy")) == (2, 0)
    assert_restored(box, [id_of(first), id_of(second)], [*trees, disk(box.tree)], OSS_BACKUP_BUCKET=bucket)


def test_a_dry_run_tells_what_would_be_sent(box: Box) -> None:
    write(box, os.urandom(SIZE))
    backed_up(box, SIZE)
    write(box, b"1")
    since = Since(box)
    assert box.backup("--dry-run").told.counts.bytes_uploaded == MIB
    assert since.has_sent(0)


def fault(kind: str, request: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "request": request, "key": "p/t/*", **more}


def test_what_oss_does_not_copy_is_sent(box: Box) -> None:
    """Said only where a right is missing, since the next run will miss it too."""
    write(box, os.urandom(SIZE))
    backed_up(box, SIZE)
    for code in ("InvalidObjectState", "AccessDenied"):
        write(box, code.encode(), at=7)
        box.post("faults", [fault("status", "part-copy", status=403, code=code, count=-1)])
        ended = backed_up(box, SIZE)
        told = [(one.kind, one.facts["code"]) for one in ended.told.problems]
        assert told == ([(Kind.BLOCKS_REFUSED, code)] if code == "AccessDenied" else []), ended.text
    box.post("faults", [])
    write(box, b"x", at=7)
    assert not backed_up(box, MIB).told.problems, "the next run asks again"


@pytest.mark.slow
def test_a_missing_right_is_told_once_and_tried_no_more(box: Box) -> None:
    names = [f"{number}" for number in range(6)]
    for name in ["large", *names]:
        write(box, bytes([1]) * SIZE, name=name)
    assert box.backup().code == 0
    for name in ["large", *names]:
        write(box, b"x", at=8 * MIB, name=name)
    box.post("faults", [fault("status", "part-copy", status=403, code="AccessDenied", count=-1)])
    since = Since(box)
    ended = box.backup()
    assert ended.code == 0 and box.objects().items() >= wanted(box).items()
    assert [one.kind for one in ended.told.problems] == [Kind.BLOCKS_REFUSED]
    assert 0 < since("oss.part-copy") <= 4 * 2, "of the files that are under way at a time, and of no other"


@pytest.mark.parametrize(
    "faults",
    [
        [fault("alter", "part-copy", after=MIB)],
        [fault("drop-header", "complete", header="x-oss-hash-crc64ecma"),
         fault("drop-header", "head", header="x-oss-hash-crc64ecma", count=3)],
    ],
    ids=["another content", "no proof"],
)  # fmt: skip
def test_copies_that_are_not_proven_do_not_count(box: Box, faults: list[dict[str, Any]]) -> None:
    write(box, os.urandom(SIZE))
    backed_up(box, SIZE)
    write(box, b"x", at=SIZE - 1)
    box.post("faults", faults)
    since = Since(box)
    ended = backed_up(box, SIZE)
    assert [(one.kind, one.where, one.facts) for one in ended.told.problems] == [
        (Kind.BLOCKS_UNPROVEN, "t/large", {"count": "1"})
    ]
    assert since.has_sent(SIZE + MIB) and since("oss.complete") == 2


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def has_struck(box: Box) -> bool:
    return all(one.count == 0 for one in box.sandbox.world.faults)


@pytest.mark.parametrize(
    ("request_", "at"),
    [("copy", 0), ("initiate", 12 * MIB), ("part-copy", 0)],
    ids=["before it is opened again", "before it is read again", "after all of it was read"],
)
def test_a_file_that_changes_under_way_is_taken_as_it_is_then(box: Box, request_: str, at: int) -> None:
    """Never half old, half new, and not as it was when the run began. The first of these copies is the history's."""
    write(box, os.urandom(SIZE))
    backed_up(box, SIZE)
    write(box, b"x", at=12 * MIB)
    if request_ == "copy":
        time.sleep(RACY_NS / 1e9)  # until its times can hide no change, so that what is copied is not read again
    box.post("faults", [fault("stall", request_, seconds=1.0) | {"key": "p/*"}])
    process = box.start("backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en")
    until(lambda: has_struck(box))
    write(box, b"y", at=at + 5)
    ended = box.end(process)
    assert ended.code == 0 and not ended.told.problems, ended.text
    assert box.objects()["t/large"] == wanted(box)["t/large"] and uploads(box) == []
    assert ended.told.counts.bytes_uploaded == (MIB if at else 2 * MIB), "by the plan that was made anew"


def killed(box: Box, *faults: dict[str, Any]) -> None:
    """A run that is killed while parts stall, and the lease tells of the upload."""
    box.post("faults", list(faults))
    puts = box.sent()
    process = box.start("backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en")
    until(lambda: box.sent() >= puts + 2)  # the lease, and the lease that has the upload
    process.kill()
    process.communicate()
    box.post("faults", [])
    assert uploads(box) == ["p/t/large"]


def test_a_patch_that_was_killed_is_gone_on_with(own: Box) -> None:
    write(own, os.urandom(SIZE))
    backed_up(own, SIZE)
    write(own, b"x", at=8 * MIB)
    killed(own, fault("stall", "part", seconds=60, count=-1))
    since = Since(own)
    backed_up(own, MIB)
    assert (since("oss.initiate"), since("oss.part-copy")) == (0, 0) and since.has_sent(MIB)


@pytest.mark.parametrize("is_patch_first", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_parts_of_a_patch_and_of_a_whole_file_are_never_mixed(own: Box, is_patch_first: bool) -> None:
    """Though their first parts have the same number and the same size."""
    old, other = os.urandom(SIZE), os.urandom(SIZE)
    write(own, old)
    backed_up(own, SIZE)
    patched = old[: 8 * MIB] + b"x" + old[8 * MIB + 1 :]
    before, after = (patched, other) if is_patch_first else (other, patched)
    write(own, before)
    killed(own, fault("stall", "part", seconds=60, count=-1, skip=0 if is_patch_first else 3))
    write(own, after)
    since = Since(own)
    ended = backed_up(own, SIZE if is_patch_first else MIB)
    assert not ended.told.problems and since("oss.initiate") == since("oss.abort") == 1
