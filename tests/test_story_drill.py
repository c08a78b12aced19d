"""Stories of a drill: a sample comes back by the code that restores, is proven and opened, and leaves no trace."""

import gzip
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from box import Box, Ended
from test_story_action import act
from test_story_vault import SECRET, VAULT, keys, vault

from backup_action.core.drill import Drilled


def drill(box: Box, *arguments: str, **environ: str) -> Ended:
    return box.run("drill", "--prefix", "p", "--source", "story", "--language", "en", *arguments, **environ)


def told(ended: Ended) -> Drilled:
    assert ended.told.drill is not None, ended.text
    return ended.told.drill


def left(folder: Path) -> list[str]:
    """Paths below a folder that a drill may have left."""
    return [str(path) for path in folder.rglob("*drill*")]


def lay(box: Box, **files: bytes) -> None:
    for name, data in files.items():
        (box.tree / name).write_bytes(data)
    ended = box.backup("--max-shrink", "100", "--max-change", "100")
    assert ended.code == 0, ended.text


def test_a_small_snapshot_comes_back_whole_and_its_formats_open(box: Box) -> None:
    (box.tree / "d").mkdir()
    (box.tree / "d/中文.csv").write_bytes(b"a,b\n1,2\n")
    (box.tree / "link").symlink_to("d")
    files = {
        "a.csv": b"a,b\n1,2\n3,4\n",
        "odd.csv": b"a\n1,2\n",
        "a.json": b"{}",
        "a.gz": gzip.compress(b"x"),
        "none": b"",
    }
    lay(box, **files, large=os.urandom((9 << 20) + 1))
    (box.folder / "outside").mkdir()
    ended = drill(box, "--target", "outside")
    assert ended.code == 0 and ended.told.verified, ended.text
    found = told(ended)
    assert (found.files, found.snapshot_files, found.bytes) == (7, 7, found.snapshot_bytes)
    assert {line.name: (line.opened, line.even) for line in found.formats} == {
        "CSV": (3, 2), "JSON": (1, 0), "gzip": (1, 0)
    }  # fmt: skip
    assert 0 < found.estimate <= found.seconds + 0.1, "the sample was everything"
    assert os.listdir(box.folder / "outside") == [] and not left(box.folder)
    assert "7 of 7 files restored" in ended.text and "At this pace" in ended.text


def test_a_file_that_does_not_open_is_a_warning_and_a_damaged_one_is_damage(box: Box) -> None:
    lay(box, **{"cut.json": b'{"a": ', "cut.gz": b"\x1f\x8b\x08", "whole.csv": b"a\n1\n"})
    ended = drill(box)
    assert (ended.code, ended.told.problem_counts["drill.format"]) == (0, 2) and ended.told.verified, ended.text
    assert {one.where for one in ended.told.problems if one.kind == "drill.format"} == {"t/cut.json", "t/cut.gz"}
    assert "came back as it was at its backup" in ended.text
    box.client().put_object("p/t/whole.csv", b"x\n1\n")
    box.client().delete_object("p/t/cut.gz")
    ended = drill(box)
    assert (ended.code, ended.told.status) == (6, "damaged") and not ended.told.verified
    kinds = {one.where: one.kind.value for one in ended.told.problems if one.kind != "keys.stored"}
    assert kinds == {"t/whole.csv": "content.altered", "t/cut.gz": "content.missing", "t/cut.json": "drill.format"}
    assert told(ended).files == 1 and not left(box.folder)


def test_the_budget_and_the_patterns_choose_and_a_dry_run_fetches_nothing(box: Box) -> None:
    lay(box, **{f"f{number}": bytes(1000) for number in range(20)}, big=bytes(5000))
    box.sandbox.world.log.clear()
    ended = drill(box, "--drill-bytes", "4KB")
    found = told(ended)
    assert ended.code == 0 and 2 <= found.files <= 4 and found.bytes <= 4000, "how many are in turn depends on the day"
    assert (found.snapshot_files, found.snapshot_bytes) == (21, 25_000)
    gets = [line["key"] for line in box.sandbox.world.log if line.get("request") == "get"]
    assert len([key for key in gets if key.startswith("p/t/")]) == found.files and "p/t/big" not in gets
    assert found.estimate >= found.seconds * 5, "25,000 bytes at the pace of 4,000"
    assert told(drill(box, "--include", "big")).files == 1
    ended = drill(box, "--drill-bytes", "900")
    assert (ended.code, ended.told.problem_counts.get("drill.empty")) == (2, 1) and "`drill-bytes`" in ended.text
    box.sandbox.world.log.clear()
    ended = drill(box, "--dry-run")
    assert ended.code == 0 and ended.told.drill is None and not ended.told.verified
    assert not [line for line in box.sandbox.world.log if str(line.get("key", "")).startswith("p/t/")]


def test_a_signal_ends_it_and_nothing_is_left(box: Box) -> None:
    lay(box, a=b"1", slow=b"2")
    box.post("faults", [{"kind": "stall", "request": "get", "key": "p/t/slow", "seconds": 30, "count": -1}])
    for number in (signal.SIGINT, signal.SIGTERM):
        process = box.start("drill", "--prefix", "p", "--source", "story", "--language", "en")
        end = time.monotonic() + 30
        while not [path for path in left(box.folder) if os.listdir(path)]:
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(number)
        ended = box.end(process)
        assert ended.code == 128 + number and not left(box.folder), ended.text


@pytest.mark.slow
def test_what_a_killed_drill_left_the_next_takes_away_and_no_other(box: Box) -> None:
    lay(box, a=b"1", slow=b"2")
    box.post("faults", [{"kind": "stall", "request": "get", "key": "p/t/slow", "seconds": 30, "count": -1}])
    process = box.start("drill", "--prefix", "p", "--source", "story")
    end = time.monotonic() + 30
    while not [path for path in left(box.folder) if os.listdir(path)]:
        assert time.monotonic() < end
        time.sleep(0.02)
    (alive,) = left(box.folder)
    assert drill(box, "--exclude", "slow").code == 0
    assert left(box.folder) == [alive], "one that is under way is let alone"
    process.kill()
    process.communicate()
    assert left(box.folder) == [alive]
    assert drill(box, "--exclude", "slow").code == 0
    assert left(box.folder) == []


def test_the_action_runs_a_drill_and_gives_its_outputs(box: Box) -> None:
    lay(box, **{"a.csv": b"a\n1\n", "b": b"2"})
    run = act(box, {"command": "drill", "prefix": "p", "source": "story", "language": "en"})
    assert run.outputs["status"] == "ok" and run.outputs["drill-files"] == "2", run.log
    assert run.outputs["files-damaged"] == "0" and run.outputs["restore-estimate-seconds"].isdigit()
    assert "### Restore drill" in run.summary and not left(box.folder)
    report = json.loads(Path(run.outputs["report-path"]).read_text())
    assert report["drill"]["files"] == 2
    shutil.rmtree(box.folder / "temp")


@pytest.mark.parametrize("environ", [pytest.param({}, marks=pytest.mark.slow), SECRET], ids=["plain", "encrypted"])
def test_a_drill_of_the_vault_layout_restores_from_packs(box: Box, environ: dict[str, str]) -> None:
    files = {"a.csv": b"a,b\n1,2\n", "a.json": b"{}", "none": b"", "large": random.Random(1).randbytes((9 << 20) + 1)}
    for name, data in files.items():
        (box.tree / name).write_bytes(data)
    assert vault(box, **environ).code == 0
    box.sandbox.world.log.clear()
    ended = drill(box, *VAULT, **environ)
    assert ended.code == 0 and ended.told.verified, ended.text
    found = told(ended)
    assert (found.files, found.snapshot_files, found.bytes) == (4, 4, found.snapshot_bytes)
    assert {line.name: line.opened for line in found.formats} == {"CSV": 1, "JSON": 1}
    gets = [line["key"] for line in box.sandbox.world.log if line.get("request") == "get"]
    packs = keys(box, "packs/")
    assert packs and set(packs) <= set(gets) and not [key for key in gets if key.startswith("p/t/")]
    box.sandbox.world.log.clear()
    ended = drill(box, *VAULT, "--include", "a.*", "--drill-bytes", "1KB", **environ)
    assert ended.code == 0 and told(ended).files == 2 and told(ended).snapshot_files == 2, ended.text
    asked = [line for line in box.sandbox.world.log if "/packs/" in str(line.get("key", ""))]
    assert len(asked) == 1, "both lie in one frame"
    largest = max(packs, key=lambda key: box.client().head_object(key).content_length)
    box.client().delete_object(largest)
    ended = drill(box, *VAULT, **environ)
    kinds = {one.where: one.kind.value for one in ended.told.problems if one.kind != "keys.stored"}
    assert ended.code == 6 and kinds["t/large"] == "content.missing" and not ended.told.verified, ended.text
    assert not left(box.folder)
