"""Stands in for a DingTalk group robot: `POST /robot/send?access_token=…&timestamp=…&sign=…`.

Whatever happens, the answer is HTTP 200 and JSON; `errcode` 0 means that the message was taken. The robot wants a
signature (timestamp within an hour), and a keyword too if the knob names one. As on the real one, more than 20 messages
within a minute shut the robot up for ten. Sources: DingTalk's page on custom robots and its table of error codes;
`缺少参数 …` was seen for access_token, and is taken to be said of other missing fields alike.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Any

from aiohttp import web

from .control import neighbour
from .world import Fault, World

PATH = "/robot/send"
SIZE_MAX = 20_000  # bytes of the whole message
WINDOW = 60  # seconds that the limit of messages is for
PENALTY = 600  # seconds without service after too many messages
SKEW_MAX = 3600  # seconds between the timestamp and now
MORE = ", more: [https://open.dingtalk.com/document/robots/customize-robot-security-settings]"

# For each message type: the fields that must be texts, and not empty.
_FIELDS = {
    "text": ("content",),
    "markdown": ("title", "text"),
    "link": ("title", "text", "messageUrl"),
    "actionCard": ("title", "text"),
    "feedCard": (),
}
_LINK_FIELDS = ("title", "messageURL", "picURL")
_BUTTON_FIELDS = ("title", "actionURL")


class _Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def application(world: World, token: str, secret: str) -> web.Application:
    """One robot. What it takes is kept in `world.messages`: received, msgtype, title, text, at, notified, body.

    `notified` are those of `at` whose `@number` also stands in the text, without which DingTalk tells nobody.
    """

    async def send(request: web.Request) -> web.Response:
        try:
            _check_sender(request, world.now(), token, secret)
            message = _message(await request.read(), world.knobs.dingtalk_keyword)
            _check_rate(world)
        except _Refused as refused:
            return _answer(refused.code, refused.message)
        world.messages.append({"received": world.now(), **message})
        return _answer(0, "ok")

    service = neighbour(world, "dingtalk", _kind, _refusal)
    service.router.add_route("*", PATH, send)
    return service


def sign(timestamp: str, secret: str) -> str:
    """The signature that the robot expects, in base64; a URL needs it percent-encoded, once. Timestamp in ms."""
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _check_sender(request: web.Request, now: float, token: str, secret: str) -> None:
    if request.method != "POST":
        raise _Refused(43002, "需要POST请求")
    if not request.query.get("access_token"):
        raise _Refused(40035, "缺少参数 access_token")
    if not hmac.compare_digest(request.query["access_token"].encode(), token.encode()):
        raise _Refused(300005, "token is not exist")
    if request.content_type != "application/json":
        raise _Refused(43004, "无效的HTTP HEADER Content-Type")
    timestamp = request.query.get("timestamp", "")
    if not re.fullmatch(r"[0-9]{13}", timestamp) or abs(int(timestamp) / 1000 - now) > SKEW_MAX:
        raise _Refused(310000, "invalid timestamp" + MORE)
    if not hmac.compare_digest(request.query.get("sign", "").encode(), sign(timestamp, secret).encode()):
        raise _Refused(310000, "sign not match" + MORE)


def _check_rate(world: World) -> None:
    """Counts the message that is about to be taken, or refuses it."""
    now = world.now()
    world.dingtalk_times[:] = [time for time in world.dingtalk_times if time > now - WINDOW]
    if now >= world.dingtalk_limited_until and len(world.dingtalk_times) >= world.knobs.dingtalk_per_minute:
        world.dingtalk_limited_until = now + PENALTY
    if now < world.dingtalk_limited_until:
        raise _Refused(130101, f"send too fast, exceed {world.knobs.dingtalk_per_minute} times per minute")
    world.dingtalk_times.append(now)


def _message(raw: bytes, keyword: str) -> dict[str, Any]:
    """What is kept of a message that is in order."""
    if len(raw) > SIZE_MAX:
        raise _Refused(460101, f"message too long, exceed {SIZE_MAX} bytes")
    body = _object(raw)
    kind = body.get("msgtype")
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise _Refused(400105, f"unsupported msgtype: {kind}")
    content = _required(body.get(kind), _FIELDS[kind], kind)
    if kind in ("actionCard", "feedCard"):
        _check_card(kind, content)
    text = _content(kind, content)
    if keyword not in text:  # the title is no content
        raise _Refused(310000, "keywords not in content" + MORE)
    at = body.get("at", {})
    notified = _notified(at, text) if kind in ("text", "markdown") else []
    return {
        "msgtype": kind,
        "title": content.get("title", ""),
        "text": text,
        "at": at,
        "notified": notified,
        "body": body,
    }


def _content(kind: str, content: dict[str, Any]) -> str:
    if kind == "feedCard":
        return "\n".join(link["title"] for link in content["links"])
    return str(content["content" if kind == "text" else "text"])


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw.decode())
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("at", {}), dict):
        raise _Refused(40035, "缺少参数 json")
    return body


def _check_card(kind: str, content: dict[str, Any]) -> None:
    if kind == "actionCard" and "btns" not in content:
        _required(content, ("singleTitle", "singleURL"), kind)
        return
    name, fields = ("btns", _BUTTON_FIELDS) if kind == "actionCard" else ("links", _LINK_FIELDS)
    listed = content.get(name)
    if not isinstance(listed, list) or not listed:
        raise _Refused(40035, f"缺少参数 {kind}.{name}")
    for item in listed:
        _required(item, fields, f"{kind}.{name}")


def _required(given: object, fields: tuple[str, ...], where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _Refused(40035, f"缺少参数 {where}")
    for name in fields:
        if not isinstance(given.get(name), str) or not given[name]:
            raise _Refused(40035, f"缺少参数 {where}.{name}")
    return given


def _notified(at: dict[str, Any], text: str) -> list[str]:
    named = [str(name) for key in ("atMobiles", "atUserIds") for name in at.get(key) or []]
    return (["all"] if at.get("isAtAll") is True else []) + [name for name in named if f"@{name}" in text]


def _answer(code: int, message: str, status: int = 200) -> web.Response:
    return web.json_response({"errcode": code, "errmsg": message}, status=status)


async def _kind(request: web.Request) -> str:
    return "send" if request.path == PATH else "other"


def _refusal(request: web.Request, fault: Fault) -> web.Response:
    """A fault's code is the errcode if it is a number; otherwise the system is busy."""
    if fault.kind == "throttle":
        return _answer(130101, fault.message or "send too fast, exceed 20 times per minute")
    code = int(fault.code) if re.fullmatch(r"-?[0-9]+", fault.code) else -1
    return _answer(code, fault.message or "系统繁忙", fault.status)
