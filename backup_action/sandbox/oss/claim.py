"""What a request says about its signer: which key, which signature, made when. Four forms, two versions.

| form | where |
|---|---|
| V4 header | `Authorization: OSS4-HMAC-SHA256 Credential=…, Signature=…`, `x-oss-date` |
| V4 URL | `x-oss-signature-version`, `x-oss-credential`, `x-oss-date`, `x-oss-expires`, `x-oss-signature` |
| V1 header | `Authorization: OSS id:signature`, `Date` or `x-oss-date` |
| V1 URL | `OSSAccessKeyId`, `Expires`, `Signature` |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .failure import Failure, invalid_argument
from .moment import from_basic, from_gmt
from .signature import ALGORITHM

_CREDENTIAL = re.compile(r"([^/]+)/(\d{8})/([^/]*)/([^/]*)/([^/]*)")
WEEK = 604_800  # seconds; the longest life of a V4 URL


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed identity; `expires` is given for signed URLs only."""

    version: int
    access_key_id: str
    signature: str
    token: str
    date: str  # as it is signed
    moment: float  # the same, seconds since 1970
    expires: float | None = None
    day: str = ""
    region: str = ""
    additional: tuple[str, ...] = ()


def read(headers: Mapping[str, str], params: Mapping[str, str]) -> Claim:
    """Finds the claim of a request; Failure if there is none (AccessDenied) or it is not of its form."""
    authorization = headers.get("authorization")
    if authorization is not None:
        if authorization.startswith(ALGORITHM):
            return _v4_header(authorization[len(ALGORITHM) :], headers)
        if authorization.startswith("OSS "):
            return _v1_header(authorization[4:], headers)
        raise invalid_argument("Authorization header is invalid.", "Authorization", "(not shown)")
    if params.get("x-oss-signature-version") == ALGORITHM:
        return _v4_url(params)
    if "OSSAccessKeyId" in params:
        return _v1_url(params)
    message = "You have no right to access this object because of bucket acl."
    raise Failure(403, "AccessDenied", message, "0003-00000001")


def _v4_header(rest: str, headers: Mapping[str, str]) -> Claim:
    fields: dict[str, str] = {}
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        fields[name] = value
    additional = fields.get("AdditionalHeaders", "").lower()
    access_key_id, day, region = _scope(fields.get("Credential", ""))
    if "x-oss-content-sha256" not in headers:
        raise invalid_argument("The x-oss-content-sha256 header is missing.", "x-oss-content-sha256")
    date = headers.get("x-oss-date", "")
    token = headers.get("x-oss-security-token", "")
    return Claim(
        version=4,
        access_key_id=access_key_id,
        signature=fields.get("Signature", ""),
        token=token,
        date=date,
        moment=_basic(date, day),
        day=day,
        region=region,
        additional=tuple(additional.split(";")) if additional else (),
    )


def _v4_url(params: Mapping[str, str]) -> Claim:
    access_key_id, day, region = _scope(params.get("x-oss-credential", ""))
    date = params.get("x-oss-date", "")
    moment = _basic(date, day)
    life = params.get("x-oss-expires", "")
    if not life.isdecimal() or not 1 <= int(life) <= WEEK:
        raise invalid_argument("The x-oss-expires parameter is invalid.", "x-oss-expires", life, ec="0002-00000232")
    additional = params.get("x-oss-additional-headers", "").lower()
    return Claim(
        version=4,
        access_key_id=access_key_id,
        signature=params.get("x-oss-signature", ""),
        token=params.get("x-oss-security-token", ""),
        date=date,
        moment=moment,
        expires=moment + int(life),
        day=day,
        region=region,
        additional=tuple(additional.split(";")) if additional else (),
    )


def _scope(credential: str) -> tuple[str, str, str]:
    """Access key id, day and region; the product and the ending can only be one thing."""
    match = _CREDENTIAL.fullmatch(credential)
    if match is None or match[5] != "aliyun_v4_request":
        raise invalid_argument("The Credential field is invalid.", "Credential", credential, ec="0002-00000213")
    if match[4] != "oss":
        raise invalid_argument("Invalid signing product in Authorization header.", ec="0002-00000227")
    return match[1], match[2], match[3]


def _basic(date: str, day: str) -> float:
    moment = from_basic(date)
    if moment is None:
        raise _bad_date()
    if date[:8] != day:
        raise invalid_argument("Invalid signing date in Authorization header.")
    return moment


def _bad_date() -> Failure:
    message = "OSS authentication requires a valid Date."
    return Failure(403, "AccessDenied", message, "0002-00000505")


def _v1_header(rest: str, headers: Mapping[str, str]) -> Claim:
    access_key_id, colon, signature = rest.strip().partition(":")
    if not colon:
        raise invalid_argument("Authorization header is invalid.", "Authorization", "(not shown)", ec="0002-00000062")
    date = headers.get("x-oss-date") or headers.get("date", "")
    moment = from_gmt(date)
    if moment is None:
        raise _bad_date()
    token = headers.get("x-oss-security-token") or headers.get("security-token", "")  # the newer SDK sends the latter
    return Claim(1, access_key_id, signature, token, date, moment)


def _v1_url(params: Mapping[str, str]) -> Claim:
    expires = params.get("Expires", "")
    if not expires.isdecimal():
        raise Failure(403, "AccessDenied", "Invalid date (should be seconds since epoch).", "0002-00000070")
    if not params.get("Signature"):
        raise Failure(403, "AccessDenied", "The Signature parameter is missing.", "0002-00000074")
    token = params.get("security-token", "")
    return Claim(1, params["OSSAccessKeyId"], params["Signature"], token, expires, 0.0, float(expires))
