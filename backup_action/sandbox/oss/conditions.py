"""The headers that make a request conditional, and ranges.

| header | does not hold |
|---|---|
| If-Match, If-Unmodified-Since | 412 |
| If-None-Match, If-Modified-Since | 304 (on a copy: 304 too) |

A range that does not fit is ignored and the whole object comes back with 200, unless the request carries
`x-oss-range-behavior: standard`; then RFC 9110 holds and the answer is 416. Source:
https://www.alibabacloud.com/help/en/oss/how-to-obtain-oss-resources-by-segmenting-http-range-requests
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .failure import Failure, precondition_failed
from .moment import from_gmt
from .objects import Version

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def check(headers: Mapping[str, str], version: Version, prefix: str = "") -> None:
    """Raises Failure if a condition does not hold; `prefix` is `x-oss-copy-source-` for the source of a copy."""
    etag = version.etag.upper()
    if_match = headers.get(f"{prefix}if-match")
    if if_match is not None and etag not in _etags(if_match):
        raise precondition_failed("If-Match")
    unmodified = _moment(headers, f"{prefix}if-unmodified-since")
    if unmodified is not None and int(version.modified) > unmodified:
        raise precondition_failed("If-Unmodified-Since")
    if_none_match = headers.get(f"{prefix}if-none-match")
    if if_none_match is not None and etag in _etags(if_none_match):
        raise _not_modified(version)
    modified = _moment(headers, f"{prefix}if-modified-since")
    if modified is not None and int(version.modified) <= modified:
        raise _not_modified(version)


def _etags(value: str) -> set[str]:
    return {part.strip().strip('"').upper() for part in value.split(",")}


def _moment(headers: Mapping[str, str], name: str) -> float | None:
    return from_gmt(headers[name]) if name in headers else None


def _not_modified(version: Version) -> Failure:
    return Failure(304, "NotModified", "Not Modified", headers={"ETag": f'"{version.etag}"'})


def span(headers: Mapping[str, str], size: int) -> tuple[int, int] | None:
    """Start and length of the range that is asked for, or None for all of it; Failure (416) if it cannot be had."""
    value = headers.get("range")
    if value is None:
        return None
    standard = headers.get("x-oss-range-behavior") == "standard"
    if "," in value:
        raise _unsatisfiable(value, size)
    match = _RANGE.fullmatch(value.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    found = _fit(match[1], match[2], size, standard=standard)
    if found is None and standard:
        raise _unsatisfiable(value, size)
    return found


def _fit(first: str, last: str, size: int, *, standard: bool) -> tuple[int, int] | None:
    """The range within `size` bytes; None if there is none (or, not `standard`, if it reaches beyond the end)."""
    if not first:
        count = int(last)
        if count > size and standard:
            count = size
        return (size - count, count) if 0 < count <= size else None
    start = int(first)
    end = int(last) if last else size - 1
    if end >= size and standard:
        end = size - 1
    return (start, end - start + 1) if start <= end < size else None


def _unsatisfiable(value: str, size: int) -> Failure:
    fields = {"RangeRequested": value, "ActualObjectSize": str(size)}
    headers = {"Content-Range": f"bytes */{size}"}
    return Failure(416, "InvalidRange", "The requested range cannot be satisfied.", fields=fields, headers=headers)
