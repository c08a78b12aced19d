"""Which snapshot a text means."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.problem import Kind, Stop
from backup_action.core.selector import check, choose

IDS = [
    "20261120T180000Z-6c5f0a01",
    "20261121T180000Z-6c5f0a02",
    "20261121T235959Z-6c5f0a03",
    "20261122T180000Z-6c5f0a04",
]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("latest", 3),
        (IDS[1], 1),
        ("20261120", 0),
        ("20261121T18", 1),
        ("20261121T23", 2),
        ("20261122T180000Z-6", 3),
        ("2026-11-21", 2),
        ("2026-11-22", 3),
        ("2026-11-22T17:59:59Z", 2),
        ("2026-11-22T18:00Z", 3),
        ("2026-11-22T18:00", 3),
        ("2026-11-23T01:59+08:00", 2),
        ("2026-11-23T02:00:00+08:00", 3),
        ("2030-01-01T00:00Z", 3),
    ],
)
def test_a_text_means_one_snapshot(text: str, at: int) -> None:
    assert choose(check(text), IDS) == IDS[at]


@pytest.mark.parametrize(
    ("text", "cause"), [("2026", "many"), ("20261121", "many"), ("2025", ""), ("2026-11-20T17:59Z", "")]
)
def test_none_or_many_are_told(text: str, cause: str) -> None:
    with pytest.raises(Stop) as stop:
        choose(check(text), IDS)
    assert stop.value.problem.kind is Kind.SNAPSHOT_UNKNOWN and stop.value.problem.facts.get("cause", "") == cause
    assert IDS[1] in stop.value.problem.facts["known"]


def test_without_any_snapshot_that_is_told() -> None:
    with pytest.raises(Stop) as stop:
        choose("latest", [])
    assert stop.value.problem.facts == {"cause": "none"}


@pytest.mark.parametrize("text", ["", "newest", "20", "2026-13-01", "20261122T1800Z-", "x" * 99, "2026/11/22", "-1"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="latest"):
        check(text)


SECONDS = st.integers(1_600_000_000, 2_200_000_000)


@given(st.lists(SECONDS, min_size=1, max_size=9, unique=True), SECONDS)
def test_a_time_means_the_newest_begun_by_then(seconds: list[int], asked: int) -> None:
    """Against a plain model."""
    ids = [time.strftime("%Y%m%dT%H%M%SZ-6c5f0a26", time.gmtime(second)) for second in sorted(seconds)]
    expected = [id for second, id in zip(sorted(seconds), ids, strict=True) if second <= asked]
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(asked))
    if expected:
        assert choose(check(text), ids) == expected[-1]
    else:
        with pytest.raises(Stop):
            choose(check(text), ids)
