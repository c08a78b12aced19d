"""Moments as OSS writes them: always UTC, whole seconds, `.000Z` in XML, GMT in headers."""

from __future__ import annotations

import calendar
import time
from email.utils import formatdate, parsedate_tz
from functools import lru_cache


@lru_cache(maxsize=4096)
def _iso(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(second))


def iso(moment: float) -> str:
    """`2026-01-01T00:00:00.000Z`; the clients' parsers take no other form."""
    return _iso(int(moment))


@lru_cache(maxsize=4096)
def _gmt(second: int) -> str:
    return formatdate(second, usegmt=True)


def gmt(moment: float) -> str:
    """`Thu, 01 Jan 2026 00:00:00 GMT`."""
    return _gmt(int(moment))


@lru_cache(maxsize=4096)
def from_gmt(value: str) -> float | None:
    """The moment of a date in a header, or None if it is none (a time zone other than GMT is none, too)."""
    parsed = parsedate_tz(value)
    if parsed is None or parsed[9] != 0 or not value.strip().endswith("GMT"):
        return None
    try:
        return float(calendar.timegm(parsed[:9]))
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=4096)
def from_basic(value: str) -> float | None:
    """The moment of `20260102T030405Z`, or None if `value` is not of that form."""
    try:
        return float(calendar.timegm(time.strptime(value, "%Y%m%dT%H%M%SZ")))
    except ValueError:
        return None
