"""Stories of prune in a vault: packs go once nothing needs them, and whatever snapshot stays is always whole."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from box import Box, Ended, disk
from test_story_prune import CATALOGUE, HELD, HOURS, Shelf, age, asked

from backup_action.core import cipher, index, pack, rights
from backup_action.core.address import PREFIX_MAX
from backup_action.core.cipher import Cipher
from backup_action.core.ring import Ring
from backup_action.core.snapshot import Snapshot

SECRET = "a passphrase of words"
RULES = ("--apply", "--keep-last", "2", "--max-prune", "100")


class Stacks(Shelf):
    """The same shelf in layout vault; what lies there is read by the formats alone, without the program's verbs."""

    def __init__(self, box: Box, bucket: str, rng: random.Random, passphrase: str = "") -> None:
        super().__init__(box, bucket, rng)
        self.offset = 0.0
        self.passphrase = passphrase
        if passphrase:
            self.environ["OSS_BACKUP_PASSPHRASE"] = passphrase
        self.ciphers: dict[str, cipher.Sealed] = {}
        self.stopped: list[subprocess.Popen[str]] = []

    def start(self, verb: str, *arguments: str, source: str = "story") -> subprocess.Popen[str]:
        return super().start(verb, "--layout", "vault", *arguments, source=source)

    def body(self, key: str) -> bytes:
        """What lies under a key, without a request."""
        return bytes(self.client.get_object(key).read())

    def keys(self, folder: str) -> list[str]:
        """What lies in a folder of the catalogue."""
        return sorted(key.removeprefix(f"{CATALOGUE}{folder}") for key in self.lying(f"{CATALOGUE}{folder}"))

    def packs(self) -> set[str]:
        return {key[3:] for key in self.keys("packs/") if len(key) == 67 and key[:2] == key[3:5]}

    def ring(self) -> Ring:
        for key in self.keys("keys/"):
            if key not in self.ciphers:
                locked = cipher.decode(self.body(f"{CATALOGUE}keys/{key}"))
                self.ciphers[key] = cipher.unlock(locked, self.passphrase)
        return Ring(bool(self.ciphers), {one.key_id: one for one in self.ciphers.values()})

    def marks(self, state: str = "marked") -> set[str]:
        """Packs that are marked."""
        told = [
            json.loads(self.body(f"{CATALOGUE}tombstones/{key}"))
            for key in self.keys("tombstones/")
            if key.startswith("packs-2")
        ]
        return {name for one in told if one["state"] == state for name in one.get("packs", [])}

    def snapshots(self) -> list[Snapshot]:
        ring = self.ring()
        rows = [key for key in self.keys("snapshots/") if key.endswith(".jsonl.zst")]
        bodies = [(key.partition(".")[0], self.body(f"{CATALOGUE}snapshots/{key}")) for key in rows]
        return [Snapshot(ring.open(body, f"snapshot {id}")) for id, body in bodies]

    def ids(self) -> list[str]:
        told = [one for one in self.snapshots() if one.head.source == "story"]
        return [one.id for one in sorted(told, key=lambda one: one.head.sequence)]

    def chunks(self) -> dict[str, bytes]:
        """Every chunk that can be read by the indexes that are there, from packs that are as they say, proven."""
        ring, found = self.ring(), dict[str, bytes]()
        for id in self.keys("index/"):
            data = self.body(f"{CATALOGUE}index/{id}")
            key: Cipher = ring.of(cipher.key_of(data)) if cipher.is_sealed(data) else cipher.PLAIN
            for packed in index.packs(ring.open(data, f"index {id}")):
                if packed.pack in self.packs():
                    found |= unpacked(self.body(f"{CATALOGUE}packs/{packed.pack[:2]}/{packed.pack}"), packed, key)
        return found

    def look(self) -> None:
        """Every snapshot that is there is whole."""
        chunks = self.chunks()
        for one in self.snapshots():
            files = [entry for entry in one.entries() if entry.is_file]
            whole = {entry.path: b"".join(chunks[name] for name in entry.chunks) for entry in files}
            assert {path: hashlib.sha256(data).hexdigest() for path, data in whole.items()} == self.expected[one.id]

    def needed(self) -> set[str]:
        return {name for one in self.snapshots() for entry in one.entries() for name in entry.chunks}

    def pruned(self, *more: str, code: int = 0) -> Any:
        """A prune that is applied; what became of the packs."""
        ended = self.prune(*RULES, *more)
        assert ended.code == code and ended.told.pruning, ended.text
        assert ended.told.pruning.packs is not None
        return ended.told.pruning.packs

    def restored(self, id: str) -> None:
        self.restore(id)

    def put(self, **files: bytes) -> None:
        """The tree has these files, and no others."""
        shutil.rmtree(self.box.tree)
        self.box.tree.mkdir()
        for name, data in files.items():
            (self.box.tree / name).write_bytes(data)

    def in_store(self, start: str) -> list[str]:
        """Keys, without a request."""
        return [
            key for key in self.box.sandbox.store.buckets[self.bucket].versions if key.startswith(CATALOGUE + start)
        ]

    def stall(self, key: str) -> None:
        """The next writing of such a key takes a while."""
        self.box.post("faults", [{"kind": "stall", "request": "put", "key": key, "seconds": 0.5}])

    def stop(self, process: subprocess.Popen[str], there: Callable[[], bool]) -> None:
        """Stops a process in the middle of the request that stalls; that is carried out all the same."""
        self.stopped.append(process)
        self.wait(lambda: not self.box.sandbox.world.faults[0].count)
        process.send_signal(signal.SIGSTOP)
        self.wait(there)
        self.box.post("faults", [])

    def wait(self, there: Callable[[], bool]) -> None:
        for _ in range(1500):
            if there():
                return
            time.sleep(0.01)
        raise AssertionError("it never came")


def unpacked(data: bytes, packed: index.Packed, key: Cipher) -> dict[str, bytes]:
    """All chunks of a pack."""
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (packed.pack, packed.size)
    assert [msgspec.to_builtins(one) for one in pack.directory(data, key)] == msgspec.to_builtins(packed.frames)
    found, at = {}, 0
    for frame in packed.frames:
        plain, start = pack.unpack(data[at : at + frame.stored], frame, key), 0
        for chunk in frame.chunks:
            found[chunk.name] = plain[start : start + chunk.size]
            assert key.name(hashlib.sha256(found[chunk.name]).digest()) == chunk.name
            start += chunk.size
        at += frame.stored
    return found


@pytest.fixture
def stacks(box: Box) -> Iterator[Stacks]:
    one = Stacks(box, box.sandbox.environment["OSS_SANDBOX_BUCKET"], random.Random(11))
    yield one
    for process in one.stopped:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("passphrase", [pytest.param("", marks=pytest.mark.slow), SECRET], ids=["plain", "encrypted"])
def test_what_the_rules_keep_is_whole_after_each_phase_and_the_rest_is_gone(box: Box, passphrase: str) -> None:
    stacks = Stacks(box, box.sandbox.environment["OSS_SANDBOX_BUCKET"], random.Random(7), passphrase)
    foreign = {
        f"{CATALOGUE}packs/zz/{'0' * 64}", f"{CATALOGUE}packs/notes", f"{CATALOGUE}packs/11/{'0' * 64}", "p/theirs",
        f"{CATALOGUE}tombstones/packs-notes.json",
    }  # fmt: skip
    for number in range(4):
        stacks.put(stay=KEEP, **{name: stacks.rng.randbytes(5000) for name in "abcd"})
        if number == 0:
            (stacks.trees["other"] / "shared").write_bytes((box.tree / "a").read_bytes())
        stacks.backup()
        if number == 1:
            stacks.backup("other")
    for key in foreign:
        stacks.client.put_object(key, b"not ours")
    order, first = stacks.ids(), stacks.packs()
    marked = stacks.pruned("--repack-percent", "0")
    assert (marked.marked, marked.removed) == (0, 0), "a marked snapshot needs what it names"
    assert stacks.ids() == order
    stacks.look()
    age(box)
    writes = stacks.writes()
    shown = stacks.prune(*RULES[1:])
    assert stacks.writes() == writes, "a dry run writes nothing"
    removed = stacks.prune(*RULES)
    assert removed.code == 0 and removed.told.pruning and removed.told.pruning.packs, removed.text
    assert shown.told.pruning == removed.told.pruning
    told = removed.told.pruning.packs
    assert stacks.ids() == order[-2:] and (told.marked, told.repacked, told.removed) == (2, 1, 0)
    assert first <= stacks.packs() and len(stacks.packs() - first) == 1, "one new pack has all that was repacked"
    assert len(stacks.marks()) == told.marked
    stacks.look()
    again = stacks.pruned()
    assert (again.marked, again.waiting, again.removed) == (0, told.marked, 0), "the grace is not over"
    going, before = stacks.marks(), stacks.chunks()
    age(box)
    gone = stacks.pruned()
    assert (gone.removed, gone.marked, gone.waiting) == (told.marked, 0, 0)
    assert gone.bytes_freed == told.bytes_later > 0
    assert not going & stacks.packs() and stacks.needed() <= stacks.chunks().keys() < before.keys()
    stacks.look()
    assert foreign <= stacks.lying()
    ids = stacks.keys("index/")
    assert all(any(one in stacks.packs() for one in names(stacks, id)) for id in ids), (
        "an index names one that is there"
    )
    assert stacks.marks("removing") == going
    age(box)
    last = stacks.pruned()
    assert (last.marked, last.waiting, last.removed, stacks.marks("removing")) == (0, 0, 0, set())
    stacks.restored(order[-1])
    stacks.backup()
    stacks.look()


WHOLE: dict[str, Any] = {}  # what `make_whole` made once


def make_whole(stacks: Stacks) -> None:
    """The next run removes a snapshot, a pack and its index, and repacks another pack."""
    if not WHOLE:
        for files in ({"x": X}, {"stay": KEEP, "big": Y + X}, {"stay": KEEP, "k": Y[1:]}, {"stay": KEEP, "k": Y[2:]}):
            stacks.put(**files)
            stacks.backup()
        stacks.pruned("--keep-last", "3")
        age(stacks.box)
        assert stacks.pruned("--keep-last", "3").marked == 1
        stacks.pruned()
        age(stacks.box)
        WHOLE["state"], WHOLE["told"] = stacks.state(), (stacks.expected, stacks.order)
    stacks.put_back(WHOLE["state"])
    stacks.expected, stacks.order = dict(WHOLE["told"][0]), list(WHOLE["told"][1])


@pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["few", "all"])
def test_cut_short_between_any_two_requests_it_goes_on_and_all_that_stays_is_whole(stacks: Stacks, few: bool) -> None:
    make_whole(stacks)
    state, before, packs = stacks.state(), asked(stacks.box), stacks.packs()
    told, requests, cuts = stacks.pruned(), asked(stacks.box) - before, 0
    assert (told.removed, told.repacked, told.marked) == (1, 1, 1)
    assert len(stacks.keys("index/")) == 4 and len(stacks.packs()) == len(packs)
    # Few: between the list and the removal, between a pack and its index, between that and the mark.
    for after in (requests - 8, requests - 4, requests - 3) if few else range(requests + 1):
        stacks.put_back(state)
        fault = {"kind": "status", "skip": after, "count": -1, "status": 403, "code": "AccessDenied"}
        stacks.box.post("faults", [fault])
        ended = stacks.prune(*RULES)
        stacks.box.post("faults", [])
        stacks.look()
        assert ended.code in (0, 4), ended.text
        cuts += ended.code == 4
        again = stacks.pruned()
        stacks.look()
        if not few:
            assert (again.marked + again.waiting, again.removed + again.waiting) != (0, 0)
            for _ in range(3):
                age(stacks.box)
                again = stacks.pruned()
                stacks.look()
            assert (again.marked, again.waiting, again.removed, stacks.marks(), stacks.marks("removing")) == (
                0, 0, 0, set(), set(),
            )  # fmt: skip
            assert stacks.chunks().keys() == stacks.needed() and len(stacks.packs()) == 3
            assert stacks.ids() == stacks.order[-2:]
    assert cuts >= (3 if few else requests - 3)  # how it ended is told in the ledger all the same


def test_an_encrypted_snapshot_that_does_not_open_stops_it_before_any_write(box: Box) -> None:
    stacks = Stacks(box, box.sandbox.environment["OSS_SANDBOX_BUCKET"], random.Random(1), SECRET)
    (box.tree / "a").write_bytes(X)
    stacks.backup()
    writes = stacks.writes()
    for passphrase in ("", "another one"):
        stacks.environ["OSS_BACKUP_PASSPHRASE"] = passphrase
        ended = stacks.prune(*RULES)
        assert ended.code == 2 and set(ended.told.problem_counts) <= {"passphrase.missing", "passphrase.wrong"}
    assert stacks.writes() == writes


def test_what_a_retention_holds_stays_marked_and_goes_later(stacks: Stacks) -> None:
    mine = make_marked(stacks)
    age(stacks.box)
    stacks.box.post("faults", [HELD | {"key": "*/packs/*"}])
    told = stacks.pruned(code=3)
    assert (told.removed, told.waiting, told.left) == (0, 1, 1) and mine in stacks.marks()
    assert len(stacks.keys("index/")) == 2, "the index stays as long"
    assert stacks.pruned().removed == 1 and mine not in stacks.packs()
    assert len(stacks.keys("index/")) == 1
    stacks.pruned()
    assert mine in stacks.marks("removing"), "who listed it before still learns of it"
    stacks.look()


def test_a_pack_that_cannot_be_proven_is_not_repacked(stacks: Stacks) -> None:
    make_whole(stacks)
    (sparse,) = [name for name in stacks.packs() if len(stacks.body(f"{CATALOGUE}packs/{name[:2]}/{name}")) > 10_000]
    key = f"{CATALOGUE}packs/{sparse[:2]}/{sparse}"
    data = bytearray(stacks.body(key))
    data[12_000] ^= 1  # in what is needed
    stacks.client.put_object(key, bytes(data))
    told = stacks.pruned(code=6)
    assert (told.repacked, told.removed) == (0, 1)
    assert sparse in stacks.packs() and sparse not in stacks.marks()


def test_its_session_may_delete_what_is_ours_and_no_version(stacks: Stacks) -> None:
    for delete in (False, True):
        told = rights.policy("prune", "b", "p/", layout="vault", delete=delete)
        assert ("Delete" in told, "Version" in told.replace('"Version":"1"', "")) == (delete, False)
        assert ("packs" in told) == delete
    for length in range(0, PREFIX_MAX, 7):
        told = rights.policy("prune", "b" * 63, "x" * length + "/", layout="vault", delete=True)
        assert len(told) <= rights.POLICY_MAX and "DeleteObjectVersion" not in told


def names(stacks: Stacks, id: str) -> list[str]:
    data = stacks.ring().open(stacks.body(f"{CATALOGUE}index/{id}"), f"index {id}")
    return [one.pack for one in index.packs(data)]


X, Y, KEEP = (random.Random(seed).randbytes(5000) for seed in range(3))


MADE: dict[str, Any] = {}  # what `make` made once for all stories


def make(stacks: Stacks) -> str:
    """X is in a pack of its own, and no snapshot that stays names it; that pack. The grace of snapshots is over."""
    if not MADE:
        stacks.put(x=X)
        stacks.backup()
        (MADE["pack"],) = stacks.packs()
        for _ in range(2):
            stacks.put(keep=KEEP)
            stacks.backup()
        stacks.pruned()
        age(stacks.box)
        MADE["state"], MADE["told"] = stacks.state(), (stacks.expected, stacks.order)
    stacks.put_back(MADE["state"])
    stacks.put(keep=KEEP)
    stacks.expected, stacks.order = dict(MADE["told"][0]), list(MADE["told"][1])
    return str(MADE["pack"])


def make_marked(stacks: Stacks) -> str:
    """The same, and it is marked."""
    mine = make(stacks)
    assert stacks.pruned().marked == 1 and stacks.marks() == {mine}
    return mine


def test_a_backup_that_comes_after_the_mark_sends_again_under_another_name(stacks: Stacks) -> None:
    mine = make_marked(stacks)
    before = stacks.packs()
    stacks.put(x=X)
    ended = stacks.backup()
    (new,) = stacks.packs() - before
    age(stacks.box)
    told = stacks.pruned("--keep-last", "3")
    assert (told.removed, told.lifted) == (1, 0) and stacks.packs() == {*before, new} - {mine}
    stacks.look()
    stacks.restored(ended)


def stalled(stacks: Stacks, key: str, source: str = "story") -> subprocess.Popen[str]:
    """A backup that waits with an answer to the writing of such a key; it has taken its lease, and is stopped."""
    before = len(stacks.in_store("snapshots/"))
    stacks.stall(key)
    place = "tree => t" if source == "story" else "tree2 => o"
    process = stacks.start("backup", "--path", place, "--max-shrink", "100", source=source)
    stacks.box.state = stacks.box.folder / "another"
    stacks.stop(process, lambda: len(stacks.in_store("snapshots/")) > before)
    return process


def goes_on(stacks: Stacks, process: subprocess.Popen[str], source: str = "story", hours: float = 0) -> Ended:
    """The backup goes on, so many hours later, and commits."""
    known = {one.id for one in stacks.snapshots()}
    stacks.box.post("settings", {"clock_offset": hours * HOURS})
    process.send_signal(signal.SIGCONT)
    ended = stacks.end(process)
    assert ended.code == 0, ended.text
    (new,) = {one.id for one in stacks.snapshots()} - known
    place = "t" if source == "story" else "o"
    tree = stacks.trees[source]
    stacks.expected[new] = {f"{place}/{path}": digest for path, digest in disk(tree).items()}
    if source == "story":
        stacks.order.append(new)
    return ended


def make_relying(stacks: Stacks, **more: bytes) -> tuple[str, subprocess.Popen[str]]:
    """A backup of another source that counts on X, whose pack is marked meanwhile; and that pack."""
    mine, tree = make(stacks), stacks.trees["other"]
    shutil.rmtree(tree)
    tree.mkdir()
    for name, data in {"x": X, **more}.items():
        (tree / name).write_bytes(data)
    process = stalled(stacks, "*.lease", "other")
    assert stacks.pruned().marked == 1 and stacks.marks() == {mine}
    return mine, process


def test_a_backup_that_began_before_the_mark_and_commits_after_it_has_it_lifted(stacks: Stacks) -> None:
    mine, process = make_relying(stacks)
    goes_on(stacks, process, "other")
    assert stacks.marks() == {mine}
    age(stacks.box)
    told = stacks.pruned()
    assert (told.lifted, told.removed) == (1, 0)
    assert mine in stacks.packs() and not stacks.marks()
    stacks.look()


def renew(stacks: Stacks) -> None:
    """Leases are written every minute: none is as old as the rest."""
    for key in stacks.in_store("snapshots/"):
        if key.endswith(".lease"):
            for version in stacks.box.sandbox.store.buckets[stacks.bucket].versions[key]:
                version.modified += 25 * HOURS


def test_a_backup_that_has_committed_holds_nothing_up_any_more(stacks: Stacks) -> None:
    mine, process = make_relying(stacks)
    (stacks.trees["other"] / "x").write_bytes(Y)
    goes_on(stacks, process, "other")
    age(stacks.box)
    renew(stacks)
    assert stacks.pruned().removed == 1 and mine not in stacks.packs()
    stacks.look()


def test_while_a_backup_from_before_the_mark_is_writing_nothing_is_removed(stacks: Stacks) -> None:
    mine, process = make_relying(stacks)
    age(stacks.box)
    renew(stacks)
    told = stacks.pruned()
    assert (told.waiting, told.busy, told.removed) == (1, 1, 0)
    assert "1 pack waits" in stacks.prune(*RULES).text
    goes_on(stacks, process, "other")
    assert stacks.pruned().lifted == 1
    assert mine in stacks.packs()
    stacks.look()


def test_what_commits_between_the_plan_and_the_removal_keeps_its_pack(stacks: Stacks) -> None:
    mine, process = make_relying(stacks)
    age(stacks.box)  # its lease is dead by now
    before = len(stacks.in_store("tombstones/packs-"))
    stacks.stall("*tombstones/packs-*")
    pruning = stacks.start("prune", *RULES)
    stacks.stop(pruning, lambda: len(stacks.in_store("tombstones/packs-")) > before)
    goes_on(stacks, process, "other")
    pruning.send_signal(signal.SIGCONT)
    ended = stacks.end(pruning)
    assert ended.code == 0, ended.text
    assert mine in stacks.packs()
    stacks.look()
    assert stacks.pruned().lifted == 1
    stacks.look()


def test_a_backup_that_slept_over_the_removal_begins_again(stacks: Stacks) -> None:
    mine, process = make_relying(stacks, y=Y)
    age(stacks.box)
    assert stacks.pruned().removed == 1 and mine not in stacks.packs()
    ended = goes_on(stacks, process, "other", 13)
    assert "2 files found" in ended.text
    assert len(stacks.packs()) == 3  # of what is kept, of Y, and of X anew
    stacks.look()


def test_packs_of_a_killed_run_go_once_they_are_old_and_were_marked(stacks: Stacks) -> None:
    stacks.put(a=KEEP)
    stacks.backup()
    stacks.backup()
    frames = pack.Open()
    frames.add(pack.compress([X], cipher.PLAIN), [pack.Chunk(hashlib.sha256(X).hexdigest(), len(X))])
    name, body = frames.finish(cipher.PLAIN)
    key = f"{CATALOGUE}packs/{name[:2]}/{name}"
    stacks.client.put_object(key, bytes(body))
    assert stacks.pruned().marked == 0
    age(stacks.box)
    assert stacks.pruned().marked == 1
    assert stacks.pruned().waiting == 1 and name in stacks.packs()
    age(stacks.box)
    assert stacks.pruned().removed == 1 and name not in stacks.packs()
    stacks.look()


def test_where_an_index_is_gone_no_pack_goes(stacks: Stacks) -> None:
    make_marked(stacks)
    age(stacks.box)
    before, going = stacks.packs(), stacks.marks()
    (id,) = [id for id in stacks.keys("index/") if not going & set(names(stacks, id))]
    data = stacks.body(f"{CATALOGUE}index/{id}")
    stacks.client.delete_object(f"{CATALOGUE}index/{id}")
    ended = stacks.prune(*RULES)
    assert (ended.code, ended.told.problem_counts) == (6, {"content.lacking": 1}), ended.text
    told = ended.told.pruning
    assert told and told.packs and (told.packs.removed, told.packs.marked) == (0, 0)
    assert stacks.packs() == before
    stacks.client.put_object(f"{CATALOGUE}index/{id}", data)
    assert stacks.pruned().removed == 1
    stacks.look()
