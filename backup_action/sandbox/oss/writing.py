"""PutObject and AppendObject, and what every operation that makes an object shares."""

from __future__ import annotations

import base64
import secrets

from fastcrc import crc64

from . import rights, traits
from .address import check_key
from .call import Answer, Call, Received
from .content import Pieces, simple_etag
from .failure import Failure, entity_too_large, invalid_argument
from .objects import Bucket, Traits, Version
from .reading import version_headers


async def put(call: Call) -> Answer:
    """PutObject: at most `put_max` bytes, replaced or versioned by the bucket's rules."""
    check_key(call.object_key)
    bucket, described = begin(call)
    received = await call.receive(call.world.knobs.put_max)
    check_overwrite(call, bucket, call.object_key)  # again: another writer may have been faster
    version = make(call, bucket, described, received)
    call.store.place(bucket, version)
    headers = written_headers(call, bucket, version)
    headers["Content-MD5"] = base64.b64encode(received.md5).decode()
    return Answer(200, headers)


def begin(call: Call) -> tuple[Bucket, Traits]:
    """The rights and conditions of writing the addressed object, before its first byte is read."""
    rights.on_object(call, "oss:PutObject", version=False)
    if "x-oss-tagging" in call.headers:
        rights.on_object(call, "oss:PutObjectTagging", version=False)
    bucket = call.bucket()
    described = traits.read(call, bucket)
    rights.to_encrypt(call, bucket, described)
    check_overwrite(call, bucket, call.object_key)
    return bucket, described


def make(call: Call, bucket: Bucket, described: Traits, received: Received) -> Version:
    """A simple object's new version, its bytes stored; with KMS the ETag is no MD5."""
    etag = secrets.token_hex(16).upper() if described.encryption == "KMS" else simple_etag(received.md5)
    return Version(
        call.object_key,
        call.store.new_version_id(bucket),
        call.world.now(),
        etag=etag,
        md5=received.md5,
        crc=received.crc,
        size=len(received.data),
        pieces=(call.store.shelf.keep(received.data),),
        traits=described,
    )


def written_headers(call: Call, bucket: Bucket, version: Version) -> dict[str, str]:
    """The headers that answer a write."""
    headers = {"ETag": f'"{version.etag}"', **version_headers(bucket, version)}
    if call.world.knobs.crc64:
        headers["x-oss-hash-crc64ecma"] = str(version.crc)
    headers.update(traits.encryption_headers(version.traits))
    return headers


def check_overwrite(call: Call, bucket: Bucket, key: str) -> None:
    """Raises Failure if the object is there and may not be replaced.

    `x-oss-forbid-overwrite` means nothing on a bucket whose versioning is Enabled or Suspended; a bucket's retention
    (WORM) always holds.
    """
    forbid = call.headers.get("x-oss-forbid-overwrite", "false").lower()
    if forbid not in ("true", "false"):
        message = "The header x-oss-forbid-overwrite must be true or false."
        raise invalid_argument(message, "x-oss-forbid-overwrite", forbid, ec="0017-00000279")
    newest = bucket.newest(key)
    if newest is None or bucket.facts.versioning:
        return
    if forbid == "true":
        message = "The object you specified already exists and can not be overwritten."
        raise Failure(409, "FileAlreadyExists", message, fields={"ObjectName": key})
    check_retention(call, bucket, newest)


def check_retention(call: Call, bucket: Bucket, version: Version) -> None:
    """Raises Failure while a bucket's retention forbids that the version be changed or removed."""
    days = bucket.facts.worm_days
    if days and not version.marker and call.now < version.modified + days * 86_400:
        raise Failure(
            409, "FileImmutable", "The object you specified is immutable.", fields={"ObjectName": version.key}
        )


async def append(call: Call) -> Answer:
    """AppendObject: bytes at the end of an appendable object, which the first call makes."""
    check_key(call.object_key)
    bucket, described = begin(call)
    if described.storage_class == "DeepColdArchive":
        raise invalid_argument(
            "AppendObject does not support DeepColdArchive.", "x-oss-storage-class", "DeepColdArchive"
        )
    if "position" not in call.params:
        raise invalid_argument("The position parameter is missing.", "position")
    position = call.number("position", 0, 0, 1 << 62)
    received = await call.receive(call.world.knobs.put_max)
    version = _appendable(call, bucket, position)
    if version is None:
        version = Version(
            call.object_key, call.store.new_version_id(bucket), call.now, kind="Appendable", traits=described
        )
        _extend(call, version, received)
        call.store.place(bucket, version)
    else:
        call.store.name_piece(_extend(call, version, received)[-1])
        call.store.changed(bucket, call.object_key)
    headers = written_headers(call, bucket, version)
    headers["x-oss-next-append-position"] = str(version.size)
    return Answer(200, headers)


def _appendable(call: Call, bucket: Bucket, position: int) -> Version | None:
    """The object to append to, or None if it is to be made."""
    newest = bucket.newest(call.object_key)
    length = 0 if newest is None or newest.marker else newest.size
    if newest is not None and not newest.marker and newest.kind != "Appendable":
        raise Failure(409, "ObjectNotAppendable", "The object is not appendable.", fields={"ObjectName": newest.key})
    if position != length:
        message = "Position is not equal to file length."
        raise Failure(409, "PositionNotEqualToLength", message, headers={"x-oss-next-append-position": str(length)})
    return newest if newest is not None and not newest.marker else None


def _extend(call: Call, version: Version, received: Received) -> Pieces:
    if version.size + len(received.data) > call.world.knobs.put_max:
        raise entity_too_large(call.world.knobs.put_max, version.size + len(received.data))
    version.crc = crc64.xz(received.data, version.crc) if version.size else received.crc
    version.pieces = (*version.pieces, call.store.shelf.keep(received.data))
    version.size += len(received.data)
    version.modified = call.world.now()
    version.etag = secrets.token_hex(16).upper()
    return version.pieces
