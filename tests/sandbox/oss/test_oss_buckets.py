"""Buckets: made, told of, set, removed."""

from __future__ import annotations

import pytest
from oss_cloud import BUCKET, ELSEWHERE, Cloud
from oss_cloud import VERSIONED_BUCKET as V


def test_info(cloud: Cloud) -> None:
    told = cloud.send("GET", bucket=V, params={"bucketInfo": ""})
    for name, value in {
        "Name": V,
        "Location": "oss-cn-hangzhou",
        "ExtranetEndpoint": "oss-cn-hangzhou.aliyuncs.com",
        "IntranetEndpoint": "oss-cn-hangzhou-internal.aliyuncs.com",
        "StorageClass": "Standard",
        "Versioning": "Enabled",
        "AccessControlList/Grant": "private",
    }.items():
        assert told.text(f"Bucket/{name}") == value
    assert told.text("Bucket/Owner/ID") == told.text("Bucket/Owner/DisplayName")
    assert (told.text("Bucket/CreationDate") or "").endswith(".000Z")
    assert cloud.send("GET", params={"bucketInfo": ""}).tree.find("Bucket/Versioning") is None
    assert cloud.send("GET", params={"location": ""}).tree.text == "oss-cn-hangzhou"


def test_making_and_removing(cloud: Cloud) -> None:
    body = b"<CreateBucketConfiguration><StorageClass>IA</StorageClass></CreateBucketConfiguration>"
    assert cloud.send("PUT", bucket="fresh", data=body).status == 200
    assert cloud.send("PUT", bucket="fresh").error[:2] == (409, "BucketAlreadyExists")
    assert cloud.put("k", bucket="fresh").status == 200
    assert cloud.send("HEAD", "k", bucket="fresh").headers["x-oss-storage-class"] == "IA"
    assert cloud.send("DELETE", bucket="fresh").error[:2] == (409, "BucketNotEmpty")
    cloud.send("DELETE", "k", bucket="fresh")
    upload = cloud.send("POST", "k", bucket="fresh", params={"uploads": ""}).text("UploadId") or ""
    assert cloud.send("DELETE", bucket="fresh").error[1] == "BucketNotEmpty"
    cloud.send("DELETE", "k", bucket="fresh", params={"uploadId": upload})
    assert cloud.send("DELETE", bucket="fresh").status == 204
    assert cloud.send("GET", bucket="fresh").error[1] == "NoSuchBucket"
    assert cloud.send("PUT", bucket="Not-Valid").error == (400, "InvalidBucketName", "0015-00000001")


def test_a_delete_marker_keeps_a_bucket(cloud: Cloud) -> None:
    cloud.send("DELETE", "k", bucket=V)
    assert cloud.send("DELETE", bucket=V).error[1] == "BucketNotEmpty"


def test_a_hundred_buckets_in_a_region(cloud: Cloud) -> None:
    for number in range(98):
        cloud.store.create_bucket(f"bucket-{number}")
    assert cloud.send("PUT", bucket="one-more").error[:2] == (400, "TooManyBuckets")


def test_list_buckets(cloud: Cloud) -> None:
    tree = cloud.send("GET", bucket="").tree
    assert [node.text for node in tree.findall("Buckets/Bucket/Name")] == [ELSEWHERE, BUCKET, V]
    assert [node.text for node in tree.findall("Buckets/Bucket/Location")] == ["oss-cn-shanghai"] + [
        "oss-cn-hangzhou"
    ] * 2
    page = cloud.send("GET", bucket="", params={"prefix": "sandbox", "max-keys": "1"})
    assert (page.text("Buckets/Bucket/Name"), page.text("NextMarker")) == (BUCKET, BUCKET)
    rest = cloud.send("GET", bucket="", params={"prefix": "sandbox", "marker": BUCKET})
    assert rest.text("Buckets/Bucket/Name") == V
    assert cloud.send("PUT", bucket="").status == 405


def versioning(status: str) -> bytes:
    return f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>".encode()


def test_versioning_is_enabled_and_suspended(cloud: Cloud) -> None:
    params = {"versioning": ""}
    assert cloud.send("GET", params=params).tree.find("Status") is None
    for status in ("Enabled", "Suspended"):
        assert cloud.send("PUT", params=params, data=versioning(status)).status == 200
        assert cloud.send("GET", params=params).text("Status") == status
    for body in (versioning("Off"), versioning(""), b"", b"<x"):
        assert cloud.send("PUT", params=params, data=body).error[1] == "MalformedXML"
    assert cloud.send("GET", params=params).text("Status") == "Suspended"


def test_stat_counts_every_version(cloud: Cloud) -> None:
    cloud.put("a", b"123", bucket=V)
    cloud.put("a", b"4567", bucket=V, headers={"x-oss-storage-class": "Archive"})
    cloud.send("DELETE", "a", bucket=V)
    cloud.send("POST", "b", bucket=V, params={"uploads": ""})
    told = cloud.send("GET", bucket=V, params={"stat": ""})
    names = (
        "Storage",
        "ObjectCount",
        "DeleteMarkerCount",
        "MultipartUploadCount",
        "StandardStorage",
        "ArchiveObjectCount",
    )
    assert [told.text(name) for name in names] == ["7", "2", "1", "1", "3", "1"]


def test_lifecycle_is_kept_as_it_is(cloud: Cloud) -> None:
    params = {"lifecycle": ""}
    assert cloud.send("GET", params=params).error[:2] == (404, "NoSuchLifecycle")
    rule = b"<Rule><ID>x</ID><Prefix>a/</Prefix><Status>Enabled</Status></Rule>"
    body = b"<LifecycleConfiguration>" + rule + b"</LifecycleConfiguration>"
    assert cloud.send("PUT", params=params, data=body).status == 200
    assert cloud.send("GET", params=params).body == body
    for wrong in (b"<LifecycleConfiguration/>", b"", b"<Rule/>"):
        assert cloud.send("PUT", params=params, data=wrong).error[1] == "MalformedXML"
    assert cloud.send("DELETE", params=params).status == 204
    assert cloud.send("GET", params=params).error[1] == "NoSuchLifecycle"


def encryption(algorithm: str, key_id: str = "") -> bytes:
    key = f"<KMSMasterKeyID>{key_id}</KMSMasterKeyID>" if key_id else ""
    inner = f"<SSEAlgorithm>{algorithm}</SSEAlgorithm>{key}"
    rule = f"<ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault>"
    return f"<ServerSideEncryptionRule>{rule}</ServerSideEncryptionRule>".encode()


def test_encryption_by_default(cloud: Cloud) -> None:
    params = {"encryption": ""}
    assert cloud.send("GET", params=params).error[:2] == (404, "NoSuchServerSideEncryptionRule")
    assert cloud.send("PUT", params=params, data=encryption("KMS", "key-1")).status == 200
    assert cloud.send("GET", params=params).text("ApplyServerSideEncryptionByDefault/KMSMasterKeyID") == "key-1"
    assert cloud.put("k").headers["x-oss-server-side-encryption"] == "KMS"
    assert cloud.send("GET", params={"bucketInfo": ""}).text("Bucket/ServerSideEncryptionRule/SSEAlgorithm") == "KMS"
    for wrong in (encryption("DES"), encryption("AES256", "key-1"), b"<ServerSideEncryptionRule/>"):
        assert cloud.send("PUT", params=params, data=wrong).error[1] == "MalformedXML"
    assert cloud.send("DELETE", params=params).status == 204
    assert "x-oss-server-side-encryption" not in cloud.put("k").headers


def test_retention_is_told(cloud: Cloud) -> None:
    assert cloud.send("GET", params={"worm": ""}).error[:2] == (404, "NoSuchWORMConfiguration")
    cloud.store.create_bucket("worm", worm_days=30)
    told = cloud.send("GET", bucket="worm", params={"worm": ""})
    assert (told.text("State"), told.text("RetentionPeriodInDays")) == ("Locked", "30")


def test_acl(cloud: Cloud) -> None:
    assert cloud.send("GET", params={"acl": ""}).text("AccessControlList/Grant") == "private"
    assert cloud.send("PUT", params={"acl": ""}, headers={"x-oss-acl": "public-read"}).status == 200
    assert cloud.send("GET", params={"acl": ""}).text("AccessControlList/Grant") == "public-read"
    assert cloud.send("PUT", params={"acl": ""}, headers={"x-oss-acl": "default"}).error[1] == "InvalidArgument"


@pytest.mark.parametrize(
    "kind", ["bucketInfo", "location", "versioning", "stat", "lifecycle", "encryption", "worm", "acl"]
)
def test_a_bucket_that_is_not_there(cloud: Cloud, kind: str) -> None:
    assert cloud.send("GET", bucket="nowhere", params={kind: ""}).error[:2] == (404, "NoSuchBucket")
