"""CopyObject, and the source of UploadPartCopy. OSS promises no CRC-64 in either answer, so there is none.

Limits: to another bucket 5 GiB (`put_max`); where class or encryption change 1 GiB (`copy_max`). The source's
encryption is not carried over; its tags are, unless `x-oss-tagging-directive: Replace`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from fastcrc import crc64

from . import conditions, rights, traits
from .address import check_key, decode
from .call import Answer, Call
from .content import md5_of, simple_etag
from .failure import Failure, entity_too_large, invalid_argument
from .objects import Bucket, Traits, Version
from .reading import check_readable, find, version_headers
from .writing import check_overwrite
from .xml import document, element


@dataclass(frozen=True, slots=True)
class Source:
    """The version that is copied, and the bucket it is in."""

    bucket: Bucket
    version: Version


def source(call: Call) -> Source:
    """Reads `x-oss-copy-source: /bucket/url-encoded-key[?versionId=id]`, checks right and conditions."""
    bucket_name, key, version_id = _parse(call.headers["x-oss-copy-source"])
    rights.on_object(call, "oss:GetObject", key=key, bucket=bucket_name, version=version_id is not None)
    bucket = call.bucket(bucket_name)
    if bucket.facts.region != call.address.region:
        message = "Target object does not reside in the same data center as source object."
        raise Failure(403, "AccessDenied", message)
    version = _newest_or(call, bucket, key, version_id)
    conditions.check(call.headers, version, "x-oss-copy-source-")
    check_readable(version, call.now)
    rights.to_decrypt(call, bucket, version.traits)
    return Source(bucket, version)


def _parse(header: str) -> tuple[str, str, str | None]:
    path, question, query = header.partition("?")
    bucket, slash, key = path.removeprefix("/").partition("/")
    version_id = decode(query.removeprefix("versionId=")) if question else None
    if not bucket or not slash or not key or (question and not query.startswith("versionId=")):
        raise invalid_argument(
            "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey.", "x-oss-copy-source", header
        )
    return decode(bucket), decode(key), version_id


def _newest_or(call: Call, bucket: Bucket, key: str, version_id: str | None) -> Version:
    if version_id is not None:
        return find(call, bucket, key, version_id)
    newest = bucket.newest(key)
    if newest is None or newest.marker:
        raise Failure(404, "NoSuchKey", "The specified key does not exist.", "0026-00000001", {"Key": key})
    return newest


async def copy(call: Call) -> Answer:
    """CopyObject, on the server, of a whole object."""
    check_key(call.object_key)
    rights.on_object(call, "oss:PutObject", version=False)
    given = source(call)
    bucket = call.bucket()
    described = _traits(call, bucket, given)
    rights.to_encrypt(call, bucket, described)
    check_overwrite(call, bucket, call.object_key)
    _check_size(call, bucket, given, described)
    version = _duplicate(call, bucket, _altered(call, given.version), described)
    call.store.place(bucket, version)
    headers = {**version_headers(bucket, version), **traits.encryption_headers(described)}
    if given.bucket.facts.versioning:
        headers["x-oss-copy-source-version-id"] = given.version.version_id
    body = element("LastModified", version.modified) + element("ETag", f'"{version.etag}"')
    return Answer(200, {**headers, "ETag": f'"{version.etag}"'}, document("CopyObjectResult", body))


def _altered(call: Call, version: Version) -> Version:
    """The source, or what a fault makes of it."""
    whole = call.store.shelf.whole(version.pieces)
    data = call.altered(whole)
    if data is whole:
        return version
    pieces = (call.store.shelf.keep(data),)
    return replace(version, pieces=pieces, md5=md5_of(data) if version.md5 else b"", crc=crc64.xz(data))


def _duplicate(call: Call, bucket: Bucket, version: Version, described: Traits) -> Version:
    """The copy: same bytes; the ETag is the MD5 where that is known and KMS does not hide it, else the source's."""
    etag = version.etag
    if described.encryption == "KMS":
        etag = secrets.token_hex(16).upper()
    elif version.md5:
        etag = simple_etag(version.md5)
    return replace(
        version,
        key=call.object_key,
        version_id=call.store.new_version_id(bucket),
        modified=call.world.now(),
        kind="Normal" if version.kind == "Appendable" else version.kind,
        etag=etag,
        traits=described,
        restored_at=0.0,
        restored_until=0.0,
    )


def _traits(call: Call, bucket: Bucket, given: Source) -> Traits:
    """The copy's traits, by the two directives; class, ACL and encryption always come from the request."""
    described = traits.read(call, bucket)
    directive = _directive(call, "x-oss-metadata-directive")
    onto_itself = given.version is bucket.newest(call.object_key) and not bucket.facts.versioning
    if directive == "COPY" and not onto_itself:
        described.headers = dict(given.version.traits.headers)
        described.meta = dict(given.version.traits.meta)
    if _directive(call, "x-oss-tagging-directive") == "COPY":
        described.tags = dict(given.version.traits.tags)
        if described.tags:
            rights.on_object(
                call, "oss:GetObjectTagging", key=given.version.key, bucket=given.bucket.facts.name, version=False
            )
    if described.tags:
        rights.on_object(call, "oss:PutObjectTagging", version=False)
    return described


def _directive(call: Call, name: str) -> str:
    value = call.headers.get(name, "COPY").upper()
    if value not in ("COPY", "REPLACE"):
        raise invalid_argument(f"The {name} header must be COPY or REPLACE.", name, value)
    return value


def _check_size(call: Call, bucket: Bucket, given: Source, described: Traits) -> None:
    old, size = given.version.traits, given.version.size
    changes = (old.storage_class, old.encryption, old.encryption_key) != (
        described.storage_class,
        described.encryption,
        described.encryption_key,
    )
    limit = call.world.knobs.copy_max if changes else None
    if limit is None and given.bucket is not bucket:
        limit = call.world.knobs.put_max
    if limit is not None and size > limit:
        raise entity_too_large(limit, size)
