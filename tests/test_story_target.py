"""Stories of a restore whose target, disk, snapshot or end is not as one would wish."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import oss2
import pytest
from box import PROGRAM, Box, disk
from test_story_restore import facts, restore, rewrite

ARGUMENTS = ("restore", "--target", "back", "--prefix", "p", "--source", "story", "--language", "en")


def left(folder: Path) -> list[str]:
    return [name for name in disk(folder) if ".oss-backup-" in name]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_restore_that_a_signal_ends_leaves_no_file_that_has_no_place(box: Box, number: signal.Signals) -> None:
    for name in range(1500):
        (box.tree / str(name)).write_bytes(os.urandom(3000))
    (box.tree / "large").write_bytes(os.urandom(20 << 20))
    assert box.backup().code == 0
    process = box.start(*ARGUMENTS)
    end = time.monotonic() + 30
    while len(left(box.folder / "back")) < 20:
        assert time.monotonic() < end
    process.send_signal(number)
    ended = box.end(process)
    assert (ended.code, ended.told.problem_counts) == (128 + number, {"interrupted": 1}), ended.text
    assert left(box.folder / "back") == []


def test_a_signal_ends_the_comparing_of_a_large_file(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    assert box.backup().code == 0
    rewrite(box, lambda entries: [e | ({"size": 1 << 40} if e["kind"] == "file" else {}) for e in entries])
    (box.folder / "back/t").mkdir(parents=True)
    with open(box.folder / "back/t/a", "wb") as file:
        file.truncate(1 << 40)  # a hole: hours to read
    process = box.start(*ARGUMENTS)
    end = time.monotonic() + 30
    while not any(name.endswith("/t/a") for name in opened(process.pid)):
        assert time.monotonic() < end
    process.terminate()
    assert box.end(process).code == 143


def opened(pid: int) -> list[str]:
    """The files that a process has open now."""
    names = []
    for handle in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            names.append(os.readlink(f"/proc/{pid}/fd/{handle}"))
    return names


def test_a_dry_run_makes_no_folder_and_proves_nothing(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    assert box.backup().code == 0
    ended = restore(box, "--dry-run")
    assert ended.code == 0 and ended.told.counts.files_uploaded == 1 and not ended.told.verified
    assert not (box.folder / "back").exists()


@pytest.mark.parametrize("overwrite", ["never", "if-newer"])
def test_a_file_that_overwrite_spares_does_not_give_way_to_a_folder(box: Box, overwrite: str) -> None:
    (box.tree / "d").mkdir()
    (box.tree / "d/x").write_bytes(b"1")
    assert box.backup().code == 0
    (box.folder / "back/t").mkdir(parents=True)
    (box.folder / "back/t/d").write_bytes(b"mine")
    ended = restore(box, "--overwrite", overwrite)
    assert (ended.code, ended.told.problem_counts) == (3, {"target.unwritable": 2}), ended.text
    assert (box.folder / "back/t/d").read_bytes() == b"mine"
    assert restore(box).code == 0 and facts(box.folder / "back/t") == facts(box.tree)


def test_folders_and_files_that_nobody_may_write_or_read_are_restored_into_again(ordinary: Box) -> None:
    for name in ("closed", "blind"):
        (ordinary.tree / name).mkdir()
        (ordinary.tree / name / "x").write_bytes(b"1")
    (ordinary.tree / "same").write_bytes(b"same")
    (ordinary.tree / "other").write_bytes(b"other")
    (ordinary.tree / "blind/within").mkdir()
    os.chmod(ordinary.tree / "closed", 0o555)
    assert ordinary.backup().code == 0
    modes = {"t/closed": 0o555, "t/blind": 0}
    rewrite(ordinary, lambda entries: [e | ({"mode": modes[e["path"]]} if e["path"] in modes else {}) for e in entries])
    assert restore(ordinary).code == 0
    back = ordinary.folder / "back/t"
    os.chmod(back / "closed", 0o755)
    (back / "closed/x").write_bytes(b"old")
    (back / "other").write_bytes(b"OTHER")
    os.chmod(back / "closed", 0o555)
    for name in ("same", "other"):
        os.chmod(back / name, 0)
    ended = restore(ordinary)
    assert ended.code == 0, ended.text
    for name, mode in modes.items():
        assert stat.S_IMODE((ordinary.folder / "back" / name).stat().st_mode) == mode
    os.chmod(back / "blind", 0o755)
    assert disk(back) == disk(ordinary.tree)


def test_a_part_of_a_snapshot_has_the_folders_that_lead_to_it_as_they_were(box: Box) -> None:
    for name in ("d/e/x", "d/f/y", "g/z"):
        (box.tree / name).parent.mkdir(parents=True, exist_ok=True)
        (box.tree / name).write_bytes(b"1")
    os.chmod(box.tree / "d", 0o750)
    assert box.run("backup", "--path", "tree => over/t", "--prefix", "p", "--source", "story").code == 0
    assert restore(box, "--include", "x").code == 0
    expected = facts(box.tree)
    found = facts(box.folder / "back/over/t")
    assert found == {name: expected[name] for name in ("d", "d/e", "d/e/x")}
    assert (box.folder / "back/over").stat().st_mode == (box.folder / "back").stat().st_mode


def test_an_empty_folder_gives_way_to_a_link_and_a_fifo_to_a_file(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    (box.tree / "l").symlink_to("a")
    assert box.backup().code == 0
    (box.folder / "back/t/l").mkdir(parents=True)
    os.mkfifo(box.folder / "back/t/a")
    ended = restore(box)
    assert ended.code == 0 and facts(box.folder / "back/t") == facts(box.tree), ended.text
    (box.folder / "back/t/l").unlink()
    (box.folder / "back/t/l/full").mkdir(parents=True)
    ended = restore(box)
    assert ended.code == 3 and not ended.told.verified, "a link that is not there is not verified"


def test_a_folder_named_as_our_own_files_stays_and_so_does_a_file_in_it(box: Box) -> None:
    (box.tree / ".oss-backup-0123456789abcdef").mkdir()
    (box.tree / ".oss-backup-0123456789abcdef/x").write_bytes(b"1")
    assert box.backup().code == 0
    for _ in range(2):
        ended = restore(box)
        assert ended.code == 0 and facts(box.folder / "back/t") == facts(box.tree), ended.text


STRANGE: list[dict[str, Any]] = [
    {"size": -1}, {"mtime_ns": str(10**40)}, {"mtime_ns": str(-(10**40))}, {"chunks": ["a"]}, {"etag": 'a"\r\nx: "y'},
]  # fmt: skip


@pytest.mark.parametrize("change", STRANGE, ids=["size", "late", "early", "chunks", "etag"])
def test_a_snapshot_that_says_what_no_file_has_is_refused_whole(box: Box, change: dict[str, Any]) -> None:
    (box.tree / "a").write_bytes(b"1")
    (box.tree / "b").write_bytes(b"2")
    assert box.backup().code == 0
    rewrite(box, lambda entries: [e | (change if e["path"] == "t/b" else {}) for e in entries])
    ended = restore(box)
    assert (ended.code, ended.told.problem_counts) == (6, {"snapshot.damaged": 1}), ended.text
    assert not (box.folder / "back").exists()


def test_content_that_is_shorter_than_told_costs_its_file_alone(box: Box) -> None:
    for name in ("a", "b"):
        (box.tree / name).write_bytes(b"1")
    assert box.backup().code == 0
    rewrite(box, lambda entries: [e | ({"size": 20 << 20} if e["path"] == "t/b" else {}) for e in entries])
    ended = restore(box)
    assert (ended.code, ended.told.problem_counts) == (6, {"content.missing": 1}), ended.text
    assert disk(box.folder / "back").keys() == {"t/a"}


def test_a_copy_of_the_bucket_is_restored_from_though_its_versions_and_etags_are_others(box: Box) -> None:
    environ = {"OSS_BACKUP_BUCKET": box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"]}
    (box.tree / "a").write_bytes(b"1")
    (box.tree / "large").write_bytes(os.urandom(12 << 20))
    assert box.backup(**environ).code == 0
    there, copy = box.client(environ["OSS_BACKUP_BUCKET"]), box.client()
    for item in list(oss2.ObjectIteratorV2(there, prefix="p/")):
        copy.put_object(item.key, there.get_object(item.key).read())
    ended = restore(box)
    assert ended.code == 0 and facts(box.folder / "back/t") == facts(box.tree), ended.text


@pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the disk fail")
def test_a_disk_that_says_it_lost_something_gets_nothing_into_place(box: Box) -> None:
    for name in ("a", "b"):
        (box.tree / name).write_bytes(b"new")
    assert box.backup().code == 0
    (box.folder / "back/t").mkdir(parents=True)
    (box.folder / "back/t/a").write_bytes(b"older")
    fail = ("strace", "-f", "-o", "/dev/null", "-e", "trace=syncfs", "-e", "inject=syncfs:error=EIO:when=1")
    ended = subprocess.run(
        [*fail, *PROGRAM, *ARGUMENTS], cwd=box.folder, env=box.environment, capture_output=True, text=True, timeout=60
    )
    if "PTRACE" in ended.stderr:
        pytest.skip("strace may not trace here")
    assert ended.returncode == 3 and ended.stderr.count("could not be written") == 2, ended.stderr
    assert os.listdir(box.folder / "back/t") == ["a"] and (box.folder / "back/t/a").read_bytes() == b"older"


def test_a_full_disk_keeps_what_stood_there(box: Box) -> None:
    for name in ("a", "b"):
        (box.tree / name).write_bytes(os.urandom(300_000))
    (box.tree / "large").write_bytes(os.urandom(9 << 20))
    assert box.backup().code == 0
    (box.folder / "back").mkdir()
    before = "mount -t tmpfs -o size=700k x back && mkdir back/t && echo old > back/t/large"
    script = before + ' && "$@"; echo $?; ls -A back/t; cat back/t/large'
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *PROGRAM, *ARGUMENTS],
        cwd=box.folder, env=box.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    if "unshare:" in ended.stderr or "mount:" in ended.stderr:
        pytest.skip("no file system can be mounted here")
    assert ended.stdout.splitlines()[-5:] == ["3", "a", "b", "large", "old"], ended.stdout
    assert "t/large could not be written" in ended.stderr


def test_a_link_to_nul_is_refused_and_no_mode_sets_a_user(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    (box.tree / "l").symlink_to("a")
    assert box.backup().code == 0
    rewrite(box, lambda entries: [e | ({"mode": 0o106755} if e["path"] in ("t", "t/a") else {}) for e in entries])
    assert restore(box).code == 0
    for path in (box.folder / "back/t", box.folder / "back/t/a"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o755
    rewrite(box, lambda entries: [e | ({"target": "a\0"} if e["kind"] == "link" else {}) for e in entries])
    assert restore(box).told.problem_counts == {"snapshot.damaged": 1}


def test_links_are_spared_and_timed_as_files_are(box: Box) -> None:
    (box.tree / "new").write_bytes(b"1")
    (box.tree / "l").symlink_to("new")
    os.utime(box.tree / "l", ns=(1, 5_000_000_000), follow_symlinks=False)
    assert box.backup().code == 0
    (box.folder / "back/t").mkdir(parents=True)
    (box.folder / "back/t/l").symlink_to("old")
    for overwrite, target in (("never", "old"), ("if-newer", "old"), ("if-changed", "new")):
        assert restore(box, "--overwrite", overwrite).code == 0
        assert os.readlink(box.folder / "back/t/l") == target
    assert facts(box.folder / "back/t") == facts(box.tree)


def test_an_object_that_is_another_one_by_now_is_not_asked_for_its_bytes_while_the_history_has_them(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    assert box.backup().code == 0
    first = box.snapshots()[0][0]["head"]["id"]
    (box.tree / "a").write_bytes(b"2")
    assert box.backup("--max-change", "100").code == 0
    gets = box.sent("oss.get")
    assert restore(box, "--snapshot", first).code == 0
    assert (box.folder / "back/t/a").read_bytes() == b"1"
    assert box.sent("oss.get") - gets == 3, "the snapshot, one that did not match, and the history"


def test_content_that_must_be_thawed_costs_its_file_alone(box: Box) -> None:
    for name in ("a", "b"):
        (box.tree / name).write_bytes(b"1")
    assert box.backup().code == 0
    client = box.client()
    client.copy_object(client.bucket_name, "p/t/a", "p/t/a", headers={"x-oss-storage-class": "Archive"})
    ended = restore(box)
    assert (ended.code, ended.told.problem_counts) == (3, {"content.frozen": 1}), ended.text
    assert disk(box.folder / "back").keys() == {"t/b"}


def test_a_file_of_the_same_time_and_another_size_is_fetched(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    os.utime(box.tree / "a", ns=(5, 5))
    assert box.backup().code == 0
    (box.folder / "back/t").mkdir(parents=True)
    (box.folder / "back/t/a").write_bytes(b"22")
    os.utime(box.folder / "back/t/a", ns=(5, 5))
    assert restore(box).code == 0 and facts(box.folder / "back/t") == facts(box.tree)


def test_two_restores_into_one_target_are_one_after_the_other(box: Box) -> None:
    for name in ("a", "b"):
        (box.tree / name).write_bytes(b"1")
    assert box.backup().code == 0
    box.post("faults", [{"kind": "stall", "request": "get", "key": "p/t/a", "seconds": 20, "count": 1}])
    first = box.start(*ARGUMENTS)
    end = time.monotonic() + 30
    while not left(box.folder / "back"):
        assert time.monotonic() < end
        time.sleep(0.01)
    second = restore(box)
    assert (second.code, second.told.problem_counts) == (7, {"target.busy": 1}), second.text
    assert restore(box, "--dry-run").code == 0, "which writes nothing"
    assert os.listdir(box.folder / "back/t") != []
    first.kill()
    first.communicate()
    assert restore(box).code == 0 and facts(box.folder / "back/t") == facts(box.tree), "the lock ends with its process"
