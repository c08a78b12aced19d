"""The transport's promises, each against a real server that tries to break it."""

import contextlib
import email.utils
import gzip
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import Handler, Script, answer, raw, reset, serving

from backup_action.adapters import web
from backup_action.adapters.way import Way

SECRET = "access_token=5ecre7"


def no_wait(seconds: float) -> None:
    """In place of sleeping."""
    assert 0 <= seconds <= web.PAUSE_MAX


@contextlib.contextmanager
def unreachable(reason: str) -> Iterator[None]:
    """The block fails for that reason, and the error holds nothing of the request, nor of the library's error."""
    with pytest.raises(web.Unreachable, match=reason) as caught:
        yield
    error = caught.value
    assert error.__cause__ is None and error.__context__ is None
    assert "5ecre7" not in repr(error) + repr(vars(error))


def test_an_answer_comes_as_it_was_sent() -> None:
    with serving(answer(200, b"hello", X_One="1")) as server:
        got = web.call("POST", f"{server.url}/a", headers={"X-Two": "2"}, params={"q": "a b/ü"}, data=b"body")
    assert (got.status, got.body, got.headers["x-one"]) == (200, b"hello", "1")
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.body, asked.headers["x-two"]) == ("POST", "/a?q=a+b%2F%C3%BC", b"body", "2")
    assert "hello" not in repr(got) and "one" not in repr(got)


def test_a_form_and_a_document_are_encoded() -> None:
    with serving(answer()) as server:
        web.call("POST", server.url, data={"a": "1 +&"})
        web.call("POST", server.url, json={"a": 1})
    assert [asked.body for asked in server.asked] == [b"a=1+%2B%26", b'{"a": 1}']


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_nobody_goes_there(status: int) -> None:
    with serving(answer()) as trap, serving(answer(status, Location=f"{trap.url}/?{SECRET}")) as server:
        got = web.call("GET", server.url, headers={"Authorization": "Bearer 5ecre7"})
    assert got.status == status
    assert (len(server.asked), len(trap.asked)) == (1, 0)


def test_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("default login thief password thief\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "no such bundle"))
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with serving(answer()) as proxy, serving(answer()) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        web.call("GET", server.url, headers={"Authorization": "Bearer mine"})
        web.call("GET", server.url)
    assert not proxy.asked
    assert [asked.headers.get("authorization") for asked in server.asked] == ["Bearer mine", None]


def test_a_proxy_that_is_given_is_used() -> None:
    with serving(answer(200, b"through")) as proxy:
        got = web.call("GET", "http://127.0.0.1:1/x", way=Way(proxy.url), tries=1)
    assert got.body == b"through"
    assert proxy.asked[0].path == "http://127.0.0.1:1/x"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/?access_token=5ecre7",
        "http://169.254.169.254/?access_token=5ecre7",
        "http://127.0.0.1.example.com/?access_token=5ecre7",
        "http://localhost.example.com/?access_token=5ecre7",
        "https://user:5ecre7@127.0.0.1/",
        "https://5ecre7@127.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://127.0.0.1:5ecre7/",
        "https://[::1/",
        "5ecre7",
        "",
    ],
)
def test_only_https_and_loopback(url: str) -> None:
    with unreachable("not an"):
        web.call("GET", url)


def test_loopback_by_all_its_names() -> None:
    for url in (
        "http://127.0.0.1:1/",
        "http://127.9.9.9:1/",
        "http://localhost:1/",
        "http://[::1]:1/",
        "https://x.example/",
    ):
        web.check(url)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (reset, "connection reset by peer"),
        (raw(b""), "the connection ended too early"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"), "the connection ended too early"),
        (raw(b"nonsense 5ecre7\r\n\r\n"), "the connection ended too early"),
        (answer(200, b"x" * 5000), "the answer is too large"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"x: 5ecre7\r\n" * 200 + b"\r\n"), "the connection ended too early"),
    ],
)
def test_what_is_no_whole_answer_is_tried_again_and_then_named(script: Script, reason: str) -> None:
    with serving(script) as server, unreachable(reason):
        web.call("GET", f"{server.url}/?{SECRET}", tries=3, limit_bytes=1000, sleep=no_wait)
    assert len(server.asked) == 3


def test_nobody_listens() -> None:
    with serving(answer()) as server:
        url = server.url
    with unreachable(rf"connection refused \(127.0.0.1:{server.port}\)"):
        web.call("GET", f"{url}/?{SECRET}", sleep=no_wait)


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tls: tuple[int, Path]) -> None:
    port, bundle = tls
    with unreachable("certificate not accepted: self-signed certificate"):
        web.call("GET", f"https://localhost:{port}/?{SECRET}", tries=1)
    assert web.call("GET", f"https://localhost:{port}/", way=Way(ca_bundle=str(bundle))).status == 200


def test_the_environment_cannot_vouch_for_a_certificate(tls: tuple[int, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    port, bundle = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(bundle))
    with unreachable("certificate not accepted"):
        web.call("GET", f"https://localhost:{port}/", tries=1)


def test_an_answer_of_just_the_limit_is_taken() -> None:
    with serving(answer(200, b"x" * 1000)) as server:
        assert len(web.call("GET", server.url, limit_bytes=1000).body) == 1000


def test_a_packed_body_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(1_000_000))
    with serving(answer(200, bomb, Content_Encoding="gzip")) as server:
        assert web.call("GET", server.url, limit_bytes=len(bomb)).body == bomb
    assert server.asked[0].headers["accept-encoding"] == "identity"


def test_passing_failures_are_tried_again() -> None:
    with serving(answer(500), answer(429), reset, answer(503), answer(200, b"at last")) as server:
        assert web.call("GET", server.url, tries=5, sleep=no_wait).body == b"at last"
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    ("status", "tries"), [(500, 3), (503, 3), (429, 3), (501, 1), (400, 1), (401, 1), (404, 1), (204, 1)]
)
def test_the_last_answer_comes_back_whatever_it_is(status: int, tries: int) -> None:
    with serving(answer(status)) as server:
        assert web.call("GET", server.url, tries=3, sleep=no_wait).status == status
    assert len(server.asked) == tries


def test_who_asks_says_what_is_worth_another_try() -> None:
    with serving(answer(400, b"busy"), answer(400, b"no")) as server:
        assert web.call("GET", server.url, again=lambda got: got.body == b"busy", sleep=no_wait).body == b"no"
    assert len(server.asked) == 2


def waits(*scripts: Script) -> list[float]:
    """The pauses that a call makes."""
    found: list[float] = []
    with serving(*scripts) as server:
        web.call("GET", server.url, tries=len(scripts), sleep=found.append)
    return found


def test_retry_after_is_honoured_within_bounds() -> None:
    soon = email.utils.formatdate(time.time() + 10, usegmt=True)
    told = [answer(503, Retry_After=value) for value in ("3", soon, "86400", "-5", "soon", "Wed, 99 Foo 2026")]
    three, ten, day, *rest = waits(*told, answer())
    assert 3 <= three <= web.PAUSE_MAX
    assert 8 <= ten <= web.PAUSE_MAX
    assert day == web.PAUSE_MAX
    assert len(rest) == 3


def test_no_pause_goes_past_the_deadline() -> None:
    pauses: list[float] = []
    with serving(answer(503, Retry_After="15"), answer()) as server:
        web.call("GET", server.url, deadline=2, sleep=pauses.append)
    assert len(pauses) == 1 and pauses[0] <= 2


@given(st.integers(0, 200))
def test_a_pause_is_within_its_bounds(attempt: int) -> None:
    assert 0 <= web.pause(attempt) <= min(web.PAUSE_MAX, web.PAUSE_FIRST * 2 ** min(attempt, 30))


def drip(before: bytes, piece: bytes) -> tuple[Script, threading.Event]:
    """An answer that takes ten seconds, a piece at a time, and then breaks off; and what ends it earlier."""
    done = threading.Event()

    def script(handler: Handler) -> None:
        handler.wfile.write(before)
        for _ in range(500):
            if done.wait(0.02):
                break
            handler.wfile.write(piece)

    return script, done


@pytest.mark.parametrize(
    ("before", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),  # a header without end
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
def test_a_drip_does_not_outlast_the_deadline(before: bytes, piece: bytes) -> None:
    script, done = drip(before, piece)
    with serving(script) as server:
        try:
            with unreachable("no whole answer in time|timed out"):
                web.call("GET", f"{server.url}/?{SECRET}", deadline=0.3, timeout=(5, 5))
            assert len(server.asked) == 1
        finally:
            done.set()


def test_silence_is_given_up() -> None:
    done = threading.Event()
    with serving(lambda handler: bool(done.wait()) and None) as server:
        try:
            with unreachable("timed out"):
                web.call("GET", f"{server.url}/?{SECRET}", timeout=(5, 0.05), tries=2, sleep=no_wait)
            assert len(server.asked) == 2
        finally:
            done.set()


def test_nothing_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    malformed = raw(b"HTTP/1.1 200 OK\r\nno colon 5ecre7\r\nContent-Length: 0\r\n\r\n")
    with serving(answer(), malformed) as server:
        for _ in range(2):
            web.call("GET", f"{server.url}/?{SECRET}", tries=1)
    assert "5ecre7" not in caplog.text
    assert "urllib3" not in caplog.text
