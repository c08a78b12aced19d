"""Steers the stand-ins: counts, messages, settings and faults over HTTP, and how the three small ones suffer a fault.

    GET  /requests   {"counts": {...}}; with ?log=1 also "log", the last 10,000 requests
    GET  /dingtalk   the messages that the robot took, oldest first
    GET  /faults     the faults that are set, with what is left of their counters
    POST /faults     a list of faults; replaces the ones before
    GET  /settings   the knobs
    POST /settings   some of the knobs; the others stay
    POST /reset      no counts, log, faults, messages or objects; every knob at its default; what is stalled is dropped

What is malformed is answered 400 with {"error": a sentence}, and changes nothing. Keys in force survive a reset.
"""

from __future__ import annotations

import dataclasses
import json
import math
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from . import policy
from .world import Fault, Knobs, World

KINDS = ("status", "reset", "stall", "cut", "alter", "lose-reply", "drop-header", "throttle", "expire-token")
SERVICES = ("oss", "sts", "github", "dingtalk")
TOKENLESS = ("github", "dingtalk")  # no request to these carries a token that could expire
LOST = web.RequestKey("lost", bool)  # set on a request whose connection was reset
DROPPED = web.RequestKey("dropped", str)  # the header that the answer must not have

Kind = Callable[[web.Request], Awaitable[str]]
Refusal = Callable[[web.Request, Fault], web.Response]


def neighbour(world: World, service: str, kind: Kind, refusal: Refusal) -> web.Application:
    """An application whose requests are counted under their kind, and suffer the faults that are set for it.

    The refusal answers faults of the kinds status, throttle and expire-token, in the service's own words.
    """

    @web.middleware
    async def suffer(request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
        era, name = world.era, await kind(request)
        fault = world.fault(service, name)
        status = 0  # of a request that gets no answer
        try:
            answer = await _apply(world, fault, request, handler, refusal) if fault else await handler(request)
            status = 0 if request.get(LOST) else answer.status
        except web.HTTPException as refused:
            status = refused.status
            raise
        finally:
            world.record(service, name, era=era, status=status)
        return answer

    async def drop_header(request: web.Request, response: web.StreamResponse) -> None:
        if DROPPED in request:
            response.headers.popall(request[DROPPED], None)
            response.force_close()  # without a length, the end of the connection is the end of the body

    application = web.Application(middlewares=[suffer])
    application.on_response_prepare.append(drop_header)
    return application


async def _apply(
    world: World, fault: Fault, request: web.Request, handler: Callable[..., Any], refusal: Refusal
) -> web.StreamResponse:
    if fault.kind in ("status", "throttle", "expire-token"):
        answer = refusal(request, fault)
        if fault.message[:1] in ("{", "<"):  # a body of the tester's own: what a proxy or a login page would say
            answer.text = fault.message
        answer.headers.update(fault.headers)
        return answer
    if fault.kind == "reset":
        await request.read()  # a client that is still sending may be told of a broken pipe instead
        return _reset(request)
    if fault.kind == "stall" and not await world.stall(fault.seconds):
        return _reset(request)
    if fault.kind == "drop-header":
        request[DROPPED] = fault.header
    answer = await handler(request)
    if fault.kind == "lose-reply":
        return _reset(request)
    body = bytes(answer.body or b"")
    if fault.kind == "alter" and body:
        at = min(fault.after, len(body) - 1)
        answer.body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
    return await _cut(request, answer, body[: fault.after]) if fault.kind == "cut" else answer


def _reset(request: web.Request) -> web.Response:
    """Ends the connection by RST, which a client sees as "connection reset by peer"; the response goes nowhere."""
    request[LOST] = True
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response(status=500)


async def _cut(request: web.Request, answer: web.Response, beginning: bytes) -> web.StreamResponse:
    """Announces the whole body, sends its beginning and closes the connection."""
    stream = web.StreamResponse(status=answer.status, headers=answer.headers)
    stream.content_length = len(answer.body) if isinstance(answer.body, bytes) else 0
    await stream.prepare(request)
    await stream.write(beginning)
    if request.transport is not None:
        request.transport.close()
    return stream


def application(world: World, empty: Callable[[], None]) -> web.Application:
    """The sandbox's own controls; `empty` removes every object from the buckets."""

    async def requests(request: web.Request) -> web.Response:
        log = {"log": world.log} if request.query.get("log") == "1" else {}
        return web.json_response({"counts": dict(world.counts), **log})

    async def messages(request: web.Request) -> web.Response:
        return web.json_response(world.messages)

    async def faults(request: web.Request) -> web.Response:
        if request.method == "POST":
            world.faults = read_faults(await _json(request))
        return web.json_response([dataclasses.asdict(fault) for fault in world.faults])

    async def settings(request: web.Request) -> web.Response:
        if request.method == "POST":
            turn(world, await _json(request))
        return web.json_response(dataclasses.asdict(world.knobs))

    async def forget(request: web.Request) -> web.Response:
        reset(world)
        empty()
        return web.json_response({})

    control = web.Application(middlewares=[_say_what_is_wrong])
    control.router.add_get("/requests", requests)
    control.router.add_get("/dingtalk", messages)
    for path, handler in (("/faults", faults), ("/settings", settings)):
        control.router.add_get(path, handler)
        control.router.add_post(path, handler)
    control.router.add_post("/reset", forget)
    return control


@web.middleware
async def _say_what_is_wrong(request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
    try:
        answer: web.StreamResponse = await handler(request)
    except (ValueError, policy.PolicyError) as problem:  # msgspec's errors are ValueErrors
        return web.json_response({"error": str(problem)}, status=400)
    return answer


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.text(), parse_constant=_no_number)
    except ValueError as problem:
        raise ValueError(f"the body is not JSON: {problem}") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def reset(world: World) -> None:
    """Puts everything but the keys in force back to how it was at the start. What is stalled comes to nothing."""
    world.era += 1
    fresh = World()
    for field in dataclasses.fields(Knobs):
        setattr(world.knobs, field.name, getattr(fresh.knobs, field.name))
    for name in ("counts", "log", "faults", "messages", "dingtalk_times"):
        getattr(world, name).clear()
    world.dingtalk_limited_until = fresh.dingtalk_limited_until
    world.dice = random.Random(1)  # noqa: S311  (chance for faults, not secrets)


def turn(world: World, wanted: object) -> None:
    """Sets the knobs that are named in an object. Raises ValueError or PolicyError, and then sets none."""
    _refuse_unknown(wanted, Knobs, "a setting")
    knobs = msgspec.convert({**dataclasses.asdict(world.knobs), **wanted}, Knobs)  # type: ignore[dict-item]
    for field in dataclasses.fields(Knobs):
        value = getattr(knobs, field.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{field.name} must be a finite number")
        if isinstance(value, int | float) and value < 0 and field.name != "clock_offset":
            raise ValueError(f"{field.name} must not be negative")
    if knobs.page_size == 0:
        raise ValueError("page_size must be at least 1")
    if wrong := set(knobs.kms_keys.values()) - {"disabled", "absent"}:
        raise ValueError(f"a KMS key is disabled or absent, not {sorted(wrong)[0]!r}")
    for document, trust in ((knobs.role_policy, False), (knobs.trust_policy, True)):
        if document is not None:
            policy.read(document, trust=trust)
    for name in wanted:  # type: ignore[attr-defined]  # _refuse_unknown has seen that it is a dict
        setattr(world.knobs, name, getattr(knobs, name))


def read_faults(wanted: object) -> list[Fault]:
    """The faults of a list of objects with the fields of `Fault`. Raises ValueError."""
    if not isinstance(wanted, list):
        raise ValueError("the faults must be a list of objects")
    for item in wanted:
        _refuse_unknown(item, Fault, "a fault")
    faults = msgspec.convert(wanted, list[Fault])
    for fault in faults:
        _check_fault(fault)
    return faults


def _check_fault(fault: Fault) -> None:
    known = [kind for kind in KINDS if kind != "expire-token" or fault.service not in TOKENLESS]
    if fault.service not in SERVICES:
        raise ValueError(f"unknown service {fault.service!r}; known are {', '.join(SERVICES)}")
    if fault.kind not in known:
        raise ValueError(f"unknown kind {fault.kind!r} for {fault.service}; known are {', '.join(known)}")
    if fault.kind == "drop-header" and not fault.header:
        raise ValueError("drop-header must name a header")
    if not (fault.count >= -1 and min(fault.skip, fault.after, fault.seconds) >= 0 and 0 <= fault.probability <= 1):
        raise ValueError("count is at least -1, skip, after and seconds are not negative, probability is 0 to 1")
    if not 200 <= fault.status <= 599:
        raise ValueError(f"{fault.status} is not the status of an answer; it must be 200 to 599")


def _refuse_unknown(given: object, kind: type, what: str) -> None:
    if not isinstance(given, dict):
        raise ValueError(f"{what} must be an object, not {given!r}")
    known = [field.name for field in dataclasses.fields(kind)]
    for name in given:
        if name not in known:
            raise ValueError(f"{what} has no field {name!r}; known are {', '.join(known)}")
