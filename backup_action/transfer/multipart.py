"""The multipart upload of one large file: begun, or gone on with where a run that was killed left one, and ended.

Parts that an inherited upload has are not sent again. It is gone on with only if it is of the same parts: of one size,
or of the same stretches copied from the same object, which the digest that the lease has of its headers tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from backup_action.adapters.oss.data import Bucket, Written
from backup_action.adapters.oss.server_copy import copy_part
from backup_action.adapters.oss.stream import Stream
from backup_action.core.parts import Stretch
from backup_action.core.problem import Kind, Stop
from backup_action.core.tally import Tally
from backup_action.vault import Lease, Vault
from backup_action.vault.uploads import digest


@dataclass(slots=True)
class Multipart:
    """An upload that is open, and what a run before left in it."""

    key: str
    id: str
    there: dict[int, tuple[str, int]]  # ETag and size of each part, by number
    bucket: Bucket = field(repr=False)
    tally: Tally = field(repr=False)
    moved: int = 0  # bytes of parts that OSS has
    kept: int = 0  # of them, those that a run before had sent

    async def send(self, number: int, data: bytes | Stream, crc64: int) -> Written:
        """Sends a part, unless a run before did: the upload has it where its ETag is the MD5 of these very bytes.

        Raises Stop, and Unread where a Stream cannot be read, or is no longer what it was.
        """
        etag, size = self.there.get(number, ("", -1))
        if size != len(data) or etag.upper() != await asyncio.to_thread(_md5, data):
            etag = (await self.bucket.part(self.key, self.id, number, data, crc64)).etag
        else:
            self.kept += size
        self._has(len(data))
        return Written(etag, "", crc64)

    async def copy(self, number: int, stretch: Stretch, source: str) -> Written:
        """Has a part copied from the object that this key has now, if its ETag is `source`, unless a run before did.

        Nothing proves it here: the CRC-64 of the whole object must. Raises Stop or Refusal.
        """
        etag, size = self.there.get(number, ("", -1))
        if size != stretch.size:
            at = (self.id, number, stretch.start, stretch.size)
            etag = (await copy_part(self.bucket, self.key, source, self.key, *at)).etag
        self._has(stretch.size)
        return Written(etag, "", 0)

    def _has(self, size: int) -> None:
        self.moved += size
        self.tally.moving += size


class Uploads:
    """The multipart uploads of one run."""

    def __init__(self, vault: Vault, tally: Tally, headers: Mapping[str, str]) -> None:
        """`headers` go with every object."""
        self._vault = vault
        self._control = vault.control
        self._tally = tally
        self._headers = dict(headers)

    @contextlib.asynccontextmanager
    async def open(self, lease: Lease, key: str, part: int, layout: str = "") -> AsyncIterator[Multipart]:
        """An upload that the lease tells of. Where what is inside fails it is ended, but for one that is only late.

        `part` is the size of its parts in bytes; `layout` tells those of a patch from any other.
        """
        upload = await self._begun(lease, key, part, digest(self._headers | ({"layout": layout} if layout else {})))
        try:
            async with self._control.ending(key, upload.id):
                yield upload
        except Stop as stop:
            if stop.problem.kind is Kind.FILE_LATE:
                lease.is_late(key)
            raise
        finally:
            lease.ended(key)
            self._tally.moving -= upload.moved

    async def _begun(self, lease: Lease, key: str, part: int, told: str) -> Multipart:
        """The upload that a run before left open, with the parts that it has, or a new one."""
        before = lease.inherited.pop(key, None)
        if before and (before.part, before.headers) == (part, told):
            there = await self._control.parts(key, before.upload)
            if there is not None:
                lease.began(key, before.upload, part, told)
                return Multipart(key, before.upload, there, self._vault.bucket, self._tally)
        elif before:
            await self._control.abort(key, before.upload)
        new = await self._control.begin(key, self._headers)
        lease.began(key, new, part, told)
        return Multipart(key, new, {}, self._vault.bucket, self._tally)


def _md5(data: bytes | Stream) -> str:
    if isinstance(data, Stream):
        return data.md5()
    return hashlib.md5(data, usedforsecurity=False).hexdigest().upper()
