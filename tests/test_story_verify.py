"""Stories of a verification: every kind of damage is found by the mode that promises it, and told with its path."""

import fnmatch
import hashlib
import json
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oss2
import oss2.models
import pytest
import zstandard
from box import RECORD, Box, Ended

from backup_action.core.verification import Verification
from backup_action.sandbox.serve import Sandbox

LARGE = (17 << 20) + 3  # bytes; three stretches
AWKWARD = "数据/100% +&?=.csv"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Box]:
    """A box with a sandbox of its own, whose buckets may be set up anew."""
    with Sandbox() as sandbox:
        yield Box(sandbox, tmp_path)


def verify(box: Box, *arguments: str, **environ: str) -> Ended:
    return box.run("verify", "--prefix", "p", "--source", "story", "--language", "en", *arguments, **environ)


def proofs(ended: Ended) -> Verification:
    assert ended.told.verification is not None, ended.text
    return ended.told.verification


def lay(box: Box, **files: bytes) -> None:
    """Writes these files, and backs up."""
    for name, data in files.items():
        (box.tree / name).write_bytes(data)
    ended = box.backup("--max-shrink", "100", "--max-change", "100")
    assert ended.code == 0, ended.text


def ids(box: Box, bucket: str = "") -> list[str]:
    return [told[0]["head"]["id"] for told in box.snapshots(bucket)]


def asked(box: Box, request: str, key: str = "p/t/*") -> list[str]:
    """Keys of the requests of a kind since the last `forget`."""
    log = [line for line in box.sandbox.world.log if line["service"] == "oss" and line["request"] == request]
    return [line["key"] for line in log if fnmatch.fnmatchcase(line["key"], key)]


def found(ended: Ended) -> dict[str, str]:
    """Path and kind of each problem; keys from the environment, and a record that was not written, are left out."""
    passed_over = ("keys.stored", "ledger.failed")
    return {problem.where: problem.kind.value for problem in ended.told.problems if problem.kind not in passed_over}


def test_what_is_whole_is_proven_by_the_listing_and_nothing_is_written(box: Box) -> None:
    for number in range(40):
        (box.tree / f"f{number}").write_bytes(b"%d" % number)
    (box.tree / "数据").mkdir()
    (box.tree / AWKWARD).write_bytes(b"x")
    (box.tree / "empty").write_bytes(b"")
    (box.tree / "link").symlink_to("f1")
    lay(box, large=os.urandom(LARGE))
    before = box.counts()
    ended = verify(box)
    assert ended.code == 0 and ended.told.verified, ended.text
    assert proofs(ended) == Verification(snapshots=1, walked=1, listed=43)
    counts = {name: count - before.get(name, 0) for name, count in box.counts().items()}
    assert counts["oss.get"] == 2, "the snapshot, when the chain is walked and when it is chosen"
    assert counts["oss.list"] <= 5 and counts["oss.put"] == RECORD and not counts["oss.head"]
    asked_for = {name for name, count in counts.items() if count and name.startswith("oss.")}
    assert asked_for == {"oss.get", "oss.list", "oss.put"}
    assert "43 files by the listing" in ended.text and "0 read whole" in ended.text
    summary = ended.told
    assert (summary.counts.files_total, summary.counts.files_unchanged, summary.counts.files_failed) == (43, 43, 0)


def test_read_hashes_every_byte_once_and_writes_nothing(box: Box) -> None:
    lay(box, a=b"1", b=b"2" * 70_000, empty=b"", large=os.urandom(LARGE))
    lay(box, a=b"new")
    puts = box.sent()
    box.sandbox.world.log.clear()
    ended = verify(box, "--read", "--all-snapshots")
    assert ended.code == 0 and ended.told.verified, ended.text
    told = proofs(ended)
    assert (told.snapshots, told.read, told.listed, told.share) == (2, 4, 1, "1/1"), "an empty file has nothing to read"
    assert told.read_bytes == 1 + 3 + 70_000 + LARGE == ended.told.counts.bytes_uploaded
    gets = sorted(asked(box, "get"))
    assert gets == ["p/t/a", "p/t/a", "p/t/b", *["p/t/large"] * 3], "the old `a` is looked for under its key first"
    assert len(asked(box, "get", "p/.oss-backup/history/*")) == 1 and box.sent() == puts + RECORD


def test_every_damage_is_found_by_both_modes_and_told_with_its_path(box: Box) -> None:
    names = ("removed", "altered", "truncated", "extended", "emptied", "swapped-1", "swapped-2", "whole")
    lay(box, **{name: name.encode() + b"b" * 40_000 for name in names})
    client = box.client()
    there = {name: (box.tree / name).read_bytes() for name in names}
    client.delete_object("p/t/removed")
    client.put_object("p/t/altered", there["altered"][:-1] + b"B")
    client.put_object("p/t/truncated", there["truncated"][:-1])
    client.put_object("p/t/extended", there["extended"] + b"b")
    client.put_object("p/t/emptied", b"")
    client.put_object("p/t/swapped-1", there["swapped-2"])
    client.put_object("p/t/swapped-2", there["swapped-1"])
    expected = {f"t/{name}": "content.altered" for name in names if name != "whole"} | {"t/removed": "content.missing"}
    for mode in ((), ("--read",)):
        ended = verify(box, *mode)
        assert (ended.code, ended.told.status) == (6, "damaged") and not ended.told.verified, ended.text
        assert found(ended) == expected, mode
        assert proofs(ended).damaged == ended.told.counts.files_failed == 7
        assert ended.told.counts.files_total == 8, "the others were looked at"


def test_bytes_that_rot_under_their_etag_are_found_by_reading_alone(box: Box) -> None:
    lay(box, a=b"a", rotten=os.urandom(1000), rotten_large=os.urandom(LARGE))
    alter = {"kind": "alter", "request": "get", "key": "p/t/rotten*", "after": 5}
    box.post("faults", [alter | {"count": -1}])
    ended = verify(box)
    assert ended.code == 0 and "by the listing: size and ETag" in ended.text, "it says by what it was proven"
    ended = verify(box, "--read")
    assert ended.code == 6 and found(ended) == dict.fromkeys(("t/rotten", "t/rotten_large"), "content.altered")
    box.post("faults", [alter | {"count": 1}])
    assert verify(box, "--read").code == 0, "what was altered on the way once is no damage"


def test_the_same_content_put_there_anew_is_no_damage(box: Box) -> None:
    large = os.urandom(LARGE)
    lay(box, a=b"a", large=large)
    box.client().put_object("p/t/large", large)  # an MD5 for ETag, where the upload in parts had another
    heads = len(asked(box, "head"))
    ended = verify(box)
    assert ended.code == 0 and (proofs(ended).listed, proofs(ended).asked) == (1, 1), ended.text
    assert asked(box, "head")[heads:] == ["p/t/large"]
    box.post("settings", {"crc64": False})
    assert found(verify(box)) == {"t/large": "content.altered"}, "no CRC-64, another ETag: nothing proves it"
    box.post("settings", {"crc64": True})
    assert verify(box, "--read").code == 0


def test_old_content_is_proven_in_the_history_and_its_damage_told_with_the_snapshots(box: Box) -> None:
    names = ("removed", "altered", "extended", "whole")
    old = {name: name.encode() * 9 for name in names}
    lay(box, **old)
    lay(box, c=b"c")
    lay(box, **dict.fromkeys(names, b"new"))
    heads = box.sent("oss.head")
    ended = verify(box, "--all-snapshots")
    assert ended.code == 0 and (proofs(ended).listed, proofs(ended).snapshots) == (9, 3), ended.text
    assert box.sent("oss.head") == heads, "the listing of the history is enough"
    box.post("faults", [{"kind": "alter", "request": "get", "key": "p/.oss-backup/history/*", "after": 1, "count": 1}])
    assert verify(box, "--all-snapshots", "--read").code == 0, "what was altered on the way once is no damage"
    client, shas = box.client(), {name: hashlib.sha256(data).hexdigest() for name, data in old.items()}
    keys = {name: f"p/.oss-backup/history/{sha[:2]}/{sha}" for name, sha in shas.items()}
    client.delete_object(keys["removed"])
    client.put_object(keys["altered"], b"X" * len(old["altered"]))
    client.put_object(keys["extended"], old["extended"] + b"X")
    client.put_object("p/.oss-backup/history/00/" + "f" * 64, b"not in its place")
    first, second, _ = ids(box)
    for mode in ((), ("--read",)):
        ended = verify(box, "--all-snapshots", *mode)
        expected = dict.fromkeys(("t/removed", "t/altered", "t/extended"), "content.altered")
        assert ended.code == 6 and found(ended) == expected, mode
        facts = {problem.facts.get("snapshots") for problem in ended.told.problems} - {None}
        assert facts == {f"{second}, {first}"} and second in ended.text
        assert proofs(ended).damaged == 3, "a content counts once, though two snapshots name it"
    assert verify(box).code == 0, "the newest is whole"


def removed(client: oss2.Bucket, key: str, version: str) -> None:
    client.delete_object(key, params={"versionId": version})


def test_versions_are_asked_for_where_they_are_not_the_newest(box: Box) -> None:
    bucket = box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"]
    environ = {"OSS_BACKUP_BUCKET": bucket}
    for content in (b"1", b"22", b"333"):
        (box.tree / "a").write_bytes(content)
        (box.tree / "same").write_bytes(b"s")
        assert box.backup("--delete", **environ).code == 0
    (box.tree / "same").unlink()
    assert box.backup("--delete", **environ).code == 0
    read = ["oss:GetObject", "oss:GetObjectVersion", "oss:ListObjects"]
    reading = {"Effect": "Allow", "Action": read, "Resource": ["*"]}
    box.post("settings", {"role_policy": {"Version": "1", "Statement": [reading]}})
    ended = verify(box, **environ)
    assert (ended.code, ended.told.problem_counts) == (0, {"ledger.failed": 1}), "without a right to be recorded"
    recording = {"Effect": "Allow", "Action": ["oss:PutObject"], "Resource": ["acs:oss:*:*:*/p/.oss-backup/ledger/*"]}
    box.post("settings", {"role_policy": {"Version": "1", "Statement": [reading, recording]}})  # no more is needed
    heads = len(asked(box, "head"))
    ended = verify(box, "--all-snapshots", **environ)
    assert ended.code == 0, ended.text
    assert (proofs(ended).listed, proofs(ended).asked, proofs(ended).damaged) == (1, 3, 0)
    assert sorted(asked(box, "head")[heads:]) == ["p/t/a", "p/t/a", "p/t/same"]
    assert proofs(verify(box, "--all-snapshots", "--read", **environ)).read == 4
    client, told = box.client(bucket), box.snapshots(bucket)
    version = next(entry["version"] for entry in told[1][1:-1] if entry["path"] == "t/a")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        removed(client, "p/t/a", version)
    for mode, kind in (((), "content.missing"), (("--read",), "content.altered")):  # a read meets what is there now
        ended = verify(box, "--all-snapshots", *mode, **environ)
        assert ended.code == 6 and found(ended) == {"t/a": kind}
        assert ended.told.problems[0].facts["snapshots"] == told[1][0]["head"]["id"]


@pytest.mark.slow
def test_the_bucket_where_versioning_was_suspended(own: Box) -> None:
    bucket = own.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"]
    environ = {"OSS_BACKUP_BUCKET": bucket}
    for number, content in enumerate((b"1", b"22", b"333")):
        if number == 1:
            own.client(bucket).put_bucket_versioning(oss2.models.BucketVersioningConfig("Suspended"))
        (own.tree / "a").write_bytes(content)
        assert own.backup("--max-change", "100", **environ).code == 0
    ended = verify(own, "--all-snapshots", **environ)
    assert ended.code == 0 and (proofs(ended).listed, proofs(ended).asked) == (2, 1), ended.text
    assert proofs(verify(own, "--all-snapshots", "--read", **environ)).read == 3
    sha = hashlib.sha256(b"22").hexdigest()
    own.client(bucket).put_object(f"p/.oss-backup/history/{sha[:2]}/{sha}", b"XX")
    second = ids(own, bucket)[1]
    ended = verify(own, "--all-snapshots", **environ)
    assert ended.code == 6 and found(ended) == {"t/a": "content.altered"}
    assert ended.told.problems[0].facts["snapshots"] == second


def key_of(id: str) -> str:
    return f"p/.oss-backup/snapshots/{id}.jsonl.zst"


def forge(box: Box, number: int, change: Callable[[dict[str, Any], list[dict[str, Any]]], object]) -> str:
    """A snapshot with its head and entries changed, and its digest made anew, as a forger would; gives its id."""
    head, *entries, foot = box.snapshots()[number]
    id: str = head["head"]["id"]
    change(head["head"], entries)
    lines = [json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for line in (head, *entries)]
    foot["foot"] |= {"digest": hashlib.sha256(b"".join(lines)).hexdigest()}
    plain = b"".join(lines) + json.dumps(foot, separators=(",", ":")).encode() + b"\n"
    box.client().put_object(key_of(id), zstandard.compress(plain))
    return id


def touch(head: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        entry["mtime_ns"] = "5"


def orphan(head: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    del head["parent"]


def renumber(head: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    head["sequence"] = 7


def test_the_chain_tells_what_was_rewritten_and_what_is_gone_and_the_expected_digest_the_rest(box: Box) -> None:
    for content in (b"1", b"2", b"3"):
        lay(box, a=content)
    first, second, third = ids(box)
    client, digest = box.client(), box.snapshots()[2][-1]["foot"]["digest"]
    ended = verify(box, "--expect-digest", digest.upper())
    assert ended.code == 0 and proofs(ended).expected and "`expect-digest`" in ended.text
    assert (proofs(ended).walked, proofs(ended).gaps) == (3, 0)
    changes: list[tuple[int, Any]] = [(0, touch), (1, touch), (2, orphan), (2, renumber)]
    for number, change in changes:
        key = key_of((first, second, third)[number])
        before = client.get_object(key).read()
        id = forge(box, number, change)
        ended = verify(box)
        assert (ended.code, ended.told.problem_counts["snapshot.chain"]) == (6, 1), ended.text
        (problem,) = (one for one in ended.told.problems if one.kind == "snapshot.chain")
        assert id in (problem.where, problem.facts.get("child")) and id in ended.text
        assert proofs(ended).listed == 1, "and yet its files are looked at"
        client.put_object(key, before)
    client.delete_object(key_of(second))
    forge(box, 1, touch)
    ended = verify(box, "--all-snapshots")
    assert ended.code == 0 and (proofs(ended).walked, proofs(ended).gaps) == (2, 1), "pruned: a note, no damage"
    assert "with 1 gap" in ended.text and first in ended.text
    ended = verify(box, "--expect-digest", digest)
    assert (ended.code, found(ended)) == (6, {third: "snapshot.digest"}), "nothing comes after it to speak against it"
    client.delete_object(key_of(third))
    ended = verify(box, "--expect-digest", digest)
    assert (ended.code, found(ended)) == (6, {first: "snapshot.digest"}) and not proofs(ended).expected


def test_a_damaged_snapshot_hides_none_of_the_others(box: Box) -> None:
    for content in (b"1", b"2", b"3"):
        lay(box, a=content)
    first, second, third = ids(box)
    client = box.client()
    whole, older = (client.get_object(key_of(id)).read() for id in (third, first))
    client.delete_object("p/t/a")
    for bad in (whole[:-5], older):  # cut short, rolled back
        client.put_object(key_of(third), bad)
        ended = verify(box, "--all-snapshots")
        assert ended.code == 6 and found(ended) == {third: "snapshot.damaged"}, ended.text
        assert proofs(ended) == Verification(snapshots=2, walked=2, listed=2), "both are whole, in the history"
        assert ended.told.snapshot and ended.told.snapshot.id == second, "the newest that can be read"
    ended = verify(box, "--snapshot", third)
    assert ended.code == 6 and ended.told.snapshot is None and found(ended) == {third: "snapshot.damaged"}
    client.put_object(key_of(third), whole)
    forge(box, 2, lambda head, entries: [entry.update(path="../a") for entry in entries if entry["kind"] == "file"])
    ended = verify(box)
    assert ended.code == 6 and ended.told.snapshot and ended.told.snapshot.id == second, "a restore would refuse it"
    for id in (first, second):
        client.put_object(key_of(id), b"x")
    ended = verify(box)
    assert ended.code == 6 and found(ended).keys() == {first, second, third}


def test_a_version_that_oss_never_gave_costs_one_file_and_not_the_run(box: Box) -> None:
    lay(box, a=b"1", b=b"2")

    def claim(head: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        next(entry for entry in entries if entry["path"] == "t/a").update(version="../x?y", etag="0")

    forge(box, 0, claim)
    box.client().delete_object("p/t/a")
    ended = verify(box)
    assert (ended.code, found(ended)) == (6, {"t/a": "content.missing"}), ended.text
    refuse = {"kind": "status", "request": "head", "key": "p/t/a", "status": 400, "code": "InvalidArgument"}
    box.post("faults", [refuse | {"count": -1}])
    ended = verify(box)
    assert (ended.code, found(ended)) == (6, {"t/a": "content.missing"}), "as OSS may say it"


def test_an_archive_is_whole_by_the_listing_and_frozen_to_a_reader(box: Box) -> None:
    lay(box, a=b"1")
    (box.tree / "cold").write_bytes(b"2")
    assert box.backup("--storage-class", "ColdArchive").code == 0
    assert verify(box).code == 0
    ended = verify(box, "--read")
    assert (ended.code, found(ended)) == (3, {"t/cold": "content.frozen"}), ended.text
    assert (proofs(ended).frozen, proofs(ended).damaged, proofs(ended).read) == (1, 0, 1)


def test_the_shares_of_a_subset_are_disjoint_and_read_everything(box: Box) -> None:
    names = [f"f{number}" for number in range(24)]
    lay(box, **{name: name.encode() for name in names})
    read: list[str] = []
    for number in (1, 2, 3):
        before = len(asked(box, "get"))
        ended = verify(box, "--read-subset", f"{number}/3")
        assert ended.code == 0 and proofs(ended).share == f"{number}/3" and f"share {number}/3" in ended.text
        got = asked(box, "get")[before:]
        assert len(got) == proofs(ended).read > 0 and proofs(ended).listed == 24 - len(got)
        read += got
    assert sorted(read) == sorted(f"p/t/{name}" for name in names)
    assert proofs(verify(box, "--read-subset", "auto/1")).read == 24
    ended = verify(box, "--read-subset", "4/3")
    assert (ended.code, ended.told.problem_counts) == (2, {"setting.malformed": 1}) and "`auto/t`" in ended.text


def test_patterns_choose_what_is_looked_at(box: Box) -> None:
    lay(box, **{"a.csv": b"1", "b.txt": b"2"})
    box.client().delete_object("p/t/b.txt")
    assert verify(box, "--exclude", "*.txt").code == 0
    assert proofs(verify(box, "--include", "/t/a.csv")).listed == 1
    ended = verify(box, "--include", "/nothing")
    assert ended.code == 2 and "snapshot.unknown" in ended.told.problem_counts and "matches `include`" in ended.text
    assert verify(box, "--source", "another").told.problem_counts == {"snapshot.unknown": 1}


def test_a_signal_ends_it_and_what_was_found_by_then_is_told(box: Box) -> None:
    lay(box, a=b"1" * 10, slow=b"2")
    box.client().delete_object("p/t/a")
    box.post("faults", [{"kind": "stall", "request": "get", "key": "p/t/slow", "seconds": 30, "count": -1}])
    process = box.start("verify", "--prefix", "p", "--source", "story", "--language", "en", "--read")
    end = time.monotonic() + 30
    while "p/t/a" not in asked(box, "get"):
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.3)  # the answer to that is on its way
    process.send_signal(signal.SIGTERM)
    ended = box.end(process)
    box.post("faults", [])
    assert ended.code == 143, ended.text
    assert found(ended).get("t/a") == "content.missing" and not ended.told.verified


def test_everybody_is_told(box: Box, tmp_path: Path) -> None:
    lay(box, a=b"1", b=b"2")
    box.client().delete_object("p/t/a")
    outputs, summary = tmp_path / "out", tmp_path / "summary"
    outputs.touch(), summary.touch()
    ended = verify(box, GITHUB_OUTPUT=str(outputs), GITHUB_STEP_SUMMARY=str(summary), GITHUB_ACTIONS="true")
    assert ended.code == 6
    assert "files-damaged" in outputs.read_text() and "t/a" in summary.read_text()
    assert "### What was proven, and how" in summary.read_text() and "1 file missing or altered" in summary.read_text()
    assert "What was proven, and how" in box.messages()[-1]["text"] and "`t/a`" in box.messages()[-1]["text"]
