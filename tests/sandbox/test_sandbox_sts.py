"""The stand-in of STS: the way of a token from the runner to keys, and every refusal on it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import requests
from alibabacloud_sts20150401.client import Client
from alibabacloud_sts20150401.models import AssumeRoleWithOIDCRequest
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest
from cryptography.hazmat.primitives.asymmetric import rsa
from darabonba.runtime import RuntimeOptions

from backup_action.sandbox import policy
from backup_action.sandbox.serve import Sandbox
from backup_action.sandbox.world import AUDIENCE, PROVIDER_ARN, ROLE_ARN, SUBJECT, Fault

READ_ONLY = {
    "Version": "1",
    "Statement": [{"Effect": "Allow", "Action": ["oss:GetObject"], "Resource": ["acs:oss:*:*:b/p/*"]}],
}
OBJECTS = {
    "Version": "1",
    "Statement": [{"Effect": "Allow", "Action": ["oss:*Object"], "Resource": ["acs:oss:*:*:b/*"]}],
}


def token_of(box: Sandbox, audience: str = AUDIENCE) -> str:
    url = box.environment["ACTIONS_ID_TOKEN_REQUEST_URL"]
    bearer = {"Authorization": f"Bearer {box.environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    return str(requests.get(f"{url}&audience={audience}", headers=bearer, timeout=5).json()["value"])


CALL = {"Action": "AssumeRoleWithOIDC", "Version": "2015-04-01", "Format": "JSON"}


def parameters(**changes: str | None) -> dict[str, str]:
    """What a right call sends, with changes; None takes a parameter out."""
    right = {"OIDCProviderArn": PROVIDER_ARN, "RoleArn": ROLE_ARN, "RoleSessionName": "gha-1-1", **changes}
    return {name: value for name, value in right.items() if value is not None}


def assume(box: Sandbox, token: str | None = None, **changes: str | None) -> requests.Response:
    body = parameters(**{"OIDCToken": token_of(box) if token is None else token, **changes})
    return requests.post(box.environment["OSS_BACKUP_STS_ENDPOINT"], params=CALL, data=body, timeout=10)


def test_a_right_call_gets_keys(box: Sandbox) -> None:
    before = time.time()
    answer = assume(box)
    told = answer.json()
    assert answer.status_code == 200, told
    assert answer.headers["x-acs-request-id"] == told["RequestId"]
    assert told["AssumedRoleUser"]["Arn"] == f"{ROLE_ARN}/gha-1-1"
    assert told["AssumedRoleUser"]["AssumedRoleId"].endswith(":gha-1-1")
    assert told["OIDCTokenInfo"]["Subject"] == SUBJECT
    assert told["OIDCTokenInfo"]["Issuer"] == "https://token.actions.githubusercontent.com"
    assert told["OIDCTokenInfo"]["ClientIds"] == AUDIENCE
    assert told["OIDCTokenInfo"]["VerificationInfo"] == "Success"
    end = datetime.strptime(told["Credentials"]["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert before + 3599 <= end.timestamp() <= time.time() + 3600
    assert told["Credentials"]["AccessKeyId"].startswith("STS.")


def test_the_keys_are_those_that_the_world_knows(box: Sandbox) -> None:
    credentials = assume(box).json()["Credentials"]
    key = box.world.keys[credentials["AccessKeyId"]]
    assert (key.secret, key.token) == (credentials["AccessKeySecret"], credentials["SecurityToken"])
    assert key.principal == f"{ROLE_ARN}/gha-1-1"
    assert key.policies == ()
    assert assume(box).json()["Credentials"]["SecurityToken"] != key.token


def test_the_times_of_the_token_are_told(box: Sandbox) -> None:
    token = token_of(box)
    claims = jwt.decode(token, options={"verify_signature": False})
    told = assume(box, token).json()["OIDCTokenInfo"]
    for name, claim in (("ExpirationTime", "exp"), ("IssuanceTime", "iat")):
        assert told[name] == datetime.fromtimestamp(claims[claim], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_everything_may_stand_in_the_query_but_is_noticed(box: Sandbox, method: str) -> None:
    query = {**CALL, **parameters(OIDCToken=token_of(box))}
    assert requests.request(method, box.environment["OSS_BACKUP_STS_ENDPOINT"], params=query, timeout=10).ok
    assert box.world.counts["sts.token-in-url"] == 1


def test_everything_may_stand_in_the_body(box: Sandbox) -> None:
    body = {**CALL, **parameters(OIDCToken=token_of(box))}
    assert requests.post(box.environment["OSS_BACKUP_STS_ENDPOINT"], data=body, timeout=10).ok
    assert box.world.counts["sts.token-in-url"] == 0
    assert box.world.counts["sts.AssumeRoleWithOIDC"] == 1


def test_policies_of_role_and_session_both_bind_the_key(box: Sandbox) -> None:
    box.world.knobs.role_policy = OBJECTS
    key = box.world.keys[assume(box, Policy=json.dumps(READ_ONLY)).json()["Credentials"]["AccessKeyId"]]
    assert key.policies == (OBJECTS, READ_ONLY)
    assert policy.allowed(key.policies, "oss:GetObject", "acs:oss:*:1:b/p/x", {})
    assert not policy.allowed(key.policies, "oss:PutObject", "acs:oss:*:1:b/p/x", {})
    assert not policy.allowed(key.policies, "oss:GetObject", "acs:oss:*:1:b/q", {})
    whole = box.world.keys[assume(box).json()["Credentials"]["AccessKeyId"]]
    assert policy.allowed(whole.policies, "oss:PutObject", "acs:oss:*:1:b/p/x", {})
    assert not policy.allowed(whole.policies, "oss:ListObjects", "acs:oss:*:1:b", {})


def test_a_session_policy_of_2048_characters_is_taken(box: Sandbox) -> None:
    text = json.dumps(READ_ONLY)
    assert assume(box, Policy=text + " " * (2048 - len(text))).status_code == 200
    assert code_of(assume(box, Policy=text + " " * (2049 - len(text)))) == "InvalidParameter.PolicyGrammar"


@pytest.mark.parametrize(("asked", "life"), [("900", 900), ("3600", 3600), (None, 3600)])
def test_the_life_of_keys_is_as_asked(box: Sandbox, asked: str | None, life: int) -> None:
    before = time.time()
    key = box.world.keys[assume(box, DurationSeconds=asked).json()["Credentials"]["AccessKeyId"]]
    assert before + life <= key.expires <= time.time() + life


def test_the_life_of_keys_can_be_cut_by_a_knob(box: Sandbox) -> None:
    box.world.knobs.key_seconds = 1.5
    told = assume(box, DurationSeconds="900").json()["Credentials"]
    key = box.world.keys[told["AccessKeyId"]]
    assert key.expires <= time.time() + 1.5
    assert datetime.fromisoformat(told["Expiration"]).timestamp() == int(key.expires)


def test_the_role_may_allow_longer_sessions(box: Sandbox) -> None:
    box.world.knobs.max_session_seconds = 43200
    assert assume(box, DurationSeconds="43200").status_code == 200
    answer = assume(box, DurationSeconds="43201")
    assert answer.json()["Message"] == "The Min/Max value of DurationSeconds is 15min/12hr."


def code_of(answer: requests.Response) -> str:
    """The code of a failure, which must have the shape of STS."""
    told = answer.json()
    assert {"RequestId", "HostId", "Code", "Message", "Recommend"} <= told.keys()
    assert answer.headers["x-acs-request-id"] == told["RequestId"]
    assert "Credentials" not in told
    return str(told["Code"])


FORMAL = "InvalidParameter."
OIDC = "AuthenticationFail.OIDCToken."
NO_PERMISSION = "AuthenticationFail.NoPermission"
OTHER_ROLE = ROLE_ARN + "-2"


@pytest.mark.parametrize(
    ("changes", "status", "code", "message"),
    [
        ({"Action": "AssumeRole"}, 404, "InvalidAction.NotFound", "Specified api is not found"),
        ({"Version": "2014-01-01"}, 400, "InvalidVersion", "Specified parameter Version"),
        ({"OIDCProviderArn": None}, 400, "MissingOIDCProviderArn", "OIDCProviderArn is mandatory for this action."),
        ({"RoleArn": None}, 400, "MissingRoleArn", "RoleArn is mandatory for this action."),
        ({"RoleSessionName": None}, 400, "MissingRoleSessionName", "RoleSessionName is mandatory for this action."),
        ({"RoleArn": "oss-backup"}, 400, FORMAL + "RoleArn", "The parameter RoleArn is wrongly formed."),
        ({"RoleArn": OTHER_ROLE}, 404, "EntityNotExist.Role", f"The role not exists: {OTHER_ROLE}. "),
        ({"OIDCProviderArn": PROVIDER_ARN + "2"}, 401, NO_PERMISSION, "No such OIDC Provider registered."),
        *[
            (
                {"RoleSessionName": name},
                400,
                FORMAL + "RoleSessionName",
                "The parameter RoleSessionName is wrongly formed.",
            )
            for name in ("a", "a" * 65, "o/r", "a b", "名字", "ab\n", "a:b")
        ],
        *[
            (
                {"DurationSeconds": seconds},
                400,
                FORMAL + "DurationSeconds",
                "The Min/Max value of DurationSeconds is 15min/1hr.",
            )
            for seconds in ("899", "3601", "-900", "1h", "", "900.0", "٩٠٠")
        ],
        *[
            ({"Policy": text}, 400, FORMAL + "PolicyGrammar", "The parameter Policy has not passed grammar check.")
            for text in ("", "{", "[]", '{"Version":"1"}', json.dumps(READ_ONLY).replace("Allow", "Let"))
        ],
        ({"OIDCToken": None}, 401, OIDC + "Invalid", "The OIDCToken can not empty."),
        ({"OIDCToken": ""}, 401, OIDC + "Invalid", "The OIDCToken can not empty."),
        (
            {"OIDCToken": "abc.def"},
            401,
            OIDC + "Invalid",
            "The number of Jwt field should be divided into 3 parts with '.' .",
        ),
        (
            {"OIDCToken": "a%b.c.d"},
            401,
            OIDC + "Invalid",
            "Cannot decode base64 encoded response(format invalided).",
        ),
        (
            {"OIDCToken": "YWJj.YWJj.YWJj"},
            401,
            OIDC + "Invalid",
            "The Jwt content is invalid that cannot be recognized.",
        ),
        ({"OIDCToken": "W10.W10.YWJj"}, 401, OIDC + "Invalid", "The Jwt content is invalid that cannot be recognized."),
    ],
)
def test_a_wrong_parameter(box: Sandbox, changes: dict[str, Any], status: int, code: str, message: str) -> None:
    given = {"OIDCToken": token_of(box), **changes}
    query = {name: given.pop(name, value) for name, value in CALL.items()}
    keys, url = set(box.world.keys), box.environment["OSS_BACKUP_STS_ENDPOINT"]
    answer = requests.post(url, params=query, data=parameters(**given), timeout=10)
    assert (answer.status_code, code_of(answer)) == (status, code)
    assert answer.json()["Message"].startswith(message)
    assert set(box.world.keys) == keys


def altered(token: str, part: int) -> str:
    """A character in the middle of a part, changed."""
    pieces = token.split(".")
    middle = len(pieces[part]) // 2
    other = "A" if pieces[part][middle] != "A" else "B"
    pieces[part] = pieces[part][:middle] + other + pieces[part][middle + 1 :]
    return ".".join(pieces)


def forged(token: str, key: Any = None, algorithm: str = "RS256", **header: str) -> str:
    """The same claims under the same key id, signed by another key."""
    claims = jwt.decode(token, options={"verify_signature": False})
    key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kept = {"kid": jwt.get_unverified_header(token)["kid"], **header}
    return jwt.encode(claims, key, algorithm=algorithm, headers=kept)


def unsigned(token: str) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (forged, OIDC + "InvalidSignature", "OIDC token validate failed: invalid signature."),
        (lambda token: forged(token, kid="other"), OIDC + "InvalidSignature", "OIDC token validate failed"),
        (lambda token: altered(token, 2), OIDC + "InvalidSignature", "OIDC token validate failed"),
        (lambda token: forged(token, "s" * 64, "HS256"), OIDC + "Invalid", "The algorithm HS256 is unknown."),
        (unsigned, OIDC + "Invalid", "The algorithm none is unknown."),
        (lambda token: token + "\n\n\n\n", OIDC + "Invalid", "Cannot decode base64"),
        (lambda token: token + "\n", OIDC + "Invalid", "Cannot decode base64"),
        (lambda token: f'"{token}"', OIDC + "Invalid", "Cannot decode base64"),
        (lambda token: base64.b64encode(token.encode()).decode(), OIDC + "Invalid", "The number of Jwt field"),
    ],
)
def test_a_token_that_is_not_the_issuers(box: Sandbox, change: Callable[[str], str], code: str, message: str) -> None:
    answer = assume(box, change(token_of(box)))
    assert (answer.status_code, code_of(answer)) == (401, code)
    assert answer.json()["Message"].startswith(message)


@pytest.mark.parametrize(
    ("claims", "code", "message"),
    [
        (
            {"iss": "https://token.actions.githubusercontent.com/"},
            OIDC + "IssuerNotMatch",
            "The issuer in the OIDC Token doesn't match the OIDC Provider registered.",
        ),
        ({"iss": None}, OIDC + "IssuerNotMatch", "The issuer"),
        ({"aud": "https://github.com/example"}, OIDC + "AudienceNotMatch", "Invalid audience."),
        ({"aud": ["x", "y"]}, OIDC + "AudienceNotMatch", "Invalid audience."),
        ({"aud": None}, OIDC + "AudienceNotMatch", "Invalid audience."),
        ({"exp": 1}, OIDC + "Expired", "This JsonWebToken is expired."),
        ({"exp": None}, OIDC + "Invalid", "The Jwt content is invalid"),
        ({"iat": "now"}, OIDC + "Invalid", "The Jwt content is invalid"),
        ({"nbf": 4_000_000_000}, OIDC + "Invalid", "The Jwt content is invalid"),
        ({"sub": None}, OIDC + "Invalid", "The Jwt content is invalid"),
        ({"padding": "x" * 20_000}, OIDC + "Invalid", "The Jwt content is invalid"),
        ({"sub": "repo:example/quant-data:pull_request"}, NO_PERMISSION, "There is no permission"),
        ({"sub": SUBJECT + "2"}, NO_PERMISSION, "There is no permission"),
        ({"sub": SUBJECT.upper()}, NO_PERMISSION, "There is no permission"),
    ],
)
def test_a_token_that_says_something_else(box: Sandbox, claims: dict[str, Any], code: str, message: str) -> None:
    box.world.knobs.claims = claims
    answer = assume(box)
    assert (answer.status_code, code_of(answer)) == (401, code)
    assert answer.json()["Message"].startswith(message)


def test_one_of_several_audiences_is_enough(box: Sandbox) -> None:
    box.world.knobs.claims = {"aud": ["other", AUDIENCE]}
    assert assume(box).ok


def test_a_token_that_was_asked_for_without_the_audience(box: Sandbox) -> None:
    assert code_of(assume(box, token_of(box, ""))) == OIDC + "AudienceNotMatch"


def test_a_token_expires_by_the_clock_of_the_sandbox(box: Sandbox) -> None:
    token = token_of(box)
    box.world.knobs.clock_offset = 290
    assert assume(box, token).ok
    box.world.knobs.clock_offset = 301
    assert code_of(assume(box, token)) == OIDC + "Expired"


def trust(**condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Federated": [PROVIDER_ARN]}}
    return {"Version": "1", "Statement": [{**statement, "Condition": condition}]}


def test_the_trust_policy_of_the_role_decides(box: Sandbox) -> None:
    box.world.knobs.trust_policy = trust(StringLike={"oidc:sub": ["repo:example@1/data@2:*"]})
    answer = assume(box)
    assert code_of(answer) == NO_PERMISSION
    detail = answer.json()["AccessDeniedDetail"]
    assert (detail["PolicyType"], detail["NoPermissionType"]) == ("AssumeRolePolicy", "ImplicitDeny")
    box.world.knobs.claims = {"sub": "repo:example@1/data@2:environment:backup"}
    assert assume(box).ok


def test_a_trust_policy_that_denies(box: Sandbox) -> None:
    rules = trust()
    rules["Statement"].append({**rules["Statement"][0], "Effect": "Deny"})
    box.world.knobs.trust_policy = rules
    assert assume(box).json()["AccessDeniedDetail"]["NoPermissionType"] == "ExplicitDeny"


def test_an_issuer_whose_keys_cannot_be_had(box: Sandbox) -> None:
    for request in ("jwks", "openid-configuration"):
        box.world.faults = [Fault("status", "github", request, status=503)]
        answer = assume(box)
        assert (answer.status_code, code_of(answer)) == (401, OIDC + "IssuerConfigurationBroken")
        assert "https://token.actions.githubusercontent.com" in answer.json()["Message"]
    assert assume(box).ok


def test_keys_are_the_issuers_of_another_sandbox(box: Sandbox) -> None:
    with Sandbox() as other:
        assert code_of(assume(box, token_of(other))) == OIDC + "InvalidSignature"


def test_another_issuer_is_another_provider(box: Sandbox) -> None:
    with Sandbox(issuer="https://ghes.example/_services/token") as other:
        assert assume(other).json()["OIDCTokenInfo"]["Issuer"] == "https://ghes.example/_services/token"
        assert code_of(assume(other, token_of(box))) == OIDC + "IssuerNotMatch"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault("throttle", "sts"), 400, "Throttling.User"),
        (Fault("expire-token", "sts"), 401, OIDC + "Expired"),
        (Fault("status", "sts"), 500, "InternalError"),
        (Fault("status", "sts", "AssumeRole*", status=503, code="ServiceUnavailable"), 503, "ServiceUnavailable"),
        (Fault("status", "sts", "other"), 200, ""),
    ],
)
def test_faults_have_the_words_of_sts(box: Sandbox, fault: Fault, status: int, code: str) -> None:
    box.world.faults = [fault]
    answer = assume(box)
    assert answer.status_code == status
    assert answer.json().get("Code", "") == code
    assert assume(box).ok


# The vendor's own client, in the form that keeps the token out of the URL, and in the generated one.


def client(box: Sandbox) -> Client:
    return Client(Config(endpoint=urlsplit(box.environment["OSS_BACKUP_STS_ENDPOINT"]).netloc, protocol="http"))


def call_by_body(box: Sandbox, **changes: str) -> dict[str, Any]:
    request = OpenApiRequest(body=parameters(OIDCToken=token_of(box), **changes))
    made = client(box).do_rpcrequest(
        "AssumeRoleWithOIDC", "2015-04-01", "HTTP", "POST", "Anonymous", "json", request, RuntimeOptions()
    )
    return dict(made["body"])


def test_the_vendors_client_gets_keys(box: Sandbox) -> None:
    told = call_by_body(box, DurationSeconds="900", Policy=json.dumps(READ_ONLY))
    key = box.world.keys[told["Credentials"]["AccessKeyId"]]
    assert key.token == told["Credentials"]["SecurityToken"]
    assert key.policies == (READ_ONLY,)
    assert box.world.counts["sts.token-in-url"] == 0


def test_the_generated_method_shows_the_token_in_the_url(box: Sandbox) -> None:
    request = AssumeRoleWithOIDCRequest(
        oidcprovider_arn=PROVIDER_ARN, oidctoken=token_of(box), role_arn=ROLE_ARN, role_session_name="gha-1-1"
    )
    answer = client(box).assume_role_with_oidcwith_options(request, RuntimeOptions())
    assert answer.body.credentials.access_key_id in box.world.keys
    assert answer.body.assumed_role_user.arn == f"{ROLE_ARN}/gha-1-1"
    assert box.world.counts["sts.token-in-url"] == 1


def test_the_vendors_client_reads_the_refusals(box: Sandbox) -> None:
    box.world.knobs.claims = {"sub": "repo:example/other:ref:refs/heads/main"}
    with pytest.raises(AlibabaCloudException) as caught:
        call_by_body(box)
    assert caught.value.code == NO_PERMISSION
    assert caught.value.status_code == 401
    assert caught.value.request_id in caught.value.message
    assert caught.value.access_denied_detail["NoPermissionType"] == "ImplicitDeny"
