"""How many requests one bucket is asked at a time: more while more helps, half when it refuses or does not answer.

| it sees | it does |
|---|---|
| a full round of answers, and that the last growth brought a higher rate | grows: first by a half, later by an eighth |
| that answers take longer than they have to | grows no further than to what it began with |
| that the last growth brought no more | takes it back, and stays for a while, longer each time |
| 429, 503, a wish to wait, a time-out | halves, once for all that were under way; then goes back to just below |
| | that number, half of the way at a time, and stays there for a while, longer each time |
| a wish to wait | lets nobody begin before that, two seconds at most |
| many failures in a row | a few at a time ask whether OSS is back; the first answer lets everybody go |

A round is as many answers as may be under way. Only rounds in which somebody had to wait count: where less is asked
for than is allowed, more would change nothing. Arithmetic over moments that others take; the unit is a second.
"""

from __future__ import annotations

import math
from typing import Final

CEILING: Final = 256  # where nobody says: with an answer in 150 ms, 1,700 a second
START: Final = 128  # at first: with an answer in 20 ms that is 6,400 a second, more than one core sends
FLOOR: Final = 2  # one alone could not tell a slow answer from none
FALL: Final = 2  # as TCP does: what many share settles only if each gives way by a factor
QUICK, STEP = 2, 8  # shares by which it grows: until something speaks against it, and from then on
ROUND: Final = 8  # answers at least; the rate of fewer says nothing
ROUNDS: Final = 4  # whose rate is taken: what begins at once is answered at once, and one round is too bumpy
GAIN: Final = 0.5  # of what it grows by must come back as rate: less is noise, or a longer queue at the same counter
CROWD: Final = 1.25  # answers that take so much longer than the shortest wait for each other: more would wait longer
REST, REST_MAX = 0.5, 16.0  # seconds between two tries for more: the first, and the longest
TOLD: Final = 32  # refusals; fewer, as of one wave, are healed and nothing to tell
HEEDED: Final = 2.0  # seconds that all heed a wish to wait; whoever heard a longer one, of one object, waits alone


class Concurrency:
    """Of one bucket. `limit` may be under way at a time, unless it is `away`."""

    def __init__(self, ceiling: int, many: int, few: int) -> None:
        """Never more than `ceiling`. From `many` failures in a row on, `few`."""
        self.limit = min(ceiling, START)
        self.lowest = self.limit
        self.refusals = 0  # answers that said: too many
        self._answers = self._held = 0  # for good; and those that came while others had to wait because of refusals
        self.carried = 0  # bytes, of all requests: whoever sends them counts them here
        self.until = -math.inf  # nobody begins before
        self._ceiling = ceiling
        self._many, self._few = many, few
        self._row = 0  # failures since the last answer
        self._has_fallen = False  # since the last answer: where none is answered, it does not matter how many ask
        self._is_quick = True  # nothing has spoken against growth
        self._wall = math.inf  # the number at which it was refused last, until that is tried again
        self._rest, self._stays = REST, -math.inf  # how long the next rest is, and until when this one goes on
        self._before: tuple[int, tuple[float, float]] | None = None  # limit and rates before the growth on trial
        self._told = 0.0  # how long it was asked to wait last: no growth shows sooner than that that it is too much
        self._changed = -math.inf  # when the limit was changed last
        self._since = math.inf  # when this round began
        self._count = self._bytes = 0  # answers of it; bytes before it
        self._took, self._shortest = 0.0, math.inf  # seconds: of them together; of the shortest ever

    @property
    def is_away(self) -> bool:
        """Whether OSS has answered nobody lately."""
        return self._row >= self._many

    def workers(self) -> int:
        """How many there is use for now: more would only wait for each other."""
        return self.limit

    @property
    def has_slowed(self) -> bool:
        """Whether refusals made the whole run slower: for a tenth of its answers others had to wait."""
        return self.refusals >= TOLD and self._held * 10 >= self._answers

    def open(self, now: float) -> int:
        """How many may be under way now."""
        if now < self.until:
            return 0
        return min(self._few, self.limit) if self._row >= self._many else self.limit

    def answered(self, begun: float, now: float, *, wanted: bool) -> None:
        """An answer for good. `wanted`: others wait, or as many are under way as may be."""
        self._row, self._has_fallen = 0, False
        self._answers += 1
        self._shortest = min(self._shortest, now - begun)
        self._held += wanted and self.refusals > 0 and self.limit < self._ceiling
        if not wanted or self.limit >= self._ceiling:
            self._since = math.inf
        elif self._since == math.inf:
            if begun >= self._changed:  # the first that shows how it goes with this limit
                self._begin_round(now)
        else:
            self._count += 1
            self._took += now - begun
            if self._count >= max(self.limit, ROUND) * (ROUNDS if self._wall == math.inf else 1):
                self._end_round(now)

    def refused(self, begun: float, now: float, delay: float = 0.0) -> None:
        """An answer that says: too many. `delay` is how long it asks to wait."""
        self.refusals += 1
        self._told = min(delay, HEEDED)
        if delay:
            self.until = max(self.until, now + self._told)
        self.timed_out(begun, now)

    def timed_out(self, begun: float, now: float) -> None:
        """No answer in time."""
        if begun >= self._changed and not self._has_fallen:
            self._has_fallen = True
            self._wall = self.limit
            self._before, self._stays, self._is_quick = None, now, False
            self._set(max(min(FLOOR, self._ceiling), self.limit // FALL), now)
            self.lowest = min(self.lowest, self.limit)
        self.failed()

    def failed(self) -> None:
        """No answer, or one that asks to come again, for a reason that has nothing to do with how many ask."""
        self._row += 1

    def _begin_round(self, now: float) -> None:
        self._since, self._count, self._took, self._bytes = now, 0, 0.0, self.carried

    def _end_round(self, now: float) -> None:
        """Grows, or has a reason not to."""
        seconds = max(now - self._since, 1e-6)
        is_crowded = self._took > self._count * self._shortest * CROWD
        rates = self._count / seconds, (self.carried - self._bytes) / seconds
        self._begin_round(now)
        if self._before:
            (limit, before), self._before = self._before, None
            least = 1 + (self.limit / limit - 1) * GAIN
            if any(new > old * least for new, old in zip(rates, before, strict=True)):
                self._rest = REST
            else:
                self._is_quick = False
                self._stay(now)
                self._set(limit, now)
        if now < max(self._stays, self._changed + self._told):
            return
        if self.limit + 1 >= self._wall:  # as many as it took last time: what comes is a try
            self._wall = math.inf
            self._stay(now)
        elif self._wall < math.inf:
            self._set(self.limit + max(1, int(self._wall - 1 - self.limit) // 2), now)
        elif self.limit < START or not is_crowded:
            self._before = self.limit, rates
            more = max(1, self.limit // (QUICK if self._is_quick else STEP))
            self._set(min(self.limit + more, self._ceiling), now)

    def _stay(self, now: float) -> None:
        self._stays, self._rest = now + self._rest, min(self._rest * 2, REST_MAX)

    def _set(self, limit: int, now: float) -> None:
        self.limit, self._changed, self._since = limit, now, math.inf
