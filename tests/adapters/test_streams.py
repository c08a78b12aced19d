"""Bodies that are read as they are sent: whole or not at all, at every try from their start, and never held."""

import asyncio
import hashlib
import os

import fastcrc
import pytest
from aiohttp import web
from ossserver import Handler, bucket

from backup_action.adapters.oss.data import Written
from backup_action.adapters.oss.sending import PIECE
from backup_action.adapters.oss.stream import READ, Stream, Unread

DATA = os.urandom(3 * READ + 12_345)
CRC = fastcrc.crc64.xz(DATA)


class Server:
    """Keeps what it is sent; the first `failures` bodies are broken off when some of them has come."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.asked = 0
        self.bodies: list[bytes] = []
        self.lengths: list[str] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        self.lengths.append(request.headers.get("content-length", ""))
        if self.failures:
            self.failures -= 1
            await request.content.readexactly(PIECE)
            assert request.transport
            request.transport.abort()
            return web.Response()
        data = await request.read()
        self.bodies.append(data)
        return web.Response(headers={"x-oss-hash-crc64ecma": str(fastcrc.crc64.xz(data)), "ETag": '"E"'})


class Source:
    """What a stream is read from; what it was asked for is noted."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []

    def __call__(self, offset: int, size: int) -> bytes:
        self.asked.append((offset, size))
        return self.data[offset : offset + size]


def send(server: Handler, body: Stream, limit: int = 0) -> Written:
    async def work() -> Written:
        async with bucket(server, limit=limit) as made:
            return await made.part("k", "u", 1, body, CRC)

    return asyncio.run(asyncio.wait_for(work(), 60))


@pytest.mark.parametrize("limit", [0, 100 << 20])
def test_a_stream_comes_whole_with_its_length_stated(limit: int) -> None:
    server, source = Server(), Source(DATA)
    assert send(server, Stream(len(DATA), CRC, source), limit) == Written("E", "", CRC)
    assert server.bodies == [DATA] and server.lengths == [str(len(DATA))]
    assert max(size for _, size in source.asked) <= READ, "it is not read in one piece"


def test_a_second_try_reads_it_from_its_start() -> None:
    server, source = Server(failures=2), Source(DATA)
    send(server, Stream(len(DATA), CRC, source))
    assert server.bodies == [DATA] and [offset for offset, _ in source.asked].count(0) == 3


@pytest.mark.parametrize("limit", [0, 100 << 20])
@pytest.mark.parametrize("at", [0, READ + 5, len(DATA) - 1])
def test_what_is_no_longer_the_same_never_comes_whole(at: int, limit: int) -> None:
    """And it is no fault of the network, which another try would heal."""
    other = bytearray(DATA)
    other[at] ^= 1
    server = Server()
    with pytest.raises(Unread) as raised:
        send(server, Stream(len(DATA), CRC, Source(bytes(other))), limit)
    assert raised.value.error is None and server.bodies == [] and server.asked == 1


def test_what_cannot_be_read_is_told_as_what_it_is() -> None:
    def read(offset: int, size: int) -> bytes:
        if offset:
            raise OSError(5, "I/O error")
        return DATA[:size]

    server = Server()
    with pytest.raises(Unread) as raised:
        send(server, Stream(len(DATA), CRC, read))
    assert isinstance(raised.value.error, OSError) and server.bodies == [] and server.asked == 1


def test_the_md5_of_a_stream_is_that_of_its_bytes_or_none() -> None:
    assert Stream(len(DATA), CRC, Source(DATA)).md5() == hashlib.md5(DATA).hexdigest().upper()
    with pytest.raises(Unread):
        Stream(len(DATA), CRC ^ 1, Source(DATA)).md5()
