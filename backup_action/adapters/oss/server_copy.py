"""Server-side copies: whole objects in one request, large ones part by part.

OSS copies up to 1 GB in one request where class or encryption change (CopyObject's page); we begin to copy by parts
earlier, so that no answer takes minutes. It promises no CRC-64 of a copy: whoever asked must prove it (law 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from backup_action.adapters.oss import signature
from backup_action.adapters.oss.control import Control
from backup_action.adapters.oss.data import Answer, Bucket, Written
from backup_action.core.parts import part_size
from backup_action.core.problem import Kind, Stop

ONE: Final = 256 << 20  # bytes; up to here one request
AT_ONCE: Final = 8  # parts of one copy
# Refusals of the copy alone: they say nothing of what sending the bytes would meet.
REFUSED: Final = frozenset(
    {Kind.OSS_RIGHT, Kind.OSS_KMS, Kind.OSS_CLASS, Kind.OSS_WORM, Kind.OSS_REFUSED, Kind.OSS_MALFORMED}
)


async def copy(
    bucket: Bucket, source: str, etag: str, target: str, headers: Mapping[str, str], version: str = ""
) -> Answer:
    """Copies the object that the ETag names, in one request. Raises Stop, or Refusal where there is none.

    `version` is the id of one of its versions; else it is what stands there now.
    """
    sent = {
        **_source(bucket, source, etag, version),
        "x-oss-metadata-directive": "REPLACE",
        "x-oss-tagging-directive": "Replace",
        **headers,
    }
    return await bucket.call("PUT", target, {}, sent, right="oss:PutObject", absent=True)


async def copy_parts(
    control: Control, source: str, etag: str, size: int, crc64: int, target: str, headers: Mapping[str, str],
    version: str = "",
) -> Written:  # fmt: skip
    """Copies it part by part; the whole is proven by its CRC-64. Raises Stop, or Refusal where there is no source."""
    upload = await control.begin(target, headers)
    part = part_size(size, ONE)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, start: int) -> Written:
        async with gate:
            most = min(part, size - start)
            return await copy_part(control.data, source, etag, target, upload, number, start, most, version)

    async with control.ending(target, upload):
        tasks = [asyncio.ensure_future(one(n, start)) for n, start in enumerate(range(0, size, part), 1)]
        try:
            parts = await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # where one failed, the others are not wanted
                task.cancel()
        return await control.complete(target, upload, parts, crc64)


async def copy_part(
    bucket: Bucket, source: str, etag: str, target: str, upload: str, number: int, start: int, size: int,
    version: str = "",
) -> Written:  # fmt: skip
    """Copies `size` bytes from `start` as one part. Without a CRC-64 of its own: that of the whole object proves it.

    Raises Stop, or Refusal where there is no source.
    """
    query = {"partNumber": str(number), "uploadId": upload}
    sent = {**_source(bucket, source, etag, version), "x-oss-copy-source-range": f"bytes={start}-{start + size - 1}"}
    answer = await bucket.call("PUT", target, query, sent, right="oss:PutObject", absent=True)
    etag = etag_of(answer)
    if not etag:
        raise Stop(Kind.OSS_MALFORMED, target, reason="a copied part without ETag")
    return Written(etag, "", 0)


def etag_of(answer: Answer) -> str:
    """The copy's ETag, as the body of the answer says it; "" where it says none."""
    return answer.text("ETag").strip('"')


def _source(bucket: Bucket, key: str, etag: str, version: str = "") -> dict[str, str]:
    of = f"?{signature.query_text({'versionId': version})}" if version else ""
    return {
        "x-oss-copy-source": signature.object_path(bucket.place.bucket, key) + of,
        "x-oss-copy-source-if-match": f'"{etag}"',
    }
