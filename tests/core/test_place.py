"""Keys from paths: the table of `place`, and the bijection on hostile names."""

import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backup_action.core import place
from backup_action.core.place import Root
from backup_action.core.problem import Kind, Stop

names = st.binary(min_size=1, max_size=40).filter(lambda b: b not in (b".", b"..") and not set(b) & {0, 0x2F})
paths = st.lists(names, min_size=1, max_size=6).map(lambda parts: b"/".join(parts).decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("given_path", "destination"),
    [
        ("data/x", "data/x"),
        ("./data/x", "data/x"),
        ("/srv/mt5/x", "srv/mt5/x"),
        (".", ""),
        ("data/one.csv", "data/one.csv"),
        ("data/x => other/place", "other/place"),
        ("../up => up", "up"),
        ("data/ => .", ""),
        ("a//b/./c", "a/b/c"),
        ("//srv/x", "srv/x"),
    ],
)
def test_a_path_goes_where_the_table_says(given_path: str, destination: str) -> None:
    assert place.roots((given_path,)) == (Root(given_path.split(" => ")[0].strip(), destination),)


@pytest.mark.parametrize("line", ["../up", "x => ../y", " => y", "..", "a/../.."])
def test_a_path_outside_of_the_prefix_is_refused(line: str) -> None:
    with pytest.raises(Stop) as stop:
        place.roots((line,))
    assert stop.value.problem.kind is Kind.SETTING_MALFORMED
    assert stop.value.problem.where == "paths"


@pytest.mark.parametrize("lines", [("a", "a"), ("a", "a/b"), ("a/b", "a"), (".", "a"), ("x => a", "./a"), ("/a", "a")])
def test_two_roots_with_one_place_are_refused(lines: tuple[str, str]) -> None:
    with pytest.raises(Stop) as stop:
        place.roots(lines)
    assert stop.value.problem.kind is Kind.PATHS_OVERLAP


def test_neighbours_with_a_common_beginning_do_not_overlap() -> None:
    assert len(place.roots(("data", "data2", "data.csv"))) == 3


@given(paths)
@example(".oss-backup/x")
@example("%2Eoss-backup/x")
@example("\\x")
@example("a%2Fb")
@example(".oss-backup")
@example("a\x7f\x85")
@example("x/.oss-backup")
def test_a_key_gives_its_path_back(path: str) -> None:
    coded = place.code(path)
    assert place.uncode(coded) == path
    coded.encode("utf-8")
    assert coded.isprintable() or not any(c < " " or "\x7f" <= c <= "\x9f" for c in coded)
    assert not coded.startswith((".oss-backup/", "\\", "/")) and coded != ".oss-backup"


@given(st.lists(paths, unique=True, max_size=8))
def test_different_paths_have_different_keys(some: list[str]) -> None:
    for room in (60, 1023):
        assert len({place.key(path, room) for path in some}) == len(some)


@given(paths, st.integers(min_value=40, max_value=1023))
def test_a_key_fits_its_room(path: str, room: int) -> None:
    key = place.key(path, room)
    assert 0 < len(key.encode()) <= room
    assert place.is_cut(key) == (key != place.code(path))


@given(names.map(lambda b: b.decode("utf-8", "surrogateescape")), paths)
def test_a_segment_is_coded_alike_alone_and_in_a_path(name: str, above: str) -> None:
    assert place.code(posixpath.join(above, name)) == place.code(above) + "/" + place.code_name(name)


def test_a_cut_key_is_marked_and_keeps_its_beginning() -> None:
    key = place.key("d/" + "é" * 600, 1023)
    assert key.startswith("d/é") and place.is_cut(key) and len(key.encode()) <= 1023
