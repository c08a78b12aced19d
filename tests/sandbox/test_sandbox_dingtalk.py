"""The stand-in of DingTalk's robot: whom it listens to, what it takes and what it says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from backup_action.sandbox import dingtalk
from backup_action.sandbox.serve import Sandbox
from backup_action.sandbox.world import Fault

TEXT = {"msgtype": "text", "text": {"content": "备份完成"}}
MARKDOWN = {"msgtype": "markdown", "markdown": {"title": "备份", "text": "#### 备份完成\n\n@13800000000 已上传"}}
LINK = {"msgtype": "link", "link": {"title": "t", "text": "x", "picUrl": "", "messageUrl": "https://e.example"}}
BUTTON = {"title": "t", "text": "x", "singleTitle": "open", "singleURL": "https://e.example"}
BUTTONS = {"title": "t", "text": "x", "btnOrientation": "1", "btns": [{"title": "b", "actionURL": "https://e.example"}]}
FEED = {"links": [{"title": "f", "messageURL": "https://e.example", "picURL": "https://e.example/p.png"}]}
ALL = [
    TEXT,
    MARKDOWN,
    LINK,
    {"msgtype": "actionCard", "actionCard": BUTTON},
    {"msgtype": "actionCard", "actionCard": BUTTONS},
    {"msgtype": "feedCard", "feedCard": FEED},
]


def signature(timestamp: str, secret: str) -> str:
    """As DingTalk's page tells clients to make it; not the code of the stand-in."""
    mac = hmac.HMAC(secret.encode("utf-8"), digestmod=hashlib.sha256)
    mac.update((timestamp + "\n" + secret).encode("utf-8"))
    return base64.standard_b64encode(mac.digest()).decode("ascii")


def stamp(box: Sandbox, offset: float = 0) -> str:
    return str(round((box.world.now() + offset) * 1000))


def signed(box: Sandbox, **changes: str) -> dict[str, str]:
    timestamp = changes.get("timestamp", stamp(box))
    return {
        "timestamp": timestamp,
        "sign": signature(timestamp, box.environment["OSS_BACKUP_DINGTALK_SECRET"]),
        **changes,
    }


def send(box: Sandbox, message: Any = TEXT, *, data: bytes | None = None, **changes: str) -> dict[str, Any]:
    answer = requests.post(
        box.environment["OSS_BACKUP_DINGTALK_WEBHOOK"],
        params=signed(box, **changes),
        data=json.dumps(message).encode() if data is None else data,
        headers={"Content-Type": "application/json; charset=utf-8"},
        timeout=10,
    )
    assert answer.status_code == 200
    return dict(answer.json())


TAKEN = {"errcode": 0, "errmsg": "ok"}


def test_the_vector_of_the_signature() -> None:
    expected = "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g="
    assert dingtalk.sign("1700000000000", "SECtest") == expected == signature("1700000000000", "SECtest")
    assert quote(expected, safe="") == "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g%3D"


@given(st.integers(10**12, 10**13 - 1), st.text(min_size=1))
def test_signatures_are_those_of_the_documentation(timestamp: int, secret: str) -> None:
    secret = secret.encode(errors="replace").decode()
    assert dingtalk.sign(str(timestamp), secret) == signature(str(timestamp), secret)


@pytest.mark.parametrize("message", ALL, ids=lambda message: message["msgtype"])
def test_every_kind_of_message_is_taken_and_kept(box: Sandbox, message: dict[str, Any]) -> None:
    assert send(box, message) == TAKEN
    (kept,) = requests.get(f"{box.control}/dingtalk", timeout=5).json()
    assert kept["body"] == message
    assert kept["msgtype"] == message["msgtype"]
    assert abs(kept["received"] - time.time()) < 60


def test_what_is_kept_of_a_message(box: Sandbox) -> None:
    at = {"atMobiles": ["13800000000", "13900000000"], "atUserIds": ["user1"], "isAtAll": False}
    send(box, {**MARKDOWN, "at": at})
    (kept,) = box.world.messages
    assert (kept["title"], kept["text"]) == ("备份", MARKDOWN["markdown"]["text"])
    assert kept["at"] == at
    assert kept["notified"] == ["13800000000"]  # the others do not stand in the text


def test_all_can_be_notified_and_cards_notify_nobody(box: Sandbox) -> None:
    send(box, {**TEXT, "at": {"isAtAll": True}})
    send(box, {"msgtype": "actionCard", "actionCard": {**BUTTON, "text": "@1"}, "at": {"atMobiles": ["1"]}})
    assert [kept["notified"] for kept in box.world.messages] == [["all"], []]


def test_the_signature_may_be_quoted_by_hand_but_once(box: Sandbox) -> None:
    timestamp = stamp(box)
    sign = signature(timestamp, box.environment["OSS_BACKUP_DINGTALK_SECRET"])
    url = f"{box.environment['OSS_BACKUP_DINGTALK_WEBHOOK']}&timestamp={timestamp}&sign="
    once, twice = quote(sign, safe=""), quote(quote(sign, safe=""), safe="")
    assert requests.post(url + once, json=TEXT, timeout=5).json() == TAKEN
    assert requests.post(url + twice, json=TEXT, timeout=5).json()["errcode"] == 310000


def test_the_messages_of_a_wrong_sender_are_not_kept(box: Sandbox) -> None:
    wrong = signature(stamp(box), "SECother")
    for changes, text in (
        ({"sign": wrong}, "sign not match"),
        ({"sign": ""}, "sign not match"),
        ({"timestamp": stamp(box, -3601)}, "invalid timestamp"),
        ({"timestamp": stamp(box, 3700)}, "invalid timestamp"),
        ({"timestamp": str(int(time.time()))}, "invalid timestamp"),  # seconds
        ({"timestamp": ""}, "invalid timestamp"),
    ):
        answer = send(box, **changes)
        assert (answer["errcode"], answer["errmsg"].partition(", more: ")[0]) == (310000, text)
    assert box.world.messages == []


def test_a_timestamp_within_the_hour_is_taken(box: Sandbox) -> None:
    for offset in (-3500, 3500):
        assert send(box, timestamp=stamp(box, offset)) == TAKEN


def test_a_signature_is_for_one_timestamp(box: Sandbox) -> None:
    earlier = signature(stamp(box, -5), box.environment["OSS_BACKUP_DINGTALK_SECRET"])
    assert send(box, sign=earlier)["errmsg"].startswith("sign not match")


def test_the_token_of_the_robot(box: Sandbox) -> None:
    base = box.environment["OSS_BACKUP_DINGTALK_WEBHOOK"].partition("?")[0]
    missing = requests.post(base, params=signed(box), json=TEXT, timeout=5).json()
    assert missing == {"errcode": 40035, "errmsg": "缺少参数 access_token"}
    wrong = requests.post(base, params={**signed(box), "access_token": "0" * 64}, json=TEXT, timeout=5).json()
    assert wrong == {"errcode": 300005, "errmsg": "token is not exist"}


def test_only_posts_of_json(box: Sandbox) -> None:
    url = box.environment["OSS_BACKUP_DINGTALK_WEBHOOK"]
    assert requests.get(url, params=signed(box), timeout=5).json() == {"errcode": 43002, "errmsg": "需要POST请求"}
    assert requests.post(url, params=signed(box), data=json.dumps(TEXT), timeout=5).json()["errcode"] == 43004
    assert requests.post(url + "2", params=signed(box), json=TEXT, timeout=5).json()["errcode"] == 300005
    assert box.world.messages == []


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'"text"', b"\xff", b'{"msgtype":"text","text":{"content":"a"},"at":[]}']
)
def test_what_is_no_message(box: Sandbox, data: bytes) -> None:
    assert send(box, data=data) == {"errcode": 40035, "errmsg": "缺少参数 json"}


@pytest.mark.parametrize("kind", ["", "image", None, 1, ["text"]])
def test_unknown_kinds(box: Sandbox, kind: Any) -> None:
    assert send(box, {**TEXT, "msgtype": kind})["errcode"] == 400105


REQUIRED = [
    ("text", {"content": "a"}, ["content"]),
    ("markdown", {"title": "t", "text": "a"}, ["title", "text"]),
    ("link", LINK["link"], ["title", "text", "messageUrl"]),
    ("actionCard", BUTTON, ["title", "text", "singleTitle", "singleURL"]),
    ("actionCard", BUTTONS, ["title", "text"]),
    ("feedCard", FEED, ["links"]),
]


@pytest.mark.parametrize(
    ("kind", "content", "name"), [(kind, body, name) for kind, body, names in REQUIRED for name in names]
)
def test_required_fields(box: Sandbox, kind: str, content: dict[str, Any], name: str) -> None:
    assert send(box, {"msgtype": kind, kind: content}) == TAKEN
    for value in ("", None, 1):
        answer = send(box, {"msgtype": kind, kind: {**content, name: value}})
        assert answer == {"errcode": 40035, "errmsg": f"缺少参数 {kind}.{name}"}
    rest = {key: value for key, value in content.items() if key != name}
    assert send(box, {"msgtype": kind, kind: rest})["errcode"] == 40035
    assert send(box, {"msgtype": kind}) == {"errcode": 40035, "errmsg": f"缺少参数 {kind}"}


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ({"msgtype": "actionCard", "actionCard": {**BUTTONS, "btns": []}}, "actionCard.btns"),
        ({"msgtype": "actionCard", "actionCard": {**BUTTONS, "btns": [{"title": "b"}]}}, "actionCard.btns.actionURL"),
        ({"msgtype": "feedCard", "feedCard": {"links": ["x"]}}, "feedCard.links"),
        ({"msgtype": "feedCard", "feedCard": {"links": [{**FEED["links"][0], "picURL": ""}]}}, "feedCard.links.picURL"),
    ],
)
def test_buttons_and_links_need_their_fields(box: Sandbox, message: dict[str, Any], name: str) -> None:
    assert send(box, message) == {"errcode": 40035, "errmsg": f"缺少参数 {name}"}


def test_a_message_has_at_most_20000_bytes(box: Sandbox) -> None:
    room = 20_000 - len(json.dumps({"msgtype": "text", "text": {"content": ""}}).encode())
    whole = {"msgtype": "text", "text": {"content": "x" * room}}
    assert send(box, whole) == TAKEN
    whole["text"]["content"] += "x"  # type: ignore[index]
    assert send(box, whole) == {"errcode": 460101, "errmsg": "message too long, exceed 20000 bytes"}


def test_bytes_are_counted_and_not_characters(box: Sandbox) -> None:
    text = json.dumps({"msgtype": "text", "text": {"content": "备" * 7000}}, ensure_ascii=False)
    assert len(text) < 20_000
    assert send(box, data=text.encode())["errcode"] == 460101


def test_the_keyword_must_stand_in_the_content(box: Sandbox) -> None:
    box.world.knobs.dingtalk_keyword = "备份"
    assert send(box, TEXT) == TAKEN
    assert send(box, {**TEXT, "text": {"content": "done"}})["errmsg"].startswith("keywords not in content")
    titled = {"msgtype": "markdown", "markdown": {"title": "备份", "text": "done"}}
    assert send(box, titled)["errcode"] == 310000  # a title alone is not the content
    feed = {"msgtype": "feedCard", "feedCard": {"links": [{**FEED["links"][0], "title": "备份"}]}}
    assert send(box, feed) == TAKEN


def test_twenty_a_minute_and_then_ten_minutes_of_nothing(box: Sandbox) -> None:
    for _ in range(20):
        assert send(box) == TAKEN
    limited = {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}
    assert send(box) == limited
    box.world.knobs.clock_offset = 65  # the minute is over, the penalty is not
    assert send(box) == limited
    box.world.knobs.clock_offset = 601
    assert send(box) == TAKEN
    assert len(box.world.messages) == 21


def test_the_window_of_the_limit_moves(box: Sandbox) -> None:
    box.world.knobs.dingtalk_per_minute = 2
    for offset in (0, 31, 62, 93):
        box.world.knobs.clock_offset = offset
        assert send(box) == TAKEN


def test_refused_messages_do_not_count(box: Sandbox) -> None:
    box.world.knobs.dingtalk_per_minute = 1
    for _ in range(3):
        assert send(box, {**TEXT, "text": {}})["errcode"] == 40035
    assert send(box) == TAKEN
    assert send(box)["errcode"] == 130101


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("throttle", "dingtalk"), {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}),
        (Fault("status", "dingtalk", status=200), {"errcode": -1, "errmsg": "系统繁忙"}),
        (Fault("status", "dingtalk", status=200, code="400102", message="m"), {"errcode": 400102, "errmsg": "m"}),
        (
            Fault("status", "dingtalk", status=200, message='{"status":1111,"wait":5,"punish":"deny"}'),
            {"status": 1111, "wait": 5, "punish": "deny"},
        ),
    ],
)
def test_faults_have_the_words_of_dingtalk(box: Sandbox, fault: Fault, expected: dict[str, Any]) -> None:
    box.world.faults = [fault]
    assert send(box) == expected
    assert box.world.messages == []
    assert send(box) == TAKEN
