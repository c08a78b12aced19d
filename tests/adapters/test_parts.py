"""The list of an upload's parts, page by page, from a server that is not what it should be."""

import asyncio

from aiohttp import web
from ossserver import bucket

from backup_action.adapters.oss.control import Control

PAGE = """<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>{next}</NextPartNumberMarker>
<Part><PartNumber>{next}</PartNumber><ETag>"A"</ETag><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>
</Part></ListPartsResult>"""


def test_a_list_of_parts_that_goes_in_a_circle_ends() -> None:
    nexts = {"": "1", "1": "2", "2": "1"}
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.query.get("part-number-marker", ""))
        assert len(asked) < 10
        return web.Response(text=PAGE.format(next=nexts[asked[-1]]))

    async def ask() -> dict[int, tuple[str, int]] | None:
        async with bucket(handler) as asking:
            return await Control(asking).parts("k", "u")

    assert asyncio.run(ask()) == {1: ("A", 1), 2: ("A", 1)}
    assert asked == ["", "1", "2"]
