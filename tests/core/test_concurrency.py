"""How many requests at a time: by made-up clocks, and against made-up buckets that run in simulated time."""

import heapq
import itertools
import math
import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.concurrency import FLOOR, HEEDED, REST_MAX, START, TOLD, Concurrency
from backup_action.core.patience import Allowance, Patience

MANY, FEW = Patience().many, Patience().few
CEILING = 256


def concurrency(ceiling: int = CEILING) -> Concurrency:
    return Concurrency(ceiling, MANY, FEW)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["answered", "unwanted", "refused", "timed_out", "failed"]),
        st.floats(0, 1),  # seconds since the event before
        st.floats(0, 1),  # seconds that it took
        st.floats(0, 5),  # what the bucket asks to wait
    ),
    max_size=200,
)
Event = tuple[str, float, float, float]


def happen(one: Concurrency, event: Event, now: float) -> None:
    what, _, took, delay = event
    if what in ("answered", "unwanted"):
        one.answered(now - took, now, wanted=what == "answered")
    elif what == "refused":
        one.refused(now - took, now, delay)
    elif what == "timed_out":
        one.timed_out(now - took, now)
    else:
        one.failed()


@given(st.integers(1, 512), EVENTS)
def test_it_stays_within_its_bounds_and_each_event_moves_it_only_its_own_way(ceiling: int, events: list[Event]) -> None:
    one, now = concurrency(ceiling), 0.0
    for event in events:
        now += event[1]
        before = one.limit
        happen(one, event, now)
        assert min(FLOOR, ceiling) <= one.limit <= ceiling
        assert one.open(now) in (0, min(FEW, one.limit), one.limit)
        assert one.open(now + HEEDED) > 0, "nobody waits for ever"
        if event[0] in ("unwanted", "failed"):
            assert one.limit == before
        elif event[0] != "answered":
            assert one.limit <= before
        assert one.lowest <= one.limit


@given(st.integers(1, 512), EVENTS)
def test_who_is_refused_once_more_is_never_allowed_more_at_that_moment(ceiling: int, events: list[Event]) -> None:
    one, now = concurrency(ceiling), 0.0
    for event in events:
        now += event[1]
        happen(one, event, now)
    allowed = one.open(now)
    one.refused(now, now)
    assert one.open(now) <= allowed


def warm(one: Concurrency, rounds: int, now: float, took: float = 0.1) -> float:
    """So many rounds of answers, each as many as may be under way and all of `took` seconds; the time after that."""
    for _ in range(rounds):
        many = one.limit
        for number in range(many):
            one.answered(now + number * took / many, now + took + number * took / many, wanted=True)
        now += took
    return now


def test_it_begins_as_high_as_it_may_up_to_its_start() -> None:
    assert [concurrency(ceiling).limit for ceiling in (1, 7, START, 500)] == [1, 7, START, START]


def test_it_grows_while_more_bring_more() -> None:
    one = concurrency()
    warm(one, 40, 0.0)  # an answer takes as long however many there are
    assert one.limit == CEILING


def test_it_does_not_grow_where_nobody_waits() -> None:
    one = concurrency()
    for number in range(10_000):
        one.answered(number * 0.01, number * 0.01 + 0.1, wanted=False)
        assert one.limit == START


def test_what_brings_nothing_is_taken_back_and_tried_more_and_more_seldom() -> None:
    """A thousand a second, however many ask: with so many under way, an answer takes as long as that takes."""
    one, now, tries = Concurrency(CEILING, MANY, FEW), 0.0, []
    one.refused(0.0, 0.0)  # below its start it tries whatever the time that answers take
    for _ in range(60_000):
        now += 0.001
        before = one.limit
        one.answered(now - one.limit / 1000, now, wanted=True)
        if one.limit > before:
            tries.append(now)
    assert one.limit <= START * 9 // 8 < CEILING
    late = [now for now in tries if now > 30]
    assert 0 < len(late) <= 30 / REST_MAX + 2


def test_beyond_its_start_it_does_not_grow_while_answers_wait_for_each_other() -> None:
    one, now = concurrency(), 0.0
    one.answered(now, now + 0.02, wanted=True)  # so short it can be
    warm(one, 100, 1.0, took=0.04)
    assert one.limit == START
    warm(one, 40, 100.0, took=0.021)
    assert one.limit == CEILING


def test_all_that_were_under_way_halve_it_once() -> None:
    one = concurrency()
    for _ in range(MANY - 1):
        one.refused(0.0, 1.0)
    assert one.limit == START // 2
    one.refused(0.5, 2.0)
    assert one.limit == START // 2, "it began before"
    one.answered(0.5, 2.0, wanted=True)
    one.refused(1.0, 2.0)
    assert one.limit == START // 4
    one.timed_out(2.0, 3.0)
    assert one.limit == START // 4, "nothing was answered since"
    one.answered(2.0, 3.0, wanted=True)
    one.timed_out(2.0, 3.0)
    assert one.limit == START // 8
    assert one.lowest == one.limit and one.refusals == MANY + 1


def test_it_falls_no_further_than_to_two() -> None:
    one = concurrency()
    for now in range(100):
        one.answered(now, now, wanted=True)
        one.refused(now, now)
    assert one.limit == one.lowest == FLOOR


def test_a_wish_to_wait_is_everybodys_but_not_for_long() -> None:
    one = concurrency()
    one.refused(9.0, 10.0, 0.3)
    assert one.open(10.29) == 0 and one.open(10.31) == START // 2
    one.refused(9.0, 10.1, 60)
    assert one.open(10.1 + HEEDED - 0.01) == 0 and one.open(10.1 + HEEDED + 0.01) > 0
    one.refused(9.0, 10.2, 0.1)
    assert one.open(10.1 + HEEDED - 0.01) == 0, "a later wish does not shorten one before"


def test_other_failures_say_nothing_of_how_many_there_may_be() -> None:
    one = concurrency()
    for _ in range(MANY - 1):
        one.failed()
    assert one.open(0.0) == START and not one.is_away


def test_while_nobody_is_answered_a_few_ask_and_the_first_answer_lets_everybody_go() -> None:
    one = concurrency()
    for now in range(100):
        one.timed_out(now, now + 0.5)
        assert one.is_away is (now >= MANY - 1) and one.open(now + 0.5) == (FEW if one.is_away else START // 2)
    one.answered(200.0, 200.1, wanted=True)
    assert one.open(200.1) == START // 2, "an outage does not make it forget how many there may be"
    one.timed_out(200.0, 200.2)
    assert one.open(200.2) == START // 4


@pytest.mark.parametrize("ceiling", [1, 3])
def test_those_few_are_no_more_than_there_may_be(ceiling: int) -> None:
    one = concurrency(ceiling)
    for _ in range(MANY):
        one.failed()
    assert one.is_away and one.open(0.0) == ceiling


def test_one_wave_of_refusals_has_slowed_nothing() -> None:
    one = concurrency(START)
    for _ in range(TOLD):
        one.refused(0.0, 0.1)
    for number in range(5000):
        one.answered(number, number, wanted=False)
    assert not one.has_slowed


# -- made-up buckets, in simulated time


@dataclass
class AtATime:
    """Carries out so many at a time."""

    most: int
    seconds: float
    delay: float = 0.05
    now: int = 0

    def begin(self, _: float) -> tuple[bool, float, float]:
        is_taken = self.now < self.most
        self.now += is_taken
        return is_taken, self.seconds, 0.0 if is_taken else self.delay

    def end(self) -> None:
        self.now -= 1


@dataclass
class PerSecond:
    """Carries out so many in each second of the clock."""

    most: int
    seconds: float
    begun: dict[int, int] = field(default_factory=dict)

    def begin(self, now: float) -> tuple[bool, float, float]:
        second = math.floor(now)
        begun = self.begun[second] = self.begun.get(second, 0) + 1
        return begun <= self.most, self.seconds, max(0.0, second + 1 - now) if begun > self.most else 0.0

    def end(self) -> None:
        pass


Bucket = AtATime | PerSecond


class Run:
    """A run of many small requests, with the patience that a real one has. Raises where that does not do."""

    def __init__(self, bucket: Bucket, seed: int) -> None:
        self.concurrency = concurrency()
        self.bucket = bucket
        self.answered = self.refused = 0
        self._dice = random.Random(seed)
        self._allowance = Allowance(Patience().allowance)
        self._queue: deque[tuple[int, float]] = deque()  # the number of the try, and the pause before it
        self._inside = 0
        self._events: list[tuple[float, int, str, tuple[float, ...]]] = []
        self._number = itertools.count()

    def until(self, end: float) -> None:
        """Asks without a pause up to that moment."""
        for _ in range(0 if self._events else CEILING):
            self._queue.append((1, 0.0))
        self._admit(0.0)
        while self._events[0][0] < end:
            now, _, what, facts = heapq.heappop(self._events)
            if what == "send":
                self._send(now, int(facts[0]))
            elif what == "end":
                self._end(now, *facts)
            elif what == "again":
                self._queue.append((int(facts[0]), 0.0))
            self._admit(now)

    def _push(self, at: float, what: str, *facts: float) -> None:
        heapq.heappush(self._events, (at, next(self._number), what, facts))

    def _admit(self, now: float) -> None:
        while self._queue and self._inside < self.concurrency.open(now):
            attempt, pause = self._queue.popleft()
            self._inside += 1
            self._push(now + (pause if self.concurrency.is_away else 0.0), "send", attempt)
        if self._queue and now < self.concurrency.until:
            self._push(self.concurrency.until, "admit")

    def _send(self, now: float, attempt: int) -> None:
        is_taken, seconds, delay = self.bucket.begin(now)
        self._push(now + seconds * (0.9 + 0.2 * self._dice.random()), "end", attempt, now, is_taken, delay)

    def _end(self, now: float, attempt: float, begun: float, is_taken: float, delay: float) -> None:
        if is_taken:
            self.bucket.end()
            self.concurrency.answered(begun, now, wanted=bool(self._queue) or self._inside >= self.concurrency.limit)
            self._allowance.answered()
            self.answered += 1
            self._queue.append((1, 0.0))
        else:
            self.refused += 1
            self.concurrency.refused(begun, now, delay)
            assert self._allowance.spend() and attempt < Patience().tries, "a file would have failed"
            pause = Patience().pause(int(attempt), delay, self._dice.random())
            if self.concurrency.is_away:
                self._queue.append((int(attempt) + 1, pause))
            else:
                self._push(now + pause, "again", attempt + 1)
        self._inside -= 1


@pytest.mark.parametrize("seconds", [0.02, 0.1])
@pytest.mark.parametrize("most", [2, 8, 32, 100])
def test_a_bucket_that_takes_so_many_at_a_time_is_met(most: int, seconds: float) -> None:
    """Twice the start is refused until the number is found; then less than one in a hundred, for tries."""
    run = Run(AtATime(most, seconds), seed=most)
    run.until(20)
    answered, refused = run.answered, run.refused
    assert refused <= 2 * START
    run.until(40)
    assert run.refused - refused <= 5 + (run.answered - answered) / 100
    assert run.answered - answered >= 0.9 * 20 * most / seconds
    assert run.concurrency.has_slowed


@pytest.mark.parametrize("seconds", [0.02, 0.1])
@pytest.mark.parametrize("most", [20, 200, 1000])
def test_a_bucket_that_takes_so_many_in_a_second_is_met(most: int, seconds: float) -> None:
    """In each second it refuses at most those that are under way when it has had enough."""
    run = Run(PerSecond(most, seconds), seed=most)
    run.until(30)
    assert run.answered >= 0.9 * 30 * most
    assert run.refused <= 3 * START + 30 * max(FLOOR, most * seconds)
    assert run.concurrency.limit <= max(FLOOR, 2 * most * seconds)


@pytest.mark.parametrize("most", [2, 16])
def test_when_the_bucket_takes_more_again_it_is_asked_more(most: int) -> None:
    bucket = AtATime(most, 0.05)
    run = Run(bucket, seed=1)
    run.until(30)
    assert run.concurrency.limit <= most + 1
    bucket.most = 10_000
    run.until(60)
    assert run.concurrency.limit >= START
    refused = run.refused
    run.until(90)
    assert run.refused == refused and run.concurrency.limit == CEILING
