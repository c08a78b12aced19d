"""Stands in for the token service that GitHub's runner offers to a job with `id-token: write`.

    GET /token?api-version=2.0&audience=A   {"value": a JWT}; needs `Authorization: Bearer <the job's request token>`
    GET /.well-known/openid-configuration   what the issuer publishes: where its keys are
    GET /.well-known/jwks                   its keys

Tokens are signed by RS256 with a key that is made at the start. The claim `iss` names the real issuer, or the one that
it was started with, though the documents are served here; whoever verifies is told where they are. Sources: GitHub's
OpenID Connect reference; the toolkit's oidc-utils for the request.
"""

from __future__ import annotations

import secrets
import uuid
from typing import Any

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from .control import neighbour
from .world import SUBJECT, Fault, World

ISSUER = "https://token.actions.githubusercontent.com"

_REPOSITORY, _REF = SUBJECT.removeprefix("repo:").split(":ref:")
_OWNER = _REPOSITORY.split("/")[0]
_COMMIT = "6f1ed002ab5595859014ebf0951522d9d6c1a2b3"
_WORKFLOW = f"{_REPOSITORY}/.github/workflows/oss-backup.yml@{_REF}"
_PATHS = {
    "/token": "token",
    "/.well-known/openid-configuration": "openid-configuration",
    "/.well-known/jwks": "jwks",
}
_CLAIMS = {  # of a scheduled run on the main branch; a job with an environment has the claim and another subject
    "sub": SUBJECT,
    "actor": "example-user",
    "actor_id": "583231",
    "base_ref": "",
    "head_ref": "",
    "check_run_id": "36284910027",
    "enterprise": "example-enterprise",
    "enterprise_id": "2718",
    "event_name": "schedule",
    "job_workflow_ref": _WORKFLOW,
    "job_workflow_sha": _COMMIT,
    "ref": _REF,
    "ref_type": "branch",
    "ref_protected": "true",
    "repository": _REPOSITORY,
    "repository_id": "704112233",
    "repository_owner": _OWNER,
    "repository_owner_id": "9919",
    "repository_visibility": "private",
    "repo_property_team": "quant",
    "run_id": "12345678901",
    "run_number": "42",
    "run_attempt": "1",
    "runner_environment": "self-hosted",
    "sha": _COMMIT,
    "workflow": "oss-backup",
    "workflow_ref": _WORKFLOW,
    "workflow_sha": _COMMIT,
}


def application(world: World, bearer: str, issuer: str = ISSUER) -> web.Application:
    """The service for one job, whose request token is `bearer`.

    `world.knobs.claims` is merged into the claims of each token; null takes a claim out.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key_id = secrets.token_hex(20)

    async def token(request: web.Request) -> web.Response:
        if not secrets.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {bearer}".encode()):
            return web.json_response({"message": "Bad credentials"}, status=401)
        audience = request.query.get("audience") or f"https://github.com/{_OWNER}"
        claims = _claims(world, issuer, audience)
        value = jwt.encode(claims, key, algorithm="RS256", headers={"kid": key_id})
        return web.json_response({"count": len(value), "value": value})

    async def configuration(request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": issuer,
                "jwks_uri": f"http://{request.host}/.well-known/jwks",
                "subject_types_supported": ["public", "pairwise"],
                "response_types_supported": ["id_token"],
                "claims_supported": [*_CLAIMS, "aud", "exp", "iat", "iss", "jti", "nbf"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid"],
            }
        )

    async def keys(request: web.Request) -> web.Response:
        published = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        return web.json_response({"keys": [{**published, "kid": key_id, "use": "sig", "alg": "RS256"}]})

    service = neighbour(world, "github", _kind, _refusal)
    for path, handler in zip(_PATHS, (token, configuration, keys), strict=True):
        service.router.add_get(path, handler, allow_head=False)
    return service


def _claims(world: World, issuer: str, audience: str) -> dict[str, Any]:
    """GitHub's times: valid from 10 minutes ago, and in whole seconds; so the life is up to a second shorter."""
    now = int(world.now())
    times = {"iat": now, "nbf": now - 600, "exp": now + int(world.knobs.token_seconds)}
    claims = {"jti": str(uuid.uuid4()), "iss": issuer, "aud": audience, **_CLAIMS, **times, **world.knobs.claims}
    return {name: value for name, value in claims.items() if value is not None}


class NotPublished(Exception):
    """The issuer's documents could not be had, or are not this issuer's."""


async def published_keys(issuer: str, address: str) -> dict[str, jwt.PyJWK]:
    """The keys of an issuer by their ids, read over HTTP as any verifier does, and anew each time. Raises NotPublished.

    The address is the one below which the issuer's documents are served.
    """
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5), raise_for_status=True) as session:
            async with session.get(f"{address}/.well-known/openid-configuration") as answer:
                configuration = await answer.json()
            if configuration["issuer"] != issuer:
                raise NotPublished
            async with session.get(configuration["jwks_uri"]) as answer:
                published = await answer.json()
        return {str(key["kid"]): jwt.PyJWK(key) for key in published["keys"]}
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError, jwt.PyJWTError) as problem:
        raise NotPublished from problem


async def _kind(request: web.Request) -> str:
    return _PATHS.get(request.path, "other")


def _refusal(request: web.Request, fault: Fault) -> web.Response:
    status, message = (429, "Too Many Requests") if fault.kind == "throttle" else (fault.status, fault.code)
    return web.json_response({"message": fault.message or message}, status=status)
