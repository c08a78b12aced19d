"""How patient a run is with its neighbours: how long before the next try, and how many tries in all.

| failure | what helps |
|---|---|
| the network, 408, 429, 5xx but 501, `RequestTimeout` | the same request a little later, out of the run's allowance |
| 429 and 503 that say how long | not before that, and not all at the same moment |
| `InvalidDigest` | once more |
| keys that ran out, a clock that is off | new keys, the server's time: not counted as tries |
| anything else that OSS answers | nothing: the first answer stands |
| a proxy that refuses, a certificate that is not accepted | nothing |
"""

from __future__ import annotations

import calendar
import email.utils
from typing import Final

import msgspec

TOLD_MAX: Final = 60.0  # seconds that a server's wish to wait is heeded
GIVEN_BACK: Final = 0.5  # of a try, for each answer


class Patience(msgspec.Struct, frozen=True):
    """How often a request is tried, how long the pauses between may grow, in seconds; and how often a whole run."""

    tries: int = 10
    first: float = 0.2
    longest: float = 10.0
    allowance: int = 500  # tries after the first, of all requests of a run
    many: int = 16  # failures in a row, of all requests, from which on
    few: int = 4  # requests at a time ask whether OSS is back

    def pause(self, attempt: int, told: float, roll: float) -> float:
        """Seconds before the try after `attempt`: what the server `told`, then full jitter by `roll`, 0 to 1.

        Who was told to wait comes back spread over as long again: those told the same must not return as one.
        """
        window = min(self.longest, self.first * 2.0**attempt)
        return told + roll * max(window, min(told, self.longest))


USUAL: Final = Patience()


class Allowance:
    """The tries that a whole run may still repeat. A neighbour that answers gives some of them back."""

    def __init__(self, full: int) -> None:
        """Begins full."""
        self.full = full
        self._left = float(full)

    def spend(self) -> bool:
        """Takes one, if there is one."""
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def answered(self) -> None:
        """Gives back what an answer is worth."""
        self._left = min(float(self.full), self._left + GIVEN_BACK)


def retry_after(text: str, date: str, now: float) -> float:
    """Seconds of a Retry-After, which is a number or a date; 0 when it is neither, `TOLD_MAX` at most.

    A date is held against the answer's own `date`, so that nobody's clock matters; without one against `now`.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), TOLD_MAX)
    until, since = _moment(text), _moment(date)
    if until is None:
        return 0.0
    return min(max(until - (now if since is None else since), 0.0), TOLD_MAX)


def _moment(text: str) -> float | None:
    """Seconds since 1970 of a date as HTTP writes it."""
    parsed = email.utils.parsedate(text)
    try:
        return float(calendar.timegm(parsed)) if parsed else None
    except (ValueError, OverflowError):
        return None
