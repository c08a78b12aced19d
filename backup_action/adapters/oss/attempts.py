"""How often a request to OSS is tried: again after faults that pass, with new keys where they ran out, and by the
server's clock where ours is off. One room for both clients of the bucket, ours and oss2.
"""

from __future__ import annotations

import asyncio
import calendar
import email.utils
import errno
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import aiohttp

from backup_action.adapters.oss import refusal
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.refusal import Refusal, Remedy
from backup_action.adapters.oss.signature import Credentials
from backup_action.core.problem import Kind, Stop

SKEW: Final = 86_400.0  # seconds; a clock that is further off is not corrected but reported
GRAIN: Final = 60.0  # seconds; smaller differences of clocks are no reason for a refusal
REPAIRS: Final = 3  # times that one request may ask for new keys or the time; they do not count as tries

T = TypeVar("T")
Keys = Callable[[Credentials | None], Awaitable[Credentials]]


class Broken(Exception):
    """The network failed under a request; the text names no address and no secret."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is tried, and how long the pauses between may grow, in seconds (full jitter)."""

    tries: int = 10
    first: float = 0.2
    longest: float = 10.0


class Attempts:
    """The patience towards one bucket. Shared by all that ask it, so that one learns the clock for all."""

    def __init__(self, place: Place, keys: Keys, patience: Patience = Patience()) -> None:
        """`keys` gives valid credentials; called with those that were refused, it gives newer ones."""
        self.place = place
        self._keys = keys
        self._patience = patience
        self._offset = 0.0
        self._dice = random.SystemRandom()

    def now(self) -> float:
        """Seconds since 1970 by the server's clock, as far as it is known."""
        return time.time() + self._offset

    async def run(
        self, once: Callable[[Credentials], Awaitable[T]], *, right: str, key: str = "", absent: bool = False
    ) -> T:
        """Does `once` until it is answered for good. Raises Stop, or with `absent` Refusal for a missing object."""
        credentials, repairs, attempt = await self._keys(None), 0, 1
        while True:
            offset = self._offset
            try:
                return await once(credentials)
            except Refusal as error:
                if absent and error.status == 404 and error.code in ("NoSuchKey", "NoSuchVersion", "NoSuchUpload", ""):
                    raise
                if error.remedy is Remedy.RENEW and repairs < REPAIRS:
                    credentials, repairs = await self._keys(credentials), repairs + 1
                elif error.remedy is Remedy.CLOCK and repairs < REPAIRS:
                    self._correct(error, right, key, offset)
                    repairs += 1
                elif error.remedy is Remedy.AGAIN and attempt < self._patience.tries:
                    await asyncio.sleep(max(error.delay, self._pause(attempt)))
                    attempt += 1
                else:
                    raise self._stop(error, right, key) from None
            except (aiohttp.ClientError, TimeoutError, OSError, Broken) as error:
                if attempt == self._patience.tries:
                    told = {"reason": _reason(error), "tries": attempt}
                    raise Stop(Kind.OSS_UNREACHABLE, self.place.endpoint, **told) from None
                await asyncio.sleep(self._pause(attempt))
                attempt += 1

    def _pause(self, attempt: int) -> float:
        return self._dice.uniform(0, min(self._patience.longest, self._patience.first * 2**attempt))

    def _correct(self, error: Refusal, right: str, key: str, signed_with: float) -> None:
        """Signs by the server's clock from now on; raises Stop where that cannot be what is wrong.

        `signed_with` is the offset of the request that was refused: another request may have learnt it since.
        """
        parsed = email.utils.parsedate(error.date)
        offset = calendar.timegm(parsed) - time.time() if parsed else 0.0
        if abs(self._offset - signed_with) > GRAIN:  # it was learnt since: sign anew
            return
        if abs(offset - signed_with) <= GRAIN or abs(offset) > SKEW:
            raise self._stop(error, right, key, offset) from None
        self._offset = offset

    def _stop(self, error: Refusal, right: str, key: str, offset: float = 0) -> Stop:
        return refusal.stop(error, self.place, right=right, key=key, offset=offset)


def _reason(error: BaseException) -> str:
    """A network error without addresses: their queries may hold what nobody should read."""
    if isinstance(error, Broken):
        return str(error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0  # its text has the address, and no reason
        return os.strerror(number).lower() if number in errno.errorcode else type(error.os_error).__name__
    return type(error).__name__
