"""Stories of history: whatever a run replaces or removes, a reader that is not ours can read every older snapshot; and
nothing is removed but what our snapshots named.
"""

import fnmatch
import hashlib
import json
import os
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import oss2
import oss2.models
import pytest
from box import Box, Ended, uploads
from reader import Broken, Bucket, Snapshot

from backup_action.sandbox.serve import Sandbox

CRC = "x-oss-hash-crc64ecma"
LARGE = (9 << 20) + 5  # bytes; two parts
Tree = dict[str, bytes]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Box]:
    """A box with a sandbox of its own, whose buckets may be set up anew."""
    with Sandbox() as sandbox:
        yield Box(sandbox, tmp_path)


def lay(box: Box, tree: Tree) -> None:
    """Makes the tree hold these files and nothing else; what is the same already is not written."""
    for above, folders, names in os.walk(box.tree, topdown=False):
        for name in (*names, *folders):
            path = Path(above, name)
            if path.is_symlink() or path.is_file():
                if str(path.relative_to(box.tree)) not in tree:
                    path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()
    for name, data in tree.items():
        path = box.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
            path.unlink(missing_ok=True)
            path.write_bytes(data)


def command(*options: str) -> tuple[str, ...]:
    return (
        "backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en",
        "--max-shrink", "100", "--max-change", "100", *options,
    )  # fmt: skip


def back_up(box: Box, tree: Tree, *options: str, code: int = 0, bucket: str = "") -> Ended:
    """Backs up a tree that holds just these files."""
    lay(box, tree)
    keys = box.sandbox.environment
    ended = box.run(
        *command(*options), OSS_BACKUP_BUCKET=bucket or keys["OSS_SANDBOX_BUCKET"],
        ALIBABA_CLOUD_ACCESS_KEY_ID=keys["OSS_SANDBOX_ACCESS_KEY_ID"],
        ALIBABA_CLOUD_ACCESS_KEY_SECRET=keys["OSS_SANDBOX_ACCESS_KEY_SECRET"],
    )  # fmt: skip
    assert ended.code == code, ended.text
    return ended


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def kept(data: bytes) -> str:
    """The key under which a content is kept, without the prefix."""
    return f".oss-backup/history/{sha(data)[:2]}/{sha(data)}"


def history(box: Box, bucket: str = "") -> set[str]:
    """SHA-256 of the contents that are kept."""
    state = Bucket(box.client(bucket), "p/")
    return {key.rsplit("/", 1)[1] for key in state.objects if key.startswith(".oss-backup/history/")}


def assert_whole(box: Box, *trees: Tree, bucket: str = "") -> tuple[Bucket, list[Snapshot]]:
    """The snapshots are of these trees, oldest first, and all content of each can be read."""
    state = Bucket(box.client(bucket), "p/")
    found = state.committed()
    assert [one.files for one in found] == [{f"t/{name}": sha(data) for name, data in tree.items()} for tree in trees]
    for snapshot in found:
        assert state.read_whole(snapshot) == snapshot.files
    return state, found


def where(state: Bucket, snapshot: Snapshot, name: str) -> str:
    """What of the bucket a snapshot's file is read from: `version`, `object` or `history`."""
    return state.where(next(entry for entry in snapshot.entries if entry["path"] == f"t/{name}"))


def done(box: Box, request: str, key: str = "*", since: int = 0) -> list[str]:
    """Keys of requests of a kind that OSS carried out, behind the log's first `since` lines."""
    log = [line for line in box.sandbox.world.log[since:] if line["service"] == "oss" and line["status"] // 100 == 2]
    return [
        line["key"]
        for line in log
        if fnmatch.fnmatchcase(line["request"], request) and fnmatch.fnmatchcase(line["key"], key)
    ]


def fault(kind: str, request: str, key: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "request": request, "key": key, "count": -1, **more}


def set_versioning(box: Box, status: str, bucket: str) -> None:
    box.client(bucket).put_bucket_versioning(oss2.models.BucketVersioningConfig(status))


def versioned(box: Box) -> str:
    return box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"]


AWKWARD = "数据/100% +&?=.csv"


def test_what_was_replaced_is_readable_through_every_older_snapshot(box: Box) -> None:
    trees: list[Tree] = [
        {"a": b"1", AWKWARD: b"x", "empty": b"", "large": os.urandom(LARGE), "same": b"s"},
        {"a": b"2", AWKWARD: b"y", "empty": b"no more", "large": os.urandom(LARGE), "same": b"s"},
        {"a": b"3", AWKWARD: b"z", "empty": b"", "large": b"small now", "same": b"s"},
    ]
    for tree in trees:
        ended = back_up(box, tree)
        assert not ended.told.problems
    state, (first, second, third) = assert_whole(box, *trees)
    for name in ("a", AWKWARD, "large"):
        assert [where(state, at, name) for at in (first, second, third)] == ["history", "history", "object"]
    assert where(state, first, "same") == "object" and where(state, first, "empty") == "object", "it is there again"
    assert history(box) == {sha(tree[name]) for tree in trees[:2] for name in ("a", AWKWARD, "empty", "large")}
    assert uploads(box) == []
    assert back_up(box, trees[-1]).told.foreign_objects == 0, "what is kept is not somebody else's"


@pytest.mark.parametrize("size", [1, LARGE])
def test_content_that_comes_back(box: Box, size: int) -> None:
    one: Tree = {"x": os.urandom(size)}
    other: Tree = {"x": os.urandom(size)}
    trees = [one, other, one, other, one]
    for tree in trees:
        back_up(box, tree)
    assert_whole(box, *trees)
    assert history(box) == {sha(one["x"]), sha(other["x"])}


def test_a_content_is_kept_once(box: Box) -> None:
    """Whatever its names, and however often it is replaced."""
    old: Tree = {"a": b"old", "b": b"old", "d/c": b"old"}
    new: Tree = {"a": b"1", "b": b"2", "d/c": b"3"}
    back_up(box, old)
    back_up(box, new)
    key = f"p/{kept(b'old')}"
    before = box.client().head_object(key)
    time.sleep(1.1)  # OSS's clock counts seconds
    box.sandbox.world.log.clear()
    back_up(box, old)
    back_up(box, new)
    assert_whole(box, old, new, old, new)
    assert done(box, "copy", key) == done(box, "put", key) == [], "it is there, and is not written again"
    assert box.client().head_object(key).last_modified == before.last_modified
    assert history(box) == {sha(data) for data in (b"old", b"1", b"2", b"3")}


def test_nothing_is_kept_of_what_stays(box: Box) -> None:
    tree: Tree = {"a": b"1", "large": os.urandom(LARGE)}
    back_up(box, tree)
    os.utime(box.tree / "a", ns=(1, 1))
    back_up(box, {**tree, "b": b"2"})
    assert_whole(box, tree, {**tree, "b": b"2"})
    assert history(box) == set()


def test_a_removed_file_without_delete_keeps_its_object(box: Box) -> None:
    trees: list[Tree] = [{"a": b"1", "b": b"2"}, {"a": b"1"}, {"a": b"1"}]
    removed = [back_up(box, tree).told.counts.files_removed for tree in trees]
    state, found = assert_whole(box, *trees)
    assert removed == [0, 1, 0], "it is told when it goes"
    assert where(state, found[0], "b") == "object" and history(box) == set()
    assert [at.gone for at in found] == [set(), {"t/b"}, {"t/b"}], "its object is kept in mind"
    assert done(box, "delete*") == []
    assert back_up(box, trees[-1]).told.foreign_objects == 0


@pytest.mark.parametrize("size", [1, LARGE])
def test_a_removed_file_with_delete_goes_to_the_history(box: Box, size: int) -> None:
    whole: Tree = {"a": b"1", "b": os.urandom(size), "d/e/c": b"3"}
    trees: list[Tree] = [whole, {"a": b"1"}, whole]
    assert [back_up(box, tree, "--delete").told.counts.files_removed for tree in trees[:2]] == [0, 2]
    assert set(box.objects()) == {"t/a"}
    state, found = assert_whole(box, *trees[:2])
    assert where(state, found[0], "b") == where(state, found[0], "d/e/c") == "history"
    assert found[1].gone == {"t/b", "t/d/e/c"}, "it is committed first, and says what is removed then"
    back_up(box, whole, "--delete")
    assert_whole(box, *trees)
    assert set(box.objects()) == {"t/a", "t/b", "t/d/e/c"}


def test_what_went_before_delete_was_set_is_removed_then(box: Box) -> None:
    trees: list[Tree] = [{"a": b"1", "b": b"2"}, {"a": b"1"}, {"a": b"1"}]
    back_up(box, trees[0])
    back_up(box, trees[1])
    assert set(box.objects()) == {"t/a", "t/b"}
    back_up(box, trees[2], "--delete")
    assert set(box.objects()) == {"t/a"}
    assert_whole(box, *trees)


MEANWHILE = ("nothing", "a link", "a folder", "an empty folder")
QUICK = (("nothing", False), ("a link", True), ("a folder", False), ("a folder", True), ("an empty folder", False))


@pytest.mark.parametrize(
    ("meanwhile", "delete"),
    [
        (meanwhile, delete) if (meanwhile, delete) in QUICK else pytest.param(meanwhile, delete, marks=pytest.mark.slow)
        for meanwhile in MEANWHILE
        for delete in (False, True)
    ],
)
def test_another_content_takes_the_place_of_a_file_that_was_gone(box: Box, meanwhile: str, delete: bool) -> None:
    options = ("--delete",) if delete else ()
    trees: list[Tree] = [{"a": b"1", "x": b"old"}, {"a": b"1"}, {"a": b"1", "x": b"new"}]
    back_up(box, trees[0], *options)
    lay(box, trees[1])
    match meanwhile:
        case "a link":
            (box.tree / "x").symlink_to("a")
        case "a folder":
            (box.tree / "x").mkdir()
            (box.tree / "x/inner").write_bytes(b"2")
            trees[1]["x/inner"] = b"2"
        case "an empty folder":
            (box.tree / "x").mkdir()
    assert box.run(*command(*options)).code == 0
    assert_whole(box, *trees[:2])
    lay(box, {"a": b"1"})
    back_up(box, trees[2], *options)
    state, found = assert_whole(box, *trees)
    assert where(state, found[0], "x") == "history"
    assert set(box.objects()) - {"t/x/inner"} == {"t/a", "t/x"}
    assert ("t/x/inner" in box.objects()) == (meanwhile == "a folder" and not delete)


def test_what_lies_in_a_links_place_is_removed_once_delete_is_set(box: Box) -> None:
    """The same is left by a run that is killed between its commit and its removals."""
    trees: list[Tree] = [{"a": b"1", "x": b"old"}, {"a": b"1"}, {"a": b"1"}]
    back_up(box, trees[0])
    lay(box, trees[1])
    (box.tree / "x").symlink_to("a")
    for options in ((), ("--delete",)):
        assert box.run(*command(*options)).code == 0
    assert_whole(box, *trees)
    assert set(box.objects()) == {"t/a"}


def test_a_versioned_bucket_needs_no_history(box: Box) -> None:
    bucket = versioned(box)
    trees: list[Tree] = [{"a": b"1", "b": b"2"}, {"a": b"3"}, {"a": b"1", "b": b"4"}]
    for tree in trees:
        back_up(box, tree, "--delete", bucket=bucket)
    state, (first, second, third) = assert_whole(box, *trees, bucket=bucket)
    assert {where(state, at, "a") for at in (first, second, third)} == {"version"} == {where(state, first, "b")}
    assert history(box, bucket) == set() and done(box, "copy") == []
    assert set(box.objects(bucket)) == {"t/a", "t/b"}
    back_up(box, {"a": b"1"}, "--delete", bucket=bucket)
    assert set(box.objects(bucket)) == {"t/a"}
    assert_whole(box, *trees, {"a": b"1"}, bucket=bucket)


def test_a_bucket_whose_versioning_was_suspended(own: Box) -> None:
    """What has an id of its own stays; what is called `null` is replaced by the next one, so it is kept first."""
    bucket = versioned(own)
    trees: list[Tree] = [{"a": b"1", "b": b"1b"}, {"a": b"2", "b": b"2b"}, {"a": b"3"}, {"a": b"4"}]
    back_up(own, trees[0], "--delete", bucket=bucket)
    set_versioning(own, "Suspended", bucket)
    ended = back_up(own, trees[1], "--delete", bucket=bucket)
    assert ended.told.target.versioning == "Suspended"
    assert history(own, bucket) == set(), "the first contents have versions"
    back_up(own, trees[2], "--delete", bucket=bucket)
    assert history(own, bucket) == {sha(b"2"), sha(b"2b")}
    back_up(own, trees[3], "--delete", bucket=bucket)
    state, found = assert_whole(own, *trees, bucket=bucket)
    assert [where(state, at, "a") for at in found] == ["version", "history", "history", "object"]
    assert [where(state, at, "b") for at in found[:2]] == ["version", "history"]
    assert set(own.objects(bucket)) == {"t/a"}


def test_a_bucket_whose_versioning_was_enabled_after_the_first_runs(own: Box) -> None:
    bucket = own.sandbox.environment["OSS_SANDBOX_BUCKET"]
    trees: list[Tree] = [
        {"a": b"1", "b": b"1b", "c": b"1c"},
        {"a": b"2", "c": b"1c"},
        {"a": b"3", "c": b"3c"},
        {"a": b"3"},
    ]
    back_up(own, trees[0], "--delete")
    set_versioning(own, "Enabled", bucket)
    ended = back_up(own, trees[1], "--delete")
    assert ended.told.target.versioning == "Enabled"
    back_up(own, trees[2], "--delete")
    back_up(own, trees[3], "--delete")
    state, found = assert_whole(own, *trees)
    assert [where(state, at, "a") for at in found] == ["history", "version", "version", "version"]
    assert where(state, found[0], "b") == where(state, found[0], "c") == "history"
    assert history(own) == {sha(b"1"), sha(b"1b"), sha(b"1c")}, "what has a version is not kept twice"


def test_versions_that_are_enabled_again_after_a_suspension(own: Box) -> None:
    bucket = versioned(own)
    trees: list[Tree] = [{"a": bytes([at])} for at in range(6)]
    for at, tree in enumerate(trees):
        set_versioning(own, "Suspended" if at in (1, 2, 4) else "Enabled", bucket)
        back_up(own, tree, bucket=bucket)
    assert_whole(own, *trees, bucket=bucket)
    assert history(own, bucket) == {sha(trees[at]["a"]) for at in (1, 2, 4)}


@pytest.mark.parametrize("options", [(), ("--storage-class", "Standard")])
def test_history_is_always_standard(own: Box, options: tuple[str, ...]) -> None:
    """In a bucket whose own class is another."""
    bucket = "sandbox-cool"
    configuration = oss2.models.BucketCreateConfig(oss2.BUCKET_STORAGE_CLASS_IA)
    own.client(bucket).create_bucket(input=configuration)
    trees: list[Tree] = [{"a": b"1", "large": os.urandom(LARGE)}, {"a": b"2", "large": os.urandom(LARGE)}]
    for tree in trees:
        back_up(own, tree, *options, bucket=bucket)
    state, found = assert_whole(own, *trees, bucket=bucket)
    classes = {
        key: own.client(bucket).head_object(f"p/{key}").headers["x-oss-storage-class"]
        for key in ("t/a", "t/large", kept(b"1"), kept(trees[0]["large"]))
    }
    files = options[1] if options else "IA"
    assert list(classes.values()) == [files, files, "Standard", "Standard"]
    catalogue = [key for key in state.objects if key.startswith(".oss-backup/")]
    assert len(catalogue) >= len(found) + 2
    for key in catalogue:
        assert own.client(bucket).head_object(f"p/{key}").headers["x-oss-storage-class"] == "Standard"


def test_what_is_too_large_for_one_copy_is_copied_by_parts(box: Box) -> None:
    """Another class, and so a limit: the files are IA, the history is Standard."""
    trees: list[Tree] = [{"a": b"1", "large": os.urandom(LARGE), "middle": os.urandom(2 << 20)}, {"a": b"2"}]
    box.post("settings", {"copy_max": 1 << 20})
    back_up(box, trees[0], "--storage-class", "IA", "--delete")
    back_up(box, trees[1], "--storage-class", "IA", "--delete")
    assert_whole(box, *trees)
    for name in ("large", "middle"):
        key = f"p/{kept(trees[0][name])}"
        assert done(box, "part-copy", key) and done(box, "complete", key)
        assert done(box, "copy", key) == done(box, "put", key) == done(box, "part", key) == []
        assert done(box, "get", f"p/t/{name}") == [], "the bytes stay where they are"
        assert box.client().head_object(key).headers["x-oss-storage-class"] == "Standard"
    assert done(box, "copy", f"p/{kept(b'1')}") and uploads(box) == []


@pytest.mark.parametrize("size", [1, LARGE])
@pytest.mark.parametrize("encryption", ["", "KMS"])
def test_a_copy_whose_answer_proves_nothing_is_proven_by_asking(own: Box, size: int, encryption: str) -> None:
    """No answer to a copy has a CRC-64, and the ETag of a multipart or KMS-encrypted object is no MD5."""
    if encryption:
        own.client().put_bucket_encryption(oss2.models.ServerSideEncryptionRule(sse_algorithm=encryption))
    trees: list[Tree] = [{"a": os.urandom(size)}, {"a": os.urandom(size)}]
    for tree in trees:
        back_up(own, tree, "--allow-static-keys")  # a session of ours has no rights to KMS
    key = f"p/{kept(trees[0]['a'])}"
    assert len(done(own, "copy", key)) == 1 and done(own, "head", key)
    assert done(own, "put", key) == done(own, "part", key) == done(own, "get", "p/t/a") == []
    assert_whole(own, *trees)


@pytest.mark.parametrize("size", [1, LARGE])
def test_a_copy_that_cannot_be_proven_is_fetched_and_sent_again(box: Box, size: int) -> None:
    trees: list[Tree] = [{"a": os.urandom(size)}, {"a": os.urandom(size)}]
    back_up(box, trees[0])
    box.post("faults", [fault("drop-header", "head", "p/.oss-backup/history/*", header=CRC)])
    back_up(box, trees[1])
    key = f"p/{kept(trees[0]['a'])}"
    assert done(box, "get", "p/t/a"), "fetched"
    assert done(box, "put", key) or done(box, "complete", key), "and sent, which is proven by the answer"
    assert_whole(box, *trees)


@pytest.mark.parametrize("wrong", [b"", b"x", b"another content"])
def test_what_stands_in_the_history_under_a_name_that_is_not_its_own_is_not_believed(box: Box, wrong: bytes) -> None:
    old = b"the old content"
    back_up(box, {"a": old})
    box.client().put_object(f"p/{kept(old)}", wrong)
    back_up(box, {"a": b"new"})
    assert_whole(box, {"a": old}, {"a": b"new"})


REFUSED = {"status": 409, "code": "FileImmutable"}
BROKEN = {"status": 500, "code": "InternalError"}


@pytest.mark.parametrize("answer", [REFUSED, pytest.param(BROKEN, marks=pytest.mark.slow)])
@pytest.mark.parametrize("deed", ["replaced", "removed"])
def test_what_cannot_be_kept_is_not_touched(box: Box, deed: str, answer: dict[str, Any]) -> None:
    old: Tree = {"a": b"old a", "b": b"old b", "c": b"c"}
    new: Tree = {"a": b"new a", "b": b"new b", "c": b"c"} if deed == "replaced" else {"c": b"c"}
    back_up(box, old, "--delete")
    box.post("faults", [fault("status", "*", f"p/{kept(b'old a')}", **answer)])
    ended = back_up(box, new, "--delete", code=3)
    assert ended.told.status == "incomplete" and "t/a" in ended.text and "t/b" not in ended.text, ended.text
    assert box.client().get_object("p/t/a").read() == b"old a"
    box.post("faults", [])
    state = Bucket(box.client(), "p/")
    first, second = state.committed()
    assert state.read_whole(first) == first.files
    assert state.read_whole(second) == second.files
    if deed == "replaced":
        assert second.files["t/a"] == sha(b"old a") and second.files["t/b"] == sha(b"new b")
        assert not second.foot["complete"]
        assert next(entry for entry in second.entries if entry["path"] == "t/a")["stale"]
    else:
        assert second.files == {"t/c": sha(b"c")}, "it is gone from the disk all the same"
        assert "t/a" in second.gone and box.client().object_exists("p/t/a")
    back_up(box, new, "--delete")
    state = Bucket(box.client(), "p/")
    assert [state.read_whole(one) == one.files for one in state.committed()] == [True] * 3
    assert state.committed()[-1].files == {f"t/{name}": sha(data) for name, data in new.items()}
    assert set(box.objects()) == {f"t/{name}" for name in new}


@pytest.mark.parametrize("deed", ["replaced", "removed"])
def test_an_object_that_somebody_changes_under_the_copy_is_not_kept_under_its_name(box: Box, deed: str) -> None:
    """The copy names the ETag that the listing told: what stands there now is nobody's old content."""
    new: Tree = {"a": b"new", "b": b"b"} if deed == "replaced" else {"b": b"b"}
    back_up(box, {"a": b"old", "b": b"b"})
    ended = change_meanwhile(box, new, request="copy", key=f"p/{kept(b'old')}")
    assert ended.code == 0 and ended.told.problem_counts == {"drift.replaced": 1}, ended.text
    assert "t/a" in ended.text
    state = Bucket(box.client(), "p/")
    first, second = state.committed()
    assert kept(b"old") not in state.objects and kept(b"somebody's") not in state.objects
    assert state.read_whole(second) == {f"t/{name}": sha(data) for name, data in new.items()}
    there = box.client().get_object("p/t/a").read()
    assert there == (b"new" if deed == "replaced" else b"somebody's"), "what we did not write, we do not remove"
    with pytest.raises(Broken, match=r"t/a"):
        state.read_whole(first)


@pytest.mark.parametrize("versions", [False, True])
def test_an_object_that_somebody_changes_before_it_is_removed_stays(box: Box, versions: bool) -> None:
    """Between the listing and the removal is the whole run; the content was kept by an earlier one."""
    bucket = versioned(box) if versions else ""
    trees: list[Tree] = [{"a": b"old", "b": b"b"}, {"a": b"other", "b": b"b"}, {"a": b"old", "b": b"b"}, {"b": b"b"}]
    for tree in trees[:3]:
        back_up(box, tree, bucket=bucket)
    ended = change_meanwhile(box, trees[3], request="put", key="*.jsonl.zst", bucket=bucket)
    assert ended.code == 0 and ended.told.problem_counts == {"drift.replaced": 1}, ended.text
    assert box.client(bucket).get_object("p/t/a").read() == b"somebody's"
    if versions:
        assert_whole(box, *trees, bucket=bucket)
    else:
        assert history(box) == {sha(b"old"), sha(b"other")}
        assert_whole(box, *trees)


def change_meanwhile(box: Box, tree: Tree, *, request: str, key: str, bucket: str = "") -> Ended:
    """Backs up a tree with delete; while a request waits, somebody else's content takes the place of `a`."""
    box.post("faults", [{"kind": "stall", "request": request, "key": key, "seconds": 2, "count": 1}])
    lay(box, tree)
    name = bucket or box.sandbox.environment["OSS_SANDBOX_BUCKET"]
    process = box.start(*command("--delete"), OSS_BACKUP_BUCKET=name)
    while struck(box) == 0 and process.poll() is None:
        time.sleep(0.01)
    box.client(bucket).put_object("p/t/a", b"somebody's")
    return box.end(process)


def struck(box: Box) -> int:
    """Faults that are used up."""
    with urllib.request.urlopen(f"{box.sandbox.control}/faults") as answer:
        return sum(fault["count"] == 0 for fault in json.load(answer))


def test_history_that_is_turned_off_is_told_and_keeps_nothing(box: Box) -> None:
    back_up(box, {"a": b"1", "b": b"2", "c": b"3"}, "--history", "none", "--delete")
    ended = back_up(box, {"a": b"4", "c": b"3"}, "--history", "none", "--delete")
    assert ended.told.status == "ok" and ended.told.problem_counts == {"history.off": 1}
    assert "history" in ended.text
    assert history(box) == set() and done(box, "copy") == [] and set(box.objects()) == {"t/a", "t/c"}
    state = Bucket(box.client(), "p/")
    first, second = state.committed()
    assert state.read_whole(second) == {"t/a": sha(b"4"), "t/c": sha(b"3")}
    with pytest.raises(Broken) as raised:
        state.read_whole(first)
    assert "t/a:" in str(raised.value) and "t/b:" in str(raised.value) and "t/c:" not in str(raised.value)


def test_a_dry_run_keeps_and_removes_nothing(box: Box) -> None:
    back_up(box, {"a": b"1", "b": b"2"})
    before = len(box.sandbox.world.log)
    ended = back_up(box, {"a": b"3"}, "--delete", "--dry-run")
    assert ended.told.counts.files_uploaded == 1 and ended.told.counts.files_removed == 1
    for request in ("put", "copy", "initiate", "part*", "complete", "delete*"):
        assert done(box, request, since=before) == []
    assert_whole(box, {"a": b"1", "b": b"2"})


def test_delete_removes_only_what_our_snapshots_named(box: Box) -> None:
    back_up(box, {"a": b"1", "b": b"2", "c": b"3", "d/e": b"4"}, "--delete")
    for key in ("p/t/foreign", "p/t/d/foreign", "p/elsewhere", "p/t/c", "other/t/b"):
        box.client().put_object(key, b"somebody's")
    ended = back_up(box, {"a": b"1"}, "--delete")
    assert set(box.objects()) == {"t/a", "t/foreign", "t/d/foreign", "elsewhere", "t/c"}
    assert box.client().get_object("p/t/c").read() == b"somebody's", "another's object, whatever was there before"
    assert box.client().object_exists("other/t/b")
    assert ended.told.counts.files_removed == 3
    assert back_up(box, {"a": b"1"}, "--delete").told.foreign_objects == 4
    assert set(done(box, "delete*", "p/t/*")) <= {"p/t/b", "p/t/d/e"}
    state = Bucket(box.client(), "p/")
    assert state.read_whole(state.committed()[-1]) == {"t/a": sha(b"1")}


def test_delete_removes_nothing_of_places_that_were_not_asked_for(box: Box) -> None:
    lay(box, {"one/a": b"1", "two/b": b"2"})
    some = ("backup", "--prefix", "p", "--source", "s", "--language", "en", "--delete", "--max-shrink", "100", "--path")
    assert box.run(*some, "tree/one => one", "--path", "tree/two => two").code == 0
    assert box.run(*some, "tree/two => two").code == 0
    assert set(box.objects()) == {"one/a", "two/b"}
    lay(box, {"one/a": b"1", "two/c": b"3"})
    assert box.run(*some, "tree/two => two").code == 0
    assert set(box.objects()) == {"one/a", "two/c"}


@pytest.mark.parametrize("known", [True, False])
def test_nothing_is_removed_after_a_scan_that_is_not_complete(ordinary: Box, known: bool) -> None:
    """What is gone may be in the folder that could not be read, whether or not there was something in it before."""
    box = ordinary
    tree: Tree = {"a": b"1", "b": b"2", "d/c": b"3"} | ({"shut/c": b"3", "shut/deep/d": b"4"} if known else {})
    back_up(box, tree, "--delete")
    (box.tree / "shut").mkdir(exist_ok=True)
    (box.tree / "b").rename(box.tree / "shut/b")
    (box.tree / "shut").chmod(0)
    ended = box.run(*command("--delete"))
    assert (ended.code, ended.told.status) == (3, "incomplete"), ended.text
    assert set(box.objects()) == {f"t/{name}" for name in tree} and done(box, "delete*", "p/t/*") == []
    (box.tree / "shut").chmod(0o755)
    tree["shut/b"] = tree.pop("b")
    back_up(box, tree, "--delete")
    assert set(box.objects()) == {f"t/{name}" for name in tree}
    state = Bucket(box.client(), "p/")
    assert [state.read_whole(one) == one.files for one in state.committed()] == [True] * 3


def test_nothing_is_removed_when_a_file_failed(box: Box) -> None:
    tree: Tree = {"a": b"1", "b": b"2", "c": b"3"}
    back_up(box, tree, "--delete")
    box.post("faults", [fault("status", "put", "p/t/a", status=409, code="FileImmutable")])
    back_up(box, {"a": b"4", "c": b"3"}, "--delete", code=3)
    assert set(box.objects()) == {"t/a", "t/b", "t/c"} and done(box, "delete*", "p/t/*") == []
    box.post("faults", [])
    back_up(box, {"a": b"4", "c": b"3"}, "--delete")
    assert set(box.objects()) == {"t/a", "t/c"}
    assert_whole(box, tree, {"a": b"1", "c": b"3"}, {"a": b"4", "c": b"3"})


@pytest.mark.parametrize("answer", [{"status": 403, "code": "AccessDenied"}, REFUSED])
def test_what_may_not_be_removed_harms_no_snapshot(box: Box, answer: dict[str, Any]) -> None:
    """An object that stays is told of, kept in mind, and removed by the next run that may."""
    back_up(box, {"a": b"1", "b": b"2"}, "--delete")
    box.post("faults", [fault("status", "delete*", "*", **answer)])
    lay(box, {"a": b"1"})
    ended = box.run(*command("--delete"))
    assert ended.code != 0 and ended.told.problem_counts, "0 would say that nothing was left to do"
    box.post("faults", [])
    state = Bucket(box.client(), "p/")
    assert all(state.read_whole(one) == one.files for one in state.committed())
    assert set(box.objects()) == {"t/a", "t/b"}
    back_up(box, {"a": b"1"}, "--delete")
    assert set(box.objects()) == {"t/a"}
    state = Bucket(box.client(), "p/")
    assert all(state.read_whole(one) == one.files for one in state.committed())


@pytest.mark.parametrize("options", [(), ("--delete",)])
def test_two_sources_share_one_history(box: Box, options: tuple[str, ...]) -> None:
    contents = [b"same", b"2", b"same", b"4"]
    for content in contents:
        lay(box, {"x": content})
        for source in ("one", "two"):
            ended = box.run(
                "backup", "--path", f"tree => {source}", "--prefix", "p", "--source", source, "--language", "en",
                "--max-shrink", "100", "--max-change", "100", *options,
            )  # fmt: skip
            assert ended.code == 0 and ended.told.foreign_objects <= 1, ended.text
    state = Bucket(box.client(), "p/")
    found = state.committed()
    assert [(at.head["source"], *at.files.values()) for at in found] == [
        (source, sha(content)) for source in ("one", "two") for content in contents
    ]
    assert all(state.read_whole(one) == one.files for one in found)
    assert history(box) == {sha(b"same"), sha(b"2")}
