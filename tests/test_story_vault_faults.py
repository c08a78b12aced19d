"""Stories of a vault whose neighbours fail: what passes is healed without a trace, in a backup and in a restore; and
several runs that write into one vault at once.
"""

import random
import time
from typing import Any

import oss2.models
import pytest
from box import Box, disk
from reader import Bucket
from test_story_faults import CRC, Fault, of, slowly, unspent
from test_story_history import own  # noqa: F401
from test_story_restore import facts, restore
from test_story_vault import SECRET, SIZES, VAULT, keys, vault

from backup_action.vault.packs import MANY

FOLDERS = ("keys/*", "packs/*", "index/*", "*.jsonl.zst")  # that the first run of an encrypted vault writes to


def each(kind: str, request: str, **more: Any) -> list[Fault]:
    """The fault once for each sort of object."""
    return [fault for key in FOLDERS for fault in of(kind, request, key=f"p/.oss-backup/{key}", **more)]


WRITTEN: dict[str, list[Fault]] = {
    "500": each("status", "put") + of("status", "list", count=2),
    "503": each("status", "put", status=503, code="ServiceUnavailable"),
    "reset before anything": each("reset", "put") + of("reset", "list", count=2),
    "reset inside of the content": each("reset", "put", after=70),
    "answer cut short": each("cut", "put", after=5) + of("cut", "list", after=60, count=2),
    "altered on the way": each("alter", "put", after=60) + of("alter", "list", after=60),
    "answer without its CRC-64": each("drop-header", "put", header=CRC),
    "lost reply": each("lose-reply", "put") + of("lose-reply", "list", count=2),
    "throttled": each("throttle", "put") + of("throttle", "list"),
    "keys expired": each("expire-token", "put") + of("expire-token", "list"),
}
READ: dict[str, list[Fault]] = {
    "500": each("status", "get") + of("status", "list", count=2),
    "reset": each("reset", "get") + of("reset", "list"),
    "answer cut short": each("cut", "get", after=60) + of("cut", "list", after=60),
    "lost reply": each("lose-reply", "get"),
    "throttled": each("throttle", "get"),
    "keys expired": each("expire-token", "get") + of("expire-token", "list"),
    "altered on the way": of("alter", "get", key="p/.oss-backup/packs/*", after=60),
}


@pytest.fixture
def tree(box: Box) -> Box:
    plant(box)
    return box


def plant(box: Box) -> None:
    for number in range(40):
        (box.tree / f"{number}").write_bytes(random.Random(number).randbytes(3000))
    (box.tree / "large").write_bytes(random.Random(0).randbytes(5 << 20))


@pytest.mark.parametrize("name", slowly(WRITTEN, ["lost reply", "altered on the way", "answer without its CRC-64"]))
def test_what_passes_is_healed_while_a_vault_is_written(tree: Box, name: str) -> None:
    tree.post("faults", WRITTEN[name])
    ended = vault(tree, **SECRET)
    assert (ended.code, ended.told.problem_counts, unspent(tree)) == (0, {}, []), ended.text
    assert len(keys(tree, "keys/")) == len(keys(tree, "index/")) == 1
    assert vault(tree, **SECRET).told.stored_bytes == 0
    assert restore(tree, *VAULT, **SECRET).code == 0
    assert facts(tree.folder / "back/t") == facts(tree.tree)


@pytest.mark.parametrize("name", slowly(READ, ["answer cut short", "altered on the way"]))
def test_what_passes_is_healed_while_a_vault_is_read(tree: Box, name: str) -> None:
    assert vault(tree, **SECRET).code == 0
    tree.post("faults", READ[name])
    ended = restore(tree, *VAULT, **SECRET)
    assert (ended.code, ended.told.problem_counts, unspent(tree)) == (0, {}, []), ended.text
    assert facts(tree.folder / "back/t") == facts(tree.tree)


def test_a_chunk_altered_on_the_way_is_asked_for_again(tree: Box) -> None:
    """Nothing but its name tells: what does not compress stands in a plain pack as it is."""
    assert vault(tree).code == 0
    tree.post("faults", of("alter", "get", key="p/.oss-backup/packs/*", after=3000))
    ended = restore(tree, *VAULT)
    assert (ended.code, ended.told.problem_counts, unspent(tree)) == (0, {}, []), ended.text
    assert facts(tree.folder / "back/t") == facts(tree.tree)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("secret", [{}, SECRET], ids=["plain", "sealed"])
def test_what_was_altered_on_the_way_comes_whole_the_second_time(box: Box, size: int, secret: dict[str, str]) -> None:
    (box.tree / "a").write_bytes(random.Random(8).randbytes(size))
    assert vault(box, **secret).code == 0
    box.post("faults", of("alter", "get", key="p/.oss-backup/packs/*", after=60_000))
    ended = restore(box, *VAULT, **secret)
    assert (ended.code, ended.told.problem_counts, unspent(box)) == (0, {}, []), ended.text
    assert (box.folder / "back/t/a").read_bytes() == (box.tree / "a").read_bytes()


def test_a_pack_that_was_cut_short_is_missed_and_sent_again(tree: Box) -> None:
    assert vault(tree).code == 0
    (pack,) = keys(tree, "packs/")
    tree.client().put_object(pack, tree.client().get_object(pack).read()[:-1])
    healed = vault(tree)
    assert (healed.code, set(healed.told.problem_counts)) == (0, {"drift.missing"}), healed.text
    assert restore(tree, *VAULT).code == 0
    assert facts(tree.folder / "back/t") == facts(tree.tree)


def test_a_pack_that_its_answer_does_not_prove_is_proven_by_the_listing(tree: Box) -> None:
    tree.post("faults", of("drop-header", "put", key="p/.oss-backup/packs/*", header=CRC, count=-1))
    assert vault(tree).code == 0
    assert restore(tree, *VAULT).code == 0


def test_what_cannot_be_proven_makes_no_snapshot(tree: Box) -> None:
    tree.post("faults", of("alter", "put", key="p/.oss-backup/packs/*", after=60, count=-1))
    ended = vault(tree)
    assert ended.code == 6 and set(ended.told.problem_counts) == {"stored.mismatch"}, ended.text
    tree.post("faults", [])
    assert tree.snapshots() == []
    assert vault(tree).code == 0 and restore(tree, *VAULT).code == 0


def test_what_stands_under_the_name_of_a_pack_is_never_relied_on_unproven(tree: Box) -> None:
    """A bucket that encrypts by KMS has no MD5 in its listing; or somebody put another content there."""
    assert vault(tree).code == 0
    (pack,) = keys(tree, "packs/")
    client = tree.client()
    for key in keys(tree):
        if key != pack:
            client.delete_object(key)
    client.put_object(pack, b"x" * client.head_object(pack).content_length)
    again = vault(tree)
    assert (again.code, len(keys(tree, "packs/"))) == (0, 2), again.text
    assert restore(tree, *VAULT).code == 0
    assert facts(tree.folder / "back/t") == facts(tree.tree)


def whole(box: Box, bucket: str = "") -> list[dict[str, str]]:
    """What every snapshot says, each of which can be read."""
    state = Bucket(box.client(bucket), "p/")
    found = state.committed()
    assert [state.read_whole(one) for one in found] == [one.files for one in found]
    return [one.files for one in found]


@pytest.mark.parametrize("versioning", ["", "suspended"])
def test_two_sources_write_into_one_vault_at_once(own: Box, versioning: str) -> None:  # noqa: F811
    """In a sandbox of its own: a bucket whose versioning was suspended stays so."""
    tree = own
    plant(tree)
    if versioning:
        for state in ("Enabled", "Suspended"):
            tree.client().put_bucket_versioning(oss2.models.BucketVersioningConfig(state))
    tree.post("faults", of("stall", "put", key="p/.oss-backup/packs/*", seconds=0.7, count=2))
    runs = [
        tree.start(
            "backup", *VAULT, "--path", f"tree => {name}", "--prefix", "p", "--source", name, "--language", "en",
            XDG_STATE_HOME=str(tree.folder / name),
        )
        for name in ("one", "two")
    ]  # fmt: skip
    texts = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], texts
    one, two = whole(tree)
    assert list(one.values()) == list(two.values()) == [disk(tree.tree)[name] for name in sorted(disk(tree.tree))]


@pytest.mark.parametrize("skip", [2, 3])
def test_a_pack_that_came_while_the_bucket_was_asked_stays_in_the_merged_index(box: Box, skip: int) -> None:
    """Another source stores a pack and its index between the two listings; then one index takes the place of all."""
    (box.tree / "a").write_bytes(b"first" * 1000)
    assert vault(box).code == 0
    (first,) = keys(box, "index/")
    data = box.client().get_object(first).read()
    for number in range(MANY - 2):  # the other makes one more, and then they are many
        box.client().put_object(f"p/.oss-backup/index/20250101T0000{number:02}Z-00000000-0", data)
    (box.folder / "other").mkdir()
    (box.folder / "other/b").write_bytes(b"second" * 1000)
    (box.tree / "c").write_bytes(b"third" * 1000)
    box.post("faults", [{"kind": "stall", "request": "list", "seconds": 2.5, "count": 1, "skip": skip}])
    merging = box.start(
        "backup", *VAULT, "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en"
    )
    end = time.monotonic() + 20
    while unspent(box):
        assert merging.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    where = ("--prefix", "p", "--source", "other", "--language", "en")
    other = box.run("backup", *VAULT, "--path", "other => o", *where, XDG_STATE_HOME=str(box.folder / "state2"))
    assert other.code == 0, other.text
    text, _ = merging.communicate(timeout=60)
    assert merging.returncode == 0, text
    assert len(whole(box)) == 3
    merged = [key for key in keys(box, "index/") if key.endswith("-merged")]
    assert merged or skip != 2, "the listing of the indexes waited until there were many"
