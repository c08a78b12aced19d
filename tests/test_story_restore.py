"""Stories of a restore: what a snapshot says is on the disk again, byte for byte, and nothing else is touched."""

import hashlib
import json
import os
import random
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from box import Box, Ended, disk

NAMES = [
    b"a b", "中文/数据.csv".encode(), b"100%", b"line\nbreak", b"\xff\xfe", b"-rf", b"a\\b", b" lead", b"::error::x",
    b"n" * 255, b".oss-backup", b"deep/er/and/deeper/x",
]  # fmt: skip


def restore(box: Box, *arguments: str, **environ: str) -> Ended:
    return box.run(
        "restore", "--target", "back", "--prefix", "p", "--source", "story", "--language", "en", *arguments, **environ
    )  # fmt: skip


def facts(folder: Path, seen: Callable[[bytes], bytes] = bytes) -> dict[str, Any]:
    """Everything below a folder: kind, mode, time, and content, or what is to be seen of it, or target."""
    found: dict[str, Any] = {}
    for above, folders, files in os.walk(os.fsencode(folder)):
        for name in [*folders, *files]:
            path = os.path.join(above, name)
            info = os.lstat(path)
            told: Any = None
            if stat.S_ISLNK(info.st_mode):
                told = os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    told = seen(file.read())
            mode = 0 if stat.S_ISLNK(info.st_mode) else stat.S_IMODE(info.st_mode)
            found[os.fsdecode(os.path.relpath(path, os.fsencode(folder)))] = (mode, info.st_mtime_ns, told)
    return found


def fill(tree: Path, rng: random.Random) -> None:
    for number, name in enumerate(NAMES):
        path = os.path.join(os.fsencode(tree), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(rng.randbytes(rng.randrange(3000)))
        os.chmod(path, rng.choice((0o644, 0o600, 0o755, 0o444)))
        os.utime(path, ns=(1, 1_600_000_000_123_456_789 + number))
    (tree / "large").write_bytes(rng.randbytes((17 << 20) + 11))
    (tree / "sparse").write_bytes(b"x" + bytes(9 << 20) + b"y" + bytes(1 << 20))
    (tree / "empty").write_bytes(b"")
    (tree / "void").mkdir()
    (tree / "link").symlink_to("large")
    (tree / "dangling").symlink_to("../nowhere")


@pytest.mark.parametrize("versioned", [False, True], ids=["history", "versions"])
def test_every_generation_comes_back_as_it_was(box: Box, versioned: bool) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    environ = {"OSS_BACKUP_BUCKET": box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"]} if versioned else {}
    fill(box.tree, rng)
    generations: dict[str, dict[str, Any]] = {}
    for _ in range(4):
        for name in rng.sample(sorted(disk(box.tree)), 5):
            path = box.tree / name
            if rng.random() < 0.3:
                path.unlink()
            else:
                os.chmod(path, 0o644)
                path.write_bytes(rng.randbytes(rng.randrange(2000)))
        ended = box.backup("--delete", "--max-shrink", "100", **environ)
        assert ended.code == 0, ended.text
        assert ended.told.snapshot
        generations[ended.told.snapshot.id] = facts(box.tree)
    for id, expected in generations.items():
        shutil.rmtree(box.folder / "back", ignore_errors=True)
        ended = restore(box, "--snapshot", id, **environ)
        assert ended.code == 0 and ended.told.verified, ended.text
        found = facts(box.folder / "back/t")
        assert found.keys() == expected.keys()
        assert {path: told for path, told in found.items() if told != expected[path]} == {}
    assert os.stat(box.folder / "back/t").st_mtime_ns == os.stat(box.tree).st_mtime_ns


def test_a_second_restore_moves_nothing_and_one_that_was_cut_short_goes_on(box: Box) -> None:
    fill(box.tree, random.Random(1))
    assert box.backup().code == 0
    first = restore(box)
    assert first.code == 0 and first.told.counts.files_uploaded == first.told.counts.files_total
    gets = box.sent("oss.get")
    second = restore(box)
    assert second.code == 0 and second.told.counts.files_uploaded == 0
    assert box.sent("oss.get") == gets + 2, "the snapshot, and the newest record of a restore"
    (box.folder / "back/t/large").unlink()
    third = restore(box)
    assert third.told.counts.files_uploaded == 1 and facts(box.folder / "back/t") == facts(box.tree)


def test_sparse_files_are_sparse_again(box: Box) -> None:
    (box.tree / "sparse").write_bytes(b"x" + bytes(20 << 20))
    (box.tree / "end").write_bytes(b"x" + bytes((1 << 20) - 1))
    assert box.backup().code == 0
    assert restore(box).code == 0
    assert facts(box.folder / "back/t") == facts(box.tree)
    back = box.folder / "back/t/sparse"
    assert back.stat().st_size == (20 << 20) + 1 and back.stat().st_blocks * 512 < 1 << 20


def rewrite(box: Box, change: Any) -> None:
    """The newest snapshot with its entries changed, its digest made anew: what a forger would put there."""
    key = f"p/.oss-backup/snapshots/{box.snapshots()[-1][0]['head']['id']}.jsonl.zst"
    head, *entries, foot = box.snapshots()[-1]
    entries = change(entries)
    lines = [json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for line in (head, *entries)]
    files = [entry for entry in entries if entry["kind"] == "file"]
    foot["foot"] |= {
        "digest": hashlib.sha256(b"".join(lines)).hexdigest(),
        "entries": len(entries), "files": len(files), "bytes": sum(entry.get("size", 0) for entry in files),
    }  # fmt: skip
    plain = b"".join(lines) + json.dumps(foot, separators=(",", ":")).encode() + b"\n"
    box.client().put_object(key, zstandard.compress(plain))


def renamed(path: str) -> Any:
    """Every entry of a file gets this path, under a place that keeps the order."""

    def change(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [entry | ({"path": path} if entry["kind"] == "file" else {}) for entry in entries]

    return change


@pytest.mark.parametrize("path", ["../evil", "/evil", "t/../../evil", "t//evil", "t/./evil", "", "..", "t/a\0"])
def test_a_snapshot_that_leads_out_of_the_target_is_refused_before_anything_is_written(box: Box, path: str) -> None:
    (box.tree / "a").write_bytes(b"1")
    assert box.backup().code == 0
    rewrite(box, renamed(path))
    ended = restore(box)
    assert (ended.code, ended.told.problem_counts) == (6, {"snapshot.damaged": 1}), ended.text
    assert not (box.folder / "back").exists() and not (box.folder / "evil").exists()


def test_a_path_below_a_link_of_the_same_snapshot_is_refused(box: Box) -> None:
    (box.tree / "d").mkdir()
    (box.tree / "d/x").write_bytes(b"1")
    assert box.backup().code == 0

    def change(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {"path": "t/d", "kind": "link", "target": str(box.folder), "place": "t/d"}
            if entry["path"] == "t/d"
            else entry
            for entry in entries
        ]

    rewrite(box, change)
    ended = restore(box)
    assert ended.code == 6 and "below what is no folder" in ended.text
    assert not (box.folder / "x").exists()


def test_a_path_that_is_there_twice_is_refused(box: Box) -> None:
    for name in ("a", "b"):
        (box.tree / name).write_bytes(name.encode())
    assert box.backup().code == 0
    rewrite(box, renamed("t/a"))
    ended = restore(box)
    assert ended.code == 6 and "there twice" in ended.text
    assert not (box.folder / "back").exists()


def test_links_that_are_in_the_target_already_are_not_followed(box: Box) -> None:
    (box.tree / "d").mkdir()
    (box.tree / "d/x").write_bytes(b"new")
    (box.tree / "f").write_bytes(b"new")
    assert box.backup().code == 0
    outside = box.folder / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"old")
    (box.folder / "back/t").mkdir(parents=True)
    (box.folder / "back/t/d").symlink_to(outside)
    (box.folder / "back/t/f").symlink_to(outside / "x")
    ended = restore(box)
    assert ended.code == 0, ended.text
    assert (outside / "x").read_bytes() == b"old" and os.listdir(outside) == ["x"]
    assert facts(box.folder / "back/t") == facts(box.tree), "they gave way to what the snapshot says"


def test_content_that_is_gone_or_altered_is_told_and_the_rest_is_restored(box: Box) -> None:
    for name in ("a", "gone", "altered"):
        (box.tree / name).write_bytes(name.encode() * 10)
    assert box.backup().code == 0
    box.client().delete_object("p/t/gone")
    box.client().put_object("p/t/altered", b"somebody else's")
    (box.folder / "back/t").mkdir(parents=True)
    (box.folder / "back/t/altered").write_bytes(b"what was there")
    ended = restore(box)
    assert (ended.code, ended.told.status) == (6, "damaged") and not ended.told.verified
    assert ended.told.problem_counts == {"content.missing": 1, "content.altered": 1}
    assert {problem.where for problem in ended.told.problems} == {"t/gone", "t/altered"}
    assert (box.folder / "back/t/altered").read_bytes() == b"what was there"
    assert disk(box.folder / "back/t").keys() == {"a", "altered"}


@pytest.mark.parametrize("size", [10, (9 << 20) + 1])
def test_an_answer_altered_on_the_way_is_asked_for_again_and_one_that_stays_so_is_damage(box: Box, size: int) -> None:
    (box.tree / "a").write_bytes(os.urandom(size))
    assert box.backup().code == 0
    alter = {"kind": "alter", "request": "get", "key": "p/t/*", "after": 5}
    box.post("faults", [alter | {"count": 1}])
    ended = restore(box)
    assert ended.code == 0 and facts(box.folder / "back/t") == facts(box.tree), ended.text
    shutil.rmtree(box.folder / "back")
    box.post("faults", [alter | {"count": -1}])
    ended = restore(box)
    assert (ended.code, ended.told.problem_counts) == (6, {"content.altered": 1}), ended.text
    assert disk(box.folder / "back") == {}, "nothing half is left, under any name"


@pytest.mark.parametrize(
    ("overwrite", "expected"),
    [
        ("if-changed", {"same": b"same", "touched": b"touched", "older": b"older", "newer": b"newer", "none": b"none"}),
        ("always", {"same": b"same", "touched": b"touched", "older": b"older", "newer": b"newer", "none": b"none"}),
        ("if-newer", {"same": b"same", "touched": b"touched", "older": b"older", "newer": b"mine!", "none": b"none"}),
        ("never", {"same": b"same", "touched": b"touched", "older": b"mine!", "newer": b"mine!", "none": b"none"}),
    ],
)
def test_overwrite_says_what_becomes_of_files_that_are_there(
    box: Box, overwrite: str, expected: dict[str, bytes]
) -> None:
    for name in expected:
        (box.tree / name).write_bytes(name.encode())
        os.utime(box.tree / name, ns=(1, 1_700_000_000_000_000_000))
    assert box.backup().code == 0
    back = box.folder / "back/t"
    shutil.copytree(box.tree, back)
    (back / "none").unlink()
    os.utime(back / "touched", ns=(1, 5))
    for name, when in (("older", 5), ("newer", 1_800_000_000_000_000_000)):
        (back / name).write_bytes(b"mine!")
        os.utime(back / name, ns=(1, when))
    gets = box.sent("oss.get")
    ended = restore(box, "--overwrite", overwrite)
    assert ended.code == 0, ended.text
    assert {name: (back / name).read_bytes() for name in expected} == expected
    fetched = {"if-changed": 3, "always": 5, "if-newer": 2, "never": 1}[overwrite]
    assert box.sent("oss.get") - gets == fetched + 1 and ended.told.counts.files_uploaded == fetched
    assert ended.told.spared_files == {"if-changed": 0, "always": 0, "if-newer": 2, "never": 4}[overwrite]


def test_parts_of_a_snapshot_and_a_dry_run(box: Box) -> None:
    for name in ("d/a.csv", "d/b.txt", "e/c.csv", "e/f/g.csv"):
        (box.tree / name).parent.mkdir(parents=True, exist_ok=True)
        (box.tree / name).write_bytes(name.encode())
    assert box.backup().code == 0
    dry = restore(box, "--dry-run", "--exclude", "*.txt")
    assert dry.code == 0 and dry.told.counts.files_uploaded == 3 and "3 files to write" in dry.text
    assert "3 files of the snapshot to restore" in dry.text, "it says how far it is while it runs"
    assert disk(box.folder / "back") == {}
    assert restore(box, "--include", "/t/e/", "--exclude", "g.csv").code == 0
    assert disk(box.folder / "back").keys() == {"t/e/c.csv"}
    assert restore(box, "--include", "/t/d/b.txt").code == 0
    nothing = restore(box, "--include", "/d/b.txt")
    assert (nothing.code, nothing.told.problem_counts) == (2, {"snapshot.unknown": 1}) and "`include`" in nothing.text
    assert disk(box.folder / "back").keys() == {"t/e/c.csv", "t/d/b.txt"}


def test_which_snapshot_is_meant(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    assert restore(box).told.problem_counts == {"snapshot.unknown": 1}, "there is none"
    first = box.backup().told.snapshot
    (box.tree / "a").write_bytes(b"2")
    second = box.backup().told.snapshot
    assert first and second
    for text, content in ((first.id, b"1"), (second.id[:-1], b"2"), ("latest", b"2"), ("2099-01-01", b"2")):
        assert restore(box, "--snapshot", text, "--overwrite", "always").code == 0, text
        assert (box.folder / "back/t/a").read_bytes() == content
    for text in ("2001-01-01", "20010101", first.id[:8]):
        ended = restore(box, "--snapshot", text)
        assert (ended.code, ended.told.problem_counts) == (2, {"snapshot.unknown": 1}) and first.id in ended.text
    assert restore(box, "--snapshot", "yesterday").told.problem_counts == {"setting.malformed": 1}
    other = restore(box, "--source", "another")
    assert other.code == 2 and "`source`" in other.text


def test_a_target_that_cannot_be_written_is_told(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    assert box.backup().code == 0
    (box.folder / "back").write_bytes(b"a file")
    ended = restore(box)
    assert (ended.code, ended.told.problem_counts) == (8, {"target.unusable": 1}) and "`target`" in ended.text
    (box.folder / "back").unlink()
    (box.folder / "back/t/a/full").mkdir(parents=True)
    ended = restore(box)
    assert (ended.code, ended.told.problem_counts) == (3, {"target.unwritable": 1}), "a folder that is not empty stays"
    assert (box.folder / "back/t/a/full").is_dir()


def test_a_killed_restore_leaves_nothing_that_the_next_does_not_clear(box: Box) -> None:
    (box.tree / "large").write_bytes(os.urandom(20 << 20))
    assert box.backup().code == 0
    box.post("faults", [{"kind": "stall", "request": "get", "key": "p/t/*", "skip": 1, "seconds": 20, "count": -1}])
    process = box.start(
        "restore", "--target", "back", "--prefix", "p", "--source", "story", XDG_STATE_HOME=str(box.folder / "other")
    )  # fmt: skip
    end = time.monotonic() + 30
    while not disk(box.folder / "back"):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.kill()
    process.communicate()
    box.post("faults", [])
    assert [name for name in disk(box.folder / "back") if ".oss-backup-" in name]
    assert restore(box).code == 0
    assert facts(box.folder / "back/t") == facts(box.tree)


def test_the_session_of_a_restore_may_only_read(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    assert box.backup().code == 0
    read = ["oss:GetObject", "oss:GetObjectVersion", "oss:ListObjects"]
    policy = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": read, "Resource": ["*"]}]}
    box.post("settings", {"role_policy": policy})
    assert restore(box).code == 0


def test_a_snapshot_with_gaps_is_restored_and_that_is_told(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    (box.tree / "b").write_bytes(b"2")
    box.post("faults", [{"kind": "status", "request": "put", "key": "p/t/b", "status": 400, "code": "EntityTooLarge"}])
    assert box.backup().code == 3
    ended = restore(box)
    assert (ended.code, ended.told.problem_counts) == (0, {"snapshot.incomplete": 1}) and ended.told.verified
    assert disk(box.folder / "back").keys() == {"t/a"} and "some files could not be backed up" in ended.text
