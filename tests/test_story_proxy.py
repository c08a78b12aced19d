"""Stories of a backup that reaches its neighbours through a proxy only: whole, once, and without its password in any
text; also through a proxy that fails every fifth request.
"""

from __future__ import annotations

import base64
import re
import secrets
import socket
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest
from box import Box, Ended, uploads, wanted
from forward_proxy import ForwardProxy, running

SERVICES = ("github", "sts", "oss", "dingtalk")
OWN = {"github.jwks", "github.openid-configuration"}  # what the sandbox's STS asks the sandbox's GitHub
PASSWORD = "p%20ä:canary-0123"  # as somebody types it who forgot to encode all of it
SENT = "Basic " + base64.b64encode("jörg:p ä:canary-0123".encode()).decode()


class Behind:
    """A box whose neighbours have addresses that lead nowhere but through the proxy."""

    def __init__(self, box: Box, stack: ExitStack) -> None:
        self.box = box
        self._real = {name: urllib.parse.urlsplit(box.sandbox.urls[name]).port or 0 for name in SERVICES}
        holes = {name: stack.enter_context(socket.socket()) for name in SERVICES}
        for hole in holes.values():
            hole.bind(("127.0.0.1", 0))  # taken, but nobody listens
        self.holes = {name: hole.getsockname()[1] for name, hole in holes.items()}

    @property
    def ports(self) -> Mapping[int, int]:
        return {self.holes[name]: self._real[name] for name in SERVICES}

    @property
    def environment(self) -> dict[str, str]:
        told = self.box.environment
        for name, hole in self.holes.items():
            told = {k: v.replace(f"127.0.0.1:{self._real[name]}", f"127.0.0.1:{hole}") for k, v in told.items()}
        return told

    def backup(self, proxy: str, **environ: str) -> Ended:
        """Backs up through the proxy."""
        return self.box.backup(**self.environment, OSS_BACKUP_PROXY=proxy, **environ)

    def asked(self) -> int:
        """Requests that came to the sandbox, whoever sent them."""
        return sum(count for name, count in self.box.counts().items() if "." in name and name not in OWN)


@pytest.fixture
def behind(box: Box) -> Iterator[Behind]:
    (box.tree / "d").mkdir()
    (box.tree / "a").write_bytes(b"1")
    (box.tree / "d/large").write_bytes(secrets.token_bytes((9 << 20) + 7))
    with ExitStack() as stack:
        yield Behind(box, stack)


def assert_whole(box: Box, ended: Ended, files: int, snapshots: int, unheard: int = 0) -> None:
    """Every file is in the bucket once, as it is on disk, and the newest snapshot says so.

    `unheard`: uploads that were begun, and of which the answer was lost; nobody knows their ids.
    """
    assert ended.code == 0 and ended.told.verified, ended.text
    assert box.objects() == wanted(box)
    found = box.snapshots()
    assert len(found) == snapshots
    entries = [entry for entry in found[-1][1:-1] if entry["kind"] == "file"]
    assert len(entries) == files and {entry["key"]: entry["sha256"] for entry in entries} == wanted(box)
    assert len(uploads(box)) == unheard


def test_all_neighbours_are_reached_through_the_proxy_and_nothing_goes_past_it(behind: Behind) -> None:
    with running(ForwardProxy(behind.ports, password=SENT)) as proxy:
        ended = behind.backup(f"http://j%C3%B6rg:{PASSWORD}@127.0.0.1:{proxy.port}")
        asked = behind.asked()
    assert proxy.forwarded == asked > 8
    assert {urllib.parse.urlsplit(one.target).port for one in proxy.asked} == set(behind.holes.values())
    assert {one.password for one in proxy.asked} == {SENT}
    assert_whole(behind.box, ended, files=2, snapshots=1)
    assert len(behind.box.messages()) == 1


def assert_told(ended: Ended, code: int, words: str, kind: str) -> None:
    """The ending and its sentence; and of the password nothing, in any form."""
    assert ended.code == code and words in ended.text, ended.text
    assert [problem.kind for problem in ended.told.problems][:1] == [kind]
    everything = ended.text + repr(ended.told)
    assert "canary" not in everything and SENT.removeprefix("Basic ") not in everything


def keys(behind: Behind, service: str) -> dict[str, str]:
    """What makes this neighbour the first that is asked."""
    own = behind.box.sandbox.owner
    stored = {"ALIBABA_CLOUD_ACCESS_KEY_ID": own.access_key_id, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": own.secret}
    return stored | {"OSS_BACKUP_ALLOW_STATIC_KEYS": "true"} if service == "oss" else {}


@pytest.mark.parametrize("service", ["token-service", pytest.param("oss", marks=pytest.mark.slow)])
def test_a_proxy_that_is_down_is_named_and_its_password_is_not(behind: Behind, service: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        ended = behind.backup(
            f"http://j%C3%B6rg:{PASSWORD}@127.0.0.1:{nobody.getsockname()[1]}", **keys(behind, service)
        )
    assert_told(ended, 5, "the setting `proxy` led to no answer", "proxy.unreachable")
    assert '"the proxy: connection refused"' in ended.text
    assert behind.asked() == 0


@pytest.mark.parametrize("service", ["token-service", "oss"])
def test_a_proxy_that_wants_another_password_is_asked_once(behind: Behind, service: str) -> None:
    with running(ForwardProxy(behind.ports, password="Basic other")) as proxy:
        ended = behind.backup(f"http://j%C3%B6rg:{PASSWORD}@127.0.0.1:{proxy.port}", **keys(behind, service))
    assert_told(ended, 5, "the setting `proxy` refused", "proxy.unreachable")
    assert "HTTP 407" in ended.text
    asked = [one for one in proxy.asked if "/robot/" not in one.target]
    assert len({one.target for one in asked}) == len(asked), "nothing is asked again"
    assert behind.asked() == 0


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_proxy_that_fails_every_fifth_request_loses_and_doubles_nothing(behind: Behind, count: int) -> None:
    for number in range(count):
        (behind.box.tree / f"d/{number:04}.csv").write_bytes(b"%d,%d\n" % (number, number * number))
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    with running(ForwardProxy(behind.ports, share=0.2, seed=seed)) as proxy:
        first = behind.backup(proxy.url)
        assert proxy.forwarded == behind.asked() > count
        unheard = sum(one.target.partition("?")[2].startswith("uploads") and one.is_unheard for one in proxy.asked)
        assert_whole(behind.box, first, files=count + 2, snapshots=1, unheard=unheard)
        assert first.told.counts.files_uploaded == count + 2
        manners = {one.manner for one in proxy.asked}
        second = behind.backup(proxy.url)
    assert len(manners) > 5, "all sorts of failures struck"
    assert_whole(behind.box, second, files=count + 2, snapshots=2, unheard=unheard)
    assert second.told.counts.files_uploaded == 0


def test_the_settings_of_the_proxy_are_not_shown_where_they_are_malformed(behind: Behind) -> None:
    ended = behind.backup(f"socks5://j:{PASSWORD}@127.0.0.1:1")
    assert ended.code == 2 and "canary" not in ended.text + repr(ended.told)
    assert re.search(r"http://host:port", ended.text)
