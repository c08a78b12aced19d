"""Stories of alarms: what changed silently, far more than usual, or looks encrypted is told, and the good version kept.

A silent change cannot be made without a broken disk: no program can set a file's time of change. So the parent snapshot
is written anew in the bucket, to say of the file that is on the disk now that it has the old content.
"""

import asyncio
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from box import OWN_PUTS, Box, Ended, disk, wanted
from reader import Bucket as State

from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.core.problem import Stop
from backup_action.core.snapshot import Snapshot, Writer
from backup_action.vault import Vault, alarms

LARGE = (8 << 20) + 5  # bytes; sent in parts
SILENT = {"alarm.silent-change"}


def table(seed: int, size: int = 2000) -> bytes:
    """Text that compresses."""
    rng = random.Random(seed)
    return b"".join(b"%d,%.2f\n" % (n, rng.gauss(100, 1)) for n in range(size // 8))[:size]


def fill(tree: Path, files: int) -> None:
    for number in range(files):
        path = tree / f"d{number % 3}" / f"{number}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(table(number))


def scramble(box: Box, bucket: str, *names: str) -> tuple[dict[str, str], dict[str, str]]:
    """Changes these files silently; their SHA-256 before and now."""
    before = disk(box.tree)
    for name in names:
        path = box.tree / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    client = box.client(bucket)
    lines = box.snapshots(bucket)[-1]
    key = f"p/.oss-backup/snapshots/{lines[0]['head']['id']}.jsonl.zst"
    stored = Snapshot(client.get_object(key).read())
    writer = Writer(stored.head)
    for entry in stored.entries():
        info = os.stat(box.tree / entry.path[2:])
        times = {"mtime_ns": info.st_mtime_ns, "ctime_ns": info.st_ctime_ns, "inode": info.st_ino, "racy": False}
        writer.add(msgspec.structs.replace(entry, **times) if entry.is_file else entry)
    client.put_object(key, bytes(writer.finish({}, complete=True)[0]))
    return before, disk(box.tree)


def raised(box: Box, bucket: str = "") -> dict[str, dict[str, Any]]:
    """What stands among the alarms, by its name."""
    client = box.client(bucket)
    found = client.list_objects_v2(prefix="p/.oss-backup/alarms/").object_list
    return {item.key.rsplit("/", 1)[1]: json.loads(client.get_object(item.key).read()) for item in found}


def assert_quiet(box: Box, ended: Ended) -> None:
    assert ended.code == 0 and not ended.told.problems, ended.text
    assert box.objects() == wanted(box)


def assert_whole(box: Box, bucket: str = "") -> None:
    """Every snapshot can be read from end to end."""
    state = State(box.client(bucket), "p/")
    for snapshot in state.committed():
        assert state.read_whole(snapshot) == snapshot.files


@pytest.mark.parametrize("where", ["history", "versions", "none"])
def test_a_byte_that_flipped_on_the_disk_is_told_and_the_good_version_kept(box: Box, where: str) -> None:
    bucket = box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"] if where == "versions" else ""
    environ = {"OSS_BACKUP_BUCKET": bucket} if bucket else {}
    arguments = ("--reread-runs", "1", "--notify-on", "problem", *(("--history", "none") if where == "none" else ()))
    fill(box.tree, 6)
    (box.tree / "big.bin").write_bytes(random.Random(1).randbytes(LARGE))
    assert box.backup(*arguments, **environ).code == 0
    before, now = scramble(box, bucket, "d0/3.csv", "big.bin")
    ended = box.backup(*arguments, **environ)
    assert (ended.code, ended.told.status, set(ended.told.problem_counts)) == (0, "ok", SILENT), ended.text
    assert ended.told.counts.files_uploaded == 2 and ended.told.files_reread == 5, "five are what they were"
    told = {problem.where: problem.facts for problem in ended.told.problems}
    good = ended.told.snapshot.parent_id if ended.told.snapshot else ""
    for name in ("d0/3.csv", "big.bin"):
        assert told[f"t/{name}"] == {"before": before[name], "now": now[name], "snapshot": good}
        assert f"t/{name}" in ended.text and before[name] in ended.text and now[name] in ended.text
    assert box.objects(bucket) == wanted(box)
    first, second = [{e["path"][2:]: e["sha256"] for e in lines[1:-1] if e["kind"] == "file"}
                     for lines in box.snapshots(bucket)]  # fmt: skip
    assert (first, second) == (before, now)
    assert_whole(box, bucket)
    [(name, alarm)] = raised(box, bucket).items()
    assert name == f"{alarm['snapshot']}.json" and alarm["counts"] == {"alarm.silent-change": 2}
    [message] = box.messages()
    assert "succeeded, with an alarm" in json.dumps(message) and "t/big.bin" in json.dumps(message)
    again = box.backup(*arguments, **environ)
    assert again.code == 0 and not again.told.problems, "what is told once is the state of the disk from then on"


@pytest.mark.parametrize("is_second", [False, True], ids=["run", "run-after-one-that-never-committed"])
@pytest.mark.parametrize("layout", ["tree", "vault"])
def test_what_changed_silently_is_told_and_stored_as_it_is_now(box: Box, layout: str, is_second: bool) -> None:
    """In both layouts, and once for good: a run that told of it and never committed must not be the last to tell."""
    arguments = ("--layout", layout, "--reread-runs", "1")
    fill(box.tree, 6)
    (box.tree / "big.bin").write_bytes(random.Random(1).randbytes(LARGE))
    assert box.backup(*arguments).code == 0
    before, now = scramble(box, "", "d0/3.csv", "big.bin")
    if is_second:
        fault = {"kind": "status", "request": "put", "key": "*.jsonl.zst", "status": 403, "code": "AccessDenied"}
        box.post("faults", [{**fault, "count": -1}])
        assert box.backup(*arguments).code != 0
        box.post("faults", [])
    ended = box.backup(*arguments)
    assert ended.code == 0 and ended.told.problem_counts == {"alarm.silent-change": 2}, ended.text
    first, second = [{e["path"][2:]: e["sha256"] for e in lines[1:-1] if e["kind"] == "file"}
                     for lines in box.snapshots()]  # fmt: skip
    assert (first, second) == (before, now)
    for snapshot, wished in (("latest", now), (ended.told.snapshot.parent_id, before)):
        target = box.folder / snapshot
        where = ("--prefix", "p", "--source", "story", "--layout", layout, "--language", "en")
        assert box.run("restore", *where, "--snapshot", snapshot, "--target", str(target)).code == 0
        assert disk(target / "t") == wished
    again = box.backup(*arguments)
    assert again.code == 0 and not again.told.problems


def test_without_a_re_read_a_silent_change_stays_unseen(box: Box) -> None:
    """What the re-read is for; and that the other tests look at a silent change indeed."""
    fill(box.tree, 6)
    assert box.backup().code == 0
    scramble(box, "", "d0/3.csv")
    ended = box.backup("--reread-runs", "0")
    assert ended.told.counts.files_unchanged == 6 and not ended.told.problems and not ended.told.reread_within
    assert box.objects() != wanted(box)
    dry = box.backup("--reread-runs", "1", "--dry-run")
    assert dry.told.files_reread == 0


def test_each_file_has_its_turn_and_it_costs_no_request(box: Box) -> None:
    fill(box.tree, 40)
    (box.tree / "empty").write_bytes(b"")
    (box.tree / "large.csv").write_bytes(table(1, 90_000))
    time.sleep(2.1)  # what was changed a moment ago is read anyway
    assert box.backup().code == 0
    time.sleep(1.1)  # of two snapshots of one second both would be looked at
    off = box.backup("--reread-runs", "0")
    seen, ends = [], set()
    for turn in range(3):
        time.sleep(1.1 if turn else 0)
        ended = box.backup("--reread-runs", "3", "--reread-bytes", "85000")
        assert_quiet(box, ended)
        assert ended.told.counts.files_uploaded == 0 and ended.told.counts.files_unchanged == 42
        assert (ended.told.reread_within, ended.told.reread_too_large) == (3, 1)
        assert ended.told.bytes_reread == 2000 * ended.told.files_reread
        seen.append(ended.told.files_reread)
        ends.add(box.snapshots()[-1][-1]["foot"].get("reread", 0))
    assert sum(seen) == 40 and all(seen), seen
    assert ended.told.requests == off.told.requests
    assert len(ends) == 3
    entries = [lines[1:-1] for lines in box.snapshots()]
    assert entries[1] == entries[2] == entries[3] == entries[4], "an equal file keeps its entry as it was"


def test_a_file_that_cannot_be_read_again_is_told_as_any_other(ordinary: Box) -> None:
    """A disk that fails gives no bytes at all. Here another user's file, whose times the snapshot has."""
    fill(ordinary.tree, 3)
    assert ordinary.backup().code == 0
    (ordinary.tree / "d0/0.csv").chmod(0)
    lines = ordinary.snapshots()[-1]
    key = f"p/.oss-backup/snapshots/{lines[0]['head']['id']}.jsonl.zst"
    stored = Snapshot(ordinary.client().get_object(key).read())
    writer = Writer(stored.head)
    for entry in stored.entries():
        told = {"ctime_ns": os.stat(ordinary.tree / entry.path[2:]).st_ctime_ns, "racy": False}
        writer.add(msgspec.structs.replace(entry, **told) if entry.is_file else entry)
    ordinary.client().put_object(key, bytes(writer.finish({}, complete=True)[0]))
    assert ordinary.backup("--reread-runs", "0").code == 0
    ended = ordinary.backup("--reread-runs", "1")
    assert (ended.code, ended.told.problem_counts) == (3, {"file.unreadable": 1})


async def ask(box: Box, *acknowledged: str, who: str = "somebody") -> tuple[list[str], list[str], str]:
    """What is open, what is acknowledged then, and why a removal would be refused still."""
    keys = box.sandbox.environment
    own = Credentials(keys["OSS_SANDBOX_ACCESS_KEY_ID"], keys["OSS_SANDBOX_ACCESS_KEY_SECRET"])

    async def credentials(_: Credentials | None) -> Credentials:
        return own

    where = Place(keys["OSS_BACKUP_BUCKET"], keys["OSS_BACKUP_REGION"], keys["OSS_BACKUP_ENDPOINT"], "p/")
    async with Bucket(Attempts(where, credentials), connections=4) as bucket:
        vault = Vault(bucket, "p/", "story", "tree")
        waiting = [alarm.snapshot for alarm in await alarms.open_alarms(vault)]
        for id in waiting:  # written once: who comes later changes nothing
            await alarms.store(vault, id, "other", "tree", [])
        done, refused = [], ""
        try:
            done = await alarms.acknowledge(vault, acknowledged, who)
            await alarms.refuse_open(vault)
        except Stop as stop:
            refused = f"{stop.problem.kind.value} {stop.problem.where} {stop.problem.facts.get('count', '')}".strip()
        return waiting, done, refused


def test_a_tree_that_was_encrypted_is_backed_up_and_told(box: Box) -> None:
    fill(box.tree, 30)
    assert_quiet(box, box.backup("--notify-on", "problem"))
    before = disk(box.tree)
    for path in box.tree.rglob("*.csv"):
        path.write_bytes(os.urandom(2000))
    ended = box.backup("--notify-on", "problem", "--delete")
    assert (ended.code, ended.told.problem_counts) == (0, {"alarm.encrypted": 1}), ended.text
    assert ended.told.snapshot and box.objects() == wanted(box), "the snapshot is taken all the same"
    assert "This may be ransomware" in ended.text and ended.told.snapshot.parent_id in ended.text
    assert len(box.messages()) == 1 and "ransomware" in json.dumps(box.messages())
    [first, second] = State(box.client(), "p/").committed()
    assert {path[2:]: sha for path, sha in first.files.items()} == before and second.foot["problems"] == {
        "alarm.encrypted": 1
    }  # fmt: skip
    assert_whole(box)
    [name] = raised(box)
    assert name == f"{ended.told.snapshot.id}.json"
    assert_quiet(box, box.backup())
    assert list(raised(box)) == [name], "one alarm, and it stays"


def test_files_that_were_encrypted_under_new_names_are_not_removed_from_the_bucket(box: Box) -> None:
    fill(box.tree, 30)
    assert_quiet(box, box.backup("--delete"))
    before = box.objects()
    for path in list(box.tree.rglob("*.csv"))[:24]:
        path.with_name(path.name + ".locked").write_bytes(os.urandom(2000))
        path.unlink()
    ended = box.backup("--delete")
    assert (ended.code, ended.told.problem_counts) == (0, {"alarm.encrypted": 1, "delete.held": 1}), ended.text
    assert before.items() <= box.objects().items() and ended.told.deleted_objects == 0
    assert "new suffix .locked" in ended.text and "raised an alarm" in ended.text


def test_an_alarm_is_open_until_somebody_acknowledges_it(box: Box) -> None:
    fill(box.tree, 30)
    assert box.backup().code == 0
    assert asyncio.run(ask(box)) == ([], [], "")
    ids = []
    for size in (2000, 2001):
        for path in box.tree.rglob("*.csv"):
            path.write_bytes(table(size))
        assert box.backup().code == 0
        for path in box.tree.rglob("*.csv"):
            path.write_bytes(os.urandom(size))
        ended = box.backup()
        assert ended.told.snapshot
        ids.append(ended.told.snapshot.id)
    ids.sort()
    before = raised(box)
    assert asyncio.run(ask(box)) == (ids, [], f"alarm.open {ids[0]} 2")
    assert raised(box) == before
    assert asyncio.run(ask(box, "20200101T000000Z-1a2b3c4d"))[2] == "alarm.unknown 20200101T000000Z-1a2b3c4d"
    assert asyncio.run(ask(box, ids[0])) == (ids, [ids[0]], f"alarm.open {ids[1]} 1")
    assert asyncio.run(ask(box, ids[0])) == ([ids[1]], [], f"alarm.open {ids[1]} 1"), "twice is once"
    assert asyncio.run(ask(box, "all", who="\udcff")) == ([ids[1]], [ids[1]], "")
    acknowledged = raised(box)[f"{ids[0]}.ack.json"]
    assert acknowledged["who"] == "somebody" and acknowledged["snapshot"] == ids[0]
    assert asyncio.run(ask(box, "all")) == ([], [], "")


def test_an_alarm_that_cannot_be_read_counts_as_open(box: Box) -> None:
    fill(box.tree, 30)
    assert box.backup().code == 0
    for path in box.tree.rglob("*.csv"):
        path.write_bytes(os.urandom(2000))
    ended = box.backup()
    assert ended.told.snapshot
    box.client().put_object(f"p/.oss-backup/alarms/{ended.told.snapshot.id}.json", b"{}")
    with pytest.raises(Stop) as stop:
        asyncio.run(ask(box))
    assert stop.value.problem.kind == "alarm.open" and stop.value.problem.facts["cause"] == "damaged"


def test_a_tree_of_which_far_more_than_usual_is_rewritten(box: Box) -> None:
    fill(box.tree, 110)
    arguments = ("--alarm-percent", "90")
    for night in range(4):
        (box.tree / f"d0/{3 * night}.csv").write_bytes(table(1000 + night))
        (box.tree / f"new{night}.csv").write_bytes(table(2000 + night))
        assert_quiet(box, box.backup(*arguments))
    for path in box.tree.rglob("*.csv"):
        path.write_bytes(table(3000 + len(path.name)))
    box.tree.joinpath("d1/1.csv").write_bytes(b"and one")
    ended = box.backup(*arguments)
    assert (ended.code, ended.told.problem_counts) == (0, {"alarm.changed": 1}), ended.text
    assert "114 have other content (100 %); usually it is 2 at most" in ended.text
    assert box.objects() == wanted(box) and len(raised(box)) == 1


def test_a_first_run_a_fresh_checkout_and_normal_nights_never_alarm(box: Box) -> None:
    for number in range(120):
        data = os.urandom(2000) if number % 2 else table(number)
        (box.tree / f"{number}.csv").write_bytes(data)
    assert_quiet(box, box.backup())
    for night in range(3):
        for number in range(night, 120, 12):
            (box.tree / f"{number}.csv").write_bytes(os.urandom(2000) if number % 2 else table(number + night))
        assert_quiet(box, box.backup("--alarm-percent", "0"))
    for path in box.tree.rglob("*"):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
    puts = box.sent()
    assert_quiet(box, box.backup("--alarm-percent", "0"))
    assert box.sent() == puts + OWN_PUTS and not raised(box)
