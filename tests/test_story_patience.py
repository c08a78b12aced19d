"""Stories of the settings by which a run is held back: how fast it sends, and how long it may take."""

from __future__ import annotations

import os
import signal
import time

import pytest
from box import Box, uploads, wanted


@pytest.mark.parametrize("sizes", [[9_000_000], [4_000] * 300], ids=["a large file", "small files"])
def test_a_limit_of_bytes_a_second_is_kept(box: Box, sizes: list[int]) -> None:
    """It takes at least as long as the limit says: heads and answers come on top."""
    for number, size in enumerate(sizes):
        (box.tree / f"{number}.bin").write_bytes(os.urandom(size))
    limit = sum(sizes) // 2
    ended = box.backup(OSS_BACKUP_BANDWIDTH_LIMIT=f"{limit / 1e6:.3f}MB")
    assert ended.code == 0, ended.text
    assert box.objects() == wanted(box)
    assert ended.told.duration_seconds >= 2 * 0.9


@pytest.mark.slow
def test_what_is_there_at_the_deadline_is_committed_and_the_rest_is_told(box: Box) -> None:
    """Files and parts that the limit of bytes a second holds back; the shortest deadline is a minute."""
    for number in range(60):
        (box.tree / f"{number:02}.bin").write_bytes(os.urandom(100_000))
    (box.tree / "large").write_bytes(os.urandom(30 << 20))
    ended = box.backup("--deadline-minutes", "1", "--bandwidth-limit", "200KB", "--concurrency", "4")
    assert (ended.code, ended.told.status) == (3, "incomplete"), ended.text
    assert 60 < ended.told.duration_seconds < 115
    late = ended.told.problem_counts["file.late"]
    assert set(ended.told.problem_counts) == {"file.late"} and "`deadline-minutes`" in ended.text
    sent = ended.told.counts.files_uploaded
    assert late == ended.told.counts.files_failed and sent + late == 61 and sent > 0
    assert ended.told.counts.bytes_total == 60 * 100_000 + (30 << 20)
    [snapshot] = box.snapshots()
    assert len(box.objects()) == sent == snapshot[-1]["foot"]["files"] and not snapshot[-1]["foot"]["complete"]
    again = box.backup()
    assert (again.code, again.told.counts.files_uploaded) == (0, late) and box.objects() == wanted(box)
    assert uploads(box) == []


@pytest.mark.slow
def test_a_file_that_no_run_has_the_time_for_gets_there_all_the_same(box: Box) -> None:
    """Parts that a run sent before its deadline are not sent again."""
    (box.tree / "a").write_bytes(b"1")
    (box.tree / "large").write_bytes(os.urandom(40 << 20))
    sent = 0
    for _ in range(3):
        ended = box.backup("--deadline-minutes", "1", "--bandwidth-limit", "350KB")
        if ended.code == 0:
            break
        assert ended.code == 3 and set(ended.told.problem_counts) == {"file.late"}, ended.text
        assert uploads(box) == ["p/t/large"]
        sent += 1
    assert ended.code == 0 and sent in (1, 2), "one run sends half of it"
    assert box.objects() == wanted(box) and uploads(box) == [] and box.sent("oss.initiate") == 1


@pytest.mark.slow
def test_a_run_that_plans_once_more_has_no_more_time_for_it(box: Box) -> None:
    (box.tree / "large").write_bytes(os.urandom(30 << 20))
    process = box.start(
        "backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en",
        "--deadline-minutes", "1", "--bandwidth-limit", "200KB", XDG_STATE_HOME=str(box.folder / "other"),
    )  # fmt: skip
    begun = time.monotonic()
    while box.sent() < 2:  # the lease, and the lease that has the upload
        assert time.monotonic() < begun + 30 and process.poll() is None
        time.sleep(0.1)
    [held] = box.client().list_objects_v2("p/.oss-backup/snapshots/").object_list
    box.client().delete_object(held.key)
    assert box.backup().code == 0
    (box.tree / "more").write_bytes(os.urandom(30 << 20))
    text, _ = process.communicate(timeout=240)
    assert process.returncode == 3 and "`deadline-minutes`" in text, text
    assert 60 < time.monotonic() - begun < 100
    assert [snapshot[-1]["foot"]["complete"] for snapshot in box.snapshots()] == [True, False]


@pytest.mark.slow
def test_a_run_that_hangs_is_over_soon_after_its_deadline(box: Box) -> None:
    """The shortest deadline is a minute, and the grace another."""
    (box.tree / "a").write_bytes(b"1")
    box.post("faults", [{"kind": "stall", "request": "put", "seconds": 900, "count": -1}])
    process = box.start(
        "backup", "--path", "tree => t", "--prefix", "p", "--language", "en", "--deadline-minutes", "1"
    )  # fmt: skip
    try:
        text, _ = process.communicate(timeout=240)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 5 and "`deadline-minutes`" in text, text
    assert box.objects() == {} and box.snapshots() == []
