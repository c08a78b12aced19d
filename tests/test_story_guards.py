"""Stories of guards: a disaster on the disk is not mirrored into the bucket."""

import os
import shutil
from pathlib import Path

import pytest
from box import OWN_PUTS, RECORD, Box, wanted


def fill(tree: Path, files: int, size: int = 10) -> None:
    for number in range(files):
        path = tree / f"d{number % 3}" / f"{number}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(size))


def assert_refused(box: Box, *arguments: str, kind: str, puts: int) -> str:
    """The run ends 8 with this one problem, and has written nothing."""
    before = box.objects()
    ended = box.backup(*arguments)
    assert (ended.code, ended.told.status, ended.told.problem_counts) == (8, "refused", {kind: 1}), ended.text
    assert box.sent() == puts + RECORD and box.objects() == before and box.sent("oss.delete") == 0
    assert ended.told.kept and ended.told.recent, "what the bucket has is told all the more"
    return ended.text


def test_a_tree_that_lost_most_of_its_files_is_not_taken_for_the_new_state(box: Box) -> None:
    fill(box.tree, 20)
    assert box.backup().code == 0
    shutil.rmtree(box.tree / "d0")
    shutil.rmtree(box.tree / "d1")
    puts = box.sent()
    text = assert_refused(box, "--delete", kind="source.shrunk", puts=puts)
    puts += RECORD
    assert "70 % of the files are gone (20 → 6 files)" in text and "max-shrink" in text
    assert_refused(box, "--max-shrink", "69", kind="source.shrunk", puts=puts)
    ended = box.backup("--max-shrink", "70", "--delete")
    assert ended.code == 0 and box.objects() == wanted(box) and ended.told.deleted_objects == 14


def test_files_that_lost_most_of_their_bytes_are_no_new_state_either(box: Box) -> None:
    fill(box.tree, 10, 1000)
    assert box.backup().code == 0
    for number in range(0, 10):
        os.truncate(box.tree / f"d{number % 3}" / f"{number}.csv", 400)
    text = assert_refused(box, kind="source.shrunk", puts=box.sent())
    assert "60 % of the bytes are gone (10000 → 4000 bytes)" in text
    assert box.backup("--max-shrink", "60").code == 0


def test_half_may_go_and_a_place_that_is_no_longer_asked_for_does_not_count(box: Box) -> None:
    fill(box.tree, 12)
    one = ("backup", "--prefix", "p", "--source", "s", "--language", "en", "--path", "tree/d0 => d0")
    assert box.run(*one, "--path", "tree/d1 => d1", "--path", "tree/d2 => d2").code == 0
    assert box.run(*one).code == 0, "two of three places were dropped, which is told and no disaster"
    for name in sorted(os.listdir(box.tree / "d0"))[:2]:
        (box.tree / "d0" / name).unlink()
    assert box.run(*one).code == 0, "two of four"


def test_without_history_most_files_may_not_change(box: Box) -> None:
    fill(box.tree, 10)
    assert box.backup("--history", "none").code == 0
    for path in box.tree.rglob("*.csv"):
        os.utime(path, ns=(1, 1_700_000_000_000_000_000))
    puts = box.sent()
    touched = box.backup("--history", "none")
    assert touched.code == 0 and box.sent() == puts + OWN_PUTS, "touched is not changed"
    for number in range(6):
        (box.tree / f"d{number % 3}" / f"{number}.csv").write_bytes(os.urandom(10))
    text = assert_refused(box, "--history", "none", kind="source.changed", puts=box.sent())
    assert "6 or more have other content (60 %)" in text and "max-change" in text
    ended = box.backup("--history", "none", "--max-change", "60")
    assert (
        ended.code == 0 and ended.told.problem_counts == {"history.off": 1} and "old content of 6 files" in ended.text
    )


def test_without_history_a_removal_counts_as_a_change(box: Box) -> None:
    fill(box.tree, 10)
    assert box.backup("--history", "none").code == 0
    for number in range(5):
        (box.tree / f"d{number % 3}" / f"{number}.csv").unlink()
    (box.tree / "d2/5.csv").write_bytes(b"other 5678")
    assert_refused(box, "--history", "none", "--delete", kind="source.changed", puts=box.sent())
    assert box.backup("--history", "none").code == 0, "nothing is removed, and one file of ten has changed"


@pytest.mark.parametrize("where", ["history", "versions"])
def test_with_history_everything_may_change(box: Box, where: str) -> None:
    bucket = box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"] if where == "versions" else ""
    environ = {"OSS_BACKUP_BUCKET": bucket} if bucket else {}
    arguments = ("--history", "none") if bucket else ()
    fill(box.tree, 10)
    assert box.backup(*arguments, **environ).code == 0
    fill(box.tree, 10)
    ended = box.backup(*arguments, **environ)
    assert ended.code == 0 and ended.told.counts.files_uploaded == 10 and not ended.told.problems


def test_a_guard_counts_nothing_where_the_scan_is_incomplete_but_still_keeps_what_it_could_not_see(box: Box) -> None:
    """What is out of reach is not gone: `test_story_signals` has the stories of files that cannot be read."""
    fill(box.tree, 9)
    assert box.backup().code == 0
    ended = box.backup("--max-shrink", "0")
    assert ended.code == 0, "nothing is gone"
    (box.tree / "d0/0.csv").unlink()
    assert box.backup("--max-shrink", "0").code == 8
