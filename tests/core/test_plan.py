"""The decision: each row of the table, and the merge against a plain model."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.entry import Entry, Sort, order
from backup_action.core.found import Found, unchanged
from backup_action.core.plan import Step, compare, decide
from backup_action.core.problem import Kind
from backup_action.core.stored import Stored

FOUND = Found(0, "x", "x", "x", Sort.FILE, 3, 0o644, 10, 11, 12, 13)
KNOWN = Entry(
    "x", Sort.FILE, "x", 3, 0o644, 10, 11, 12, 13, sha256="s", crc64=1, version="v", etag="E", last_modified=99
)
THERE = Stored("x", 3, "E", 99)
new = msgspec.structs.replace
TOUCHED = new(FOUND, mtime_ns=77)
GONE = new(KNOWN, gone=True)
FOLDER, LINK = new(FOUND, kind=Sort.FOLDER), new(FOUND, kind=Sort.LINK, target="y")


@pytest.mark.parametrize(
    ("found", "known", "there", "in_reach", "step", "drift"),
    [
        (FOUND, KNOWN, THERE, True, Step.KEEP, None),
        (TOUCHED, KNOWN, THERE, True, Step.READ, None),
        (FOUND, new(KNOWN, racy=True), THERE, True, Step.READ, None),
        (FOUND, new(KNOWN, stale=True), THERE, True, Step.READ, None),
        (FOUND, KNOWN, None, True, Step.SEND, Kind.DRIFT_MISSING),
        (TOUCHED, KNOWN, None, True, Step.SEND, Kind.DRIFT_MISSING),
        (FOUND, KNOWN, new(THERE, size=4), True, Step.SEND, Kind.DRIFT_REPLACED),
        (FOUND, KNOWN, new(THERE, etag="F"), True, Step.ADOPT, Kind.DRIFT_REPLACED),
        (FOUND, KNOWN, new(THERE, last_modified=100), True, Step.ADOPT, Kind.DRIFT_REPLACED),
        (FOUND, new(KNOWN, last_modified=0), THERE, True, Step.KEEP, None),
        (FOUND, new(KNOWN, kind=Sort.LINK), THERE, True, Step.READ, None),
        (FOUND, new(KNOWN, kind=Sort.LINK), new(THERE, etag="F"), True, Step.ADOPT, None),
        (FOUND, new(KNOWN, kind=Sort.LINK, etag=""), THERE, True, Step.ADOPT, None),
        (None, new(KNOWN, kind=Sort.LINK), THERE, True, Step.GONE, None),
        (None, new(KNOWN, kind=Sort.LINK), None, True, Step.DROP, None),
        (None, new(KNOWN, kind=Sort.LINK), THERE, False, Step.STALE, None),
        (FOUND, None, None, True, Step.SEND, None),
        (FOUND, None, THERE, True, Step.ADOPT, None),
        (FOUND, None, new(THERE, size=4), True, Step.SEND, None),
        (FOLDER, None, None, True, Step.NOTE, None),
        (LINK, KNOWN, THERE, True, Step.NOTE, None),
        (None, KNOWN, THERE, True, Step.GONE, None),
        (None, KNOWN, None, True, Step.DROP, None),
        (None, KNOWN, new(THERE, etag="F"), True, Step.DROP, None),
        (None, new(KNOWN, kind=Sort.FOLDER), None, True, Step.DROP, None),
        (None, GONE, THERE, True, Step.GONE, None),
        (None, GONE, THERE, False, Step.GONE, None),
        (None, GONE, None, False, Step.DROP, None),
        (None, GONE, new(THERE, etag="F"), True, Step.DROP, None),
        (FOUND, GONE, THERE, True, Step.READ, None),
        (FOUND, GONE, None, True, Step.SEND, None),
        (FOUND, GONE, new(THERE, etag="F"), True, Step.ADOPT, None),
        (None, KNOWN, THERE, False, Step.STALE, None),
        (None, new(KNOWN, kind=Sort.FOLDER), None, False, Step.STALE, None),
        (None, KNOWN, None, False, Step.LOST, Kind.DRIFT_MISSING),
        (None, KNOWN, new(THERE, etag="F"), False, Step.LOST, Kind.DRIFT_REPLACED),
        (None, None, THERE, True, Step.FOREIGN, None),
    ],
)
def test_every_row_of_the_table(found, known, there, in_reach, step, drift) -> None:  # type: ignore[no-untyped-def]
    item = decide(found, known, there, in_reach=in_reach)
    assert (item.step, item.drift) == (step, drift)
    assert (item.there is not None) == (step is Step.ADOPT or (step is Step.DROP and there is not None))
    if step in (Step.SEND, Step.ADOPT):
        assert item.known is None, "what must be sent has no entry to fall back to in the bucket"


def test_what_a_run_wrote_that_never_committed_is_no_drift() -> None:
    replaced = new(THERE, size=4, last_modified=100)
    assert decide(FOUND, KNOWN, replaced, unfinished=100).drift is None
    assert decide(FOUND, KNOWN, replaced, unfinished=101).drift is Kind.DRIFT_REPLACED
    assert decide(FOUND, KNOWN, None, unfinished=0).drift is Kind.DRIFT_MISSING, "removals come after a commit"


@pytest.mark.parametrize("field", ["size", "mtime_ns", "ctime_ns", "dev", "inode"])
def test_each_part_of_the_metadata_counts(field: str) -> None:
    assert unchanged(FOUND, KNOWN)
    assert not unchanged(new(FOUND, **{field: 5}), KNOWN)


def test_the_listing_tells_the_time_of_an_object_once() -> None:
    item = decide(FOUND, new(KNOWN, last_modified=0), THERE)
    assert item.known is not None and item.known.last_modified == 99


places = st.lists(st.text("ab/!0", min_size=1, max_size=4).filter(lambda t: t[-1] != "/"), unique=True, max_size=9)


@given(places, places, places)
def test_every_path_is_on_one_pile(disk: list[str], parent: list[str], bucket: list[str]) -> None:
    found = sorted((new(FOUND, path=p, place=p) for p in disk), key=lambda f: f.order)
    known = sorted((new(KNOWN, path=p, place=p) for p in parent), key=order)
    there = sorted((new(THERE, key=p) for p in bucket), key=lambda s: s.key)
    items = list(compare(found, known, there, lambda _: True))
    model = [
        decide(
            next((f for f in found if f.place == p), None),
            next((k for k in known if k.place == p), None),
            next((s for s in there if s.key == p), None),
        )
        for p in sorted({*disk, *parent, *bucket})
    ]
    assert items == model


def test_a_folder_out_of_reach_keeps_what_the_parent_had_below_it() -> None:
    known = [new(KNOWN, path=p, place=p) for p in ("a/x", "b/x", "c")]
    there = [new(THERE, key=p) for p in ("a/x", "b/x", "c")]
    items = list(compare([], known, there, lambda at: not at.startswith("b/")))
    assert [item.step for item in items] == [Step.GONE, Step.STALE, Step.GONE]


def test_what_the_bucket_lost_is_still_known_to_have_been() -> None:
    """So that the next run can tell new content from what a run that was killed has sent already."""
    assert decide(FOUND, KNOWN, new(THERE, etag="F")).was == KNOWN
    assert decide(FOUND, KNOWN, None).was == KNOWN
    assert decide(FOUND, GONE, None).was is None and decide(FOUND, None, THERE).was is None
    assert decide(FOUND, new(KNOWN, kind=Sort.LINK), None).was is None
