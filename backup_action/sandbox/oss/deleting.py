"""DeleteObject and DeleteMultipleObjects; what a delete does to versions is the store's rule.

Deleting what is not there is no error (204). A request to delete many is refused as a whole, before anything is gone,
if one of its keys may not be deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from . import rights
from .address import check_key
from .call import Answer, Call
from .failure import Failure, invalid_argument, malformed_xml
from .objects import Bucket, Version
from .reading import find_version
from .writing import check_retention
from .xml import document, element, parse, url

MANY = 1000
_BODY_MAX = 8 << 20  # bytes; a thousand keys of the greatest length, every byte escaped, are below it


@dataclass(frozen=True, slots=True)
class Deleted:
    """What one delete did: the version that is gone, or the marker that was made."""

    key: str
    version_id: str | None  # as the request gave it
    gone: Version | None = None
    made: Version | None = None


async def delete(call: Call) -> Answer:
    """DeleteObject."""
    check_key(call.object_key)
    rights.on_object(call, "oss:DeleteObject")
    bucket = call.bucket()
    done = _delete(call, bucket, call.object_key, call.params.get("versionId"))
    headers: dict[str, str] = {}
    if done.made is not None:
        headers = {"x-oss-delete-marker": "true", "x-oss-version-id": done.made.version_id}
    elif done.version_id is not None and bucket.facts.versioning:
        headers = {"x-oss-version-id": done.version_id}
        if done.gone is not None and done.gone.marker:
            headers["x-oss-delete-marker"] = "true"
    return Answer(204, headers)


def _delete(call: Call, bucket: Bucket, key: str, version_id: str | None) -> Deleted:
    if version_id is not None:
        gone = find_version(bucket, key, version_id)
        if gone is not None:
            check_retention(call, bucket, gone)
            call.store.remove(bucket, gone)
        return Deleted(key, version_id, gone)
    if not bucket.facts.versioning:
        gone = bucket.newest(key)
        if gone is not None:
            check_retention(call, bucket, gone)
            call.store.remove(bucket, gone)
        return Deleted(key, None, gone)
    made = Version(key, call.store.new_version_id(bucket), call.now, marker=True)
    call.store.place(bucket, made)
    return Deleted(key, None, made=made)


async def delete_many(call: Call) -> Answer:
    """DeleteMultipleObjects: at most 1,000 keys; Content-MD5 and Content-Length are required."""
    if "content-md5" not in call.headers:
        raise Failure(
            400, "MissingArgument", "Missing Some Required Arguments.", fields={"ArgumentName": "Content-MD5"}
        )
    received = await call.receive(_BODY_MAX)
    try:
        tree = parse(received.data, "Delete")
    except ValueError as error:
        raise malformed_xml() from error
    quiet = (tree.findtext("Quiet") or "false").strip().lower() == "true"
    wanted = list(_wanted(tree))
    if not 1 <= len(wanted) <= MANY:
        raise malformed_xml()
    for key, version_id in wanted:
        rights.on_object(call, "oss:DeleteObject", key=key, version=version_id is not None)
    encode = call.url_encodes()
    bucket = call.bucket()
    done = [_delete(call, bucket, key, version_id) for key, version_id in wanted]
    return Answer(body=b"" if quiet else _result(done, encode=encode))


def _wanted(tree: Element) -> Iterable[tuple[str, str | None]]:
    for node in tree.findall("Object"):
        key, version_id = node.findtext("Key") or "", node.findtext("VersionId")
        check_key(key)
        if version_id == "":
            raise invalid_argument("Version id cannot be the empty string.", "VersionId")
        yield key, version_id


def _result(done: Iterable[Deleted], *, encode: bool) -> bytes:
    entries = "".join(_entry(one, encode=encode) for one in done)
    return document("DeleteResult", (element("EncodingType", "url") if encode else "") + entries)


def _entry(one: Deleted, *, encode: bool) -> str:
    inner = element("Key", url(one.key, encode=encode))
    if one.version_id is not None:
        inner += element("VersionId", one.version_id)
    marker = one.made or (one.gone if one.version_id is not None and one.gone and one.gone.marker else None)
    if marker is not None:
        inner += element("DeleteMarker", True) + element("DeleteMarkerVersionId", marker.version_id)
    return f"<Deleted>{inner}</Deleted>"
