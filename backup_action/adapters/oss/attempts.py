"""How often a request to OSS is tried: again after faults that pass, with new keys where they ran out, and by the
server's clock where ours is off. One room for both clients of the bucket, ours and oss2. What is done about which
failure, and how patiently, stands in `core/patience.py`.
"""

from __future__ import annotations

import asyncio
import calendar
import email.utils
import math
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from backup_action.adapters import reason
from backup_action.adapters.oss import refusal
from backup_action.adapters.oss.limiter import Limiter
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.refusal import Refusal, Remedy
from backup_action.adapters.oss.signature import Credentials
from backup_action.adapters.reason import Reason
from backup_action.adapters.way import DIRECT, Way
from backup_action.core.concurrency import CEILING, Concurrency
from backup_action.core.deadline import NEVER, Deadline
from backup_action.core.patience import USUAL, Allowance, Patience
from backup_action.core.problem import Kind, Stop

SKEW: Final = 86_400.0  # seconds; a clock that is further off is not corrected but reported
GRAIN: Final = 60.0  # seconds; smaller differences of clocks are no reason for a refusal
REPAIRS: Final = 3  # times that one request may ask for new keys or the time; they do not count as tries

T = TypeVar("T")
Keys = Callable[[Credentials | None], Awaitable[Credentials]]


class Broken(Exception):
    """The network failed under a request; the reason names no address and no secret."""

    def __init__(self, why: Reason) -> None:
        """`why` is told where no other try helps."""
        super().__init__(why.text)
        self.why = why


class Attempts:
    """The patience towards one bucket. Shared by all that ask it: they have one clock to learn and one allowance."""

    def __init__(
        self, place: Place, keys: Keys, patience: Patience = USUAL, way: Way = DIRECT, deadline: Deadline = NEVER,
        *, concurrency: int = CEILING,
    ) -> None:  # fmt: skip
        """`keys` gives valid credentials; called with those that were refused, it gives newer ones.

        `concurrency`: requests at a time, at most.
        """
        self.place = place
        self.way = way
        self.deadline = deadline
        self._keys = keys
        self._patience = patience
        self._allowance = Allowance(patience.allowance)
        self.concurrency = Concurrency(concurrency, patience.many, patience.few)
        self._limiter = Limiter(self.concurrency)
        self._offset = 0.0
        self._dice = random.SystemRandom()
        self.heard = asyncio.Event()  # OSS has answered something for good

    def now(self) -> float:
        """Seconds since 1970 by the server's clock, as far as it is known."""
        return time.time() + self._offset

    def beside(self, patience: Patience) -> Attempts:
        """The same keys, clock and way, but a patience and a limiter of its own, and no deadline."""
        other = Attempts(self.place, self._keys, patience, self.way)
        other._offset, other.heard = self._offset, self.heard
        return other

    async def run(
        self, once: Callable[[Credentials], Awaitable[T]], *, right: str, key: str = "", absent: bool = False
    ) -> T:
        """Does `once` until it is answered for good. Raises Stop, or with `absent` Refusal for a missing object."""
        credentials, repairs, attempt, pause = await self._within(partial(self._keys, None)), 0, 1, 0.0
        while True:
            offset = self._offset
            try:
                answer = await self._within(partial(self._limiter.ask, partial(once, credentials), pause))
                self._answered()
                return answer
            except Refusal as error:
                if error.is_passing:
                    stop = self._stop(error, right, key)
                    pause = self._pause(attempt, error.delay, stop, final=error.is_final(attempt))
                    attempt += 1
                    continue
                self._answered()
                pause = 0.0
                if absent and error.status == 404 and error.code in ("NoSuchKey", "NoSuchVersion", "NoSuchUpload", ""):
                    raise
                if error.remedy is Remedy.RENEW and repairs < REPAIRS:
                    credentials = await self._within(partial(self._keys, credentials))
                elif error.remedy is Remedy.CLOCK and repairs < REPAIRS:
                    self._correct(error, right, key, offset)
                else:
                    raise self._stop(error, right, key) from None
                repairs += 1
            except (OSError, Broken) as error:
                why = _reason(error)
                stop = why.stop(Kind.OSS_UNREACHABLE, self.place.endpoint, tries=attempt)
                pause = self._pause(attempt, 0, stop, final=why.final)
                attempt += 1

    def _answered(self) -> None:
        self.heard.set()
        self._allowance.answered()

    def _pause(self, attempt: int, told: float, last: Stop, *, final: bool) -> float:
        """Seconds before the next try, if there is to be one; raises Stop, `last` or what is a better reason."""
        if final or attempt >= self._patience.tries:
            raise last from None
        pause = self._patience.pause(attempt, told, self._dice.random())
        if pause >= self.deadline.left():
            raise self._over(last) from None
        if not self._allowance.spend():
            raise Stop(
                last.problem.kind, last.problem.where, **last.problem.facts, allowance=self._allowance.full
            ) from None
        return pause

    async def _within(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does it before the hard end of the run. Raises Stop."""
        left = self.deadline.left()
        if left == math.inf:
            return await work()
        if left <= 0:
            raise self._over()
        try:
            async with asyncio.timeout(left) as limit:
                return await work()
        except TimeoutError:
            if limit.expired():
                raise self._over() from None
            raise

    def _over(self, last: Stop | None = None) -> Stop:
        facts = last.problem.facts if last else {}
        told = facts.get("reason") or facts.get("code") or facts.get("status")
        return Stop(Kind.DEADLINE, "deadline-minutes", reason=told)

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


def _reason(error: BaseException) -> Reason:
    """Why a try failed, without addresses: their queries may hold what nobody should read."""
    if isinstance(error, Broken):
        return error.why
    if isinstance(error, TimeoutError):
        return Reason("no answer in time")
    return reason.of(error, type(error).__name__)
