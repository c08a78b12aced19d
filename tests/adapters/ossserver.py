"""A bucket on loopback whose answers are a function of the test, and our client of it."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.adapters.way import DIRECT, Way
from backup_action.core.deadline import NEVER, Deadline
from backup_action.core.patience import Patience

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
QUICK = Patience(first=0.001, longest=0.01)


def error(status: int, code: str = "", **headers: str) -> web.Response:
    """A refusal as OSS words it."""
    text = f"<Error><Code>{code}</Code><Message>m</Message></Error>" if code else ""
    return web.Response(status=status, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def keys(_: Credentials | None) -> Credentials:
    return Credentials("id", "secret")


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """The endpoint of a server that answers everything by the handler."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def bucket(
    handler: Handler, patience: Patience = QUICK, deadline: Deadline = NEVER, limit: int = 0, way: Way = DIRECT,
    concurrency: int = 128,
) -> AsyncIterator[Bucket]:  # fmt: skip
    """Our client of a bucket that answers by the handler."""
    async with serving(handler) as endpoint:
        place = Place("bucket", "cn-hangzhou", endpoint)
        attempts = Attempts(place, keys, patience, way, deadline, concurrency=concurrency)
        async with Bucket(attempts, connections=128, limit=limit) as made:
            yield made
