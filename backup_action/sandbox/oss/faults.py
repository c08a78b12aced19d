"""Faults that a test asks for, once a request is authenticated.

| kind | what happens |
|---|---|
| status | `status`, `code`, `message`, `ec`, `headers` are the answer; nothing is done |
| throttle | 429 QpsLimitExceeded with `x-oss-qos-delay-time` (ms; `headers` may say which); nothing is done |
| expire-token | 403 SecurityTokenExpired; nothing is done |
| reset | the connection is reset when `after` bytes of the body have been read; nothing is done |
| stall | `seconds` pass, then all goes on |
| lose-reply | it is done, and the connection is reset instead of the answer |
| cut | it is done; Content-Length tells of all bytes, `after` of them come (never all), and then the end; |
|  | an answer without a body does not come at all |
| alter | put, part, append, copy, part-copy: byte `after` of what is stored is another one, and the answer tells of |
|  | what is stored; else: of the answer's body |
| drop-header | it is done; `header` is left out of the answer |
"""

from __future__ import annotations

import socket
import struct

from aiohttp import web

from ..world import Fault, World
from .failure import Failure
from .identity import expired
from .receiving import Intake

DELAY = "x-oss-qos-delay-time"
_LINGER_NOT = struct.pack("ii", 1, 0)


class Reset(Exception):
    """The connection is to be reset; nothing can be answered."""


async def before(world: World, fault: Fault, intake: Intake) -> None:
    """What a fault does before the request is carried out; raises Failure or Reset where that keeps it from being."""
    if fault.kind == "stall":
        if not await world.stall(fault.seconds):
            raise Reset
    elif fault.kind == "reset":
        await intake.skip(fault.after)
        raise Reset
    elif fault.kind == "expire-token":
        raise expired()
    elif fault.kind == "throttle":
        message = "Please reduce your request rate."
        raise Failure(429, "QpsLimitExceeded", message, "0004-00000302", headers={DELAY: "100", **fault.headers})
    elif fault.kind == "status":
        raise Failure(fault.status, fault.code, fault.message, fault.ec, headers=fault.headers)


def reset(request: web.Request) -> None:
    """Sends a TCP reset: the peer sees `ECONNRESET`, whatever it was doing."""
    if request.transport is None:
        return
    connection = request.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    request.transport.abort()


def close(request: web.Request) -> None:
    """Closes the connection once what was written has gone out."""
    if request.transport is not None:
        request.transport.close()
