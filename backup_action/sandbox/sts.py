"""Stands in for STS: `AssumeRoleWithOIDC`, which trades a token of the runner for keys that soon expire.

Parameters stand in the query or in a form body; nothing is signed. It is as strict as the real one: the token must be
signed by a key that the issuer publishes, name the provider's issuer and one of its client ids, and not be expired; the
role's trust policy must allow its subject. A session policy goes through the same grammar check as the role's.
Tokens in a URL are taken, as STS does, and counted under `sts.token-in-url`, since they end up in logs.
Sources: Alibaba Cloud's pages of AssumeRoleWithOIDC and of the error codes of STS; the codes `Missing…`,
`InvalidAction.NotFound`, `InvalidVersion` and `InvalidParameter.RoleArn` are its other RPC services' and not verified.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from aiohttp import web

from . import policy
from .control import neighbour
from .github import NotPublished, published_keys
from .world import AUDIENCE, PROVIDER_ARN, ROLE_ARN, SUBJECT, Fault, Key, World

ACTION = "AssumeRoleWithOIDC"
SHORTEST = 900  # seconds
POLICY_MAX = 2048  # characters
TOKEN_MAX = 20_000  # characters
ROLE_ID = "331577948954601234"

_ROLE = re.compile(r"acs:ram::\d+:role/[A-Za-z0-9.@_-]{1,64}")
_SESSION = re.compile(r"[A-Za-z0-9.@_-]{2,64}")
_STATUSES = {"AuthenticationFail": 401, "EntityNotExist": 404, "InvalidAction": 404}  # any other: 400
_EXPIRED = ("Expired", "This JsonWebToken is expired.")
_UNREADABLE = "The Jwt content is invalid that cannot be recognized."


@dataclass(frozen=True, slots=True)
class Provider:
    """An OIDC provider as it is registered at RAM, and where the stand-in finds what its issuer publishes."""

    issuer: str
    published: str  # the address below which /.well-known/openid-configuration is served
    arn: str = PROVIDER_ARN
    client_ids: tuple[str, ...] = (AUDIENCE,)


class _Refused(Exception):
    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(code)
        self.code, self.message, self.details = code, message, details
        self.status = _STATUSES.get(code.split(".")[0], 400)


def _bad_token(reason: str, message: str) -> _Refused:
    return _Refused(f"AuthenticationFail.OIDCToken.{reason}", message)


def application(world: World, provider: Provider) -> web.Application:
    """STS of an account with one OIDC provider and one role, ROLE_ARN; the keys that it issues go to `world.keys`."""

    async def call(request: web.Request) -> web.Response:
        if "OIDCToken" in request.query:
            world.counts["sts.token-in-url"] += 1
        try:
            return _answer(200, await _assume(world, provider, await _parameters(request)))
        except _Refused as why:
            return _failure(request, why)

    service = neighbour(world, "sts", _kind, _refusal)
    service.router.add_get("/", call, allow_head=False)
    service.router.add_post("/", call)
    return service


async def _assume(world: World, provider: Provider, given: dict[str, str]) -> dict[str, Any]:
    _check_call(given)
    seconds = _duration(given.get("DurationSeconds"), world.knobs.max_session_seconds)
    session = _session_policy(given.get("Policy"))
    if given["OIDCProviderArn"] != provider.arn:
        raise _Refused("AuthenticationFail.NoPermission", "No such OIDC Provider registered.")
    claims = await _verified(given.get("OIDCToken", ""), provider, world.now())
    _check_trust(world, provider, given["RoleArn"], claims)
    key = _issue(world, given, seconds, session)
    who = {"Subject": claims["sub"], "Issuer": provider.issuer, "ClientIds": ",".join(provider.client_ids)}
    times = {"ExpirationTime": _stamp(claims["exp"]), "IssuanceTime": _stamp(claims["iat"])}
    secret = {"AccessKeyId": key.access_key_id, "AccessKeySecret": key.secret, "SecurityToken": key.token}
    return {
        "OIDCTokenInfo": {**who, **times, "VerificationInfo": "Success"},
        "AssumedRoleUser": {"AssumedRoleId": f"{ROLE_ID}:{given['RoleSessionName']}", "Arn": key.principal},
        "Credentials": {**secret, "Expiration": _stamp(key.expires)},
    }


def _check_call(given: dict[str, str]) -> None:
    if given.get("Action") != ACTION:
        raise _Refused("InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
    if given.get("Version") != "2015-04-01":
        raise _Refused("InvalidVersion", "Specified parameter Version is not valid.")
    for name in ("OIDCProviderArn", "RoleArn", "RoleSessionName"):
        if not given.get(name):
            raise _Refused(f"Missing{name}", f"{name} is mandatory for this action.")
    for name, grammar in (("RoleArn", _ROLE), ("RoleSessionName", _SESSION)):
        if not grammar.fullmatch(given[name]):
            raise _Refused(f"InvalidParameter.{name}", f"The parameter {name} is wrongly formed.")


def _duration(given: str | None, longest: int) -> int:
    if given is None:
        return min(3600, longest)
    if not re.fullmatch(r"[0-9]{1,6}", given) or not SHORTEST <= int(given) <= longest:
        limits = f"15min/{longest / 3600:g}hr"
        raise _Refused("InvalidParameter.DurationSeconds", f"The Min/Max value of DurationSeconds is {limits}.")
    return int(given)


def _session_policy(given: str | None) -> dict[str, Any] | None:
    if given is None:
        return None
    try:
        if len(given) > POLICY_MAX:
            raise policy.PolicyError(f"over {POLICY_MAX} characters")
        document: dict[str, Any] = json.loads(given)
        policy.read(document)
    except (policy.PolicyError, ValueError) as problem:
        message = "The parameter Policy has not passed grammar check."  # the real one gives no reason
        raise _Refused("InvalidParameter.PolicyGrammar", message, SandboxReason=str(problem)) from None
    return document


async def _verified(token: str, provider: Provider, now: float) -> dict[str, Any]:
    """The claims of a token that this provider's issuer signed for one of its client ids, and that is in force."""
    header, claims = _parts(token)
    if header.get("alg") != "RS256":
        raise _bad_token("Invalid", f"The algorithm {header.get('alg')} is unknown.")
    if claims.get("iss") != provider.issuer:
        raise _bad_token("IssuerNotMatch", "The issuer in the OIDC Token doesn't match the OIDC Provider registered.")
    try:
        keys = await published_keys(provider.issuer, provider.published)
        jwt.PyJWS().decode(token, keys[str(header.get("kid"))], algorithms=["RS256"])
    except NotPublished:
        text = f"Get public keys from OIDC Provider failed, the issuer is {provider.issuer}"
        raise _bad_token("IssuerConfigurationBroken", text) from None
    except (LookupError, jwt.PyJWTError):
        raise _bad_token("InvalidSignature", "OIDC token validate failed: invalid signature.") from None
    times = (claims.get("exp"), claims.get("iat"), claims.get("nbf", 0))
    known = all(isinstance(time, int | float) for time in times) and isinstance(claims.get("sub"), str)
    if not known or times[2] > now:  # nbf
        raise _bad_token("Invalid", _UNREADABLE)
    if claims["exp"] <= now:
        raise _bad_token(*_EXPIRED)
    if not _audience(claims, provider):
        raise _bad_token("AudienceNotMatch", "Invalid audience.")
    return claims


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, not verified."""
    pieces = token.split(".")
    if not token:
        raise _bad_token("Invalid", "The OIDCToken can not empty.")
    if len(pieces) != 3:
        raise _bad_token("Invalid", "The number of Jwt field should be divided into 3 parts with '.' .")
    try:
        raw = [base64.b64decode(piece + "=" * (-len(piece) % 4), b"-_", validate=True) for piece in pieces]
    except (binascii.Error, ValueError):
        raise _bad_token("Invalid", "Cannot decode base64 encoded response(format invalided).") from None
    try:
        header, claims = json.loads(raw[0]), json.loads(raw[1])
        if isinstance(header, dict) and isinstance(claims, dict) and len(token) <= TOKEN_MAX:
            return header, claims
    except ValueError:
        pass
    raise _bad_token("Invalid", _UNREADABLE)


def _audience(claims: dict[str, Any], provider: Provider) -> str:
    """The client id that the token is for; empty: for none of this provider's."""
    named = claims.get("aud")
    return next((name for name in (named if isinstance(named, list) else [named]) if name in provider.client_ids), "")


def _check_trust(world: World, provider: Provider, role: str, claims: dict[str, Any]) -> None:
    if role != ROLE_ARN:
        raise _Refused("EntityNotExist.Role", f"The role not exists: {role}. ")
    conditions = {"oidc:iss": provider.issuer, "oidc:aud": _audience(claims, provider), "oidc:sub": claims["sub"]}
    trust = default_trust(provider) if world.knobs.trust_policy is None else world.knobs.trust_policy
    verdict = policy.trusts(trust, provider.arn, conditions)
    if verdict is not policy.Verdict.ALLOW:
        detail = {"PolicyType": "AssumeRolePolicy", "NoPermissionType": verdict.value, "AuthAction": policy.ASSUME}
        raise _Refused("AuthenticationFail.NoPermission", "There is no permission", AccessDeniedDetail=detail)


def default_trust(provider: Provider) -> dict[str, Any]:
    """The trust policy of the role unless a test sets another: this provider, its client ids, SUBJECT."""
    wanted = {"oidc:iss": [provider.issuer], "oidc:aud": list(provider.client_ids), "oidc:sub": [SUBJECT]}
    login = {"Effect": "Allow", "Action": policy.ASSUME, "Principal": {"Federated": [provider.arn]}}
    return {"Version": "1", "Statement": [{**login, "Condition": {"StringEquals": wanted}}]}


def _issue(world: World, given: dict[str, str], seconds: int, session: dict[str, Any] | None) -> Key:
    life = seconds if world.knobs.key_seconds is None else world.knobs.key_seconds
    key = Key(
        access_key_id=f"STS.{secrets.token_hex(12)}",
        secret=secrets.token_urlsafe(32),
        token="CAIS" + base64.b64encode(secrets.token_bytes(384)).decode(),
        expires=world.now() + life,
        policies=tuple(document for document in (world.knobs.role_policy, session) if document is not None),
        principal=f"{given['RoleArn']}/{given['RoleSessionName']}",
    )
    world.keys[key.access_key_id] = key
    return key


def _stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _parameters(request: web.Request) -> dict[str, str]:
    form = await request.post()
    return {**request.query, **{name: value for name, value in form.items() if isinstance(value, str)}}


async def _kind(request: web.Request) -> str:
    return ACTION if (await _parameters(request)).get("Action") == ACTION else "other"


def _answer(status: int, body: dict[str, Any]) -> web.Response:
    number = str(uuid.uuid4()).upper()
    return web.json_response({"RequestId": number, **body}, status=status, headers={"x-acs-request-id": number})


def _failure(request: web.Request, why: _Refused) -> web.Response:
    recommend = f"https://api.aliyun.com/troubleshoot?q={why.code}&product=Sts"
    body = {"HostId": request.host, "Code": why.code, "Message": why.message, "Recommend": recommend, **why.details}
    return _answer(why.status, body)


def _refusal(request: web.Request, fault: Fault) -> web.Response:
    why = _Refused(fault.code, fault.message or "The request has failed due to a fault.")
    why.status = fault.status
    if fault.kind == "throttle":
        why = _Refused("Throttling.User", "Request was denied due to user flow control.")
    return _failure(request, _bad_token(*_EXPIRED) if fault.kind == "expire-token" else why)
