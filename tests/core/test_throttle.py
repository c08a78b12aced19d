"""Turns at a rate, by a clock that is made up."""

import heapq
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_action.core.throttle import SLACK, Throttle

RATES = st.integers(1024, 10**9)


@given(RATES, st.lists(st.tuples(st.floats(0, 3), st.integers(0, 1 << 20)), max_size=60))
def test_no_time_sees_more_than_its_share(rate: int, asked: list[tuple[float, int]]) -> None:
    """Between any two beginnings: at most the rate, and what `SLACK` is worth."""
    throttle, now, begun = Throttle(rate), 0.0, []
    for gap, size in asked:
        now += gap
        begun.append((now + throttle.take(size, now), size))
    for (first, (begin, _)), (last, (end, _)) in itertools.combinations(enumerate(begun), 2):
        sent = sum(size for _, size in begun[first:last])
        assert sent <= rate * (end - begin + SLACK) * (1 + 1e-9) + 1


@given(RATES)
def test_a_piece_is_short(rate: int) -> None:
    """With the slack a burst is below a quarter of a second, but where that is less than a request's head."""
    throttle = Throttle(rate)
    assert throttle.piece / rate + SLACK < 0.25 or throttle.piece == 512


@pytest.mark.parametrize("rate", [2_000, 100_000, 3_000_000, 40_000_000])
@pytest.mark.parametrize("senders", [1, 2, 8, 128])
def test_senders_that_are_always_ready_get_the_whole_rate(rate: int, senders: int) -> None:
    """Although none of them is on time: timers are late, and the line takes a moment."""
    throttle, dice = Throttle(rate), random.Random(rate)
    ready = [(dice.random() * 0.04, number) for number in range(senders)]
    heapq.heapify(ready)
    sent = end = 0.0
    while end < 20:
        now, number = heapq.heappop(ready)
        begin = now + throttle.take(throttle.piece, now)
        sent, end = sent + throttle.piece, max(end, begin)
        heapq.heappush(ready, (begin + dice.random() * 0.04, number))
    assert 0.95 * rate * end <= sent + throttle.piece * senders
    assert sent - throttle.piece <= rate * (end + SLACK)


def test_who_waited_long_has_saved_nothing_up() -> None:
    throttle = Throttle(1000)
    throttle.take(1000, 0)
    assert throttle.take(100, 500) == 0
    assert round(throttle.take(100, 500), 6) == round(0.1 - SLACK, 6)
    assert round(throttle.take(100, 500), 6) == round(0.2 - SLACK, 6)


WINDOW = 2.0  # seconds; what `SLACK` allows is a twentieth of that


def flow(rate: int, senders: int, seed: int, seconds: float = 12) -> list[tuple[float, int]]:
    """When pieces begin, and how long they are: many senders, each with something to send but late by up to 0.05 s.

    What a small request sends is shorter than a piece.
    """
    throttle, dice = Throttle(rate), random.Random(seed)
    ready = [(dice.random() * 0.05, number) for number in range(senders)]
    heapq.heapify(ready)
    begun: list[tuple[float, int]] = []
    while not begun or begun[-1][0] < seconds:
        now, number = heapq.heappop(ready)
        size = dice.choice((throttle.piece, throttle.piece, dice.randrange(1, throttle.piece + 1)))
        begin = now + throttle.take(size, now)
        begun.append((begin, size))
        heapq.heappush(ready, (begin + dice.random() * 0.05, number))
    return sorted(begun)


@given(st.integers(2_000, 20_000_000), st.sampled_from([2, 8, 128]), st.integers(0, 10**6))
@settings(max_examples=20)
def test_any_window_of_two_seconds_is_within_a_twentieth_of_the_limit(rate: int, senders: int, seed: int) -> None:
    """But for one piece at its edge: while there is always something to send, no less; and never more."""
    begun, piece = flow(rate, senders, seed), Throttle(rate).piece
    sums = list(itertools.accumulate((size for _, size in begun), initial=0))
    last = 0
    for first, (begin, _) in enumerate(begun):
        while last < len(begun) and begun[last][0] < begin + WINDOW:
            last += 1
        if last == len(begun):
            break
        sent = sums[last] - sums[first]
        assert sent <= rate * WINDOW * 1.05 + piece
        assert sent >= rate * WINDOW * 0.95 - piece
