"""Which right each operation asks for, and that a missing one keeps it from being done."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

import pytest
from oss_cloud import BUCKET, SESSION, VERSIONED_BUCKET, Cloud

from backup_action.sandbox.world import ACCOUNT

BUCKET_ARN = f"acs:oss:*:{ACCOUNT}:{BUCKET}"
MANY = b"<Delete><Object><Key>k</Key></Object></Delete>"
MD5 = {"Content-MD5": base64.b64encode(hashlib.md5(MANY).digest()).decode()}
COPY = {"x-oss-copy-source": f"/{BUCKET}/k"}
PART = {"uploadId": "u", "partNumber": "1"}

OBJECT_ACTIONS = [
    ("PUT", {}, {}, "oss:PutObject"),
    ("POST", {"uploads": ""}, {}, "oss:PutObject"),
    ("PUT", PART, {}, "oss:PutObject"),
    ("PUT", PART, COPY, "oss:PutObject"),
    ("POST", {"uploadId": "u"}, {}, "oss:PutObject"),
    ("POST", {"append": "", "position": "0"}, {}, "oss:PutObject"),
    ("GET", {}, {}, "oss:GetObject"),
    ("HEAD", {}, {}, "oss:GetObject"),
    ("HEAD", {"objectMeta": ""}, {}, "oss:GetObject"),
    ("GET", {"versionId": "null"}, {}, "oss:GetObjectVersion"),
    ("HEAD", {"versionId": "null"}, {}, "oss:GetObjectVersion"),
    ("DELETE", {}, {}, "oss:DeleteObject"),
    ("DELETE", {"versionId": "null"}, {}, "oss:DeleteObjectVersion"),
    ("GET", {"uploadId": "u"}, {}, "oss:ListParts"),
    ("DELETE", {"uploadId": "u"}, {}, "oss:AbortMultipartUpload"),
    ("POST", {"restore": ""}, {}, "oss:RestoreObject"),
    ("POST", {"restore": "", "versionId": "null"}, {}, "oss:RestoreObjectVersion"),
    ("GET", {"tagging": ""}, {}, "oss:GetObjectTagging"),
    ("PUT", {"tagging": ""}, {}, "oss:PutObjectTagging"),
    ("DELETE", {"tagging": ""}, {}, "oss:DeleteObjectTagging"),
    ("GET", {"tagging": "", "versionId": "null"}, {}, "oss:GetObjectVersionTagging"),
    ("GET", {"acl": ""}, {}, "oss:GetObjectAcl"),
    ("PUT", {"acl": ""}, {}, "oss:PutObjectAcl"),
    ("PUT", {}, {"x-oss-tagging": "a=b"}, "oss:PutObjectTagging"),
    ("POST", {"uploads": ""}, {"x-oss-tagging": "a=b"}, "oss:PutObjectTagging"),
    ("PUT", {}, COPY, "oss:PutObject"),
]
BUCKET_ACTIONS = [
    ("GET", {}, "oss:ListObjects"),
    ("GET", {"list-type": "2"}, "oss:ListObjects"),
    ("GET", {"versions": ""}, "oss:ListObjectVersions"),
    ("GET", {"uploads": ""}, "oss:ListMultipartUploads"),
    ("GET", {"bucketInfo": ""}, "oss:GetBucketInfo"),
    ("GET", {"location": ""}, "oss:GetBucketLocation"),
    ("GET", {"versioning": ""}, "oss:GetBucketVersioning"),
    ("PUT", {"versioning": ""}, "oss:PutBucketVersioning"),
    ("GET", {"stat": ""}, "oss:GetBucketStat"),
    ("GET", {"lifecycle": ""}, "oss:GetBucketLifecycle"),
    ("PUT", {"lifecycle": ""}, "oss:PutBucketLifecycle"),
    ("GET", {"encryption": ""}, "oss:GetBucketEncryption"),
    ("PUT", {"encryption": ""}, "oss:PutBucketEncryption"),
    ("GET", {"worm": ""}, "oss:GetBucketWorm"),
    ("GET", {"acl": ""}, "oss:GetBucketAcl"),
    ("PUT", {"acl": ""}, "oss:PutBucketAcl"),
    ("PUT", {}, "oss:PutBucket"),
    ("DELETE", {}, "oss:DeleteBucket"),
]


def refused(cloud: Cloud, action: str, resource: str, method: str, key: str, **more: object) -> None:
    """The one right is missing: the answer names it, and nothing has changed."""
    cloud.put("k", b"old")
    asked: list[tuple[str, str]] = []

    def denies(found: str, where: str) -> bool:
        asked.append((found, where))
        return found == action

    cloud.denies = denies
    answer = cloud.send(method, key, by=SESSION, **more)  # type: ignore[arg-type]
    assert answer.error == (403, "AccessDenied", "0003-00000001")
    assert answer.text("AccessDeniedDetail/AuthAction") == action
    assert answer.text("AccessDeniedDetail/AuthPrincipalType") == "AssumedRoleUser"
    assert asked[-1] == (action, resource)
    cloud.denies = lambda found, where: False
    assert cloud.get("k") == b"old"
    assert list(cloud.store.buckets[BUCKET].versions) == ["k"]


@pytest.mark.parametrize(("method", "params", "headers", "action"), OBJECT_ACTIONS)
def test_object_operations(
    cloud: Cloud, method: str, params: dict[str, str], headers: dict[str, str], action: str
) -> None:
    refused(cloud, action, f"{BUCKET_ARN}/n/中 k", method, "n/中 k", params=params, headers=headers, data=b"")


@pytest.mark.parametrize(("method", "params", "action"), BUCKET_ACTIONS)
def test_bucket_operations(cloud: Cloud, method: str, params: dict[str, str], action: str) -> None:
    refused(cloud, action, BUCKET_ARN, method, "", params=params)


@pytest.mark.parametrize("params", [{}, PART])
@pytest.mark.parametrize(
    ("source", "action"),
    [("k", "oss:GetObject"), ("k?versionId=null", "oss:GetObjectVersion")],
    ids=["newest", "version"],
)
def test_copies_read_their_source(cloud: Cloud, params: dict[str, str], source: str, action: str) -> None:
    headers = {"x-oss-copy-source": f"/{BUCKET}/{source}"}
    refused(cloud, action, f"{BUCKET_ARN}/k", "PUT", "target", params=params, headers=headers)


def test_a_copy_that_carries_tags_over_needs_both_rights(cloud: Cloud) -> None:
    cloud.put("tagged", headers={"x-oss-tagging": "a=b"})
    headers = {"x-oss-copy-source": f"/{BUCKET}/tagged"}
    for action in ("oss:GetObjectTagging", "oss:PutObjectTagging"):
        cloud.denies = lambda found, where, action=action: found == action  # type: ignore[misc]
        assert cloud.send("PUT", "copy", headers=headers).text("AccessDeniedDetail/AuthAction") == action
    cloud.denies = lambda found, where: "Tagging" in found
    replaced = {**headers, "x-oss-tagging-directive": "Replace"}
    assert cloud.send("PUT", "copy", headers=replaced).status == 200


def test_deleting_many_is_refused_as_a_whole(cloud: Cloud) -> None:
    cloud.put("a")
    body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>null</VersionId></Object></Delete>"
    headers = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    cloud.denies = lambda action, resource: action == "oss:DeleteObjectVersion"
    answer = cloud.send("POST", params={"delete": ""}, headers=headers, data=body)
    assert answer.text("AccessDeniedDetail/AuthAction") == "oss:DeleteObjectVersion"
    assert cloud.get("a") == b"content"


def test_list_buckets_is_a_right_of_the_account(cloud: Cloud) -> None:
    cloud.denies = lambda action, resource: action == "oss:ListBuckets"
    assert cloud.send("GET", bucket="").error[:2] == (403, "AccessDenied")
    assert cloud.asked[-1][1] == f"acs:oss:*:{ACCOUNT}:*"


def conditions_of(cloud: Cloud, params: Mapping[str, str]) -> Mapping[str, str]:
    cloud.asked.clear()
    assert cloud.send("GET", params=params).status == 200
    return cloud.asked[0][2]


def test_only_list_objects_tells_its_prefix(cloud: Cloud) -> None:
    told = {"oss:Prefix": "a/中", "oss:Delimiter": "/"}
    for kind in ({}, {"list-type": "2"}):
        assert conditions_of(cloud, {"prefix": "a/中", "delimiter": "/", **kind}) == told
    assert conditions_of(cloud, {}) == {"oss:Prefix": "", "oss:Delimiter": ""}
    assert conditions_of(cloud, {"versions": "", "prefix": "a/"}) == {}


@pytest.mark.parametrize("action", ["kms:GenerateDataKey", "kms:Decrypt"])
def test_kms_needs_its_own_rights(cloud: Cloud, action: str) -> None:
    headers = {"x-oss-server-side-encryption": "KMS", "x-oss-server-side-encryption-key-id": "key-1"}
    cloud.denies = lambda found, resource: found == action
    answer = cloud.send("PUT", "k", data=b"x", headers=headers)
    assert answer.text("AccessDeniedDetail/AuthAction") == action
    assert cloud.asked[-1][1] == f"acs:kms:cn-hangzhou:{ACCOUNT}:key/key-1"


def test_reading_what_kms_encrypts_needs_decrypt_but_a_head_does_not(cloud: Cloud) -> None:
    cloud.put("k", headers={"x-oss-server-side-encryption": "KMS"})
    cloud.denies = lambda action, resource: action == "kms:Decrypt"
    assert cloud.send("GET", "k").error[:2] == (403, "AccessDenied")
    assert cloud.send("HEAD", "k").status == 200


def test_the_right_comes_before_the_object(cloud: Cloud) -> None:
    """Nobody learns by a 404 what they may not see."""
    cloud.denies = lambda action, resource: True
    assert cloud.send("GET", "missing").status == 403
    assert cloud.send("GET", "missing", bucket="no-such-bucket").status == 403
    cloud.denies = lambda action, resource: False
    assert cloud.send("GET", "missing", bucket="no-such-bucket").error == (404, "NoSuchBucket", "0015-00000101")
    assert cloud.send("GET", "missing", bucket=VERSIONED_BUCKET).error[1] == "NoSuchKey"


def test_copying_reads_and_writes_what_kms_encrypts(cloud: Cloud) -> None:
    kms = {"x-oss-server-side-encryption": "KMS"}
    cloud.put("secret", headers=kms)
    cloud.put("plain")
    cloud.denies = lambda action, resource: action.startswith("kms:")
    for source, headers, action in (("secret", {}, "kms:Decrypt"), ("plain", kms, "kms:GenerateDataKey")):
        answer = cloud.send("PUT", "copy", headers={"x-oss-copy-source": f"/{BUCKET}/{source}", **headers})
        assert answer.text("AccessDeniedDetail/AuthAction") == action
    assert cloud.send("POST", "k", params={"uploads": ""}, headers=kms).error[:2] == (403, "AccessDenied")
    assert cloud.send("PUT", "copy", headers={"x-oss-copy-source": f"/{BUCKET}/plain"}).status == 200
