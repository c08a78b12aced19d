"""The way to the neighbours: one proxy for three clients, its password in no text, its refusals told apart."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from forward_proxy import ForwardProxy, running
from ossserver import QUICK, keys

from backup_action.adapters import credentials, reason, way, web
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.control import Control
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.place import Place
from backup_action.adapters.way import Way
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.sandbox.serve import Sandbox

TYPED = "http://j%C3%B6rg:p%40%2Fcanary%E5%AF%86@127.0.0.1"
SENT = "Basic " + base64.b64encode("jörg:p@/canary密".encode()).decode()
Client = Callable[[str, Way], Problem]


@pytest.fixture
def refusing() -> Iterator[ForwardProxy]:
    """A proxy that wants another password."""
    with running(ForwardProxy(password="Basic other")) as proxy:
        yield proxy


def through_web(endpoint: str, by: Way) -> Problem:
    with pytest.raises(web.Unreachable) as raised:
        web.call("GET", f"{endpoint}/x?canary", sleep=lambda _: None, way=by)
    assert "canary" not in str(raised.value)
    return raised.value.stop(Kind.STS_UNREACHABLE, "sts").problem


def through_pool(endpoint: str, by: Way) -> Problem:
    async def work() -> None:
        async with Bucket(Attempts(Place("bucket", "cn-hangzhou", endpoint), keys, QUICK, by), connections=1) as made:
            await made.head("k")

    with pytest.raises(Stop) as stopped:
        asyncio.run(work())
    return stopped.value.problem


def through_oss2(endpoint: str, by: Way) -> Problem:
    async def work() -> None:
        async with Bucket(Attempts(Place("bucket", "cn-hangzhou", endpoint), keys, QUICK, by), connections=1) as made:
            await Control(made).begin("k", {})

    with pytest.raises(Stop) as stopped:
        asyncio.run(work())
    return stopped.value.problem


CLIENTS = pytest.mark.parametrize("client", [through_web, through_pool, through_oss2])


@CLIENTS
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_another_password_is_asked_once(client: Client, scheme: str, refusing: ForwardProxy) -> None:
    told = client(f"{scheme}://127.0.0.1:1", Way(f"{TYPED}:{refusing.port}"))
    assert told.kind is Kind.PROXY_UNREACHABLE and told.facts["cause"] == "refused"
    assert told.facts["reason"] == "the proxy answered HTTP 407"
    assert [one.password for one in refusing.asked] == [SENT]
    assert refusing.asked[0].method == ("CONNECT" if scheme == "https" else refusing.asked[0].method)
    assert "canary" not in repr(told)


@CLIENTS
def test_a_tunnel_that_is_not_there_yet_is_asked_for_again(client: Client) -> None:
    with running(ForwardProxy()) as proxy:  # nobody listens at port 1: it answers 502
        told = client("https://127.0.0.1:1", Way(proxy.url))
    assert told.kind is Kind.PROXY_UNREACHABLE and "cause" not in told.facts
    assert told.facts["reason"] == "the proxy answered HTTP 502"
    assert len(proxy.asked) > 1
    assert {(one.method, one.target) for one in proxy.asked} == {("CONNECT", "127.0.0.1:1")}


@CLIENTS
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_down_is_told_apart_from_a_neighbour_that_is(client: Client, scheme: str) -> None:
    down = client(f"{scheme}://127.0.0.1:1", Way(f"{TYPED}:1"))
    assert down.kind is Kind.PROXY_UNREACHABLE and down.facts["reason"] == "the proxy: connection refused"
    directly = client(f"{scheme}://127.0.0.1:1", Way())
    assert directly.kind in (Kind.STS_UNREACHABLE, Kind.OSS_UNREACHABLE)
    assert directly.facts["reason"].startswith("connection refused")


@pytest.mark.parametrize(
    ("closed", "status", "times"), [(9, "403", 1), pytest.param(0, "502", credentials.TRIES, marks=pytest.mark.slow)]
)
def test_sts_is_asked_for_again_unless_the_proxy_refuses_it(
    cloud: Sandbox, closed: int, status: str, times: int
) -> None:
    role = credentials.Role(
        cloud.environment["OSS_BACKUP_ROLE_TO_ASSUME"], cloud.environment["OSS_BACKUP_OIDC_PROVIDER_ARN"],
        "sts.aliyuncs.com", "", 3600, "https://127.0.0.1:9", "{}",
    )  # fmt: skip
    with running(ForwardProxy(closed=closed)) as proxy, pytest.raises(Stop) as stopped:
        credentials.assume(role, cloud.environment, lambda _: None, Way(proxy.url))
    assert stopped.value.problem.kind is Kind.PROXY_UNREACHABLE
    assert stopped.value.problem.facts["reason"] == f"the proxy answered HTTP {status}"
    assert [one.target for one in proxy.asked].count("127.0.0.1:9") == times


@CLIENTS
def test_the_proxies_of_the_environment_are_nobodys(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(ForwardProxy()) as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        client("http://127.0.0.1:1", Way())
        client("https://127.0.0.1:1", Way())
    assert proxy.asked == []


def test_what_must_not_be_shown_of_a_proxy() -> None:
    typed = f"{TYPED}:1"
    assert way.secrets_of(typed) == ("p%40%2Fcanary%E5%AF%86", "p@/canary密", SENT.removeprefix("Basic "))
    assert way.secrets_of("http://127.0.0.1:1") == way.secrets_of("") == way.secrets_of("http://jo@127.0.0.1:1") == ()
    assert "canary" not in repr(Way(typed))
    assert Way(typed).address == "http://127.0.0.1:1" and Way().address is None
    assert Way(typed).headers == {"Proxy-Authorization": SENT} and Way("http://127.0.0.1:1").headers == {}


def test_a_bundle_is_looked_at_before_it_is_used(tls: tuple[int, Path], tmp_path: Path) -> None:
    way.check("")
    way.check(str(tls[1]))
    for name, cause in (("absent", "unreadable"), (".", "unreadable"), ("\0", "unreadable"), ("text", "malformed")):
        (tmp_path / "text").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        with pytest.raises(Stop) as stopped:
            way.check(str(tmp_path / name))
        assert stopped.value.problem.kind is Kind.CA_BUNDLE and stopped.value.problem.facts["cause"] == cause


def test_a_reason_knows_an_error_that_was_made_of_itself() -> None:
    error = OSError(111, "x")
    error.__context__ = error.__cause__ = ValueError("http://secret")
    error.__cause__.__context__ = error
    assert reason.of(error).text == "connection refused"
