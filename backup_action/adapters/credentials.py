"""Where keys come from: the runner's OIDC token traded at STS for keys that live minutes, or stored keys if allowed.

Nothing is written anywhere. A keyring renews at 80 % of the keys' life and when OSS says that they ran out, by one
caller at a time, each time with a new OIDC token: GitHub's lives about five minutes, a run may take hours.
The STS request is the vendor SDK's model over our own transport: the SDK's puts the token into the URL, and
follows redirects.
"""

from __future__ import annotations

import asyncio
import calendar
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from backup_action.adapters import github, web
from backup_action.adapters.aside import aside
from backup_action.adapters.oss.signature import Credentials
from backup_action.adapters.way import DIRECT, Way
from backup_action.core import address, escape
from backup_action.core.problem import Kind, Stop

Hide = Callable[[str], None]  # makes a secret known to those who keep it out of every text
RENEW_AT: Final = 0.8  # of a life
TRIES: Final = 5

_KINDS: Final[Mapping[str, Kind]] = {
    "AuthenticationFail.OIDCToken.AudienceNotMatch": Kind.STS_AUDIENCE,
    "AuthenticationFail.OIDCToken.Expired": Kind.STS_TOKEN_EXPIRED,
    "AuthenticationFail.OIDCToken.Invalid": Kind.STS_TOKEN_INVALID,
    "AuthenticationFail.OIDCToken.InvalidSignature": Kind.STS_SIGNATURE,
    "AuthenticationFail.OIDCToken.IssuerNotMatch": Kind.STS_ISSUER,
    "AuthenticationFail.OIDCToken.IssuerConfigurationBroken": Kind.STS_ISSUER_BROKEN,
    "AuthenticationFail.OIDCToken.HttpsUrlInvalid": Kind.STS_CERTIFICATE,
    "AuthenticationFail.OIDCToken.PublicKeyFingerprintMismatch": Kind.STS_FINGERPRINT,
    "AuthenticationFail.NoPermission": Kind.STS_TRUST,
    "EntityNotExist.Role": Kind.STS_ROLE,
    "InvalidParameter.RoleSessionName": Kind.STS_SESSION_NAME,
    "InvalidParameter.DurationSeconds": Kind.STS_DURATION,
    "InvalidParameter.PolicyGrammar": Kind.STS_POLICY,
}
_AGAIN = (
    *(Kind.STS_THROTTLED, Kind.STS_UNREACHABLE, Kind.STS_ISSUER_BROKEN, Kind.STS_TOKEN_EXPIRED),
    Kind.PROXY_UNREACHABLE,  # but not where it has a `cause`: what it refuses, it refuses again
)


class Role(msgspec.Struct, frozen=True):
    """Which role to assume, and how."""

    role: str  # ARN
    provider: str  # ARN
    audience: str
    session_name: str
    seconds: int  # life of the keys
    endpoint: str  # of STS
    policy: str  # session policy, JSON


class Keyring:
    """Valid credentials whenever they are asked for. One for a run; safe for many callers of one event loop."""

    def __init__(self, fetch: Callable[[], Credentials], life: float = float("inf")) -> None:
        """`fetch` gets new ones; it may block, and raises Stop. `life` is for how long they were asked, in seconds."""
        self._fetch = fetch
        self._life = life
        self._held: Credentials | None = None
        self._renew_at = 0.0  # by the monotonic clock
        self._one = asyncio.Lock()

    @property
    def identity(self) -> str:
        """ARN of the session in use; "" for stored keys."""
        return self._held.identity if self._held else ""

    @property
    def is_used(self) -> bool:
        """Whether anybody ever got credentials."""
        return self._held is not None

    async def __call__(self, refused: Credentials | None = None) -> Credentials:
        """The credentials to use now; other ones than those that OSS refused. Raises Stop."""
        if not self._is_good(refused):
            async with self._one:
                if not self._is_good(refused):
                    began = time.monotonic()
                    self._held = await aside(self._fetch)
                    self._renew_at = began + RENEW_AT * self._left(self._held)
        assert self._held is not None  # noqa: S101  (`_is_good` says so)
        return self._held

    def _is_good(self, refused: Credentials | None) -> bool:
        return self._held is not None and self._held is not refused and time.monotonic() < self._renew_at

    def _left(self, held: Credentials) -> float:
        """Seconds that new keys have: what STS says, unless our clock makes nonsense of it."""
        told = held.expires - time.time()
        return told if 0 < told <= self._life else self._life


def stored(environ: Mapping[str, str], hide: Hide) -> Callable[[], Credentials]:
    """The keys that are stored in the environment. Raises Stop where there are none."""
    names = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    for name in names:
        if not environ.get(name):
            raise Stop(Kind.SETTING_MISSING, name, flag="allow-static-keys", variable=name)
    key, secret = (environ[name] for name in names)
    credentials = Credentials(key, secret, environ.get("ALIBABA_CLOUD_SECURITY_TOKEN", ""))
    for value in (secret, credentials.token):
        hide(value)
    return lambda: credentials


def assume(role: Role, environ: Mapping[str, str], hide: Hide, way: Way = DIRECT) -> Credentials:
    """Trades a new OIDC token for keys of the role; each secret is hidden before it is used. Raises Stop."""
    last: Stop | None = None
    for attempt in range(TRIES):
        if last is not None:
            time.sleep(web.pause(attempt))
        token = github.oidc_token(environ, role.audience, way=way)
        hide(token)
        try:
            return _assume(role, environ, token, hide, way)
        except Stop as error:
            if error.problem.kind not in _AGAIN or error.problem.facts.get("cause"):
                raise
            last = error
    raise last or AssertionError("TRIES is positive")


def _assume(role: Role, environ: Mapping[str, str], token: str, hide: Hide, way: Way) -> Credentials:
    from alibabacloud_sts20150401 import models

    request = models.AssumeRoleWithOIDCRequest(
        duration_seconds=role.seconds,
        oidcprovider_arn=role.provider,
        oidctoken=token,
        policy=role.policy,
        role_arn=role.role,
        role_session_name=role.session_name or session_name(environ),
    )
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    query = {"Action": "AssumeRoleWithOIDC", "Version": "2015-04-01", "Format": "JSON", "Timestamp": stamp}
    body = {name: str(value) for name, value in request.to_map().items()}
    try:
        answer = web.call("POST", role.endpoint, params=query, data=body, tries=1, way=way)
    except web.Unreachable as error:
        raise error.stop(Kind.STS_UNREACHABLE, role.endpoint) from None
    told = _json(answer.body)
    if answer.status != 200:
        raise _refused(role, answer.status, told, token) from None
    return _credentials(role, hide, models.AssumeRoleWithOIDCResponseBody().from_map(told))


def _credentials(role: Role, hide: Hide, told: Any) -> Credentials:
    try:
        keys, arn = told.credentials, told.assumed_role_user.arn
        expires = calendar.timegm(time.strptime(keys.expiration, "%Y-%m-%dT%H:%M:%SZ"))
        told_texts = (keys.access_key_id, keys.access_key_secret, keys.security_token, arn)
        if not all(isinstance(text, str) and text for text in told_texts):
            raise ValueError("a part is missing")
        credentials = Credentials(keys.access_key_id, keys.access_key_secret, keys.security_token, expires, arn)
    except (AttributeError, ValueError, TypeError):
        raise Stop(Kind.STS_UNREACHABLE, role.endpoint, reason="an answer without credentials") from None
    for value in (credentials.secret, credentials.token):
        hide(value)
    if address.account(arn) != address.account(role.role):
        raise Stop(Kind.STS_ACCOUNT, role.role, account=address.account(arn), request_id=told.request_id)
    return credentials


def session_name(environ: Mapping[str, str]) -> str:
    """A name that leads from ActionTrail back to the run."""
    run, attempt = environ.get("GITHUB_RUN_ID", ""), environ.get("GITHUB_RUN_ATTEMPT", "")
    return f"gha-{run}-{attempt}" if run.isdigit() and attempt.isdigit() else "oss-backup"


def _json(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _refused(role: Role, status: int, told: Mapping[str, Any], token: str) -> Stop:
    """What STS's error means. The claims in it are those that a trust policy can name; never the token."""
    code, message = str(told.get("Code", "")), escape.quoted(str(told.get("Message", "")))
    claims = github.claims(token)
    seen = {name: str(claims.get(name, "")) for name in ("sub", "aud", "iss")}
    return Stop(
        _kind(status, code, message),
        role.role,
        code=code,
        status=status,
        message=message,
        request_id=told.get("RequestId"),
        role=role.role,
        provider=role.provider,
        account=address.account(role.role),
        trust_policy=trust_policy(role, seen),
        given=role.seconds,
        **seen,
    )


def _kind(status: int, code: str, message: str) -> Kind:
    if code == "AuthenticationFail.NoPermission" and "provider" in message.lower():
        return Kind.STS_PROVIDER
    if code in _KINDS:
        return _KINDS[code]
    if code.startswith("Throttling") or status == 429:
        return Kind.STS_THROTTLED
    return Kind.STS_UNREACHABLE if status >= 500 or not code else Kind.STS_REFUSED


def trust_policy(role: Role, seen: Mapping[str, str]) -> str:
    """The role's trust policy that the token in hand needs, ready to paste, as JSON."""
    equals = {"oidc:iss": seen["iss"], "oidc:aud": seen["aud"] or role.audience, "oidc:sub": seen["sub"]}
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Federated": [role.provider]},
        "Condition": {"StringEquals": equals},
    }
    return json.dumps({"Version": "1", "Statement": [statement]}, indent=2, ensure_ascii=False)
