"""How often a request to OSS is tried, against a server whose answers are the test's."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import fastcrc
import pytest
from aiohttp import web
from ossserver import QUICK, bucket, error

from backup_action.adapters.oss import refusal
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.control import Control
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.adapters.way import Way
from backup_action.core import wording
from backup_action.core.deadline import Deadline
from backup_action.core.patience import Patience
from backup_action.core.problem import STATUS, Kind, Problem, Status, Stop

SAFE = 60  # seconds after which a test that hangs fails


class Server:
    """Answers in turn, the last one from then on; counts, and notes how many at a time."""

    def __init__(self, *answers: Callable[[], web.Response], seconds: float = 0) -> None:
        self.answers = answers
        self.seconds = seconds
        self.asked = self.now = 0
        self.at_a_time: list[int] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        answer = self.answers[min(self.asked, len(self.answers)) - 1]()
        self.now += 1
        self.at_a_time.append(self.now)
        try:
            await request.read()
            await asyncio.sleep(self.seconds)
        finally:
            self.now -= 1
        return answer


def fine() -> web.Response:
    return web.Response(headers={"x-oss-hash-crc64ecma": str(fastcrc.crc64.xz(b"x"))})


def away() -> web.Response:
    return error(503, "ServiceUnavailable")


def ended(work: Callable[[], Awaitable[object]]) -> Problem:
    """The problem that it ends with."""

    async def run() -> Problem:
        async with asyncio.timeout(SAFE):
            with pytest.raises(Stop) as stopped:
                await work()
            return stopped.value.problem

    return asyncio.run(run())


async def put(made: Bucket) -> object:
    return await made.put("k", b"x", fastcrc.crc64.xz(b"x"))


@pytest.mark.parametrize(
    ("status", "code", "times", "kind"),
    [
        (400, "InvalidArgument", 1, Kind.OSS_REFUSED),
        (400, "RequestTimeout", 4, Kind.OSS_UNREACHABLE),
        (400, "ConnectionTimeout", 4, Kind.OSS_UNREACHABLE),
        (400, "InvalidDigest", 2, Kind.OSS_UNREACHABLE),
        (403, "AccessDenied", 1, Kind.OSS_RIGHT),
        (403, "UserDisable", 1, Kind.OSS_ACCOUNT),
        (404, "NoSuchKey", 1, Kind.OSS_REFUSED),
        (405, "MethodNotAllowed", 1, Kind.OSS_REFUSED),
        (407, "", 1, Kind.PROXY_UNREACHABLE),
        (408, "", 4, Kind.OSS_UNREACHABLE),
        (409, "FileImmutable", 1, Kind.OSS_WORM),
        (411, "MissingContentLength", 1, Kind.OSS_REFUSED),
        (412, "PreconditionFailed", 1, Kind.OSS_REFUSED),
        (429, "QpsLimitExceeded", 4, Kind.OSS_UNREACHABLE),
        (500, "InternalError", 4, Kind.OSS_UNREACHABLE),
        (501, "NotImplemented", 1, Kind.OSS_REFUSED),
        (502, "", 4, Kind.OSS_UNREACHABLE),
        (503, "SlowDown", 4, Kind.OSS_UNREACHABLE),
        (504, "", 4, Kind.OSS_UNREACHABLE),
        (302, "", 1, Kind.OSS_REFUSED),
    ],
)
def test_each_kind_of_failure_is_tried_as_often_as_helps(status: int, code: str, times: int, kind: Kind) -> None:
    server = Server(lambda: error(status, code))

    async def work() -> None:
        async with bucket(server, Patience(tries=4, first=0.001)) as made:
            await put(made)

    assert ended(work).kind is kind
    assert server.asked == times


@pytest.mark.parametrize("headers", [{"x_oss_qos_delay_time": "300"}, {"Retry_After": "1"}])
@pytest.mark.parametrize("through", ["aiohttp", "oss2"])
def test_nobody_comes_back_before_the_time_that_the_server_names(headers: dict[str, str], through: str) -> None:
    times: list[float] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        times.append(time.monotonic())
        if len(times) == 1:
            return error(429, "QpsLimitExceeded", **headers)
        text = "<R><Bucket>bucket</Bucket><Key>k</Key><UploadId>7</UploadId></R>" if through == "oss2" else ""
        return web.Response(text=text, headers=fine().headers)

    async def work() -> None:
        async with bucket(handler) as made:
            await (put(made) if through == "aiohttp" else Control(made).begin("k", {}))

    asyncio.run(work())
    assert len(times) == 2 and times[1] - times[0] >= (0.3 if "x_oss_qos_delay_time" in headers else 1)


def test_the_wish_to_wait_is_read_in_each_of_its_forms() -> None:
    date = {"Date": "Fri, 01 Jan 2027 00:00:00 GMT", "Retry-After": "Fri, 01 Jan 2027 00:00:09 GMT"}
    assert refusal.read(503, date, b"").delay == 9
    assert refusal.delay({name.lower(): value for name, value in date.items()}) == 9
    assert refusal.delay({"Retry-After": "9"}) == 9
    assert refusal.delay({"x-oss-qos-delay-time": "1500", "Retry-After": "9"}) == 1.5
    assert refusal.delay({"x-oss-qos-delay-time": "x"}) == 0
    assert refusal.delay({"x-oss-qos-delay-time": "9" * 5000}) == 60


def test_the_allowance_is_of_the_whole_run_and_its_end_is_told() -> None:
    server = Server(away)
    problems: list[Problem] = []

    async def work() -> None:
        async with bucket(server, Patience(tries=1000, first=0.001, longest=0.001, allowance=7)) as made:
            for stopped in await asyncio.gather(*(put(made) for _ in range(20)), return_exceptions=True):
                assert isinstance(stopped, Stop)
                problems.append(stopped.problem)

    asyncio.run(asyncio.wait_for(work(), SAFE))
    assert server.asked == 20 + 7
    for problem in problems:
        assert problem.kind is Kind.OSS_UNREACHABLE and problem.facts["code"] == "ServiceUnavailable"
        assert "the 7 retries that a whole run has are used up" in wording.sentence(problem, "en").what
        assert "7 次重试额度已经用完" in wording.sentence(problem, "zh").what


def test_a_fifth_of_the_requests_failing_uses_nothing_up() -> None:
    server = Server(*[fine, fine, away, fine, fine] * 40)

    async def work() -> None:
        async with bucket(server, Patience(tries=3, first=0.001, longest=0.001, allowance=2)) as made:
            for _ in range(160):
                await put(made)

    asyncio.run(asyncio.wait_for(work(), SAFE))
    assert server.asked == 200


def test_an_answer_gives_back_only_half_of_what_a_try_takes() -> None:
    server = Server(*[away, fine] * 100)

    async def work() -> None:
        async with bucket(server, Patience(tries=3, first=0.001, longest=0.001, allowance=4)) as made:
            for _ in range(100):
                await put(made)

    assert ended(work).facts["allowance"] == "4"
    assert server.asked == 2 * 7 + 1


def test_while_oss_answers_nobody_few_ask() -> None:
    """All have asked once; from then on it is four at a time, until the first answer lets everybody go."""
    server = Server(*[away] * 144, fine, seconds=0.01)

    async def work() -> None:
        async with bucket(server, Patience(tries=100, first=0.05, longest=0.05, many=16, few=4)) as made:
            await asyncio.gather(*(put(made) for _ in range(64)))

    asyncio.run(asyncio.wait_for(work(), SAFE))
    assert max(server.at_a_time[:64]) > 16, "the first time they came as they were"
    assert max(server.at_a_time[104:144]) <= 4  # the first wave's last answers have long been given
    assert max(server.at_a_time[150:]) > 4
    assert server.asked == 144 + 64


def test_an_outage_that_fails_at_once_does_not_use_the_allowance_up_in_a_moment() -> None:
    """Four at a time pause and ask: 200 tries with pauses of 0.05 s and more take seconds, not a third of one."""
    server = Server(away)

    async def work() -> float:
        begin = time.monotonic()
        async with bucket(server, Patience(tries=100, first=0.05, longest=1, many=16, few=4, allowance=200)) as made:
            with pytest.raises(ExceptionGroup) as stopped:
                async with asyncio.TaskGroup() as group:
                    for _ in range(64):
                        group.create_task(put(made))
            assert stopped.group_contains(Stop, match="oss.unreachable")
        return time.monotonic() - begin

    assert asyncio.run(asyncio.wait_for(work(), SAFE)) > 1.2


@pytest.mark.parametrize("told", [{"Retry_After": "30"}, {"x_oss_qos_delay_time": "30000"}])
def test_no_pause_goes_beyond_the_end(told: dict[str, str]) -> None:
    server = Server(lambda: error(503, "SlowDown", **told))

    async def work() -> None:
        async with bucket(server, QUICK, Deadline(lambda: 100.0, 110.0, grace=15)) as made:
            await put(made)

    problem = ended(work)
    assert problem.kind is Kind.DEADLINE and problem.where == "deadline-minutes"
    assert problem.facts == {"reason": "SlowDown"}
    assert server.asked == 1


def test_after_the_end_nothing_is_tried_again_and_nothing_begun() -> None:
    now = [0.0]

    def late() -> web.Response:
        now[0] = 99.0 if server.asked == 3 else 0.0
        return away()

    server = Server(late)

    async def work() -> None:
        async with bucket(server, QUICK, Deadline(lambda: now[0], 60, grace=30)) as made:
            with pytest.raises(Stop, match="deadline"):
                await put(made)
            await put(made)

    assert ended(work).kind is Kind.DEADLINE
    assert server.asked == 3


def test_the_grace_is_still_time() -> None:
    server = Server(away, fine)

    async def work() -> None:
        deadline = Deadline(lambda: 61.0, 60, grace=30)
        async with bucket(server, QUICK, deadline) as made:
            assert deadline.is_past()
            await put(made)

    asyncio.run(work())
    assert server.asked == 2


def test_a_request_that_hangs_is_cut_at_the_end() -> None:
    server = Server(fine, seconds=SAFE * 2)

    async def work() -> None:
        async with bucket(server, QUICK, Deadline.after(0.1 / 60, time.monotonic, grace=0.1)) as made:
            await put(made)

    assert ended(work).kind is Kind.DEADLINE


def test_keys_that_do_not_come_are_not_waited_for_beyond_the_end() -> None:
    async def keys(_: Credentials | None) -> Credentials:
        await asyncio.sleep(SAFE * 2)
        raise AssertionError

    async def work() -> None:
        deadline = Deadline.after(0.1 / 60, time.monotonic, grace=0.1)
        async with Bucket(
            Attempts(Place("bucket", "cn-hangzhou", "http://127.0.0.1:1"), keys, deadline=deadline), connections=1
        ) as made:
            await put(made)

    assert ended(work).kind is Kind.DEADLINE


def test_out_of_time_is_told_as_what_it_is() -> None:
    assert STATUS[Kind.DEADLINE] is Status.UNREACHABLE
    for language, words in (("en", ("takes it over", "60")), ("zh", ("直接沿用", "60"))):
        told = wording.sentence(Problem(Kind.DEADLINE, "deadline-minutes", {"reason": "HTTP 60"}), language)  # type: ignore[arg-type]
        text = told.what + told.advice
        assert all(word in text for word in (*words, "`deadline-minutes`", "`bandwidth-limit`"))


def test_large_objects_are_sent_by_the_same_way(tls: tuple[int, object]) -> None:
    """oss2 trusts and asks whom our own client does."""
    port, bundle = tls
    place = Place("bucket", "cn-hangzhou", f"https://localhost:{port}")

    def begin(way: Way) -> Problem:
        async def keys(_: Credentials | None) -> Credentials:
            return Credentials("id", "secret")

        async def work() -> None:
            async with Bucket(Attempts(place, keys, QUICK, way), connections=1) as made:
                await Control(made).begin("k", {})

        return ended(work)

    refused = begin(Way())
    assert refused.kind is Kind.CERTIFICATE and refused.facts["tries"] == "1"
    assert begin(Way(ca_bundle=str(bundle))).kind is Kind.OSS_REFUSED  # it has an answer: no such method
    down = begin(Way(proxy="http://user:canary@127.0.0.1:1", ca_bundle=str(bundle)))
    assert down.kind is Kind.PROXY_UNREACHABLE and down.facts["reason"] == "the proxy: connection refused"
