"""Stories of prune: what the rules keep stays whole, byte for byte, whatever goes and whenever it is cut short."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import shutil
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oss2
import pytest
import reader
import zstandard
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
            verb, "--prefix", "p", "--source", source, "--language", "en", "--notify-on", "never", *arguments,
            **self.environ,
        )  # fmt: skip

    def end(self, process: subprocess.Popen[str]) -> Ended:
        """Waits for it; then OSS's clock is right again."""
        try:
            return self.box.end(process)
        finally:
            self.box.post("settings", {"clock_offset": 0})

    def run(self, verb: str, *arguments: str, source: str = "story") -> Ended:
        return self.end(self.start(verb, *arguments, source=source))

    def state(self) -> Any:
        """All that lies in the bucket, for `put_back`."""
        return copy.deepcopy(self.box.sandbox.store.buckets[self.bucket].versions)

    def put_back(self, state: Any) -> None:
        """Makes the bucket what it was. Nothing may be under way."""
        bucket = self.box.sandbox.store.buckets[self.bucket]
        bucket.versions = copy.deepcopy(state)
        bucket.index = type(bucket.index)()
        for key in state:
            bucket.index.add(key)

    def writes(self) -> int:
        """Requests so far that change a bucket, but for the records of how runs ended."""
        changing = ("put", "copy", "delete", "delete-many", "complete")
        log = self.box.sandbox.world.log
        return sum(one["request"] in changing and "/ledger/" not in one["key"] for one in log)

    def forge(self, id: str, new: str = "", **changes: Any) -> None:
        """A snapshot like one that is there, under another id, with a head or foot that says so."""
        key = f"{CATALOGUE}snapshots/{{}}.jsonl.zst"
        told = reader.read_snapshot(self.client.get_object(key.format(id)).read())
        foot = told.foot | {name: value for name, value in changes.items() if name in told.foot}
        head = told.head | {name: value for name, value in changes.items() if name not in told.foot}
        head["id"] = new or id
        lines = [{"head": head}, *told.entries]
        plain = b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in lines)
        foot["digest"] = hashlib.sha256(plain).hexdigest()
        data = plain + json.dumps({"foot": foot}, separators=(",", ":")).encode() + b"\n"
        self.client.put_object(key.format(head["id"]), zstandard.compress(data))
        self.expected[head["id"]] = self.expected[id]

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
    for number in range(4):
        shelf.backup("story", *["--delete"] * (number % 2))
        shelf.change()
        if number % 3 == 0:
            shelf.backup("other")
            shelf.change("other")
    before, trees = shelf.ids(), shelf.box.objects(shelf.bucket)
    rules = ("--keep-last", "2", "--max-prune", "100")

    puts = shelf.box.sent()
    shown = shelf.prune(*rules)
    assert shown.code == 0 and shown.told.pruning, shown.text
    assert shown.told.dry_run and shown.told.pruning.marked == len(before) - 2 and shown.told.pruning.kept == 2
    assert shelf.box.sent() == puts and shelf.ids() == before and not shelf.tombstones(), "a dry run writes nothing"

    marked = shelf.prune(*rules, "--apply")
    assert marked.code == 0 and marked.told.pruning, marked.text
    assert marked.told.pruning.objects_later == shown.told.pruning.objects_later > 0
    assert shelf.ids() == before and shelf.tombstones()[0]["state"] == "marked"
    shelf.look()
    shelf.restore(before[0])
    again = shelf.prune(*rules, "--apply")
    assert again.told.pruning and (again.told.pruning.marked, again.told.pruning.waiting) == (0, len(before) - 2)
    assert shelf.ids() == before and len(shelf.tombstones()) == 1, "the grace is not over"

    shelf.later()
    listed = (shelf.history(), shelf.versions())
    removed = shelf.prune(*rules, "--apply")
    assert removed.code == 0 and removed.told.pruning, removed.text
    assert shelf.ids() == before[-2:]
    shelf.look()
    shelf.restore(before[-2])
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
    assert [mark["id"] for mark in record["snapshots"]] == before[:-2][::-1]
    assert not lists(shelf)
    shelf.change()
    shelf.backup()
    shelf.look()
    leases = {key.rsplit("/", 1)[1].partition(".")[0] for key in shelf.lying(CATALOGUE) if key.endswith(".lease")}
    assert not leases & set(before[:-2])


MADE: dict[str, tuple[Any, ...]] = {}  # what `made` made once for all stories, by bucket


def made(box: Box, name: str) -> Shelf:
    """Four generations, each with removals, and one of another source in between."""
    shelf = Shelf(box, box.sandbox.environment[name], random.Random(3))
    if name not in MADE:
        for number in range(4):
            shelf.backup("story", "--delete")
            shelf.change()
            if number == 1:
                shelf.backup("other")
        trees = {tree: [(path.name, path.read_bytes()) for path in tree.iterdir()] for tree in shelf.trees.values()}
        files = list(trees.values())
        MADE[name] = (shelf.state(), files, shelf.expected, shelf.order, shelf.contents)
    state, files, expected, order, contents = MADE[name]
    shelf.expected, shelf.order, shelf.contents = dict(expected), list(order), list(contents)
    shelf.put_back(state)
    for tree, those in zip(shelf.trees.values(), files, strict=True):
        shutil.rmtree(tree)
        tree.mkdir()
        for path, data in those:
            (tree / path).write_bytes(data)
    return shelf


@pytest.fixture
def plain(box: Box) -> Shelf:
    """A bucket without versions."""
    return made(box, "OSS_SANDBOX_BUCKET")


HELD = {"kind": "status", "request": "delete", "status": 409, "code": "FileImmutable"}


def refuse(shelf: Shelf, code: int, kind: str, *arguments: str) -> Ended:
    """A prune that ends so, and writes nothing."""
    before = shelf.writes()
    ended = shelf.prune(*arguments)
    assert (ended.code, ended.told.problems[0].kind.value) == (code, kind), ended.text
    assert shelf.writes() == before
    return ended


def test_what_it_refuses_it_refuses_before_it_writes(plain: Shelf) -> None:
    refuse(plain, 2, "setting.keep", "--apply")
    refuse(plain, 2, "setting.malformed", "--apply", "--keep-last", "1", "--grace-hours", "23")
    refuse(plain, 2, "snapshot.unknown", "--apply", "--keep-last", "1", "--source", "nobody")
    refuse(plain, 8, "prune.many", "--apply", "--keep-last", "1")
    refuse(plain, 8, "prune.many", "--keep-last", "1")
    plain.offset = 30 * HOURS
    refuse(plain, 4, "oss.clock", "--apply", "--keep-last", "2")
    plain.offset = -22 * HOURS
    assert plain.prune("--apply", "--keep-last", "1", "--max-prune", "100").code == 0
    plain.later()
    refuse(plain, 8, "prune.many", "--apply", "--keep-last", "1")  # to remove as many is as much
    plain.forge(plain.order[-1], complete=False)
    ended = refuse(plain, 8, "prune.newest", "--apply", "--keep-last", "1", "--max-prune", "100")
    assert ended.told.problems[0].where == plain.order[-2]


def test_a_snapshot_that_cannot_be_read_stops_it_whosever_it_is(plain: Shelf) -> None:
    rules = ("--apply", "--keep-last", "2")
    assert plain.prune(*rules).code == 0
    plain.later()
    (other,) = [told.id for told in Bucket(plain.client, "p/").committed() if told.head["source"] == "other"]
    key = f"{CATALOGUE}snapshots/{other}.jsonl.zst"
    data = plain.client.get_object(key).read()
    for wrong in (data[:-9], zstandard.compress(b'{"head":{"format":"oss-backup/2"}}\n')):
        plain.client.put_object(key, wrong)
        kind = "snapshot.damaged" if wrong == data[:-9] else "snapshot.format"
        refuse(plain, 6, kind, *rules)
    plain.client.put_object(key, data)
    tombstone = next(iter(plain.lying(f"{CATALOGUE}tombstones/")))
    text = plain.client.get_object(tombstone).read()
    plain.client.put_object(tombstone, text.replace(b"tombstone/1", b"tombstone/2"))
    refuse(plain, 6, "tombstone.damaged", *rules)
    assert plain.ids() == plain.order


def test_snapshots_from_the_future_count_for_nothing_and_a_clock_before_the_newest_is_refused(plain: Shelf) -> None:
    def stamp(hours: float) -> str:
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + hours * HOURS)) + plain.order[-1][16:]

    plain.offset = 0
    plain.forge(plain.order[-1], stamp(26), sequence=99)
    ended = plain.prune("--apply", "--keep-last", "2")
    assert ended.code == 0 and ended.told.pruning, ended.text
    assert [problem.kind.value for problem in ended.told.problems] == ["snapshot.future"]
    fates = {line.id: (line.fate.value, line.reasons) for line in ended.told.pruning.snapshots}
    assert [fates[id][0] for id in plain.order] == ["marked", "marked", "kept", "kept"]
    assert fates[stamp(26)[:8] + ended.told.problems[0].where[8:]] == ("kept", ["future"])
    plain.forge(plain.order[-1], stamp(5), sequence=98)
    refuse(plain, 8, "prune.clock", "--apply", "--keep-last", "2")


def test_a_mark_is_lifted_by_rules_that_keep_again_and_by_deleting_it(plain: Shelf) -> None:
    def marks() -> list[list[str]]:
        return [[mark["id"] for mark in told["snapshots"]] for told in plain.tombstones()]

    plain.prune("--apply", "--keep-last", "2")
    assert marks() == [[plain.order[1], plain.order[0]]]
    ended = plain.prune("--apply", "--keep-last", "3")
    assert ended.told.pruning and (ended.told.pruning.lifted, ended.told.pruning.kept) == (1, 3)
    assert marks() == [[plain.order[0]]]
    plain.prune("--apply", "--keep-last", "4")
    assert marks() == []
    plain.prune("--apply", "--keep-last", "3")
    plain.later()
    for key in plain.lying(f"{CATALOGUE}tombstones/"):
        plain.client.delete_object(key)
    ended = plain.prune("--apply", "--keep-last", "3")
    assert ended.told.pruning and (ended.told.pruning.marked, ended.told.pruning.removed) == (1, 0)
    assert plain.ids() == plain.order and marks() == [[plain.order[0]]], "it begins anew"
    assert plain.prune("--apply", "--keep-last", "3", "--dry-run").told.dry_run


def test_what_a_retention_holds_is_removed_later_and_told(plain: Shelf) -> None:
    rules = ("--apply", "--keep-last", "2")
    assert plain.prune(*rules).code == 0
    plain.later()
    facts = plain.box.sandbox.store.buckets[plain.bucket].facts
    plain.box.post("faults", [HELD | {"key": f"*{plain.order[1]}.jsonl.zst"}, HELD | {"key": "*.lease"}])
    one = plain.prune(*rules)
    assert one.code == 3 and one.told.pruning and one.told.pruning.removed == 1, one.text
    assert plain.ids() == plain.order[1:]
    plain.look()  # the content of the one that stays, too
    before, facts.worm_days = plain.history(), 2
    try:
        held = plain.prune(*rules)
        assert held.code == 3 and held.told.pruning, held.text
        assert {problem.kind.value for problem in held.told.problems} == {"prune.held"}
        assert (held.told.pruning.removed, held.told.pruning.waiting, plain.ids()) == (0, 1, plain.order[1:])
        assert plain.history() == before, "what a snapshot that stays names stays"
        plain.look()
        age(plain.box)
        age(plain.box)
        done = plain.prune(*rules)
        assert done.code == 0, done.text
    finally:
        facts.worm_days = 0
    assert plain.ids() == plain.order[2:]
    assert plain.history() < before
    leases = {key.rsplit("/", 1)[1].partition(".")[0] for key in plain.lying(CATALOGUE) if key.endswith(".lease")}
    assert not leases & set(plain.order[:2])
    plain.look()
    assert plain.prune(*rules).code == 0
    assert {told["state"] for told in plain.tombstones()} == {"done"}, "what was held of the records is mended"


def test_a_content_that_came_back_while_it_was_being_removed_stays(plain: Shelf) -> None:
    rules = ("--apply", "--keep-last", "2")
    plain.prune(*rules)
    plain.later()
    contents = {hashlib.sha256(data).hexdigest(): data for data in plain.contents}
    kept = {entry.get("sha256") for told in Bucket(plain.client, "p/").committed() for entry in told.entries}
    names = [told for told in Bucket(plain.client, "p/").committed() if told.id in plain.order]
    goes = {entry["sha256"] for told in names[:2] for entry in told.entries if entry.get("sha256")}
    stay = {entry["sha256"] for told in names[2:] for entry in told.entries if entry.get("sha256")}
    other = kept - goes - stay
    back = next(iter(sorted((goes - stay - other) & contents.keys() & plain.history())))
    plain.box.post("faults", [{"kind": "stall", "request": "put", "key": "*tombstones/*.json", "seconds": 1}])
    pruning = plain.start("prune", *rules)
    while not any(key.endswith(".jsonl.zst") for key in plain_keys(plain)):
        time.sleep(0.02)
    pruning.send_signal(signal.SIGSTOP)
    for data in (contents[back], b"and what takes its place"):  # a backup relies on what lies in the history
        (plain.box.tree / "a").write_bytes(data)
        backup = plain.box.backup("--max-shrink", "100")
        assert backup.code == 0 and backup.told.snapshot, backup.text
        plain.expected[backup.told.snapshot.id] = {f"t/{path}": digest for path, digest in disk(plain.box.tree).items()}
    pruning.send_signal(signal.SIGCONT)
    ended = plain.end(pruning)
    assert ended.code == 0 and ended.told.pruning and ended.told.pruning.removed == 2, ended.text
    plain.look()
    assert back in plain.history() and plain.history() < goes | stay | other


def plain_keys(shelf: Shelf) -> set[str]:
    """Keys of the tombstones, without a request."""
    keys = list(shelf.box.sandbox.store.buckets[shelf.bucket].versions)
    return {key for key in keys if key.startswith(f"{CATALOGUE}tombstones/")}


@pytest.mark.parametrize("phase", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_backup_may_run_beside_it(plain: Shelf, phase: int) -> None:
    rules = ("--apply", "--keep-last", "2")
    if phase == 2:
        plain.prune(*rules)
        plain.later()
    plain.change()
    plain.box.post("settings", {"latency": 0.03})
    backup = plain.start("backup", "--path", "tree => t", "--delete", "--max-shrink", "100", "--concurrency", "1")
    plain.box.state = plain.box.folder / "another"  # a report of its own
    pruning = plain.start("prune", *rules)
    ends = [plain.box.end(process) for process in (pruning, backup)]
    plain.box.post("settings", {"latency": 0, "clock_offset": 0})
    assert [ended.code for ended in ends] == [0, 0], ends[0].text + ends[1].text
    new = next(id for id in plain.ids() if id not in plain.order)
    plain.expected[new] = {f"t/{path}": digest for path, digest in disk(plain.box.tree).items()}
    plain.look()


def lists(shelf: Shelf) -> set[str]:
    """Lists of what goes, by name."""
    keys = shelf.lying(f"{CATALOGUE}tombstones/")
    return {key.rsplit("/", 1)[1] for key in keys if key.endswith(".jsonl.zst")}


def asked(box: Box) -> int:
    """Requests to the bucket so far."""
    return sum(count for name, count in box.counts().items() if name.startswith("oss."))


def cut(shelf: Shelf, state: Any, after: int, rules: tuple[str, ...]) -> bool:
    """A removal of which only so many requests came through, and the next run. False where it had ended before."""
    shelf.put_back(state)
    fault = {"kind": "status", "skip": after, "count": -1, "status": 403, "code": "AccessDenied"}
    shelf.box.post("faults", [fault])
    ended = shelf.prune(*rules)
    shelf.box.post("faults", [])
    shelf.look()
    if ended.code == 0:
        return False
    assert ended.code == 4, ended.text
    again = shelf.prune(*rules)
    assert again.code == 0, again.text
    shelf.look()
    return True


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
@pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["few", "all"])
def test_cut_short_between_any_two_requests_it_goes_on_and_all_that_stays_is_whole(
    box: Box, versioned: bool, few: bool
) -> None:
    name = "OSS_SANDBOX_VERSIONED_BUCKET" if versioned else "OSS_SANDBOX_BUCKET"
    shelf, rules = made(box, name), ("--apply", "--keep-last", "2")
    shelf.prune(*rules)
    shelf.later()
    state, before = shelf.state(), asked(box)
    assert shelf.prune(*rules).code == 0
    requests = asked(box) - before
    wanted = (shelf.ids(), shelf.history(), shelf.versions())
    cuts = 0
    for after in (requests - 13, requests - 6) if few else range(requests + 1):
        if cut(shelf, state, after, rules):
            cuts += 1
            assert (shelf.ids(), shelf.history(), shelf.versions()) == wanted, f"after {after} requests"
            assert not [told for told in shelf.tombstones() if told["state"] != "done"]
            if lists(shelf):  # of a removal that was cut short before its first removal, or after its last
                age(box)
                assert shelf.prune(*rules).code == 0 and not lists(shelf)
    assert cuts >= (2 if few else requests - 3)  # some are asked twice until the clock is known


def test_a_version_that_is_current_stays_and_one_that_was_until_lately_waits(box: Box) -> None:
    """A backup that is under way may have found it there, and name it in its snapshot."""
    shelf = Shelf(box, box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"], random.Random(5))
    (box.tree / "dropped").write_bytes(b"x")
    shelf.backup()
    (box.tree / "dropped").unlink()
    theirs = shelf.client.put_object("p/t/dropped", b"theirs").versionid
    for _ in range(3):
        shelf.backup()  # what lies there is not ours, so no snapshot names it
    shelf.client.delete_object("p/t/dropped", params={"versionId": theirs})  # and now the first is current again
    rules = ("--apply", "--keep-last", "3")
    shelf.prune(*rules)
    shelf.later()
    before, state = shelf.versions(), shelf.state()
    ended = shelf.prune(*rules)
    assert ended.code == 0 and ended.told.pruning and ended.told.pruning.removed == 1, ended.text
    assert (ended.told.pruning.objects_left, shelf.versions()) == (0, before)
    shelf.put_back(state)
    shelf.client.put_object("p/t/dropped", b"somebody else's")
    before = shelf.versions()
    first = shelf.prune(*rules)
    assert first.code == 0 and first.told.pruning, first.text
    assert (first.told.pruning.objects_freed, first.told.pruning.objects_left, shelf.versions()) == (0, 1, before)
    assert [told["state"] for told in shelf.tombstones()] == ["removing"]
    age(box)
    second = shelf.prune(*rules)
    assert second.told.pruning and (second.told.pruning.objects_freed, second.told.pruning.objects_left) == (1, 0)
    assert [key for key, _ in before - shelf.versions()] == ["p/t/dropped"]
    assert shelf.client.get_object("p/t/dropped").read() == b"somebody else's"
    assert [told["state"] for told in shelf.tombstones()] == ["done"]


def test_records_are_bounded_and_lists_without_a_tombstone_go(plain: Shelf) -> None:
    rules, start = ("--apply", "--keep-last", "2"), f"{CATALOGUE}tombstones/"
    plain.prune(*rules)
    (marked,) = plain.tombstones()
    tag, foreign = plain.order[0][17:21], "20260101T000000Z-00000000.jsonl.zst"
    for number in range(33):
        record = marked | {"id": f"20260101T0000{number:02}Z-{tag}0000", "state": "done"}
        plain.client.put_object(f"{start}{record['id']}.json", json.dumps(record))
    for name in (f"20260101T000000Z-{tag}0001.jsonl.zst", foreign):
        plain.client.put_object(start + name, b"")
    plain.later()
    age(plain.box)
    plain.client.put_object(f"{start}20260101T000000Z-{tag}0002.jsonl.zst", b"")  # another run's, about to begin
    ended = plain.prune(*rules)
    assert ended.code == 0, ended.text
    told = [told["id"] for told in plain.tombstones()]
    assert len(told) == 30 and f"20260101T000032Z-{tag}0000" in told
    assert lists(plain) == {f"20260101T000000Z-{tag}0002.jsonl.zst", foreign}


def test_only_a_prune_that_is_applied_has_a_session_that_may_remove_or_write(plain: Shelf) -> None:
    def session() -> str:
        """What the session policies of the runs since the last call allow."""
        world = plain.box.sandbox.world
        told = [json.dumps(key.policies) for key in world.keys.values() if key.token]
        for id in [id for id, key in world.keys.items() if key.token]:
            del world.keys[id]
        return " ".join(told)

    session()
    plain.environ |= {"OSS_BACKUP_APPLY": "true", "OSS_BACKUP_DELETE": "true"}
    plain.restore(plain.order[-1])
    told = session()
    assert "oss:GetObject" in told and "Delete" not in told
    rules = ("--keep-last", "2")
    assert plain.prune(*rules, "--no-apply").code == 0
    told = session()
    assert "oss:GetObject" in told and not any(word in told for word in ("Delete", "Put"))
    assert plain.prune(*rules).code == 0
    assert "oss:DeleteObjectVersion" in session()


def test_what_is_marked_keeps_all_that_it_names_when_what_shared_it_goes(box: Box) -> None:
    shelf = Shelf(box, box.sandbox.environment["OSS_SANDBOX_BUCKET"], random.Random(9))
    for content in (b"of the first two", b"of the first two", b"of the third", b"of the fourth"):
        (box.tree / "shared").write_bytes(content)
        shelf.backup()
    shared = hashlib.sha256(b"of the first two").hexdigest()
    shelf.prune("--apply", "--keep-last", "3")
    shelf.later()
    ended = shelf.prune("--apply", "--keep-last", "2")
    assert ended.code == 0 and ended.told.pruning, ended.text
    assert (ended.told.pruning.removed, ended.told.pruning.marked) == (1, 1)
    assert shelf.ids() == shelf.order[1:] and shared in shelf.history()
    shelf.look()
    age(box)
    assert shelf.prune("--apply", "--keep-last", "2").code == 0
    assert shelf.ids() == shelf.order[2:] and shared not in shelf.history()
    shelf.look()
