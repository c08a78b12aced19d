"""Messages to the sandbox's robot and to broken ones: signed once, judged by errcode, and no word of the secrets."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import Handler, Script, answer, raw, reset, serving

from backup_action.adapters import dingtalk
from backup_action.core import wording
from backup_action.core.problem import Kind, Problem
from backup_action.core.render import Message
from backup_action.sandbox.serve import Sandbox
from backup_action.sandbox.world import Fault

MESSAGE = Message("OSS 备份：成功", "#### 完成 ✅\n\n@13800000000 @user1")
TOKEN, SECRET = "5ecre7" * 10, "SEC5ecre7"


def robot(cloud: Sandbox) -> dict[str, str]:
    environment = cloud.environment
    return {
        "webhook": environment["OSS_BACKUP_DINGTALK_WEBHOOK"],
        "secret": environment["OSS_BACKUP_DINGTALK_SECRET"],
    }


def no_wait(seconds: float) -> None:
    """In place of sleeping."""


def test_a_message_arrives_signed(cloud: Sandbox) -> None:
    assert dingtalk.send(MESSAGE, **robot(cloud), at=["13800000000", "user1"]) is None
    (message,) = cloud.world.messages
    assert (message["msgtype"], message["title"], message["text"]) == ("markdown", MESSAGE.title, MESSAGE.text)
    assert message["at"] == {"atMobiles": ["13800000000"], "atUserIds": ["user1"], "isAtAll": False}
    assert message["notified"] == ["13800000000", "user1"]


def test_the_signature_is_right_at_every_time_and_encoded_once(cloud: Sandbox) -> None:
    for offset in range(40):  # base64 has + or / in most of them, which encoding twice or never would spoil
        cloud.world.dingtalk_times.clear()
        assert dingtalk.send(MESSAGE, **robot(cloud), now=lambda: time.time() + offset) is None  # noqa: B023


def test_the_signature_of_the_documentation() -> None:
    assert dingtalk.sign("1700000000000", "SECtest") == "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g="


def test_everybody_is_called_only_when_asked_for(cloud: Sandbox) -> None:
    hostile = Message("@all", "@all @所有人")
    assert dingtalk.send(hostile, **robot(cloud), at=["user1"]) is None
    assert dingtalk.send(hostile, **robot(cloud), at=["all", "user1"]) is None
    assert [message["at"]["isAtAll"] for message in cloud.world.messages] == [False, True]


NAMES = st.one_of(st.from_regex(r"\A[0-9]{10,12}\Z"), st.sampled_from(["all", "user", " u ", "", "１" * 11]))


@given(st.lists(NAMES))
def test_each_recipient_is_of_one_sort(at: list[str]) -> None:
    to = dingtalk.recipients(at)
    named = [*to.mobiles, *to.user_ids, *(["all"] if to.everybody else [])]
    assert sorted(named) == sorted({name.strip() for name in at if name.strip()})
    assert all(len(name) == 11 and name.isascii() and name.isdigit() for name in to.mobiles)


@pytest.mark.parametrize(
    ("code", "text", "cause"),
    [
        ("310000", "keywords not in content, more: [https://open.dingtalk.com/x]", "keyword"),
        ("310000", "invalid timestamp, more: [https://open.dingtalk.com/x]", "clock"),
        ("310000", "sign not match, more: [https://open.dingtalk.com/x]", "sign"),
        ("310000", "ip 1.2.3.4 not in whitelist, more: [https://open.dingtalk.com/x]", "address"),
        ("310000", "something new", ""),
        ("130101", "send too fast, exceed 20 times per minute", "rate"),
        ("410100", "rate limit", "rate"),
        ("300001", "token is not exist", "token"),
        ("300005", "token is not exist", "token"),
        ("400102", "robot disabled", "token"),
        ("400013", "group dissolved", ""),
        ("460101", "message too long, exceed 20000 bytes", ""),
    ],
)
def test_a_refusal_is_told_once_with_its_cause(cloud: Sandbox, code: str, text: str, cause: str) -> None:
    cloud.world.faults.append(Fault("status", "dingtalk", status=200, code=code, message=text, count=-1))
    before = cloud.world.counts["dingtalk.send"]
    problem = dingtalk.send(MESSAGE, **robot(cloud), sleep=no_wait)
    assert problem is not None and problem.kind is Kind.NOTIFY_FAILED
    assert problem.facts == {"errcode": code, "errmsg": text} | ({"cause": cause} if cause else {})
    assert cloud.world.counts["dingtalk.send"] == before + 1
    assert cause == "" or wording.sentence(problem, "en").advice != wording.sentence(Problem(problem.kind), "en").advice


@pytest.mark.parametrize(
    ("cause", "wrong"),
    [
        ("sign", {"secret": "SECwrong"}),
        ("clock", {"now": lambda: time.time() - 7200}),
        ("token", {"webhook": "wrong"}),
    ],
)
def test_the_robot_itself_refuses(cloud: Sandbox, cause: str, wrong: dict[str, object]) -> None:
    options: dict[str, object] = {**robot(cloud), **wrong}
    if options["webhook"] == "wrong":
        options["webhook"] = robot(cloud)["webhook"][:-1]
    problem = dingtalk.send(MESSAGE, **options)  # type: ignore[arg-type]
    assert problem is not None and problem.facts["cause"] == cause
    assert not cloud.world.messages


def test_the_robot_wants_its_keyword(cloud: Sandbox) -> None:
    cloud.world.knobs.dingtalk_keyword = "行情"
    problem = dingtalk.send(MESSAGE, **robot(cloud))
    assert problem is not None and problem.facts["cause"] == "keyword"


def test_too_many_messages(cloud: Sandbox) -> None:
    cloud.world.knobs.dingtalk_per_minute = 1
    assert dingtalk.send(MESSAGE, **robot(cloud)) is None
    problem = dingtalk.send(MESSAGE, **robot(cloud), sleep=no_wait)
    assert problem is not None and problem.facts["cause"] == "rate"
    assert len(cloud.world.messages) == 1


def test_a_busy_robot_is_asked_again_at_most_three_times(cloud: Sandbox) -> None:
    cloud.world.faults.append(Fault("status", "dingtalk", status=200, count=2))
    assert dingtalk.send(MESSAGE, **robot(cloud), sleep=no_wait) is None
    assert len(cloud.world.messages) == 1
    before = cloud.world.counts["dingtalk.send"]
    cloud.world.faults[:] = [Fault("status", "dingtalk", status=200, count=-1)]
    problem = dingtalk.send(MESSAGE, **robot(cloud), sleep=no_wait)
    assert problem is not None and problem.facts == {"errcode": "-1", "errmsg": "系统繁忙"}
    assert cloud.world.counts["dingtalk.send"] == before + 3


@pytest.mark.parametrize(
    "body",
    [
        b'{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"x"}',
        b"<html>login</html>",
        b"",
        b"[]",
        b'{"errcode": "0"}',
        b'{"errcode": false}',
        b'{"errcode": null}',
        b'{"errcode": 0.0}',
        b"[" * 100_000,
    ],
)
def test_only_errcode_0_is_success(body: bytes) -> None:
    with serving(answer(200, body)) as server:
        problem = dingtalk.send(MESSAGE, webhook=f"{server.url}/robot/send?access_token={TOKEN}", secret=SECRET)
    assert problem is not None and "without errcode" in problem.facts["reason"]
    assert len(server.asked) == 1


def test_errcode_0_of_another_status_is_no_success() -> None:
    with serving(answer(403, b'{"errcode": 0, "errmsg": "ok"}')) as server:
        assert dingtalk.send(MESSAGE, webhook=f"{server.url}/robot/send?access_token={TOKEN}") is not None


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        (reset, 2),
        (raw(b""), 2),
        (answer(500, b"{}"), 2),
        (answer(302, b"", Location="http://127.0.0.1:1/"), 1),
        (answer(200, b"x" * 2_000_000), 2),
    ],
)
def test_a_broken_network_is_tried_twice(script: Script, asked: int) -> None:
    with serving(script) as server:
        webhook = f"{server.url}/robot/send?access_token={TOKEN}"
        problem = dingtalk.send(MESSAGE, webhook=webhook, secret=SECRET, sleep=no_wait)
    assert problem is not None and problem.facts["reason"]
    assert len(server.asked) == asked
    assert "5ecre7" not in repr(problem)


def test_no_word_of_what_it_sent_is_repeated() -> None:
    def echo(handler: Handler) -> None:
        answer(200, json.dumps({"errcode": 7, "errmsg": handler.path}).encode())(handler)

    with serving(echo) as server:
        webhook = f"{server.url}/robot/send?access_token={TOKEN}"
        problem = dingtalk.send(MESSAGE, webhook=webhook, secret=SECRET)
    assert problem is not None and "/robot/send?access_token=***" in problem.facts["errmsg"]
    assert TOKEN in server.asked[0].path
    assert "5ecre7" not in repr(problem)


@pytest.mark.parametrize(
    "webhook",
    [
        "https://oapi.dingtalk.com.evil.example/robot/send?access_token=x",
        "http://oapi.dingtalk.com/robot/send?access_token=x",
        "https://x@oapi.dingtalk.com/robot/send?access_token=x",
        "https://oapi.dingtalk.com/robot/send",
        "https://oapi.dingtalk.com/else?access_token=x",
        "",
    ],
)
def test_nothing_is_sent_to_anybody_else(webhook: str) -> None:
    problem = dingtalk.send(MESSAGE, webhook=webhook)
    assert problem is not None and problem.facts == {"cause": "webhook"}


def test_a_message_over_the_limit_is_not_sent(cloud: Sandbox) -> None:
    problem = dingtalk.send(Message("t", "长" * 7000), **robot(cloud))
    assert problem is not None and "20000" in problem.facts["reason"]
    assert not cloud.world.messages


def test_what_must_not_be_shown() -> None:
    assert dingtalk.secrets_of("https://oapi.dingtalk.com/robot/send?access_token=abc", "SEC") == ("abc", "SEC")
    assert dingtalk.secrets_of("", "") == ()
