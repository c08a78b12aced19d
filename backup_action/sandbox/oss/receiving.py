"""Taking in a request's body: lengths, limits, Content-MD5, digests; and the faults that strike on the way in."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

from aiohttp import StreamReader
from fastcrc import crc64

from ..world import Fault, World
from .call import Received
from .content import md5_of
from .failure import Failure, entity_too_large

_NEED_LENGTH = frozenset({"put", "part", "append", "delete-many"})
# Kinds whose `alter` fault strikes what is stored.
ALTERED = frozenset({"put", "part", "append", "copy", "part-copy"})


class Intake:
    """The body of one request, read at most once."""

    def __init__(
        self, world: World, kind: str, headers: Mapping[str, str], stream: StreamReader, fault: Fault | None
    ) -> None:
        self._world = world
        self._kind = kind
        self._headers = headers
        self._stream = stream
        self._fault = fault if fault is not None and fault.kind == "alter" and kind in ALTERED else None

    async def read(self, limit: int) -> Received:
        """The whole body; Failure if it is above `limit` bytes or not what Content-MD5 says.

        A body that ends before its Content-Length is an error of aiohttp's, which the door takes for a lost connection.
        """
        self._check_length(limit)
        chunks, digest = await self._chunks(limit)
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if self._fault is not None:
            data = self.altered(data)
            digest = md5_of(data)
        self._check_md5(digest)
        return Received(data, digest, crc64.xz(data))

    def altered(self, data: bytes) -> bytes:
        """What is stored of this: what came, but for a fault that alters it."""
        return flipped(data, self._fault.after) if self._fault is not None else data

    def _check_length(self, limit: int) -> None:
        """Refuses a Content-Length that is above the limit, or missing where OSS wants one, before the body is read."""
        value = self._headers.get("content-length")
        if value is None:
            if self._kind in _NEED_LENGTH and "chunked" not in self._headers.get("transfer-encoding", "").lower():
                raise Failure(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
            return
        if int(value) > limit:
            raise entity_too_large(limit, int(value))

    async def _chunks(self, limit: int) -> tuple[list[bytes], bytes]:
        """The body in pieces as they came, and its MD5, taken piece by piece so that other requests get their turn."""
        chunks: list[bytes] = []
        size = 0
        digest = hashlib.md5(usedforsecurity=False)
        while chunk := await self._stream.readany():
            chunks.append(chunk)
            size += len(chunk)
            digest.update(chunk)
            self._world.counts["bytes_in"] += len(chunk)
            if size > limit:
                raise entity_too_large(limit, size)
        return chunks, digest.digest()

    def _check_md5(self, digest: bytes) -> None:
        claimed = self._headers.get("content-md5")
        if claimed is None:
            return
        try:
            expected = base64.b64decode(claimed, validate=True)
        except (ValueError, binascii.Error):
            expected = b""
        if len(expected) != 16:
            raise Failure(
                400, "InvalidDigest", "The Content-MD5 you specified was invalid.", fields={"Content-MD5": claimed}
            )
        if expected != digest:
            fields = {
                "ClientComputedContentMD5": claimed,
                "ServerComputedContentMD5": base64.b64encode(digest).decode(),
            }
            raise Failure(
                400, "InvalidDigest", "The Content-MD5 you specified did not match what we received.", fields=fields
            )

    async def skip(self, count: int) -> None:
        """Reads and forgets the first `count` bytes, or all there are."""
        while count > 0 and (chunk := await self._stream.readany()):
            count -= len(chunk)
            self._world.counts["bytes_in"] += len(chunk)


def flipped(data: bytes, at: int) -> bytes:
    """`data` with all bits of one byte turned: that at `at`, or the last; no data stays no data."""
    if not data:
        return data
    altered = bytearray(data)
    altered[min(at, len(data) - 1)] ^= 0xFF
    return bytes(altered)
