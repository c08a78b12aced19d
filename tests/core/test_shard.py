"""Shares of the paths: each path in just one, whatever the machine; and parts that fit together, or do not."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import ledger, shard
from backup_action.core.address import PREFIX_MAX
from backup_action.core.alarm import Census, Counted
from backup_action.core.counts import Counts
from backup_action.core.entry import Entry, Sort
from backup_action.core.found import Found
from backup_action.core.place import Root
from backup_action.core.plan import NEVER, compare, own
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.report import Draft
from backup_action.core.reread import CIRCLE
from backup_action.core.rights import POLICY_MAX, policy
from backup_action.core.shard import FORMAT, Met, Part
from backup_action.core.snapshot import Head, Parent, Snapshot, Unreadable, Writer
from backup_action.core.stored import Stored
from backup_action.core.tally import Tally
from backup_action.core.verification import Share
from backup_action.transfer.merging import Gathered, take_in
from backup_action.vault.shards import last

NAMES = st.binary(min_size=1, max_size=20).map(lambda name: name.decode("utf-8", "surrogateescape"))
PATHS = st.lists(NAMES, min_size=1, max_size=6).map("/".join)


def part(number: int = 1, of: int = 2, **changes: object) -> Part:
    tally = Tally()
    tally.open_roots(1)
    made = Part(
        format=FORMAT, id="20261122T180000Z-6c5f0a26", group="g", number=number, of=of, source="s", layout="tree",
        roots=[Root("a", "b")], parent=None, rules="r", began=1.5, digest="d", complete=True, goes_on=0, within=0,
        too_large=0, unread=0, scan=Met({}, []), own=Met({}, []), sums=tally.sums(), census=Counted(),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


@given(PATHS, st.integers(1, shard.MOST))
def test_every_path_is_in_just_one_share(path: str, of: int) -> None:
    shares = [shard.share(f"{number}/{of}") for number in range(1, of + 1)]
    assert sum(share is not None and share.has(path) for share in shares) == 1


def test_the_split_is_one_that_anybody_can_compute() -> None:
    """Written down: another split would let a new release share a run with an old one, each with other paths."""
    paths = ["t/a.csv", "t/数据.csv", "t", "", "t/\udcff", "d/e/f/g"]
    assert [[Share(n, 8).has(path) for n in range(1, 9)].index(True) + 1 for path in paths] == [3, 1, 6, 5, 1, 1]


def test_shares_are_about_equal() -> None:
    counts = [sum(Share(n, 8).has(f"folder/{at}.csv") for at in range(8000)) for n in range(1, 9)]
    assert min(counts) > 850 and max(counts) < 1150


@given(st.sets(PATHS, max_size=12), st.sets(PATHS, max_size=12), st.sets(PATHS, max_size=6), st.integers(1, 9))
def test_the_items_of_all_shares_are_those_of_a_whole_plan(
    on_disk: set[str], known: set[str], unread: set[str], of: int
) -> None:
    """For any disk and parent, whatever cannot be looked at: nothing is planned twice, and nothing by nobody."""

    def planned(share: Share | None) -> list[tuple[str, str]]:
        found = [Found(0, p, p, p, Sort.FILE, 1, 0, 0, 0, 0, 0) for p in sorted(on_disk)]
        entries = [Entry(p, Sort.FILE, p, 1, etag="E") for p in sorted(known)]
        items = compare(found, entries, (), lambda path: path not in unread, NEVER)
        return [(item.path, item.step.value) for item in (own(items, share.has) if share else items)]

    apart = [planned(Share(number, of)) for number in range(1, of + 1)]
    assert sorted(one for some in apart for one in some) == sorted(planned(None))


@pytest.mark.parametrize("text", ["1/1", "2/8", "256/256", "02/8"])
def test_a_shard_is_one_of_several(text: str) -> None:
    assert shard.check(text) == text.lstrip("0")


@pytest.mark.parametrize("text", ["0/8", "9/8", "1/257", "1", "/", "a/b", "1/8/2", "-1/8", "1/0", "", "１/８"])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="n-th of t"):
        shard.check(text)


@pytest.mark.parametrize("text", ["", "a/b", ".a", "..", "-a", "a" * 65, "a b", "a\n", "数"])
def test_a_group_is_a_plain_name(text: str) -> None:
    with pytest.raises(ValueError, match="letters"):
        shard.group(text)
    assert shard.group("1700000000") == "1700000000" and shard.group("night-2026.11_22")


def test_a_part_is_read_as_it_was_written_and_nothing_else_is_read() -> None:
    told = Met({Kind.FILE_UNREADABLE: 3, Kind.ALARM_SILENT: 1}, [Problem(Kind.FILE_UNREADABLE, "数", {"reason": "x"})])
    made = part(3, 8, own=told, parent=Parent("i", "d"), census=Counted(5, 4, 3, 2, "e", ["csv"], {"locked": 2}))
    data = shard.encode(made)
    assert shard.decode(data) == made
    for bad in (
        data.replace(b'"oss-backup-shard/1"', b'"oss-backup-shard/2"'), data.replace(b'"within"', b'"other"'),
        data.replace(b'"number":3', b'"number":9'), data.replace(b"file.unreadable", b"file.unknown"), data[:-9], b"[]",
        data.replace(b'"roots":[{"source":"a","destination":"b"}]', b'"roots":[]'), b"\xff", b"",
    ):  # fmt: skip
        with pytest.raises(shard.Unreadable):
            shard.decode(bad)


def test_entries_of_a_shard_are_no_snapshot_and_a_snapshot_is_no_shard() -> None:
    for format, other in ((FORMAT, "oss-backup/1"), ("oss-backup/1", FORMAT)):
        data, _ = Writer(Head(format, "i", 1, "s", "tree", "c", "v", [])).finish({}, complete=True)
        assert Snapshot(data, format).id == "i"
        with pytest.raises(Unreadable, match="its format"):
            Snapshot(data, other)


@given(st.integers(1, 40), st.data())
def test_a_missing_shard_is_named(of: int, data: st.DataObject) -> None:
    ended = data.draw(st.sets(st.integers(1, of)))
    begun = ended | data.draw(st.sets(st.integers(1, of)))
    missing = set(range(1, of + 1)) - ended
    if not missing:
        shard.refuse_missing("g", [of] * len(begun), begun, ended)
        return
    with pytest.raises(Stop) as stop:
        shard.refuse_missing("g", [of] * len(begun), begun, ended)
    facts = stop.value.problem.facts
    assert stop.value.problem.kind is Kind.SHARDS_MISSING
    assert (facts.get("cause") == "none") == (not begun)
    if begun:
        assert facts["missing"] == shard.ranges(sorted(missing))
        assert facts.get("begun", "") == shard.ranges(sorted(begun - ended))


def test_a_path_in_the_part_of_another_shard_is_damage() -> None:
    writer = Writer(Head(FORMAT, "i", 1, "s", "tree", "c", "v", []))
    paths = sorted(path for path in map(str, range(20)) if Share(1, 2).has(path))
    for path in paths:
        writer.add(Entry(path, Sort.FOLDER, path))
    entries = Snapshot(writer.finish({}, complete=True)[0], FORMAT)
    assert [entry.path for entry in Gathered([], [part(1)], [entries]).merged()] == paths
    with pytest.raises(Stop) as stop:
        list(Gathered([], [part(2)], [entries]).merged())
    assert stop.value.problem.kind is Kind.SHARD_DAMAGED


def test_of_a_shard_the_last_attempt_counts_whether_or_not_it_ended() -> None:
    rows = [Stored(name, 1, "E", 1) for name in (
        "1-of-2.1.begun", "1-of-2.1.json", "1-of-2.1.jsonl.zst", "1-of-2.10.begun", "1-of-2.9.begun", "1-of-2.9.json",
        "2-of-2.1.begun", "2-of-2.1.json", "2-of-3.1.begun", "2-of-2.2.other", "x",
    )]  # fmt: skip
    told = [(one.name, one.ended and one.ended.key) for one in last(rows)]
    assert told == [("1-of-2.10", None), ("2-of-2.1", "2-of-2.1.json"), ("2-of-3.1", None)]


def test_places_out_of_reach_count_once_for_all_shards() -> None:
    draft = Draft("merge", "v", 0.0)
    take_in(Gathered([], [part(1, unread=3), part(2, unread=3)], []), draft, (Root("a", "b"),))
    assert draft.tally.total().files_failed == 3


def test_numbers_are_told_as_people_write_them() -> None:
    assert [shard.ranges(numbers) for numbers in ([], [2], [1, 2, 3, 5, 7, 8])] == ["", "2", "1-3, 5, 7-8"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"roots": [Root("a", "c")]}, "paths"),
        ({"rules": "other"}, "exclude, include, follow-symlinks"),
        ({"parent": Parent("i", "d")}, "parent"),
    ],
)
def test_parts_that_are_about_different_things_make_no_snapshot(change: dict[str, object], what: str) -> None:
    shard.refuse_different([part(1), part(2)])
    with pytest.raises(Stop) as stop:
        shard.refuse_different([part(1), part(2, **change)])
    assert stop.value.problem.kind is Kind.SHARDS_DIFFER
    assert stop.value.problem.facts == {"what": what, "given": "1 and 2"}


def test_groups_of_two_sizes_make_no_snapshot() -> None:
    with pytest.raises(Stop) as stop:
        shard.refuse_missing("g", [8, 8, 4], [1, 2], [1, 2])
    assert stop.value.problem.facts == {"what": "shard", "given": "4 and 8"}


@given(st.integers(0, CIRCLE - 1), st.lists(st.integers(0, CIRCLE // 2), min_size=1, max_size=8))
def test_the_next_run_reads_again_from_where_the_slowest_shard_came_to(start: int, widths: list[int]) -> None:
    parts = [part(goes_on=(start + width) % CIRCLE) for width in widths]
    assert shard.goes_on(parts, start) == (start + min(widths)) % CIRCLE


def test_what_scans_met_counts_once_and_what_shards_met_adds_up() -> None:
    scan = [Problem(Kind.FILE_SPECIAL, "a"), Problem(Kind.FILE_SPECIAL, "b")]
    tally = Tally()
    for problem in scan:
        tally.tell(problem)
    before = shard.met(tally)
    tally.tell(Problem(Kind.FILE_CHANGING, "c\udcff", {"reason": "\udcfe"}))
    since = shard.met(tally, before)
    assert since == Met({Kind.FILE_CHANGING: 1}, [Problem(Kind.FILE_CHANGING, "c\\xff", {"reason": "\\xfe"})])
    both = shard.together([part(1, scan=before, own=since), part(2, scan=before, own=since)])
    assert both.counts == {Kind.FILE_SPECIAL: 2, Kind.FILE_CHANGING: 2}
    assert [one.where for one in both.problems] == ["a", "b", "c\\xff", "c\\xff"]


def test_tallies_and_censuses_add_up() -> None:
    whole, total, census, counted = Tally(), Tally(), Census(()), Census(())
    for tally in (whole, total):
        tally.open_roots(2)
    for number in (0, 1):
        one, few = Tally(), Census(())
        one.open_roots(2)
        for tally in (one, whole):
            tally.sent(number, 10, 4)
            tally.reread_same(1, 3)
            tally.gone(0)
            tally.failed(None, size=2)
            tally.folders += 1
            tally.links += 2
            tally.foreign += 3
            tally.stored += 5
        for some in (few, census):
            some.sent(_new("x.locked"), Entry("x.locked", Sort.FILE, "x.locked", dense=True))
        total.take_in(one.sums())
        counted.take_in(few.counted())
    assert total == whole
    assert total.total() == Counts(6, 2, 2, 2, 2, 30, 8)
    assert counted.counted() == census.counted() == Counted(came={"locked": 2})


def _new(path: str):  # type: ignore[no-untyped-def]
    (item,) = compare([Found(0, path, path, path, Sort.FILE, 1, 0, 0, 0, 0, 0)], (), (), lambda path: True)
    return item


@pytest.mark.parametrize("layout", ["tree", "vault"])
@pytest.mark.parametrize("delete", [False, True])
def test_a_merge_may_remove_what_shards_left_and_read_no_pack(layout: str, delete: bool) -> None:
    told = json.loads(policy("merge", "b", "p/", layout=layout, delete=delete))["Statement"]
    rights = {action: one["Resource"] for one in told for action in one["Action"]}
    removes_all = delete and layout == "tree"
    assert rights["oss:DeleteObject"] == [f"acs:oss:*:*:b/p/{'*' if removes_all else '.oss-backup/shards/*'}"]
    assert ("acs:oss:*:*:b/p/.oss-backup/history/*" in rights["oss:PutObject"]) == removes_all
    assert "oss:DeleteObjectVersion" not in rights and not any("packs" in one for one in rights["oss:PutObject"])
    if layout == "vault":
        assert all("/.oss-backup/" in one and "packs" not in one for one in rights["oss:GetObject"])
    for length in range(0, PREFIX_MAX, 7):
        assert len(policy("merge", "b" * 63, "x" * length + "/", layout=layout, delete=delete)) <= POLICY_MAX


def test_a_shard_is_in_no_ledger_and_a_merge_is_a_backup_there() -> None:
    assert [ledger.recorded_as(command) for command in ("backup", "merge", "prune", "notify", "snapshots")] == [
        "backup", "backup", "prune", "", "",
    ]  # fmt: skip
    assert ledger.recorded_as("backup", is_shard=True) == ""
