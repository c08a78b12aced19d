"""Multipart uploads: begin, send and copy parts, put them together, give up.

Parts are numbered 1 to 10,000, with gaps if one likes; each but the last has at least `part_min` bytes when they are
put together. A part that is sent again replaces the one before. Source: the pages of the five operations, and
https://www.alibabacloud.com/help/en/oss/user-guide/limits.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import quote

from fastcrc import crc64

from . import copying, rights
from .address import check_key
from .call import Answer, Call, Received
from .content import md5_of, multipart_etag, simple_etag, size_of
from .failure import Failure, entity_too_large, invalid_argument, malformed_xml, no_such_upload
from .objects import Bucket, Part, Upload, Version
from .receiving import flipped
from .writing import begin, check_overwrite, written_headers
from .xml import document, element, parse, url

PARTS = 10_000
_BODY_MAX = 4 << 20  # bytes; ten thousand parts in XML are about 1 MB
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


async def initiate(call: Call) -> Answer:
    """InitiateMultipartUpload: what the object will be is said here; the answer names the upload."""
    check_key(call.object_key)
    bucket, described = begin(call)
    upload = Upload(secrets.token_hex(16).upper(), call.object_key, call.now, described)
    bucket.uploads[upload.upload_id] = upload
    encode = call.url_encodes()
    inner = (element("EncodingType", "url") if encode else "") + element("Bucket", bucket.facts.name)
    inner += element("Key", url(upload.key, encode=encode)) + element("UploadId", upload.upload_id)
    return Answer(body=document("InitiateMultipartUploadResult", inner))


def find_upload(call: Call, bucket: Bucket) -> Upload:
    """The upload that the request names; Failure if it is none of this key's."""
    upload_id = call.params["uploadId"]
    upload = bucket.uploads.get(upload_id)
    if upload is None or upload.key != call.object_key:
        raise no_such_upload(upload_id)
    return upload


async def part(call: Call) -> Answer:
    """UploadPart."""
    rights.on_object(call, "oss:PutObject", version=False)
    bucket = call.bucket()
    number = _number(call)
    find_upload(call, bucket)
    received = await call.receive(call.world.knobs.put_max)
    _store(call, bucket, number, received)
    headers = {"ETag": f'"{simple_etag(received.md5)}"'}
    if call.world.knobs.crc64:
        headers["x-oss-hash-crc64ecma"] = str(received.crc)
    return Answer(200, headers)


def _number(call: Call) -> int:
    if not call.params.get("partNumber"):
        raise invalid_argument("Part number must be an integer between 1 and 10000.", "partNumber")
    return call.number("partNumber", 0, 1, PARTS)


def _store(call: Call, bucket: Bucket, number: int, received: Received) -> Part:
    """Keeps a part; the upload is looked up again, since it may have ended while the bytes came."""
    upload = find_upload(call, bucket)
    old = upload.parts.get(number)
    new = Part(number, call.store.shelf.keep(received.data), received.md5, received.crc, call.world.now())
    upload.parts[number] = new
    if old is not None:
        call.store.release(old.piece)
    return new


async def part_copy(call: Call) -> Answer:
    """UploadPartCopy: a part from an object, or a range of one; the answer has no CRC-64."""
    rights.on_object(call, "oss:PutObject", version=False)
    number = _number(call)
    given = copying.source(call)
    bucket = call.bucket()
    find_upload(call, bucket)
    start, length = _range(call, given.version.size)
    if length > call.world.knobs.put_max:
        raise entity_too_large(call.world.knobs.put_max, length)
    data = b"".join(call.store.shelf.read(given.version.pieces, start, length))
    data = data if call.altered is None else flipped(data, call.altered)
    stored = _store(call, bucket, number, Received(data, md5_of(data), crc64.xz(data)))
    headers = {"x-oss-copy-source-version-id": given.version.version_id} if given.bucket.facts.versioning else {}
    body = element("LastModified", stored.modified) + element("ETag", f'"{simple_etag(stored.md5)}"')
    return Answer(200, headers, document("CopyPartResult", body))


def _range(call: Call, size: int) -> tuple[int, int]:
    """Start and length; a range that is not of its form means the whole object."""
    match = _RANGE.fullmatch(call.headers.get("x-oss-copy-source-range", ""))
    if match is None:
        return 0, size
    start, end = int(match[1]), int(match[2])
    if not start <= end < size:
        message = "The requested range cannot be satisfied."
        raise Failure(416, "InvalidRange", message, fields={"RangeRequested": match[0], "ActualObjectSize": str(size)})
    return start, end - start + 1


async def complete(call: Call) -> Answer:
    """CompleteMultipartUpload: the listed parts, or with `x-oss-complete-all: yes` all of them, become the object."""
    rights.on_object(call, "oss:PutObject", version=False)
    bucket = call.bucket()
    received = await call.receive(_BODY_MAX)
    upload = find_upload(call, bucket)
    parts = _chosen(call, upload, received.data)
    for one in parts[:-1]:
        if one.piece.size < call.world.knobs.part_min:
            raise _too_small(call, one)
    check_overwrite(call, bucket, upload.key)
    version = _assemble(call, bucket, upload, parts)
    call.store.place(bucket, version)
    call.store.discard_upload(bucket, upload, kept=version.pieces)
    return Answer(200, written_headers(call, bucket, version), _completed(bucket, version, encode=call.url_encodes()))


def _completed(bucket: Bucket, version: Version, *, encode: bool) -> bytes:
    host = f"{bucket.facts.name}.oss-{bucket.facts.region}.aliyuncs.com"
    inner = element("EncodingType", "url") if encode else ""
    inner += element("Location", f"http://{host}/{quote(version.key)}") + element("Bucket", bucket.facts.name)
    inner += element("Key", url(version.key, encode=encode)) + element("ETag", f'"{version.etag}"')
    return document("CompleteMultipartUploadResult", inner)


def _chosen(call: Call, upload: Upload, body: bytes) -> list[Part]:
    everything = call.headers.get("x-oss-complete-all", "").lower()
    if everything not in ("", "yes"):
        raise invalid_argument("The header x-oss-complete-all must be yes.", "x-oss-complete-all", everything)
    if not everything:
        return _listed(upload, body)
    if body:
        raise invalid_argument(
            "A body may not be given together with x-oss-complete-all.", "x-oss-complete-all", everything
        )
    if not upload.parts:
        raise _invalid_part(upload.upload_id, 1)
    return [upload.parts[number] for number in sorted(upload.parts)]


def _listed(upload: Upload, body: bytes) -> list[Part]:
    try:
        tree = parse(body, "CompleteMultipartUpload")
        listed = [
            (int(node.findtext("PartNumber") or ""), node.findtext("ETag") or "") for node in tree.findall("Part")
        ]
    except ValueError as error:
        raise malformed_xml() from error
    if not 1 <= len(listed) <= PARTS:
        raise malformed_xml()
    numbers = [number for number, _ in listed]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        message = "The list of parts was not in ascending order. Parts list must be specified in order by part number."
        raise Failure(400, "InvalidPartOrder", message, fields={"UploadId": upload.upload_id})
    for number, etag in listed:
        held = upload.parts.get(number)
        if held is None or etag.strip().strip('"').upper() != simple_etag(held.md5):
            raise _invalid_part(upload.upload_id, number)
    return [upload.parts[number] for number in numbers]


def _invalid_part(upload_id: str, number: int) -> Failure:
    message = (
        "One or more of the specified parts could not be found "
        "or the specified entity tag might not have matched the part's entity tag."
    )
    return Failure(400, "InvalidPart", message, fields={"UploadId": upload_id, "PartNumber": str(number)})


def _too_small(call: Call, one: Part) -> Failure:
    message = "Your proposed upload smaller than the minimum allowed size."
    fields = {
        "ProposedSize": str(one.piece.size),
        "MinSizeAllowed": str(call.world.knobs.part_min),
        "PartNumber": str(one.number),
    }
    return Failure(400, "EntityTooSmall", message, fields=fields)


def _assemble(call: Call, bucket: Bucket, upload: Upload, parts: Sequence[Part]) -> Version:
    pieces = tuple(one.piece for one in parts)
    hidden = upload.traits.encryption == "KMS"
    return Version(
        upload.key,
        call.store.new_version_id(bucket),
        call.world.now(),
        kind="Multipart",
        etag=f"{secrets.token_hex(16).upper()}-{len(parts)}" if hidden else multipart_etag([one.md5 for one in parts]),
        crc=call.store.shelf.crc(pieces),
        size=size_of(pieces),
        pieces=pieces,
        traits=upload.traits,
    )


async def abort(call: Call) -> Answer:
    """AbortMultipartUpload: the parts are gone."""
    rights.on_object(call, "oss:AbortMultipartUpload", version=False)
    bucket = call.bucket()
    call.store.discard_upload(bucket, find_upload(call, bucket))
    return Answer(204)
