"""Stories of two hosts that back one source up at once: no snapshot of either loses what it names.

What waits is told to wait by the sandbox, never by a clock of the test.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import oss2.models
import pytest
from box import Box
from reader import Bucket
from test_story_history import Tree, command, done, lay, own, sha, struck  # noqa: F401  (`own` is a fixture)

DEAD = {"id": "20260101T000000Z-00000000", "host": "x", "owner": "y"}


def other(box: Box, tree: Tree, *options: str) -> subprocess.Popen[str]:
    """A run on another host that has these files."""
    folder = box.folder / "elsewhere"
    for name, data in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    arguments = [word.replace("tree =>", "elsewhere =>") for word in command(*options)]
    bucket = box.sandbox.environment["OSS_SANDBOX_BUCKET"]
    return box.start(*arguments, XDG_STATE_HOME=str(box.folder / "other"), OSS_BACKUP_BUCKET=bucket)


def until(box: Box, faults: int, process: subprocess.Popen[str]) -> None:
    """Waits until so many faults are used up."""
    while struck(box) < faults:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def stall(request: str, key: str, seconds: float, skip: int = 0) -> dict[str, object]:
    return {"kind": "stall", "request": request, "key": key, "seconds": seconds, "count": 1, "skip": skip}


def assert_all_whole(box: Box, *trees: Tree) -> None:
    """The snapshots are of these trees, in order, and each can be read."""
    state = Bucket(box.client(), "p/")
    found = state.committed()
    assert [state.read_whole(one) for one in found] == [one.files for one in found]
    assert [one.files for one in found] == [{f"t/{n}": sha(d) for n, d in tree.items()} for tree in trees]


def lease(box: Box) -> str:
    return f"p/.oss-backup/snapshots/{box.snapshots()[-1][0]['head']['id']}.lease"


@pytest.mark.parametrize("versioning", ["", "suspended"])
def test_a_run_whose_parent_is_no_longer_the_newest_plans_anew_before_it_writes(own: Box, versioning: str) -> None:  # noqa: F811
    """It looked at the bucket before another run began, and comes to write when that has committed."""
    box = own
    if versioning:  # there the header that lets one of many in is ignored
        for state in ("Enabled", "Suspended"):
            box.client().put_bucket_versioning(oss2.models.BucketVersioningConfig(state))
    one, two, three = ({"x": data, "y": b"y"} for data in (b"one", b"two", b"three"))
    lay(box, one)
    assert box.run(*command()).code == 0
    box.post("faults", [stall("list", "*", 4, skip=1)])
    late = other(box, three)
    until(box, 1, late)
    lay(box, two)
    assert box.run(*command()).code == 0
    box.post("settings", {"clock_offset": 400})  # and its lease has run out
    text, _ = late.communicate(timeout=60)
    assert late.returncode == 0, text
    assert_all_whole(box, one, two, three)
    found = oss2.ObjectIteratorV2(box.client(), prefix="p/.oss-backup/ledger/")
    told = [json.loads(box.client().get_object(item.key).read())["status"] for item in found]
    assert told == ["ok"] * 3, "what began again is one run in the ledger, and no failure"


def test_of_two_runs_that_find_a_dead_lease_one_takes_over(box: Box) -> None:
    one, two, three = ({"x": data} for data in (b"one", b"two", b"three"))
    lay(box, one)
    assert box.run(*command()).code == 0
    box.client().put_object(lease(box), json.dumps(DEAD | {"released": True}))
    box.post("faults", [stall("put", "*.lease", 3), stall("put", "p/t/x", 5)])
    slow = other(box, three)
    until(box, 1, slow)
    lay(box, two)
    fast = box.start(*command())
    until(box, 2, fast)
    texts = [run.communicate(timeout=60)[0] for run in (slow, fast)]
    assert (slow.returncode, fast.returncode) == (7, 0), texts
    assert "Another run of the same source" in texts[0]
    assert_all_whole(box, one, two)


def test_while_old_objects_are_removed_no_run_begins_elsewhere(box: Box) -> None:
    one, two, three = {"x": b"one", "y": b"y"}, {"y": b"y"}, {"x": b"three", "y": b"y"}
    lay(box, one)
    assert box.run(*command("--delete")).code == 0
    box.post("faults", [stall("delete*", "p/t/x", 4)])
    lay(box, two)
    removing = box.start(*command("--delete"))
    until(box, 1, removing)
    busy = other(box, three, "--delete")
    text, _ = busy.communicate(timeout=60)
    assert busy.returncode == 7 and "under way" in text
    removing.communicate(timeout=60)
    assert removing.returncode == 0 and set(box.objects()) == {"t/y"}
    again = other(box, three, "--delete")
    text, _ = again.communicate(timeout=60)
    assert again.returncode == 0, text
    assert_all_whole(box, one, two, three)


def test_nothing_is_removed_once_another_run_has_begun(box: Box) -> None:
    lay(box, {"x": b"one", "y": b"y"})
    assert box.run(*command("--delete")).code == 0
    lay(box, {"y": b"y"})
    box.post("faults", [stall("head", "*.jsonl.zst", 3)])  # by now it has put its snapshot
    ending = box.start(*command("--delete"))
    until(box, 1, ending)
    box.client().put_object(lease(box), json.dumps(DEAD))
    text, _ = ending.communicate(timeout=60)
    assert ending.returncode == 0 and "another run of the same source has begun" in text.lower(), text
    assert set(box.objects()) == {"t/x", "t/y"} and done(box, "delete*", "p/t/*") == []
    assert json.loads(box.client().get_object(lease(box)).read()) == DEAD


def test_what_took_the_place_of_a_lease_is_not_released(box: Box) -> None:
    lay(box, {"x": b"one"})
    assert box.run(*command()).code == 0
    lay(box, {"x": b"two"})
    box.post("faults", [stall("put", "p/t/x", 2)])
    loser = box.start(*command())
    until(box, 1, loser)
    box.client().put_object(lease(box), json.dumps(DEAD))
    loser.communicate(timeout=60)
    assert loser.returncode == 7
    assert json.loads(box.client().get_object(lease(box)).read()) == DEAD


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00\xff", b"[" * 100_000, b"x" * (200 << 20), b'{"id": 1e999}', b'{"id":"a","host":"b","owner":"c"} x'],
    ids=["empty", "binary", "deep", "huge", "number", "tail"],
)
def test_what_is_no_lease_is_passed_over_and_stays(box: Box, body: bytes) -> None:
    lay(box, {"x": b"one"})
    assert box.run(*command()).code == 0
    key = lease(box)
    box.client().put_object(key, body)
    running = box.start(*command())
    peak = 0
    while running.poll() is None:
        told = Path(f"/proc/{running.pid}/status").read_text()
        peak = max([peak, *(int(line.split()[1]) for line in told.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.01)
    assert box.end(running).code == 0 and peak < 200_000, "KiB; not in memory as a whole"
    assert box.client().head_object(key).content_length == len(body)


def test_uploads_that_no_run_of_ours_can_have_begun_are_left_alone(box: Box) -> None:
    lay(box, {"x": b"one"})
    assert box.run(*command()).code == 0
    key, id = "other/place", box.client().init_multipart_upload("other/place").upload_id
    uploads = [["p/t/x", "", 8 << 20, ""], [key, id, 8 << 20, ""], ["", id, 8 << 20, ""], ["p/t/x", "none", 1, ""]]
    box.client().put_object(lease(box), json.dumps(DEAD | {"released": True, "uploads": uploads}))
    before = len(box.sandbox.world.log)
    ended = box.run(*command())
    assert (ended.code, ended.told.problem_counts) == (0, {}), ended.text
    asked = [line["key"] for line in box.sandbox.world.log[before:] if line["request"] == "abort"]
    assert asked == ["p/t/x"] and box.objects() == {"t/x": sha(b"one")}


@pytest.mark.parametrize("history", ["none", "auto"])
def test_a_put_that_was_done_in_spite_of_a_refusal_is_not_called_the_old_content(box: Box, history: str) -> None:
    """Its answer is lost, and the next one says that nothing may be put there."""
    lay(box, {"x": b"one", "y": b"y"})
    assert box.run(*command("--history", history)).code == 0
    lay(box, {"x": b"two", "y": b"y"})
    refusal = {"kind": "status", "request": "put", "key": "p/t/x", "status": 409, "code": "FileImmutable", "count": 1}
    box.post("faults", [{"kind": "lose-reply", "request": "put", "key": "p/t/x", "count": 1}, refusal])
    assert box.run(*command("--history", history)).code == 3
    state = Bucket(box.client(), "p/")
    last = state.committed()[-1]
    assert state.read_whole(last) == last.files
    assert set(last.files) == ({"t/y"} if history == "none" else {"t/x", "t/y"})
    box.post("faults", [])
    assert box.run(*command("--history", history)).code == 0
    assert box.snapshots()[-1][-1]["foot"]["complete"]


def test_a_lock_file_that_is_no_file_does_not_hold_a_run_up(box: Box) -> None:
    lay(box, {"x": b"one"})
    assert box.run(*command()).code == 0
    [lock] = (box.state / "oss-backup/locks").iterdir()
    lock.unlink()
    os.mkfifo(lock)
    assert box.run(*command()).code == 0


def test_a_place_that_another_source_left_is_not_written_over(box: Box) -> None:
    """Its older snapshots name what lies there, and nobody would keep that before it is overwritten."""
    common = ("backup", "--prefix", "p", "--language", "en", "--max-shrink", "100", "--path")
    lay(box, {"x": b"one", "u/z": b"z"})
    assert box.run(*common, "tree => t", "--source", "one").code == 0
    assert box.run(*common, "tree/u => u", "--source", "one").code == 0
    lay(box, {"x": b"two", "u/z": b"z"})
    ended = box.run(*common, "tree => t", "--source", "two")
    assert (ended.code, ended.told.problem_counts) == (2, {"sources.overlap": 1}), ended.text
    assert "another source" in ended.text
    assert box.run(*common, "tree => elsewhere", "--source", "two").code == 0
    state = Bucket(box.client(), "p/")
    assert [state.read_whole(found) == found.files for found in state.committed()] == [True] * 3
    assert box.run(*common, "tree => t", "--path", "tree/u => u", "--source", "one").code == 0, "it may come back"


def test_a_suspended_bucket_lets_nobody_write_over_the_lease_of_a_run_that_is_alive(own: Box) -> None:  # noqa: F811
    """There OSS would: the run that comes looked at the bucket before the other one's lease was there."""
    box, one, two, three = own, {"x": b"one"}, {"x": b"two"}, {"x": b"three"}
    for state in ("Enabled", "Suspended"):
        box.client().put_bucket_versioning(oss2.models.BucketVersioningConfig(state))
    lay(box, one)
    assert box.run(*command()).code == 0
    box.post("faults", [stall("list", "*", 3, skip=1), stall("put", "p/t/x", 6)])
    late = other(box, two)
    until(box, 1, late)
    lay(box, three)
    alive = box.start(*command())
    text, _ = late.communicate(timeout=60)
    assert late.returncode == 7 and "under way" in text, text
    alive.communicate(timeout=60)
    assert alive.returncode == 0
    assert_all_whole(box, one, three)


def test_a_snapshot_that_somebody_stored_anew_is_not_the_newest_for_that(box: Box) -> None:
    """As whoever changes the class of all that lies below a prefix does, in any order: OSS then gives it a new time."""
    trees: list[Tree] = [{"x": b"one"}, {"x": b"two"}, {"x": b"three"}]
    for tree in trees[:2]:
        lay(box, tree)
        assert box.run(*command()).code == 0
        time.sleep(1.1)  # ids and OSS's clock count seconds
    first = f"p/.oss-backup/snapshots/{box.snapshots()[0][0]['head']['id']}.jsonl.zst"
    box.client().put_object(first, box.client().get_object(first).read())
    lay(box, trees[2])
    assert box.run(*command()).code == 0
    assert_all_whole(box, *trees)
