"""Bringing an answer to the wire: small bodies whole, large ones in blocks, and the faults that strike going out."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from multidict import CIMultiDict

from ..world import Fault, World
from .call import Answer
from .content import BLOCK, Shelf
from .faults import close, reset
from .moment import gmt
from .receiving import ALTERED, flipped


async def send(
    request: web.Request,
    world: World,
    shelf: Shelf,
    answer: Answer,
    headers: Mapping[str, str],
    kind: str,
    fault: Fault | None,
) -> web.StreamResponse:
    """Sends an answer, or what a fault leaves of it."""
    filled = _headers(world, answer, headers)
    fault_kind = "" if fault is None else fault.kind
    if fault is not None and fault_kind == "drop-header":
        filled.popall(fault.header, None)
    if fault_kind == "lose-reply":
        reset(request)
        return web.Response()
    if fault is not None and fault_kind == "cut":
        return await _cut(request, world, _whole(shelf, answer), answer.status, filled, fault.after)
    if answer.length > BLOCK and fault_kind != "alter":
        return await _stream(request, world, shelf, answer, filled)
    body = _whole(shelf, answer)
    if fault is not None and fault_kind == "alter" and kind not in ALTERED:
        body = flipped(body, fault.after)
    world.counts["bytes_out"] += len(body)
    return web.Response(body=body or None, status=answer.status, headers=filled)


def _headers(world: World, answer: Answer, common: Mapping[str, str]) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict(answer.headers)
    headers.update(common)
    headers["Server"] = "AliyunOSS"
    headers["Date"] = gmt(world.now())
    if answer.body and "Content-Type" not in headers:
        headers["Content-Type"] = "application/xml"
    return headers


def _whole(shelf: Shelf, answer: Answer) -> bytes:
    if not answer.pieces:
        return answer.body
    if len(answer.pieces) == 1 and answer.length == answer.pieces[0].size:
        return shelf.whole(answer.pieces)
    return b"".join(shelf.read(answer.pieces, answer.start, answer.length))


async def _stream(
    request: web.Request, world: World, shelf: Shelf, answer: Answer, headers: CIMultiDict[str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    for block in shelf.read(answer.pieces, answer.start, answer.length):
        await response.write(block)
        world.counts["bytes_out"] += len(block)
    return response


async def _cut(
    request: web.Request, world: World, body: bytes, status: int, headers: CIMultiDict[str], after: int
) -> web.StreamResponse:
    """Promises all of `body` and sends less; without a body, nothing comes at all."""
    response = web.StreamResponse(status=status, headers=headers)
    if body:
        headers["Content-Length"] = str(len(body))
        sent = body[: min(after, len(body) - 1)]
        await response.prepare(request)
        await response.write(sent)
        world.counts["bytes_out"] += len(sent)
    close(request)
    return response
