"""The target of a restore by itself: what is begun, what is left, what is not followed."""

import os
from pathlib import Path

import pytest

from backup_action.adapters.files.target import Target
from backup_action.core.entry import Entry, Sort


def entry(path: str) -> Entry:
    return Entry(path, Sort.FILE, path, size=3, mode=0o644, mtime_ns=5)


def test_a_folder_that_is_made_late_keeps_what_was_begun_in_it(tmp_path: Path) -> None:
    target = Target(str(tmp_path))
    name = target.put(entry("d/a"), [b"one"])
    target.make("d")
    target.finish(entry("d/a"), name)
    assert (tmp_path / "d/a").read_bytes() == b"one"
    target.close()


def test_what_was_begun_and_has_no_place_is_gone_at_the_end(tmp_path: Path) -> None:
    target = Target(str(tmp_path))
    target.put(entry("d/a"), [b"one"])
    target.close()
    assert os.listdir(tmp_path / "d") == []


def test_a_file_that_cannot_be_ended_is_gone_at_once(tmp_path: Path) -> None:
    target = Target(str(tmp_path))
    with pytest.raises(OSError, match="Invalid argument"):
        target.put(Entry("a", Sort.FILE, "a", size=-1), [b"one"])
    assert os.listdir(tmp_path) == []
    target.close()


def test_a_link_is_not_dressed_and_not_looked_through(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"out")
    os.chmod(tmp_path / "out", 0o600)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/l").symlink_to("../out")
    target = Target(str(tmp_path / "in"))
    with pytest.raises(OSError, match="Too many levels"):
        target.dress(entry("l"))
    with pytest.raises(OSError, match="Too many levels"):
        target.open("l")
    found = target.look("l")
    assert found is not None and found.st_ino == os.lstat(tmp_path / "in/l").st_ino
    target.close()


def test_a_folder_is_its_owners_alone_until_it_is_dressed(tmp_path: Path) -> None:
    target = Target(str(tmp_path))
    target.make("d")
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
    target.dress(Entry("d", Sort.FOLDER, "d", mode=0o755))
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o755
    target.close()
