"""The controls of the sandbox, and every kind of fault as a client of the small stand-ins suffers it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import oss2
import pytest
import requests

from backup_action.sandbox.serve import Sandbox
from backup_action.sandbox.world import Fault, Knobs


def tell(box: Sandbox, path: str, body: Any) -> requests.Response:
    data = body if isinstance(body, str) else json.dumps(body)
    return requests.post(f"{box.control}/{path}", data=data, timeout=5)


def ask(box: Sandbox, path: str) -> Any:
    answer = requests.get(f"{box.control}/{path}", timeout=5)
    assert answer.status_code == 200
    return answer.json()


def jwks(box: Sandbox) -> requests.Response:
    """The simplest request there is: no state, a body of some hundred bytes."""
    base = box.environment["ACTIONS_ID_TOKEN_REQUEST_URL"].partition("/token")[0]
    return requests.get(f"{base}/.well-known/jwks", timeout=5)


def test_requests_are_counted_by_kind(box: Sandbox) -> None:
    assert ask(box, "requests") == {"counts": {}}
    for _ in range(2):
        jwks(box)
    requests.get(box.environment["OSS_BACKUP_STS_ENDPOINT"], timeout=5)
    requests.get(box.environment["OSS_BACKUP_DINGTALK_WEBHOOK"], timeout=5)
    assert ask(box, "requests")["counts"] == {"github.jwks": 2, "sts.other": 1, "dingtalk.send": 1}
    log = ask(box, "requests?log=1")["log"]
    assert [(entry["service"], entry["request"], entry["status"]) for entry in log] == [
        ("github", "jwks", 200),
        ("github", "jwks", 200),
        ("sts", "other", 404),
        ("dingtalk", "send", 200),
    ]


def test_settings_are_read_and_turned(box: Sandbox) -> None:
    before = ask(box, "settings")
    assert before == json.loads(json.dumps({name: getattr(Knobs(), name) for name in before}))
    assert tell(box, "settings", {"token_seconds": 7, "claims": {"actor": "x"}, "key_seconds": 1.5}).ok
    after = {**before, "token_seconds": 7, "claims": {"actor": "x"}, "key_seconds": 1.5}
    assert ask(box, "settings") == after
    assert tell(box, "settings", {"key_seconds": None}).json() == {**after, "key_seconds": None}
    assert box.world.knobs.token_seconds == 7


RULES = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:*", "Resource": "*"}]}


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("{", "not JSON"),
        ('{"latency": NaN}', "NaN"),
        ('{"latency": 1e999}', "latency"),
        ([], "object"),
        ({"page_sizes": 1}, "'page_sizes'"),
        ({"page_size": "2"}, "page_size"),
        ({"page_size": 0}, "page_size"),
        ({"page_size": -1}, "page_size"),
        ({"page_size": None}, "page_size"),
        ({"latency": -0.1}, "latency"),
        ({"key_seconds": -1}, "key_seconds"),
        ({"crc64": 1}, "crc64"),
        ({"claims": []}, "claims"),
        ({"role_policy": {"Version": "1"}}, "Statement"),
        ({"trust_policy": RULES}, "'Resource'"),
        ({"token_seconds": 9, "page_size": 0}, "page_size"),
    ],
)
def test_settings_that_are_refused_change_nothing(box: Sandbox, wanted: Any, part: str) -> None:
    before = ask(box, "settings")
    answer = tell(box, "settings", wanted)
    assert answer.status_code == 400
    assert part in answer.json()["error"]
    assert ask(box, "settings") == before


def test_the_clock_may_be_behind_and_policies_are_taken(box: Sandbox) -> None:
    assert tell(box, "settings", {"clock_offset": -5, "role_policy": RULES}).ok
    assert box.world.now() < time.time() - 4
    assert box.world.knobs.role_policy == RULES


def test_faults_replace_the_ones_before(box: Sandbox) -> None:
    assert tell(
        box, "faults", [{"kind": "reset", "service": "oss", "count": 2}, {"kind": "throttle", "service": "sts"}]
    ).ok
    assert [(fault.kind, fault.service, fault.count) for fault in box.world.faults] == [
        ("reset", "oss", 2),
        ("throttle", "sts", 1),
    ]
    assert tell(box, "faults", []).json() == []
    assert box.world.faults == []


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("[", "not JSON"),
        ({}, "list"),
        (["reset"], "object"),
        ([{}], "kind"),
        ([{"kind": "explode"}], "'explode'"),
        ([{"kind": "reset", "service": "s3"}], "'s3'"),
        ([{"kind": "reset", "times": 3}], "'times'"),
        ([{"kind": "reset", "count": "3"}], "count"),
        ([{"kind": "reset", "count": -2}], "count"),
        ([{"kind": "reset", "skip": -1}], "skip"),
        ([{"kind": "cut", "after": -1}], "after"),
        ([{"kind": "stall", "seconds": -1}], "seconds"),
        ([{"kind": "reset", "probability": 1.5}], "probability"),
        ([{"kind": "status", "status": 42}], "42"),
        ([{"kind": "drop-header"}], "header"),
        ([{"kind": "expire-token", "service": "github"}], "'expire-token'"),
        ([{"kind": "expire-token", "service": "dingtalk"}], "'expire-token'"),
        ([{"kind": "reset"}, {"kind": "explode"}], "'explode'"),
    ],
)
def test_faults_that_are_refused_change_nothing(box: Sandbox, wanted: Any, part: str) -> None:
    box.world.faults = [Fault("stall", seconds=0)]
    answer = tell(box, "faults", wanted)
    assert answer.status_code == 400
    assert part in answer.json()["error"]
    assert [fault.kind for fault in box.world.faults] == ["stall"]


def test_reset_forgets_everything_but_the_keys(box: Sandbox) -> None:
    box.world.knobs.dingtalk_per_minute = 0
    requests.get(box.environment["OSS_BACKUP_DINGTALK_WEBHOOK"], timeout=5)
    box.world.messages.append({"text": "x"})
    box.world.dingtalk_limited_until = float("inf")
    box.world.dingtalk_times.append(1.0)
    tell(box, "faults", [{"kind": "reset"}])
    keys, knobs = dict(box.world.keys), box.world.knobs
    assert requests.post(f"{box.control}/reset", timeout=5).json() == {}
    assert (ask(box, "requests?log=1"), ask(box, "dingtalk"), ask(box, "faults")) == ({"counts": {}, "log": []}, [], [])
    assert box.world.knobs == Knobs()
    assert box.world.knobs is knobs  # whoever holds them sees the change
    assert (box.world.dingtalk_times, box.world.dingtalk_limited_until) == ([], 0)
    assert box.world.keys == keys


def test_what_is_stalled_comes_to_nothing_after_a_reset(box: Sandbox) -> None:
    box.world.faults = [Fault("stall", "dingtalk", seconds=0.5), Fault("stall", "oss", seconds=0.5)]
    keys, told = box.environment, dict[str, bool]()
    bucket = oss2.Bucket(
        oss2.AuthV4(keys["OSS_SANDBOX_ACCESS_KEY_ID"], keys["OSS_SANDBOX_ACCESS_KEY_SECRET"]),
        keys["OSS_BACKUP_ENDPOINT"], keys["OSS_BACKUP_BUCKET"], region=keys["OSS_BACKUP_REGION"],
    )  # fmt: skip

    def late(name: str, ask: Callable[[], object]) -> None:
        try:
            ask()
        except (requests.ConnectionError, oss2.exceptions.RequestError):
            told[name] = True

    asking = [
        threading.Thread(
            target=late, args=("robot", lambda: requests.post(keys["OSS_BACKUP_DINGTALK_WEBHOOK"], timeout=20))
        ),
        threading.Thread(target=late, args=("bucket", lambda: bucket.put_object("k", b"x"))),
    ]
    for one in asking:
        one.start()
    while any(fault.count for fault in box.world.faults):
        time.sleep(0.01)
    assert requests.post(f"{box.control}/reset", timeout=5).ok
    for one in asking:
        one.join()
    assert told == {"robot": True, "bucket": True}
    assert ask(box, "requests?log=1") == {"counts": {}, "log": []} and ask(box, "dingtalk") == []
    assert not bucket.object_exists("k")


def test_chance_is_the_same_after_each_reset(box: Sandbox) -> None:
    rolls = []
    for _ in range(2):
        requests.post(f"{box.control}/reset", timeout=5)
        box.world.faults = [Fault("status", "github", count=-1, probability=0.5)]
        rolls.append([jwks(box).status_code for _ in range(12)])
    assert rolls[0] == rolls[1]
    assert set(rolls[0]) == {200, 500}


def test_only_what_there_is(box: Sandbox) -> None:
    assert requests.get(f"{box.control}/", timeout=5).status_code == 404
    assert requests.get(f"{box.control}/reset", timeout=5).status_code == 405


# The faults. `github` stands for all three, since they are applied in one place.


def test_status(box: Sandbox) -> None:
    box.world.faults = [Fault("status", "github", status=502, code="Bad", headers={"Retry-After": "7"})]
    answer = jwks(box)
    assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (502, {"message": "Bad"}, "7")
    assert jwks(box).ok


def test_a_body_of_the_testers_own(box: Sandbox) -> None:
    page = "<html>Log in to the network of the hotel</html>"
    box.world.faults = [Fault("status", "github", status=200, message=page, headers={"Content-Type": "text/html"})]
    answer = jwks(box)
    assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (200, page, "text/html")


def test_throttle(box: Sandbox) -> None:
    box.world.faults = [Fault("throttle", "github")]
    assert jwks(box).status_code == 429


def test_match_skip_and_count(box: Sandbox) -> None:
    box.world.faults = [Fault("status", "github", "token"), Fault("status", "github", "j*", skip=1, count=2)]
    assert [jwks(box).status_code for _ in range(5)] == [200, 500, 500, 200, 200]
    assert [fault["count"] for fault in ask(box, "faults")] == [1, 0]


def test_reset_happens_before_anything_is_done(box: Sandbox) -> None:
    box.world.faults = [Fault("reset", "dingtalk", count=-1)]
    with pytest.raises(requests.ConnectionError, match=r"(?i)reset by peer"):
        requests.post(box.environment["OSS_BACKUP_DINGTALK_WEBHOOK"], json={}, timeout=5)
    assert ask(box, "requests?log=1")["log"][-1]["status"] == 0


def test_lose_reply_happens_after_everything_is_done(box: Sandbox) -> None:
    box.world.faults = [Fault("lose-reply", "sts")]
    keys = set(box.world.keys)
    with pytest.raises(requests.ConnectionError, match=r"(?i)reset by peer"):
        requests.post(box.environment["OSS_BACKUP_STS_ENDPOINT"], data=right_call(box), timeout=5)
    assert len(set(box.world.keys) - keys) == 1


def right_call(box: Sandbox) -> dict[str, str]:
    bearer = {"Authorization": f"Bearer {box.environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    url = f"{box.environment['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience=sts.aliyuncs.com"
    return {
        "Action": "AssumeRoleWithOIDC",
        "Version": "2015-04-01",
        "OIDCProviderArn": box.environment["OSS_BACKUP_OIDC_PROVIDER_ARN"],
        "RoleArn": box.environment["OSS_BACKUP_ROLE_TO_ASSUME"],
        "RoleSessionName": "gha",
        "OIDCToken": requests.get(url, headers=bearer, timeout=5).json()["value"],
    }


def test_stall(box: Sandbox) -> None:
    box.world.faults = [Fault("stall", "github", seconds=30)]
    base = box.environment["ACTIONS_ID_TOKEN_REQUEST_URL"]
    with pytest.raises(requests.ReadTimeout):
        requests.get(base, timeout=0.2)
    box.world.faults = [Fault("stall", "github", seconds=0.01)]
    assert jwks(box).ok


@pytest.mark.parametrize("after", [0, 10])
def test_cut(box: Sandbox, after: int) -> None:
    whole = jwks(box).content
    box.world.faults = [Fault("cut", "github", after=after)]
    base = box.environment["ACTIONS_ID_TOKEN_REQUEST_URL"].partition("/token")[0]
    with requests.get(f"{base}/.well-known/jwks", stream=True, timeout=5) as answer:
        assert answer.headers["Content-Length"] == str(len(whole))
        received = b""
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            for piece in answer.iter_content(1):
                received += piece
    assert received == whole[:after]


@pytest.mark.parametrize("after", [0, 10, 10**6])
def test_alter(box: Sandbox, after: int) -> None:
    whole = jwks(box).content
    box.world.faults = [Fault("alter", "github", after=after)]
    received = jwks(box).content
    different = [at for at, (old, new) in enumerate(zip(whole, received, strict=True)) if old != new]
    assert different == [min(after, len(whole) - 1)]


@pytest.mark.parametrize("header", ["Content-Type", "date", "Content-Length"])
def test_drop_header(box: Sandbox, header: str) -> None:
    whole = jwks(box)
    assert header in whole.headers
    box.world.faults = [Fault("drop-header", "github", header=header)]
    answer = jwks(box)
    assert header not in answer.headers
    assert answer.content == whole.content


def test_faults_of_one_service_leave_the_others_alone(box: Sandbox) -> None:
    box.world.faults = [Fault("reset", "sts", count=-1), Fault("reset", "oss", count=-1)]
    assert jwks(box).ok
