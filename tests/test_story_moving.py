"""Stories of files that do not hold still: what changes while it is read is told by its path, the rest is saved, and no
snapshot ever names what is half old, half new.
"""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from box import Box, Ended, disk, uploads, wanted

from backup_action.core import wording
from backup_action.core.problem import Problem

SIZES = {"small": 100_000, "large": (9 << 20) + 5}
NOW = ("nothing", "a folder", "a link", "a fifo")
QUICK = [("small", "nothing"), ("small", "a folder"), ("large", "a fifo")]
SLOW = [(size, now) for size in SIZES for now in NOW if (size, now) not in QUICK]
RUN = ("backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en")


@pytest.fixture
def moving(box: Box) -> Box:
    """A box with files that rest, and room for one that does not."""
    for name in ("a", "d/b", "z"):
        (box.tree / name).parent.mkdir(exist_ok=True)
        (box.tree / name).write_bytes(name.encode())
    (box.folder / "secret").write_bytes(b"secret")
    return box


def until(done: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def become(path: Path, now: str) -> None:
    """Puts something else where a file was."""
    path.unlink()
    if now == "a folder":
        path.mkdir()
        (path / "within").write_bytes(b"new")
    elif now == "a link":
        path.symlink_to("../secret")
    elif now == "a fifo":
        os.mkfifo(path)


def assert_told(box: Box, ended: Ended, kind: str, name: str = "x") -> None:
    """The run says which file is not in it; everything else is in the bucket, and in a snapshot that says so."""
    assert (ended.code, ended.told.status) == (3, "incomplete"), ended.text
    assert ended.told.problem_counts == {kind: 1} and ended.told.counts.files_failed == 1
    [problem] = ended.told.problems
    assert problem.where == f"tree/{name}" and f"tree/{name}" in ended.text
    assert_words(problem)
    rest = {key: digest for key, digest in wanted(box).items() if not key.startswith(f"t/{name}")}
    assert box.objects() == rest and uploads(box) == []
    [snapshot] = box.snapshots()
    entries = {entry["path"]: entry.get("sha256") for entry in snapshot[1:-1] if entry["kind"] == "file"}
    assert entries == rest and not snapshot[-1]["foot"]["complete"]


def assert_words(problem: Problem) -> None:
    words = {"file.vanished": ("removed or replaced", "被删除或被替换"), "file.changing": ("changed", "一直在变化")}
    english, chinese = (wording.sentence(problem, language) for language in ("en", "zh"))
    assert words[problem.kind][0] in english.what and words[problem.kind][1] in chinese.what
    assert "`exclude`" in english.advice and "`exclude`" in chinese.advice and problem.where in chinese.what


@pytest.mark.parametrize(("size", "now"), QUICK + [pytest.param(*one, marks=pytest.mark.slow) for one in SLOW])
def test_a_file_that_became_something_else_before_it_was_read(moving: Box, size: str, now: str) -> None:
    path = moving.tree / "x"
    path.write_bytes(os.urandom(SIZES[size]))
    time.sleep(2.1)  # one changed later than that is looked at twice
    moving.post("faults", [{"kind": "stall", "request": "list", "seconds": 2.5}])
    process = moving.start(*RUN)
    until(lambda: moving.sent("sts.AssumeRoleWithOIDC"))
    time.sleep(1)  # the scan is done, and the listing is waited for
    become(path, now)
    assert_told(moving, moving.end(process), "file.vanished")
    assert moving.sent("oss.complete") == 0


@pytest.mark.parametrize(
    "now",
    ["nothing", "a link", *(pytest.param(now, marks=pytest.mark.slow) for now in ("a folder", "a fifo"))],
)
def test_a_large_file_that_became_something_else_while_it_was_sent(moving: Box, now: str) -> None:
    path = moving.tree / "x"
    path.write_bytes(os.urandom(SIZES["large"]))
    moving.post("faults", [{"kind": "stall", "request": "part", "seconds": 2.0, "count": 2}])
    process = moving.start(*RUN)
    until(lambda: moving.sent("oss.initiate"))
    become(path, now)
    assert_told(moving, moving.end(process), "file.vanished")


def writes(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(os.urandom(1000))


def grows(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrinks(path: Path) -> None:
    os.truncate(path, os.path.getsize(path) - 1)


@pytest.mark.parametrize("change", [writes, grows, shrinks])
def test_a_large_file_that_never_holds_still(moving: Box, change: Callable[[Path], None]) -> None:
    path = moving.tree / "x"
    path.write_bytes(os.urandom(SIZES["large"]))
    moving.post("faults", [{"kind": "stall", "request": "part", "seconds": 0.5, "count": -1}])
    process = moving.start(*RUN)
    while process.poll() is None:
        change(path)
        time.sleep(0.02)
    assert_told(moving, moving.end(process), "file.changing")
    moving.post("faults", [])
    again = moving.backup()
    assert again.code == 0 and moving.objects() == wanted(moving)


def test_a_large_file_that_is_replaced_by_another_while_it_is_sent_is_the_new_one(moving: Box) -> None:
    path = moving.tree / "x"
    path.write_bytes(os.urandom(SIZES["large"]))
    moving.post("faults", [{"kind": "stall", "request": "part", "seconds": 2.0, "count": 2}])
    process = moving.start(*RUN)
    until(lambda: moving.sent("oss.initiate"))
    (moving.folder / "new").write_bytes(os.urandom(SIZES["large"] - 3))
    (moving.folder / "new").rename(path)
    ended = moving.end(process)
    assert ended.code == 0, ended.text
    assert moving.objects() == wanted(moving) and uploads(moving) == []


WRITER = """
import os, sys, time
path, mode = sys.argv[1:]
end, handle, turn = time.monotonic() + 60, os.open(path, os.O_RDWR), 0
print("ready", flush=True)
while time.monotonic() < end and os.path.exists(path):
    turn += 1
    if mode == "writes":
        for at in range(0, 6_000_000, 100_000):
            os.pwrite(handle, (b"1", b"2")[turn % 2] * 100_000, at)
    else:
        os.ftruncate(handle, 4_000_000 + turn % 40 * 50_000)
"""


@pytest.fixture(params=["writes", "grows and shrinks"])
def restless(request: pytest.FixtureRequest, moving: Box) -> Iterator[Box]:
    """The box while another process does something to a file of a few MB without a pause."""
    path = moving.tree / "x"
    path.write_bytes(b"1" * 6_000_000)
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path), request.param], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stdout.readline()
        yield moving
        path.unlink(missing_ok=True)


def test_a_small_file_that_never_holds_still_is_told_or_taken_at_one_moment(restless: Box) -> None:
    """At each moment the content is new up to some place and old behind it, with nothing or zeros at its end."""
    client = restless.client()
    for _ in range(10):
        restless.post("reset", {})
        ended = restless.backup()
        rest = {f"t/{name}": digest for name, digest in disk(restless.tree).items() if name != "x"}
        [snapshot] = restless.snapshots()
        named = {e["path"]: e["sha256"] for e in snapshot[1:-1] if e["kind"] == "file"}
        assert restless.objects() == named and rest.items() <= named.items(), "what is named is there, and the rest is"
        if ended.code == 3:
            [problem] = ended.told.problems
            assert (problem.kind, problem.where) == ("file.changing", "tree/x") and "t/x" not in named
            assert "tree/x" in ended.text and ended.told.counts.files_failed == 1
            assert_words(problem)
            return
        data = client.get_object("p/t/x").read()
        assert hashlib.sha256(data).hexdigest() == named["t/x"]
        runs = [data[at] for at in range(len(data)) if at == 0 or data[at] != data[at - 1]]
        assert len(runs) <= 3, runs[:9]
    pytest.fail("the writer was never noticed")
