"""Stories of large files whose run was killed half-way: what OSS has of them is not sent again."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import oss2
import pytest
from box import Box, uploads, wanted

from backup_action.core.verification import Share
from backup_action.sandbox.serve import Sandbox

PART = 8 << 20
PARTS = 5


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A box with a sandbox of its own: a stand-in goes on with what it stalled, when the client is long gone."""
    with Sandbox() as sandbox:
        yield Box(sandbox, tmp_path)


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def killed(box: Box, *shard: str) -> None:
    """A first run that is killed while the last part of its large file stalls, and the lease tells of the upload."""
    (box.tree / "large").write_bytes(os.urandom(PART * PARTS - 5))
    old = time.time_ns() - 10_000_000_000
    os.utime(box.tree / "large", ns=(old, old))
    stall = {"kind": "stall", "request": "part", "skip": PARTS - 1, "count": -1, "seconds": 60}
    box.post("faults", [stall])
    given = ("--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en", *shard)
    process = box.start("backup", *given)
    if shard:  # its lease is that of others too, and what it has begun is noted beside it
        until(lambda: bool(noted(box)))
    until(lambda: box.sent() >= 2)  # the lease, and the lease that has the upload
    process.kill()
    process.communicate()
    box.post("faults", [])
    assert uploads(box) == ["p/t/large"] and box.snapshots() == []


def test_a_killed_upload_is_resumed_and_only_the_missing_part_is_sent(box: Box) -> None:
    killed(box)
    before = box.counts()
    ended = box.backup()
    assert ended.code == 0 and not ended.told.problems, ended.text
    after = box.counts()
    assert after["oss.initiate"] == before["oss.initiate"] == 1
    assert after["oss.part"] - before.get("oss.part", 0) <= 2, "the one that stalled, and perhaps its stalled twin"
    assert after["bytes_in"] - before["bytes_in"] < 1.5 * PART
    assert box.objects() == wanted(box) and uploads(box) == []


def noted(box: Box) -> list[bytes]:
    """What stands there of uploads of shards."""
    return [box.client().get_object(key).read() for key in notes(box)]


def notes(box: Box) -> list[str]:
    """Their keys."""
    found = oss2.ObjectIteratorV2(box.client(), prefix="p/.oss-backup/shards/")
    return [one.key for one in found if ".uploads/" in one.key]


@pytest.mark.parametrize("is_shard", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_killed_upload_is_resumed_by_the_shard_whose_file_it_is_whatever_its_group(box: Box, is_shard: bool) -> None:
    owner, other = ("1/2", "2/2") if Share(1, 2).has("t/large") else ("2/2", "1/2")
    killed(box, *(("--shard", owner, "--shard-group", "one") if is_shard else ()))
    box.post("settings", {"clock_offset": 400})  # the lease has run out
    before = box.counts()
    assert box.backup("--shard", other, "--shard-group", "two").code == 0
    assert uploads(box) == ["p/t/large"], "it is not that one's to end"
    ended = box.backup("--shard", owner, "--shard-group", "two")
    assert ended.code == 0 and not ended.told.problems, ended.text
    after = box.counts()
    assert after["oss.initiate"] == before["oss.initiate"] == 1
    assert after["bytes_in"] - before["bytes_in"] < 1.5 * PART
    assert noted(box) == [b"[]"] * is_shard
    done = box.run("merge", "--prefix", "p", "--source", "story", "--shard-group", "two")
    assert done.code == 0, done.text
    assert box.objects() == wanted(box) and uploads(box) == []


def test_a_note_that_nobody_can_read_tells_of_no_upload(box: Box) -> None:
    owner = "1/2" if Share(1, 2).has("t/large") else "2/2"
    killed(box, "--shard", owner, "--shard-group", "one")
    box.post("settings", {"clock_offset": 400})  # the lease has run out
    [key] = notes(box)
    box.client().put_object(key, b'[["p/t/large", "\xff", 1, ""]]')
    ended = box.backup("--shard", owner, "--shard-group", "two")
    assert ended.code == 0, ended.text
    assert box.counts()["oss.initiate"] == 2


def test_a_part_whose_content_is_new_is_sent_again(box: Box) -> None:
    killed(box)
    with (box.tree / "large").open("r+b") as file:
        file.seek(PART + 1000)
        file.write(os.urandom(10))
    before = box.counts()["bytes_in"]
    ended = box.backup()
    assert ended.code == 0, ended.text
    assert 1.5 * PART < box.counts()["bytes_in"] - before < 2.5 * PART, "that part, and the one that was missing"
    assert box.objects() == wanted(box) and uploads(box) == []


def test_an_upload_that_nobody_needs_any_more_is_ended(box: Box) -> None:
    killed(box)
    (box.tree / "large").unlink()
    (box.tree / "small").write_bytes(b"1")
    assert box.backup().code == 0
    assert uploads(box) == [] and box.objects() == wanted(box)


def test_an_upload_of_another_storage_class_is_begun_anew(box: Box) -> None:
    killed(box)
    assert box.backup("--storage-class", "IA").code == 0
    head = box.client().head_object("p/t/large")
    assert head.headers["x-oss-storage-class"] == "IA" and uploads(box) == []
    assert box.counts()["oss.initiate"] == 2


def test_an_upload_that_was_ended_by_somebody_is_begun_anew(box: Box) -> None:
    killed(box)
    [upload] = list(oss2.MultipartUploadIterator(box.client()))
    box.client().abort_multipart_upload(upload.key, upload.upload_id)
    assert box.backup().code == 0
    assert box.objects() == wanted(box) and uploads(box) == []
