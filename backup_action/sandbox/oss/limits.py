"""How many requests the sandbox's OSS carries out: at a time, and in a second. Beyond that it refuses, as OSS does.

| knob | answer beyond it | how long it asks to wait |
|---|---|---|
| `at_a_time` | 503 ActiveRequestLimitExceeded | 50 ms |
| `per_second` | 503 TotalQpsLimitExceeded | until the next second begins |

Unlike the fault `throttle`, whether a request is refused hangs on how many others there are. A refused request takes
the knob `latency` too, but no place. The codes are those of the page on HTTP status code 503 in the OSS documentation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ..world import World
from .failure import Failure

DELAY = "x-oss-qos-delay-time"
WAIT = 50  # milliseconds


class Limits:
    """Counts what is carried out now, and in this second."""

    def __init__(self, world: World, clock: Callable[[], float] = time.monotonic) -> None:
        self._world = world
        self._clock = clock
        self._now = 0
        self._second = 0
        self._begun = 0

    def enter(self) -> None:
        """Takes a place, to be given back by `leave`; Failure if there is none."""
        knobs = self._world.knobs
        if knobs.at_a_time and self._now >= knobs.at_a_time:
            raise _refused("ActiveRequestLimitExceeded", "The number of active requests exceeds the limit.", WAIT)
        now = self._clock()
        if math.floor(now) != self._second:
            self._second, self._begun = math.floor(now), 0
        if knobs.per_second and self._begun >= knobs.per_second:
            left = math.ceil((self._second + 1 - now) * 1000)
            raise _refused("TotalQpsLimitExceeded", "The total QPS exceeds the limit. Please retry later.", left)
        self._begun += 1
        self._now += 1

    def leave(self) -> None:
        """Gives a place back."""
        self._now -= 1


def _refused(code: str, message: str, wait: int) -> Failure:
    return Failure(503, code, message, headers={DELAY: str(wait)})
