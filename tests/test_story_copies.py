"""Stories of what is not sent: a file that was moved, renamed or doubled is copied on the server, and proven."""

import json
import random
import re
import shutil
import time
from pathlib import Path

import oss2
import oss2.models
import pytest
from _pytest.mark import ParameterSet
from box import Box, Ended, disk, uploads
from reader import Bucket
from test_story_history import (
    AWKWARD,
    CRC,
    LARGE,
    Tree,
    assert_whole,
    back_up,
    command,
    done,
    fault,
    history,
    lay,
    own,
    set_versioning,
    sha,
    struck,
    versioned,
    where,
)

from backup_action.core import place
from backup_action.core.sources import FROM

__all__ = ["own"]
LIMIT = 1 << 20  # bytes up to which a small file's MD5 proves the copy


def slowly(value: object) -> ParameterSet:
    """A longer form."""
    return pytest.param(value, marks=pytest.mark.slow)


def content(seed: int, size: int = FROM) -> bytes:
    return random.Random(seed).randbytes(size)


def sent(box: Box, since: int = 0) -> list[str]:
    """Keys of files whose bytes were sent, whole or a part of them."""
    return sorted(done(box, "put", "p/t/*", since) + done(box, "part", "p/t/*", since))


def copied(box: Box, since: int = 0) -> list[str]:
    """Keys of files that were copied, whole or by parts."""
    return sorted(done(box, "copy", "p/t/*", since) + done(box, "part-copy", "p/t/*", since))


def asked(box: Box, request: str, since: int = 0) -> int:
    """How many requests of a kind came, whatever the answer."""
    return sum(line["request"] == request for line in box.sandbox.world.log[since:])


def mark(box: Box) -> int:
    return len(box.sandbox.world.log)


def counts(ended: Ended) -> tuple[int, int, int, int]:
    told = ended.told.counts
    assert told.files_total == told.files_uploaded + told.files_copied + told.files_unchanged + told.files_failed
    return told.files_uploaded, told.bytes_uploaded, told.files_copied, told.bytes_copied


ALL_RIGHTS = "--allow-static-keys"  # those of the keys; the session of a role may read no versions
STORED = {"keys.stored": 1}  # what is told of them


SIZES = {AWKWARD: FROM, "b": LIMIT, "c": LIMIT + 1, "sub/large": LARGE}


@pytest.mark.parametrize("options", [(), slowly(("--delete",))])
@pytest.mark.parametrize("is_versioned", [False, True])
def test_a_renamed_folder_costs_no_upload(box: Box, is_versioned: bool, options: tuple[str, ...]) -> None:
    bucket = versioned(box) if is_versioned else ""
    files = {name: content(size, size) for name, size in SIZES.items()}
    first: Tree = {f"old/{name}": data for name, data in files.items()}
    second: Tree = {f"new/{name}": data for name, data in files.items()}
    back_up(box, first, *options, bucket=bucket)
    before, bytes_before = mark(box), box.counts()["bytes_in"]
    ended = back_up(box, second, *options, bucket=bucket)
    assert counts(ended) == (0, 0, 4, sum(SIZES.values())) and not ended.told.problems
    assert sent(box, before) == [] and copied(box, before) == sorted(f"p/{place.code(f't/{name}')}" for name in second)
    assert box.counts()["bytes_in"] - bytes_before < FROM, "the snapshot, the lease and the record"
    asked_for = set(done(box, "head", "p/t/new/*", before))
    assert asked_for == {"p/t/new/c", "p/t/new/sub/large"}, "of the others the ETag is proof enough"
    assert "4 copied on the server (11.0 MiB)" in ended.text
    state, found = assert_whole(box, first, second, bucket=bucket)
    assert {where(state, found[1], name) for name in second} == {"version" if is_versioned else "object"}
    again = back_up(box, second, *options, bucket=bucket)
    assert again.told.counts.files_unchanged == 4 and not again.told.problems, "it is what the listing says"
    back = back_up(box, first, *options, bucket=bucket)
    assert counts(back)[1] == 0 and sent(box, before) == []
    assert_whole(box, first, second, second, first, bucket=bucket)


def test_both_snapshots_of_a_rename_are_restored_byte_for_byte(box: Box) -> None:
    files = {name: content(size, size) for name, size in SIZES.items()} | {"tiny": b"1"}
    trees: list[Tree] = [{f"{folder}/{name}": data for name, data in files.items()} for folder in ("old", "new")]
    for tree in trees:
        back_up(box, tree, "--delete")
    ids = [lines[0]["head"]["id"] for lines in box.snapshots()]
    for id, tree in zip(ids, trees, strict=True):
        ended = box.run(
            "restore", "--prefix", "p", "--source", "story", "--language", "en", "--snapshot", id, "--target", id
        )
        assert ended.code == 0, ended.text
        assert disk(box.folder / id) == {f"t/{name}": sha(data) for name, data in tree.items()}
        shutil.rmtree(box.folder / id)


def test_what_is_small_is_sent(box: Box) -> None:
    back_up(box, {"a": content(1, FROM - 1)})
    before = mark(box)
    ended = back_up(box, {"b": content(1, FROM - 1)})
    assert counts(ended) == (1, FROM - 1, 0, 0) and sent(box, before) == ["p/t/b"] and asked(box, "copy", before) == 0


@pytest.mark.parametrize("size", [FROM, slowly(LIMIT + 1), LARGE])
def test_a_content_is_sent_once_in_a_first_run(box: Box, size: int) -> None:
    """However many of its files are on their way at the same time."""
    tree: Tree = {f"{folder}/x": content(1, size) for folder in range(6)} | {"other": content(2, size)}
    ended = back_up(box, tree)
    assert counts(ended) == (2, 2 * size, 5, 5 * size) and not ended.told.problems
    assert len(copied(box)) == 5 and len(set(sent(box))) == 2
    assert_whole(box, tree)
    assert uploads(box) == []


def test_a_file_that_fails_holds_up_none_of_its_doubles(box: Box) -> None:
    tree: Tree = {f"{name}/x": content(1) for name in "abcd"}
    box.post("faults", [fault("status", "put", "p/t/a/x", status=409, code="FileImmutable")])
    ended = back_up(box, tree, code=3)
    assert counts(ended) == (1, FROM, 2, 2 * FROM) and ended.told.problem_counts == {"file.refused": 1}
    box.post("faults", [])
    before = mark(box)
    assert counts(back_up(box, tree)) == (0, 0, 1, FROM) and sent(box, before) == []


def test_a_changed_file_whose_content_is_there_is_copied_and_its_old_content_kept(box: Box) -> None:
    old, new = content(1), content(2)
    first: Tree = {"a": old, "b": new}
    second: Tree = {"a": new, "b": new}
    back_up(box, first)
    before = mark(box)
    ended = back_up(box, second)
    assert counts(ended) == (0, 0, 1, FROM) and sent(box, before) == [] and history(box) == {sha(old)}
    assert_whole(box, first, second)


@pytest.mark.parametrize("size", [FROM, slowly(LARGE)])
@pytest.mark.parametrize("setting", ["", "Enabled", slowly("Suspended")])
def test_two_files_that_changed_places_cost_no_upload(own: Box, setting: str, size: int) -> None:
    """Whichever is written first, the other's content is still had: as a version, or from what was kept."""
    bucket = "sandbox-swap"
    own.client(bucket).create_bucket()
    if setting:
        set_versioning(own, setting, bucket)
    one, two = content(1, size), content(2, size)
    trees: list[Tree] = [{"a": one, "b": two}, {"a": two, "b": one}, {"a": one, "b": two}]
    for at, tree in enumerate(trees):
        before = mark(own)
        ended = back_up(own, tree, ALL_RIGHTS, bucket=bucket)
        assert counts(ended) == ((2, 2 * size, 0, 0) if at == 0 else (0, 0, 2, 2 * size)), ended.text
        assert ended.told.problem_counts == STORED and (at == 0 or sent(own, before) == [])
    assert_whole(own, *trees, bucket=bucket)


def test_without_history_what_was_overwritten_before_it_was_copied_is_sent(box: Box) -> None:
    one, two = content(1), content(2)
    back_up(box, {"a": one, "b": two}, "--history", "none")
    ended = back_up(box, {"a": two, "b": one}, "--history", "none")
    assert counts(ended)[0] + counts(ended)[2] == 2 and ended.told.problem_counts == {"history.off": 1}
    state = Bucket(box.client(), "p/")
    last = state.committed()[-1]
    assert state.read_whole(last) == {"t/a": sha(two), "t/b": sha(one)}


def test_copies_of_a_run_that_never_committed_are_found_by_the_next(box: Box) -> None:
    back_up(box, many("old", 4))
    box.post("faults", [fault("status", "put", "*.jsonl.zst", status=409, code="FileImmutable")])
    lay(box, many("new", 4))
    assert box.run(*command()).code != 0 and len(copied(box)) == 4
    box.post("faults", [])
    before = mark(box)
    ended = back_up(box, many("new", 4))
    assert counts(ended) == (0, 0, 0, 0) and ended.told.counts.files_unchanged == 4 and not ended.told.problems
    assert sent(box, before) == [] and asked(box, "copy", before) == 0
    assert_whole(box, many("old", 4), many("new", 4))


@pytest.mark.parametrize("is_versioned", [False, slowly(True)])
def test_rotated_files_cost_no_upload(box: Box, is_versioned: bool) -> None:
    """A chain of renames, each over the next; what came anew is all that is sent."""
    bucket = versioned(box) if is_versioned else ""
    contents = [content(number) for number in range(14)]
    trees: list[Tree] = [{f"log.{at}": contents[7 + at - shift] for at in range(7)} for shift in range(4)]
    for number, tree in enumerate(trees):
        some = "1" if number == 3 else "16"
        ended = back_up(box, tree, ALL_RIGHTS, "--concurrency", some, bucket=bucket)
        assert counts(ended) == ((7, 7 * FROM, 0, 0) if number == 0 else (1, FROM, 6, 6 * FROM)), ended.text
        assert ended.told.problem_counts == STORED
    assert_whole(box, *trees, bucket=bucket)


def test_a_session_that_may_read_no_versions_asks_for_one_once(box: Box) -> None:
    """What was replaced is then sent, and nothing is told: it is what the session's policy says."""
    trees: list[Tree] = [
        {name: content(number + seed) for number, name in enumerate("abcdefgh")} for seed in (0, -1, -2)
    ]
    for number, tree in enumerate(trees):
        before = mark(box)
        ended = back_up(box, tree, "--concurrency", "1", bucket=versioned(box))
        assert not ended.told.problems
        if number:
            assert counts(ended)[0] + counts(ended)[2] == 8 and counts(ended)[0] > 1
            refused = [line for line in box.sandbox.world.log[before:] if line["status"] == 403]
            assert len(refused) == 1
    assert_whole(box, *trees, bucket=versioned(box))


@pytest.mark.parametrize("deed", ["replaced", slowly("removed")])
@pytest.mark.parametrize("is_versioned", [False, True])
def test_a_source_that_somebody_changes_under_the_copy_is_never_taken_for_what_it_was(
    box: Box, is_versioned: bool, deed: str
) -> None:
    bucket = versioned(box) if is_versioned else box.sandbox.environment["OSS_SANDBOX_BUCKET"]
    first: Tree = {"old": content(1), "z": b"z"}
    second: Tree = {"new": content(1), "z": b"z"}
    back_up(box, first, bucket=bucket)
    lay(box, second)
    box.post("faults", [{"kind": "stall", "request": "copy", "key": "p/t/new", "seconds": 2, "count": 1}])
    before = mark(box)
    process = box.start(*command(ALL_RIGHTS), OSS_BACKUP_BUCKET=bucket, **keys(box))
    while struck(box) == 0 and process.poll() is None:
        time.sleep(0.01)
    if deed == "replaced":
        box.client(bucket).put_object("p/t/old", content(9))
    else:
        box.client(bucket).delete_object("p/t/old")
    ended = box.end(process)
    assert ended.code == 0 and ended.told.problem_counts == STORED, ended.text
    assert sha(box.client(bucket).get_object("p/t/new").read()) == sha(content(1))
    assert counts(ended) == ((0, 0, 1, FROM) if is_versioned else (1, FROM, 0, 0)), "a version serves all the same"
    assert ("p/t/new" in sent(box, before)) is not is_versioned
    if is_versioned:
        assert_whole(box, first, second, bucket=bucket)


def keys(box: Box) -> dict[str, str]:
    """All rights."""
    told = box.sandbox.environment
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": told["OSS_SANDBOX_ACCESS_KEY_ID"],
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": told["OSS_SANDBOX_ACCESS_KEY_SECRET"],
    }


def test_an_object_that_was_replaced_before_the_run_is_no_source(box: Box) -> None:
    """And one that stands under the file's own key is none either: it costs no request."""
    back_up(box, {"old": content(1), "own": content(2)})
    box.client().put_object("p/t/old", content(9))
    box.client().put_object("p/t/own", content(9))
    before = mark(box)
    ended = back_up(box, {"new": content(1), "own": content(2)})
    assert counts(ended) == (2, 2 * FROM, 0, 0) and set(ended.told.problem_counts) == {"drift.replaced"}
    assert sent(box, before) == ["p/t/new", "p/t/own"] and asked(box, "copy", before) == 1
    assert sha(box.client().get_object("p/t/new").read()) == sha(content(1))


def many(name: str, count: int = 12) -> Tree:
    return {f"{name}/{number}": content(number) for number in range(count)}


@pytest.mark.parametrize("size", [FROM, slowly(LARGE)])
def test_a_right_that_is_missing_is_told_once_and_the_bytes_are_sent(box: Box, size: int) -> None:
    """The role may write files and not read them: only the catalogue."""
    first: Tree = {f"old/{number}": content(number, size) for number in range(5)}
    second: Tree = {f"new/{number}": content(number, size) for number in range(5)}
    back_up(box, first)
    everything = {"Effect": "Allow", "Action": "oss:*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "oss:GetObject", "Resource": "acs:oss:*:*:*/p/t/*"}
    box.post("settings", {"role_policy": {"Version": "1", "Statement": [everything, deny]}})
    before = mark(box)
    ended = back_up(box, second, "--concurrency", "1")
    assert counts(ended) == (5, 5 * size, 0, 0) and ended.told.status == "ok"
    [problem] = ended.told.problems
    assert (problem.kind, problem.facts["cause"]) == ("copy.failed", "right")
    assert problem.facts["count"] in (("5",) if size == FROM else ("4", "5")), "no file is read only to be counted"
    assert "oss:GetObject" in ended.text and "AccessDenied" in ended.text
    assert asked(box, "copy", before) <= (1 if size == FROM else 4), "once is enough, but for what is under way"
    box.post("settings", {"role_policy": None})
    assert_whole(box, first, second)


@pytest.mark.parametrize("code", ["MalformedThing", slowly("FileImmutable")])
def test_copies_that_are_refused_for_another_reason_are_given_up_after_ten(box: Box, code: str) -> None:
    back_up(box, many("old"))
    box.post("faults", [fault("status", "copy", "p/t/*", status=400, code=code)])
    before = mark(box)
    ended = back_up(box, many("new"), "--concurrency", "1")
    assert counts(ended) == (12, 12 * FROM, 0, 0) and ended.told.status == "ok"
    [problem] = ended.told.problems
    assert (problem.kind, problem.facts["count"], problem.facts["reason"]) == ("copy.failed", "12", code)
    assert asked(box, "copy", before) == 10 and "(12)" in ended.text
    assert_whole(box, many("old"), many("new"))


def test_a_refusal_that_the_bytes_would_meet_as_well_ends_the_run(box: Box) -> None:
    back_up(box, {"old": content(1)})
    box.post("faults", [fault("status", "copy", "p/t/*", status=403, code="UserDisable")])
    before = mark(box)
    ended = back_up(box, {"new": content(1)}, code=4)
    assert ended.told.problem_counts == {"oss.account": 1} and sent(box, before) == []


@pytest.mark.parametrize("size", [FROM, LIMIT + 1, slowly(LARGE)])
def test_a_copy_that_is_another_content_is_overwritten_by_the_bytes(box: Box, size: int) -> None:
    first: Tree = {"old": content(1, size), "z": content(2, size)}
    second: Tree = {"new": content(1, size), "z": content(2, size)}
    back_up(box, first)
    box.post("faults", [fault("alter", "copy", "p/t/new", after=5)])
    before = mark(box)
    ended = back_up(box, second)
    assert done(box, "copy", "p/t/new", before) == ["p/t/new"], "it was made"
    assert counts(ended) == (1, size, 0, 0) and sent(box, before)
    [problem] = ended.told.problems
    assert (problem.kind, problem.facts) == ("copy.failed", {"cause": "proof", "count": "1"})
    assert ended.told.status == "ok" and "proved a server-side copy" in ended.text
    assert_whole(box, first, second)


def test_parts_that_are_another_content_make_no_object(box: Box) -> None:
    first: Tree = {"old": content(1, LARGE)}
    second: Tree = {"new": content(1, LARGE)}
    back_up(box, first)
    box.post("settings", {"copy_max": 1 << 20})
    box.post("faults", [fault("alter", "part-copy", "p/t/new", after=5)])
    ended = back_up(box, second, "--storage-class", "IA")
    assert done(box, "part-copy", "p/t/new") and counts(ended) == (1, LARGE, 0, 0)
    assert [problem.facts["cause"] for problem in ended.told.problems] == ["proof"]
    assert_whole(box, first, second)
    assert uploads(box) == []


def test_a_copy_that_nothing_proves_is_sent(box: Box) -> None:
    """The ETag of its answer is another's, and a HEAD has no CRC-64."""
    first: Tree = {"old": content(1)}
    second, third = {"new": content(1)}, {"newer": content(1)}
    box.client().put_bucket_encryption(oss2.models.ServerSideEncryptionRule(sse_algorithm="KMS"))
    try:
        back_up(box, first, ALL_RIGHTS)
        box.post("faults", [fault("drop-header", "head", "p/t/new", header=CRC)])
        before = mark(box)
        ended = back_up(box, second, ALL_RIGHTS)
        assert counts(ended) == (1, FROM, 0, 0) and sent(box, before) == ["p/t/new"]
        assert ended.told.problem_counts == {"copy.failed": 1, "keys.stored": 1}
        box.post("faults", [])
        before = mark(box)
        assert counts(back_up(box, third, ALL_RIGHTS)) == (0, 0, 1, FROM)
        assert done(box, "head", "p/t/newer", before), "an ETag of KMS is no MD5: it is asked"
        assert_whole(box, first, second, third)
    finally:
        box.client().delete_bucket_encryption()


def test_a_copy_has_the_class_and_tags_of_this_run(box: Box) -> None:
    first: Tree = {"old": content(1), "large/old": content(2, LARGE)}
    second: Tree = {"new": content(1), "large/new": content(2, LARGE)}
    back_up(box, first, "--tags", "was=before", "--server-side-encryption", "AES256")
    ended = back_up(box, second, "--storage-class", "IA", "--tags", "is=now")
    assert counts(ended)[:3] == (0, 0, 2)
    for key in ("p/t/new", "p/t/large/new"):
        head = box.client().head_object(key)
        assert head.headers["x-oss-storage-class"] == "IA"
        assert "x-oss-server-side-encryption" not in head.headers, "the source's is not carried over"
        assert box.client().get_object_tagging(key).tag_set.tagging_rule == {"is": "now"}
    assert_whole(box, first, second)


@pytest.mark.parametrize("setting", [slowly("first"), "bucket"])
def test_what_is_frozen_is_sent_and_nothing_is_told(box: Box, setting: str) -> None:
    """Where the class is a setting, no copy is even tried."""
    tree: Tree = {"a": content(1), "b": content(1)}
    second: Tree = {"c": content(1)}
    ended = back_up(box, tree, "--storage-class", "Archive")
    assert counts(ended) == (2, 2 * FROM, 0, 0) and asked(box, "copy") == 0
    before = mark(box)
    ended = back_up(box, second, *(("--storage-class", "Archive") if setting == "first" else ()))
    assert counts(ended) == (1, FROM, 0, 0) and not ended.told.problems and sent(box, before) == ["p/t/c"]
    assert asked(box, "copy", before) == (setting == "bucket")


def test_what_is_too_large_for_one_copy_is_copied_by_parts(box: Box) -> None:
    """Another class, and so a limit."""
    first: Tree = {"old": content(1, LARGE), "small": content(2, 2 << 20)}
    second: Tree = {"new": content(1, LARGE), "tiny": content(2, 2 << 20)}
    back_up(box, first)
    box.post("settings", {"copy_max": 1 << 20})
    before = mark(box)
    ended = back_up(box, second, "--storage-class", "IA")
    assert counts(ended)[:3] == (0, 0, 2) and sent(box, before) == [] and not ended.told.problems
    assert copied(box, before) == ["p/t/new", "p/t/tiny"] and done(box, "copy", since=before) == []
    assert_whole(box, first, second)
    assert uploads(box) == []


TROUBLE = {
    "lost": fault("lose-reply", "copy", "p/t/new/*") | {"count": 3},
    "busy": fault("status", "copy", "p/t/new/*", status=503, code="ServiceUnavailable") | {"count": 3},
    "cut": fault("cut", "copy", "p/t/new/*", after=20) | {"count": 3},
    "altered answer": fault("drop-header", "copy", "p/t/new/*", header="ETag") | {"count": 3},
}


@pytest.mark.parametrize("trouble", ["lost", slowly("altered answer"), slowly("busy"), slowly("cut")])
def test_faults_that_pass_do_no_harm(box: Box, trouble: str) -> None:
    back_up(box, many("old", 4))
    box.post("faults", [TROUBLE[trouble]])
    before = mark(box)
    ended = back_up(box, many("new", 4))
    assert counts(ended) == (0, 0, 4, 4 * FROM) and sent(box, before) == [] and not ended.told.problems
    assert_whole(box, many("old", 4), many("new", 4))


def test_a_dry_run_says_what_would_be_copied(box: Box) -> None:
    first: Tree = {"old": content(1), "large": content(2, LARGE)}
    second: Tree = {"new": content(1), "also/large": content(2, LARGE), "x": content(3), "y": content(3)}
    back_up(box, first)
    before = mark(box)
    ended = back_up(box, second, "--dry-run")
    assert counts(ended) == (1, FROM, 3, 2 * FROM + LARGE) and "3 to copy on the server" in ended.text
    for request in ("put", "copy", "initiate", "part*", "complete"):
        assert asked(box, request, before) == 0
    real = back_up(box, second)
    assert counts(real) == counts(ended)
    assert_whole(box, first, second)


def ledger(box: Box) -> set[str]:
    """The keys of its records."""
    return {item.key for item in oss2.ObjectIteratorV2(box.client(), prefix="p/.oss-backup/ledger/")}


def test_what_was_copied_is_in_the_snapshot_the_ledger_and_the_outputs(box: Box, tmp_path: Path) -> None:
    back_up(box, many("old", 3))
    output = tmp_path / "output"
    output.touch()
    lay(box, many("new", 3) | {"new/more": b"1"})
    before = ledger(box)
    ended = box.run(*command(), GITHUB_ACTIONS="true", GITHUB_OUTPUT=str(output), **keys(box))
    assert ended.code == 0, ended.text
    told = dict(re.findall(r"(?m)^(\S+)<<(?:.*)\n(.*)$", output.read_text()))
    figures = ("files-uploaded", "bytes-uploaded", "files-copied", "bytes-copied")
    assert [told[name] for name in figures] == ["1", "1", "3", str(3 * FROM)]
    first, second = box.snapshots()
    assert "files_copied" not in first[-1]["foot"]
    foot = second[-1]["foot"]
    assert (foot["files_sent"], foot["bytes_sent"], foot["files_copied"]) == (1, 1, 3)
    [last] = ledger(box) - before  # of records of one second nobody knows which is the later
    told = json.loads(box.client().get_object(last).read())
    assert [told[name] for name in ("files_sent", "bytes_sent", "files_copied", "bytes_copied")] == [1, 1, 3, 3 * FROM]
    lay(box, many("new", 3))
    assert box.run(*command()).code == 0
    recent = box.snapshots()[-1][0]["head"]["recent"]
    assert [run.get("files_copied", 0) for run in recent] == [0, 3]
