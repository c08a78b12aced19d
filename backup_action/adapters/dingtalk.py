"""A DingTalk group's custom robot: one signed message, and what its answer means.

Success is `errcode` 0 and nothing else: DingTalk answers HTTP 200 to nearly everything. The address holds the access
token and the signature, so no text made here has any of it. Limits (DingTalk, custom robots): 20 messages a minute,
then none for ten minutes; 20,000 bytes a message; the timestamp may be an hour off.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from backup_action.adapters import web
from backup_action.adapters.way import DIRECT, Way
from backup_action.core import address, escape
from backup_action.core.problem import Kind, Problem
from backup_action.core.render import Message

EVERYBODY: Final = "all"
BUSY_TRIES: Final = 3
NETWORK_TRIES: Final = 2
MESSAGE_MAX: Final = 20_000  # bytes
_BUSY: Final = -1
_CAUSES: Final = {
    "130101": "rate",
    "410100": "rate",
    **dict.fromkeys(("300001", "300005", "400101", "400102", "400106", "40035"), "token"),
}
# One code for all security settings; the text says which.
_SECURITY: Final = {"keyword": "keyword", "whitelist": "address", "timestamp": "clock", "sign": "sign"}


class Recipients(NamedTuple):
    """Whom a message calls."""

    mobiles: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()
    everybody: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What has to stand behind an @ in the text."""
        return (*self.mobiles, *self.user_ids)


def recipients(at: Iterable[str]) -> Recipients:
    """Reads the setting `dingtalk-at`: eleven digits are a mobile number, `all` is everybody, the rest user ids."""
    names = tuple(dict.fromkeys(name.strip() for name in at if name.strip()))
    mobiles = tuple(name for name in names if re.fullmatch("[0-9]{11}", name))
    return Recipients(mobiles, tuple(n for n in names if n not in mobiles and n != EVERYBODY), EVERYBODY in names)


def sign(timestamp: str, secret: str) -> str:
    """The signature for a time in milliseconds: base64, not yet URL-encoded."""
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def secrets_of(webhook: str, secret: str) -> tuple[str, ...]:
    """What must not be shown of a robot: its access token and its secret."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(webhook).query)
    return tuple(filter(None, (*query.get("access_token", ()), secret)))


def send(
    message: Message,
    *,
    webhook: str,
    secret: str = "",
    at: Sequence[str] = (),
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    deadline: float = 30,
    way: Way = DIRECT,
) -> Problem | None:
    """Sends the message, and returns why it did not arrive, or None. Never raises for anything that DingTalk does."""
    try:
        address.webhook(webhook)
    except ValueError:
        return Problem(Kind.NOTIFY_FAILED, "DingTalk", {"cause": "webhook"})
    body = json.dumps(_document(message, recipients(at)), ensure_ascii=False).encode(errors="backslashreplace")
    if len(body) > MESSAGE_MAX:
        return _failed(reason=f"{len(body)} bytes, over {MESSAGE_MAX}")
    end = time.monotonic() + deadline
    problem: Problem | None = None
    for attempt in range(BUSY_TRIES):
        if attempt:
            sleep(web.pause(attempt))
        left = end - time.monotonic()
        if left <= 0:
            break
        stamp = str(int(now() * 1000))
        signed = {"timestamp": stamp, "sign": sign(stamp, secret)} if secret else {}
        problem, busy = _post(webhook, signed, body, sleep=sleep, deadline=left, way=way)
        if not busy:
            break
    return _redacted(problem, secrets_of(webhook, secret))


def _document(message: Message, to: Recipients) -> dict[str, Any]:
    return {
        "msgtype": "markdown",
        "markdown": {"title": message.title, "text": message.text},
        "at": {"atMobiles": list(to.mobiles), "atUserIds": list(to.user_ids), "isAtAll": to.everybody},
    }


def _post(webhook: str, signed: dict[str, str], body: bytes, **options: Any) -> tuple[Problem | None, bool]:
    """One message sent: what went wrong, and whether DingTalk said that it is busy."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    try:
        answer = web.call("POST", webhook, headers=headers, params=signed, data=body, tries=NETWORK_TRIES, **options)
    except web.Unreachable as error:
        return _failed(reason=str(error)), False
    told = _object(answer.body)
    code = told.get("errcode")
    if isinstance(code, bool) or not isinstance(code, int):
        return _failed(reason=f"HTTP {answer.status}, an answer without errcode"), False
    if code == 0 and answer.status == 200:
        return None, False
    text = escape.cut(str(told.get("errmsg", "")), 300)
    return _failed(errcode=str(code), errmsg=text, cause=_cause(code, text)), code == _BUSY


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _cause(code: int, text: str) -> str:
    if code == 310000:
        return next((cause for sign_of, cause in _SECURITY.items() if sign_of in text), "")
    return _CAUSES.get(str(code), "")


def _failed(**facts: str) -> Problem:
    return Problem(Kind.NOTIFY_FAILED, "DingTalk", {name: text for name, text in facts.items() if text})


def _redacted(problem: Problem | None, secrets: Sequence[str]) -> Problem | None:
    """DingTalk's own words may repeat what it was sent."""
    if problem is None:
        return None
    facts = {name: escape.redact(text, secrets) for name, text in problem.facts.items()}
    return Problem(problem.kind, problem.where, facts)
