"""Who sends a request: the claim is checked against the keys in force, and the signature recomputed.

The order of the checks is form, region, time, key, token, life, signature; so a wrong clock is told as such, and a
session whose end has come answers SecurityTokenExpired whatever else is wrong.
"""

from __future__ import annotations

import hmac

from ..world import Key, World
from . import claim as claims
from . import signature
from .address import Address
from .claim import Claim
from .failure import Failure, invalid_argument
from .moment import iso
from .signature import Signable

SKEW = 900  # seconds that a client's clock may differ


def authenticate(world: World, address: Address, request: Signable) -> Key:
    """The key that signed the request; Failure for everything that OSS refuses before it looks at rights."""
    claim = claims.read(request.headers, address.params)
    if claim.version == 1 and not world.knobs.v1_signatures:
        message = "The signature version V1 is not allowed; use V4."
        raise Failure(403, "AccessDenied", message, "0002-00000080")
    if claim.version == 4 and claim.region != address.region:
        raise invalid_argument("Invalid signing region in Authorization header.", ec="0002-00000226")
    _check_time(claim, world.now())
    key = _find(world, claim)
    _check_signature(key, claim, request)
    return key


def _check_time(claim: Claim, now: float) -> None:
    if claim.expires is not None:
        if claim.version == 4 and claim.moment > now + SKEW:
            raise Failure(403, "AccessDenied", "Request is not valid yet.", "0002-00000235")
        if now > claim.expires:
            fields = {"Expires": iso(claim.expires), "ServerTime": iso(now)}
            raise Failure(403, "AccessDenied", "Request has expired.", "0002-00000069", fields)
        return
    if abs(now - claim.moment) > SKEW:
        message = "The difference between the request time and the current time is too large."
        fields = {
            "MaxAllowedSkewMilliseconds": str(SKEW * 1000),
            "RequestTime": iso(claim.moment),
            "ServerTime": iso(now),
        }
        raise Failure(403, "RequestTimeTooSkewed", message, "0002-00000504", fields)


def _find(world: World, claim: Claim) -> Key:
    """The key in force; a session's key is known only together with its token."""
    key = world.keys.get(claim.access_key_id)
    if key is None or (key.token and not claim.token):
        raise _unknown(claim, "0002-00000902")
    if claim.token and not key.token:
        raise _unknown(claim, "0002-00000002")
    if not hmac.compare_digest(key.token.encode(), claim.token.encode("utf-8", "surrogateescape")):
        raise _wrong_token(world, claim)
    if world.now() >= key.expires:
        raise expired()
    return key


def _unknown(claim: Claim, ec: str) -> Failure:
    message = "The OSS Access Key Id you provided does not exist in our records."
    return Failure(403, "InvalidAccessKeyId", message, ec, {"OSSAccessKeyId": claim.access_key_id})


def _wrong_token(world: World, claim: Claim) -> Failure:
    if any(other.token == claim.token for other in world.keys.values()):
        message = "The AccessKeyId and the SecurityToken do not match."
        return Failure(403, "AccessKeyIdAndSecurityTokenNotMatch", message, "0002-00000004")
    return Failure(403, "InvalidSecurityToken", "The security token you provided is invalid.", "0002-00000006")


def expired() -> Failure:
    """403 for a session whose end has come."""
    return Failure(403, "SecurityTokenExpired", "The security token you provided has expired.", "0002-00000007")


def _check_signature(key: Key, claim: Claim, request: Signable) -> None:
    canonical = ""
    if claim.version == 4:
        canonical = signature.canonical(request, claim.additional)
        text = signature.string_to_sign(canonical, date=claim.date, day=claim.day, region=claim.region)
        expected = signature.v4(key.secret, text, day=claim.day, region=claim.region)
    else:
        text = signature.v1_string(request, claim.date)
        expected = signature.v1(key.secret, text)
    if hmac.compare_digest(expected.encode(), claim.signature.encode("utf-8", "surrogateescape")):
        return
    fields = {"OSSAccessKeyId": claim.access_key_id, "SignatureProvided": claim.signature, "StringToSign": text}
    if canonical:
        fields["CanonicalRequest"] = canonical
    message = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."
    )
    raise Failure(403, "SignatureDoesNotMatch", message, "0002-00000040" if claim.version == 1 else "", fields)
