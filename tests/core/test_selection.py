"""Patterns as git reads them."""

import pytest

from backup_action.core.problem import Kind, Stop
from backup_action.core.selection import finder, select


@pytest.mark.parametrize(
    ("exclude", "include", "path", "taken"),
    [
        ((), (), "a/b.csv", True),
        (("*.tmp",), (), "a/b.tmp", False),
        (("*.tmp",), (), "a/b.csv", True),
        (("/a",), (), "b/a", True),
        (("*.csv", "!keep.csv"), (), "x/keep.csv", True),
        ((), ("*.csv",), "x/y.csv", True),
        ((), ("*.csv",), "x/y.bin", False),
        ((), ("factors/",), "factors/deep/x", True),
        (("x.csv",), ("*.csv",), "a/x.csv", False),
        (("# a comment",), (), "# a comment", True),
        (("数据/*",), (), "数据/一", False),
        (("*.tmp",), (), "\udcff.tmp", False),
    ],
)
def test_a_file_is_taken_as_the_table_says(exclude, include, path, taken) -> None:  # type: ignore[no-untyped-def]
    assert select(exclude, include).takes(path) is taken


def test_an_excluded_folder_is_not_entered_but_include_leaves_folders_alone() -> None:
    assert not select(("cache/",), ()).takes_folder("a/cache")
    assert select(("cache/",), ()).takes("a/cache"), "a file of that name is no folder"
    assert select((), ("*.csv",)).takes_folder("a")


@pytest.mark.parametrize("pattern", ["!", "[z-a]", "[[:foo:]]"])
def test_a_pattern_that_git_would_refuse_is_named(pattern: str) -> None:
    with pytest.raises(Stop) as stop:
        select((pattern,), ())
    assert (stop.value.problem.kind, stop.value.problem.where) == (Kind.SETTING_MALFORMED, "exclude")
    assert stop.value.problem.facts["given"] == pattern


@pytest.mark.parametrize(
    ("text", "path", "is_meant"),
    [
        ("data/x.csv", "data/x.csv", True),
        ("/data/x.csv", "data/x.csv", True),
        ("data/x.csv", "old/data/x.csv", False),
        ("x.csv", "old/data/x.csv", True),
        ("*.csv", "old/data/x.csv", True),
        ("data/", "data/x.csv", True),
        ("data", "data/2026/x.csv", True),
        ("[", "[", True),
        ("#1.csv", "#1.csv", True),
        ("a[1].csv", "a[1].csv", True),
        ("a[1].csv", "a1.csv", True),
        ("!x", "!x", True),
        ("!x", "y", False),
    ],
)
def test_a_path_is_found_by_itself_or_by_a_pattern(text: str, path: str, is_meant: bool) -> None:
    assert finder(text)(path) is is_meant
