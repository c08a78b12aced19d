"""Stories of `snapshots`: the list, one of them, two side by side, and a path through time."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import zstandard
from box import PROGRAM, TIMEOUT, Box, disk

from backup_action.core import report
from backup_action.core.listing import Found
from backup_action.core.report import Report
from backup_action.core.snapshot import Unreadable, head_of

sys.path.insert(0, str(Path(__file__).parent / "core"))
from catalogues import chain, entry, snapshot

QUIET = {"OSS_BACKUP_NOTIFY_ON": "never"}
CATALOGUE = "p/.oss-backup/snapshots/"


class Looked:
    """How `snapshots` ended, with stdout apart from stderr."""

    def __init__(self, box: Box, *arguments: str, language: str = "en", **environ: str) -> None:
        done = subprocess.run(
            [*PROGRAM, "snapshots", "--prefix", "p", "--source", "story", "--language", language, *arguments],
            cwd=box.folder, env=box.environment | QUIET | environ, capture_output=True, timeout=TIMEOUT,
        )  # fmt: skip
        self.code, self.out, self.err = done.returncode, done.stdout.decode(), done.stderr.decode()
        file = box.state / "oss-backup/report.json"
        self.told: Report = report.decode(file.read_bytes())
        file.unlink()

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def put(box: Box, id: str, data: bytes) -> None:
    box.client().put_object(f"{CATALOGUE}{id}.jsonl.zst", data)


def tag(source: str, layout: str = "tree") -> str:
    """Which four digits the ids of a source have."""
    return hashlib.sha256(f"{layout}\0{source}".encode()).hexdigest()[:4]


def statuses(box: Box, kind: str) -> list[int]:
    """How the requests of a kind were answered, in order; 206 is a part of an object."""
    with urllib.request.urlopen(f"{box.sandbox.control}/requests?log=1") as answer:
        return [one["status"] for one in json.load(answer)["log"] if f"{one['service']}.{one['request']}" == kind]


def two_nights(box: Box) -> tuple[str, str]:
    """Two runs, between which something of each sort happens; gives the ids of their snapshots."""
    for name in ("same", "edited", "moved", "lost", "touched"):
        (box.tree / name).write_bytes(name.encode() * 3)
    (box.tree / "link").symlink_to("same")
    (box.tree / "void").mkdir()
    first = box.backup().told.snapshot
    (box.tree / "edited").write_bytes(b"other")
    (box.tree / "moved").rename(box.tree / "elsewhere")
    (box.tree / "lost").unlink()
    (box.tree / "touched").chmod(0o600)
    (box.tree / "new\n::error::x").write_bytes(b"n")
    (box.tree / os.fsdecode(b"raw-\xff")).write_bytes(b"r")
    (box.tree / "link").unlink()
    (box.tree / "link").symlink_to("edited")
    (box.tree / "void").rmdir()
    second = box.backup().told.snapshot
    assert first and second
    return first.id, second.id


def test_the_list_has_what_the_runs_did(box: Box) -> None:
    (box.tree / "a").write_bytes(b"12345")
    runs = []
    for number in range(3):
        (box.tree / f"b{number}").write_bytes(b"x" * (number + 1))
        runs.append(box.backup().told)
    looked = Looked(box, "--json")
    assert (looked.code, looked.told.problem_counts) == (0, {}), looked.err
    told, rows = looked.document, looked.document["rows"]
    assert (told["view"], told["total"], told["others"], told["damaged"]) == ("list", 3, 0, 0)
    assert told["chains"] == [
        {"source": "story", "layout": "tree", "snapshots": 3, "gaps": 0, "broken": 0, "whole": True}
    ]
    for row, run in zip(rows, reversed(runs), strict=True):
        assert run.snapshot
        assert (row["id"], row["digest"], row["sequence"]) == (
            run.snapshot.id,
            run.snapshot.digest,
            run.snapshot.sequence,
        )
        assert (row["files"], row["bytes"]) == (run.counts.files_total, run.counts.bytes_total)
        assert (row["files_sent"], row["bytes_sent"]) == (run.counts.files_uploaded, run.counts.bytes_uploaded)
        assert row["complete"] is True and row["seconds"] > 0 and row["parent"] == run.snapshot.parent_id
        assert (row["source"], row["layout"]) == ("story", "tree")
        stored = box.client().head_object(f"{CATALOGUE}{row['id']}.jsonl.zst").content_length
        assert row["stored"] == stored
    assert [row["link"] for row in rows] == ["whole", "whole", "first"]
    table = Looked(box).out.splitlines()
    assert table[0] == "story (tree): 3 snapshots, the chain is whole."
    assert [line.split()[0] for line in table[3:]] == [row["id"] for row in rows]
    assert all(row["digest"] in line for row, line in zip(rows, table[3:], strict=True))


def test_a_list_reads_no_snapshot_whole_but_the_newest(box: Box) -> None:
    for one, data in chain(40, tag("story"), size=80_000):
        put(box, one.id, data)
    before = len(statuses(box, "oss.get"))
    looked = Looked(box, "--json")
    assert looked.code == 0 and looked.document["total"] == 40
    gets = statuses(box, "oss.get")[before:]
    assert (gets.count(200), gets.count(206)) == (1, 39), "a whole one, and the heads of the others"
    assert box.sent("oss.list") == 1 and looked.told.requests == 41
    assert [row["files"] for row in looked.document["rows"]] == [1] * 40
    assert [row["bytes"] for row in looked.document["rows"]] == list(range(40, 0, -1))
    assert len(looked.told.listing.rows) == 40  # type: ignore[union-attr]


def test_a_head_that_shares_its_block_with_what_can_hardly_be_packed_is_found_all_the_same(box: Box) -> None:
    found = chain(2, tag("story"), size=100_000)
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(found[0][1])
    together = zstandard.compress(plain)
    with pytest.raises(Unreadable):
        head_of(together[: 1 << 16])
    put(box, found[0][0].id, together)
    put(box, found[1][0].id, found[1][1])
    looked = Looked(box, "--json")
    assert (looked.code, looked.document["total"], looked.told.requests) == (0, 2, 4), looked.err


def test_what_a_gap_hides_is_read_whole(box: Box) -> None:
    found = chain(6, tag("story"))
    for one, data in (found[0], found[1], found[5]):
        put(box, one.id, data)
    looked = Looked(box, "--json")
    told = looked.document
    assert looked.code == 0, "a parent that was pruned is no damage"
    assert [row["link"] for row in told["rows"]] == ["gap", "whole", "first"]
    assert [row["digest"] for row in told["rows"]] == [found[at][0].foot.digest for at in (5, 1, 0)]
    assert (told["chains"][0]["gaps"], told["chains"][0]["whole"]) == (1, False)
    assert "parents that are gone, such as by pruning: 1" in Looked(box).out


@pytest.mark.parametrize(("damage", "where"), [("garbage", 0), ("format", 1), ("name", 1), ("name", 2), ("empty", 2)])
def test_a_damaged_snapshot_hides_no_other(box: Box, damage: str, where: int) -> None:
    found = chain(3, tag("story"))
    bad = found[where][0].id
    newer = zstandard.compress(b'{"head":{"format":"oss-backup/9"}}\n')
    data = {"garbage": b"\0" * 99, "format": newer, "name": found[where - 1][1], "empty": b""}[damage]
    for one, whole in found:
        put(box, one.id, data if one.id == bad else whole)
    looked = Looked(box, "--json")
    kind = "snapshot.format" if damage == "format" else "snapshot.damaged"
    assert (looked.code, looked.told.problem_counts) == (6, {kind: 1}), looked.err
    rows = {row["id"]: row for row in looked.document["rows"]}
    assert [bool(row["damage"]) for row in looked.document["rows"]] == [one.id == bad for one, _ in reversed(found)]
    assert bad in looked.err and looked.document["damaged"] == 1
    for one, _ in found:
        if one.id != bad:
            assert (rows[one.id]["files"], rows[one.id]["digest"]) == (1, one.foot.digest)
    timeline = Looked(box, "--find", "t/a", "--json")
    assert (timeline.code, timeline.document["damaged"], timeline.document["snapshots"]) == (6, 1, 2)
    shown = Looked(box, "--snapshot", bad)
    assert (shown.code, shown.told.problem_counts, shown.out) == (6, {kind: 1}, "")


def test_a_snapshot_that_was_replaced_breaks_the_chain(box: Box) -> None:
    found = chain(3, tag("story"))
    forged, data = snapshot(found[2][0].id, found[1][0], tail="!")
    grown, last = snapshot("20261120T000000Z-" + found[0][0].id[-8:], found[2][0])
    for one, whole in (found[0], found[1], (forged, data), (grown, last)):
        put(box, one.id, whole)
    box.client().delete_object(f"{CATALOGUE}{found[1][0].id}.jsonl.zst")
    other, whole = snapshot(found[1][0].id, None, tail="!")
    put(box, other.id, whole)
    looked = Looked(box, "--json")
    assert (looked.code, looked.told.problem_counts) == (6, {"snapshot.damaged": 1}), looked.err
    assert [row["link"] for row in looked.document["rows"]] == ["whole", "broken", "first", "first"]
    assert "The snapshot " + forged.id + " names a parent that is not what is there as " + other.id in looked.err


def test_of_those_that_began_in_one_second_the_sequence_tells_the_order(box: Box) -> None:
    start = "20261101T000000Z-" + tag("story")
    first, one = snapshot(start + "ffff", None, [entry("t/a", sha256="11" * 32, size=1)])
    second, two = snapshot(start + "0000", first, [entry("t/a", sha256="22" * 32, size=2)])
    put(box, first.id, one)
    put(box, second.id, two)
    assert [row["id"] for row in Looked(box, "--json").document["rows"]] == [second.id, first.id]
    assert [row["first"] for row in Looked(box, "--find", "t/a", "--json").document["rows"]] == [first.id, second.id]


def test_other_sources_and_layouts(box: Box) -> None:
    for name, layout in (("story", "tree"), ("story", "vault"), ("elsewhere", "tree")):
        for one, data in chain(2, tag(name, layout), source=name, layout=layout):
            put(box, one.id, data)
    ours = Looked(box, "--json").document
    assert (ours["total"], ours["others"], ours["source"]) == (4, 2, "story")
    assert [(told["layout"], told["whole"]) for told in ours["chains"]] == [("tree", True), ("vault", True)]
    assert "2 snapshots of other sources below this prefix; `all-sources` lists them." in Looked(box).out
    every = Looked(box, "--json", "--all-sources").document
    assert (every["total"], every["others"], every["source"]) == (6, 0, "")
    assert [told["source"] for told in every["chains"]] == ["elsewhere", "story", "story"]
    vault = next(row["id"] for row in ours["rows"] if row["layout"] == "vault")
    assert Looked(box, "--json", "--snapshot", vault).document["layout"] == "vault"
    assert Looked(box, "--json", "--find", "t/a").document["snapshots"] == 4


def test_where_there_is_none(box: Box) -> None:
    looked = Looked(box)
    assert (looked.code, looked.out) == (0, "There is no snapshot of this source.\n")
    assert Looked(box, "--all-sources", language="zh").out == "这个前缀下没有快照。\n"
    ended = Looked(box, "--against", "2026-01-01")
    assert (ended.code, ended.told.problem_counts, ended.out) == (2, {"snapshot.unknown": 1}, "")
    assert Looked(box, "--find", "x", "--json").document["total"] == 0


def test_one_snapshot(box: Box) -> None:
    first, second = two_nights(box)
    looked = Looked(box, "--snapshot", "latest", "--json")
    head, *entries, foot = box.snapshots()[-1]
    told = looked.document
    assert looked.code == 0 and told["view"] == "show"
    assert (told["id"], told["parent"], told["digest"]) == (second, first, foot["foot"]["digest"])
    assert told["parent_digest"] == head["head"]["parent"]["digest"]
    assert (told["files"], told["bytes"], told["complete"]) == (foot["foot"]["files"], foot["foot"]["bytes"], True)
    assert told["rows"] == [entry for entry in entries if not entry.get("gone")] != entries
    files = disk(box.tree)
    sizes = sum((box.tree / name).stat().st_size for name in files)
    assert told["places"] == [
        {"source": "tree", "destination": "t", "files": len(files), "bytes": sizes, "links": 1, "folders": 1}
    ]
    largest = sorted(files, key=lambda name: -(box.tree / name).stat().st_size)
    assert told["largest"][0]["path"] == f"t/{largest[0]}" and told["largest"][0]["sha256"] == files[largest[0]]
    assert "t/raw-\\xff" in [one["path"] for one in told["largest"]]
    assert (looked.told.listing.total, looked.told.listing.rows) == (len(told["rows"]), [])  # type: ignore[union-attr]
    old = Looked(box, "--snapshot", first)
    assert f"Snapshot: {first}\n" in old.out and "::error::" not in old.out


def test_two_side_by_side(box: Box) -> None:
    first, second = two_nights(box)
    looked = Looked(box, "--against", first, "--json")
    told = looked.document
    assert (looked.code, told["view"], told["before"], told["after"]) == (0, "diff", first, second)
    rows = {(row["what"], base64.b64decode(row["raw"]) or row["path"].encode()): row for row in told["rows"]}
    assert rows.keys() == {
        ("changed", b"t/edited"), ("moved", b"t/elsewhere"), ("removed", b"t/lost"), ("changed", b"t/link"),
        ("added", b"t/new\n::error::x"), ("added", b"t/raw-\xff"),
    }  # fmt: skip
    assert (rows["changed", b"t/edited"]["bytes_before"], rows["changed", b"t/edited"]["bytes"]) == (18, 5)
    assert rows["moved", b"t/elsewhere"]["was"] == "t/moved"
    sums = {name: told[name]["files"] for name in ("added", "changed", "moved", "removed")}
    assert sums == {"added": 2, "changed": 2, "moved": 1, "removed": 1}
    assert (told["metadata"], told["folders_removed"], told["folders_added"]) == (1, 1, 0)
    back = Looked(box, "--against", second, "--snapshot", first, "--json").document
    assert (back["removed"]["files"], back["added"]["files"], back["moved"]["files"]) == (2, 1, 1)
    text = Looked(box, "--against", first).out
    assert r"t/new\n::error::x" in text and "t/elsewhere (was t/moved)" in text and "::error::x" not in text.split()
    few = Looked(box, "--against", first, "--exclude", "edited", "--exclude", "e*", "--json").document
    assert few["changed"]["files"] == 1 and few["removed"]["files"] == 2, "patterns leave out, on both sides"


def test_a_path_through_time(box: Box) -> None:
    first, second = two_nights(box)
    (box.tree / "edited").write_bytes(b"third")
    (box.tree / "lost").write_bytes(b"back")
    last = box.backup().told.snapshot
    assert last
    told = Looked(box, "--find", "t/edited", "--json").document
    assert [(row["first"], row["last"], row["bytes"]) for row in told["rows"]] == [
        (first, first, 18), (second, second, 5), (last.id, last.id, 5)
    ]  # fmt: skip
    assert told["rows"][-1]["sha256"] == disk(box.tree)["edited"]
    assert told["rows"][-1]["mtime_ns"] == str((box.tree / "edited").stat().st_mtime_ns)
    (same,) = Looked(box, "--find", "/t/same", "--json").document["rows"]
    assert (same["first"], same["last"], same["snapshots"]) == (first, last.id, 3), "equal content is one run"
    lost = Looked(box, "--find", "lost", "--json").document["rows"]
    assert [(row["kind"], row["first"]) for row in lost] == [("file", first), ("", second), ("file", last.id)]
    every = Looked(box, "--find", "*", "--json").document
    assert every["paths"] == 9 and not every["more"]
    table = Looked(box, "--find", "lost").out
    assert len(table.splitlines()) == 6 and "absent" in table
    wrong = Looked(box, "--find", "!")
    assert (wrong.code, wrong.told.problem_counts) == (2, {"setting.malformed": 1})


@pytest.mark.parametrize(
    "arguments",
    [
        ("--find", "x", "--snapshot", "latest"), ("--find", "x", "--against", "latest"),
        ("--all-sources", "--find", "x"), ("--all-sources", "--snapshot", "latest"),
    ],
)  # fmt: skip
def test_two_views_at_once_are_refused_before_anything_is_asked(box: Box, arguments: tuple[str, ...]) -> None:
    looked = Looked(box, *arguments)
    assert (looked.code, looked.told.problem_counts) == (2, {"setting.contradiction": 1})
    assert "used without" in looked.err and sum(box.counts().values()) == 0


def test_on_a_runner_stdout_is_for_commands_and_the_summary_has_it_all(box: Box) -> None:
    _, second = two_nights(box)
    summary = box.folder / "summary.md"
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "RUNNER_TEMP": str(box.folder)}
    for arguments in (("--json",), ("--find", "*")):
        summary.unlink(missing_ok=True)
        done = subprocess.run(
            [*PROGRAM, "snapshots", "--prefix", "p", "--source", "story", "--language", "en", *arguments],
            cwd=box.folder, env=box.environment | environ, capture_output=True, text=True, timeout=TIMEOUT,
        )  # fmt: skip
        assert done.returncode == 0
        assert all(line.startswith("::") for line in done.stdout.splitlines()), done.stdout
        assert "### Snapshots" in summary.read_text() and second in summary.read_text()
    (file,) = sorted(box.folder.glob("oss-backup/report-*.json"), key=os.path.getmtime)[-1:]
    told = report.decode(file.read_bytes()).listing
    assert isinstance(told, Found) and told.paths == 9 and len(told.rows) == told.total


def test_a_reader_that_has_seen_enough_is_no_failure(box: Box) -> None:
    for one, data in chain(1, tag("story")):
        put(box, one.id, data)
    many = [entry(f"t/{number:05}", sha256="11" * 32, size=1) for number in range(9000)]
    one, data = snapshot("20261120T000000Z-" + tag("story") + "0000", None, many)
    put(box, one.id, data)
    command = [*PROGRAM, "snapshots", "--prefix", "p", "--source", "story", "--snapshot", "latest", "--json"]
    with subprocess.Popen(
        command, cwd=box.folder, env=box.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stdout and process.stderr
        assert process.stdout.readline().startswith('{"view":"show"')
        process.stdout.close()
        text = process.stderr.read()
        assert process.wait(TIMEOUT) == 0, text
    assert "Broken" not in text and "stdout" not in text
    assert Looked(box, "--snapshot", "latest", "--json").document["total"] == 9000


def test_no_secret_is_printed(box: Box) -> None:
    secret = "s3cr3t-of-the-robot"
    (box.tree / secret).write_bytes(b"x")
    assert box.backup().code == 0
    assert secret in Looked(box, "--find", "*").out, "a name like any other, but"
    for arguments in (("--find", "*"), ("--find", "*", "--json"), ("--snapshot", "latest", "--json")):
        looked = Looked(box, *arguments, OSS_BACKUP_DINGTALK_SECRET=secret)
        assert looked.code == 0 and "***" in looked.out and secret not in looked.out + looked.err
