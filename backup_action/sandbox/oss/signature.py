"""What a request's signature has to be, computed from the raw request. Written apart from every client's signer.

V4: HMAC-SHA256 over the canonical request, with a key derived from secret, day and region. V1: HMAC-SHA1 over method,
MD5, type, date, `x-oss-` headers and resource. Both are OSS's own:
https://www.alibabacloud.com/help/en/oss/developer-reference/recommend-to-use-signature-version-4
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

ALGORITHM = "OSS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
_UNRESERVED = "-_.~"

# The parameters that are part of a V1 resource.
_LISTED = """
accessPoint accessPointPolicy acl append asyncFetch bucketArchiveDirectRead bucketInfo callback callback-var cname
comp continuation-token cors delete encryption endTime group httpsConfig img inventory inventoryId lifecycle link
live location logging metaQuery objectInfo objectMeta partNumber policy position publicAccessBlock qos qosInfo
qosRequester redundancyTransition referer regionList replication replicationLocation replicationProgress
requestPayment requesterQosInfo resourceGroup resourcePool resourcePoolBuckets resourcePoolInfo
response-cache-control response-content-disposition response-content-encoding response-content-language
response-content-type response-expires restore security-token sequential startTime stat status style styleName
symlink tagging transferAcceleration uploadId uploads versionId versioning versions vod website worm wormExtend
wormId x-oss-ac-forward-allow x-oss-ac-source-ip x-oss-ac-subnet-mask x-oss-ac-vpc-id x-oss-access-point-name
x-oss-async-process x-oss-process x-oss-redundancy-transition-taskid x-oss-request-payer
x-oss-target-redundancy-type x-oss-traffic-limit x-oss-write-get-object-response
"""
_SUB_RESOURCES = frozenset(_LISTED.split())


@dataclass(frozen=True, slots=True)
class Signable:
    """The parts of a request that signatures cover; header names are in lower case."""

    method: str
    resource: str  # `/` for the service, `/bucket/` for a bucket, `/bucket/key`; not encoded
    pairs: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]


def canonical(request: Signable, additional: Iterable[str] = ()) -> str:
    """The canonical request of V4; `additional` are the further headers that the client says it signed."""
    extra = sorted(additional)
    headers = sorted(item for item in request.headers.items() if _is_signed(item[0], extra))
    pairs = sorted(
        (quote(k, safe=_UNRESERVED), quote(v, safe=_UNRESERVED)) for k, v in request.pairs if k != "x-oss-signature"
    )
    return "\n".join(
        (
            request.method,
            quote(request.resource, safe="/" + _UNRESERVED),
            "&".join(f"{name}={value}" if value else name for name, value in pairs),
            "".join(f"{name}:{value}\n" for name, value in headers),
            ";".join(extra),
            request.headers.get("x-oss-content-sha256", UNSIGNED),
        )
    )


def _is_signed(name: str, additional: list[str]) -> bool:
    return name.startswith("x-oss-") or name in ("content-type", "content-md5") or name in additional


def string_to_sign(canonical_request: str, *, date: str, day: str, region: str) -> str:
    """V4's string to sign; `date` as in `x-oss-date`, `day` and `region` as in the credential's scope."""
    digest = hashlib.sha256(_encode(canonical_request)).hexdigest()
    return f"{ALGORITHM}\n{date}\n{day}/{region}/oss/aliyun_v4_request\n{digest}"


def v4(secret: str, text: str, *, day: str, region: str) -> str:
    """The signature in lower-case hex."""
    return hmac.digest(_day_key(secret, day, region), text.encode(), "sha256").hex()


@lru_cache(maxsize=1024)
def _day_key(secret: str, day: str, region: str) -> bytes:
    key = b"aliyun_v4" + secret.encode()
    for part in (day, region, "oss", "aliyun_v4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def v1_string(request: Signable, date: str) -> str:
    """V1's string to sign; `date` is the header's, or `Expires` of a signed URL."""
    headers = sorted(item for item in request.headers.items() if item[0].startswith("x-oss-"))
    listed = sorted(pair for pair in request.pairs if pair[0] in _SUB_RESOURCES)
    query = "&".join(f"{name}={value}" if value else name for name, value in listed)
    lines = (request.method, request.headers.get("content-md5", ""), request.headers.get("content-type", ""), date)
    canonical_headers = "".join(f"{name}:{value}\n" for name, value in headers)
    return "\n".join(lines) + "\n" + canonical_headers + request.resource + (f"?{query}" if query else "")


def v1(secret: str, text: str) -> str:
    """The signature in base64."""
    return base64.b64encode(hmac.digest(secret.encode(), _encode(text), "sha1")).decode()


def _encode(text: str) -> bytes:
    """Header values reach us decoded in a way that keeps bytes that are no UTF-8; they are signed as they came."""
    return text.encode("utf-8", "surrogateescape")
