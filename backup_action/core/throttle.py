"""When bytes may be sent so that no more than so many leave in a second, whoever sends them. Arithmetic only."""

from __future__ import annotations

import math
from typing import Final

SLACK: Final = 0.1  # seconds that a sender may be late without losing its turn
PIECE: Final = 0.05  # seconds' worth that is sent in one go
PIECE_MIN, PIECE_MAX = 512, 1 << 20  # bytes


class Throttle:
    """Turns at a rate. What is sent begins within `SLACK` and one piece of the even flow: there are no bursts."""

    def __init__(self, rate: int) -> None:
        """`rate` is bytes a second."""
        self.rate = rate
        self.piece = min(max(int(rate * PIECE), PIECE_MIN), PIECE_MAX)
        self._free = -math.inf  # when everything that has a turn is sent

    def take(self, size: int, now: float) -> float:
        """Takes the next turn for `size` bytes; gives the seconds to wait for it. First come, first served."""
        turn = max(self._free, now - SLACK)
        self._free = turn + size / self.rate
        return max(0.0, turn - now)
