"""Reads a page of a listing, of objects or versions: names URL-encoded on the wire, so that any key fits into XML."""

from __future__ import annotations

import datetime
import re
import xml.etree.ElementTree as ET
from typing import Final, NamedTuple
from urllib.parse import unquote

from backup_action.core.stored import Stored, StoredVersion

# Names are URL-encoded: nothing in a row can look like an element. What is no plain ASCII is left to the XML parser.
_GAP: Final = r"[ \t\r\n]*"
_ROW: Final = re.compile(
    rf"<Contents>{_GAP}<Key>([!-%'-;=?-~]+)</Key>{_GAP}<LastModified>([0-9TZ:.+-]+)</LastModified>{_GAP}"
    rf'<ETag>(?:"|&quot;)([0-9A-Za-z-]*)(?:"|&quot;)</ETag>{_GAP}<Type>[A-Za-z]*</Type>{_GAP}<Size>([0-9]+)</Size>{_GAP}'
    rf"<StorageClass>[A-Za-z]*</StorageClass>{_GAP}</Contents>{_GAP}"
)
_TAGS: Final = 14  # in a row
_FRAME: Final = re.compile(
    rf'<\?xml version="1\.0" encoding="UTF-8"\?>{_GAP}<ListBucketResult>'
    rf"(?:{_GAP}<([A-Za-z]+)>[!-%'-;=?-~]*</\1>)*{_GAP}</ListBucketResult>{_GAP}"
)
_CODED: Final = "<EncodingType>url</EncodingType>"
_MORE: Final = "<IsTruncated>true</IsTruncated>"
_NO_MORE: Final = "<IsTruncated>false</IsTruncated>"


class Malformed(ValueError):
    """The page is not what OSS documents."""


def parse(body: bytes) -> tuple[list[Stored], bool]:
    """The objects of one ListObjectsV2 answer, and whether there are more. Raises Malformed."""
    return quick(body) or thorough(body)


def quick(body: bytes) -> tuple[list[Stored], bool] | None:
    """The same in a third of the time for an answer that is written as OSS writes it; None for any other."""
    try:
        text = body.decode("ascii")
        start, end = text.find("<Contents>"), text.rfind("</Contents>") + len("</Contents>")
        start = start if start >= 0 else end
        frame, inner = (text[:start] + text[end:], text[start:end]) if start < end else (text, "")
        rows = _ROW.findall(inner)
        more, once = frame.count(_MORE), (frame.count(_CODED), frame.count("<IsTruncated>"))
        is_all = inner.count("<") == len(rows) * _TAGS and inner.count("&") == inner.count("&quot;")
        if not is_all or once != (1, 1) or more + frame.count(_NO_MORE) != 1 or not _FRAME.fullmatch(frame):
            return None
        moments = {told: _moment(told) for told in {row[1] for row in rows}}
        found = [
            Stored(unquote(key, errors="strict") if "%" in key else key, int(size), etag, moments[moment])
            for key, moment, etag, size in rows
        ]
    except ValueError:
        return None
    return found, bool(more)


def thorough(body: bytes) -> tuple[list[Stored], bool]:
    """The same for any XML that says it, however it is written. Raises Malformed."""
    try:
        root = ET.fromstring(body)  # noqa: S314  (expat bounds what entities may grow to)
        coded = root.findtext("EncodingType") == "url"
        objects = [_stored({e.tag: e.text or "" for e in item}, coded=coded) for item in root.iter("Contents")]
    except (ET.ParseError, ValueError, LookupError) as error:
        raise Malformed(f"{type(error).__name__} in a listing") from None
    if root.tag != "ListBucketResult" or root.findtext("IsTruncated") not in ("true", "false"):
        raise Malformed("an answer that is no listing")
    return objects, root.findtext("IsTruncated") == "true"


class Versions(NamedTuple):
    """One page of versions: newest first within a key. Where it is not the last, the markers say where it goes on."""

    rows: list[StoredVersion]
    more: bool
    key: str
    version: str


def parse_versions(body: bytes) -> Versions:
    """One ListObjectVersions answer, in its order. Raises Malformed."""
    try:
        root = ET.fromstring(body)  # noqa: S314  (expat bounds what entities may grow to)
        coded = root.findtext("EncodingType") == "url"
        rows = [_version(item, coded=coded) for item in root if item.tag in ("Version", "DeleteMarker")]
        key = root.findtext("NextKeyMarker") or ""
        key = unquote(key, errors="strict") if coded else key
    except (ET.ParseError, ValueError, LookupError) as error:
        raise Malformed(f"{type(error).__name__} in a listing") from None
    if root.tag != "ListVersionsResult" or root.findtext("IsTruncated") not in ("true", "false"):
        raise Malformed("an answer that is no listing")
    return Versions(rows, root.findtext("IsTruncated") == "true", key, root.findtext("NextVersionIdMarker") or "")


def _version(item: ET.Element, *, coded: bool) -> StoredVersion:
    told = {"Size": "0", "ETag": "", **{e.tag: e.text or "" for e in item}}
    if told["IsLatest"] not in ("true", "false") or not told["VersionId"]:
        raise ValueError("a version without what tells it")
    row = _stored(told, coded=coded)
    is_latest, is_marker = told["IsLatest"] == "true", item.tag == "DeleteMarker"
    return StoredVersion(row.key, told["VersionId"], row.size, row.etag, row.last_modified, is_latest, is_marker)


def _stored(told: dict[str, str], *, coded: bool) -> Stored:
    key = unquote(told["Key"], errors="strict") if coded else told["Key"]
    return Stored(key, int(told["Size"]), told["ETag"].strip('"'), _moment(told["LastModified"]))


def _moment(told: str) -> int:
    return int(datetime.datetime.fromisoformat(told).timestamp())
