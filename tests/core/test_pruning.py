"""What prune decides, and what keeps it from it; what is needed, and the tombstone's format."""

import hashlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import names, pruning, rights, tombstone
from backup_action.core.entry import Entry, Sort, beside, order
from backup_action.core.leftovers import HISTORY, Leftovers, Needs, Versions, sha256_of
from backup_action.core.names import Names
from backup_action.core.problem import Kind, Stop
from backup_action.core.pruning import SLACK, Fate, Standing, decide
from backup_action.core.retention import AHEAD, COVERED, FUTURE, LAST, Dated, Verdict
from backup_action.core.snapshot import FORMAT, Head, Snapshot, Writer
from backup_action.core.tombstone import Leftover, Marked, State, Tombstone, Unreadable

DAY = 86_400.0
NOW = 1_800_000_000.0
IDS = [f"20260101T00000{number}Z-00000000" for number in range(10)]


def verdict(number: int, *, kept: bool, reason: str = "") -> Verdict:
    return Verdict(Dated(IDS[number], number, 0), kept, [reason or (LAST if kept else COVERED)])


def standing(state: State, since: float, *numbers: int) -> Standing:
    marks = [Marked(IDS[number], number, []) for number in numbers]
    told = Tombstone(tombstone.FORMAT, IDS[0], "s", "tree", "", "", state, marks)
    return Standing(told, int(since))


def test_the_fate_follows_from_the_rules_and_the_marks() -> None:
    verdicts = [verdict(number, kept=number > 3) for number in range(7)]
    marks = [
        standing(State.MARKED, NOW - DAY, 0, 5),  # the grace is over to the second
        standing(State.MARKED, NOW - DAY + 1, 1),
        standing(State.REMOVING, NOW, 2, 6),  # it was over when that began
        standing(State.DONE, 0, 3),
    ]
    plan = decide(verdicts, marks, NOW, DAY)
    assert [fate for _, fate in plan.fates] == [
        Fate.REMOVED, Fate.WAITING, Fate.REMOVED, Fate.MARKED, Fate.KEPT, Fate.LIFTED, Fate.LIFTED,
    ]  # fmt: skip
    assert plan.removes and [one.state for one in plan.begun] == [State.REMOVING]
    assert [len(plan.of(Fate.REMOVED)), plan.ids(Fate.MARKED)] == [2, [IDS[3]]]


def test_a_mark_from_the_future_is_not_due() -> None:
    assert not standing(State.MARKED, NOW + 10 * DAY, 0).is_due(NOW, DAY)


def test_a_removal_that_began_goes_on_though_no_snapshot_is_left() -> None:
    assert decide([verdict(9, kept=True)], [standing(State.REMOVING, NOW, 0)], NOW, DAY).removes
    assert not decide([verdict(9, kept=True)], [standing(State.MARKED, 0, 0)], NOW, DAY).removes


def refused(kind: Kind, **facts: str) -> "pytest.RaisesExc[Stop]":
    return pytest.raises(Stop, check=lambda stop: (stop.problem.kind, stop.problem.facts) == (kind, facts))


def test_the_newest_and_the_newest_complete_are_never_removed() -> None:
    pruning.refuse_newest([verdict(2, kept=True), verdict(1, kept=False)], IDS[2])
    with refused(Kind.PRUNE_NEWEST):
        pruning.refuse_newest([verdict(2, kept=False), verdict(1, kept=True)], IDS[1])
    with refused(Kind.PRUNE_NEWEST):  # one from the future is not the newest
        pruning.refuse_newest([verdict(3, kept=True, reason=FUTURE), verdict(2, kept=False)], "")
    with refused(Kind.PRUNE_NEWEST, cause="complete"):
        pruning.refuse_newest([verdict(2, kept=True), verdict(1, kept=False)], IDS[1])


@pytest.mark.parametrize("fate", [Fate.MARKED, Fate.REMOVED])
def test_more_than_the_limit_at_once_is_refused(fate: Fate) -> None:
    def plan(gone: int, whole: int) -> pruning.Plan:
        verdicts = [verdict(number, kept=number >= gone) for number in range(whole)]
        future = [verdict(9, kept=True, reason=FUTURE)]
        state = State.REMOVING if fate is Fate.REMOVED else State.DONE
        return decide([*verdicts, *future], [standing(state, 0, *range(gone))], NOW, DAY)

    pruning.refuse_many(plan(4, 8), 50)
    with refused(Kind.PRUNE_MANY, count="5", whole="8", percent="62", limit="50"):
        pruning.refuse_many(plan(5, 8), 50)
    with refused(Kind.PRUNE_MANY, count="4", whole="7", percent="57", limit="50"):
        pruning.refuse_many(plan(4, 7), 50)
    pruning.refuse_many(plan(7, 8), 100)
    with refused(Kind.PRUNE_MANY, count="1", whole="8", percent="12", limit="0"):
        pruning.refuse_many(plan(1, 8), 0)


def test_a_clock_that_cannot_be_right_is_refused() -> None:
    for ours in (NOW - AHEAD, NOW, NOW + AHEAD):
        pruning.refuse_clock(ours, NOW, [])
    for ours in (NOW - AHEAD - 1, NOW + AHEAD + 1):
        with refused(Kind.PRUNE_CLOCK, cause="far", hours="25"):
            pruning.refuse_clock(ours, NOW, [])
    pruning.refuse_clock(NOW, NOW, [int(NOW) + SLACK, int(NOW) + AHEAD + 1])
    with refused(Kind.PRUNE_CLOCK, hours="1.0"):
        pruning.refuse_clock(NOW, NOW, [5, int(NOW) + 3600])


def snapshot(entries: list[Entry]) -> Snapshot:
    writer = Writer(Head(FORMAT, IDS[1], 1, "s", "tree", "", "", []))
    for entry in sorted(entries, key=order):
        writer.add(entry)
    return Snapshot(writer.finish({}, complete=True)[0])


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def file(path: str, content: str, version: str = "", *, gone: bool = False) -> Entry:
    return Entry(path, Sort.FILE, path, len(content), sha256=sha(content), version=version, etag="E", gone=gone)


def test_what_a_kept_snapshot_names_is_no_leftover_whatever_sort_of_entry_names_it() -> None:
    link = beside(Entry("c", Sort.LINK, "c", target="x"), file("c", "link", "v3"))
    needs = Needs()
    needs.read(snapshot([file("a", "one", "v1"), file("b", "gone", "v2", gone=True), link, file("d", "plain")]))
    left = Leftovers(needs)
    left.read(snapshot([file("a", "one", "v0"), file("b", "gone", "v2"), file("c", "link", "v3"), file("z", "plain")]))
    left.read(snapshot([file("a", "old", "v0"), file("q", "null", "null"), Entry("dir", Sort.FOLDER, "dir")]))
    assert not any(one._open for one in left._versions), "one for each snapshot: none holds what it has"
    assert [(one.key, one.version) for one in left.versions()._rest] == []
    assert left.has_versions and len(left) == 3
    assert [left.has_content(sha(text)) for text in ("one", "gone", "link", "plain", "old", "null")] == [
        False, False, False, False, True, True,
    ]  # fmt: skip
    seen = left.versions()
    assert [seen.has(*row) for row in (("a", "v0"), ("a", "v1"), ("b", "v2"), ("c", "v3"), ("q", "null"))] == [
        True, False, False, False, False,
    ]  # fmt: skip


def test_a_forged_snapshot_names_nothing_of_the_catalogue() -> None:
    left = Leftovers(Needs())
    key = f".oss-backup/snapshots/{IDS[1]}.jsonl.zst"
    left.read(snapshot([file(key, "x", "v1"), Entry("y", Sort.FILE, "y", sha256="no digest")]))
    left.take([Leftover(key, "v1", 1)])
    assert not left.has_versions


def test_a_list_is_held_against_what_is_needed_now() -> None:
    needs = Needs()
    needs.read(snapshot([file("a", "came back", "v1")]))
    left = Leftovers(needs)
    kept = [f"{HISTORY}{sha(text)[:2]}/{sha(text)}" for text in ("came back", "goes")]
    left.take([*(Leftover(key, "", 1) for key in kept), Leftover("a", "v1", 1), Leftover("a", "v2", 1)])
    assert [left.has_content(sha(text)) for text in ("came back", "goes")] == [False, True]
    assert [left.versions().has("a", version) for version in ("v1", "v2")] == [False, True]
    assert [needs.has(Leftover(kept[0])), needs.has(Leftover(kept[1])), needs.has(Leftover("a", "v1"))] == [
        True, False, True,
    ]  # fmt: skip


def test_a_key_of_the_history_is_told_by_its_whole_shape() -> None:
    good = f"{HISTORY}{sha('x')[:2]}/{sha('x')}"
    assert sha256_of(good) == sha("x")
    for key in (good + "0", good[:-1], good.upper(), f"t/{good}", f"{HISTORY}00/{sha('x')}", f"{HISTORY}zz"):
        assert sha256_of(key) == ""


KEYS = st.text(st.sampled_from("ab/é\U0001f600"), min_size=1, max_size=4)


@given(
    st.lists(st.sets(st.tuples(KEYS, st.sampled_from("123"))), max_size=4),
    st.sets(st.tuples(KEYS, st.sampled_from("1234"))),
)
def test_versions_held_against_a_listing_are_those_of_both(
    piles: list[set[tuple[str, str]]], rows: set[tuple[str, str]]
) -> None:
    left = Leftovers(Needs())
    for pile in piles:
        left.take(sorted((Leftover(*row, 1) for row in pile), key=lambda one: one.key))
    assert not any(one._open for one in left._versions), "one for each list"
    asked: Versions = left.versions()
    assert {row for row in sorted(rows) if asked.has(*row)} == rows & set().union(*piles)


@given(st.lists(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 2**64 - 1)))
def test_names_are_a_set(some: list[int], others: list[int]) -> None:
    told, model = Names(), set[int]()
    for digest in some:
        assert told.add(digest) == ((digest or 1) not in model)
        model.add(digest or 1)
    assert len(told) == len(model)
    assert [digest in told for digest in some + others] == [(digest or 1) in model for digest in some + others]


def test_names_are_a_set_beyond_their_first_room() -> None:
    rng = random.Random(1)
    some = [rng.getrandbits(64) for _ in range(20_000)]
    near = [number << 20 for number in range(20_000)]  # and where digests are no digests
    told = Names()
    for digest in some + near:
        told.add(digest)
    assert all(digest in told for digest in some + near) and len(told) == 40_000
    assert not any(digest + 1 in told for digest in near[1:])
    assert names.of_version("a", "b1") != names.of_version("ab", "1")


STONES = st.builds(
    Tombstone, st.just(tombstone.FORMAT), st.sampled_from(IDS), st.text(), st.text(), st.text(), st.text(),
    st.sampled_from(State), st.lists(st.builds(Marked, st.sampled_from(IDS), st.integers(0), st.lists(st.text()))),
    st.text(), st.integers(0), st.integers(0), st.lists(st.from_regex(r"\A[0-9a-f]{64}\Z")),
    st.lists(st.sampled_from([f"{id}-{n}" for id in IDS for n in ("0", "12-merged")])),
)  # fmt: skip


@given(STONES)
def test_a_tombstone_comes_back(told: Tombstone) -> None:
    assert tombstone.decode(tombstone.encode(told)) == told


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"format": "oss-backup/tombstone/2"}',
        b"\xff",
        b'{"format": 1}',
        b'{"format":"\xff"}',
    ],
)
def test_what_is_no_tombstone_is_told(data: bytes) -> None:
    with pytest.raises(Unreadable):
        tombstone.decode(data)


def test_a_field_that_is_not_known_is_an_error() -> None:
    data = tombstone.encode(standing(State.MARKED, 0, 1).tombstone)
    with pytest.raises(Unreadable):
        tombstone.decode(data.replace(b'"source"', b'"more": 1, "source"'))


@given(st.lists(st.builds(Leftover, st.text(), st.text(), st.integers(0, 2**53)), max_size=50))
def test_a_list_comes_back(told: list[Leftover]) -> None:
    data, digest = tombstone.encode_list(told)
    assert list(tombstone.decode_list(data, digest)) == told


def test_an_altered_list_is_an_error_before_the_first_line() -> None:
    data, digest = tombstone.encode_list([Leftover("a", "v", 1)])
    for wrong in (data[:-1], data + b"x", b""):
        with pytest.raises(Unreadable, match="another digest"):
            tombstone.decode_list(wrong, digest)
    junk = b"junk"
    with pytest.raises(Unreadable, match="malformed"):
        list(tombstone.decode_list(junk, hashlib.sha256(junk).hexdigest()))


@pytest.mark.parametrize("delete", [False, True])
@pytest.mark.parametrize("length", [0, 1, 60, 110, 511])
def test_the_session_of_a_prune_fits_whatever_the_prefix(delete: bool, length: int) -> None:
    text = rights.policy("prune", "b" * 63, "数" * (length // 3) + "/" * bool(length), delete=delete)
    assert len(text) <= rights.POLICY_MAX
    assert delete or length > 100 or "Delete" not in text


@pytest.mark.parametrize("prefix", ["", "p/", "p" * 500 + "/"])
def test_the_session_of_a_prune_deletes_no_object_under_its_own_key(prefix: str) -> None:
    told = json.loads(rights.policy("prune", "b", prefix, delete=True))["Statement"]
    places = {action: one["Resource"] for one in told for action in one["Action"]}
    ours = f"acs:oss:*:*:b/{prefix}.oss-backup/"
    for action in ("oss:GetObject", "oss:PutObject", "oss:DeleteObject"):
        assert places[action] and all(place.startswith(ours) for place in places[action])
    assert places["oss:DeleteObjectVersion"] == [f"acs:oss:*:*:b/{prefix}*"]
    assert not any("oss:GetObjectVersion" in one["Action"] for one in told)
