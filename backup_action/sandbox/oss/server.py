"""The door of the sandbox's OSS: who sends a request, what it is, what fault strikes it, what is answered.

Every request is counted, whatever became of it; a connection that ended without an answer counts with status 0.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import ClientError, web

from ..world import REGION, Fault, World
from . import (
    buckets,
    configuration,
    copying,
    deleting,
    faults,
    listing,
    multipart,
    progress,
    properties,
    reading,
    routes,
    writing,
)
from .address import Address, parse
from .call import Allowed, Answer, Call
from .failure import Failure
from .identity import authenticate
from .limits import Limits
from .receiving import Intake
from .sending import send
from .signature import Signable
from .store import Store

_LOGGER = logging.getLogger(__name__)

OPERATIONS: dict[str, Callable[[Call], Awaitable[Answer]]] = {
    "put": writing.put,
    "get": reading.get,
    "head": reading.head,
    "copy": copying.copy,
    "append": writing.append,
    "delete": deleting.delete,
    "delete-many": deleting.delete_many,
    "initiate": multipart.initiate,
    "part": multipart.part,
    "part-copy": multipart.part_copy,
    "complete": multipart.complete,
    "abort": multipart.abort,
    "list-parts": progress.parts,
    "list-uploads": progress.uploads,
    "list": listing.objects,
    "list-versions": listing.versions,
    "tagging": properties.tagging,
    "acl": properties.acl,
    "restore": properties.restore,
    "bucket-info": buckets.info,
    "bucket-location": buckets.location,
    "bucket-versioning": buckets.versioning,
    "bucket-stat": buckets.stat,
    "bucket-acl": buckets.acl,
    "bucket-put": buckets.put,
    "bucket-delete": buckets.delete,
    "bucket-lifecycle": configuration.lifecycle,
    "bucket-encryption": configuration.encryption,
    "bucket-worm": configuration.worm,
    "list-buckets": buckets.listing,
}


@dataclass(slots=True)
class Visit:
    """What is known of a request so far; it is filled in as the request gets on."""

    request: web.Request
    headers: dict[str, str]
    started: float
    era: int
    address: Address = field(default_factory=lambda: Address("", "", (), {}, REGION))
    kind: str = routes.UNKNOWN
    fault: Fault | None = None
    is_admitted: bool = False


class Server:
    """Answers requests for one store."""

    def __init__(self, world: World, store: Store, allowed: Allowed) -> None:
        self._world = world
        self._store = store
        self._allowed = allowed
        self._limits = Limits(world)
        self._ids = itertools.count(1)
        self._boot = secrets.token_hex(6).upper()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request, from its raw target to its answer."""
        visit = Visit(request, _headers(request), time.perf_counter(), self._world.era)
        try:
            return await self._visited(visit, request)
        finally:
            if visit.is_admitted:
                self._limits.leave()

    async def _visited(self, visit: Visit, request: web.Request) -> web.StreamResponse:
        request_id = f"{self._boot}{next(self._ids):012X}"
        try:
            answer = await self._answer(visit, request_id)
        except (faults.Reset, ConnectionError, ClientError):
            self._record(visit, 0)
            faults.reset(request)
            return web.Response()
        if self._world.knobs.latency:
            await asyncio.sleep(self._world.knobs.latency)
        self._record(visit, answer.status)
        taken = str(int((time.perf_counter() - visit.started) * 1000))
        common = {"x-oss-request-id": request_id, "x-oss-server-time": taken}
        try:
            return await send(request, self._world, self._store.shelf, answer, common, visit.kind, visit.fault)
        except ConnectionError:  # the client left before the end
            return web.Response()

    def _record(self, visit: Visit, status: int) -> None:
        self._world.record("oss", visit.kind, era=visit.era, key=visit.address.key, status=status)

    async def _answer(self, visit: Visit, request_id: str) -> Answer:
        try:
            return await self._perform(visit)
        except Failure as failure:
            return _refusal(failure, visit, request_id)
        except (faults.Reset, ConnectionError, ClientError):
            raise
        except Exception:
            _LOGGER.exception("the sandbox's OSS failed at %s %s", visit.request.method, visit.kind)
            broken = Failure(500, "InternalError", "We encountered an internal error. Please try again.")
            return _refusal(broken, visit, request_id)

    async def _perform(self, visit: Visit) -> Answer:
        request, headers = visit.request, visit.headers
        address = visit.address = parse(request.raw_path, headers.get("host", ""), REGION)
        visit.kind, refusal = routes.kind_or_unknown(
            request.method,
            bucket=address.bucket,
            key=address.key,
            params=address.params,
            copies="x-oss-copy-source" in headers,
        )
        signable = Signable(request.method, address.resource, address.pairs, headers)
        key = authenticate(self._world, address, signable)
        self._limits.enter()
        visit.is_admitted = True
        visit.fault = self._world.fault("oss", visit.kind, address.key)
        intake = Intake(self._world, visit.kind, headers, request.content, visit.fault)
        if visit.fault is not None:
            await faults.before(self._world, visit.fault, intake)
        if refusal is not None:
            raise refusal
        call = Call(
            self._world,
            self._store,
            self._allowed,
            request.method,
            visit.kind,
            address,
            headers,
            key,
            intake.read,
            intake.altered,
            self._world.now(),
        )
        call.check_region()
        return await OPERATIONS[visit.kind](call)


def _headers(request: web.Request) -> dict[str, str]:
    """By lower-case name; what is given twice is joined, as HTTP says."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        headers[lower] = f"{headers[lower]},{value}" if lower in headers else value.strip()
    return headers


def _refusal(failure: Failure, visit: Visit, request_id: str) -> Answer:
    """An error answer; to HEAD, which has no body, it comes in a header."""
    bucket = f"{visit.address.bucket}." if visit.address.bucket else ""
    host = f"{bucket}oss-{visit.address.region}.aliyuncs.com"
    headers = dict(failure.headers)
    if failure.ec:
        headers["x-oss-ec"] = failure.ec
    if failure.status == 304:
        return Answer(304, headers)
    body = failure.body(request_id=request_id, host=host)
    if visit.request.method == "HEAD":
        headers["x-oss-err"] = base64.b64encode(body).decode()
        return Answer(failure.status, headers)
    return Answer(failure.status, headers, body)
