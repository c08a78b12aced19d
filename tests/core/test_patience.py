"""Pauses, the allowance of a run, and what a Retry-After says."""

import email.utils
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.patience import TOLD_MAX, Allowance, Patience, retry_after

NOW = 1_800_000_000
ROLLS = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 50), st.floats(0, TOLD_MAX), ROLLS)
def test_no_pause_is_shorter_than_told_or_longer_than_twice_that_and_the_longest(
    attempt: int, told: float, roll: float
) -> None:
    patience = Patience()
    pause = patience.pause(attempt, told, roll)
    assert told <= pause <= told + patience.longest


@given(st.floats(0.5, 10))
def test_those_who_are_told_the_same_do_not_return_as_one(told: float) -> None:
    """Of a thousand that are told to wait as long, no tenth of that time sees more than its share come back."""
    back = [Patience().pause(1, told, number / 1000) - told for number in range(1000)]
    for tenth in range(10):
        assert sum(tenth * told / 10 <= pause < (tenth + 1) * told / 10 for pause in back) <= 101


def test_pauses_grow_up_to_the_longest() -> None:
    patience = Patience(first=0.2, longest=10)
    assert [round(patience.pause(attempt, 0, 1), 1) for attempt in range(1, 8)] == [0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]


def test_an_allowance_ends() -> None:
    allowance = Allowance(3)
    assert [allowance.spend() for _ in range(5)] == [True, True, True, False, False]
    allowance.answered()
    assert not allowance.spend(), "half a try is none"
    allowance.answered()
    assert allowance.spend()


def test_an_allowance_is_never_more_than_full() -> None:
    allowance = Allowance(2)
    for _ in range(100):
        allowance.answered()
    assert [allowance.spend() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("seed", range(5))
def test_a_fifth_of_all_requests_failing_never_uses_the_allowance_up(seed: int) -> None:
    dice = random.Random(seed)
    allowance = Allowance(Patience().allowance)
    for _ in range(20_000):
        if dice.random() < 0.2:
            assert allowance.spend()
        else:
            allowance.answered()


def test_a_dead_neighbour_uses_the_allowance_up() -> None:
    allowance = Allowance(Patience().allowance)
    assert sum(allowance.spend() for _ in range(10_000)) == Patience().allowance


def date(seconds: float) -> str:
    return email.utils.formatdate(seconds, usegmt=True)


@pytest.mark.parametrize(
    ("text", "since", "seconds"),
    [
        ("3", "", 3.0),
        (" 3 ", "", 3.0),
        ("0", "", 0.0),
        ("999999999999999999999999", "", TOLD_MAX),
        (date(NOW + 7), "", 7.0),
        (date(NOW + 1007), date(NOW + 1000), 7.0),  # the server's clock is off, and its answer says so
        (date(NOW - 7), "", 0.0),
        (date(NOW + 86_400), "", TOLD_MAX),
        ("", "", 0.0),
        ("soon", "", 0.0),
        ("-3", "", 0.0),
        ("1.5", "", 0.0),
        ("²", "", 0.0),
        ("Wed, 99 Foo 99999999999 99:99:99 GMT", "", 0.0),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(text: str, since: str, seconds: float) -> None:
    assert retry_after(text, since, NOW) == seconds


@given(st.text(), st.text())
def test_a_retry_after_may_be_anything(text: str, since: str) -> None:
    assert 0 <= retry_after(text, since, NOW) <= TOLD_MAX
