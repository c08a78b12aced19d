"""The hot path to one bucket: PUT, UploadPart, GET, HEAD and pages of listings, over one pool of connections.

One transport for them all: TLS, no redirects, no `.netrc`, no proxy and no certificates but by setting, time-outs,
retries with full jitter, what is sent in a second limited, bodies of errors capped, a signature made anew for every
attempt. Law 3 stands here: a write counts only when OSS's CRC-64 equals ours; a missing header is a failure.
"""

from __future__ import annotations

import asyncio
import copy
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from backup_action.adapters.oss import listing, refusal, signature
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.connection import Heard
from backup_action.adapters.oss.pool import SILENCE, Pool
from backup_action.adapters.oss.refusal import Refusal
from backup_action.adapters.oss.sending import PIECE, Sending, in_pieces
from backup_action.adapters.oss.signature import Credentials
from backup_action.adapters.oss.stream import Stream
from backup_action.core.body import Body
from backup_action.core.problem import Kind, Stop
from backup_action.core.stored import Stored, StoredVersion

QUICK: Final = 65_536  # bytes
SLOWEST: Final = 16_384  # bytes a second below which an upload counts as stuck
PAGE: Final = 1000  # keys; the most that OSS gives


T = TypeVar("T")


class Written(msgspec.Struct, frozen=True):
    """What OSS confirmed of a write: its ETag, and the version's id on a versioned bucket."""

    etag: str
    version: str
    crc64: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer, its body read whole: in the parts in which it came, which are put together when asked for."""

    status: int
    headers: Mapping[str, str]
    parts: Sequence[bytes] = field(repr=False, default=())

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.parts)

    @property
    def etag(self) -> str:
        """The object's ETag, without its quotes; "" where the answer has none."""
        return self.headers.get("ETag", "").strip('"')

    def text(self, tag: str) -> str:
        """The text of an element of an XML body; "" where there is none, or where it is no XML that can be read."""
        try:
            return ET.fromstring(self.body).findtext(tag) or ""  # noqa: S314  (expat bounds its entities)
        except (ET.ParseError, ValueError, LookupError):  # the last two: of encodings that it names
            return ""

    def proves(self, size: int, crc64: int) -> bool:
        """Whether the headers of a HEAD say that the object has this content (law 3)."""
        told = (self.headers.get("Content-Length"), self.headers.get("x-oss-hash-crc64ecma"))
        return told == (str(size), str(crc64))


class Bucket:
    """One bucket, for one event loop. Use as `async with`; every method may raise Stop."""

    def __init__(self, attempts: Attempts, *, connections: int, limit: int = 0) -> None:
        """`attempts` says which bucket, with whose keys, how patiently, by which way; `limit` is bytes a second."""
        self.attempts = attempts
        self.place = attempts.place
        self.requests = 0  # sent, retries included
        self.overheard: Callable[[str, list[Stored], bool], None] | None = None  # is told of every page: prefix first
        self._path = f"/{self.place.bucket}"
        self._base = urlsplit(self.place.address).path
        self._pool = Pool(self.place.address, attempts.way, connections)
        self._sending = Sending(limit)

    async def __aenter__(self) -> Bucket:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._pool.close()

    def beside(self, attempts: Attempts) -> Bucket:
        """The same connections, for requests with another patience, which are counted apart."""
        other = copy.copy(self)
        other.attempts, other.requests, other.overheard = attempts, 0, None
        return other

    async def put(self, key: str, data: bytes | Body, crc64: int, headers: Mapping[str, str] = {}) -> Written:
        """Writes an object of at most 5 GB. `crc64` is that of `data` as it was first read."""
        return await self._write(key, {}, data, crc64, headers)

    async def part(self, key: str, upload: str, number: int, data: bytes | Stream, crc64: int) -> Written:
        """Writes one part of a multipart upload, numbers from 1. `crc64` is that of `data` as it was first read.

        Raises Unread where a Stream cannot be read, or is no longer that.
        """
        return await self._write(key, {"partNumber": str(number), "uploadId": upload}, data, crc64, {})

    async def _write(
        self, key: str, query: Mapping[str, str], data: bytes | Body | Stream, crc64: int, headers: Mapping[str, str]
    ) -> Written:
        for _ in range(3):
            answer = await self.call("PUT", key, query, headers, data, right="oss:PutObject")
            told = answer.headers.get("x-oss-hash-crc64ecma", "")
            if told == str(crc64):
                return Written(answer.etag, answer.headers.get("x-oss-version-id", ""), crc64)
        request_id = answer.headers.get("x-oss-request-id", "")
        raise Stop(
            Kind.STORED_MISMATCH, key, sent=crc64, stored=told or "no x-oss-hash-crc64ecma", request_id=request_id
        )

    async def head(self, key: str, version: str = "") -> Answer | None:
        """The headers of the object, or of one of its versions; None where there is none."""
        return await self._or_none("HEAD", key, version=version)

    async def get(self, key: str, *, first: int = 0) -> Answer | None:
        """The object in memory, or its `first` bytes; None where there is none."""
        return await self._or_none("GET", key, {"range": f"bytes=0-{first - 1}"} if first else {})

    async def stretch(self, key: str, start: int, size: int, etag: str = "", version: str = "") -> bytes:
        """`size` bytes of an object from `start`, if ETag or version name it. Raises Refusal where there is none."""
        return b"".join(await self.parts_of(key, start, size, etag, version))

    async def parts_of(self, key: str, start: int, size: int, etag: str = "", version: str = "") -> Sequence[bytes]:
        """The same in the parts in which it came: whoever writes or hashes it needs no copy in one piece."""
        headers = {"range": f"bytes={start}-{start + size - 1}", "x-oss-range-behavior": "standard"}
        if etag:
            headers["if-match"] = f'"{etag}"'
        query = {"versionId": version} if version else {}
        right = "oss:GetObjectVersion" if version else "oss:GetObject"
        answer = await self.call("GET", key, query, headers, right=right, absent=True)
        return answer.parts

    async def delete(self, key: str, version: str = "") -> None:
        """Removes an object; on a versioned bucket its versions stay, but for the one that is named, which is gone.

        What is not there is no error.
        """
        query, right = ({"versionId": version}, "oss:DeleteObjectVersion") if version else ({}, "oss:DeleteObject")
        await self.call("DELETE", key, query, right=right)

    async def _or_none(
        self, method: str, key: str, headers: Mapping[str, str] = {}, version: str = ""
    ) -> Answer | None:
        query = {"versionId": version} if version else {}
        right = "oss:GetObjectVersion" if version else "oss:GetObject"
        try:
            return await self.call(method, key, query, headers, right=right, absent=True)
        except Refusal:
            return None

    async def page(self, prefix: str, after: str = "", most: int = PAGE) -> tuple[list[Stored], bool]:
        """Up to `most` objects whose keys begin with `prefix` and stand behind `after`; and whether there are more."""
        query = {"list-type": "2", "prefix": prefix, "max-keys": str(most), "encoding-type": "url"}
        if after:
            query["start-after"] = after
        objects, more = await self._listed(query)
        if more and (not objects or objects[-1].key <= after):
            raise Stop(Kind.OSS_MALFORMED, prefix, reason="a listing that does not advance")
        if self.overheard:
            self.overheard(prefix, objects, more)
        return objects, more

    async def versions(self, prefix: str) -> AsyncIterator[StoredVersion]:
        """Every version and delete marker whose key begins with `prefix`, in order, newest first within a key."""
        query = {"versions": "", "prefix": prefix, "max-keys": str(PAGE), "encoding-type": "url"}
        at, more = ("", ""), True
        while more:
            page = await self._page_of_versions(query | {"key-marker": at[0], "version-id-marker": at[1]})
            for row in page.rows:
                yield row
            before, at, more = at, (page.key, page.version), page.more
            if more and (at[0] < before[0] or at == before):
                raise Stop(Kind.OSS_MALFORMED, prefix, reason="a listing that does not advance")

    async def _page_of_versions(self, query: Mapping[str, str]) -> listing.Versions:
        told = {name: value for name, value in query.items() if value or name == "versions"}
        return await self._told(told, "oss:ListObjectVersions", listing.parse_versions)

    async def _listed(self, query: Mapping[str, str]) -> tuple[list[Stored], bool]:
        return await self._told(query, "oss:ListObjects", listing.parse)

    async def _told(self, query: Mapping[str, str], right: str, parse: Callable[[bytes], T]) -> T:
        """One page, asked for again where what came is no listing: nothing proves a listing but its shape."""
        for _ in range(3):
            answer = await self.call("GET", "", query, right=right)
            try:
                return parse(answer.body)
            except listing.Malformed as error:
                reason = error
        raise Stop(Kind.OSS_MALFORMED, query["prefix"], reason=reason)

    async def call(
        self, method: str, key: str, query: Mapping[str, str] = {}, headers: Mapping[str, str] = {},
        data: bytes | Body | Stream = b"", *, right: str, absent: bool = False,
    ) -> Answer:  # fmt: skip
        """One request, tried until it is answered for good. `absent`: a missing key is a Refusal, not a Stop."""
        body = Body((data,)) if isinstance(data, bytes) else data

        async def once(credentials: Credentials) -> Answer:
            self.requests += 1
            answer = await self._once(credentials, method, key, query, headers, body)
            self.attempts.concurrency.carried += len(body) + sum(map(len, answer.parts))
            return answer

        return await self.attempts.run(once, right=right, key=key, absent=absent)

    async def _once(
        self, credentials: Credentials, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str],
        body: Body | Stream,
    ) -> Answer:  # fmt: skip
        path, asked = signature.object_path("", key)[1:], signature.query_text(query)
        target = f"{self._base}{path}{f'?{asked}' if asked else ''}"
        async with self._sending.turn(body) as turn:  # before it is signed: a signature ages while it waits
            now = self.attempts.now()
            signed = signature.sign(credentials, self.place.region, method, self._path + path, asked, headers, now)
            if method in ("PUT", "POST"):
                signed["content-length"] = str(len(body))
            self._sending.head(method, target, signed)
            whole = bytes(body) if isinstance(body, Body) and turn is None and len(body) <= PIECE else None
            if whole is not None and len(whole) <= QUICK:
                return _good(await self._pool.ask(method, target, signed, whole))  # it fits into the socket
            async with asyncio.timeout(SILENCE * 2 + len(body) / SLOWEST) as limit:
                pieces = turn.pieces(limit) if turn else in_pieces(body) if whole is None else whole
                return _good(await self._pool.ask(method, target, signed, pieces))


def _good(heard: Heard) -> Answer:
    """The answer. Raises Refusal for any that is none of success with the whole of what was asked for."""
    if heard.status >= 300 or heard.status == 203:
        raise refusal.read(heard.status, heard.headers, b"".join(heard.parts)[: refusal.BODY_MAX])
    return Answer(heard.status, heard.headers, heard.parts)
