"""OSS's V4 signature of a request's headers, with the day's key kept.

Source: oss2's `auth.py`, and the signature version 4 page of the OSS documentation. A test holds it against oss2.
Payloads are not hashed (`UNSIGNED-PAYLOAD`): TLS guards them on the way, and the CRC-64 of the answer proves them.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

quote = functools.partial(urllib.parse.quote, safe="-_.~")
_quote_path = functools.partial(urllib.parse.quote, safe="/-_.~")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys to sign with. `token` is empty for a permanent key; `expires` is seconds since 1970."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    expires: float = float("inf")
    identity: str = ""  # ARN of the session


def query_text(query: Mapping[str, str]) -> str:
    """The query as it is sent and signed: sorted, encoded, empty values without `=`."""
    pairs = sorted((quote(name), quote(value)) for name, value in query.items())
    return "&".join(f"{name}={value}" if value else name for name, value in pairs)


def object_path(bucket: str, key: str) -> str:
    """The canonical path of an object or, with an empty key, of the bucket."""
    return f"/{bucket}/{_quote_path(key)}"


@functools.lru_cache(maxsize=8)
def _day_key(secret: str, day: str, region: str) -> bytes:
    key = ("aliyun_v4" + secret).encode()
    for part in (day, region, "oss", "aliyun_v4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@functools.lru_cache(maxsize=2)
def _stamp(second: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))


def sign(
    credentials: Credentials, region: str, method: str, path: str, query: str, headers: Mapping[str, str], now: float
) -> dict[str, str]:
    """The headers to send: those given (names in lower case) and the signature's.

    `path` is `object_path`'s, `query` is `query_text`'s, `now` is seconds since 1970 by the server's clock.
    """
    stamp = _stamp(int(now))
    sent = {**headers, "x-oss-content-sha256": "UNSIGNED-PAYLOAD", "x-oss-date": stamp}
    if credentials.token:
        sent["x-oss-security-token"] = credentials.token
    names = sorted(n for n in sent if n.startswith("x-oss-") or n in ("content-type", "content-md5"))
    lines = "".join(f"{name}:{sent[name].strip()}\n" for name in names)
    request = f"{method}\n{path}\n{query}\n{lines}\n\nUNSIGNED-PAYLOAD"
    scope = f"{stamp[:8]}/{region}/oss/aliyun_v4_request"
    text = f"OSS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(_day_key(credentials.secret, stamp[:8], region), text.encode(), "sha256").hex()
    sent["authorization"] = f"OSS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope},Signature={signature}"
    return sent
