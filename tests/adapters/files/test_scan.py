"""The scan on real trees: order, links, special files, what is out of reach."""

import contextlib
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backup_action.adapters.files import scan as scanning
from backup_action.adapters.files.scan import Scan, scan
from backup_action.core import place
from backup_action.core.entry import Sort
from backup_action.core.problem import Kind, Stop
from backup_action.core.selection import select

ROOM = 1023
ALL = select((), ())


def run(*lines: str, exclude: tuple[str, ...] = (), include: tuple[str, ...] = (), room: int = ROOM) -> Scan:
    return scan(place.roots(lines), select(exclude, include), room)


def paths(found: Scan) -> list[str]:
    return [one.path for one in found.found]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "data"
    for name in ("a.csv", "a/b.csv", "a/c/d.bin", "a-b/x", "a.b/y", "z"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    return top


def test_it_finds_everything_in_the_order_of_keys(tree: Path) -> None:
    found = run(f"{tree} => d")
    assert paths(found) == [
        "d", "d/a-b", "d/a-b/x", "d/a.b", "d/a.b/y", "d/a.csv", "d/a", "d/a/b.csv", "d/a/c", "d/a/c/d.bin", "d/z",
    ]  # fmt: skip
    orders = [one.order for one in found.found]
    assert orders == sorted(orders) and found.files == [6] and found.complete
    assert found.bytes == [sum(len(name) for name in ("a.csv", "a/b.csv", "a/c/d.bin", "a-b/x", "a.b/y", "z"))]


def test_metadata_is_that_of_the_file_itself(tree: Path) -> None:
    info = (tree / "z").stat()
    one = next(one for one in run(f"{tree} => d").found if one.path == "d/z")
    assert (one.size, one.mtime_ns, one.ctime_ns, one.inode) == (
        info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino,
    )  # fmt: skip
    assert one.mode == info.st_mode & 0o7777 and one.inner == "z"


def test_hostile_names_come_in_the_order_of_their_keys(tmp_path: Path) -> None:
    rng = random.Random(5)
    top = os.fsencode(tmp_path)
    made = set()
    while len(made) < 400:
        name = bytes(rng.choice(b"ab%/.\n\xc3\xa9\xff\\!~ ") for _ in range(rng.randrange(1, 9))).strip(b"/")
        if not name or {b".", b"..", b""} & set(name.split(b"/")):
            continue
        try:
            os.makedirs(os.path.join(top, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(top, name), "xb"):
                made.add(os.fsdecode(name))
        except OSError:
            continue
    for room in (ROOM, 45):
        found = list(run(f"{tmp_path} => .", room=room).found)
        orders = [one.order for one in found]
        assert orders == sorted(set(orders))
        assert {one.path for one in found if one.kind is Sort.FILE} == {os.path.normpath(name) for name in made}


def test_links_are_entries_and_never_followed(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    (tree / "out").symlink_to(outside)
    (tree / "loop").symlink_to(tree)
    (tree / "dangling").symlink_to("nowhere")
    found = {one.path: one for one in run(f"{tree} => d").found}
    assert not any("secret" in path for path in found)
    assert {path: found[path].target for path in ("d/out", "d/loop", "d/dangling")} == {
        "d/out": str(outside), "d/loop": str(tree), "d/dangling": "nowhere",
    }  # fmt: skip
    assert all(found[path].kind is Sort.LINK for path in ("d/out", "d/loop", "d/dangling"))


def test_a_root_that_is_a_link_is_what_the_person_named(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert run(f"{tmp_path / 'link'} => d").files == [6]


def test_special_files_are_noted_and_not_opened(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tree / "s"))
        found = run(f"{tree} => d")
    assert found.files == [6] and found.complete
    assert {(p.kind, p.where, p.facts["sort"]) for p in found.problems} == {
        (Kind.FILE_SPECIAL, str(tree / "pipe"), "fifo"), (Kind.FILE_SPECIAL, str(tree / "s"), "socket"),
    }  # fmt: skip


def test_selection_prunes_folders_and_takes_files(tree: Path) -> None:
    assert [p for p in paths(run(f"{tree} => d", exclude=("a/",))) if p.startswith("d/a/")] == []
    found = run(f"{tree} => d", include=("*.csv",))
    assert [p for p in paths(found) if "." in p.rsplit("/", 1)[-1] and p != "d/a.b"] == ["d/a.csv", "d/a/b.csv"]
    assert found.files == [2]


def test_several_roots_come_in_the_order_of_their_places(tree: Path) -> None:
    found = run(f"{tree / 'a'} => b", f"{tree / 'z'} => b.csv", f"{tree / 'a.b'} => a")
    assert paths(found) == ["a", "a/y", "b.csv", "b", "b/b.csv", "b/c", "b/c/d.bin"]
    assert found.files == [2, 1, 1]


def test_a_tree_deeper_than_the_handles_held_and_longer_than_any_path(tmp_path: Path) -> None:
    deep = scanning.HANDLES * 6
    handle = os.open(tmp_path, os.O_RDONLY)
    for _ in range(deep):
        os.mkdir("d" * 20, dir_fd=handle)
        os.close(os.open("after", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        below = os.open("d" * 20, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    found = run(f"{tmp_path} => .")
    assert found.files == [deep + 1] and found.complete
    assert max(len(path) for path in paths(found)) > 4096
    assert all(len(one.place) <= ROOM for one in found.found)
    orders = [one.order for one in found.found]
    assert orders == sorted(orders)


@pytest.mark.parametrize("make", ["missing", "empty", "only folders", "fifo", "excluded"])
def test_a_root_without_content_stops_the_run(tmp_path: Path, make: str) -> None:
    root = tmp_path / "root"
    if make in ("empty", "only folders", "excluded"):
        root.mkdir()
    if make == "only folders":
        (root / "a/b").mkdir(parents=True)
    if make == "excluded":
        (root / "x.tmp").write_text("x")
    if make == "fifo":
        os.mkfifo(root)
    with pytest.raises(Stop) as stop:
        run(f"{root} => d", exclude=("*.tmp",))
    kinds = {"missing": Kind.SOURCE_MISSING, "fifo": Kind.SOURCE_UNREADABLE}
    assert stop.value.problem.kind is kinds.get(make, Kind.SOURCE_EMPTY)
    assert stop.value.problem.where == str(root)


@pytest.fixture
def open_tree() -> Iterator[Path]:
    """A tree that others than its owner may look at, for tests that must not be root."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        for path in ("a/b.csv", "a/deep/c", "r/sub/x", "r/y", "z", "empty/.keep"):
            (Path(name) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(name) / path).write_text(path)
        (Path(name) / "empty/.keep").unlink()
        yield Path(name)
        for path in (".", "a", "r"):
            (Path(name) / path).chmod(0o755)


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Without root's rights, which see everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_folder_that_cannot_be_read_is_reported_and_the_rest_goes_on(open_tree: Path) -> None:
    (open_tree / "a").chmod(0)
    with nobody():
        found = run(f"{open_tree} => d")
    assert found.unread == {"d/a"} and not found.complete
    assert not found.covers("d/a/b.csv") and not found.covers("d/a/deep/c") and found.covers("d/z")
    [problem] = found.problems
    assert (problem.kind, problem.where) == (Kind.FILE_UNREADABLE, str(open_tree / "a"))
    assert problem.facts["cause"] == "folder" and "d/z" in paths(found)


def test_a_folder_that_lists_names_and_nothing_else_hides_what_is_below_them(open_tree: Path) -> None:
    (open_tree / "r").chmod(0o444)
    with nobody():
        found = run(f"{open_tree} => d")
    assert found.unread == {"d/r/sub", "d/r/y"}
    assert not found.covers("d/r/sub/x") and not found.covers("d/r/y") and found.covers("d/r/new")


def test_the_top_that_cannot_be_read_hides_everything(open_tree: Path) -> None:
    open_tree.chmod(0o711)
    with nobody(), pytest.raises(Stop) as stop:
        run(f"{open_tree} => .")
    assert stop.value.problem.kind is Kind.SOURCE_UNREADABLE


def test_a_root_in_a_folder_that_cannot_be_entered_is_told(open_tree: Path) -> None:
    (open_tree / "a").chmod(0)
    with nobody(), pytest.raises(Stop) as stop:
        run(f"{open_tree / 'a/deep'} => d", f"{open_tree / 'z'} => e")
    assert (stop.value.problem.kind, stop.value.problem.where) == (Kind.SOURCE_UNREADABLE, str(open_tree / "a/deep"))


def test_an_empty_root_is_refused_whatever_is_wrong_with_another(open_tree: Path) -> None:
    (open_tree / "a").chmod(0)
    with nobody(), pytest.raises(Stop) as stop:
        run(f"{open_tree / 'r'} => r", f"{open_tree / 'a'} => a", f"{open_tree / 'empty'} => b")
    assert stop.value.problem.kind is Kind.SOURCE_UNREADABLE
    (open_tree / "a").chmod(0o755)
    (open_tree / "a/deep").chmod(0)
    with nobody(), pytest.raises(Stop) as stop:
        run(f"{open_tree / 'a'} => a", f"{open_tree / 'empty'} => b")
    (open_tree / "a/deep").chmod(0o755)
    assert (stop.value.problem.kind, stop.value.problem.where) == (Kind.SOURCE_EMPTY, str(open_tree / "empty"))


def test_what_is_left_out_is_not_even_looked_at(open_tree: Path) -> None:
    (open_tree / "r").chmod(0o444)
    roots, chosen = place.roots((f"{open_tree} => d",)), select(("/r/*",), ())  # loads what nobody may not read
    with nobody():
        found = scan(roots, chosen, ROOM)
    assert found.complete and not found.problems


def test_it_stops_when_it_is_told_to(tree: Path) -> None:
    with pytest.raises(Stop) as stop:
        scan(place.roots((f"{tree} => d",)), ALL, ROOM, lambda: True)
    assert stop.value.problem.kind is Kind.INTERRUPTED
