"""The runner around the measurement: its sets, its tools, what it does where something is missing."""

import hashlib
import subprocess
import sys
from pathlib import Path

import measure
import pytest
import run
import server
import sets
import tools


def digest(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", sets.NAMES)
def test_a_set_is_the_same_at_every_call(name: str, tmp_path: Path) -> None:
    sets.make(tmp_path / "one", name, 0.01)
    subprocess.run([sys.executable, sets.__file__, str(tmp_path / "two"), name, "0.01"], check=True)
    assert digest(tmp_path / "one") == digest(tmp_path / "two") != {}


@pytest.mark.parametrize(
    ("name", "scale", "count", "mean"),
    [("small", 0.1, 1000, 4_200), ("mixed", 0.04, 60, 775_000), ("append", 0.05, 10, 2_000_000)],
)
def test_a_set_has_the_shape_that_is_told(name: str, scale: float, count: int, mean: int, tmp_path: Path) -> None:
    sets.make(tmp_path / name, name, scale)
    told = sets.sizes(tmp_path / name)
    assert len(told) == count
    assert abs(sum(told.values()) / count - mean) < mean / 5


def test_what_grows_is_every_tenth_file_by_one_percent_and_shrinks_back(tmp_path: Path) -> None:
    sets.make(tmp_path / "append", "append", 0.1)
    before, whole = sets.sizes(tmp_path / "append"), digest(tmp_path / "append")
    sets.grow(tmp_path / "append")
    grown = {path: size - before[path] for path, size in sets.sizes(tmp_path / "append").items()}
    assert [number for number, size in enumerate(grown.values()) if size] == [0, 10]
    assert all(abs(size - 20_000) < 500 for size in grown.values() if size)
    sets.shrink(before)
    assert digest(tmp_path / "append") == whole


def test_what_is_not_restored_is_counted_wherever_the_tool_put_the_tree(tmp_path: Path) -> None:
    source = tmp_path / "tree"
    sets.make(source, "small", 0.0005)
    assert measure.differences(source, tmp_path / "nothing") == 5
    deep = tmp_path / "restored" / "some" / "where" / "tree"
    sets.make(deep, "small", 0.0005)
    assert measure.differences(source, tmp_path / "restored") == 0
    first, second, *_ = sets.sizes(deep)
    first.unlink()
    second.write_bytes(b"x" * second.stat().st_size)
    assert measure.differences(source, tmp_path / "restored") == 2


def test_a_peer_that_is_not_there_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    chosen, absent = run.choose(["ours-tree", "rclone", "restic"], {"restic": "/somewhere/restic"})
    assert [(tool.name, tool.is_ours) for tool in chosen] == [("ours-tree", True), ("restic", False)]
    assert absent == ["rclone"] and chosen[1].words(chosen[1].version, {})[0] == "/somewhere/restic"


def test_behind_a_script_the_program_itself_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script, behind = tmp_path / "bin/s5cmd", tmp_path / "lib/python3.11/site-packages/s5cmd/bin/s5cmd"
    for path, content in ((script, b"#!/bin/sh\n"), (behind, b"\x7fELF")):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent))
    assert tools.program_of("s5cmd") == str(behind)
    behind.unlink()
    assert tools.program_of("s5cmd") == str(script)
    assert tools.program_of("rclone") == ""


def test_without_rustc_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run.main(["--work", str(tmp_path), "--out", str(tmp_path / "results.json")]) == 2
    said = capfd.readouterr().err
    assert "rustc is needed" in said and "rclone is not on PATH and is left out" in said
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--sets", "tiny"],
        ["--phases", "fresh,later"],
        ["--tools", "tar"],
        ["--runs", "0"],
        ["--scale", "2"],
        ["--sets", "small@soon"],
        ["--sets", "small@"],
        ["--peer", "rclone"],
        ["--peer", "tar=/bin/tar"],
    ],
)
def test_what_it_does_not_know_is_refused(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run.parse(words)
    assert caught.value.code == 2 and words[0] in capfd.readouterr().err


def test_a_set_may_have_a_latency() -> None:
    assert run.parse(["--sets", "small@20,big"]).sets == ["small@20", "big"]


def test_a_process_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    class Silent(server.Server):
        def counters(self) -> dict[str, int]:
            return {}

    code = "import sys; print('why'); sys.exit(3)"
    told = measure.measured([sys.executable, "-I", "-c", code], {}, Silent(""), tmp_path)
    assert told.failure.startswith("exit status 3") and told.failure.endswith("why")
    assert told.cpu > 0 and told.requests == {}
