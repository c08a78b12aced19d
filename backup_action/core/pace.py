"""How far a run has come, how fast it goes, how long it may still take: arithmetic over looks at its counters."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Look(NamedTuple):
    """What was done at one moment, in seconds of any clock that only goes on."""

    at: float
    files: int
    bytes: int


class Progress(NamedTuple):
    """How far it is. `rate` (bytes a second) and `left` (seconds) are None until they can be told."""

    files: int
    files_total: int
    bytes: int
    bytes_total: int
    rate: float | None = None
    left: float | None = None

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1: by bytes, or by files where there are no bytes."""
        done, total = (self.bytes, self.bytes_total) if self.bytes_total else (self.files, self.files_total)
        return done / total if total else 1.0


class Pace:
    """Watches one pile of files on its way to being done."""

    def __init__(self, files: int, size: int, window: int) -> None:
        """`files` and `size` (bytes) are the whole pile; a rate is taken over the last `window` looks and one."""
        self._files = files
        self._size = size
        self._most = 0  # bytes
        self._looks: deque[Look] = deque(maxlen=window + 1)

    def at(self, now: float, files: int, size: int) -> Progress:
        """Takes a look. What was found to be more than the scan saw is shown as all, and nothing is shown to go back:
        parts of a file that did not come to its end were sent all the same.
        """
        self._most = max(self._most, min(size, self._size))
        look = Look(now, min(files, self._files), self._most)
        self._looks.append(look)
        first = self._looks[0]
        seconds = look.at - first.at
        done = Progress(look.files, self._files, look.bytes, self._size)
        if seconds <= 0:
            return done
        waits = (
            _left(self._files - look.files, (look.files - first.files) / seconds),
            _left(self._size - look.bytes, (look.bytes - first.bytes) / seconds),
        )
        known = [wait for wait in waits if wait is not None]
        left = max(known) if len(known) == len(waits) else None
        return done._replace(rate=(look.bytes - first.bytes) / seconds, left=left)


def _left(rest: int, rate: float) -> float | None:
    """Seconds for the rest; None where nothing moves."""
    return 0.0 if rest <= 0 else rest / rate if rate > 0 else None
