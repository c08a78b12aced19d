"""ListObjects, ListObjectsV2, ListObjectVersions: the pages of `paging`, in OSS's XML.

An order without gaps or doubles whatever the page size is the promise; `page_size` makes pages short for tests.
"""

from __future__ import annotations

import base64
import binascii

from . import paging, rights
from .call import Answer, Call
from .failure import invalid_argument
from .objects import ARCHIVES, Bucket, Version
from .paging import Page, Query
from .properties import owner
from .reading import is_restored
from .xml import document, element, url

DEFAULT, MOST = 100, 1000


async def objects(call: Call) -> Answer:
    """ListObjects, or with `list-type=2` ListObjectsV2."""
    conditions = {"oss:Prefix": call.params.get("prefix", ""), "oss:Delimiter": call.params.get("delimiter", "")}
    rights.on_bucket(call, "oss:ListObjects", conditions)
    bucket = call.bucket()
    kind = call.params.get("list-type")
    if kind not in (None, "2"):
        raise invalid_argument("The list-type must be 2.", "list-type", kind)
    return _v1(call, bucket) if kind is None else _v2(call, bucket)


def _query(call: Call, after: str, most: int, after_version: str = "") -> Query:
    limit = min(most, max(call.world.knobs.page_size, 1))
    return Query(call.params.get("prefix", ""), call.params.get("delimiter", ""), after, after_version, limit)


def _v1(call: Call, bucket: Bucket) -> Answer:
    encode = call.url_encodes()
    most = call.number("max-keys", DEFAULT, 1, MOST)
    marker = call.params.get("marker", "")
    page = paging.objects(bucket.index.keys(), _query(call, marker, most), bucket.is_visible)
    head = _head(call, bucket, page, most, encode=encode) + element("Marker", url(marker, encode=encode))
    if page.truncated:
        head += element("NextMarker", url(page.next, encode=encode))
    return Answer(body=document("ListBucketResult", head + _contents(call, bucket, page, encode=encode, owned=True)))


def _v2(call: Call, bucket: Bucket) -> Answer:
    encode = call.url_encodes()
    most = call.number("max-keys", DEFAULT, 1, MOST)
    token, start = call.params.get("continuation-token") or None, call.params.get("start-after", "")
    after = start if token is None else _from_token(token)
    page = paging.objects(bucket.index.keys(), _query(call, after, most), bucket.is_visible)
    head = _head(call, bucket, page, most, encode=encode) + element("KeyCount", len(page))
    if start:
        head += element("StartAfter", url(start, encode=encode))
    if token is not None:
        head += element("ContinuationToken", token)
    if page.truncated:
        head += element("NextContinuationToken", _to_token(page.next))
    owned = call.params.get("fetch-owner", "false").lower() == "true"
    return Answer(body=document("ListBucketResult", head + _contents(call, bucket, page, encode=encode, owned=owned)))


def _head(call: Call, bucket: Bucket, page: Page, most: int, *, encode: bool) -> str:
    """The elements that all three listings share."""
    return (
        element("Name", bucket.facts.name)
        + element("Prefix", url(call.params.get("prefix", ""), encode=encode))
        + element("MaxKeys", most)
        + element("Delimiter", url(call.params.get("delimiter", ""), encode=encode))
        + (element("EncodingType", "url") if encode else "")
        + element("IsTruncated", page.truncated)
    )


def _contents(call: Call, bucket: Bucket, page: Page, *, encode: bool, owned: bool) -> str:
    entries = []
    for key in page.keys:
        version = bucket.versions[key][0]
        restore = _restore(version, call.now)
        inner = _object(version, encode=encode) + restore + (owner() if owned else "")
        entries.append(f"<Contents>{inner}</Contents>")
    return "".join(entries) + _prefixes(page, encode=encode)


def _prefixes(page: Page, *, encode: bool) -> str:
    return "".join(
        f"<CommonPrefixes>{element('Prefix', url(one, encode=encode))}</CommonPrefixes>" for one in page.prefixes
    )


def _object(version: Version, *, encode: bool) -> str:
    return (
        element("Key", url(version.key, encode=encode))
        + element("LastModified", version.modified)
        + element("ETag", f'"{version.etag}"')
        + element("Type", version.kind)
        + element("Size", version.size)
        + element("StorageClass", version.traits.storage_class)
    )


def _restore(version: Version, now: float) -> str:
    if version.traits.storage_class not in ARCHIVES:
        return ""
    if now < version.restored_at:
        return element("RestoreInfo", 'ongoing-request="true"')
    return element("RestoreInfo", 'ongoing-request="false"') if is_restored(version, now) else ""


def _to_token(key: str) -> str:
    """Opaque to clients; a key in another alphabet, safe in URLs and XML."""
    return base64.urlsafe_b64encode(b"k" + key.encode()).decode().rstrip("=")


def _from_token(token: str) -> str:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        if not raw.startswith(b"k"):
            raise ValueError(token)
        return raw[1:].decode()
    except (ValueError, binascii.Error) as error:
        raise invalid_argument("The continuation token is invalid.", "continuation-token", token) from error


async def versions(call: Call) -> Answer:
    """ListObjectVersions: all versions and delete markers, newest first within a key."""
    rights.on_bucket(call, "oss:ListObjectVersions")
    bucket = call.bucket()
    encode = call.url_encodes()
    most = call.number("max-keys", DEFAULT, 1, MOST)
    marker, version_marker = call.params.get("key-marker", ""), call.params.get("version-id-marker", "")
    if version_marker and not marker:
        raise invalid_argument(
            "A version-id marker cannot be specified without a key marker.", "version-id-marker", version_marker
        )
    query = _query(call, marker, most, version_marker)
    page = paging.versions(
        bucket.index.keys(), query, lambda key: [one.version_id for one in bucket.versions.get(key, ())]
    )
    head = _head(call, bucket, page, most, encode=encode)
    head += element("KeyMarker", url(marker, encode=encode)) + element("VersionIdMarker", version_marker)
    if page.truncated:
        head += element("NextKeyMarker", url(page.next, encode=encode)) + element(
            "NextVersionIdMarker", page.next_version
        )
    entries = "".join(_version(bucket, key, index, encode=encode) for key, index in page.versions)
    return Answer(body=document("ListVersionsResult", head + entries + _prefixes(page, encode=encode)))


def _version(bucket: Bucket, key: str, index: int, *, encode: bool) -> str:
    version = bucket.versions[key][index]
    ids = element("VersionId", version.version_id) + element("IsLatest", index == 0)
    if version.marker:
        inner = element("Key", url(key, encode=encode)) + ids + element("LastModified", version.modified) + owner()
        return f"<DeleteMarker>{inner}</DeleteMarker>"
    return f"<Version>{_object(version, encode=encode)}{ids}{owner()}</Version>"
