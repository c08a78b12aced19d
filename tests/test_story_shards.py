"""Stories of a backup that several machines share: shards side by side, and one snapshot of them, or none."""

import calendar
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import oss2
import pytest
from box import Box, Ended, disk
from test_story_alarm import raised, scramble, table
from test_story_faults import of
from test_story_history import struck
from test_story_restore import restore

from backup_action.core import report
from backup_action.core.alarm import Counted
from backup_action.core.cipher import is_sealed
from backup_action.core.place import Root
from backup_action.core.shard import FORMAT, Met, Part, encode
from backup_action.core.snapshot import Head, Snapshot, Writer
from backup_action.core.tally import Tally
from backup_action.core.verification import Share

LAYOUTS = ["tree", "vault"]
MOSTLY_TREE = ["tree", pytest.param("vault", marks=pytest.mark.slow)]
OURS = ("--prefix", "p", "--source", "story", "--language", "en")


def fill(folder: Path, seed: int = 1, files: int = 60) -> None:
    chance = random.Random(seed)
    for number in range(files):
        path = folder / f"d{number % 5}" / f"{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d,%d\n" % (number, chance.random() * 1e9) * chance.randrange(1, 200))
    (folder / "空 目录").mkdir(exist_ok=True)
    (folder / "link").unlink(missing_ok=True)
    (folder / "link").symlink_to("d1/1.csv")
    (folder / "large").write_bytes(chance.randbytes(9 << 20))
    with open(os.path.join(os.fsencode(folder), b"no\xffutf8\n"), "wb") as file:
        file.write(b"x" * 5)


def state(box: Box, shard: str) -> Path:
    """Of a shard's own host."""
    return box.folder / f"host-{shard.replace('/', '-of-')}"


def start(box: Box, shard: str, *arguments: str, group: str = "g", **environ: str) -> subprocess.Popen[str]:
    """One shard, on a host of its own."""
    given = ("--shard", shard, "--shard-group", group, *arguments)
    told = {"XDG_STATE_HOME": str(state(box, shard)), **environ}
    return box.start("backup", "--path", "tree => t", *OURS, *given, **told)


def ended(box: Box, shard: str, run: subprocess.Popen[str]) -> Ended:
    text, _ = run.communicate(timeout=120)
    file = state(box, shard) / "oss-backup/report.json"
    told = report.decode(file.read_bytes()) if file.exists() else None
    file.unlink(missing_ok=True)
    return Ended(run.returncode, text, told)


def one(box: Box, shard: str, *arguments: str, group: str = "g", **environ: str) -> Ended:
    return ended(box, shard, start(box, shard, *arguments, group=group, **environ))


def shards(box: Box, *arguments: str, of: int = 2, group: str = "g", **environ: str) -> list[Ended]:
    """All shards of a group, side by side."""
    names = [f"{number}/{of}" for number in range(1, of + 1)]
    runs = [start(box, name, *arguments, group=group, **environ) for name in names]
    return [ended(box, name, run) for name, run in zip(names, runs, strict=True)]


def codes(done: list[Ended]) -> list[int]:
    assert all(one.report for one in done), [one.text for one in done]
    return [one.code for one in done]


def merge(box: Box, *arguments: str, group: str = "g", **environ: str) -> Ended:
    return box.run("merge", *OURS, "--shard-group", group, *arguments, **environ)


def until(box: Box, folder: str, ending: str) -> None:
    """Waits for an object."""
    while not any(key.endswith(ending) for key in keys(box, folder)):
        time.sleep(0.02)


def keys(box: Box, folder: str) -> list[str]:
    return [item.key for item in oss2.ObjectIteratorV2(box.client(), prefix=f"p/.oss-backup/{folder}")]


def owner(path: str, of: int = 2) -> str:
    """The shard whose a path below the prefix is."""
    (number,) = [number for number in range(1, of + 1) if Share(number, of).has(path)]
    return f"{number}/{of}"


def of_shard(shard: str, count: int = 1) -> list[str]:
    """Names of files in `tree` that are this shard's own."""
    of = int(shard.partition("/")[2])
    return [name for name in (f"f{at}" for at in range(999)) if owner(f"t/{name}", of) == shard][:count]


def assert_merged(box: Box, *given: str, group: str = "g", **environ: str) -> Ended:
    """The shards' merge; what it makes restores as the disk is."""
    done = merge(box, *given, group=group, **environ)
    assert done.code == 0, done.text
    assert keys(box, "shards/") == []
    shutil.rmtree(box.folder / "back", ignore_errors=True)
    back = restore(box, *given, **environ)
    assert back.code == 0, back.text
    assert disk(box.folder / "back/t") == disk(box.tree)
    return done


def plain(snapshot: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries, without what only the bucket knows."""
    unlike = ("etag", "last_modified", "version", "racy")
    return [{name: value for name, value in line.items() if name not in unlike} for line in snapshot[1:-1]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_eight_shards_make_one_snapshot_the_same_as_one_run_makes(box: Box, layout: str) -> None:
    given = ("--layout", layout)
    fill(box.tree)
    done = shards(box, *given, of=8)
    assert codes(done) == [0] * 8, [one.text for one in done]
    assert [(one.told.shard, one.told.snapshot, one.told.verified) for one in done] == [
        (f"{number}/8", None, True) for number in range(1, 9)
    ]
    assert "(shard 3/8)" in done[2].text and "`merge` makes the snapshot" in done[2].text
    assert box.snapshots() == [] and "There is no snapshot" in box.run("snapshots", *OURS).text
    first = assert_merged(box, *given)
    assert box.run("verify", *OURS, *given, "--read").code == 0
    (snapshot,) = box.snapshots()
    assert first.told.snapshot is not None and first.told.snapshot.id == snapshot[0]["head"]["id"]
    assert snapshot[-1]["foot"]["complete"] and first.told.verified and first.told.status == "ok"
    counts = [one.told.counts for one in done]
    assert first.told.counts.files_uploaded == sum(one.files_uploaded for one in counts) == 62
    assert first.told.counts.bytes_uploaded == sum(one.bytes_uploaded for one in counts)
    assert (first.told.links, first.told.folders) == (1, 7)
    alone = box.run("backup", "--path", "tree => t", "--prefix", "q", "--source", "story", *given)
    assert alone.code == 0, alone.text
    (other,) = box.snapshots(prefix="q/")
    assert plain(snapshot) == plain(other)
    assert snapshot[-1]["foot"]["files"] == other[-1]["foot"]["files"]


@pytest.mark.parametrize("layout", MOSTLY_TREE)
def test_the_next_run_sends_what_is_new_and_keeps_the_rest(box: Box, layout: str) -> None:
    given = ("--layout", layout)
    fill(box.tree)
    assert codes(shards(box, *given)) == [0] * 2
    assert merge(box, *given).code == 0
    (box.tree / "d1/1.csv").write_text("changed")
    (box.tree / "new").write_text("new")
    (box.tree / "d2/2.csv").unlink()
    before = box.sent()
    done = shards(box, *given, group="h")
    assert codes(done) == [0] * 2, [one.text for one in done]
    assert sum(one.told.counts.files_uploaded for one in done) == 2
    assert sum(one.told.counts.files_unchanged for one in done) == 60
    assert sum(one.told.counts.files_removed for one in done) == 1
    puts = box.sent() - before
    # Of each shard the lease, which the other one is first refused and then writes too, and what it hands on.
    content = (2, 2) if layout == "tree" else (2, 4)  # files; or a pack and an index, of one shard or of both
    assert 2 * (1 + 3) + content[0] <= puts <= 2 * (1 + 3) + 1 + content[1]
    second = assert_merged(box, *given, group="h")
    assert (second.told.counts.files_uploaded, second.told.counts.files_removed) == (2, 1)
    one_, two = box.snapshots()
    assert two[0]["head"]["parent"]["id"] == one_[0]["head"]["id"] and two[0]["head"]["sequence"] == 2
    assert two[0]["head"]["recent"][0]["files_sent"] == 62 and two[-1]["foot"]["files_sent"] == 2
    whole = box.run("backup", "--path", "tree => t", *OURS, *given)
    assert whole.code == 0 and whole.told.counts.files_uploaded == 0, "an ordinary run goes on from there"
    assert whole.told.problem_counts == {}


@pytest.mark.parametrize("layout", MOSTLY_TREE)
def test_without_one_shard_there_is_no_snapshot_and_that_one_can_be_run_again(box: Box, layout: str) -> None:
    given = ("--layout", layout)
    fill(box.tree, files=30)
    nothing = merge(box, *given)
    assert nothing.code == 8 and "no shard of the group g" in nothing.text
    assert one(box, "1/2", *given).code == 0
    refused = merge(box, *given)
    assert refused.code == 8, refused.text
    assert "Of the 2 shards of the group g these are missing: 2." in refused.text
    assert refused.told.snapshot is None and box.snapshots() == []
    assert one(box, "2/2", *given).code == 0
    assert_merged(box, *given)


@pytest.mark.parametrize("layout", MOSTLY_TREE)
def test_a_killed_shard_is_missing_until_it_has_run_again(box: Box, layout: str) -> None:
    given = ("--layout", layout)
    fill(box.tree, files=30)
    for name in (mine := of_shard("2/2", 3)):
        (box.tree / name).write_text("one")
    assert box.backup(*given).code == 0
    for name in mine:
        (box.tree / name).write_text(name * 99)
    old, new = ("p/t/" + mine[0], "p/.oss-backup/packs/*")
    box.post("faults", [{"kind": "stall", "request": "put", "key": old if layout == "tree" else new, "seconds": 60}])
    victim = start(box, "2/2", *given)
    assert one(box, "1/2", *given).code == 0
    until(box, "shards/", "2-of-2.1.begun")
    while layout == "tree" and any(box.client().get_object(f"p/t/{name}").read() == b"one" for name in mine[1:]):
        time.sleep(0.02)  # it writes the others over
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    box.post("faults", [])
    refused = merge(box, *given)
    assert refused.code == 8 and "are missing: 2 (begun, but not ended: 2)" in refused.text
    again = one(box, "2/2", *given)
    assert again.code == 0 and again.told.problem_counts == {}, "what the killed one had sent is no drift"
    assert again.told.counts.files_uploaded == (1 if layout == "tree" else 3), "that need not be sent again"
    assert_merged(box, *given)


@pytest.mark.parametrize("layout", MOSTLY_TREE)
def test_a_shard_that_is_run_again_takes_the_place_of_what_it_handed_on(box: Box, layout: str) -> None:
    given = ("--layout", layout)
    fill(box.tree, files=20)
    (name,) = of_shard("2/2")
    (box.tree / name).write_text("before")
    assert box.backup(*given).code == 0
    (box.tree / name).write_text("first")
    assert codes(shards(box, *given)) == [0] * 2
    (box.tree / name).write_text("second, and longer")
    again = one(box, "2/2", *given)
    assert again.code == 0 and again.told.counts.files_uploaded == 1, again.text
    assert again.told.problem_counts == {}, "what its first attempt sent is no drift"
    assert_merged(box, *given)


def test_no_other_run_comes_between_shards_and_a_later_one_makes_the_merge_refuse(box: Box) -> None:
    fill(box.tree, files=20)
    assert codes(shards(box)) == [0] * 2
    (name,) = of_shard("2/2")
    (box.tree / name).write_text("new")
    box.post("faults", [{"kind": "status", "request": "put", "key": f"p/t/{name}", "status": 403, "count": 9}])
    assert one(box, "2/2").code == 4, "a shard that fails ends the lease of none"
    box.post("faults", [])
    busy = box.backup()
    assert busy.code == 7 and "shards/g" in busy.text, busy.text
    assert one(box, "1/2", group="h").code == 7, "nor does a shard of another run"
    assert one(box, "2/2").code == 0
    box.post("settings", {"clock_offset": 400})  # the lease of the shards has run out
    alone = box.backup()
    assert alone.code == 0, alone.text
    late = merge(box)
    assert late.code == 7 and "Another backup of this source committed" in late.text, late.text
    assert len(box.snapshots()) == 1
    assert codes(shards(box, group="h")) == [0] * 2
    assert merge(box, group="h").code == 0
    assert keys(box, "shards/") == [], "what the group before left is gone too"


def test_shards_do_not_begin_beside_an_ordinary_run(box: Box) -> None:
    fill(box.tree, files=20)
    box.post("faults", [{"kind": "stall", "request": "put", "key": "p/t/*", "seconds": 60, "count": 1}])
    alone = box.start("backup", "--path", "tree => t", *OURS)
    until(box, "snapshots/", ".lease")
    busy = one(box, "1/2")
    assert busy.code == 7 and keys(box, "shards/") == [], busy.text
    os.killpg(alone.pid, signal.SIGKILL)
    alone.communicate()


def test_a_shard_whose_lease_has_run_out_hands_nothing_on_once_others_have_begun(box: Box) -> None:
    (name,) = of_shard("1/2")
    (box.tree / name).write_text("x")
    box.post("faults", [{"kind": "stall", "request": "put", "key": f"p/t/{name}", "seconds": 5, "count": 1}])
    slow = start(box, "1/2")
    until(box, "shards/", "/g/1-of-2.1.begun")
    box.post("settings", {"clock_offset": 400})
    other = start(box, "1/2", group="h", XDG_STATE_HOME=str(box.folder / "elsewhere"))
    text, _ = other.communicate(timeout=60)
    assert other.returncode == 0, text
    late = ended(box, "1/2", slow)
    assert late.code == 7 and "/g/1-of-2.1.json" not in "".join(keys(box, "shards/")), late.text


def test_a_shard_that_begins_again_while_its_group_is_merged_writes_nothing(box: Box) -> None:
    fill(box.tree, files=20)
    (name,) = of_shard("2/2")
    (box.tree / name).write_text("first")
    assert codes(shards(box)) == [0] * 2
    (box.tree / name).write_text("second")
    box.post(
        "faults", [{"kind": "stall", "request": "put", "key": "p/.oss-backup/snapshots/*.jsonl.zst", "seconds": 5}]
    )
    merging = box.start("merge", *OURS, "--shard-group", "g")
    until(box, "snapshots/", ".1.lease")
    late = one(box, "2/2")
    assert late.code == 7, late.text
    done = box.end(merging)
    assert done.code == 0, done.text
    assert oss2.Bucket.get_object(box.client(), f"p/t/{name}").read() == b"first"


def test_a_shard_that_began_again_just_before_its_group_is_merged_is_missing(box: Box) -> None:
    fill(box.tree, files=20)
    assert codes(shards(box)) == [0] * 2
    box.post("faults", [{"kind": "stall", "request": "put", "key": "*.1.lease", "seconds": 3, "count": 1}])
    merging = box.start("merge", *OURS, "--shard-group", "g")
    while not struck(box):
        time.sleep(0.02)
    again = start(box, "1/2")
    until(box, "shards/", "1-of-2.2.begun")
    done = box.end(merging)
    assert done.code == 7 and box.snapshots() == [], done.text
    again.communicate()


def test_parts_that_do_not_fit_together_make_no_snapshot(box: Box) -> None:
    fill(box.tree, files=20)
    assert one(box, "1/2").code == 0
    assert one(box, "2/2", "--exclude", "*.tmp").code == 0
    refused = merge(box)
    assert refused.code == 8 and "differ in" in refused.text and "exclude" in refused.text
    assert box.snapshots() == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_no_longer_in_the_bucket_is_in_no_snapshot(box: Box, layout: str) -> None:
    given = ("--layout", layout)
    fill(box.tree, files=20)
    assert codes(shards(box, *given)) == [0] * 2
    gone = "p/t/d1/1.csv" if layout == "tree" else keys(box, "packs/")[0]
    box.client().delete_object(gone)
    refused = merge(box, *given)
    assert refused.code == 6 and "what a shard sent" in refused.text, refused.text
    assert box.snapshots() == []


def without_last(data: bytes) -> bytes:
    """The entries of a part without the last one, whole by themselves."""
    entries = Snapshot(data, FORMAT)
    writer = Writer(entries.head)
    for entry in list(entries.entries())[:-1]:
        writer.add(entry)
    return bytes(writer.finish({}, complete=True)[0])


@pytest.mark.parametrize("layout", MOSTLY_TREE)
def test_what_was_done_to_parts_is_seen(box: Box, layout: str) -> None:
    given = ("--layout", layout)
    fill(box.tree, files=20)
    assert codes(shards(box, *given)) == [0] * 2
    folder = keys(box, "shards/")[0].rpartition("/")[0]
    client = box.client()
    names = [f"{number}-of-2.1.{ending}" for number in (1, 2) for ending in ("json", "jsonl.zst")]
    told = {name: client.get_object(f"{folder}/{name}").read() for name in names}
    changes: list[dict[str, bytes]] = [
        {"2-of-2.1.json": told["1-of-2.1.json"], "2-of-2.1.jsonl.zst": told["1-of-2.1.jsonl.zst"]},
        {"1-of-2.1.jsonl.zst": without_last(told["1-of-2.1.jsonl.zst"])},
        {"2-of-2.1.jsonl.zst": told["2-of-2.1.jsonl.zst"][:-5]},
        {"1-of-2.1.json": b"{}"},
    ]
    for change in changes:
        for name, data in change.items():
            client.put_object(f"{folder}/{name}", data)
        refused = merge(box, *given)
        assert refused.code == 6 and name.partition(".")[0] in refused.text, (name, refused.text)
        for name, data in told.items():
            client.put_object(f"{folder}/{name}", data)
    assert box.snapshots() == []
    assert_merged(box, *given)


def test_what_one_shard_could_not_read_makes_the_whole_incomplete(ordinary: Box) -> None:
    box = ordinary
    fill(box.tree, files=20)
    assert box.backup().code == 0
    bad = box.tree / "d1/1.csv"
    bad.write_text("new")
    bad.chmod(0)
    (box.tree / "d2").chmod(0)
    done = shards(box)
    assert codes(done) == [3] * 2, "each of them met the folder"
    merged = merge(box)
    assert merged.code == 3, merged.text
    assert merged.told.problem_counts == {"file.unreadable": 2}, "the folder counts once"
    inside = len([path for path in range(20) if path % 5 == 2])
    assert merged.told.counts.files_failed == 1 + inside
    snapshot = box.snapshots()[-1]
    assert not snapshot[-1]["foot"]["complete"]
    stale = [line["path"] for line in snapshot[1:-1] if line.get("stale")]
    assert len([path for path in stale if path.endswith(".csv")]) == 1 + inside


def test_only_the_merge_removes_what_is_gone(box: Box) -> None:
    fill(box.tree, files=20)
    assert box.backup("--delete").code == 0
    for number in (1, 2, 3):
        next(box.tree.glob(f"*/{number}.csv")).unlink()
    done = shards(box, "--delete")
    assert codes(done) == [0] * 2 and sum(one.told.deleted_objects for one in done) == 0
    assert "t/d1/1.csv" in box.objects()
    merged = merge(box, "--delete")
    assert merged.code == 0 and merged.told.deleted_objects == 3, merged.text
    assert set(box.objects()) == {f"t/{path}" for path in disk(box.tree) if "\udcff" not in path} | {"t/no%FFutf8%0A"}
    assert restore(box, "--snapshot", box.snapshots()[0][0]["head"]["id"]).code == 0
    assert len(disk(box.folder / "back/t")) == 22, "older snapshots stay whole"


def test_alarms_are_those_of_all_shards_together(box: Box) -> None:
    chance = random.Random(3)
    for number in range(30):
        (box.tree / f"{number}.csv").write_text("text, and more of it\n" * 99)
    assert box.backup().code == 0
    for number in range(30):
        (box.tree / f"{number}.csv").write_bytes(chance.randbytes(2000))
    done = shards(box)
    assert codes(done) == [0] * 2
    assert not any("alarm.encrypted" in one.told.problem_counts for one in done), "each has too few to tell"
    merged = merge(box)
    assert merged.code == 0 and merged.told.problem_counts == {"alarm.encrypted": 1}, merged.text
    id = box.snapshots()[-1][0]["head"]["id"]
    assert keys(box, "alarms/") == [f"p/.oss-backup/alarms/{id}.json"]


@pytest.mark.slow
def test_a_silent_change_that_a_shard_sees_is_an_alarm_of_the_snapshot(box: Box) -> None:
    for number in range(4):
        (box.tree / f"{number}.csv").write_bytes(table(number))
    assert box.backup().code == 0
    scramble(box, "", "1.csv")
    done = shards(box, "--reread-runs", "1")
    assert sorted(one.told.problem_counts.get("alarm.silent-change", 0) for one in done) == [0, 1]
    merged = merge(box)
    assert merged.code == 0 and merged.told.problem_counts == {"alarm.silent-change": 1}, merged.text
    id = box.snapshots()[-1][0]["head"]["id"]
    assert list(raised(box)) == [f"{id}.json"]
    assert (merged.told.files_reread, merged.told.reread_within) == (3, 1)


def test_shards_and_merge_are_one_run_in_the_ledger(box: Box) -> None:
    fill(box.tree, files=10)
    moment = time.time()
    assert one(box, "1/2").code == 0
    assert one(box, "2/2", "--path", "nowhere").code == 8
    assert keys(box, "ledger/") == []
    assert merge(box).code == 8
    assert one(box, "2/2").code == 0
    done = merge(box)
    assert done.code == 0
    records = [json.loads(box.client().get_object(key).read()) for key in keys(box, "ledger/")]
    assert [(told["verb"], told["status"]) for told in sorted(records, key=lambda told: told["status"])] == [
        ("backup", "ok"),
        ("backup", "refused"),
    ]
    good = next(told for told in records if told["status"] == "ok")
    assert good["totals"]["runs"] == 2 and good["totals"]["successes"] == 1
    assert good["files_sent"] == 12 and good["seconds"] == pytest.approx(done.told.duration_seconds, abs=2)
    first = box.snapshots()[0][0]["head"]["id"][:16]
    assert done.told.started_at.replace("-", "").replace(":", "") == first, "the run began with its first shard"
    told = time.strptime(done.told.started_at, "%Y-%m-%dT%H:%M:%SZ")
    assert abs(calendar.timegm(told) - moment) < 2, "not with its merge"
    kept = list(box.folder.glob("host-*/oss-backup/**/*.json"))
    assert kept == [], "no host keeps a record of a shard"


def forged() -> dict[str, bytes]:
    """What a shard that found nothing hands on, by the endings of its objects."""
    head = Head(FORMAT, "20261122T180000Z-6c5f0a26", 1, "story", "vault", "", "", [Root("tree", "t")])
    data, foot = Writer(head).finish({}, complete=True)
    tally = Tally()
    tally.open_roots(1)
    part = Part(
        format=FORMAT, id=head.id, group="forged", number=1, of=1, source="story", layout="vault", roots=head.roots,
        parent=None, rules="", began=time.time(), digest=foot.digest, complete=True, goes_on=0, within=0, too_large=0,
        unread=0, scan=Met({}, []), own=Met({}, []), sums=tally.sums(), census=Counted(),
    )  # fmt: skip
    return {".begun": b"{}", ".jsonl.zst": data, ".json": encode(part)}


@pytest.mark.slow
def test_an_encrypted_vault_is_merged_with_its_passphrase_only(box: Box) -> None:
    given, key = ("--layout", "vault"), {"OSS_BACKUP_PASSPHRASE": "correct horse battery staple"}
    fill(box.tree, files=20)
    assert codes(shards(box, *given, of=2, **key)) == [0] * 2
    name = next(key for key in keys(box, "shards/") if key.endswith(".jsonl.zst"))
    assert is_sealed(box.client().get_object(name).read())
    assert is_sealed(box.client().get_object(name.replace(".jsonl.zst", ".json")).read())
    folder = name.rpartition("/g/")[0]
    for ending, data in forged().items():
        box.client().put_object(f"{folder}/forged/1-of-1.1{ending}", data)
    refused = merge(box, *given, group="forged", **key)
    assert refused.code == 6 and "not sealed" in refused.text, "anybody could have made it"
    for environ in ({}, {"OSS_BACKUP_PASSPHRASE": "another one altogether"}):
        refused = merge(box, *given, **environ)
        assert refused.code == 2, refused.text
    assert_merged(box, *given, **key)


@pytest.mark.slow
def test_two_shards_may_share_a_host_and_one_shard_is_never_run_twice_there(box: Box) -> None:
    fill(box.tree, files=20)
    same = {"XDG_STATE_HOME": str(box.folder / "same")}
    (name,) = of_shard("2/2")
    (box.tree / name).write_text("x")
    box.post("faults", [{"kind": "stall", "request": "put", "key": f"p/t/{name}", "seconds": 3, "count": 1}])
    slow = start(box, "2/2", **same)
    until(box, "shards/", ".begun")
    twice, _ = start(box, "2/2", **same).communicate()
    assert "is backing up the same source" in twice
    other = start(box, "1/2", **same)
    texts = [other.communicate()[0], slow.communicate()[0]]
    assert (other.returncode, slow.returncode) == (0, 0), texts
    assert_merged(box)


def test_the_name_of_the_group_is_the_id_of_the_run_or_a_setting(box: Box) -> None:
    fill(box.tree, files=5)
    nameless = box.run("backup", "--path", "tree => t", *OURS, "--shard", "1/2")
    assert nameless.code == 2 and "shard-group" in nameless.text
    assert box.run("merge", *OURS).code == 2
    for shard in ("3/2", "x"):
        assert box.run("backup", "--path", "tree => t", *OURS, "--shard", shard).code == 2
    for number, attempt in ((1, "1"), (2, "1"), (2, "2")):
        github = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": attempt}
        done = box.run("backup", "--path", "tree => t", *OURS, "--shard", f"{number}/2", **github)
        assert done.code == 0, done.text
    assert {key.split("/")[4] for key in keys(box, "shards/")} == {"77"}
    assert len([key for key in keys(box, "shards/") if key.endswith(".begun")]) == 3
    done = box.run("merge", *OURS, **github)
    assert done.code == 0, done.text


@pytest.mark.slow
def test_parts_that_may_not_be_removed_are_told_of(box: Box) -> None:
    fill(box.tree, files=5)
    assert codes(shards(box, of=2)) == [0] * 2
    denied = [{"kind": "status", "request": "delete", "key": "p/.oss-backup/shards/*", "status": 403, "count": 99}]
    box.post("faults", denied)
    done = merge(box)
    assert done.code == 0 and done.told.problem_counts == {"shards.left": 1}, done.text
    assert len(keys(box, "shards/")) == 6 and len(box.snapshots()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("sort", ["kms", "versioned"])
def test_shards_share_a_lease_whatever_its_etag_is_and_where_objects_have_versions(box: Box, sort: str) -> None:
    fill(box.tree, files=20)
    given = ("--server-side-encryption", "KMS") if sort == "kms" else ()
    bucket = box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET" if sort == "versioned" else "OSS_SANDBOX_BUCKET"]
    for group in ("one", "two"):
        (box.tree / "new").write_text(group)
        done = shards(box, *given, of=3, group=group, OSS_BACKUP_BUCKET=bucket)
        assert codes(done) == [0] * 3, [one.text for one in done]
        merged = merge(box, *given, group=group, OSS_BACKUP_BUCKET=bucket)
        assert merged.code == 0, merged.text
    assert restore(box, OSS_BACKUP_BUCKET=bucket).code == 0
    assert disk(box.folder / "back/t") == disk(box.tree)


@pytest.mark.slow
@pytest.mark.parametrize("cipher", [(), ("--server-side-encryption", "KMS")], ids=["plain", "kms"])
@pytest.mark.parametrize("ending", ["begun", "jsonl.zst", "json"])
def test_a_part_whose_answer_was_lost_is_a_part(box: Box, ending: str, cipher: tuple[str, ...]) -> None:
    """Under KMS no ETag says what an object is."""
    fill(box.tree, files=5)
    box.post("faults", of("lose-reply", "put", key=f"*1-of-1.1.{ending}"))
    done = one(box, "1/1", *cipher)
    assert done.code == 0, done.text
    assert_merged(box)


@pytest.mark.slow
def test_old_parts_of_a_vault_are_refused_since_prune_may_remove_what_they_rely_on(box: Box) -> None:
    fill(box.tree, files=5)
    assert codes(shards(box, "--layout", "vault", of=2)) == [0] * 2
    box.post("settings", {"clock_offset": 12 * 3600 + 60})
    refused = merge(box, "--layout", "vault")
    assert refused.code == 8 and "more than 12 hours ago: 1-2" in refused.text, refused.text


@pytest.mark.slow
def test_a_dry_merge_says_what_it_would_do_and_writes_nothing(box: Box) -> None:
    fill(box.tree, files=5)
    dry = one(box, "1/2", "--dry-run")
    assert dry.code == 0 and box.sent() == 0
    assert codes(shards(box, of=2)) == [0] * 2
    before = box.sent()
    done = merge(box, "--dry-run")
    assert done.code == 0 and done.told.counts.files_total == 7, done.text
    assert box.sent() == before and box.snapshots() == [] and len(keys(box, "shards/")) == 6


@pytest.mark.slow
def test_a_tree_that_shrank_stops_every_shard(box: Box) -> None:
    fill(box.tree, files=40)
    assert box.backup().code == 0
    for number in (1, 2, 3, 4):
        shutil.rmtree(box.tree / f"d{number}")
    assert one(box, "1/2").code == 8
    assert keys(box, "shards/") == []
