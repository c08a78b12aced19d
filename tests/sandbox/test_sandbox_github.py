"""The stand-in of GitHub's token service: what it asks for, and what its tokens say."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import jwt
import pytest
import requests

from backup_action.sandbox.github import ISSUER, NotPublished, published_keys
from backup_action.sandbox.serve import Sandbox
from backup_action.sandbox.world import AUDIENCE, SUBJECT

CLAIMS = """jti sub aud iss iat nbf exp actor actor_id base_ref head_ref check_run_id enterprise enterprise_id
event_name job_workflow_ref job_workflow_sha ref ref_type ref_protected repository repository_id repository_owner
repository_owner_id repository_visibility run_id run_number run_attempt runner_environment sha workflow workflow_ref
workflow_sha"""


def ask(box: Sandbox, audience: str = AUDIENCE, *, bearer: str | None = None) -> requests.Response:
    """As the toolkit does it: the audience is appended to an address that has a query already."""
    url = box.environment["ACTIONS_ID_TOKEN_REQUEST_URL"]
    token = box.environment["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] if bearer is None else bearer
    assert "?" in url
    return requests.get(f"{url}&audience={audience}", headers={"Authorization": f"Bearer {token}"}, timeout=5)


def verified(box: Sandbox, token: str, **options: Any) -> dict[str, Any]:
    """The claims, proven with the published keys by PyJWT's own client."""
    base = box.environment["ACTIONS_ID_TOKEN_REQUEST_URL"].partition("/token")[0]
    configuration = requests.get(f"{base}/.well-known/openid-configuration", timeout=5).json()
    key = jwt.PyJWKClient(configuration["jwks_uri"]).get_signing_key_from_jwt(token)
    options = {"audience": AUDIENCE, "issuer": configuration["issuer"], **options}
    return jwt.decode(token, key, algorithms=configuration["id_token_signing_alg_values_supported"], **options)


def test_a_token_is_signed_and_says_all_that_github_says(box: Sandbox) -> None:
    before = int(time.time())
    claims = verified(box, ask(box).json()["value"])
    assert set(CLAIMS.split()) <= claims.keys()
    assert claims["iss"] == "https://token.actions.githubusercontent.com"
    assert claims["sub"] == SUBJECT == f"repo:{claims['repository']}:ref:{claims['ref']}"
    assert claims["aud"] == AUDIENCE
    assert before <= claims["iat"] <= time.time()
    assert claims["exp"] == claims["iat"] + 300
    assert claims["nbf"] == claims["iat"] - 600
    assert {type(claims[name]) for name in claims if name not in ("iat", "nbf", "exp")} == {str}


def test_every_token_is_another(box: Sandbox) -> None:
    first, second = (verified(box, ask(box).json()["value"]) for _ in range(2))
    assert first["jti"] != second["jti"]


def test_without_an_audience_it_is_the_owner(box: Sandbox) -> None:
    claims = verified(box, ask(box, "").json()["value"], audience="https://github.com/example")
    assert claims["aud"] == "https://github.com/example"


def test_the_audience_is_taken_as_asked(box: Sandbox) -> None:
    assert verified(box, ask(box, "a%2Fb%20c").json()["value"], audience="a/b c")["aud"] == "a/b c"


@pytest.mark.parametrize("bearer", ["", "wrong", "ключ".encode().decode("latin-1")])
def test_a_wrong_request_token_is_refused(box: Sandbox, bearer: str) -> None:
    answer = ask(box, bearer=bearer)
    assert answer.status_code == 401
    assert "value" not in answer.json()


def test_a_missing_request_token_is_refused(box: Sandbox) -> None:
    assert requests.get(box.environment["ACTIONS_ID_TOKEN_REQUEST_URL"], timeout=5).status_code == 401


def test_only_get_is_known(box: Sandbox) -> None:
    url, token = (box.environment[f"ACTIONS_ID_TOKEN_REQUEST_{name}"] for name in ("URL", "TOKEN"))
    assert requests.post(url, headers={"Authorization": f"Bearer {token}"}, timeout=5).status_code == 405
    assert requests.get(url.replace("/token", "/tokens"), timeout=5).status_code == 404
    assert dict(box.world.counts) == {"github.token": 1, "github.other": 1}


def test_claims_can_be_set_and_taken_out(box: Sandbox) -> None:
    box.world.knobs.claims = {"sub": "repo:example@1/data@2:environment:backup", "environment": "backup", "actor": None}
    claims = verified(box, ask(box).json()["value"])
    assert claims["sub"] == "repo:example@1/data@2:environment:backup"
    assert claims["environment"] == "backup"
    assert "actor" not in claims


def test_the_life_of_tokens_is_a_knob(box: Sandbox) -> None:
    box.world.knobs.token_seconds = 0
    with pytest.raises(jwt.ExpiredSignatureError):
        verified(box, ask(box).json()["value"])
    box.world.knobs.token_seconds = 7
    claims = verified(box, ask(box).json()["value"])
    assert claims["exp"] - claims["iat"] == 7


def test_times_follow_the_clock_of_the_sandbox(box: Sandbox) -> None:
    box.world.knobs.clock_offset = -1000
    assert verified(box, ask(box).json()["value"], options={"verify_exp": False})["iat"] <= time.time() - 1000


def test_another_issuer_can_be_named() -> None:
    with Sandbox(issuer="https://ghes.example/_services/token") as box:
        assert verified(box, ask(box).json()["value"])["iss"] == "https://ghes.example/_services/token"


def test_documents_are_those_of_one_issuer(box: Sandbox) -> None:
    token = ask(box).json()["value"]
    assert jwt.get_unverified_header(token)["kid"] in asyncio.run(published_keys(ISSUER, box.urls["github"]))
    with pytest.raises(NotPublished):
        asyncio.run(published_keys("https://other.example", box.urls["github"]))
    with pytest.raises(NotPublished):
        asyncio.run(published_keys(ISSUER, box.urls["sts"]))


def test_keys_are_made_at_each_start(box: Sandbox) -> None:
    with Sandbox() as other, pytest.raises(jwt.PyJWKClientError):
        verified(other, ask(box).json()["value"])
