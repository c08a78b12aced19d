"""The alarms of a run: who is silent, who is not; and what looks random."""

import gzip
import os
import random
from array import array
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import alarm
from backup_action.core.alarm import Census, is_dense, suffix, usual_of
from backup_action.core.entry import Entry, Sort
from backup_action.core.found import Found
from backup_action.core.place import Root
from backup_action.core.plan import Item, Step
from backup_action.core.problem import Kind, Problem
from backup_action.core.recent import PastRun

ROOTS = (Root("data", "data"),)
new = msgspec.structs.replace


def known(path: str, *, dense: bool = False, sha256: str = "old", size: int = 4096) -> Entry:
    return Entry(path, Sort.FILE, path, size, sha256=sha256, dense=dense)


def on_disk(path: str) -> Found:
    return Found(0, path, path, path, Sort.FILE, 4096, 0, 0, 0, 0, 0)


def past(*sent: int, files: int = 1000) -> list[PastRun]:
    """Runs that sent so many files, the first of all of them ahead."""
    return [
        PastRun(f"202611{n + 1:02}T180000Z-1a2b3c4d", 1, files, 1, s, 1, True) for n, s in enumerate((files, *sent))
    ]


QUIET = past(5, 0, 9, 3, 7)


Counted = Mapping[str, int]
NONE: Counted = MappingProxyType({})


def census(
    kept: int = 0, rewritten: int = 0, turned: int = 0, touched: int = 0, removed: int = 0, came: Counted = NONE,
    dense_before: int = 0,
) -> Census:  # fmt: skip
    """A run over a tree of `.csv` files of which so many were treated so."""
    made = Census(ROOTS)
    number = 0
    rows = [("kept", kept), ("rewritten", rewritten), ("turned", turned), ("touched", touched), ("gone", removed)]
    for how, count in [*rows, ("dense", dense_before)]:
        for _ in range(count):
            number += 1
            before = known(f"data/{number}.csv", dense=how == "dense")
            step = Step.KEEP if how == "kept" else Step.GONE if how == "gone" else Step.READ
            item = Item(step, None if how == "gone" else on_disk(before.path), before)
            made.look(item)
            if how in ("rewritten", "turned", "dense"):
                made.sent(item, new(before, sha256="new", dense=how != "rewritten"))
    for ending, count in came.items():
        for _ in range(count):
            number += 1
            item = Item(Step.SEND, on_disk(f"data/{number}.csv{ending}"))
            made.look(item)
            made.sent(item, known(f"data/{number}.csv{ending}", dense=True))
    return made


def alarms(made: Census, recent: list[PastRun] = QUIET, percent: int = 30) -> list[Problem]:
    return made.alarms(recent, len(recent), percent, "20261122T180000Z-1a2b3c4d")


def kinds(made: Census, recent: list[PastRun] = QUIET, percent: int = 30) -> list[Kind]:
    return [problem.kind for problem in alarms(made, recent, percent)]


CHANGED, ENCRYPTED = [Kind.ALARM_CHANGED], [Kind.ALARM_ENCRYPTED]


def test_far_more_than_usual_is_an_alarm_that_says_how_much() -> None:
    [told] = alarms(census(kept=600, rewritten=400))
    assert told.kind is Kind.ALARM_CHANGED
    facts = {"changed": "400", "files": "1000", "percent": "40", "usual": "7", "limit": "30"}
    assert told.facts == {**facts, "snapshot": "20261122T180000Z-1a2b3c4d"}


@pytest.mark.parametrize(
    ("made", "recent"),
    [
        (census(kept=700, rewritten=300), QUIET),  # no more than the limit
        (census(kept=1, rewritten=99), QUIET),  # a small tree
        (census(rewritten=1000), past(950, 940, 990)),  # rewritten each night
        (census(rewritten=1000), past(*[0, 0, 0, 0, 0, 0, 990] * 4)),  # or each week
        (census(rewritten=1000), past(5, 5)),  # too few runs to know what is usual
        (census(rewritten=1000), past()),
        (census(touched=1000), QUIET),  # a fresh checkout
        (census(came={".csv": 1000}), QUIET),  # new files
        (census(kept=600, removed=400), QUIET),  # what is gone is for `max-shrink`
        (Census(ROOTS), []),
    ],
)
def test_these_are_silent(made: Census, recent: list[PastRun]) -> None:
    assert kinds(made, recent) == []


def test_files_that_turned_random_are_an_alarm_without_any_history() -> None:
    [told] = alarms(census(kept=500, rewritten=10, turned=20), past())
    assert told.kind is Kind.ALARM_ENCRYPTED and told.where == "data/511.csv"
    assert told.facts == {
        "encrypted": "20", "changed": "30", "limit": "30", "snapshot": "20261122T180000Z-1a2b3c4d"
    }  # fmt: skip
    assert kinds(census(turned=19)) == [], "few"
    assert kinds(census(kept=500, rewritten=100, turned=43)) == ENCRYPTED
    assert kinds(census(kept=500, rewritten=100, turned=42)) == [], "no more than the limit"
    assert kinds(census(dense_before=50)) == [], "they were random before"


def test_files_renamed_with_one_new_suffix_are_an_alarm() -> None:
    [told] = alarms(census(kept=100, removed=25, came={".locked": 25}))
    assert told.kind is Kind.ALARM_ENCRYPTED and told.facts["suffix"] == ".locked" and told.where == ""
    assert kinds(census(kept=100, removed=25, came={".gz": 25})) == ENCRYPTED, "as `dense` says; `is_dense` would not"
    assert kinds(census(kept=100, removed=25, came={"": 25})) == [], "the suffix was there before"
    assert kinds(census(kept=100, removed=5, came={".locked": 25})) == [], "new files beside the old"
    assert kinds(census(kept=100, removed=40, came={f".{n}": 1 for n in range(40)})) == [], "not one suffix"
    assert kinds(census(removed=15, turned=15, came={".locked": 15})) == ENCRYPTED, "both together"


def test_at_100_percent_there_is_no_alarm() -> None:
    assert kinds(census(turned=1000, removed=10, came={".x": 10}), percent=100) == []
    assert kinds(census(turned=1000), percent=99) == [*CHANGED, *ENCRYPTED]


def test_what_other_sources_places_lost_does_not_count() -> None:
    made = Census(ROOTS)
    for number in range(50):
        made.look(Item(Step.GONE, None, known(f"elsewhere/{number}.csv")))
    assert (made.known, made.removed) == (0, 0)


def test_what_a_killed_run_sent_before_it_could_commit_counts() -> None:
    """Its objects are adopted by the next run; the last snapshot still has the old content."""
    made = Census(ROOTS)
    for number in range(30):
        before = known(f"data/{number}.csv")
        item = Item(Step.ADOPT, on_disk(before.path), None, was=before)
        made.look(item)
        made.sent(item, new(before, sha256="new", dense=True))
    assert kinds(made) == ENCRYPTED


@given(
    st.integers(0, 400), st.integers(0, 400), st.integers(0, 400), st.integers(0, 99),
    st.lists(st.integers(0, 500), max_size=8),
)  # fmt: skip
def test_more_of_it_never_silences_an_alarm(
    kept: int, rewritten: int, turned: int, percent: int, sent: list[int]
) -> None:
    some, recent = census(kept, rewritten, turned), past(*sent)
    more = census(max(0, kept - 50), rewritten, turned + 50)
    assert set(kinds(some, recent, percent)) <= set(kinds(more, recent, percent))
    assert set(kinds(some, recent, percent + 1)) <= set(kinds(some, recent, percent))


@given(st.integers(0, 19), st.integers(0, 99), st.integers(0, 99))
def test_a_small_tree_never_alarms(turned: int, rewritten: int, percent: int) -> None:
    assert kinds(census(rewritten=min(rewritten, 99 - turned), turned=turned), percent=percent) == []


@given(st.lists(st.integers(0, 10**6), max_size=40))
def test_the_usual_is_one_of_the_runs_and_nine_in_ten_are_no_more(sent: list[int]) -> None:
    recent = past(*sent)[-30:]
    usual = usual_of(recent, len(sent) + 1)
    counted = [run.files_sent for run in (recent[1:] if len(sent) < 30 else recent)]
    if len(counted) < alarm.PAST:
        assert usual is None
    else:
        assert usual in counted and sum(one <= usual for one in counted) >= 0.9 * (len(counted) - 1)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=40))
def test_what_was_copied_on_the_server_is_usual_as_if_it_had_been_sent(told: list[tuple[int, int]]) -> None:
    """Files that take each other's places every week are rewritten, though none of their bytes is sent."""
    runs = past(*(sent for sent, _ in told))
    copied = [msgspec.structs.replace(run, files_copied=more) for run, (_, more) in zip(runs[1:], told, strict=True)]
    same = past(*(sent + more for sent, more in told))
    assert usual_of([runs[0], *copied][-30:], len(told) + 1) == usual_of(same[-30:], len(told) + 1)


NOISE = random.Random(7)
CSV = b"".join(b"%d,%.2f,%.2f\n" % (n, NOISE.gauss(100, 1), NOISE.gauss(5, 2)) for n in range(5000))


@pytest.mark.parametrize("size", [512, 4096, 65536])
def test_random_bytes_are_dense_and_data_is_not(size: int) -> None:
    floats = array("f", [NOISE.gauss(0, 1) for _ in range(16384)]).tobytes()
    assert is_dense("a.csv", os.urandom(size)) and is_dense("a", os.urandom(size))
    assert is_dense("a.csv", gzip.compress(CSV, mtime=0)[:size])
    assert not is_dense("a.csv", CSV[:size])
    assert not is_dense("a.csv", bytes(size))
    assert size < 4096 or not is_dense("a.bin", floats[:size]), "noise in numbers is at 0.93"
    assert not is_dense("a.parquet", os.urandom(size)), "a format that is compressed by itself"


@pytest.mark.parametrize("size", [512, 4000, 16384, 70_000])
@pytest.mark.parametrize("width", [*range(1, 20), 64, 1024, 4096])
@pytest.mark.parametrize("share", [0, 8, 2])
def test_records_of_which_a_part_is_text_are_told_as_zstd_alone_tells_them(size: int, width: int, share: int) -> None:
    """Whatever their width: what is looked at for ASCII is never in step with them."""
    plain = -(-width // share) if share and width > 1 else 0
    noise = random.Random(width).randbytes(size)
    data = bytes(byte & 127 if at % width < plain else byte for at, byte in enumerate(noise))
    sample = data[:65536]
    if len(sample) > 16384:
        sample = b"".join(sample[at : at + 4096] for at in range(0, len(sample), (len(sample) - 4096) // 3))[:16384]
    left = len(zstandard.ZstdCompressor(level=1).compress(sample))
    assert is_dense("a", data) is (left >= 0.99 * len(sample))


def test_what_is_too_short_is_not_judged_and_what_is_long_only_by_its_beginning() -> None:
    assert not is_dense("a.csv", os.urandom(511))
    assert is_dense("a.csv", memoryview(os.urandom(65536) + bytes(1 << 20)))
    assert not is_dense("a.csv", bytes(65536) + os.urandom(1 << 20))


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("d.x/a.CSV", "csv"), ("a.tar.gz", "gz"), ("a", ""), (".bashrc", ""), ("d/.env.locked", "locked"), ("a.", ""),
        ("a." + "x" * 25, ""), ("a.\udcff", "\udcff"),
    ],
)  # fmt: skip
def test_a_suffix(path: str, told: str) -> None:
    assert suffix(path) == told


def test_a_sample_reaches_from_a_files_first_byte_to_the_end_of_its_64_kib() -> None:
    """Each quarter of what is looked at counts: where one is no noise, the file does not look random."""
    noise = os.urandom(64 << 10)
    assert is_dense("a.csv", noise + CSV)
    for at in (0, 20 << 10, 40 << 10, 60 << 10):
        assert not is_dense("a.csv", noise[:at] + bytes(4 << 10) + noise[at + (4 << 10) :])
    for size in range(16_000, 66_000, 777):
        assert is_dense("a.csv", noise[:size])
