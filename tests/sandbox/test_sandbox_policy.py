"""The evaluator of RAM policies: the published ones both ways, the grammar, and what holds for every policy."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.sandbox import policy
from backup_action.sandbox.policy import PolicyError, Verdict, allowed, trusts
from backup_action.sandbox.world import PROVIDER_ARN

WRITE = ["oss:PutObject", "oss:ListParts", "oss:AbortMultipartUpload"]
DANGEROUS = ["oss:DeleteObject", "oss:DeleteObjectVersion", "oss:PutObjectAcl", "oss:PutBucket*", "oss:DeleteBucket*"]
CHECKS = ["oss:GetBucketInfo", "oss:GetBucketVersioning", "oss:GetBucketWorm", "oss:GetBucketLifecycle"]
OBJECTS = ["acs:oss:*:*:market/daily/*"]
BUCKET = ["acs:oss:*:*:market"]
LISTED = {"StringLike": {"oss:Prefix": ["daily/*"]}}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "1", "Statement": list(statements)}


def allow(actions: Any, resources: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deny(actions: Any, resources: Any, **more: Any) -> dict[str, Any]:
    return {**allow(actions, resources, **more), "Effect": "Deny"}


EVERYWHERE = ["acs:oss:*:*:market", "acs:oss:*:*:market/*"]
BACKUP = document(allow(WRITE, OBJECTS), deny(DANGEROUS, EVERYWHERE))
SYNC = document(
    allow(WRITE, OBJECTS),
    deny([action for action in DANGEROUS if action != "oss:DeleteObject"], EVERYWHERE),
    allow(["oss:GetObject", "oss:DeleteObject"], OBJECTS),
    allow(["oss:ListObjects"], BUCKET, Condition=LISTED),
)
RESTORE = document(
    allow(["oss:GetObject", "oss:GetObjectVersion", "oss:RestoreObject"], OBJECTS),
    allow(["oss:ListObjects", "oss:ListObjectVersions"], BUCKET, Condition=LISTED),
)
DOCTOR = document(allow(CHECKS, BUCKET))

INSIDE, OUTSIDE, OTHER = "market/daily/a/b.csv", "market/weekly/b.csv", "market2/daily/b.csv"
PREFIX = {"oss:Prefix": "daily/"}


@pytest.mark.parametrize(
    ("name", "rules", "action", "place", "conditions", "expected"),
    [
        ("A", BACKUP, "oss:PutObject", INSIDE, {}, True),
        ("A", BACKUP, "OSS:putobject", INSIDE, {}, True),  # actions do not mind the case
        ("A", BACKUP, "oss:ListParts", INSIDE, {}, True),
        ("A", BACKUP, "oss:AbortMultipartUpload", INSIDE, {}, True),
        ("A", BACKUP, "oss:PutObject", OUTSIDE, {}, False),
        ("A", BACKUP, "oss:PutObject", OTHER, {}, False),
        ("A", BACKUP, "oss:PutObject", "market/Daily/b.csv", {}, False),  # resources do
        ("A", BACKUP, "oss:PutObject", "market", {}, False),  # an object action on the bucket
        ("A", BACKUP, "oss:GetObject", INSIDE, {}, False),
        ("A", BACKUP, "oss:DeleteObject", INSIDE, {}, False),
        ("A", BACKUP, "oss:ListObjects", "market", PREFIX, False),
        ("A", BACKUP, "oss:PutBucketLifecycle", "market", {}, False),
        ("B", SYNC, "oss:PutObject", INSIDE, {}, True),
        ("B", SYNC, "oss:GetObject", INSIDE, {}, True),
        ("B", SYNC, "oss:DeleteObject", INSIDE, {}, True),
        ("B", SYNC, "oss:ListObjects", "market", PREFIX, True),  # daily/* matches daily/ itself
        ("B", SYNC, "oss:ListObjects", "market", {"oss:Prefix": "daily/a/"}, True),
        ("B", SYNC, "oss:ListObjects", "market", {"oss:Prefix": "daily"}, False),
        ("B", SYNC, "oss:ListObjects", "market", {"oss:Prefix": ""}, False),
        ("B", SYNC, "oss:ListObjects", "market", {}, False),  # listing the whole bucket
        ("B", SYNC, "oss:ListObjects", INSIDE, PREFIX, False),  # a bucket action on an object
        ("B", SYNC, "oss:DeleteObjectVersion", INSIDE, {}, False),
        ("B", SYNC, "oss:DeleteObject", OUTSIDE, {}, False),
        ("C", RESTORE, "oss:GetObject", INSIDE, {}, True),
        ("C", RESTORE, "oss:GetObjectVersion", INSIDE, {}, True),
        ("C", RESTORE, "oss:RestoreObject", INSIDE, {}, True),
        ("C", RESTORE, "oss:ListObjects", "market", PREFIX, True),
        ("C", RESTORE, "oss:ListObjectVersions", "market", PREFIX, True),
        ("C", RESTORE, "oss:ListObjectVersions", "market", {}, False),
        ("C", RESTORE, "oss:PutObject", INSIDE, {}, False),
        ("C", RESTORE, "oss:DeleteObject", INSIDE, {}, False),
        ("C", RESTORE, "oss:GetObject", OUTSIDE, {}, False),
        *[("E", DOCTOR, action, "market", {}, True) for action in CHECKS],
        ("E", DOCTOR, "oss:GetBucketInfo", "market2", {}, False),
        ("E", DOCTOR, "oss:PutBucketLifecycle", "market", {}, False),
        ("E", DOCTOR, "oss:ListObjects", "market", {}, False),
    ],
)
def test_published_policies(
    name: str, rules: dict[str, Any], action: str, place: str, conditions: dict[str, str], expected: bool
) -> None:
    resource = f"acs:oss:oss-cn-hangzhou:1234567890123456:{place}"
    assert allowed((rules,), action, resource, conditions) is expected
    assert allowed((rules, document(allow("*", "*"))), action, resource, conditions) is expected
    assert allowed((document(allow("*", "*")), rules), action, resource, conditions) is expected


def test_the_deny_of_the_backup_policy_outlives_an_added_allow() -> None:
    generous = document(*BACKUP["Statement"], allow("oss:*", "*"))
    assert allowed((generous,), "oss:GetObject", f"acs:oss:*:1:{INSIDE}", {})
    for action in ("oss:DeleteObject", "oss:DeleteObjectVersion", "oss:PutObjectAcl"):
        assert not allowed((generous,), action, f"acs:oss:*:1:{INSIDE}", {})
    for action in ("oss:PutBucketWorm", "oss:DeleteBucket"):
        assert not allowed((generous,), action, "acs:oss:*:1:market", {})


def test_no_policy_is_the_owner() -> None:
    assert allowed((), "oss:DeleteBucket", "acs:oss:*:1:market", {})


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "given_value", "expected"),
    [
        ("StringEquals", "oss:Prefix", "a", "a", True),
        ("StringEquals", "oss:Prefix", "a", "A", False),
        ("StringEquals", "oss:Prefix", ["a", "b"], "b", True),
        ("StringEquals", "oss:Prefix", "a*", "ab", False),
        ("StringNotEquals", "oss:Prefix", "a", "b", True),
        ("StringNotEquals", "oss:Prefix", ["a", "b"], "b", False),
        ("StringEqualsIgnoreCase", "oss:Prefix", "Ab", "aB", True),
        ("StringEqualsIgnoreCase", "oss:Prefix", "Ab", "ac", False),
        ("StringNotEqualsIgnoreCase", "oss:Prefix", "Ab", "aB", False),
        ("StringLike", "oss:Prefix", "a?c*", "abc/d", True),
        ("StringLike", "oss:Prefix", "a?c", "ac", False),
        ("StringLike", "oss:Prefix", "a[b]c", "abc", False),  # not a class of characters
        ("StringLike", "oss:Prefix", "a*", "a\nb", True),
        ("StringNotLike", "oss:Prefix", ["a*", "b*"], "c", True),
        ("StringNotLike", "oss:Prefix", ["a*", "b*"], "bc", False),
        ("Bool", "acs:SecureTransport", "true", "true", True),
        ("Bool", "acs:SecureTransport", True, "true", True),
        ("Bool", "acs:SecureTransport", "true", "false", False),
        ("IpAddress", "acs:SourceIp", ["10.0.0.0/8", "192.168.1.7"], "10.9.8.7", True),
        ("IpAddress", "acs:SourceIp", ["10.0.0.0/8", "192.168.1.7"], "192.168.1.7", True),
        ("IpAddress", "acs:SourceIp", ["10.0.0.0/8", "192.168.1.7"], "192.168.1.8", False),
        ("IpAddress", "acs:SourceIp", "10.0.0.0/8", "2001:db8::1", False),
        ("NotIpAddress", "acs:SourceIp", "10.0.0.0/8", "11.0.0.1", True),
        ("DateLessThan", "acs:CurrentTime", "2026-11-22T18:00:00+08:00", "2026-11-22T09:59:59Z", True),
        ("DateLessThan", "acs:CurrentTime", "2026-11-22T18:00:00+08:00", "2026-11-22T10:00:00Z", False),
        ("DateLessThanEquals", "acs:CurrentTime", "2026-11-22T18:00:00+08:00", "2026-11-22T10:00:00Z", True),
        ("DateGreaterThan", "acs:CurrentTime", "2026-11-22T10:00:00Z", "2026-11-22T10:00:01Z", True),
        ("DateGreaterThanEquals", "acs:CurrentTime", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z", True),
        ("DateEquals", "acs:CurrentTime", "2026-11-22T18:00:00+08:00", "2026-11-22T10:00:00Z", True),
        ("DateNotEquals", "acs:CurrentTime", "2026-11-22T18:00:00+08:00", "2026-11-22T10:00:00Z", False),
        ("NumericLessThan", "oss:ExistingObjectTag/age", "10", "9", True),
        ("NumericLessThan", "oss:ExistingObjectTag/age", 10, "10", False),
        ("NumericLessThanEquals", "oss:ExistingObjectTag/age", "10", "10.0", True),
        ("NumericGreaterThan", "oss:ExistingObjectTag/age", "-1.5", "-1", True),
        ("NumericEquals", "oss:ExistingObjectTag/age", "10", "10.00", True),
        ("NumericNotEquals", "oss:ExistingObjectTag/age", ["1", "2"], "3", True),
        ("NumericEquals", "oss:ExistingObjectTag/age", "10", "ten", False),  # not of the operator's type
    ],
)
def test_condition_operators(operator: str, key: str, wanted: Any, given_value: str, expected: bool) -> None:
    rules = document(allow("oss:*", "*", Condition={operator: {key: wanted}}))
    assert allowed((rules,), "oss:ListObjects", "acs:oss:*:1:b", {key: given_value}) is expected


def test_every_operator_is_in_the_table_of_tests() -> None:
    table = test_condition_operators.pytestmark[0].args[1]
    assert {row[0] for row in table} | {"NumericGreaterThanEquals"} == policy.OPERATORS.keys()


def test_several_keys_and_operators_must_all_hold() -> None:
    rules = document(
        allow(
            "oss:*",
            "*",
            Condition={
                "StringEquals": {"oss:Prefix": "a", "oss:Delimiter": "/"},
                "Bool": {"acs:SecureTransport": "true"},
            },
        )
    )
    whole = {"oss:Prefix": "a", "oss:Delimiter": "/", "acs:SecureTransport": "true"}
    assert allowed((rules,), "oss:ListObjects", "acs:oss:*:1:b", whole)
    for key in whole:
        less = {name: value for name, value in whole.items() if name != key}
        assert not allowed((rules,), "oss:ListObjects", "acs:oss:*:1:b", less)
        assert not allowed((rules,), "oss:ListObjects", "acs:oss:*:1:b", {**whole, key: "x"})


def test_an_absent_key_never_helps_the_request() -> None:
    unequal = {"StringNotEquals": {"oss:Prefix": "secret/"}}
    assert not allowed((document(allow("oss:*", "*", Condition=unequal)),), "oss:ListObjects", "acs:oss:*:1:b", {})
    both = document(allow("oss:*", "*"), deny("oss:*", "*", Condition=unequal))
    assert not allowed((both,), "oss:ListObjects", "acs:oss:*:1:b", {})
    assert allowed((both,), "oss:ListObjects", "acs:oss:*:1:b", {"oss:Prefix": "secret/"})
    equal = document(allow("oss:*", "*"), deny("oss:*", "*", Condition={"StringEquals": {"oss:Prefix": "secret/"}}))
    assert allowed((equal,), "oss:ListObjects", "acs:oss:*:1:b", {})


GOOD = document(allow("oss:GetObject", "acs:oss:*:*:b/*", Condition={"StringLike": {"oss:Prefix": "a*"}}))


def broken(**changes: Any) -> dict[str, Any]:
    """The good policy with elements of its statement set, or taken out by None."""
    statement = {**GOOD["Statement"][0], **changes}
    return document({name: value for name, value in statement.items() if value is not None})


@pytest.mark.parametrize(
    ("rules", "part"),
    [
        ([], "the policy"),
        ("{}", "the policy"),
        ({}, "Version"),
        ({**GOOD, "Version": 1}, "Version"),
        ({**GOOD, "Version": "2012-10-17"}, "Version"),
        ({**GOOD, "Id": "x"}, "'Id'"),
        ({"Version": "1"}, "Statement[0]"),
        ({"Version": "1", "Statement": []}, "Statement"),
        (broken(Effect="allow"), "Effect"),
        (broken(Effect=None), "Effect"),
        (broken(Sid="x"), "'Sid'"),
        (broken(Action=None), "Action"),
        (broken(NotAction="oss:PutObject"), "Action"),
        (broken(Action=[]), "Action"),
        (broken(Action="GetObject"), "Action"),
        (broken(Action="oss:Get Object"), "Action"),
        (broken(Action=7), "Action"),
        (broken(Resource=None), "Resource"),
        (broken(NotResource="*"), "Resource"),
        (broken(Resource="b/*"), "Resource"),
        (broken(Resource="arn:aws:s3:::b/*"), "Resource"),
        (broken(Resource="acs:oss:*:b/*"), "Resource"),
        (broken(Resource="acs:oss:*:*:b/${acs:UserName}/*"), "Resource"),
        (broken(Principal={"Federated": [PROVIDER_ARN]}), "'Principal'"),
        (broken(Condition=[]), "Condition"),
        (broken(Condition={"StringMatches": {"oss:Prefix": "a"}}), "'StringMatches'"),
        (broken(Condition={"StringLikeIfExists": {"oss:Prefix": "a"}}), "'StringLikeIfExists'"),
        (broken(Condition={"StringLike": "a"}), "StringLike"),
        (broken(Condition={"StringLike": {"oss:Prefx": "a"}}), "oss:Prefx"),
        (broken(Condition={"StringLike": {"oidc:sub": "a"}}), "oidc:sub"),
        (broken(Condition={"StringLike": {"oss:Prefix": []}}), "oss:Prefix"),
        (broken(Condition={"StringLike": {"oss:Prefix": {"a": 1}}}), "oss:Prefix"),
        (broken(Condition={"StringLike": {"oss:Prefix": None}}), "oss:Prefix"),
        (broken(Condition={"Bool": {"acs:SecureTransport": "yes"}}), "acs:SecureTransport"),
        (broken(Condition={"IpAddress": {"acs:SourceIp": "10.0.0"}}), "acs:SourceIp"),
        (broken(Condition={"DateLessThan": {"acs:CurrentTime": "2026-11-22T10:00:00"}}), "acs:CurrentTime"),
        (broken(Condition={"DateLessThan": {"acs:CurrentTime": "tomorrow"}}), "acs:CurrentTime"),
        (broken(Condition={"NumericEquals": {"oss:ExistingObjectTag/a": "1_0"}}), "oss:ExistingObjectTag/a"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(rules: Any, part: str) -> None:
    for use in (lambda: policy.read(rules), lambda: allowed((rules,), "oss:GetObject", "acs:oss:*:1:b/a", {})):
        with pytest.raises(PolicyError) as caught:
            use()
        assert part in str(caught.value)


def test_the_good_policy_is_good() -> None:
    assert len(policy.read(GOOD)) == 1
    assert allowed((GOOD,), "oss:GetObject", "acs:oss:*:1:b/x", {"oss:Prefix": "ab"})
    single = {"Version": "1", "Statement": GOOD["Statement"][0]}  # a statement without a list
    assert policy.read(single) == policy.read(GOOD)


TRUST = {
    "Version": "1",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Federated": [PROVIDER_ARN]},
            "Condition": {
                "StringEquals": {"oidc:iss": ["https://i.example"], "oidc:aud": ["sts.aliyuncs.com"]},
                "StringLike": {"oidc:sub": ["repo:o/r:*", "repo:o@1/r@2:*"]},
            },
        }
    ],
}
LOGIN = {"oidc:iss": "https://i.example", "oidc:aud": "sts.aliyuncs.com", "oidc:sub": "repo:o/r:ref:refs/heads/main"}


@pytest.mark.parametrize(
    ("login", "provider", "expected"),
    [
        (LOGIN, PROVIDER_ARN, Verdict.ALLOW),
        ({**LOGIN, "oidc:sub": "repo:o@1/r@2:environment:backup"}, PROVIDER_ARN, Verdict.ALLOW),
        ({**LOGIN, "oidc:sub": "repo:o/r2:ref:refs/heads/main"}, PROVIDER_ARN, Verdict.IMPLICIT_DENY),
        ({**LOGIN, "oidc:sub": "repo:O/r:ref:refs/heads/main"}, PROVIDER_ARN, Verdict.IMPLICIT_DENY),
        ({**LOGIN, "oidc:aud": "https://github.com/o"}, PROVIDER_ARN, Verdict.IMPLICIT_DENY),
        ({**LOGIN, "oidc:iss": "https://i.example/"}, PROVIDER_ARN, Verdict.IMPLICIT_DENY),
        (LOGIN, PROVIDER_ARN + "2", Verdict.IMPLICIT_DENY),
    ],
)
def test_trust_policies(login: dict[str, str], provider: str, expected: Verdict) -> None:
    assert trusts(TRUST, provider, login) is expected


def test_a_trust_policy_may_deny() -> None:
    rules = copy.deepcopy(TRUST)
    rules["Statement"].append({**rules["Statement"][0], "Effect": "Deny"})
    assert trusts(rules, PROVIDER_ARN, LOGIN) is Verdict.EXPLICIT_DENY


def changed_trust(**changes: Any) -> dict[str, Any]:
    return document({**TRUST["Statement"][0], **changes})


def test_the_action_of_a_trust_policy_is_assume_role() -> None:
    """Many examples on the web say sts:AssumeRoleWithOIDC, which is no action of a trust policy."""
    assert trusts(changed_trust(Action="sts:AssumeRoleWithOIDC"), PROVIDER_ARN, LOGIN) is Verdict.IMPLICIT_DENY
    assert trusts(changed_trust(Action="sts:*"), PROVIDER_ARN, LOGIN) is Verdict.ALLOW


@pytest.mark.parametrize(
    ("rules", "part"),
    [
        (changed_trust(Principal=None), "Principal"),
        (changed_trust(Principal={"RAM": ["acs:ram::1:root"]}), "'RAM'"),
        (changed_trust(Principal={"Federated": ["*"]}), "Federated"),
        (changed_trust(Principal={"Federated": "acs:ram::1:saml-provider/x"}), "Federated"),
        (changed_trust(Resource="*"), "'Resource'"),
        (changed_trust(Condition={"StringEquals": {"oidc:environment": "backup"}}), "oidc:environment"),
        (changed_trust(Condition={"StringLike": {"oidc:iss": "https://*"}}), "StringEquals only"),
        (changed_trust(Condition={"StringEquals": {"oss:Prefix": "a"}}), "oss:Prefix"),
    ],
)
def test_the_grammar_of_trust_policies(rules: dict[str, Any], part: str) -> None:
    for use in (lambda: policy.read(rules, trust=True), lambda: trusts(rules, PROVIDER_ARN, LOGIN)):
        with pytest.raises(PolicyError) as caught:
            use()
        assert part in str(caught.value)


ACTIONS = ["oss:GetObject", "oss:PutObject", "oss:ListObjects"]
PLACES = ["acs:oss:*:1:b", "acs:oss:*:1:b/a/x", "acs:oss:*:1:b/c"]
CONTEXTS: list[dict[str, str]] = [{}, {"oss:Prefix": "a/"}, {"oss:Prefix": "c", "acs:SecureTransport": "true"}]
conditions = st.dictionaries(
    st.sampled_from(["StringLike", "StringNotLike", "StringEquals", "StringNotEquals"]),
    st.fixed_dictionaries(
        {"oss:Prefix": st.lists(st.sampled_from(["a/", "a*", "c", "?", "*"]), min_size=1, max_size=2)}
    ),
    max_size=2,
)
statements = st.builds(
    lambda effect, action, not_action, resource, not_resource, condition: {
        "Effect": effect,
        "NotAction" if not_action else "Action": action,
        "NotResource" if not_resource else "Resource": resource,
        "Condition": condition,
    },
    st.sampled_from(["Allow", "Deny"]),
    st.lists(st.sampled_from([*ACTIONS, "oss:*", "*", "oss:?etObject", "oss:GETOBJECT"]), min_size=1),
    st.booleans(),
    st.lists(st.sampled_from(["*", "acs:oss:*:*:b", "acs:oss:*:*:b/*", "acs:oss:*:*:b/a/?"]), min_size=1),
    st.booleans(),
    conditions,
)
policies = st.lists(statements, min_size=1, max_size=4).map(lambda made: document(*made))
questions = st.tuples(st.sampled_from(ACTIONS), st.sampled_from(PLACES), st.sampled_from(CONTEXTS))


@given(policies, questions)
def test_the_order_of_statements_does_not_matter(rules: dict[str, Any], question: Any) -> None:
    answers = {allowed((document(*order),), *question) for order in itertools.permutations(rules["Statement"])}
    assert len(answers) == 1


@given(policies, statements, questions)
def test_a_deny_that_applies_wins_wherever_it_stands(
    rules: dict[str, Any], more: dict[str, Any], question: Any
) -> None:
    if allowed((document({**more, "Effect": "Allow", "Condition": {}}),), *question):
        denial = {**more, "Effect": "Deny", "Condition": {}}
        for at in range(len(rules["Statement"]) + 1):
            listed = [*rules["Statement"][:at], denial, *rules["Statement"][at:]]
            assert not allowed((document(*listed),), *question)


@given(policies, statements, questions)
def test_an_added_allow_never_removes_a_right(rules: dict[str, Any], more: dict[str, Any], question: Any) -> None:
    before = allowed((rules,), *question)
    after = allowed((document(*rules["Statement"], {**more, "Effect": "Allow"}),), *question)
    assert after or not before


@given(policies, statements, questions)
def test_an_added_deny_never_adds_a_right(rules: dict[str, Any], more: dict[str, Any], question: Any) -> None:
    before = allowed((rules,), *question)
    after = allowed((document(*rules["Statement"], {**more, "Effect": "Deny"}),), *question)
    assert before or not after


@given(policies, policies, questions)
def test_a_session_policy_never_adds_a_right(role: dict[str, Any], session: dict[str, Any], question: Any) -> None:
    both = allowed((role, session), *question)
    assert both == (allowed((role,), *question) and allowed((session,), *question))


@given(policies, questions)
def test_without_an_allow_nothing_is_allowed(rules: dict[str, Any], question: Any) -> None:
    denials = [{**statement, "Effect": "Deny"} for statement in rules["Statement"]]
    assert not allowed((document(*denials),), *question)


@given(statements, questions)
def test_not_action_is_the_complement(statement: dict[str, Any], question: Any) -> None:
    resources = {"Effect": "Allow", "Resource": "*"}
    actions = statement.get("Action") or statement["NotAction"]
    assert allowed((document({**resources, "Action": actions}),), *question) != allowed(
        (document({**resources, "NotAction": actions}),), *question
    )


def matches(glob: str, text: str) -> bool:
    """The meaning of a glob, written the slow way."""
    if not glob:
        return not text
    if glob[0] == "*":
        return matches(glob[1:], text) or (bool(text) and matches(glob, text[1:]))
    return bool(text) and glob[0] in ("?", text[0]) and matches(glob[1:], text[1:])


@given(st.text("ab*?.[]\n", min_size=1, max_size=8), st.text("ab.[]\n", max_size=8))
def test_globs_mean_what_they_should(glob: str, text: str) -> None:
    rules = document(allow("oss:*", "*", Condition={"StringLike": {"oss:Prefix": glob}}))
    assert allowed((rules,), "oss:ListObjects", "acs:oss:*:1:b", {"oss:Prefix": text}) is matches(glob, text)


def test_a_glob_of_many_stars_is_no_trap() -> None:
    rules = document(allow("oss:*", "*", Condition={"StringLike": {"oss:Prefix": "*a" * 40 + "b"}}))
    assert not allowed((rules,), "oss:ListObjects", "acs:oss:*:1:b", {"oss:Prefix": "a" * 1000})
