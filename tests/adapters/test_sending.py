"""A limit of bytes a second: nothing is lost by it, nothing waits for ever, and it is kept."""

import asyncio
import time
from collections import Counter

import fastcrc
import pytest
from aiohttp import web
from ossserver import Handler, bucket

from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.sending import FEW, Turn
from backup_action.core.body import Body
from backup_action.core.throttle import Throttle

SAFE = 60  # seconds after which a test that hangs fails


class Server:
    """Keeps what it is sent, how it came, and how many bodies were under way at a time."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.bodies: Counter[bytes] = Counter()
        self.headers: list[dict[str, str]] = []
        self.heads = self.now = self.most = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.heads += sum(len(name) + len(value) + 4 for name, value in request.headers.items())
        if self.failures:
            self.failures -= 1
            assert request.transport
            request.transport.abort()  # before the body has come
            return web.Response()
        self.now += 1
        self.most = max(self.most, self.now)
        data = await request.read()
        self.now -= 1
        self.bodies[data] += 1
        return web.Response(headers={"x-oss-hash-crc64ecma": str(fastcrc.crc64.xz(data))})


def send(server: Handler, bodies: list[bytes], limit: int) -> float:
    """Puts all at once; the seconds that took."""

    async def one(made: Bucket, number: int, data: bytes) -> None:
        if number % 2:
            await made.put(f"k{number}", data, fastcrc.crc64.xz(data))
        else:
            await made.part(f"k{number}", "u", 1, data, fastcrc.crc64.xz(data))

    async def work() -> float:
        async with bucket(server, limit=limit) as made:
            begin = time.monotonic()
            await asyncio.gather(*(one(made, number, data) for number, data in enumerate(bodies)))
            return time.monotonic() - begin

    return asyncio.run(asyncio.wait_for(work(), SAFE))


def bodies(*sizes: int) -> list[bytes]:
    return [number.to_bytes(4, "big") * (size // 4) for number, size in enumerate(sizes)]


MIXED = bodies(*[4] * 60, *[5_000] * 60, *[70_000] * 6, 400_000)


def test_what_is_sent_takes_as_long_as_the_limit_says() -> None:
    """Also as soon as it may: that, no test can promise of a machine that is shared; `tests/core/test_pace.py` does."""
    server = Server()
    took = send(server, MIXED, 1_000_000)
    assert server.bodies == Counter(MIXED)
    assert took >= (sum(map(len, MIXED)) + server.heads) / 1_000_000 * 0.95 - 0.15


@pytest.mark.parametrize("limit", [0, 1_000_000])
def test_bodies_come_whole_with_their_length_stated(limit: int) -> None:
    server = Server()
    send(server, MIXED, limit)
    assert server.bodies == Counter(MIXED)
    assert all("content-length" in told and "transfer-encoding" not in told for told in server.headers)


def test_few_long_bodies_are_under_way_at_a_time() -> None:
    server = Server()
    send(server, bodies(*[60_000] * 30), 1_000_000)
    assert server.most <= FEW


def test_a_body_that_is_sent_holds_no_place_while_the_answer_is_waited_for() -> None:
    """Nobody is answered before more bodies have come than are sent at a time."""
    come = 0
    enough = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal come
        data = await request.read()
        come += 1
        if come > FEW + 2:
            enough.set()
        await enough.wait()
        return web.Response(headers={"x-oss-hash-crc64ecma": str(fastcrc.crc64.xz(data))})

    send(handler, bodies(*[60_000] * (FEW + 3)), 1_000_000)
    assert come == FEW + 3


def test_a_request_is_signed_when_its_turn_has_come() -> None:
    """A signature that waited is too old one day: here they are seconds apart, though all were asked for at once."""
    server = Server()
    send(server, bodies(*[1000] * 60, *[3000] * 9), 25_000)
    assert len({told["x-oss-date"] for told in server.headers}) > 3


def test_a_request_that_fails_on_its_way_gives_its_place_back() -> None:
    server = Server(failures=30)
    sent = bodies(*[150_000] * 16)
    send(server, sent, 3_000_000 - 200_000)
    assert server.bodies == Counter(sent)


def test_a_wait_for_a_turn_is_no_time_out() -> None:
    """Below the rate at which an upload counts as stuck, the limit is the reason."""

    async def work() -> None:
        few = asyncio.Semaphore(1)
        await few.acquire()
        turn = Turn(Throttle(1024), Body((b"x" * 1000, b"x" * 536)), few)
        async with asyncio.timeout(0.5) as limit:
            assert b"".join([bytes(piece) async for piece in turn.pieces(limit)]) == b"x" * 1536
        assert not few.locked()

    asyncio.run(work())
