"""Stories of a restore: what a snapshot says is on the disk again, byte for byte, and nothing else is touched."""

import os
import random
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from box import Box, Ended, disk

NAMES = [
    b"a b", "中文/数据.csv".encode(), b"100%", b"line\nbreak", b"\xff\xfe", b"-rf", b"a\\b", b" lead", b"::error::x",
    b"n" * 255, b".oss-backup", b"deep/er/and/deeper/x",
]  # fmt: skip


def restore(box: Box, *arguments: str, **environ: str) -> Ended:
    return box.run(
        "restore", "--target", "back", "--prefix", "p", "--source", "story", "--language", "en", *arguments, **environ
    )  # fmt: skip


def facts(folder: Path) -> dict[str, Any]:
    """Everything below a folder: kind, mode, time, and content or target."""
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
                    told = file.read()
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
    assert box.sent("oss.get") == gets + 1, "the snapshot"
    (box.folder / "back/t/large").unlink()
    third = restore(box)
    assert third.told.counts.files_uploaded == 1 and facts(box.folder / "back/t") == facts(box.tree)


def test_sparse_files_are_sparse_again(box: Box) -> None:
    (box.tree / "sparse").write_bytes(b"x" + bytes(20 << 20))
    assert box.backup().code == 0
    assert restore(box).code == 0
    back = box.folder / "back/t/sparse"
    assert back.stat().st_size == (20 << 20) + 1 and back.stat().st_blocks * 512 < 1 << 20
