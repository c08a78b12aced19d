"""Stories of a backup that is stopped: by a person, by the system, by what it may not read."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from box import RECORD, Box, Ended, uploads, wanted

from backup_action.sandbox.serve import Sandbox

GONE = 10.0  # seconds; the promise is five, and GitHub kills what is still there after ten
BACKUP = ("backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A box with a sandbox of its own: a stand-in goes on with what it stalled, when the client is long gone."""
    with Sandbox() as sandbox:
        yield Box(sandbox, tmp_path)


def write(tree: Path, name: str, data: bytes) -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


def stopped(box: Box, process: subprocess.Popen[str], number: signal.Signals) -> Ended:
    """Sends a signal, and gives how the process ended; it must end soon."""
    process.send_signal(number)
    try:
        process.wait(GONE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError(f"still there {GONE:.0f} s after {number.name}") from None
    finally:
        box.post("faults", [])  # or the bucket could not be looked at
    return box.end(process)


def assert_interrupted(box: Box, ended: Ended, number: signal.Signals, snapshots: int = 0) -> None:
    assert ended.code == 128 + number, ended.text
    assert ended.told.status == "interrupted" and ended.told.exit_code == ended.code
    assert ended.told.problem_counts["interrupted"] == 1 and number.name in ended.text
    assert "Traceback" not in ended.text
    assert ended.told.snapshot is None and len(box.snapshots()) == snapshots, "never commits"


def assert_converges(box: Box, snapshots: int = 1) -> Ended:
    """The next run ends well, with everything in the bucket, and sends nothing that was there."""
    box.post("faults", [])
    box.post("settings", {"latency": 0})
    ended = box.backup()
    assert ended.code == 0, ended.text
    assert box.objects() == wanted(box) and len(box.snapshots()) == snapshots
    return ended


def stall(request: str, seconds: float = 25, **more: Any) -> dict[str, Any]:
    return {"kind": "stall", "request": request, "seconds": seconds, "count": -1, **more}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_small_files_are_sent(box: Box, number: signal.Signals) -> None:
    for at in range(1500):
        write(box.tree, f"{at % 10}/{at}", str(at).encode())
    box.post("settings", {"latency": 0.05})
    process = box.start(*BACKUP, "--concurrency", "8")
    until(lambda: box.sent() >= 20)
    assert_interrupted(box, stopped(box, process, number), number)
    assert box.sent() < 1500, "it was stopped on its way"
    [message] = box.messages()
    assert message["title"] and "❌" in message["text"], "DingTalk hears of it"
    assert_converges(box)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_stopped_while_parts_are_sent(box: Box, number: signal.Signals) -> None:
    write(box.tree, "huge", os.urandom(80 << 20))
    box.post("settings", {"latency": 0.3})
    process = box.start(*BACKUP)
    until(lambda: box.sent("oss.part") >= 2)
    assert_interrupted(box, stopped(box, process, number), number)
    assert box.sent("oss.complete") == 0
    assert uploads(box) == [], "its own upload is aborted"
    assert_converges(box)


def test_stopped_while_a_multipart_upload_begins(box: Box) -> None:
    """OSS goes on with what it was asked, so an upload may begin after the signal; it must not stay."""
    write(box.tree, "large", os.urandom(9 << 20))
    box.post("faults", [stall("initiate", 1)])
    process = box.start(*BACKUP)
    until(lambda: box.sent("oss.list") >= 2)
    time.sleep(0.7)
    ended = stopped(box, process, signal.SIGTERM)
    assert_interrupted(box, ended, signal.SIGTERM)
    until(lambda: box.sent("oss.initiate") == 1)
    assert uploads(box) == []


AWAY = {"kind": "status", "status": 503, "code": "ServiceUnavailable", "count": -1}
SILENT: dict[str, tuple[dict[str, Any], str]] = {  # the fault, and what was asked for before it strikes
    "GitHub": (stall("token", service="github"), ""),
    "STS": (stall("*", service="sts"), "github.token"),
    "a listing": (stall("list"), "sts.AssumeRoleWithOIDC"),
    "a PUT": (stall("put"), "oss.list"),
    "the begin of an upload": (stall("initiate"), "oss.put"),
    "a part": (stall("part"), "oss.initiate"),
    "a completion": (stall("complete"), "oss.part"),
    "the snapshot": (stall("put", key="*.jsonl.zst"), "oss.complete"),
    "STS is away": ({**AWAY, "service": "sts"}, "github.token"),
    "OSS is away": (AWAY, "github.token"),
    "OSS resets": ({"kind": "reset", "request": "put", "count": -1}, "oss.put"),
}
QUICK = ("STS", "a PUT", "a part", "a completion", "OSS is away")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SILENT]
)
def test_stopped_while_a_neighbour_does_not_answer(box: Box, name: str) -> None:
    fault, after = SILENT[name]
    write(box.tree, "small", b"1")
    write(box.tree, "large", os.urandom(9 << 20))
    box.post("faults", [fault])
    process = box.start(*BACKUP)
    if after:
        until(lambda: box.sent(after) >= 1)
    time.sleep(1)  # nothing counts a request that is under way
    assert_interrupted(box, stopped(box, process, signal.SIGTERM), signal.SIGTERM)


def test_stopped_while_the_abort_does_not_answer(box: Box) -> None:
    write(box.tree, "large", os.urandom(9 << 20))
    box.post("faults", [stall("part"), stall("abort")])
    process = box.start(*BACKUP)
    until(lambda: box.sent("oss.initiate") >= 1)
    time.sleep(0.3)
    assert_interrupted(box, stopped(box, process, signal.SIGINT), signal.SIGINT)


def test_stopped_twice_is_stopped_once(box: Box) -> None:
    """GitHub sends SIGINT, and after 7.5 s SIGTERM; an impatient person presses Ctrl-C again at once."""
    write(box.tree, "small", b"1")
    box.post("faults", [stall("put"), stall("*", service="dingtalk")])
    process = box.start(*BACKUP)
    until(lambda: box.sent("oss.list") >= 2)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.7)  # DingTalk is being told
    assert_interrupted(box, stopped(box, process, signal.SIGTERM), signal.SIGINT)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_stopped_while_it_tells_of_a_good_run(box: Box, number: signal.Signals) -> None:
    """The snapshot stands: what was left to do was to tell of it, and that is told as not done."""
    write(box.tree, "small", b"1")
    box.post("faults", [stall("*", service="dingtalk")])
    outputs = box.folder / "outputs"
    outputs.touch()
    process = box.start(*BACKUP, GITHUB_OUTPUT=str(outputs))
    until(lambda: box.sent("oss.head") >= 1)
    time.sleep(0.7)
    ended = stopped(box, process, number)
    assert ended.code == 0 and ended.told.status == "ok", ended.text
    assert "Traceback" not in ended.text and ended.told.snapshot is not None
    assert ended.told.problem_counts == {"notify.failed": 1}
    assert ended.told.snapshot.id in outputs.read_text(), "the other tellings are not lost"
    assert len(box.snapshots()) == 1


def test_the_outputs_and_the_summary_tell_of_the_stop(box: Box) -> None:
    write(box.tree, "small", b"1")
    outputs, summary = box.folder / "outputs", box.folder / "summary"
    outputs.touch()
    summary.touch()
    box.post("faults", [stall("put")])
    process = box.start(*BACKUP, GITHUB_OUTPUT=str(outputs), GITHUB_STEP_SUMMARY=str(summary))
    until(lambda: box.sent("oss.list") >= 2)
    time.sleep(0.5)
    stopped(box, process, signal.SIGTERM)
    told = outputs.read_text()
    assert "interrupted" in told and "\n143\n" in told and "SIGTERM" in summary.read_text()


def test_an_unreadable_file_and_folder_keep_their_entries_and_the_rest_goes_on(ordinary: Box) -> None:
    box = ordinary
    for name in ("open", "shut/inner", "shut/deep/inner", "secret", "zz"):
        write(box.tree, name, name.encode())
    first = box.backup()
    assert first.code == 0, first.text
    write(box.tree, "secret", b"newer")
    write(box.tree, "open", b"newer too")
    write(box.tree, "fresh", b"never read")
    (box.tree / "secret").chmod(0)
    (box.tree / "fresh").chmod(0)
    (box.tree / "shut").chmod(0)
    ended = box.backup()
    assert (ended.code, ended.told.status) == (3, "incomplete"), ended.text
    assert ended.told.problem_counts == {"file.unreadable": 3}
    for name in ("tree/secret", "tree/fresh", "tree/shut"):
        assert name in ended.text
    assert ended.told.counts.files_uploaded == 1 and ended.told.counts.files_removed == 0
    entries = {entry["path"]: entry for entry in box.snapshots()[-1][1:-1]}
    stale = {path for path, entry in entries.items() if entry.get("stale")}
    assert {"t/secret", "t/shut/inner", "t/shut/deep/inner"} <= stale
    assert not stale & {"t/open", "t/zz"} and "t/fresh" not in entries
    assert box.client().get_object("p/t/secret").read() == b"secret", "the old content stays"
    assert not box.snapshots()[-1][-1]["foot"]["complete"]
    again = box.backup()
    assert again.code == 3 and len(entries) == len(box.snapshots()[-1]) - 2, "stale entries are carried on and on"
    for path in (box.tree / "shut", box.tree / "secret", box.tree / "fresh"):
        path.chmod(0o755)
    healed = assert_converges(box, snapshots=4)
    assert healed.told.counts.files_uploaded == 2
    assert not any(entry.get("stale") for entry in box.snapshots()[-1][1:-1])


def test_a_path_that_cannot_be_entered_is_refused(ordinary: Box) -> None:
    write(ordinary.tree, "a", b"1")
    ordinary.tree.chmod(0)
    ended = ordinary.backup()
    assert (ended.code, ended.told.status) == (8, "refused") and ended.told.problem_counts == {"source.unreadable": 1}
    assert ordinary.sent() == RECORD and not any(ordinary.sent(f"oss.{kind}") for kind in ("initiate", "part"))


def test_an_unreadable_file_whose_object_is_gone_is_told_as_lost(ordinary: Box) -> None:
    for name in ("a", "b"):
        write(ordinary.tree, name, name.encode())
    assert ordinary.backup().code == 0
    ordinary.client().delete_object("p/t/a")
    write(ordinary.tree, "a", b"new")
    (ordinary.tree / "a").chmod(0)
    ended = ordinary.backup()
    assert ended.code == 3 and set(ended.told.problem_counts) >= {"file.unreadable"}
    entries = {entry["path"] for entry in ordinary.snapshots()[-1][1:-1]}
    assert "t/a" not in entries, "a snapshot names nothing that is not there"


def test_a_report_that_cannot_be_written_is_a_warning(box: Box) -> None:
    write(box.tree, "a", b"1")
    (box.folder / "file").write_text("a file where a folder is wanted")
    ended = box.backup(XDG_STATE_HOME=str(box.folder / "file"))
    assert ended.code == 0 and ended.report is None and "report" in ended.text.lower()
    assert len(box.snapshots()) == 1


def test_the_report_of_a_stop_is_a_whole_one(box: Box) -> None:
    write(box.tree, "small", b"1")
    box.post("faults", [stall("put")])
    process = box.start(*BACKUP)
    until(lambda: box.sent("oss.list") >= 2)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=GONE)
    told = json.loads((box.state / "oss-backup/report.json").read_bytes())
    assert told["exit_code"] == 130 and told["counts"]["files_uploaded"] == 0 and told["requests"] >= 2
    assert [problem["facts"]["signal"] for problem in told["problems"]] == ["SIGINT"]
