"""Stories of prune: what the rules keep stays whole, byte for byte, whatever goes and whenever it is cut short."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oss2
import pytest
from box import Box, Ended, disk
from reader import Bucket, path_of, versions

HOURS = 3600.0
CATALOGUE = "p/.oss-backup/"
SUSPENDED = "suspended"


def age(box: Box) -> None:
    """Twenty-five hours pass for all that lies there, once more. No backup may follow: to it that is drift."""
    for bucket in box.sandbox.store.buckets.values():
        for stack in bucket.versions.values():
            for version in stack:
                version.modified -= 25 * HOURS


class Shelf:
    """Two sources below one prefix, many generations, content shared among snapshots and between the sources.

    OSS's clock is 22 h behind while the program runs, and 3 h ahead once a day has passed (`later`): so no clock is
    further off than what the program corrects. Clients that are not ours correct nothing, so for them it is right.
    """

    def __init__(self, box: Box, bucket: str, rng: random.Random) -> None:
        self.box, self.bucket, self.rng = box, bucket, rng
        self.environ = {"OSS_BACKUP_BUCKET": bucket}
        self.client = box.client(bucket)
        self.offset = -22 * HOURS
        self.expected: dict[str, dict[str, str]] = {}  # by snapshot: path and SHA-256
        self.order: list[str] = []  # of the source `story`
        self.trees = {"story": box.tree, "other": box.folder / "tree2"}
        self.trees["other"].mkdir()
        self.contents = [rng.randbytes(rng.randrange(1, 2000)) for _ in range(6)]
        for tree in self.trees.values():
            for name in "abcdef":
                self.write(tree / name)

    def later(self) -> None:
        """Twenty-five hours pass."""
        self.offset += 25 * HOURS

    def start(self, verb: str, *arguments: str, source: str = "story") -> subprocess.Popen[str]:
        """The program, in English, below the prefix `p`. `end` waits for it."""
        self.box.post("settings", {"clock_offset": self.offset})
        return self.box.start(
            verb, "--prefix", "p", "--source", source, "--language", "en", *arguments, **self.environ
        )  # fmt: skip

    def end(self, process: subprocess.Popen[str]) -> Ended:
        try:
            return self.box.end(process)
        finally:
            self.box.post("settings", {"clock_offset": 0})

    def run(self, verb: str, *arguments: str, source: str = "story") -> Ended:
        return self.end(self.start(verb, *arguments, source=source))

    def write(self, path: Path) -> None:
        """New content, or one that was there before, of whichever source."""
        if self.rng.random() < 0.5:
            self.contents.append(self.rng.randbytes(self.rng.randrange(1, 2000)))
        path.write_bytes(self.rng.choice(self.contents))

    def change(self, source: str = "story") -> None:
        tree = self.trees[source]
        for path in self.rng.sample(sorted(tree.iterdir()), 3):
            if self.rng.random() < 0.3 and len(list(tree.iterdir())) > 4:
                path.unlink()
            else:
                self.write(path)
        self.write(tree / self.rng.choice("abcdefgh"))

    def backup(self, source: str = "story", *more: str) -> str:
        place = "tree => t" if source == "story" else "tree2 => o"
        ended = self.run("backup", "--path", place, "--max-shrink", "100", *more, source=source)
        assert ended.code == 0, ended.text
        assert ended.told.snapshot
        id, at = ended.told.snapshot.id, place[-1]
        self.expected[id] = {f"{at}/{path}": digest for path, digest in disk(self.trees[source]).items()}
        if source == "story":
            self.order.append(id)
        return id

    def prune(self, *arguments: str, source: str = "story") -> Ended:
        """A dry run unless told `--apply`."""
        return self.run("prune", *arguments, source=source)

    def ids(self) -> list[str]:
        """Snapshots that are there, of the source `story`, oldest first."""
        return [told.id for told in Bucket(self.client, "p/").committed(pruned=True) if told.head["source"] == "story"]

    def look(self) -> None:
        """Every snapshot that is there is whole, as a reader that is not ours sees it."""
        state = Bucket(self.client, "p/")
        for snapshot in state.committed(pruned=True):
            assert snapshot.files == self.expected[snapshot.id]
            assert state.read_whole(snapshot) == snapshot.files

    def restore(self, id: str) -> None:
        """The program restores it, byte for byte."""
        back = self.box.folder / "back"
        shutil.rmtree(back, ignore_errors=True)
        source = "story" if id in self.order else "other"
        ended = self.run("restore", "--target", "back", "--snapshot", id, source=source)
        assert ended.code == 0, ended.text
        assert disk(back) == self.expected[id]

    def lying(self, start: str = "p/") -> set[str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # oss2 uses utcnow
            return {item.key for item in oss2.ObjectIteratorV2(self.client, prefix=start)}

    def history(self) -> set[str]:
        return {key.rsplit("/", 1)[1] for key in self.lying(f"{CATALOGUE}history/")}

    def versions(self) -> set[tuple[str, str]]:
        """Versions of what is not the catalogue's."""
        rows = versions(self.client, "p/")
        return {(key, version) for key, version, *_ in rows if not key.startswith(CATALOGUE)}

    def tombstones(self) -> list[dict[str, Any]]:
        keys = sorted(key for key in self.lying(f"{CATALOGUE}tombstones/") if key.endswith(".json"))
        return [json.loads(self.client.get_object(key).read()) for key in keys]

    def named(self) -> tuple[set[str], set[tuple[str, str]]]:
        """Contents, and versions, that the snapshots that are there name."""
        contents, found = set(), set()
        for snapshot in Bucket(self.client, "p/").committed(pruned=True):
            for entry in snapshot.entries:
                if entry.get("sha256"):
                    contents.add(entry["sha256"])
                    found.add((f"p/{entry.get('key') or path_of(entry)}", entry.get("version", "")))
        return contents, found


@pytest.fixture(params=["plain", "versioned", SUSPENDED])
def shelf(request: pytest.FixtureRequest, box: Box) -> Iterator[Shelf]:
    name = "OSS_SANDBOX_BUCKET" if request.param == "plain" else "OSS_SANDBOX_VERSIONED_BUCKET"
    bucket = box.sandbox.environment[name]
    shelf = Shelf(box, bucket, random.Random(7))
    if request.param == SUSPENDED:  # some generations were made while it was on
        shelf.backup()
        shelf.change()
        shelf.backup()
        shelf.change()
        shelf.client.put_bucket_versioning(oss2.models.BucketVersioningConfig("Suspended"))
    yield shelf
    if request.param == SUSPENDED:
        shelf.client.put_bucket_versioning(oss2.models.BucketVersioningConfig("Enabled"))


def test_what_the_rules_keep_is_whole_after_each_phase_and_the_rest_is_gone(shelf: Shelf) -> None:
    foreign = {"p/foreign", "p/t/foreign", f"{CATALOGUE}history/zz", f"{CATALOGUE}notes.txt"}
    for key in sorted(foreign):
        for _ in range(2):
            shelf.client.put_object(key, b"not ours")
    for number in range(6):
        shelf.backup("story", *["--delete"] * (number % 2))
        shelf.change()
        if number % 3 == 0:
            shelf.backup("other")
            shelf.change("other")
    before, trees = shelf.ids(), shelf.box.objects(shelf.bucket)
    rules = ("--keep-last", "3", "--max-prune", "100")

    puts = shelf.box.sent()
    shown = shelf.prune(*rules)
    assert shown.code == 0 and shown.told.pruning, shown.text
    assert shown.told.dry_run and shown.told.pruning.marked == len(before) - 3 and shown.told.pruning.kept == 3
    assert shelf.box.sent() == puts and shelf.ids() == before and not shelf.tombstones(), "a dry run writes nothing"

    marked = shelf.prune(*rules, "--apply")
    assert marked.code == 0 and marked.told.pruning, marked.text
    assert marked.told.pruning.objects_later == shown.told.pruning.objects_later > 0
    assert shelf.ids() == before and shelf.tombstones()[0]["state"] == "marked"
    shelf.look()
    shelf.restore(before[0])
    again = shelf.prune(*rules, "--apply")
    assert again.told.pruning and (again.told.pruning.marked, again.told.pruning.waiting) == (0, len(before) - 3)
    assert shelf.ids() == before and len(shelf.tombstones()) == 1, "the grace is not over"

    shelf.later()
    listed = (shelf.history(), shelf.versions())
    removed = shelf.prune(*rules, "--apply")
    assert removed.code == 0 and removed.told.pruning, removed.text
    assert shelf.ids() == before[-3:]
    shelf.look()
    for id in before[-3:]:
        shelf.restore(id)
    assert shelf.box.objects(shelf.bucket) == trees, "no object under its own key is touched"
    assert foreign <= shelf.lying()
    contents, named = shelf.named()
    assert shelf.history() == (listed[0] & contents) | {"zz"}
    old = {row for row in listed[1] if row[1] != "null" and row[0] not in foreign}
    current = {(key, shelf.client.head_object(key).headers.get("x-oss-version-id", "")) for key in shelf.lying()}
    assert listed[1] - shelf.versions() == old - named - current
    gone = len(listed[0] - shelf.history()) + len(listed[1] - shelf.versions())
    assert removed.told.pruning.objects_freed == gone == marked.told.pruning.objects_later
    assert removed.told.pruning.bytes_freed == marked.told.pruning.bytes_later > 0
    (record,) = shelf.tombstones()
    assert (record["state"], record["objects"]) == ("done", gone)
    assert [mark["id"] for mark in record["snapshots"]] == before[:-3][::-1]
    assert not [key for key in shelf.lying(f"{CATALOGUE}tombstones/") if not key.endswith(".json")]
    shelf.change()
    shelf.backup()
    shelf.look()
    leases = {key.rsplit("/", 1)[1].partition(".")[0] for key in shelf.lying(CATALOGUE) if key.endswith(".lease")}
    assert not leases & set(before[:-3])

    age(shelf.box)
    last = shelf.prune(*rules, "--apply")
    assert last.told.pruning and (last.told.pruning.removed, last.told.pruning.objects_freed) == (0, 0)
