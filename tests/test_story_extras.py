"""Stories of `delete` in a restore: the target ends as the snapshot is, and nothing else is ever removed."""

import os
import subprocess
from pathlib import Path

import pytest
from box import PROGRAM, Box, disk
from test_story_restore import facts, restore, rewrite


def names(folder: Path) -> set[str]:
    """Every path below a folder, links not followed."""
    return {os.path.relpath(path, folder) for path in folder.rglob("*")}


def write(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())


@pytest.fixture
def back(box: Box) -> Path:
    """A target that was restored to once, and has grown since."""
    write(box.tree, "a", "d/b.csv", "d/c.txt")
    (box.tree / "void").mkdir()
    (box.tree / "l").symlink_to("a")
    assert box.backup().code == 0 and restore(box).code == 0
    write(box.folder / "outside", "x", "deep/y")
    back = box.folder / "back"
    write(back, "top", "t/new", "t/d/new.csv", "t/more/deep/x", "t/void/x", "other/x")
    (back / "t/link").symlink_to(box.folder / "outside")
    (back / "t/more/link").symlink_to("../../../outside/x")
    os.mkfifo(back / "t/fifo")
    return back


ADDED = 12  # the paths above, their folders too


def test_what_a_snapshot_does_not_have_is_removed_and_no_link_is_followed(box: Box, back: Path) -> None:
    assert restore(box).code == 0 and (back / "t/new").exists(), "not unless it is asked for"
    dry = restore(box, "--delete", "--dry-run")
    assert (dry.code, dry.told.removed_paths) == (0, ADDED) and f"{ADDED} to remove from the target" in dry.text
    assert (back / "t/new").exists() and (back / "other/x").exists()
    ended = restore(box, "--delete")
    assert (ended.code, ended.told.removed_paths, ended.told.deleted_objects) == (0, ADDED, 0), ended.text
    assert f"{ADDED} removed from the target" in ended.text and ended.told.verified
    assert facts(back / "t") == facts(box.tree) and os.listdir(back) == ["t"]
    assert disk(box.folder / "outside").keys() == {"x", "deep/y"}
    assert (back / "t").stat().st_mtime_ns == box.tree.stat().st_mtime_ns, "folders get their times after that"
    assert restore(box, "--delete").told.removed_paths == 0


def test_what_exclude_leaves_out_stays_and_so_do_the_folders_that_it_is_in(box: Box, back: Path) -> None:
    write(back, "t/keep/x", "t/more/keep/y")
    ended = restore(box, "--delete", "--exclude", "new*", "--exclude", "keep/", "--exclude", "!keep/x")
    assert ended.code == 0, ended.text
    assert names(back) - names_of_snapshot() == {
        "t/new", "t/d/new.csv", "t/keep", "t/keep/x", "t/more", "t/more/keep", "t/more/keep/y",
    }  # fmt: skip


def names_of_snapshot() -> set[str]:
    return {"t", "t/a", "t/d", "t/d/b.csv", "t/d/c.txt", "t/void", "t/l"}


def test_include_reaches_no_further_than_its_patterns(box: Box, back: Path) -> None:
    before = names(back)
    ended = restore(box, "--delete", "--include", "*.csv")
    assert (ended.code, ended.told.removed_paths) == (0, 1), ended.text
    assert before - names(back) == {"t/d/new.csv"}
    (back / "t/d/b.csv").unlink()
    ended = restore(box, "--delete", "--include", "/t/d/", "--include", "/t/more/")
    assert (ended.code, ended.told.removed_paths) == (0, 4), ended.text
    assert before - names(back) == {"t/d/new.csv", "t/more", "t/more/deep", "t/more/deep/x", "t/more/link"}


def test_nothing_is_removed_where_anything_was_not_restored(box: Box, back: Path) -> None:
    box.client().delete_object("p/t/a")
    (back / "t/a").unlink()
    before = names(back)
    ended = restore(box, "--delete")
    assert (ended.code, ended.told.problem_counts) == (6, {"content.missing": 1, "delete.held": 1}), ended.text
    assert names(back) == before and ended.told.removed_paths == 0 and "removed from the target in spite" in ended.text


def test_nothing_is_removed_where_a_link_could_not_be_made(box: Box, back: Path) -> None:
    (back / "t/l").unlink()
    write(back, "t/l/full")
    ended = restore(box, "--delete")
    assert (ended.code, ended.told.problem_counts) == (3, {"target.unwritable": 1, "delete.held": 1}), ended.text
    assert (back / "t/new").exists()


def test_a_snapshot_with_gaps_removes_nothing(box: Box) -> None:
    write(box.tree, "a", "b")
    box.post("faults", [{"kind": "status", "request": "put", "key": "p/t/b", "status": 400, "code": "EntityTooLarge"}])
    assert box.backup().code == 3
    write(box.folder / "back", "t/b")
    ended = restore(box, "--delete")
    assert (ended.code, ended.told.problem_counts) == (0, {"snapshot.incomplete": 1, "delete.held": 1}), ended.text
    assert disk(box.folder / "back").keys() == {"t/a", "t/b"}


def test_it_is_refused_where_it_would_do_harm(box: Box, back: Path) -> None:
    before = names(back)
    home = restore(box, "--delete", HOME=str(back))
    above = restore(box, "--delete", HOME=str(back / "t/more"))
    (box.folder / "way").symlink_to("/")
    top = box.run(
        "restore", "--target", "way", "--prefix", "p", "--source", "story", "--delete", "--dry-run", "--language", "en"
    )
    for ended in (home, above, top):
        assert (ended.code, ended.told.problem_counts) == (8, {"delete.refused": 1}), ended.text
        assert "`target`" in ended.text
    rewrite(box, lambda entries: [entry for entry in entries if entry["kind"] == "folder"])
    ended = restore(box, "--delete")
    assert (ended.code, ended.told.problem_counts) == (8, {"delete.refused": 1}) and "empty the target" in ended.text
    assert names(back) == before


def test_a_folder_that_may_not_be_read_is_told_of(ordinary: Box) -> None:
    write(ordinary.tree, "a")
    assert ordinary.backup().code == 0
    write(ordinary.folder / "back", "t/blind/x", "t/new")
    os.chmod(ordinary.folder / "back/t/blind", 0)
    ended = restore(ordinary, "--delete")
    assert (ended.code, ended.told.problem_counts) == (3, {"target.unwritable": 1}), ended.text
    assert (ended.told.problems[0].where, ended.told.removed_paths) == ("t/blind", 1)


def test_what_is_mounted_below_the_target_stays(box: Box) -> None:
    write(box.tree, "a")
    assert box.backup().code == 0
    write(box.folder / "back", "t/new")
    (box.folder / "back/mounted").mkdir()
    script = 'mount -t tmpfs x back/mounted && echo 1 > back/mounted/x && "$@"; echo $?; cat back/mounted/x'
    arguments = ("restore", "--target", "back", "--prefix", "p", "--source", "story", "--delete")
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *PROGRAM, *arguments],
        cwd=box.folder, env=box.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    if "unshare:" in ended.stderr or "mount:" in ended.stderr:
        pytest.skip("no file system can be mounted here")
    assert ended.stdout.splitlines()[-2:] == ["0", "1"], ended.stderr
    assert not (box.folder / "back/t/new").exists()
