"""Links that are followed: only to what is below the same root, whatever anybody does meanwhile."""

import contextlib
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backup_action.adapters.files.folder import LINKS, Opener
from backup_action.adapters.files.read import Content, read
from backup_action.adapters.files.scan import HANDLES, Scan, scan
from backup_action.core import place
from backup_action.core.entry import Sort
from backup_action.core.found import Found
from backup_action.core.problem import Kind, Problem
from backup_action.core.selection import select

LIMIT = 1 << 16


def run(top: Path, exclude: tuple[str, ...] = (), include: tuple[str, ...] = ()) -> Scan:
    asked = itertools.count()  # what goes round for ever is stopped, and fails
    found = scan(
        place.roots((f"{top} => d",)), select(exclude, include), 1023, lambda: next(asked) > 30_000, follow=True
    )
    orders = [one.order for one in found.found]
    assert orders == sorted(set(orders)), "what is followed stands where its key does"
    return found


def by_path(found: Scan) -> dict[str, Found]:
    return {one.path: one for one in found.found}


def content(top: Path, found: Found) -> bytes | Problem:
    with Opener((str(top),), follow=True) as opener:
        result = read(found, opener, LIMIT)
    return result.data if isinstance(result, Content) else result


def told(found: Scan) -> dict[str, Kind]:
    return {problem.where: problem.kind for problem in found.problems}


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A root with a folder and two files, and a secret beside it."""
    (tmp_path / "root/real/deep").mkdir(parents=True)
    (tmp_path / "root/real/x").write_text("x")
    (tmp_path / "root/real/deep/y").write_text("y")
    (tmp_path / "root/a-file").write_text("a")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_text("secret")
    return tmp_path / "root"


def test_a_link_to_a_file_is_that_file_under_its_own_path(top: Path) -> None:
    (top / "real/link").symlink_to("../a-file")
    found = run(top)
    one, info = by_path(found)["d/real/link"], (top / "a-file").stat()
    assert (one.kind, one.size, one.inode, one.mtime_ns) == (Sort.FILE, 1, info.st_ino, info.st_mtime_ns)
    assert content(top, one) == b"a" and found.files == [4] and not found.problems and not one.target


def test_a_link_to_a_sibling_folder_is_that_folder_and_sorts_as_one(top: Path) -> None:
    (top / "l").symlink_to("real")
    (top / "l.csv").write_text("stands between `l` as a file and `l/` as a folder")
    found = by_path(run(top))
    assert found["d/l"].kind is Sort.FOLDER and found["d/l"].inode == (top / "real").stat().st_ino
    assert [path for path in found if path.startswith("d/l")] == ["d/l.csv", "d/l", "d/l/deep", "d/l/deep/y", "d/l/x"]
    assert (content(top, found["d/l/x"]), content(top, found["d/l/deep/y"])) == (b"x", b"y")


def test_by_default_links_stay_links_for_the_reader_too(top: Path) -> None:
    (top / "l").symlink_to("real")
    seen = by_path(run(top))["d/l/x"]
    with Opener((str(top),)) as opener:
        problem = read(seen, opener, LIMIT)
    assert isinstance(problem, Problem) and problem.kind is Kind.FILE_VANISHED


@pytest.mark.parametrize(
    "target",
    ["{top}/real", "{top}/real/deep/..", "{top}/../root/real", "../root/real", "./real/", "{top}/other/deep/.."],
)
def test_a_link_may_go_any_way_that_ends_below_its_root(top: Path, target: str) -> None:
    (top / "other").symlink_to(top / "real")
    (top / "l").symlink_to(target.format(top=top))
    found = run(top)
    assert content(top, by_path(found)["d/l/x"]) == b"x" and not found.problems


def test_a_root_that_is_a_link_has_its_insides_where_it_leads(top: Path) -> None:
    (top / "by name").symlink_to(top.parent / "named/real")
    (top / "by place").symlink_to(top / "real")
    (top.parent / "named").symlink_to(top)
    found = by_path(run(top.parent / "named"))
    assert content(top.parent / "named", found["d/by name/x"]) == b"x"
    assert content(top.parent / "named", found["d/by place/x"]) == b"x"


@pytest.mark.parametrize(
    "target", ["{top}/../outside", "../outside", "{top}/../outside/x", "/", "..", "real/../../outside", "{top}-2"]
)
def test_a_link_that_leads_out_stays_a_link_and_is_told(top: Path, target: str) -> None:
    (top.parent / "root-2").mkdir()
    (top / "l").symlink_to(target.format(top=top))
    found = run(top)
    assert told(found) == {str(top / "l"): Kind.LINK_OUTSIDE} and found.complete
    assert by_path(found)["d/l"].kind is Sort.LINK and by_path(found)["d/l"].target == target.format(top=top)
    assert found.files == [3]


@pytest.mark.parametrize("target", ["nowhere", "/nowhere/at/all", "a-file/x", "a-file/", "../nowhere"])
def test_a_link_that_leads_nowhere_is_a_plain_link(top: Path, target: str) -> None:
    (top / "l").symlink_to(target)
    found = run(top)
    assert by_path(found)["d/l"].kind is Sort.LINK and not found.problems and found.complete


def test_a_link_to_what_has_no_content_is_a_plain_link(top: Path) -> None:
    os.mkfifo(top / "pipe")
    (top / "l").symlink_to("pipe")
    found = run(top)
    assert by_path(found)["d/l"].kind is Sort.LINK and told(found) == {str(top / "pipe"): Kind.FILE_SPECIAL}


def test_circles_are_told_and_entered_once(top: Path) -> None:
    for name, target in (("self", "self"), ("a", "b"), ("b", "a"), ("up", "."), ("real/deep/up", "../.."),
                         ("real/here", "."), ("real/abs", str(top))):  # fmt: skip
        (top / name).symlink_to(target)
    found = run(top)
    names = ("self", "a", "b", "up", "real/deep/up", "real/here", "real/abs")
    assert told(found) == {str(top / name): Kind.LINK_LOOP for name in names}
    assert found.files == [3] and found.complete


def test_folders_that_link_to_each_other_are_entered_until_they_come_round(top: Path) -> None:
    for one, other in (("p", "q"), ("q", "p")):
        (top / one).mkdir()
        (top / one / "f").write_text(one)
        (top / one / "l").symlink_to(f"../{other}")
    found = run(top)
    paths = [path for path in by_path(found) if path.startswith(("d/p", "d/q"))]
    assert paths == ["d/p", "d/p/f", "d/p/l", "d/p/l/f", "d/p/l/l", "d/q", "d/q/f", "d/q/l", "d/q/l/f", "d/q/l/l"]
    assert content(top, by_path(found)["d/p/l/f"]) == b"q"
    assert told(found) == {str(top / "p/l/l"): Kind.LINK_LOOP, str(top / "q/l/l"): Kind.LINK_LOOP}


def test_a_chain_of_ten_thousand_links_is_followed_as_far_as_the_kernel_would(top: Path) -> None:
    (top / "chain").mkdir()
    (top / "chain/00000").write_text("end")
    for number in range(1, 10_001):
        (top / f"chain/{number:05}").symlink_to(f"{number - 1:05}")
    found = run(top)
    assert found.files == [3 + 1 + LINKS] and len(found.problems) == 10_000 - LINKS
    assert set(told(found).values()) == {Kind.LINK_LOOP} and found.complete
    assert content(top, by_path(found)[f"d/chain/{LINKS:05}"]) == b"end"


def test_a_path_through_too_many_links_ends_and_everything_that_was_found_can_be_read(top: Path) -> None:
    for number in range(LINKS + 5):
        (top / f"f{number:02}").mkdir()
        (top / f"f{number:02}/x").write_text(str(number))
        (top / f"f{number:02}/n").symlink_to(f"../f{number + 1:02}")
    found = run(top, exclude=("/f0[1-9]", "/f[1-9]?"))
    deep = by_path(found)["d/f00" + "/n" * LINKS + "/x"]
    assert content(top, deep) == str(LINKS).encode()
    assert told(found) == {str(top / ("f00" + "/n" * (LINKS + 1))): Kind.LINK_LOOP}


def test_a_followed_tree_deeper_than_the_handles_held(top: Path) -> None:
    deep = top / "far" / "/".join(["d"] * (HANDLES * 2))
    deep.mkdir(parents=True)
    (deep / "last").write_text("last")
    for number in range(3):
        (top / "far" / "/".join(["d"] * number) / "z").write_text("z")
    (top / "l").symlink_to("far")
    found = run(top)
    assert found.files == [3 + 4 * 2] and found.complete and not found.problems
    last = next(one for one in found.found if one.path.startswith("d/l/") and one.path.endswith("last"))
    assert content(top, last) == b"last"


def test_patterns_are_of_the_links_own_path(top: Path) -> None:
    (top / "l").symlink_to("real")
    (top / "out").symlink_to("../outside")
    found = run(top, exclude=("/l/", "/out"))
    assert not any(path.startswith(("d/l", "d/out")) for path in by_path(found)) and not found.problems
    found = run(top, exclude=("/real/", "/out"))
    assert content(top, by_path(found)["d/l/x"]) == b"x" and "d/real/x" not in by_path(found)
    found = run(top, include=("/l/x",), exclude=("/out",))
    assert [one.path for one in found.found if one.kind is Sort.FILE] == ["d/l/x"]


def test_names_that_are_no_utf8_are_followed_too(top: Path) -> None:
    where = os.fsencode(top)
    os.mkdir(where + b"/\xff")
    with open(where + b"/\xff/\xfe", "wb") as file:
        file.write(b"raw")
    os.symlink(b"\xff", where + b"/\xfd")
    os.symlink(where + b"/\xff/\xfe", where + b"/\xfc")
    found = by_path(run(top))
    assert content(top, found["d/\udcfd/\udcfe"]) == b"raw" and content(top, found["d/\udcfc"]) == b"raw"


def test_what_cannot_be_entered_through_a_link_is_told_as_unread() -> None:
    """In a folder that others than its owner may enter: root sees everything."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "real/deep").mkdir(parents=True)
        (Path(name) / "x").write_text("x")
        (Path(name) / "l").symlink_to("real/deep")
        Path(name).chmod(0o755)
        (Path(name) / "real").chmod(0)
        try:
            if user == 0:
                os.seteuid(65534)
            found = run(Path(name))
        finally:
            os.seteuid(user)
            (Path(name) / "real").chmod(0o755)
        assert not found.covers("d/l/y") and told(found)[f"{name}/l"] is Kind.FILE_UNREADABLE


@pytest.mark.parametrize("now", ["a link that leads out", "a link that leads nowhere", "a target that is a link out"])
def test_what_changed_since_the_scan_leads_nowhere(top: Path, now: str) -> None:
    (top / "l").symlink_to("real")
    (top / "one").symlink_to("real/x")
    found = by_path(run(top))
    if now == "a target that is a link out":
        (top / "real").rename(top / "was")
        (top / "real").symlink_to("../outside")
    else:
        for name in ("l", "one"):
            (top / name).unlink()
        (top / "l").symlink_to("../outside" if "out" in now else "nowhere")
        (top / "one").symlink_to("../outside/x" if "out" in now else "nowhere")
    for path in ("d/l/x", "d/one"):
        result = content(top, found[path])
        assert isinstance(result, Problem) and result.kind is Kind.FILE_VANISHED, path


@contextlib.contextmanager
def swapping(top: Path) -> Iterator[list[int]]:
    """A thread that makes of a folder a link that leads out, and back, as fast as it can."""
    turns, over = [0], threading.Event()
    (top / "way out").symlink_to("../outside")

    def swap() -> None:
        while not over.is_set():
            for put, back in (("way out", "was"), ("was", "way out")):
                os.rename(top / "real", top / ("was" if put == "way out" else "way out"))
                os.rename(top / put, top / "real")
                turns[0] += bool(back)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield turns
    finally:
        over.set()
        thread.join()


def test_nothing_leads_out_however_fast_a_folder_becomes_a_link(top: Path) -> None:
    (top / "l").symlink_to("real")
    (top / "one").symlink_to("real/x")
    seen = [one for one in run(top).found if one.path in ("d/l/x", "d/one", "d/real/x")]
    assert len(seen) == 3
    taken = refused = 0
    with swapping(top) as turns:
        end = time.monotonic() + 20
        while (taken < 200 or refused < 200 or turns[0] < 2000) and time.monotonic() < end:
            for one in seen:
                result = content(top, one)
                assert result != b"secret"
                taken, refused = taken + isinstance(result, bytes), refused + isinstance(result, Problem)
            for one in scan(place.roots((f"{top} => d",)), select((), ()), 1023, follow=True).found:
                if one.kind is Sort.FILE:
                    assert one.size != len("secret")
    assert taken and refused
