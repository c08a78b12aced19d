"""Stories of what people see: while a backup runs, on a terminal and in a log; and afterwards, of the runs before."""

import os
import re
import signal
import subprocess
import sys
from typing import Any

import pytest
from box import PROGRAM, TIMEOUT, Box
from terminal import opened, read, screen

BACKUP = ("backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--concurrency", "8", "--language")
DRAWN = "\r\x1b[?25l"
SHORT = """
import sys
from backup_action.adapters import progress
from backup_action.__main__ import run
progress.LOG = 0.1
sys.exit(run())
"""


def fill(box: Box, files: int) -> None:
    for at in range(files):
        (box.tree / f"{at}.csv").write_bytes(os.urandom(1024))


def start(box: Box, program: int, language: str, **environ: str) -> subprocess.Popen[str]:
    """The program with a terminal as its stderr, and stdout apart."""
    return subprocess.Popen(
        [*PROGRAM, *BACKUP, language], cwd=box.folder, env=box.environment | {"TERM": "xterm"} | environ, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=program, start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("language", "phases", "last"),
    [
        (
            "en",
            [
                "Looking at the files, and at what the bucket has.",
                "120 files found (120.0 KiB); sending what is new or",
            ],
            "[####################]  120 of 120 files, 120.0 KiB of 120.0 KiB, ",
        ),
        (
            "zh",
            ["正在扫描文件，并读取存储空间的列表。", "找到 120 个文件（120.0 KiB），正在上传"],
            "[####################]  120/120 个文件，120.0 KiB/120.0 KiB，",
        ),
    ],
)
def test_on_a_terminal_a_line_is_drawn_anew_and_the_end_is_clean(
    box: Box, language: str, phases: list[str], last: str
) -> None:
    fill(box, 120)
    box.post("settings", {"latency": 0.1})
    with opened(120) as (person, program):
        process = start(box, program, language, GITHUB_ACTIONS="")
        os.close(program)
        text = read(person)
        assert (process.wait(TIMEOUT), process.communicate()[0]) == (0, ""), "stdout is for others"
    assert text.count(DRAWN) > 2
    looks = [int(number.replace(",", "")) for number in re.findall(r"(\d+)(?:/| of )120 (?:files|个文件)", text)]
    assert looks == sorted(looks) and len(set(looks)) > 2 and looks[-1] == 120
    lines = screen(text)
    assert [line.startswith(start) for line, start in zip(lines, [*phases, last], strict=False)] == [True] * 3
    assert lines[4].startswith("OSS ") and not [line for line in lines if "\x1b" in line]
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_a_signal_leaves_a_clean_line_and_the_cursor(box: Box) -> None:
    fill(box, 400)
    box.post("settings", {"latency": 0.2})
    with opened(100) as (person, program):
        process = start(box, program, "en")
        os.close(program)
        text = read(person, lambda text: text.count(DRAWN) > 2)
        process.send_signal(signal.SIGINT)
        text += read(person)
        assert process.wait(TIMEOUT) == 130
        process.communicate()
    lines = screen(text)
    assert lines[2].split(",")[0].endswith(" of 400 files") and lines[3] == "OSS Backup: interrupted"
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_a_terminal_that_is_closed_meanwhile_stops_nothing(box: Box) -> None:
    fill(box, 60)
    box.post("settings", {"latency": 0.2})
    with opened(80) as (person, program):
        process = start(box, program, "en")
        os.close(program)
        read(person, lambda text: DRAWN in text)
        os.close(person)
        assert process.wait(TIMEOUT) == 0
        process.communicate()
    box.post("settings", {"latency": 0})
    assert len(box.objects()) == 60 and len(box.snapshots()) == 1


def in_a_log(box: Box, *more: str) -> str:
    """stderr of a run that has a line every tenth of a second."""
    command = [sys.executable, "-I", "-c", SHORT, *BACKUP, "en", *more]
    done = subprocess.run(command, cwd=box.folder, env=box.environment, capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return done.stderr


def test_in_a_log_there_is_a_plain_line_now_and_then(box: Box) -> None:
    (box.tree / "\x1b[31m\n::error::x").write_bytes(b"x")
    fill(box, 99)
    box.post("settings", {"latency": 0.1})
    text = in_a_log(box)
    assert text.replace("\n", "").isprintable()
    lines = text.splitlines()
    assert lines[0].startswith("Looking at the files") and lines[1].startswith("100 files found (99.0 KiB); sending")
    told = lines[2 : lines.index("Storing the snapshot.")]
    assert len(told) > 2
    for line in told:
        assert re.fullmatch(
            r"\d+ of 100 files, \S+ K?i?B of 99.0 KiB(, \S+ [KM]?i?B/s)?(, about [\d a-z]+ left)?", line
        )
    assert lines[lines.index("Storing the snapshot.") + 1] == "OSS Backup: succeeded"
    dry = in_a_log(box, "--dry-run")
    assert "100 files found (99.0 KiB); comparing, and writing nothing." in dry and "Storing" not in dry


def test_by_itself_a_short_run_has_a_line_for_each_phase_and_no_more(box: Box) -> None:
    fill(box, 2)
    lines = box.backup().text.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["Looking", "2", "Storing", "OSS"]


def bars(summary: str) -> list[list[float]]:
    return [[float(bar) for bar in found.split(",")] for found in re.findall(r"^    bar \[(.*)\]$", summary, re.M)]


def row(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What the next heads must say of a snapshot, by its own lines."""
    names = ("seconds", "files", "bytes", "files_sent", "bytes_sent", "complete")
    return {"id": lines[0]["head"]["id"]} | {name: lines[-1]["foot"][name] for name in names}


def summary(box: Box, **environ: str) -> str:
    path = box.folder / "summary"
    path.write_text("")
    ended = box.backup(GITHUB_STEP_SUMMARY=str(path), **environ)
    assert ended.code == 0, ended.text
    return path.read_text()


@pytest.mark.parametrize("versioned", [False, True])
def test_three_runs_are_three_bars_with_the_numbers_of_their_snapshots(box: Box, versioned: bool) -> None:
    bucket = box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET" if versioned else "OSS_BACKUP_BUCKET"]
    texts = []
    for number in range(3):
        (box.tree / f"{number}").write_bytes(os.urandom((number + 1) * 300_000))
        texts.append(summary(box, OSS_BACKUP_BUCKET=bucket))
    found = box.snapshots(bucket)
    rows = [row(lines) for lines in found]
    assert [lines[0]["head"].get("recent", []) for lines in found] == [rows[:0], rows[:1], rows[:2]]
    assert [(one["files"], one["files_sent"], one["bytes_sent"]) for one in rows] == [
        (1, 1, 300_000), (2, 1, 600_000), (3, 1, 900_000),
    ]  # fmt: skip
    assert all(0 < one["seconds"] < TIMEOUT and one["complete"] for one in rows)
    assert bars(texts[0]) == [], "one run is no chart"
    assert [len(some) for some in bars(texts[1])] == [2, 2]
    seconds, sent = bars(texts[2])
    assert seconds == [one["seconds"] for one in rows]
    assert sent == [round(one["bytes_sent"] / 1024, 1) for one in rows]
    since = f"{rows[0]['id'][:4]}-{rows[0]['id'][4:6]}-{rows[0]['id'][6:8]}"
    assert f"- 3 snapshots of this source since {since} " in texts[2]
    assert ("as versions of the objects" in texts[2], "`.oss-backup/history/`" in texts[2]) == (
        versioned,
        not versioned,
    )


def test_a_run_that_commits_nothing_tells_of_those_before_it(box: Box) -> None:
    fill(box, 1)
    first = box.backup()
    box.tree.joinpath("x").write_bytes(b"x")
    dry = box.backup("--dry-run")
    second = box.backup("--history", "none")
    assert first.told.kept and dry.told.kept and second.told.kept
    assert (first.told.kept.snapshots, dry.told.kept.snapshots, second.told.kept.snapshots) == (1, 1, 2)
    assert first.told.recent == dry.told.recent == second.told.recent[:1]
    assert [run.id for run in second.told.recent] == [lines[0]["head"]["id"] for lines in box.snapshots()]
    assert second.told.target.history == "none"


def test_other_sources_are_not_counted(box: Box) -> None:
    fill(box, 1)
    other = ("backup", "--path", "tree => other", "--prefix", "p", "--source", "another", "--language", "en")
    assert box.run(*other).code == 0
    ended = box.backup()
    assert ended.told.kept and ended.told.kept.snapshots == 1 and len(ended.told.recent) == 1
    assert ended.told.snapshot and ended.told.kept.oldest == ended.told.snapshot.id


def test_dingtalk_hears_of_the_history_in_one_line(box: Box) -> None:
    fill(box, 1)
    assert box.backup().code == 0
    [message] = box.messages()
    assert re.search(r"^- History: 1 snapshot of this source since 20[0-9: -]+ UTC$", message["text"], re.M)
