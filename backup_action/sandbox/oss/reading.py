"""GetObject, HeadObject and GetObjectMeta, and finding the version that a request means."""

from __future__ import annotations

import base64

from . import conditions, rights
from .call import Answer, Call
from .failure import Failure, invalid_argument, method_not_allowed, no_such_key
from .moment import gmt
from .objects import ARCHIVES, Bucket, Version
from .traits import encryption_headers

_OVERRIDES = {
    "response-content-type": "Content-Type",
    "response-content-language": "Content-Language",
    "response-expires": "Expires",
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
}


async def get(call: Call) -> Answer:
    """GetObject: 200, 206, 304; 403 InvalidObjectState for an archive that is not restored."""
    rights.on_object(call, "oss:GetObject")
    bucket = call.bucket()
    version = find(call, bucket)
    conditions.check(call.headers, version)
    rights.to_decrypt(call, bucket, version.traits)
    check_readable(version, call.now)
    headers = describe(call, bucket, version)
    headers.update({_OVERRIDES[name]: value for name, value in call.params.items() if name in _OVERRIDES})
    span = conditions.span(call.headers, version.size)
    start, length = span or (0, version.size)
    headers["Content-Length"] = str(length)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{version.size}"
    return Answer(206 if span else 200, headers, pieces=version.pieces, start=start, length=length)


async def head(call: Call) -> Answer:
    """HeadObject, and GetObjectMeta (`?objectMeta`), which tells less."""
    rights.on_object(call, "oss:GetObject")
    bucket = call.bucket()
    version = find(call, bucket)
    conditions.check(call.headers, version)
    headers = describe(call, bucket, version)
    headers["Content-Length"] = str(version.size)
    if "objectMeta" in call.params:
        kept = ("Content-Length", "ETag", "Last-Modified", "x-oss-version-id", "x-oss-hash-crc64ecma")
        headers = {name: headers[name] for name in kept if name in headers}
    return Answer(200, headers)


def find(call: Call, bucket: Bucket, key: str | None = None, version_id: str | None = None) -> Version:
    """The version meant by the request, or by key and id; Failure if there is none or it is a delete marker."""
    key = call.object_key if key is None else key
    wanted = call.params.get("versionId") if version_id is None else version_id
    if wanted is None:
        newest = bucket.newest(key)
        if newest is None:
            raise no_such_key(key)
        if newest.marker:
            raise no_such_key(key, _marker_headers(newest))
        return newest
    found = find_version(bucket, key, wanted)
    if found is None:
        message = "The specified version does not exist."
        raise Failure(404, "NoSuchVersion", message, fields={"Key": key, "VersionId": wanted})
    if found.marker:
        raise method_not_allowed(call.method, _marker_headers(found))
    return found


def find_version(bucket: Bucket, key: str, version_id: str) -> Version | None:
    """The version (or marker) of that id; Failure for an empty id."""
    if not version_id:
        raise invalid_argument("Version id cannot be the empty string.", "versionId")
    return next((version for version in bucket.versions.get(key, ()) if version.version_id == version_id), None)


def _marker_headers(version: Version) -> dict[str, str]:
    return {"x-oss-delete-marker": "true", "x-oss-version-id": version.version_id}


def check_readable(version: Version, now: float) -> None:
    """Raises Failure for an archive that no RestoreObject has made readable at the moment."""
    if version.traits.storage_class not in ARCHIVES or is_restored(version, now):
        return
    message = "The operation is not valid for the object's state."
    raise Failure(403, "InvalidObjectState", message, fields={"ObjectName": version.key})


def is_restored(version: Version, now: float) -> bool:
    """Whether an archive's content can be read."""
    return 0 < version.restored_at <= now < version.restored_until


def describe(call: Call, bucket: Bucket, version: Version) -> dict[str, str]:
    """The headers of a version; all but its length."""
    traits = version.traits
    headers = {
        "Content-Type": "application/octet-stream",
        **traits.headers,
        "ETag": f'"{version.etag}"',
        "Last-Modified": gmt(version.modified),
        "Accept-Ranges": "bytes",
        "x-oss-object-type": version.kind,
        "x-oss-storage-class": traits.storage_class,
        **traits.meta,
        **encryption_headers(traits),
        **version_headers(bucket, version),
        **_crc_headers(call, version),
        **_restore_headers(version, call.now),
    }
    if version.md5 and version.kind == "Normal":
        headers["Content-MD5"] = base64.b64encode(version.md5).decode()
    if traits.tags:
        headers["x-oss-tagging-count"] = str(len(traits.tags))
    if version.kind == "Appendable":
        headers["x-oss-next-append-position"] = str(version.size)
    return headers


def _crc_headers(call: Call, version: Version) -> dict[str, str]:
    return {"x-oss-hash-crc64ecma": str(version.crc)} if call.world.knobs.crc64 else {}


def version_headers(bucket: Bucket, version: Version) -> dict[str, str]:
    """`x-oss-version-id`, which a bucket that never was versioned does not send."""
    return {"x-oss-version-id": version.version_id} if bucket.facts.versioning else {}


def _restore_headers(version: Version, now: float) -> dict[str, str]:
    if now < version.restored_at:
        return {"x-oss-restore": 'ongoing-request="true"'}
    if is_restored(version, now):
        return {"x-oss-restore": f'ongoing-request="false", expiry-date="{gmt(version.restored_until)}"'}
    return {}
