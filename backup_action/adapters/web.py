"""The one transport to neighbours that speak plain HTTP: GitHub's token service, STS, DingTalk.

What the library does by default and this room does not (each is tested):

| by default | here |
|---|---|
| proxies, `.netrc` and CA bundles from the environment | only what is given as an argument |
| redirects are followed, secrets and all | a 3xx is an answer like any other |
| plain http | only to loopback |
| no time limit but a socket's | `timeout` for a step, `deadline` for the whole call: name look-up, slow drips and all |
| any amount of body, unpacked | `limit_bytes`, as it comes over the wire |
| errors whose text has the URL, query and all | `Unreachable` with a reason of ours and the host |
| the URL in logs | the library's logger is shut |
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from backup_action.adapters import reason
from backup_action.adapters.reason import Reason
from backup_action.adapters.way import DIRECT, Way
from backup_action.core import address
from backup_action.core.patience import retry_after
from backup_action.core.problem import Kind, Stop

LIMIT_BYTES: Final = 1 << 20
PAUSE_FIRST: Final = 0.5  # seconds
PAUSE_MAX: Final = 20.0  # seconds; also the most that a Retry-After is honoured
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status. The body may hold secrets, so it is not part of the repr."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)


class Unreachable(Exception):
    """No answer. The text is a reason of ours with the host; it never has the query, a header or a body in it."""

    def __init__(self, text: str, why: Reason | None = None) -> None:
        """`why` is the reason alone; without one no other try helps."""
        super().__init__(text)
        self.why = why or Reason(text, final=True)

    def stop(self, kind: Kind, where: str) -> Stop:
        """The end that this means for the neighbour whose own problem would be `kind`."""
        return msgspec.structs.replace(self.why, text=str(self)).stop(kind, where)


def pause(attempt: int) -> float:
    """Seconds to wait before the next try: full jitter, doubling from `PAUSE_FIRST` up to `PAUSE_MAX`."""
    return random.uniform(0, min(PAUSE_MAX, PAUSE_FIRST * 2.0**attempt))  # noqa: S311  (spreads load; no secret)


def is_passing(answer: Answer) -> bool:
    """True for an answer that a later try may better: 429, and 5xx but 501."""
    return answer.status == 429 or (answer.status >= 500 and answer.status != 501)


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    data: bytes | Mapping[str, str] | None = None,
    json: object = None,
    timeout: tuple[float, float] = (5, 10),
    tries: int = 3,
    again: Callable[[Answer], bool] = is_passing,
    deadline: float = 60,
    limit_bytes: int = LIMIT_BYTES,
    way: Way = DIRECT,
    sleep: Callable[[float], None] = time.sleep,
) -> Answer:
    """Asks, at most `tries` times within `deadline` seconds, and returns the last answer, whatever its status.

    `again` says which answers are worth another try. Raises Unreachable where no try got an answer that is whole.
    """
    import tenacity

    check(url)
    own = {"Accept-Encoding": "identity", "User-Agent": "oss-backup-action"}
    request = {"headers": own | dict(headers or {}), "params": params, "data": data, "json": json, "timeout": timeout}
    end = time.monotonic() + deadline
    retrying = tenacity.Retrying(
        stop=lambda state: state.attempt_number >= tries or time.monotonic() >= end,
        wait=lambda state: min(_wait(state), max(0.0, end - time.monotonic())),
        retry=tenacity.retry_if_exception(_is_worth) | tenacity.retry_if_result(again),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        sleep=sleep,
    )
    return retrying(_bounded, end, method, url, request, limit_bytes, way)


def _is_worth(error: BaseException) -> bool:
    """Whether another try may get an answer."""
    return isinstance(error, Unreachable) and not error.why.final


def check(url: str) -> None:
    """Raises Unreachable unless the address is https without a user, or http to loopback."""
    if not (host := _host(url)):
        raise Unreachable("not an address")
    parts = urllib.parse.urlsplit(url)
    if parts.username is not None or not (parts.scheme == "https" or _plain_allowed(parts.scheme, parts.hostname)):
        raise Unreachable(f"not an https address ({host})")


def _plain_allowed(scheme: str, host: str | None) -> bool:
    return scheme == "http" and address.is_loopback(host or "")


def _wait(state: Any) -> float:
    told = 0.0
    if state.outcome is not None and not state.outcome.failed:
        headers = state.outcome.result().headers
        told = retry_after(headers.get("retry-after", ""), headers.get("date", ""), time.time())
    return max(min(told, PAUSE_MAX), pause(state.attempt_number - 1))


def _bounded(end: float, method: str, url: str, *rest: Any) -> Answer:
    """One try, given up at `end`, in a thread of its own: neither a name look-up nor slow headers can be timed out.

    The exceptions of the library stay behind in that thread, so none of them is the context of ours.
    """
    results: queue.SimpleQueue[Answer | Reason] = queue.SimpleQueue()

    def work() -> None:
        try:
            results.put(_ask(end, method, url, *rest))
        except Exception as error:
            results.put(Reason("the answer is too large") if isinstance(error, _TooLarge) else reason.of(error))

    threading.Thread(target=work, name="web", daemon=True).start()
    try:
        result: Answer | Reason = results.get(timeout=max(0.001, end - time.monotonic()))
    except queue.Empty:
        result = Reason("no whole answer in time")
    if isinstance(result, Answer) and result.status == 407:
        result = reason.refused_by_proxy(result.status)
    if isinstance(result, Reason):
        at = "" if result.kind is Kind.PROXY_UNREACHABLE else f" ({_host(url)})"  # it is not the host that failed
        raise Unreachable(result.text + at, result)
    return result


class _TooLarge(Exception):
    """The body exceeds the limit."""


def _ask(end: float, method: str, url: str, request: dict[str, Any], limit_bytes: int, way: Way) -> Answer:
    import requests

    # Its logger has whole URLs in it, also at WARNING, and writes to stderr where nobody has set up logging.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)
    with requests.Session() as session:
        way.prepare(session)
        # It reads a redirect's body, whole and unpacked, even where it is told to follow none.
        session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]
        with session.request(method, url, allow_redirects=False, stream=True, **request) as response:
            body = b"".join(_read(response.raw, end, limit_bytes))
            return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)


def _read(raw: Any, end: float, limit_bytes: int) -> Iterator[bytes]:
    """The body as it comes, piece by piece, so that a drip cannot outlast the deadline."""
    left = limit_bytes
    while chunk := raw.read1(min(_CHUNK, left + 1), decode_content=False):
        left -= len(chunk)
        if left < 0:
            raise _TooLarge
        if time.monotonic() >= end:
            raise TimeoutError
        yield chunk


def _host(url: str) -> str:
    """Host and port, as a message may name them; empty where there is none, or no valid one."""
    try:
        parts = urllib.parse.urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        return ""
