"""When a run has to be over. The clock is an argument: any that only goes forward, in seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec

GRACE: Final = 60.0  # seconds between the end of sending and the end of everything


class Deadline(msgspec.Struct, frozen=True):
    """Two ends: at the soft one nothing new is sent, `grace` later nothing is tried any more."""

    clock: Callable[[], float]
    end: float = math.inf  # the soft one, by the clock
    grace: float = GRACE

    @classmethod
    def after(cls, minutes: float, clock: Callable[[], float], grace: float = GRACE) -> Deadline:
        """Begins now. 0 minutes: never."""
        return cls(clock, clock() + minutes * 60 if minutes else math.inf, grace)

    def is_past(self) -> bool:
        """The soft end: true from the given minutes on. Commit what is there."""
        return self.clock() >= self.end

    def until(self) -> float | None:
        """Seconds to the soft end, at least 0; None where there is none."""
        return None if self.end == math.inf else max(0.0, self.end - self.clock())

    def left(self) -> float:
        """Seconds to the hard end; not above 0 when it is past, infinite when there is none."""
        return self.end + self.grace - self.clock()


NEVER: Final = Deadline(lambda: 0.0)
