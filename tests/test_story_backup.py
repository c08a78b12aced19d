"""Stories of a backup: what is on disk is in the bucket, and only what changed is sent."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from box import OWN_PUTS, RECORD, Box, disk

from backup_action.core import place


def write(tree: Path, some: dict[str, bytes]) -> None:
    for name, data in some.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def keys(tree: Path) -> dict[str, str]:
    """What the bucket must hold for a tree that goes to `t`."""
    return {place.code(f"t/{path}"): digest for path, digest in disk(tree).items()}


SOME = {"a.csv": b"1,2\n", "d/b.csv": b"3,4\n", "d/empty": b"", "e/big.bin": os.urandom(9 << 20) + b"x"}


def test_what_is_on_disk_is_in_the_bucket_and_the_snapshot_says_so(box: Box) -> None:
    write(box.tree, SOME)
    (box.tree / "link").symlink_to("d/b.csv")
    ended = box.backup()
    assert ended.code == 0, ended.text
    assert box.objects() == keys(box.tree)
    counts = ended.told.counts
    assert (counts.files_total, counts.files_uploaded, counts.files_unchanged) == (4, 4, 0)
    assert counts.bytes_uploaded == counts.bytes_total == sum(len(data) for data in SOME.values())
    assert ended.told.verified and ended.told.snapshot
    [snapshot] = box.snapshots()
    head, *entries, foot = snapshot
    assert head["head"]["id"] == ended.told.snapshot.id and foot["foot"]["digest"] == ended.told.snapshot.digest
    assert {e["key"]: e["sha256"] for e in entries if e["kind"] == "file"} == keys(box.tree)
    assert [(e["path"], e["target"]) for e in entries if e["kind"] == "link"] == [("t/link", "d/b.csv")]
    assert [e["path"] for e in entries if e["kind"] == "folder"] == ["t", "t/d", "t/e"]
    assert all(e["mtime_ns"] == str((box.tree / e["path"][2:]).lstat().st_mtime_ns) for e in entries)


def test_a_second_run_sends_nothing_and_a_third_what_changed(box: Box) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    write(box.tree, {f"d{i % 7}/{i}.csv": rng.randbytes(rng.randrange(3000)) for i in range(150)} | SOME)
    assert box.backup().code == 0
    puts = box.sent()
    second = box.backup()
    assert (second.code, box.sent() - puts, box.sent("oss.part")) == (0, OWN_PUTS, 2), "and no part more"
    assert second.told.counts.files_unchanged == 154 and second.told.counts.bytes_uploaded == 0
    few = [name for name in sorted(disk(box.tree)) if (box.tree / name).stat().st_size < 4000]  # else the tree shrinks
    changed = rng.sample(few, 5)
    for name in changed:
        write(box.tree, {name: rng.randbytes(100)})
    puts = box.sent()
    third = box.backup()
    assert (third.code, box.sent() - puts) == (0, 5 + OWN_PUTS) and third.told.counts.files_uploaded == 5
    assert box.objects() == keys(box.tree)
    parents = [lines[0]["head"].get("parent", {}).get("digest") for lines in box.snapshots()]
    digests = [lines[-1]["foot"]["digest"] for lines in box.snapshots()]
    assert parents == [None, *digests[:-1]], "each snapshot carries the digest of the one before"


@pytest.mark.parametrize(
    ("files", "most"), [(2_500, 12), pytest.param(10_000, 20, marks=pytest.mark.slow)], ids=["2,500", "10,000"]
)
def test_files_that_are_unchanged_cost_a_page_of_a_listing_a_thousand(box: Box, files: int, most: int) -> None:
    """In a bucket that is no longer young: with a history and a catalogue of their own."""
    for number in range(files):
        path = box.tree / f"d{number % 100:02}" / f"{number}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(str(number % 300).encode())
    assert box.backup().code == 0
    for number in range(120):
        (box.tree / f"d{number % 100:02}" / f"{number}.csv").write_bytes(f"new {number}".encode())
    time.sleep(1.1)  # of two snapshots of one second both would be looked at
    assert box.backup().told.counts.files_uploaded == 120
    time.sleep(2.1)  # what was changed a moment ago is read again
    ended = box.backup()
    assert ended.code == 0 and ended.told.counts.files_unchanged == files and ended.told.counts.bytes_uploaded == 0
    assert ended.told.requests <= most, "catalogue, parent, lease, listing, three for the commit, two for the ledger"


def test_a_fresh_checkout_with_new_times_sends_nothing(box: Box) -> None:
    write(box.tree, SOME)
    assert box.backup().code == 0
    for path in box.tree.rglob("*"):
        os.utime(path, ns=(1, 1_600_000_000_000_000_000))
    before = box.counts()
    assert box.backup().code == 0
    assert box.sent() - before["oss.put"] == OWN_PUTS and box.sent("oss.part") == before["oss.part"]
    entry = next(e for e in box.snapshots()[-1][1:-1] if e["path"] == "t/a.csv")
    assert entry["mtime_ns"] == "1600000000000000000", "the new time is kept all the same"


def test_same_size_and_time_but_other_bytes_is_found_by_its_change_time(box: Box) -> None:
    write(box.tree, {"x": b"before"})
    info = (box.tree / "x").stat()
    assert box.backup().code == 0
    write(box.tree, {"x": b"after!"})
    os.utime(box.tree / "x", ns=(info.st_atime_ns, info.st_mtime_ns))
    assert box.backup().told.counts.files_uploaded == 1
    assert box.objects() == keys(box.tree)


def test_hostile_names_come_through_byte_by_byte(box: Box) -> None:
    names = [
        b"a b", "中文/数据.csv".encode(), "\U0001f4c8.csv".encode(), b"100%", b"%41", b"line\nbreak", b"tab\t",
        b"\xff\xfe",
        b"-rf", b"--", b".hidden", b"~", b"a\\b", b"\\", b" lead", b"trail ", b"a:b", b"CON", b"x+y&z=1?#", b"\x1b[31m",
        b"\x7f", "e\u0301".encode(), "\u00e9".encode(), b"::set-output name=a::b", b"##[error]x", b"n" * 255,
        b"\xe2\x80\xae", b"*", b"'\"$(x)`", b".oss-backup", b"\xef\xbf\xbe", b"\xf4\x8f\xbf\xbf", b"\xc2\x85",
    ]  # fmt: skip
    for name in names:
        path = os.path.join(os.fsencode(box.tree), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name)
    (box.tree / "deep").mkdir()
    ended = box.run("backup", "--path", "tree => .", "--prefix", "p", "--source", "s", "--path", "box => b")
    assert ended.code == 2, "`.` takes the whole prefix"
    ended = box.run("backup", "--path", "tree => .", "--prefix", "p", "--source", "s")
    assert ended.code == 0, ended.text
    expected = {place.code(path): digest for path, digest in disk(box.tree).items()}
    assert len(expected) == len(names) and box.objects() == expected
    again = box.run("backup", "--path", "tree => .", "--prefix", "p", "--source", "s")
    assert again.told.counts.files_unchanged == len(names) and again.told.counts.files_uploaded == 0


def test_a_key_that_would_be_too_long_is_cut_and_the_snapshot_has_the_path(box: Box) -> None:
    folder = box.tree / ("f" * 250) / ("g" * 250) / ("h" * 250) / ("i" * 250) / "and yet much more"
    folder.mkdir(parents=True)
    write(folder, {"one": b"1", "two": b"2"})
    assert box.backup().code == 0
    again = box.backup()
    assert again.told.counts.files_unchanged == 2
    entries = [e for e in box.snapshots()[-1][1:-1] if e["kind"] == "file"]
    assert {e["path"].rsplit("/", 1)[1] for e in entries} == {"one", "two"}
    assert {e["key"] for e in entries} == set(box.objects()) and all("%~" in e["key"] for e in entries)


def test_somebody_elses_hand_in_the_bucket_is_healed_and_told(box: Box) -> None:
    write(box.tree, {"gone": b"1", "changed": b"2", "kept": b"3"})
    assert box.backup().code == 0
    box.client().delete_object("p/t/gone")
    box.client().put_object("p/t/changed", b"x")
    box.client().put_object("p/t/foreign", b"y")
    ended = box.backup()
    assert ended.code == 0 and ended.told.counts.files_uploaded == 2 and ended.told.foreign_objects == 1
    assert ended.told.problem_counts == {"drift.missing": 1, "drift.replaced": 1}
    assert "t/gone" in ended.text and "t/changed" in ended.text
    objects = box.objects()
    assert objects.pop("t/foreign") and objects == keys(box.tree)


@pytest.mark.parametrize("is_run", [True, False], ids=["run", "hand"])
def test_what_a_run_wrote_that_never_committed_is_no_drift(box: Box, is_run: bool) -> None:
    """Its lease is all that tells it from somebody else's hand."""
    write(box.tree, {"a": b"1", "b": b"2"})
    first = box.backup()
    box.client().put_object("p/t/a", b"what a run read that was killed")
    if is_run:
        told = {"id": "20261122T180000Z-6c5f0a26", "host": "another", "owner": "runner-7", "released": True}
        key = f"p/.oss-backup/snapshots/{first.told.snapshot.id}.lease"
        box.client().delete_object(key)
        box.client().put_object(key, json.dumps(told))
    write(box.tree, {"a": b"333"})
    ended = box.backup()
    assert ended.code == 0 and ended.told.counts.files_uploaded == 1 and box.objects() == keys(box.tree)
    assert ended.told.problem_counts == ({} if is_run else {"drift.replaced": 1})


def test_what_the_bucket_has_without_a_snapshot_is_proven_and_not_sent_again(box: Box) -> None:
    """Another tool filled it, or a run of ours was killed before its commit."""
    write(box.tree, {"same": b"1", "other": b"2", "longer": b"3", "large": os.urandom(9 << 20)})
    for name in ("same", "large"):
        box.client().put_object(f"p/t/{name}", (box.tree / name).read_bytes())
    box.client().put_object("p/t/other", b"x")
    box.client().put_object("p/t/longer", b"xx")
    puts = box.sent()
    ended = box.backup()
    assert ended.code == 0 and not ended.told.problems
    assert (ended.told.counts.files_uploaded, ended.told.counts.files_unchanged) == (2, 2)
    assert (box.sent() - puts, box.sent("oss.part")) == (2 + OWN_PUTS, 0) and box.objects() == keys(box.tree)
    assert box.backup().told.counts.files_unchanged == 4


def test_what_an_unfinished_run_overwrote_is_not_taken_for_somebody_elses(box: Box) -> None:
    write(box.tree, {"a": b"1", "b": b"2"})
    assert box.backup().code == 0
    write(box.tree, {"a": b"3"})
    box.client().put_object("p/t/a", b"3")
    ended = box.backup()
    assert ended.told.counts.files_uploaded == 0 and not ended.told.problems
    assert next(e for e in box.snapshots()[-1] if e.get("path") == "t/a")["sha256"] == keys(box.tree)["t/a"]


def test_places_that_a_run_was_not_asked_for_are_told_and_not_called_gone(box: Box) -> None:
    write(box.tree, {"a/x": b"1", "b/y": b"2"})
    one = ("backup", "--prefix", "p", "--source", "s", "--language", "en", "--path")
    assert box.run(*one, "tree/a => a", "--path", "tree/b => b").code == 0
    (box.tree / "b/y").unlink()
    write(box.tree, {"b/z": b"3"})
    ended = box.run(*one, "tree/b => b")
    assert ended.code == 0 and ended.told.problem_counts == {"drift.roots": 1} and ended.told.problems[0].where == "a"
    assert ended.told.counts.files_removed == ended.told.roots[0].counts.files_removed == 1
    again = box.run(*one, "tree/a => a", "--path", "tree/b => b")
    assert again.told.counts.files_uploaded == 0, "what is there is proven, not sent"


def test_what_is_gone_from_the_disk_stays_in_the_bucket_and_is_counted(box: Box) -> None:
    write(box.tree, {"a": b"1", "b": b"2"})
    assert box.backup().code == 0
    (box.tree / "b").unlink()
    ended = box.backup()
    assert ended.code == 0 and ended.told.counts.files_removed == 1 and ended.told.counts.files_total == 1
    assert set(box.objects()) == {"t/a", "t/b"}, "nothing is deleted unless it is asked for"
    files = {e["path"]: e.get("gone", False) for e in box.snapshots()[-1][1:-1] if e["kind"] == "file"}
    assert files == {"t/a": False, "t/b": True}, "its object is kept in mind, and no part of what is restored"
    assert box.snapshots()[-1][-1]["foot"]["files"] == 1
    assert box.sent("oss.delete") == 0


def test_a_versioned_bucket_gives_each_entry_its_version(box: Box) -> None:
    bucket = box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"]
    write(box.tree, {"a": b"1", "big": os.urandom(17 << 20)})
    ended = box.backup(OSS_BACKUP_BUCKET=bucket)
    assert ended.code == 0 and ended.told.target.versioning == "Enabled"
    write(box.tree, {"a": b"2"})
    assert box.backup(OSS_BACKUP_BUCKET=bucket).told.counts.files_uploaded == 1
    first, second = ({e["path"]: e for e in lines[1:-1] if e["kind"] == "file"} for lines in box.snapshots(bucket))
    assert first["t/big"]["version"] == second["t/big"]["version"] != ""
    assert first["t/a"]["version"] != second["t/a"]["version"]
    old = box.client(bucket).get_object("p/t/a", params={"versionId": first["t/a"]["version"]}).read()
    assert old == b"1", "the older snapshot can still be read"


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(box: Box) -> None:
    write(box.tree, SOME)
    ended = box.backup("--dry-run")
    assert ended.code == 0 and ended.told.dry_run and ended.told.counts.files_uploaded == 4
    assert ended.told.snapshot is None and not ended.told.verified
    assert box.objects() == {} and box.snapshots() == []
    assert not any(box.sent(f"oss.{kind}") for kind in ("put", "initiate", "part", "complete", "copy", "delete"))


def test_patterns_choose_and_several_paths_have_their_places(box: Box) -> None:
    write(box.tree, {"a.csv": b"1", "a.tmp": b"2", "cache/x.csv": b"3", "sub/b.csv": b"4", "sub/b.bin": b"5"})
    write(box.folder, {"one/file.csv": b"6"})
    ended = box.run(
        "backup", "--path", "tree", "--path", "one/file.csv => elsewhere/f.csv", "--exclude", "cache/", "--include",
        "*.csv", "--prefix", "p",
    )  # fmt: skip
    assert ended.code == 0 and set(box.objects()) == {"tree/a.csv", "tree/sub/b.csv", "elsewhere/f.csv"}
    assert [(line.destination, line.counts.files_total) for line in ended.told.roots] == [
        ("tree", 2), ("elsewhere/f.csv", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [(8 << 20) - 1, 8 << 20, (8 << 20) + 1, 16 << 20, (33 << 20) + 5])
def test_files_around_the_limits_of_a_part(box: Box, size: int) -> None:
    write(box.tree, {"x": os.urandom(size)})
    assert box.backup().code == 0
    assert box.objects() == keys(box.tree)
    assert box.sent("oss.part") == (0 if size <= 8 << 20 else -(-size // (8 << 20)))
    entry = next(e for e in box.snapshots()[-1][1:-1] if e["kind"] == "file")
    assert ("blocks" in entry) == (size > 32 << 20)
    assert box.backup().told.counts.files_unchanged == 1


def test_two_sources_share_a_prefix_unless_their_places_overlap(box: Box) -> None:
    write(box.tree, {"a": b"1"})
    one = ("backup", "--prefix", "p", "--language", "en", "--path")
    assert box.run(*one, "tree => x", "--source", "one").code == 0
    assert box.run(*one, "tree => y", "--source", "two").code == 0
    assert box.run(*one, "tree => x", "--source", "one").told.counts.files_unchanged == 1
    refused = box.run(*one, "tree => x/below", "--source", "three")
    assert refused.code == 2 and "one" in refused.text and refused.told.problem_counts == {"sources.overlap": 1}
    assert set(box.objects()) == {"x/a", "y/a"}


@pytest.mark.slow  # the quick form goes through the action's steps, with other trees, and through five nights
def test_a_repository_with_its_objects(box: Box) -> None:
    repository = Path(__file__).parents[1]
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(repository), str(box.tree / "clone")], check=True)
    assert box.backup().code == 0
    assert box.objects() == keys(box.tree)
    assert box.backup().told.counts.files_uploaded == 0


def test_sources_whose_ids_begin_alike_are_still_two(box: Box) -> None:
    """The ids of `s51` and `s362` share their first four hex digits."""
    write(box.tree, {"a": b"1"})
    one = ("backup", "--prefix", "p", "--language", "en", "--path")
    assert box.run(*one, "tree => x", "--source", "s51").code == 0
    assert box.run(*one, "tree => y", "--source", "s362").code == 0
    assert box.run(*one, "tree => x", "--source", "s51").told.counts.files_unchanged == 1
    assert box.run(*one, "tree => x", "--source", "s362").told.problem_counts == {"sources.overlap": 1}


def test_files_as_roots_whose_names_begin_alike(box: Box) -> None:
    write(box.folder, {"data.csv": b"1", "data.csv.md5": b"2", "data": b"3"})
    paths = [word for name in ("data.csv", "data.csv.md5", "data") for word in ("--path", name)]
    for uploaded in (3, 0):
        ended = box.run("backup", *paths, "--prefix", "p", "--source", "s", "--language", "en")
        assert ended.code == 0 and ended.told.counts.files_uploaded == uploaded, ended.text


def test_a_catalogue_with_strange_objects_is_passed_over(box: Box) -> None:
    write(box.tree, {"a": b"1"})
    for name in ("中", "~~", "~", "\U0010ffff"):
        for at in range(3):
            box.client().put_object(f"p/.oss-backup/{name}{at}", b"x")
    box.post("settings", {"page_size": 2})
    assert box.backup().code == 0 and box.backup().told.counts.files_unchanged == 1
    assert box.sent("oss.list") < 60


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's own peak")
def test_content_is_held_only_while_it_is_sent(box: Box) -> None:
    """100 files of 4 MiB go through a program that holds 48 MiB of them at a time."""
    block = os.urandom(4 << 20)
    for at in range(100):
        write(box.tree, {f"{at}": block[:-1] + bytes([at])})
    code = (
        "import re, sys; from backup_action.__main__ import run; code = run();"
        "print(re.search('VmHWM:[^0-9]*([0-9]+) kB', open('/proc/self/status').read())[1]); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, "backup", "--path", "tree => t", "--prefix", "p"], cwd=box.folder,
        env=box.environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 240 << 10, "KiB at the peak, libraries included"


def test_a_snapshot_that_the_bucket_does_not_confirm_is_no_success(box: Box) -> None:
    write(box.tree, {"a": b"1"})
    lost = {"kind": "drop-header", "request": "head", "key": "*.jsonl.zst", "count": -1}
    box.post("faults", [lost | {"header": "x-oss-hash-crc64ecma"}])
    ended = box.backup()
    assert ended.code == 6 and not ended.told.verified and ended.told.snapshot is None
    assert ended.told.problem_counts["stored.mismatch"] == 1


def test_a_snapshot_under_another_name_is_not_taken_for_it(box: Box) -> None:
    write(box.tree, {"a": b"1"})
    first = box.backup().told.snapshot
    write(box.tree, {"a": b"2"})
    assert first and box.backup().code == 0
    folder, later = "p/.oss-backup/snapshots", f"20991231T000000Z-{first.id[-8:]}"
    time.sleep(1.1)  # OSS's clock counts seconds, and the copy has to be the newest
    old = box.client().get_object(f"{folder}/{first.id}.jsonl.zst").read()
    box.client().put_object(f"{folder}/{later}.jsonl.zst", old)
    puts = box.sent()
    ended = box.backup()
    assert ended.code == 6 and later in ended.text and first.id in ended.text
    assert box.sent() == puts + RECORD, "nothing is written but how it ended"


def test_a_large_file_rewritten_while_it_is_sent_is_never_half_old_half_new(box: Box) -> None:
    """The first 48 MiB are read at once; the rest when parts are through. In between all of it is rewritten."""
    write(box.tree, {"large": b"1" * (80 << 20)})
    box.post("faults", [{"kind": "stall", "request": "part", "skip": 1, "seconds": 3, "count": -1}])
    process = box.start(
        "backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en"
    )  # fmt: skip
    while not box.sent("oss.part") and process.poll() is None:
        time.sleep(0.02)
    with (box.tree / "large").open("r+b") as file:
        file.write(b"2" * (80 << 20))
    box.post("faults", [])
    ended = box.end(process)
    assert ended.code == 0, ended.text
    assert box.objects() == keys(box.tree)
    entry = next(e for e in box.snapshots()[-1] if e.get("path") == "t/large")
    assert entry["sha256"] == keys(box.tree)["t/large"] and box.sent("oss.abort") == 1
