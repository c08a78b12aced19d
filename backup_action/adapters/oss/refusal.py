"""What OSS answers when it does not do as it was asked: read, sorted by what helps, and turned into problems.

Decided by `Code`, never by the finer EC code, which is for people and may change (OSS documentation). Tables of
codes: FAQ pages on HTTP status codes 403 and 503 of the OSS documentation, and the retry policy of its SDKs.
"""

from __future__ import annotations

import base64
import binascii
import enum
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backup_action.adapters.oss.place import Place
from backup_action.adapters.reason import refused_by_proxy
from backup_action.core import escape
from backup_action.core.patience import TOLD_MAX, retry_after
from backup_action.core.problem import Kind, Stop

BODY_MAX: Final = 1 << 16  # bytes of an error that are read


class Remedy(enum.Enum):
    """What may help against a refusal."""

    NONE = "none"
    AGAIN = "again"  # the same request, a little later
    ONCE = "once"  # the same request once more
    RENEW = "renew"  # new keys, then the same request
    CLOCK = "clock"  # the server's time, then the same request


_TOO_SLOW = {"RequestTimeout", "ConnectionTimeout"}
_TOO_MANY = {"QpsLimitExceeded", "TooManyRequests", "SlowDown"}
_AGAIN = _TOO_SLOW | _TOO_MANY
_RENEW = {"SecurityTokenExpired", "InvalidAccessKeyId", "InvalidSecurityToken", "AccessKeyIdAndSecurityTokenNotMatch"}
_ACCOUNT = {
    "UserDisable", "BucketDisable", "InDebt", "InDebtOverdue", "AbnormalBucketOwnerStatus", "BucketNotBelongTo",
}  # fmt: skip
_KMS = {"KmsServiceNotEnabled", "InvalidEncryptionAlgorithmError", "KmsAccessDenied"}
_CLASS, _KEY_ID = "x-oss-storage-class", "x-oss-server-side-encryption-key-id"
# Refusals of one object, which say nothing of the next.
ONE_OBJECT: Final = {"FileImmutable", "FileAlreadyExists", "InvalidObjectName", "EntityTooLarge", "InvalidObjectState"}


@dataclass(eq=False)  # not frozen: whoever passes an exception on sets its traceback
class Refusal(Exception):
    """An answer that is an error. `delay` is the seconds that the server asks to wait, 0 where it does not say."""

    status: int
    code: str
    message: str = ""
    request_id: str = ""
    ec: str = ""
    endpoint: str = ""  # the one that the bucket has, where another was used
    right: str = ""  # the RAM action that was denied, where the answer says so
    argument: str = ""  # the header or parameter that is wrong, where the answer says so
    value: str = ""  # of it
    date: str = ""  # the server's clock, as HTTP writes it
    delay: float = 0.0

    @property
    def remedy(self) -> Remedy:
        """What may help."""
        if self.code in _RENEW:
            return Remedy.RENEW
        if self.code == "RequestTimeTooSkewed":
            return Remedy.CLOCK
        if self.code == "InvalidDigest":
            return Remedy.ONCE
        again = self.code in _AGAIN or self.status in (408, 429) or self.status >= 500
        return Remedy.AGAIN if again and self.status != 501 else Remedy.NONE

    @property
    def is_passing(self) -> bool:
        """Whether the same request may be answered otherwise later."""
        return self.remedy in (Remedy.AGAIN, Remedy.ONCE)

    @property
    def is_throttle(self) -> bool:
        """Whether it says that there are too many requests: OSS has many codes for that, and may say for how long."""
        return self.status in (429, 503) or self.code in _TOO_MANY or self.delay > 0

    @property
    def is_late(self) -> bool:
        """Whether it says that the request was too slow."""
        return self.status == 408 or self.code in _TOO_SLOW

    def is_final(self, attempt: int) -> bool:
        """Whether it stands in spite of that, as the answer to this try."""
        return self.remedy is Remedy.ONCE and attempt > 1


def read(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """The refusal in an answer. A HEAD has no body: its error stands in `x-oss-err`, in base64."""
    told = _elements(body or _from_header(headers.get("x-oss-err", "")))
    return Refusal(
        status,
        told.get("Code", ""),
        escape.quoted(told.get("Message", "")),
        headers.get("x-oss-request-id", told.get("RequestId", "")),
        headers.get("x-oss-ec", told.get("EC", "")),
        told.get("Endpoint", ""),
        told.get("AuthAction", ""),
        told.get("ArgumentName", ""),
        told.get("ArgumentValue", ""),
        headers.get("Date", ""),
        delay(headers),
    )


def _from_header(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""


def _elements(body: bytes) -> dict[str, str]:
    try:
        root = ET.fromstring(body[:BODY_MAX]) if body else None  # noqa: S314  (expat bounds what entities may grow to)
    except ET.ParseError:
        return {}
    return {} if root is None else {element.tag: element.text or "" for element in root.iter()}


def delay(headers: Mapping[str, str]) -> float:
    """Seconds that an answer asks to wait. Names as OSS writes them, or in lower case."""
    milliseconds = headers.get("x-oss-qos-delay-time", "")
    if milliseconds.isascii() and milliseconds.isdigit():
        return min(int(milliseconds[:9]) / 1000, TOLD_MAX)
    after, date = (headers.get(name) or headers.get(name.lower(), "") for name in ("Retry-After", "Date"))
    return retry_after(after, date, time.time())


def stop(refusal: Refusal, at: Place, *, right: str, key: str, offset: float = 0) -> Stop:
    """The end of a run that this refusal means. `right` is the RAM action that the request needed."""
    if refusal.status == 407:
        return refused_by_proxy(refusal.status).stop(Kind.OSS_UNREACHABLE, at.endpoint)
    kind = _kind(refusal)
    resource = f"acs:oss:*:*:{at.bucket}/{at.prefix}*" if key else f"acs:oss:*:*:{at.bucket}"
    return Stop(
        kind,
        key or at.bucket,
        cause=_cause(kind, refusal),
        right=(refusal.right or right) if kind is Kind.OSS_RIGHT else "",
        resource=resource if kind is Kind.OSS_RIGHT else "",
        bucket=at.bucket,
        region=at.region,
        endpoint=at.endpoint,
        expected_endpoint=refusal.endpoint,
        code=refusal.code,
        status=refusal.status,
        message=refusal.message,
        given=refusal.value if kind in (Kind.OSS_KMS, Kind.OSS_CLASS) else "",
        **(_clocks(offset) if kind is Kind.OSS_CLOCK else {}),
        ec=refusal.ec,
        request_id=refusal.request_id,
    )


def _clocks(offset: float) -> dict[str, object]:
    """Both clocks, as people read them; the server's is `offset` seconds ahead of ours."""
    ours = time.time()
    texts = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)) for moment in (ours, ours + offset)]
    return {"offset_seconds": round(offset), "ours": texts[0], "theirs": texts[1] if offset else ""}


def _cause(kind: Kind, refusal: Refusal) -> str:
    """What chooses a sharper sentence."""
    if kind is Kind.OSS_KMS and refusal.code == "InvalidEncryptionAlgorithmError":
        return "algorithm"
    if kind is Kind.OSS_KMS and refusal.argument:
        return "key"
    return "tags" if kind is Kind.OSS_RIGHT and refusal.right.endswith("Tagging") else ""


def _kind(refusal: Refusal) -> Kind:
    by_code = {
        "SignatureDoesNotMatch": Kind.OSS_SIGNATURE,
        "NoSuchBucket": Kind.OSS_BUCKET,
        "InvalidBucketName": Kind.OSS_BUCKET,
        "RequestTimeTooSkewed": Kind.OSS_CLOCK,
        "InvalidAccessKeyId": Kind.OSS_KEY,
        "FileImmutable": Kind.OSS_WORM,
        **dict.fromkeys(_RENEW - {"InvalidAccessKeyId"}, Kind.OSS_TOKEN),
        **dict.fromkeys(_ACCOUNT, Kind.OSS_ACCOUNT),
        **dict.fromkeys(_KMS, Kind.OSS_KMS),
    }
    if refusal.code in by_code:
        return by_code[refusal.code]
    message = refusal.message.lower()
    if refusal.code == "InvalidArgument" and (refusal.argument == _CLASS or "storage class" in message):
        return Kind.OSS_CLASS
    if refusal.code == "InvalidArgument" and refusal.argument == _KEY_ID:
        return Kind.OSS_KMS
    if refusal.endpoint or (refusal.code == "InvalidArgument" and "region" in message):
        return Kind.OSS_ENDPOINT
    if refusal.status == 403:
        return Kind.OSS_KMS if "kms" in message or refusal.right.startswith("kms:") else Kind.OSS_RIGHT
    return Kind.OSS_UNREACHABLE if refusal.is_passing else Kind.OSS_REFUSED
