"""The limiter of requests: as many as may be, in the order in which they came, whatever becomes of each."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from ossserver import QUICK, bucket, error

from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.limiter import Limiter
from backup_action.adapters.oss.refusal import Refusal
from backup_action.core.concurrency import START, Concurrency
from backup_action.core.deadline import Deadline
from backup_action.core.patience import Patience
from backup_action.core.problem import Kind, Stop

SAFE = 60  # seconds after which a test that hangs fails


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), SAFE))


def limiter(ceiling: int) -> Limiter:
    return Limiter(Concurrency(ceiling, many=1000, few=4))


class Guest:
    """What is to be done: notes when it begins, and ends when it is told how."""

    def __init__(self, name: str, begun: list[str]) -> None:
        self.name = name
        self.begun = begun
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> None:
        self.begun.append(self.name)
        await self.end


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_no_more_than_so_many_and_first_come_first_served() -> None:
    async def work() -> None:
        one, begun = limiter(2), list[str]()
        guests = [Guest(name, begun) for name in "abcde"]
        tasks = [asyncio.create_task(one.ask(guest, 0)) for guest in guests]
        await settled()
        assert begun == ["a", "b"]
        guests[1].end.set_exception(Refusal(404, "NoSuchKey"))
        await settled()
        assert begun == ["a", "b", "c"]
        guests[0].end.set_result(None)
        guests[2].end.set_exception(OSError())
        await settled()
        assert begun == list("abcde")
        for guest in guests[3:]:
            guest.end.set_result(None)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in ended] == [type(None), Refusal, OSError, type(None), type(None)]

    run(work)


@pytest.mark.parametrize("late", [False, True])
def test_who_leaves_the_queue_takes_no_place(late: bool) -> None:
    """Also one that is cancelled when it has been let in, and has not gone on yet."""

    async def work() -> None:
        one, begun = limiter(1), list[str]()
        second, third, fourth = (Guest(name, begun) for name in "bcd")
        over = asyncio.Event()

        async def first() -> None:
            await over.wait()
            if late:
                asyncio.get_running_loop().call_soon(tasks[1].cancel)  # before what its going sets off

        tasks = [asyncio.create_task(one.ask(guest, 0)) for guest in (first, second, third)]
        await settled()
        if not late:
            tasks[1].cancel()
        over.set()
        await settled()
        assert tasks[1].cancelled() and begun == ["c"]
        third.end.set_result(None)
        await tasks[2]
        again = asyncio.create_task(one.ask(fourth, 0))
        await settled()
        assert begun == ["c", "d"]
        again.cancel()

    run(work)


def test_who_pauses_between_two_tries_takes_no_place() -> None:
    async def work() -> None:
        one, begun = limiter(1), list[str]()
        first, second = Guest("a", begun), Guest("b", begun)
        tasks = [asyncio.create_task(one.ask(first, SAFE)), asyncio.create_task(one.ask(second, 0))]
        await settled()
        assert begun == ["b"]
        for task in tasks:
            task.cancel()

    run(work)


def test_when_one_is_asked_to_wait_all_wait_and_then_go_on() -> None:
    """The bucket asks once for 0.3 s: of 60 requests only those begin meanwhile that were under way."""
    loop_times: list[float] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        loop_times.append(asyncio.get_running_loop().time())
        if len(loop_times) == 1:
            return error(429, "QpsLimitExceeded", x_oss_qos_delay_time="300")
        return web.Response()

    async def work() -> None:
        async with bucket(handler, concurrency=2) as made:
            await asyncio.gather(*(made.head(f"k{number}") for number in range(60)))

    run(work)
    assert len(loop_times) == 61
    assert sum(time - loop_times[0] < 0.29 for time in loop_times) <= 4


def test_who_waits_for_a_told_time_goes_on_though_nobody_else_moves() -> None:
    async def work() -> None:
        one, begun = limiter(2), list[str]()
        now = asyncio.get_running_loop().time()
        one.concurrency.refused(now, now, 0.05)
        guests = [Guest(name, begun) for name in "ab"]
        tasks = [asyncio.create_task(one.ask(guest, 0)) for guest in guests]
        await settled()
        assert begun == []
        for guest in guests:
            guest.end.set_result(None)
        await asyncio.gather(*tasks)
        assert begun == ["a", "b"] and asyncio.get_running_loop().time() >= now + 0.05

    run(work)


def test_the_end_of_the_run_ends_the_wait_for_room() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(SAFE)
        return web.Response()

    async def work() -> None:
        async with bucket(handler, QUICK, Deadline.after(0.1 / 60, _clock(), grace=0.1), concurrency=1) as made:
            ended = await asyncio.gather(*(made.head("k") for _ in range(3)), return_exceptions=True)
        assert [one.problem.kind for one in ended if isinstance(one, Stop)] == [Kind.DEADLINE] * 3

    run(work)


def _clock() -> Callable[[], float]:
    return asyncio.get_running_loop().time


class Narrow:
    """Carries out `most` at a time, and refuses the others."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = self.high = self.taken = self.refused = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if self.now >= self.most:
            self.refused += 1
            return error(503, "ActiveRequestLimitExceeded", x_oss_qos_delay_time="10")
        self.now += 1
        self.high = max(self.high, self.now)
        await asyncio.sleep(0.002)
        self.now -= 1
        self.taken += 1
        return web.Response()


async def ask(made: Bucket, many: int, workers: int = 128) -> None:
    left = iter(range(many))

    async def worker() -> None:
        for number in left:
            assert await made.head(f"k{number}") is not None

    await asyncio.gather(*(worker() for _ in range(workers)))


def test_a_narrow_bucket_is_met_and_when_it_is_wide_again_it_is_asked_for_more() -> None:
    server = Narrow(4)

    async def work() -> None:
        async with bucket(server, Patience(first=0.01, longest=0.1)) as made:
            concurrency = made.attempts.concurrency
            await ask(made, 600)
            assert server.taken == 600 and concurrency.limit <= START // 4
            assert server.refused == concurrency.refusals <= 2 * START
            server.most, server.high = 1000, 0
            refused = server.refused
            await ask(made, 3000)
            assert server.taken == 3600 and server.refused == refused
            assert server.high > 4

    run(work)


@pytest.mark.parametrize(
    ("status", "code", "falls"),
    [
        (429, "QpsLimitExceeded", True),
        (503, "SlowDown", True),
        (503, "", True),
        (400, "SlowDown", True),
        (408, "", True),
        (400, "RequestTimeout", True),
        (500, "InternalError", False),
        (502, "", False),
        (400, "InvalidDigest", False),
        (404, "NoSuchKey", False),
    ],
)
def test_what_makes_it_ask_fewer(status: int, code: str, falls: bool) -> None:
    asked = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return error(status, code) if asked == 1 else web.Response()

    async def work() -> None:
        async with bucket(handler) as made:
            await made.get("k")
            assert made.attempts.concurrency.limit == (START // 2 if falls else START)
            assert made.attempts.concurrency.refusals == (falls and (status in (429, 503) or code == "SlowDown"))

    run(work)


def test_a_time_out_makes_it_ask_fewer() -> None:
    async def work() -> None:
        one = limiter(8)

        async def late() -> None:
            raise TimeoutError

        with pytest.raises(TimeoutError):
            await one.ask(late, 0)
        assert one.concurrency.limit == 4 and one.concurrency.refusals == 0

    run(work)


def test_what_is_sent_and_what_comes_back_counts_as_carried() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(body=b"x" * 70)

    async def work() -> None:
        async with bucket(handler) as made:
            await made.call("PUT", "k", data=b"y" * 1000, right="oss:PutObject")
            assert made.attempts.concurrency.carried == 1070

    run(work)
