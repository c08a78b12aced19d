"""What a request is about, read from its raw target and its Host: region, bucket, key, parameters.

| Host | target | bucket | style |
|---|---|---|---|
| `b.anything`, `b.localhost:80`, `b.127.0.0.1` | `/k` | b | virtual-hosted |
| `b.oss-cn-shanghai.anything` | `/k` | b, at Shanghai's endpoint | virtual-hosted |
| `127.0.0.1:80`, `[::1]`, `localhost`, `oss-cn-hangzhou.anything` | `/b/k` | b | path |

The key is decoded once from the raw target, and never normalised: `%2F`, `//`, `.` and `..` are what they say.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_plus, unquote_to_bytes

from .failure import Failure, invalid_argument

KEY_BYTES = 1023
_ENDPOINT = re.compile(r"oss-((?:cn|ap|us|eu|me|na|sa|rg)-[a-z0-9-]+?)(?:-internal)?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Address:
    """The decoded request target; an empty bucket is the service, an empty key the bucket."""

    bucket: str
    key: str
    pairs: tuple[tuple[str, str], ...]  # the query, decoded, in the order of the request
    params: dict[str, str]  # the same by name; the last one wins
    region: str  # of the endpoint that was called
    resource: str = "/"  # what is signed: `/bucket/key`; in path style the path as it came, decoded


def parse(target: str, host: str, region: str) -> Address:
    """Reads a raw target (`/a%20b?uploads`); `region` is that of an endpoint whose name has none.

    Raises Failure for a target that is no path or that does not decode to UTF-8.
    """
    path, _, query = target.partition("?")
    if not path.startswith("/"):
        raise Failure(400, "InvalidURI", "Couldn't parse the specified URI.")
    hosted, region = _host(host, region)
    bucket, raw = hosted, path[1:]
    if not hosted:
        first, _, raw = raw.partition("/")
        bucket = decode(first)
    pairs = tuple(_pair(part) for part in query.split("&") if part) if query else ()
    key = decode(raw)
    resource = f"/{bucket}/{key}" if hosted or path.count("/") > 1 else f"/{bucket}"
    return Address(bucket, key, pairs, dict(pairs), region, resource)


@lru_cache(maxsize=1024)
def _host(host: str, region: str) -> tuple[str, str]:
    """The bucket that a Host names (or nothing), and the endpoint's region."""
    name = host.lower().rstrip(".")
    if not name.startswith("["):
        name = name.partition(":")[0]
    first, _, rest = name.partition(".")
    if name in ("", "localhost") or _is_ip(name):
        return "", region
    if match := _ENDPOINT.fullmatch(first):
        return "", match[1]
    match = _ENDPOINT.fullmatch(rest.partition(".")[0])
    return first, match[1] if match else region


def _is_ip(name: str) -> bool:
    if name.startswith("["):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return _decode_plus(name), _decode_plus(value)


def _decode_plus(value: str) -> str:
    """A blank in a query may be `+` or `%20`."""
    if "%" not in value and "+" not in value:
        return value
    try:
        return unquote_plus(value, errors="strict")
    except UnicodeDecodeError as error:
        raise invalid_argument("A query parameter is not UTF-8.") from error


def decode(raw: str) -> str:
    """A part of the path; `+` stays `+`."""
    if raw.isascii() and "%" not in raw:
        return raw
    try:
        return unquote_to_bytes(raw.encode("utf-8", "surrogateescape")).decode()
    except UnicodeDecodeError as error:
        raise Failure(400, "InvalidObjectName", "The specified object is not valid.") from error


def check_bucket_name(name: str) -> None:
    """Raises Failure unless the name has 3 to 63 of a-z, 0-9 and hyphens, none of these at either end."""
    if not _BUCKET.fullmatch(name):
        message = "The specified bucket is not valid."
        raise Failure(400, "InvalidBucketName", message, "0015-00000001", {"BucketName": name})


def check_key(key: str) -> None:
    """Raises Failure unless the key has 1 to 1,023 bytes and does not begin with `/` or `\\`."""
    if not key:
        raise Failure(400, "InvalidObjectName", "The Object name can not be empty.")
    if len(key.encode()) > KEY_BYTES:
        raise Failure(
            400, "InvalidObjectName", "The Length of Object name must be less than 1024.", fields={"ObjectName": key}
        )
    if key[0] in "/\\":
        raise Failure(400, "InvalidObjectName", "The specified object is not valid.", fields={"ObjectName": key})
