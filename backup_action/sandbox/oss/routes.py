"""Which operation a request is: method, what it addresses, and the sub-resource in its query.

The names are the request kinds that counts and faults go by. Kinds of OSS that this stand-in does not have are refused
with 501, a method that a resource does not take with 405; a parameter that means nothing is ignored, as OSS does.
"""

from __future__ import annotations

from collections.abc import Mapping

from .failure import Failure, method_not_allowed, not_implemented

UNKNOWN = "unknown"

# What each sub-resource's methods are called; the order is that of precedence.
_OBJECT: dict[str, dict[str, str]] = {
    "uploadId": {"GET": "list-parts", "POST": "complete", "DELETE": "abort"},  # PUT: with partNumber, below
    "uploads": {"POST": "initiate"},
    "append": {"POST": "append"},
    "tagging": {"GET": "tagging", "PUT": "tagging", "DELETE": "tagging"},
    "acl": {"GET": "acl", "PUT": "acl"},
    "restore": {"POST": "restore"},
    "objectMeta": {"HEAD": "head", "GET": "head"},
}
_BUCKET: dict[str, dict[str, str]] = {
    "delete": {"POST": "delete-many"},
    "uploads": {"GET": "list-uploads"},
    "versions": {"GET": "list-versions"},
    "bucketInfo": {"GET": "bucket-info"},
    "location": {"GET": "bucket-location"},
    "versioning": {"GET": "bucket-versioning", "PUT": "bucket-versioning"},
    "stat": {"GET": "bucket-stat"},
    "lifecycle": {"GET": "bucket-lifecycle", "PUT": "bucket-lifecycle", "DELETE": "bucket-lifecycle"},
    "encryption": {"GET": "bucket-encryption", "PUT": "bucket-encryption", "DELETE": "bucket-encryption"},
    "worm": {"GET": "bucket-worm"},
    "acl": {"GET": "bucket-acl", "PUT": "bucket-acl"},
}
_PLAIN_OBJECT = {"GET": "get", "HEAD": "head", "PUT": "put", "DELETE": "delete"}
_PLAIN_BUCKET = {"GET": "list", "PUT": "bucket-put", "DELETE": "bucket-delete"}
_OTHERS = """
symlink callback x-oss-process x-oss-async-process x-oss-select objectInfo live comp vod asyncFetch cors website
cleanRestoredObject logging referer policy tagging requestPayment inventory replication transferAcceleration cname
metaQuery resourceGroup style qosInfo accessPoint publicAccessBlock httpsConfig archiveDirectRead wormId wormExtend
redundancyTransition regions
"""
_ABSENT = frozenset(_OTHERS.split())


def kind_of(method: str, *, bucket: str, key: str, params: Mapping[str, str], copies: bool) -> str:
    """The request's kind; `copies` says that it carries `x-oss-copy-source`. Raises Failure (501, 405)."""
    if not bucket:
        return _service(method, params)
    table, plain = (_OBJECT, _PLAIN_OBJECT) if key else (_BUCKET, _PLAIN_BUCKET)
    if key and method == "PUT" and "uploadId" in params:
        return "part-copy" if copies else "part"
    for name, methods in table.items():
        if name in params:
            return _choose(method, methods)
    for name in params:
        if name in _ABSENT:
            raise not_implemented(name)
    return "copy" if key and copies and method == "PUT" else _choose(method, plain)


def kind_or_unknown(
    method: str, *, bucket: str, key: str, params: Mapping[str, str], copies: bool
) -> tuple[str, Failure | None]:
    """The same for the count: a kind for every request, and the refusal that has to wait for authentication."""
    try:
        return kind_of(method, bucket=bucket, key=key, params=params, copies=copies), None
    except Failure as failure:
        return UNKNOWN, failure


def _service(method: str, params: Mapping[str, str]) -> str:
    if method != "GET":
        raise method_not_allowed(method)
    for name in params:
        if name in _ABSENT:
            raise not_implemented(name)
    return "list-buckets"


def _choose(method: str, methods: Mapping[str, str]) -> str:
    if method not in methods:
        raise method_not_allowed(method)
    return methods[method]
