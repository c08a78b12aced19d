"""The connections to a server: answers of every framing in any pieces, and what no good answer is; reuse; ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_action.adapters.oss.connection import ERROR_MAX, HEAD_MAX, Ended, Heard, MalformedAnswer, request_head
from backup_action.adapters.oss.pool import Pool
from backup_action.adapters.way import DIRECT, Way

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"
FIVE = OK + b"Content-Length: 5\r\n\r\nhello"


class Server:
    """Answers each request of each connection by the next of its scripts; keeps what it was asked."""

    def __init__(self, *scripts: bytes | list[bytes] | None) -> None:
        """Bytes to answer with, in pieces where they are a list; None ends the connection without an answer."""
        self.scripts = list(scripts)
        self.asked: list[bytes] = []
        self.connections = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while self.scripts:
                head = await reader.readuntil(b"\r\n\r\n")
                told = re.search(rb"content-length: ([0-9]+)", head)
                size = int(told[1]) if told else 0
                self.asked.append(head + await reader.readexactly(size))
                script = self.scripts.pop(0)
                if script is None:
                    break
                for piece in script if isinstance(script, list) else [script]:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if b"close" in (script if isinstance(script, bytes) else b"".join(script)):
                    break
        writer.close()


@contextlib.asynccontextmanager
async def served(talk: Talk, most: int = 4, silence: float = 60.0, idle: float = 15.0) -> AsyncIterator[Pool]:
    talks: set[asyncio.Task[None]] = set()

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await talk(reader, writer)
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.ensure_future(whole(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        pool = Pool(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", DIRECT, most, silence, idle)
        try:
            yield pool
        finally:
            pool.close()
            await asyncio.wait(talks, timeout=5)


async def once(talk: Talk) -> Heard:
    """What comes of one question to a server that talks so."""
    async with served(talk) as pool, asyncio.timeout(10):
        return await pool.ask("GET", "/x", {})


def asked(*scripts: bytes | list[bytes] | None, method: str = "GET", times: int = 1) -> tuple[list[Heard], Server]:
    server = Server(*scripts)

    async def work() -> list[Heard]:
        async with served(server.talk) as pool:
            return [await pool.ask(method, "/x", {}) for _ in range(times)]

    return asyncio.run(work()), server


def body(heard: Heard) -> bytes:
    return b"".join(heard.parts)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % len(data) for place in places}), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]


FRAMED = {
    "length": OK + b'content-LENGTH: 11\r\nETag: "A"\r\n\r\nhello world',
    "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=1\r\n world\r\n0\r\nTrailer: 1\r\n\r\n",
    "end": OK + b"Connection: close\r\n\r\nhello world",
    "continue": b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + OK + b"Content-Length: 11\r\n\r\nhello world",
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
}


@pytest.mark.parametrize("framing", FRAMED)
@settings(max_examples=8, deadline=None)
@given(places=st.lists(st.integers(0, 200), max_size=6))
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(framing: str, places: list[int]) -> None:
    closes = framing in ("end", "old")
    script = cut(FRAMED[framing], places)
    server = Server(script, FIVE)
    if closes:
        server = Server(script)

    async def work() -> list[Heard]:
        async with served(server.talk) as pool:
            return [await pool.ask("GET", "/x", {}) for _ in range(1 if closes else 2)]

    heard = asyncio.run(work())
    assert heard[0].status == 200 and body(heard[0]) == b"hello world" and heard[0].headers.get("x") == ""
    if not closes:
        assert body(heard[1]) == b"hello" and server.connections == 1


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
def test_the_answer_to_a_head_has_no_body_and_the_connection_goes_on(status: str) -> None:
    script = f"HTTP/1.1 {status}\r\nContent-Length: 7\r\n\r\n".encode()
    heard, server = asked(script, script, method="HEAD", times=2)
    assert [body(one) for one in heard] == [b"", b""] and heard[0].headers["CONTENT-length"] == "7"
    assert server.connections == 1


def test_no_content_has_no_body() -> None:
    heard, server = asked(b"HTTP/1.1 204 No Content\r\n\r\n", FIVE, times=2)
    assert [one.status for one in heard] == [204, 200] and server.connections == 1


@pytest.mark.parametrize(
    "script",
    [
        OK + b"Content-Length: 6\r\nX: close\r\n\r\nhello",
        OK + b"Transfer-Encoding: chunked\r\nX: close\r\n\r\n5\r\nhel",
        OK + b"Content-Length: 6\r\nX: close\r\n",
    ],
)
def test_an_answer_that_ends_too_early_is_none(script: bytes) -> None:
    with pytest.raises(Ended):
        asked(script)


@pytest.mark.parametrize(
    "script",
    [
        b"220 smtp.example.com\r\n\r\n",
        OK + b"Content-Length: five\r\n\r\nhello",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        [OK, b"x" * HEAD_MAX, b"y" * HEAD_MAX],
    ],
)
def test_what_is_no_answer_is_none(script: bytes | list[bytes]) -> None:
    with pytest.raises((MalformedAnswer, Ended)):
        asked(script)


@pytest.mark.parametrize("more", [[FIVE + b"more"], [FIVE[:-2], b"lomore"], [FIVE, FIVE]])
def test_bytes_behind_an_answer_never_become_the_next_one(more: list[bytes]) -> None:
    server = Server(more, OK + b"Content-Length: 4\r\n\r\nnext")

    async def work() -> list[bytes]:
        async with served(server.talk) as pool:
            told = []
            for _ in range(2):
                with contextlib.suppress(MalformedAnswer):
                    told.append(body(await pool.ask("GET", "/x", {})))
                await asyncio.sleep(0.05)
            return told

    assert asyncio.run(work())[-1] == b"next"
    assert server.connections == 2


def test_more_than_the_head_told_of_ends_the_exchange() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(FIVE[:-2])
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(b"lomore")
            await reader.read()
        writer.close()

    with pytest.raises(MalformedAnswer):
        asyncio.run(once(talk))


def test_a_head_without_an_end_is_given_up_though_the_server_goes_on() -> None:
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            while sent < 64 * HEAD_MAX:
                writer.write(b"X-More: and more\r\n" * 64)
                sent += 64 * 18
                await writer.drain()
                await asyncio.sleep(0)
            await reader.read()
        writer.close()

    with pytest.raises(MalformedAnswer):
        asyncio.run(once(talk))
    assert sent < 64 * HEAD_MAX


@pytest.mark.parametrize(("idle", "connections"), [(15.0, 1), (0.02, 2)])
def test_a_connection_that_was_long_unused_is_not_trusted(idle: float, connections: int) -> None:
    server = Server(FIVE, FIVE)

    async def work() -> None:
        async with served(server.talk, idle=idle) as pool:
            await pool.ask("GET", "/x", {})
            await asyncio.sleep(0.1)
            await pool.ask("GET", "/x", {})

    asyncio.run(work())
    assert server.connections == connections


def test_a_connection_that_the_server_gave_up_costs_no_failure() -> None:
    heard, server = asked(FIVE, None, FIVE, times=2)
    assert [body(one) for one in heard] == [b"hello", b"hello"]
    assert server.connections == 2 and len(server.asked) == 3


def test_a_new_connection_that_ends_without_an_answer_is_a_failure() -> None:
    with pytest.raises(Ended):
        asked(None, FIVE)


def test_a_body_in_pieces_is_never_sent_twice_unasked() -> None:
    server = Server(FIVE, None, FIVE)

    async def pieces() -> AsyncIterator[memoryview]:
        yield memoryview(b"hel")
        yield memoryview(b"lo")

    async def work() -> None:
        async with served(server.talk) as pool:
            await pool.ask("PUT", "/x", {"content-length": "5"}, pieces())
            await pool.ask("PUT", "/x", {"content-length": "5"}, pieces())

    with pytest.raises(Ended):
        asyncio.run(work())
    assert [one[-5:] for one in server.asked] == [b"hello", b"hello"]


def test_a_body_stops_where_it_is_refused_and_the_refusal_is_heard() -> None:
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        with contextlib.suppress(OSError):
            while await reader.read(1 << 16):
                pass
        writer.close()

    async def pieces() -> AsyncIterator[memoryview]:
        nonlocal sent
        for _ in range(200):
            sent += 1
            await asyncio.sleep(0.001)
            yield memoryview(bytes(1 << 16))

    async def work() -> Heard:
        async with served(talk) as pool:
            heard = await pool.ask("PUT", "/x", {"content-length": str(200 << 16)}, pieces())
            assert pool.idle == 0, "half of a request was sent on it"
            return heard

    heard = asyncio.run(work())
    assert (heard.status, body(heard)) == (403, b"no") and sent < 200


def test_an_error_is_read_no_further_than_it_is_worth() -> None:
    endless = b"HTTP/1.1 500 Oops\r\nContent-Length: 100000000\r\n\r\n"
    heard, _ = asked([endless, *[b"x" * (1 << 15)] * 5])
    assert heard[0].status == 500 and ERROR_MAX <= len(body(heard[0])) < 6 << 15


def test_an_error_that_comes_in_pieces_costs_no_connection() -> None:
    refused = [b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n", b"not", b" there"]
    heard, server = asked(refused, FIVE, times=2)
    assert [body(one) for one in heard] == [b"not there", b"hello"] and server.connections == 1


class TwoAddresses(asyncio.SelectorEventLoop):
    """Every name has two addresses, of which the first does not answer; keeps which were asked for a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[str] = []

    async def getaddrinfo(self, host: object, port: object, **_: object) -> list[tuple[object, ...]]:  # type: ignore[override]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", port)) for last in (2, 1)]

    async def sock_connect(self, sock: socket.socket, address: tuple[str, int]) -> None:  # type: ignore[override]
        self.tried.append(address[0])
        await super().sock_connect(sock, address)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_the_address_that_answers_is_asked_first_from_then_on(at_once: int) -> None:
    """However many found it at the same moment."""
    server = Server(*[OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n"] * (at_once + 1))
    loop = TwoAddresses()

    async def work() -> list[str]:
        async with served(server.talk) as pool:
            await asyncio.gather(*(pool.ask("GET", "/x", {}) for _ in range(at_once)))
            del loop.tried[:]
            await pool.ask("GET", "/x", {})
            return loop.tried

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(work()) == ["127.0.0.1"]


def test_no_more_connections_than_allowed_and_each_is_used_again() -> None:
    at_once, most = 0, 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                at_once += 1
                most = max(most, at_once)
                await asyncio.sleep(0.01)
                at_once -= 1
                writer.write(FIVE)
        writer.close()

    async def work() -> int:
        async with served(talk, most=3) as pool:
            await asyncio.gather(*(pool.ask("GET", "/x", {}) for _ in range(12)))
            return pool.idle

    assert asyncio.run(work()) == 3 and most == 3


@pytest.mark.parametrize(
    "told",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy/1.11\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["1.1", "1.0", "close"],
)
def test_a_tunnel_stays_open_whatever_the_head_of_its_answer_says(told: bytes) -> None:
    """What follows in it is TLS: its first byte is that of a handshake."""
    first: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(told)
        first.append(await reader.read(1))
        writer.close()

    async def work() -> None:
        async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            pool = Pool("https://bucket.example", Way(f"http://127.0.0.1:{port}"), 1)
            with pytest.raises(OSError):
                await pool.ask("GET", "/x", {})
            pool.close()

    asyncio.run(work())
    assert first == [b"\x16"]


def test_a_silence_ends_an_exchange() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 5\r\n\r\nhel")
        await reader.read()
        writer.close()

    async def work() -> None:
        async with served(talk, silence=0.05) as pool:
            await pool.ask("GET", "/x", {})

    with pytest.raises(TimeoutError):
        asyncio.run(work())


@pytest.mark.parametrize("value", ["a\r\nx-oss-forbid-overwrite: false", "a\nb", "a\rb", "a\0b"])
def test_nothing_from_outside_ends_a_line_of_a_request(value: str) -> None:
    for told in ((f"/{value}", []), ("/", [("x", value)]), ("/", [(value, "x")])):
        with pytest.raises(ValueError, match="more than one line"):
            request_head("GET", told[0], told[1])


def test_a_cancelled_exchange_leaves_no_connection_to_the_next() -> None:
    server = Server([OK + b"Content-Length: 5\r\n\r\n", b""], OK + b"Content-Length: 4\r\n\r\nnext")

    async def work() -> bytes:
        async with served(server.talk) as pool:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await pool.ask("GET", "/x", {})
            return body(await pool.ask("GET", "/x", {}))

    assert asyncio.run(work()) == b"next" and server.connections == 2
