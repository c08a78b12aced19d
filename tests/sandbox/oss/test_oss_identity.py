"""Who is let in: every way in which a signed request can be wrong is told by OSS's own code."""

from __future__ import annotations

import oss2
import pytest
import requests
from oss_cloud import BUCKET, ELSEWHERE, ROOT, SESSION, Answer, Cloud, fetch

from backup_action.sandbox.world import Key

STRANGER = Key("LTAIstranger", "x")
WEEK = 604_800


def v1(cloud: Cloud, key: Key) -> oss2.Bucket:
    auth = (
        oss2.StsAuth(key.access_key_id, key.secret, key.token)
        if key.token
        else oss2.Auth(key.access_key_id, key.secret)
    )
    return oss2.Bucket(auth, cloud.url, BUCKET)


def v4(cloud: Cloud, key: Key, region: str = "cn-hangzhou") -> oss2.Bucket:
    provider = oss2.credentials.StaticCredentialsProvider(key.access_key_id, key.secret, key.token or None)
    return oss2.Bucket(oss2.ProviderAuthV4(provider), cloud.url, BUCKET, region=region)


def refusal(cloud: Cloud, key: Key, version: int) -> tuple[int, str, str]:
    bucket = v1(cloud, key) if version == 1 else v4(cloud, key)
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        bucket.put_object("k", b"x")
    assert not cloud.store.buckets[BUCKET].versions
    return caught.value.status, caught.value.code, caught.value.ec


@pytest.mark.parametrize("key", [ROOT, SESSION])
def test_both_versions_are_let_in(cloud: Cloud, key: Key) -> None:
    for bucket in (v1(cloud, key), v4(cloud, key)):
        assert bucket.put_object("k", b"x").status == 200
        assert bucket.get_object("k").read() == b"x"


WRONG = [
    (STRANGER, "InvalidAccessKeyId", "0002-00000902"),
    (Key(ROOT.access_key_id, "wrong"), "SignatureDoesNotMatch", None),
    (Key(SESSION.access_key_id, "wrong", SESSION.token), "SignatureDoesNotMatch", None),
    (Key(SESSION.access_key_id, SESSION.secret), "InvalidAccessKeyId", "0002-00000902"),
    (Key(SESSION.access_key_id, SESSION.secret, "made up"), "InvalidSecurityToken", "0002-00000006"),
    (Key(ROOT.access_key_id, ROOT.secret, "any"), "InvalidAccessKeyId", "0002-00000002"),
]


@pytest.mark.parametrize("version", [1, 4])
@pytest.mark.parametrize(("key", "code", "ec"), WRONG)
def test_a_wrong_key_is_refused(cloud: Cloud, version: int, key: Key, code: str, ec: str | None) -> None:
    status, found, found_ec = refusal(cloud, key, version)
    assert (status, found) == (403, code)
    assert ec is None or found_ec == ec


@pytest.mark.parametrize("version", [1, 4])
def test_another_sessions_token_is_told_apart(cloud: Cloud, version: int) -> None:
    other = Key("STS.other", "s", "other-token")
    cloud.world.keys[other.access_key_id] = other
    mixed = Key(SESSION.access_key_id, SESSION.secret, other.token)
    assert refusal(cloud, mixed, version) == (403, "AccessKeyIdAndSecurityTokenNotMatch", "0002-00000004")


@pytest.mark.parametrize("version", [1, 4])
def test_an_expired_session_is_refused(cloud: Cloud, version: int) -> None:
    cloud.change_key(SESSION, expires=cloud.world.now() - 1)
    assert refusal(cloud, SESSION, version) == (403, "SecurityTokenExpired", "0002-00000007")


@pytest.mark.parametrize("version", [1, 4])
@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_clock_that_is_off_is_told(cloud: Cloud, version: int, minutes: int) -> None:
    cloud.world.knobs.clock_offset = minutes * 60
    assert refusal(cloud, ROOT, version) == (403, "RequestTimeTooSkewed", "0002-00000504")


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_quarter_of_an_hour_is_forgiven(cloud: Cloud, minutes: int) -> None:
    cloud.world.knobs.clock_offset = minutes * 60
    for bucket in (v1(cloud, ROOT), v4(cloud, ROOT)):
        assert bucket.put_object("k", b"x").status == 200


def test_the_answers_date_is_the_sandboxes_clock(cloud: Cloud) -> None:
    cloud.world.knobs.clock_offset = 86_400 * 400
    late = cloud.send("GET", "k")
    assert late.error[1] == "RequestTimeTooSkewed"
    assert late.text("MaxAllowedSkewMilliseconds") == "900000"
    assert str((late.text("ServerTime") or "")[:4]) in late.headers["Date"]


def test_the_scope_must_name_the_region(cloud: Cloud) -> None:
    answer = cloud.send("PUT", "k", data=b"x", region="cn-shanghai")
    assert answer.error == (400, "InvalidArgument", "0002-00000226")
    assert answer.text("Message") == "Invalid signing region in Authorization header."


def test_a_bucket_of_another_region_names_its_endpoint(cloud: Cloud) -> None:
    answer = cloud.send("GET", "k", bucket=ELSEWHERE)
    assert answer.error == (403, "AccessDenied", "0003-00001403")
    assert (answer.text("Bucket"), answer.text("Endpoint")) == (ELSEWHERE, "oss-cn-shanghai.aliyuncs.com")


def test_its_own_endpoint_reaches_it(cloud: Cloud) -> None:
    host = f"{ELSEWHERE}.oss-cn-shanghai.localhost"
    answer = cloud.send(
        "GET", "k", bucket=ELSEWHERE, region="cn-shanghai", headers={"Host": "oss-cn-shanghai.localhost"}
    )
    assert answer.error == (404, "NoSuchKey", "0026-00000001")
    assert host.startswith(answer.text("HostId").partition(".")[0])


def test_no_signature_is_no_access(cloud: Cloud) -> None:
    assert fetch("GET", f"{cloud.url}/{BUCKET}/k").error == (403, "AccessDenied", "0003-00000001")
    assert fetch("PUT", f"{cloud.url}/{BUCKET}/k", data=b"x").error[:2] == (403, "AccessDenied")
    assert cloud.count("get") == cloud.count("put") == 1
    assert not cloud.asked


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic YTpi",
        "OSS nocolon",
        "OSS4-HMAC-SHA256 Credential=a/b",
        "OSS4-HMAC-SHA256 Credential=a/20260101/cn-hangzhou/oss/abc, Signature=0",
        "OSS4-HMAC-SHA256 Credential=a/20260101/cn-hangzhou/s3/aliyun_v4_request, Signature=0",
        "OSS4-HMAC-SHA256",
    ],
)
def test_a_malformed_authorization_is_no_server_error(cloud: Cloud, authorization: str) -> None:
    headers = {
        "Authorization": authorization,
        "x-oss-content-sha256": "UNSIGNED-PAYLOAD",
        "x-oss-date": "20260101T000000Z",
    }
    answer = fetch("GET", f"{cloud.url}/{BUCKET}/k", headers=headers)
    assert answer.error[:2] == (400, "InvalidArgument")


def test_a_date_that_is_none_is_refused(cloud: Cloud) -> None:
    headers = {"Authorization": "OSS a:b", "Date": "yesterday"}
    assert fetch("GET", f"{cloud.url}/{BUCKET}/k", headers=headers).error == (403, "AccessDenied", "0002-00000505")


def test_the_scopes_day_must_be_the_dates(cloud: Cloud) -> None:
    credential = f"{ROOT.access_key_id}/20260102/cn-hangzhou/oss/aliyun_v4_request"
    headers = {
        "Authorization": f"OSS4-HMAC-SHA256 Credential={credential}, Signature=0",
        "x-oss-content-sha256": "UNSIGNED-PAYLOAD",
        "x-oss-date": "20260103T000000Z",
    }
    answer = fetch("GET", f"{cloud.url}/{BUCKET}/k", headers=headers)
    assert (answer.error[1], answer.text("Message")) == (
        "InvalidArgument",
        "Invalid signing date in Authorization header.",
    )


def test_a_wrong_v1_signature_tells_what_was_to_be_signed(cloud: Cloud) -> None:
    with pytest.raises(oss2.exceptions.SignatureDoesNotMatch) as caught:
        v1(cloud, Key(SESSION.access_key_id, "wrong", SESSION.token)).get_object("a b")
    text = caught.value.details["StringToSign"]
    assert text.endswith(f"x-oss-security-token:{SESSION.token}\n/{BUCKET}/a b")


def test_a_changed_request_is_not_let_in(cloud: Cloud) -> None:
    """A header that was signed, a header that had to be, a parameter, the method."""
    cloud.put("k")
    url = v4(cloud, ROOT).sign_url("GET", "k", 60, slash_safe=True)
    assert fetch("GET", url).status == 200
    assert fetch("GET", url, headers={"x-oss-range-behavior": "standard"}).error[1] == "SignatureDoesNotMatch"
    assert fetch("GET", f"{url}&versionId=null").error[1] == "SignatureDoesNotMatch"
    assert fetch("DELETE", url).error[1] == "SignatureDoesNotMatch"
    assert fetch("GET", url.replace("/k?", "/l?")).error[1] == "SignatureDoesNotMatch"


@pytest.mark.parametrize("key", [ROOT, SESSION])
@pytest.mark.parametrize("version", [1, 4])
def test_signed_urls(cloud: Cloud, version: int, key: Key) -> None:
    bucket = v1(cloud, key) if version == 1 else v4(cloud, key)
    url = bucket.sign_url("PUT", "a b/中+%", 600, slash_safe=False)
    assert fetch("PUT", url, data=b"by url").status == 200
    url = bucket.sign_url("GET", "a b/中+%", 600, params={"response-content-type": "text/x"}, slash_safe=True)
    answer = fetch("GET", url)
    assert (answer.body, answer.headers["Content-Type"]) == (b"by url", "text/x")
    cloud.world.knobs.clock_offset = 570
    assert fetch("GET", url).status == 200
    cloud.world.knobs.clock_offset = 630
    assert fetch("GET", url).error == (403, "AccessDenied", "0002-00000069")


def test_a_v4_url_that_is_not_valid_yet_or_too_long(cloud: Cloud) -> None:
    cloud.put("k")
    url = v4(cloud, ROOT).sign_url("GET", "k", WEEK, slash_safe=True)
    assert fetch("GET", url).status == 200
    cloud.world.knobs.clock_offset = -960
    assert fetch("GET", url).error == (403, "AccessDenied", "0002-00000235")
    cloud.world.knobs.clock_offset = 0
    longer = v4(cloud, ROOT).sign_url("GET", "k", WEEK + 1, slash_safe=True)
    assert fetch("GET", longer).error == (400, "InvalidArgument", "0002-00000232")


def test_v1_can_be_turned_off(cloud: Cloud) -> None:
    cloud.world.knobs.v1_signatures = False
    assert refusal(cloud, ROOT, 1) == (403, "AccessDenied", "0002-00000080")
    assert v4(cloud, ROOT).put_object("k", b"x").status == 200


def test_virtual_hosted_style_signs_the_same(cloud: Cloud) -> None:
    url = v4(cloud, ROOT).sign_url("GET", "dir/a b", 60, slash_safe=True).replace(f"/{BUCKET}/", "/", 1)
    cloud.put("dir/a b", b"hosted")
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, headers={"Host": f"{BUCKET}.localhost:1"}, timeout=10)
    assert answer.content == b"hosted"


def check_error_form(answer: Answer, host: str) -> None:
    assert [node.tag for node in answer.tree][:4] == ["Code", "Message", "RequestId", "HostId"]
    assert answer.text("RequestId") == answer.headers["x-oss-request-id"]
    assert answer.text("HostId") == host
    assert answer.text("EC") == answer.headers["x-oss-ec"]
    assert answer.text("RecommendDoc") == f"https://api.aliyun.com/troubleshoot?q={answer.text('EC')}"
    assert int(answer.headers["x-oss-server-time"]) >= 0


def test_the_form_of_errors(cloud: Cloud) -> None:
    first, second = cloud.send("GET", "a\x01<b>"), cloud.send("HEAD", "k")
    check_error_form(first, f"{BUCKET}.oss-cn-hangzhou.aliyuncs.com")
    assert first.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code>')
    assert first.text("Key") == "a\ufffd<b>"
    check_error_form(second, f"{BUCKET}.oss-cn-hangzhou.aliyuncs.com")
    assert (second.status, second.body, second.text("Code")) == (404, b"", "NoSuchKey")
    assert first.headers["x-oss-request-id"] != second.headers["x-oss-request-id"]
