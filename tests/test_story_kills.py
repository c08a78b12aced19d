"""A story of power cuts: a tree that changes is backed up again and again by a program that is killed again and again.

After each kill a reader that is not ours must find every snapshot whole, and each must say what the tree was when it
was committed. A kill is a SIGKILL at a moment that is drawn: a time, or when the sandbox has answered the n-th request,
the n-th write or the snapshot itself, and then some of a request's time later.
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import oss2
import pytest
from box import Box, Ended, disk, wanted
from reader import CATALOGUE, Bucket

from backup_action.sandbox.serve import Sandbox

LATENCY = 0.02  # seconds of each request, so that there is time between two
WRITES = {"put", "copy", "complete", "part", "part-copy", "initiate", "delete", "delete-many"}
WHEN = ("time", "request", "write", "commit")  # how a kill's moment is drawn
BEFORE, BETWEEN, AFTER, LATE = "before the first write", "between writes", "after the commit", "after the run's end"
LARGE = (8 << 20) + 1  # bytes; from here on a file is sent in parts
NAMES = [f"{folder}{name}" for folder in ("", "d/", "d/e/", "f/") for name in ("a", "b", "c", "数据 1%")]


@dataclass(frozen=True)
class Mode:
    bucket: str  # the variable that names it
    options: tuple[str, ...] = ()
    deletes: bool = False
    is_vault: bool = False


MODES = {
    "a bucket without versions": Mode("OSS_SANDBOX_BUCKET"),
    "a bucket with versions": Mode("OSS_SANDBOX_VERSIONED_BUCKET"),
    "with delete": Mode("OSS_SANDBOX_BUCKET", ("--delete",), deletes=True),
    "a vault": Mode("OSS_SANDBOX_BUCKET", ("--layout", "vault"), is_vault=True),
}


class Changing:
    """A small tree and what happens to such."""

    def __init__(self, tree: Path, rng: random.Random) -> None:
        self._tree = tree
        self._rng = rng
        self._contents: list[bytes] = [b""]  # some come back, under any name
        for name in rng.sample(NAMES, 9):
            self._write(name)

    def change(self) -> None:
        """Some changes at once; the tree never shrinks to nothing."""
        for _ in range(self._rng.randrange(1, 5)):
            some = sorted(disk(self._tree))
            deeds = [self._add, self._rewrite, self._rewrite, self._append, self._touch, self._rename]
            if len(some) > 6:
                deeds += [self._remove, self._fold, self._link]
            self._rng.choice(deeds)(self._rng.choice(some))
        if self._rng.random() < 0.2:
            self._write("large", os.urandom(LARGE + self._rng.randrange(1 << 18)))

    def _new(self) -> bytes:
        if self._rng.random() < 0.3:
            return self._rng.choice(self._contents)
        self._contents.append(self._rng.randbytes(self._rng.randrange(1, 2000)))
        return self._contents[-1]

    def _write(self, name: str, data: bytes | None = None) -> None:
        path = self._tree / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        for at in (path, *path.parents):
            if at.is_symlink() or at.is_file():
                at.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._new() if data is None else data)

    def _add(self, name: str) -> None:
        self._write(self._rng.choice(NAMES))

    def _rewrite(self, name: str) -> None:
        """Other content of the same size, and at times of the same time."""
        path = self._tree / name
        info = path.stat()
        path.write_bytes(self._rng.randbytes(info.st_size))
        if self._rng.random() < 0.5:
            os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))

    def _append(self, name: str) -> None:
        with (self._tree / name).open("ab") as file:
            file.write(self._rng.randbytes(100))

    def _touch(self, name: str) -> None:
        os.utime(self._tree / name, ns=(0, self._rng.randrange(10**18)))

    def _rename(self, name: str) -> None:
        data = (self._tree / name).read_bytes()
        (self._tree / name).unlink()
        self._write(self._rng.choice(NAMES) if name != "large" else "large too", data)

    def _remove(self, name: str) -> None:
        (self._tree / name).unlink()

    def _fold(self, name: str) -> None:
        """A folder takes the file's place."""
        data = (self._tree / name).read_bytes()
        (self._tree / name).unlink()
        self._write(f"{name}/inner", data)

    def _link(self, name: str) -> None:
        """A link takes the file's place."""
        (self._tree / name).unlink()
        (self._tree / name).symlink_to("elsewhere")


@dataclass
class Story:
    """One mode's kills, and what must be true after each."""

    box: Box
    mode: Mode
    rng: random.Random
    expected: dict[str, dict[str, str]] = field(default_factory=dict)  # by snapshot: the tree when it was committed
    # Keys that runs without a commit sent and no snapshot named since; and what lay in a link's place at a commit: its
    # entry speaks of the link, so that a run that is killed before its removals leaves the object.
    orphans: set[str] = field(default_factory=set)
    seconds: float = 1.0  # that the last run took which nobody killed
    requests: int = 5  # that it made
    hits: collections.Counter[str] = field(default_factory=collections.Counter)
    state: Bucket | None = None

    def __post_init__(self) -> None:
        self.bucket = self.box.sandbox.environment[self.mode.bucket]
        self.client: oss2.Bucket = self.box.client(self.bucket)
        self.tree = Changing(self.box.tree, self.rng)

    def start(self) -> subprocess.Popen[str]:
        self.box.post("settings", {"latency": LATENCY})
        self.box.sandbox.world.log.clear()
        return self.box.start(
            "backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en",
            "--concurrency", "3", "--max-shrink", "100", "--max-change", "100", *self.mode.options,
            OSS_BACKUP_BUCKET=self.bucket,
        )  # fmt: skip

    def log(self) -> list[dict[str, Any]]:
        """The requests to the bucket that this run had answered."""
        return [line for line in list(self.box.sandbox.world.log) if line["service"] == "oss"]

    def named_uploads(self) -> set[str]:
        """Multipart uploads that leases name, so that the next run can find them."""
        leases = self.box.client(self.bucket)
        found = [item.key for item in oss2.ObjectIteratorV2(leases, prefix=f"p/{CATALOGUE}snapshots/")]
        told = [json.loads(leases.get_object(key).read()) for key in found if key.endswith(".lease")]
        return {upload[1] for lease in told for upload in lease.get("uploads", [])}

    def written(self) -> list[dict[str, Any]]:
        """What this run changed in the bucket: a lease is not counted."""
        done = [line for line in self.log() if line["request"] in WRITES and line["status"] // 100 == 2]
        return [line for line in done if not line["key"].endswith(".lease")]

    def settle(self) -> None:
        """Waits until the sandbox has done all that the dead process had sent; then nothing takes time."""
        before, same = -1, 0
        while same < 3:
            time.sleep(LATENCY)
            now = len(self.box.sandbox.world.log)
            before, same = now, same + 1 if now == before else 0
        self.box.post("settings", {"latency": 0})

    def kill(self, when: str) -> None:
        """One run, killed on its way."""
        process = self.start()
        patience = self.rng.uniform(0, 2 * LATENCY)
        reached = self._moment(when)
        while process.poll() is None and not reached():
            time.sleep(0.002)
        if when != "time":
            time.sleep(patience)
        process.kill()
        text, _ = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), f"{process.returncode}: {text}"
        (self.box.state / "oss-backup/report.json").unlink(missing_ok=True)
        self.settle()
        committed = self.look()
        if process.returncode == 0:
            self.hits[LATE] += 1
        else:
            self.hits[AFTER if committed else BETWEEN if self.written() else BEFORE] += 1

    def _moment(self, when: str) -> Callable[[], bool]:
        if when == "time":
            end = time.monotonic() + self.rng.uniform(0, self.seconds)
            return lambda: time.monotonic() >= end
        if when == "request":
            number = self.rng.randrange(1, self.requests + 1)
            return lambda: len(self.log()) >= number
        if when == "write":
            number = self.rng.randint(1, max(1, self._changes()))
            return lambda: len(self.written()) >= number
        return lambda: any(line["key"].endswith(".jsonl.zst") for line in self.written())

    def _changes(self) -> int:
        """Files whose content is not what the last snapshot says of their path."""
        last = next(reversed(self.expected.values()), {})
        return len(self.on_disk().items() - last.items())

    def on_disk(self) -> dict[str, str]:
        """The tree as a snapshot must tell it."""
        return {f"t/{path}": digest for path, digest in disk(self.box.tree).items()}

    @property
    def kills(self) -> int:
        """Runs that were killed before they had ended."""
        return self.hits.total() - self.hits[LATE]

    def look(self) -> bool:
        """Every snapshot is whole and says what it must; True if there is one more."""
        state = self.state = Bucket(self.client, "p/", self.state)
        snapshots = state.committed()
        new = [snapshot.id for snapshot in snapshots if snapshot.id not in self.expected]
        assert len(new) <= 1 and len(snapshots) == len(self.expected) + len(new)
        for id in new:
            self.expected[id] = self.on_disk()
        for snapshot in snapshots:
            assert snapshot.files == self.expected[snapshot.id], f"{snapshot.id} says what the tree never was"
            assert state.read_whole(snapshot) == snapshot.files
        if new:
            self.orphans -= {entry["key"] for entry in snapshots[-1].entries if entry["kind"] == "file"}
        else:
            self.orphans |= {line["key"].removeprefix("p/") for line in self.written()}
        return bool(new)

    def converge(self) -> None:
        """The next run ends well, whatever the ones before left."""
        left, named = self.uploads(), self.named_uploads()
        began = time.monotonic()
        ended: Ended = self.box.end(self.start())
        self.seconds, self.requests = time.monotonic() - began, len(self.log())
        assert ended.code == 0, ended.text
        self.settle()
        assert self.look(), "it committed"
        assert self.uploads() <= left - named, "it left no upload open, and ended those that it was told of"
        if self.mode.is_vault:
            self.send_nothing_again()
            return
        objects = self.box.objects(self.bucket)
        here = wanted(self.box)
        assert {key: digest for key, digest in objects.items() if key in here} == here
        if self.mode.deletes:
            assert objects.keys() - here.keys() <= self.orphans, "what a snapshot named and is gone was removed"

    def send_nothing_again(self) -> None:
        """All is there, whatever was killed: one more run stores no pack; at most it makes one index of many."""
        assert self.box.objects(self.bucket) == {}, "nothing lies under the paths of files"
        before = set(self.objects_of(f"{CATALOGUE}packs/") + self.objects_of(f"{CATALOGUE}index/"))
        assert self.box.end(self.start()).code == 0
        self.settle()
        assert self.look()
        new = set(self.objects_of(f"{CATALOGUE}packs/") + self.objects_of(f"{CATALOGUE}index/")) - before
        assert [key for key in new if not key.endswith("-merged")] == []

    def uploads(self) -> set[str]:
        return {upload.upload_id for upload in oss2.MultipartUploadIterator(self.client)}

    def end(self) -> None:
        """All of it once more, with nothing taken from an earlier look."""
        self.state = None
        assert not self.look()
        print(f"{self.kills} kills of runs of {self.seconds:.2f} s and {self.requests} requests:")
        print(*(f"  {self.hits[hit]:4} {hit}" for hit in (BEFORE, BETWEEN, AFTER, LATE)), sep="\n")
        print(f"  {len(self.expected)} snapshots, {len(self.objects_of(CATALOGUE))} objects of the catalogue")

    def objects_of(self, start: str) -> list[str]:
        assert self.state is not None
        return [key for key in self.state.objects if key.startswith(start)]


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A box with a sandbox of its own: it goes on with what a killed process had sent."""
    with Sandbox() as sandbox:
        yield Box(sandbox, tmp_path)


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", MODES)
def test_killed_at_any_moment_every_snapshot_stays_whole(box: Box, mode: str, kills: int) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    story = Story(box, MODES[mode], rng)
    story.converge()
    for when in itertools.cycle(WHEN):
        if story.kills == kills:
            break
        if rng.random() < 0.8:
            story.tree.change()
        story.kill(when)
        if rng.random() < 0.5:
            story.tree.change()
        if rng.random() < 0.5:
            story.converge()
    story.converge()
    story.end()
    if kills >= 100:
        assert all(story.hits[hit] >= kills // 20 for hit in (BEFORE, BETWEEN, AFTER)), story.hits
