"""What a writing request says of the object beside its bytes, read from its headers and held to OSS's limits.

Sources: PutObject's page; EC 0011-00000002 (8 KB of metadata), 0010-00000209 and 0010-00000217 (tags),
0013-00000109 (where DeepColdArchive exists).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_plus

from .call import Call
from .failure import Failure, invalid_argument
from .objects import STORAGE_CLASSES, Bucket, Traits

META = "x-oss-meta-"
META_BYTES = 8192
_KEPT = {
    name.lower(): name
    for name in (
        "Content-Type",
        "Content-Encoding",
        "Content-Disposition",
        "Content-Language",
        "Cache-Control",
        "Expires",
    )
}
_META_NAME = re.compile(r"[a-z0-9-]+")
_TAG = re.compile(r"[\w +\-=.:/]*", re.ASCII)
_ACLS = ("default", "private", "public-read", "public-read-write")
_DEEP_REGIONS = (
    "cn-hangzhou",
    "cn-shanghai",
    "cn-beijing",
    "cn-zhangjiakou",
    "cn-wulanchabu",
    "cn-shenzhen",
    "ap-southeast-1",
)


def read(call: Call, bucket: Bucket) -> Traits:
    """The traits of a new object; Failure for a header outside its grammar."""
    traits = Traits(*content(call.headers))
    traits.tags = tags(call.headers.get("x-oss-tagging", ""))
    traits.storage_class = storage_class(call, bucket)
    traits.acl = acl(call.headers.get("x-oss-object-acl", "default"))
    encrypt(call.headers, bucket, traits)
    return traits


def content(headers: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The standard headers that an object keeps, and its own metadata."""
    kept: dict[str, str] = {}
    meta: dict[str, str] = {}
    for name, value in headers.items():
        if name in _KEPT:
            kept[_KEPT[name]] = value
        elif name.startswith(META):
            meta[name] = value
    if meta:
        _check_meta(meta)
    return kept, meta


def _check_meta(meta: Mapping[str, str]) -> None:
    for name, value in meta.items():
        if not _META_NAME.fullmatch(name[len(META) :]):
            raise invalid_argument("The name of a user metadata header is invalid.", name, value, ec="0011-00000005")
    size = sum(len(name) - len(META) + len(value.encode("utf-8", "surrogateescape")) for name, value in meta.items())
    if size > META_BYTES:
        raise invalid_argument(
            "The total size of user metadata exceeds 8 KB.", "x-oss-meta", str(size), ec="0011-00000002"
        )


def tags(header: str) -> dict[str, str]:
    """`k1=v1&k2=v2`, both URL-encoded."""
    found: dict[str, str] = {}
    for pair in filter(None, header.split("&")):
        name, _, value = pair.partition("=")
        name, value = unquote_plus(name), unquote_plus(value)
        if name in found:
            raise invalid_tag("Duplicate tag keys are not allowed.")
        found[name] = value
    check_tags(found)
    return found


def check_tags(found: Mapping[str, str]) -> None:
    """Raises Failure unless there are at most 10, with keys of 1 to 128 and values of up to 256 allowed characters."""
    if len(found) > 10:
        raise invalid_tag("Object tags cannot be greater than 10.", "0010-00000209")
    for name, value in found.items():
        if not 1 <= len(name) <= 128 or len(value) > 256 or not _TAG.fullmatch(name + value):
            raise invalid_tag("The tag key or value is invalid.", "0010-00000217")


def invalid_tag(message: str, ec: str = "") -> Failure:
    """400 for tags outside their limits."""
    return Failure(400, "InvalidTag", message, ec)


def storage_class(call: Call, bucket: Bucket) -> str:
    """The class that the request names, or else the bucket's."""
    name = call.headers.get("x-oss-storage-class")
    if name is None:
        return bucket.facts.storage_class
    if name not in STORAGE_CLASSES:
        raise invalid_argument("The storage class you specified is invalid.", "x-oss-storage-class", name)
    if name == "DeepColdArchive" and bucket.facts.region not in _DEEP_REGIONS:
        message = "The storage class DeepColdArchive is not supported in this region."
        raise invalid_argument(message, "x-oss-storage-class", name, ec="0013-00000109")
    return name


def acl(name: str) -> str:
    """An object's ACL, checked."""
    if name not in _ACLS:
        raise invalid_argument("The ACL you specified is invalid.", "x-oss-object-acl", name)
    return name


def encrypt(headers: Mapping[str, str], bucket: Bucket, traits: Traits) -> None:
    """Fills in the encryption that the request asks for, or else the bucket's default."""
    algorithm = headers.get("x-oss-server-side-encryption")
    if algorithm is None:
        traits.encryption = bucket.facts.encryption
        traits.encryption_key = bucket.facts.encryption_key
        return
    if algorithm not in ("AES256", "KMS", "SM4"):
        message = "The Encryption request you specified is not valid. Supported value: AES256/KMS/SM4."
        raise Failure(400, "InvalidEncryptionAlgorithmError", message)
    key_id = headers.get("x-oss-server-side-encryption-key-id", "")
    inner = headers.get("x-oss-server-side-data-encryption", "")
    if algorithm != "KMS" and (key_id or inner):
        raise invalid_argument(
            "A key id and a data encryption are for KMS only.", "x-oss-server-side-encryption", algorithm
        )
    traits.encryption, traits.encryption_key, traits.data_encryption = algorithm, key_id, inner


def encryption_headers(traits: Traits) -> dict[str, str]:
    """The answer's headers about encryption."""
    if not traits.encryption:
        return {}
    headers = {"x-oss-server-side-encryption": traits.encryption}
    if traits.encryption_key:
        headers["x-oss-server-side-encryption-key-id"] = traits.encryption_key
    if traits.data_encryption:
        headers["x-oss-server-side-data-encryption"] = traits.data_encryption
    return headers
