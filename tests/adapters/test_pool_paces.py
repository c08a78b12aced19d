"""How long a download may take: as long as it goes on, through a proxy as well."""

import asyncio

import pytest
from aiohttp import web
from ossserver import bucket, serving

from backup_action.adapters.oss.pool import SILENCE
from backup_action.adapters.way import DIRECT, Way

PIECE = bytes(64 << 10)


class Loop(asyncio.SelectorEventLoop):
    """One whose time is moved on by the test."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


@pytest.mark.parametrize("is_proxied", [False, True])
def test_a_download_that_goes_on_is_not_cut(is_proxied: bool) -> None:
    loop, asked = Loop(), 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        answer = web.StreamResponse(headers={"Content-Length": str(len(PIECE) * 6)})
        await answer.prepare(request)
        for _ in range(6):
            await answer.write(PIECE)
            await asyncio.sleep(0.02)
            loop.ahead += SILENCE / 2
        return answer

    async def work() -> bytes:
        async with serving(handler) as proxy, bucket(handler, way=Way(proxy) if is_proxied else DIRECT) as made:
            answer = await made.get("k")
            assert answer is not None
            return answer.body

    try:
        assert loop.run_until_complete(work()) == PIECE * 6 and asked == 1
    finally:
        loop.close()
