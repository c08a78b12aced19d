"""Five generations of a real tree, in both layouts, versioned and not: each comes back byte for byte, mode and time."""

import hashlib
import os
import random
import shutil
import stat
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from box import Box
from test_story_restore import facts, restore

GENERATIONS = 5
PACKAGES = ["json", "email"]  # of the standard library; all of it in the longer form
CASES = [
    pytest.param(
        layout, versioned, whole, id="-".join((layout, *["versioned"] * versioned, *["whole"] * whole)), marks=marks
    )
    for layout, versioned, whole, marks in (
        ("tree", False, False, []),
        ("vault", True, False, []),
        *((layout, versioned, True, [pytest.mark.slow]) for layout in ("tree", "vault") for versioned in (False, True)),
    )
]


def state(folder: Path) -> dict[bytes, Any]:
    """Everything below a folder: kind, mode, time, and the digest of the content or the target."""
    found = facts(folder, lambda data: hashlib.sha256(data).digest())
    return {os.fsencode(path): (stat.S_IFMT(os.lstat(folder / path).st_mode), *told) for path, told in found.items()}


def checkout(folder: Path) -> None:
    """A git repository with its objects, loose and packed."""

    def git(*arguments: str) -> None:
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *who, *arguments], cwd=folder, env=environ, check=True, capture_output=True)

    folder.mkdir()
    git("init", "-q")
    for number in range(40):
        (folder / f"{number}.txt").write_text(f"{number}\n" * number)
    git("add", ".")
    git("commit", "-qm", "first")
    git("gc", "-q")
    (folder / "0.txt").write_text("changed")
    git("commit", "-qam", "second")


def hostile(folder: Path, count: int, chance: random.Random) -> None:
    """Files whose names are any bytes that a name may have."""
    folder.mkdir()
    letters = [bytes([n]) for n in range(1, 256) if n != 0x2F] + [
        "中".encode(),
        "é".encode(),
        "e\u0301".encode(),
        b"::",
    ]
    for number in range(count):
        name = b"".join(chance.choice(letters) for _ in range(chance.randrange(1, 40)))[:200]
        if name in (b".", b".."):
            continue
        with open(os.path.join(os.fsencode(folder), name + b"%d" % (number % 7)), "wb") as file:
            file.write(chance.randbytes(chance.randrange(200)))


def real(folder: Path, chance: random.Random, *, whole: bool) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    if whole:
        left = shutil.ignore_patterns("site-packages", "dist-packages", "__pycache__", "test")
        shutil.copytree(library, folder / "library", symlinks=True, ignore=left)
    else:
        for name in PACKAGES:
            shutil.copytree(library / name, folder / "library" / name, ignore=shutil.ignore_patterns("__pycache__"))
    checkout(folder / "checkout")
    hostile(folder / "names", 1000 if whole else 60, chance)
    (folder / "large").write_bytes(chance.randbytes(20 << 20))
    (folder / "void").mkdir()


def change(folder: Path, chance: random.Random) -> None:
    """A night: files come, go, grow, change in places, move; folders too; modes, times and links."""
    files = sorted(
        p for p in map(os.fsdecode, state(folder)) if os.path.isfile(folder / p) and not os.path.islink(folder / p)
    )
    files.remove("large")  # it changes in a way of its own, below
    for name in chance.sample(files, min(len(files), 25)):
        path = folder / name
        match chance.randrange(7):
            case 0:
                path.unlink()
            case 1:
                path.chmod(chance.choice((0o644, 0o600, 0o755, 0o444)))
            case 2:
                path.rename(path.with_name(f"moved{chance.randrange(1000)}"))
            case 3:
                path.unlink()
                path.symlink_to(chance.choice(("nowhere", "../large", "/etc/hostname")))
            case 4:
                path.chmod(0o644)
                with open(path, "ab") as file:
                    file.write(chance.randbytes(100))
            case _:
                path.chmod(0o644)
                path.write_bytes(chance.randbytes(chance.randrange(5000)))
    with open(folder / "large", "r+b") as file:
        file.seek(chance.randrange(19 << 20))
        file.write(chance.randbytes(1000))
    fresh = folder / f"new{chance.randrange(10**9)}"
    fresh.mkdir(exist_ok=True)
    (fresh / "file").write_bytes(chance.randbytes(500))
    os.utime(fresh, ns=(1, chance.randrange(10**18)))
    gone = sorted(p for p in folder.iterdir() if p.name.startswith("new"))
    if len(gone) > 2:
        shutil.rmtree(gone[0])


@pytest.mark.parametrize(("layout", "versioned", "whole"), CASES)
def test_each_generation_is_restored_as_it_was(box: Box, layout: str, versioned: bool, whole: bool) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    environ = {"OSS_BACKUP_BUCKET": box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"]} if versioned else {}
    real(box.tree, chance, whole=whole)
    generations: dict[str, dict[bytes, Any]] = {}
    for _ in range(GENERATIONS if whole else 3):
        done = box.backup("--layout", layout, "--delete", **environ)
        assert done.code == 0, done.text
        assert done.told.snapshot is not None
        generations[done.told.snapshot.id] = state(box.tree)
        change(box.tree, chance)
    for id, wanted in chance.sample(sorted(generations.items()), len(generations)):
        back = restore(box, "--layout", layout, "--snapshot", id, **environ)
        assert back.code == 0, back.text
        found = state(box.folder / "back/t")
        assert {path: found.get(path) for path in wanted} == wanted, id
        if chance.random() < 0.5:  # over another generation, or into an empty folder
            shutil.rmtree(box.folder / "back")
