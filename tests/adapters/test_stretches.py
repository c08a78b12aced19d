"""What is long comes a part at a time: an object of our own in stretches, all of one version; a listing in ranges."""

import asyncio
import bisect
import os
from collections.abc import Callable

import pytest
from aiohttp import web
from ossserver import bucket, error

from backup_action.core.segments import in_memory
from backup_action.core.spool import LOOSE, Spool
from backup_action.core.stored import Stored
from backup_action.vault import listing
from backup_action.vault.stretches import SEGMENT, STRETCH, Whole, whole


def read(data: bytes, *, gone_after: int = 99, with_ranges: bool = True) -> tuple[Whole | None, list[tuple[str, str]]]:
    asked: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        if len(asked) >= gone_after:
            return error(404, "NoSuchKey")
        asked.append((request.headers["range"], request.headers.get("if-match", "")))
        start, end = (int(one) for one in request.headers["range"].removeprefix("bytes=").split("-"))
        if not with_ranges:
            return web.Response(body=data, headers={"ETag": '"E"'})
        part = data[start : end + 1]
        told = {"ETag": '"E"', "Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(data)}"}
        return web.Response(status=206, body=part, headers=told)

    async def ask() -> Whole | None:
        async with bucket(handler) as asking:
            return await whole(asking, "k", in_memory)

    return asyncio.run(ask()), asked


@pytest.mark.parametrize("size", [1, SEGMENT, STRETCH, STRETCH + 1, 2 * STRETCH + 7])
def test_all_of_it_comes_in_as_few_requests_as_it_takes(size: int) -> None:
    data = os.urandom(size)
    found, asked = read(data)
    assert found and bytes(found.segments) == data
    assert len(asked) == -(-size // STRETCH)
    assert [etag for _, etag in asked] == ["", *['"E"'] * (len(asked) - 1)], "none of them of another object"
    assert all(len(segment) < 2 * SEGMENT for segment in found.segments)


def test_a_server_that_knows_no_ranges_gives_all_at_once() -> None:
    data = os.urandom(STRETCH + 5)
    found, asked = read(data, with_ranges=False)
    assert found and bytes(found.segments) == data and len(asked) == 1


@pytest.mark.parametrize("after", [0, 1])
def test_what_is_gone_is_none(after: int) -> None:
    assert read(bytes(STRETCH + 5), gone_after=after)[0] is None


def test_ranges_of_a_listing_stay_as_they_are_while_they_are_few_together_and_else_packed_as_they_end() -> None:
    """A million files are 1,000 ranges: none of them may hold its last page as it came."""

    def ranges(count: int) -> tuple[int, int]:
        """How many are open of that many objects in four ranges, and how many segments were put away."""
        names = [f"p/{at:05}" for at in range(count)]
        marks = [name[2:] for name in names[count // 3 :: count // 3]][:2]

        async def handler(request: web.Request) -> web.Response:
            start = bisect.bisect(names, request.query.get("start-after", ""))
            behind = names[start : start + 1000]
            rows = "".join(
                f"<Contents><Key>{name}</Key><Size>1</Size><ETag>E</ETag>"
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
                for name in behind
            )
            more = str(bool(behind) and behind[-1] != names[-1]).lower()
            return web.Response(text=f"<ListBucketResult>{rows}<IsTruncated>{more}</IsTruncated></ListBucketResult>")

        kept: list[bytes] = []

        def keep(segment: bytes) -> Callable[[], bytes]:
            kept.append(segment)
            return lambda: segment

        async def ask() -> list[Spool[Stored]]:
            async with bucket(handler) as asking:
                return await listing.around(asking, "p/", marks, keep)

        found = asyncio.run(ask())
        assert [stored.key for one in found for stored in one] == [name[2:] for name in names]
        return sum(len(one._open) for one in found), len(kept)

    assert ranges(LOOSE // 2) == (LOOSE // 2, 0)
    assert ranges(3 * (LOOSE // 4 + 100)) == (0, 6)
