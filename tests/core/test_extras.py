"""What a target has too much: the rule, and the paths that it holds against."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.entry import Entry, Sort
from backup_action.core.extras import Known, may_go
from backup_action.core.selection import select

NAMES = st.sampled_from(["a", "b", "c.csv", "数据", "\udcff"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def known(*paths: str) -> Known:
    return Known(Entry(path, Sort.FILE, path) for path in paths)


@given(st.lists(PATHS, max_size=20), PATHS)
def test_known_are_all_paths_and_the_folders_above_them_and_no_others(paths: list[str], other: str) -> None:
    there = known(*paths)
    above = {path[:at] for path in paths for at in range(len(path) + 1) if path[at : at + 1] in ("", "/")}
    assert all(path in there for path in above)
    assert (other in there) is (other in above)


def test_what_is_gone_from_the_disk_is_no_part_of_a_snapshot() -> None:
    there = Known([Entry("a", Sort.FILE, "a", gone=True), Entry("l", Sort.LINK, "l"), Entry("d", Sort.FOLDER, "d")])
    assert ["a" in there, "l" in there, "d" in there] == [False, True, True]


@given(st.lists(PATHS), PATHS, st.lists(st.sampled_from(["a", "/a/", "*.csv", "b/"])), st.booleans())
def test_nothing_goes_that_the_snapshot_names_or_exclude_leaves_out(
    paths: list[str], path: str, exclude: list[str], is_folder: bool
) -> None:
    chosen = select(tuple(exclude), ())
    goes = may_go(path, known(*paths), chosen, is_folder=is_folder)
    kept = chosen.takes_folder(path) if is_folder else chosen.takes(path)
    assert goes is (kept and not any(posixpath.join(named, "").startswith(path + "/") for named in paths))


@pytest.mark.parametrize(
    ("include", "path", "is_folder", "goes"),
    [
        ((), "t/x", False, True),
        ((), "t/x", True, True),
        (("*.csv",), "t/x.csv", False, True),
        (("*.csv",), "t/x.txt", False, False),
        (("*.csv",), "t/x", True, False),
        (("/t/old/",), "t/old", True, True),
        (("/t/old/",), "t/old/deep", True, True),
        (("/t/old/",), "t/old/deep/x", False, True),
        (("/t/old/",), "t/new", True, False),
    ],
)
def test_include_reaches_no_further_than_its_patterns(
    include: tuple[str, ...], path: str, is_folder: bool, goes: bool
) -> None:
    assert may_go(path, known("t/a"), select((), include), is_folder=is_folder) is goes
