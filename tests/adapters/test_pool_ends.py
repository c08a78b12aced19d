"""The connections to a server that behaves oddly: early refusals, drips, other protocols, old proxies."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from test_pool import OK, Talk, body, served
from tls_front import Authority

from backup_action.adapters import reason
from backup_action.adapters.oss.connection import ERROR_MAX, Ended, Heard, MalformedAnswer
from backup_action.adapters.oss.pool import Pool
from backup_action.adapters.way import DIRECT, Way

HI = OK + b"Content-Length: 2\r\n\r\nhi"
SIZE = 100 << 18


async def many(number: int = 100, pause: float = 0.0) -> AsyncIterator[memoryview]:
    for _ in range(number):
        await asyncio.sleep(pause)
        yield memoryview(bytes(1 << 18))


@contextlib.asynccontextmanager
async def securely(talk: Talk, folder: Path) -> AsyncIterator[Pool]:
    """The same with TLS."""
    authority, context = Authority(folder), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.certificate())
    async with await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context) as server:
        at = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        pool = Pool(at, Way(ca_bundle=str(authority.bundle)), 4, 600.0)
        yield pool
        pool.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("in_pieces", [True, False])
def test_a_refusal_counts_at_once_though_the_server_reads_no_further(
    in_pieces: bool, secure: bool, tmp_path: Path
) -> None:
    """And what was not sent of the request is never in front of the next one."""
    asked = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.1)  # until no more can be sent
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno" if asked == 1 else HI)
        await writer.drain()
        while not writer.is_closing():  # it reads nothing, so it hears of no end
            await asyncio.sleep(0.01)
            if asked == 2:
                writer.close()

    async def work() -> tuple[Heard, Heard]:
        serving = securely(talk, tmp_path) if secure else served(talk, silence=600.0)
        async with serving as pool, asyncio.timeout(5):
            sent = many() if in_pieces else bytes(SIZE)
            first = await pool.ask("PUT", "/x", {"content-length": str(SIZE)}, sent)
            assert pool.idle == 0
            return first, await pool.ask("GET", "/x", {})

    first, second = asyncio.run(work())
    assert (first.status, body(first)) == (403, b"no") and body(second) == b"hi"


def test_the_time_that_a_body_takes_is_no_silence_whatever_is_said_before_its_end() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(10 << 18)
        writer.write(HI)
        writer.close()

    async def work() -> bytes:
        async with served(talk, silence=0.2) as pool:
            return body(await pool.ask("PUT", "/x", {"content-length": str(10 << 18)}, many(10, pause=0.05)))

    assert asyncio.run(work()) == b"hi"


def test_an_answer_that_only_drips_is_none() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 1000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.close()

    async def work() -> None:
        async with served(talk, silence=0.1) as pool, asyncio.timeout(10):
            with pytest.raises(TimeoutError, match="no answer in time"):
                await pool.ask("GET", "/x", {})

    asyncio.run(work())


def test_an_error_in_many_small_chunks_costs_what_its_bytes_cost() -> None:
    """Each is added to a sum: where all were added up at each, this took twelve seconds of CPU."""
    chunks = b"1\r\nx\r\n" * (ERROR_MAX + 99)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        writer.close()

    async def work() -> Heard:
        async with served(talk) as pool:
            return await pool.ask("GET", "/x", {})

    before = time.process_time()
    heard = asyncio.run(work())
    assert len(body(heard)) == heard.size == ERROR_MAX and time.process_time() - before < 4


def test_another_protocol_is_no_answer_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nhello")
        writer.close()

    async def work() -> None:
        async with served(talk) as pool:
            with pytest.raises(MalformedAnswer) as told:
                await pool.ask("GET", "/x", {})
            assert reason.of(told.value).text == "what came is no answer of HTTP"

    with caplog.at_level(logging.WARNING, "asyncio"):
        asyncio.run(work())
    assert not caplog.records


def test_what_is_cancelled_after_its_connection_broke_leaves_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async def work() -> None:
        async with served(talk) as pool:
            task = asyncio.ensure_future(pool.ask("PUT", "/x", {"content-length": str(SIZE)}, many(pause=60.0)))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            gc.collect()
            await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING, "asyncio"):
        asyncio.run(work())
    assert not caplog.records


async def through(answer: bytes, target: str) -> tuple[bytes, bytes]:
    """What a proxy that gives this answer is asked, and then hears."""
    heard: asyncio.Future[tuple[bytes, bytes]] = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        heard.set_result((head, await reader.read(3)))
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server, asyncio.timeout(10):
        pool = Pool(target, Way(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), 1)
        with pytest.raises(OSError):  # nobody speaks TLS there
            await pool.ask("GET", "/x", {})
        return await heard


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200 Connection established\r\nProxy-agent: old\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    ],
)
def test_a_tunnel_stays_open_whatever_its_answer_says_of_the_connection(answer: bytes) -> None:
    head, heard = asyncio.run(through(answer, "https://there.example"))
    assert head.startswith(b"CONNECT there.example:443 HTTP/1.1\r\n") and heard[:2] == b"\x16\x03", "TLS begins"


def test_a_tunnel_to_an_address_of_ipv6_names_it_in_brackets() -> None:
    head, _ = asyncio.run(through(b"HTTP/1.1 200 OK\r\n\r\n", "https://[2001:db8::1]:8443"))
    assert head.startswith(b"CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nhost: [2001:db8::1]:8443\r\n")


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
@pytest.mark.parametrize("is_proxy", [False, True])
def test_what_can_be_no_name_of_a_host_is_one_that_cannot_be_resolved(host: str, is_proxy: bool) -> None:
    pool = Pool("http://there.example", Way(f"http://{host}:80"), 1) if is_proxy else Pool(f"http://{host}", DIRECT, 1)
    with pytest.raises(OSError) as told:
        asyncio.run(pool.ask("GET", "/x", {}))
    assert "the name cannot be resolved" in reason.of(told.value).text


def test_who_meets_a_dead_address_later_than_others_still_comes_to_the_next() -> None:
    """The first to find the address that answers puts it first; that hides it from nobody who is still trying."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HI)
        writer.close()

    async def work() -> None:
        async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            for steps in range(12):
                pool = Twice(f"http://there.example:{port}", DIRECT, 2)
                later = asyncio.ensure_future(after(steps, pool))
                assert body(await pool.ask("GET", "/x", {})) == body(await later) == b"hi"
                pool.close()

    async def after(steps: int, pool: Pool) -> Heard:
        for _ in range(steps):
            await asyncio.sleep(0)
        return await pool.ask("GET", "/x", {})

    asyncio.run(work())


class Twice(Pool):
    """To a name with two addresses, of which the first refuses."""

    @staticmethod
    async def _resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]


def test_a_connection_that_ends_in_the_middle_of_a_body_is_told_as_that() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.read(1 << 16)
        writer.write_eof()  # half of it: nothing will be said any more
        await reader.read()
        writer.close()

    async def work() -> None:
        async with served(talk) as pool, asyncio.timeout(10):
            with pytest.raises((Ended, ConnectionResetError, BrokenPipeError)):
                await pool.ask("PUT", "/x", {"content-length": str(SIZE)}, many())

    asyncio.run(work())
