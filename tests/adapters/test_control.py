"""Multipart uploads: the list of parts from a server that is not what it should be, and which uploads are ended."""

import asyncio

import pytest
from aiohttp import web
from ossserver import bucket

from backup_action.adapters.oss.control import Control
from backup_action.core.problem import Kind, Stop

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


@pytest.mark.parametrize(("kind", "ended"), [(Kind.FILE_LATE, []), (Kind.OSS_UNREACHABLE, ["u"])])
def test_an_upload_that_is_only_late_stays_open_and_any_other_is_ended(kind: Kind, ended: list[str]) -> None:
    aborted: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        assert request.method == "DELETE"
        aborted.append(request.query["uploadId"])
        return web.Response(status=204)

    async def fail() -> None:
        async with bucket(handler) as asking, Control(asking).ending("k", "u"):
            raise Stop(kind)

    with pytest.raises(Stop) as stop:
        asyncio.run(fail())
    assert stop.value.problem.kind is kind and aborted == ended


@pytest.mark.parametrize(("answers", "told"), [(["", "<a>", "<a><UploadId>7</UploadId></a>"], "7"), ([""] * 3, "")])
def test_an_upload_has_an_id_or_there_is_none(answers: list[str], told: str) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        assert (request.method, list(request.query)) == ("POST", ["uploads"])
        asked.append(request.path)
        return web.Response(text=answers[len(asked) - 1])

    async def begin() -> str:
        async with bucket(handler) as asking:
            return await Control(asking).begin("k", {})

    if told:
        assert asyncio.run(begin()) == told
    else:
        with pytest.raises(Stop) as stop:
            asyncio.run(begin())
        assert stop.value.problem.kind is Kind.OSS_MALFORMED
    assert len(asked) == 3
