"""Reads a page of a listing: names URL-encoded on the wire, so that any key fits into XML."""

from __future__ import annotations

import datetime
import xml.etree.ElementTree as ET
from urllib.parse import unquote

from backup_action.core.stored import Stored


class Malformed(ValueError):
    """The page is not what OSS documents."""


def parse(body: bytes) -> tuple[list[Stored], bool]:
    """The objects of one ListObjectsV2 answer, and whether there are more. Raises Malformed."""
    try:
        root = ET.fromstring(body)  # noqa: S314  (expat bounds what entities may grow to)
        coded = root.findtext("EncodingType") == "url"
        objects = [_stored({e.tag: e.text or "" for e in item}, coded=coded) for item in root.iter("Contents")]
    except (ET.ParseError, ValueError, KeyError) as error:
        raise Malformed(f"{type(error).__name__} in a listing") from None
    if root.tag != "ListBucketResult" or root.findtext("IsTruncated") not in ("true", "false"):
        raise Malformed("an answer that is no listing")
    return objects, root.findtext("IsTruncated") == "true"


def _stored(told: dict[str, str], *, coded: bool) -> Stored:
    key = unquote(told["Key"], errors="strict") if coded else told["Key"]
    moment = datetime.datetime.fromisoformat(told["LastModified"])
    return Stored(key, int(told["Size"]), told["ETag"].strip('"'), int(moment.timestamp()))
