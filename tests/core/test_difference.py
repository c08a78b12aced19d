"""Two snapshots side by side: held against a model that has both whole in memory."""

from collections import Counter, defaultdict

from catalogues import CONTENTS, entries, entry
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.difference import difference, pairs
from backup_action.core.entry import Entry, Sort, order, told
from backup_action.core.listing import DifferenceRow


def same(old: Entry, new: Entry) -> bool:
    if old.kind is not new.kind:
        return False
    if old.kind is Sort.LINK:
        return old.target == new.target
    return old.kind is Sort.FOLDER or (old.sha256, old.size) == (new.sha256, new.size)


def size(one: Entry) -> int:
    return one.size if one.kind is Sort.FILE else 0


def sha(one: Entry) -> str:
    return one.sha256 if one.kind is Sort.FILE else ""


def model(before: list[Entry], after: list[Entry]) -> list[DifferenceRow]:
    olds, news = ({order(one): one for one in some if not one.gone} for some in (before, after))
    rows: dict[str, DifferenceRow] = {}
    came, went = defaultdict(list), defaultdict(list)
    for key in sorted(olds.keys() | news.keys()):
        old, new = olds.get(key), news.get(key)
        one = new or old
        assert one
        if one.kind is Sort.FOLDER or (old and new and same(old, new)):
            continue
        if old and new:
            rows[key] = DifferenceRow("changed", *told(new.path), new.kind.value, size(new), size(old), sha(new))
        elif new:
            rows[key] = DifferenceRow("added", *told(new.path), new.kind.value, size(new), 0, sha(new))
            came[sha(new)].append(key)
        elif old:
            rows[key] = DifferenceRow("removed", *told(old.path), old.kind.value, 0, size(old), sha(old))
            went[sha(old)].append(key)
    for digest in came.keys() & went.keys():
        for to, start in zip(came[digest], went[digest], strict=False):
            new, old = news[to], olds[start]
            if digest and new.size:
                del rows[start]
                rows[to] = DifferenceRow(
                    "moved", *told(new.path), "file", new.size, old.size, digest, *told(old.path)
                )  # fmt: skip
    return [rows[key] for key in sorted(rows)]


@given(entries(), entries())
def test_the_rows_are_those_of_the_model(before: list[Entry], after: list[Entry]) -> None:
    found, expected = difference(before, after), model(before, after)
    assert list(found.rows) == expected
    for what in ("added", "changed", "moved", "removed"):
        rows = [row for row in expected if row.what == what]
        amount = sum(row.bytes_before if what == "removed" else row.bytes for row in rows)
        assert (found.sum(what).files, found.sum(what).bytes) == (len(rows), amount)


@given(entries(), entries())
def test_what_is_no_row_is_counted(before: list[Entry], after: list[Entry]) -> None:
    found = difference(before, after)
    olds, news = ({order(one): one for one in some if not one.gone} for some in (before, after))
    folders = [{key for key, one in some.items() if one.kind is Sort.FOLDER} for some in (olds, news)]
    assert (found.folders_removed, found.folders_added) == (len(folders[0] - folders[1]), len(folders[1] - folders[0]))
    both = [(olds[key], news[key]) for key in olds.keys() & news.keys() if same(olds[key], news[key])]
    touched = [o for o, n in both if o.mode != n.mode or (o.kind is not Sort.FOLDER and o.mtime_ns != n.mtime_ns)]
    assert found.metadata == len(touched)


@given(entries())
def test_a_snapshot_and_itself_do_not_differ(some: list[Entry]) -> None:
    found = difference(some, some)
    assert (len(found.rows), found.metadata, found.folders_added, found.folders_removed) == (0, 0, 0, 0)


@given(entries(), entries())
def test_both_ways_tell_the_same(before: list[Entry], after: list[Entry]) -> None:
    there, back = difference(before, after), difference(after, before)
    assert there.files["added"] == back.files["removed"] and there.files["moved"] == back.files["moved"]
    assert there.files["changed"] == back.files["changed"]


@given(entries(), entries())
def test_both_streams_are_read_once_and_in_order(before: list[Entry], after: list[Entry]) -> None:
    met = list(pairs(iter(before), iter(after)))
    keys = [order(new or old) for old, new in met if new or old]  # type: ignore[arg-type]
    assert keys == sorted(set(keys)) and keys == sorted({order(one) for one in [*before, *after]})
    assert [old for old, _ in met if old] == before and [new for _, new in met if new] == after


@given(st.permutations(range(6)))
def test_of_several_with_one_content_each_goes_with_one(turn: list[int]) -> None:
    sha256, amount = CONTENTS[1]
    before = [entry(f"a{number}", sha256=sha256, size=amount) for number in range(4)]
    after = [entry(f"b{number}", sha256=sha256, size=amount) for number in sorted(turn[:3])]
    rows = list(difference(before, after).rows)
    assert Counter(row.what for row in rows) == {"moved": 3, "removed": 1}
    assert [row.was for row in rows if row.what == "moved"] == ["a0", "a1", "a2"]


def test_the_content_of_chunks_is_told_by_them_where_there_is_no_digest() -> None:
    one, two = (entry("a", size=5, chunks=[name]) for name in ("x", "y"))
    assert [row.what for row in difference([one], [two]).rows] == ["changed"]
    assert not len(difference([one], [one]).rows)
