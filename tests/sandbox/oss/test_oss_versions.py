"""Versioned and suspended buckets: what a put and a delete leave, and what can be had back."""

from __future__ import annotations

import base64
import hashlib
from typing import Literal

from oss_cloud import BUCKET, Answer, Cloud
from oss_cloud import VERSIONED_BUCKET as V


def put(cloud: Cloud, data: bytes) -> str:
    return cloud.put("k", data, bucket=V).headers["x-oss-version-id"]


def delete(cloud: Cloud, version: str | None = None) -> Answer:
    return cloud.send("DELETE", "k", bucket=V, params={} if version is None else {"versionId": version})


def read(cloud: Cloud, version: str | None = None) -> Answer:
    return cloud.send("GET", "k", bucket=V, params={} if version is None else {"versionId": version})


def versions(cloud: Cloud) -> list[tuple[str, str, str]]:
    tree = cloud.send("GET", bucket=V, params={"versions": ""}).tree
    nodes = [node for node in tree if node.tag in ("Version", "DeleteMarker")]
    return [(node.tag, node.findtext("VersionId") or "", node.findtext("IsLatest") or "") for node in nodes]


def switch(cloud: Cloud, status: Literal["Enabled", "Suspended"]) -> None:
    body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>".encode()
    assert cloud.send("PUT", bucket=V, params={"versioning": ""}, data=body).status == 200


def test_every_put_is_a_version(cloud: Cloud) -> None:
    one, two = put(cloud, b"1"), put(cloud, b"2")
    assert one != two
    assert (read(cloud).body, read(cloud, one).body, read(cloud, two).body) == (b"2", b"1", b"2")
    assert read(cloud, one).headers["x-oss-version-id"] == one
    assert versions(cloud) == [("Version", two, "true"), ("Version", one, "false")]


def test_a_delete_puts_a_marker_on_top_and_markers_pile_up(cloud: Cloud) -> None:
    one = put(cloud, b"1")
    first, second = delete(cloud), delete(cloud)
    assert first.status == 204
    assert first.headers["x-oss-delete-marker"] == "true"
    assert [tag for tag, _, _ in versions(cloud)] == ["DeleteMarker", "DeleteMarker", "Version"]
    gone = read(cloud)
    assert gone.error[1] == "NoSuchKey"
    assert gone.headers["x-oss-delete-marker"] == "true"
    marker = second.headers["x-oss-version-id"]
    assert read(cloud, marker).error[:2] == (405, "MethodNotAllowed")
    assert read(cloud, one).body == b"1"
    assert cloud.send("GET", bucket=V, params={"list-type": "2"}).tree.find("Contents") is None
    removed = delete(cloud, marker)
    assert (removed.headers["x-oss-delete-marker"], removed.headers["x-oss-version-id"]) == ("true", marker)
    delete(cloud, first.headers["x-oss-version-id"])
    assert read(cloud).body == b"1"


def test_a_version_can_be_removed_for_good(cloud: Cloud) -> None:
    one, two = put(cloud, b"1"), put(cloud, b"2")
    answer = delete(cloud, two)
    assert answer.headers["x-oss-version-id"] == two
    assert "x-oss-delete-marker" not in answer.headers
    assert read(cloud).body == b"1"
    assert delete(cloud, two).status == 204
    assert read(cloud, two).error[:2] == (404, "NoSuchVersion")
    delete(cloud, one)
    assert versions(cloud) == []
    assert read(cloud, "").error[1] == "InvalidArgument"


def test_suspended_buckets_overwrite_the_null_version(cloud: Cloud) -> None:
    one = put(cloud, b"1")
    switch(cloud, "Suspended")
    assert put(cloud, b"2") == "null"
    assert put(cloud, b"3") == "null"
    assert versions(cloud) == [("Version", "null", "true"), ("Version", one, "false")]
    marker = delete(cloud)
    assert marker.headers["x-oss-version-id"] == "null"
    delete(cloud)
    assert versions(cloud) == [("DeleteMarker", "null", "true"), ("Version", one, "false")]
    switch(cloud, "Enabled")
    two = put(cloud, b"4")
    assert [tag for tag, _, _ in versions(cloud)] == ["Version", "DeleteMarker", "Version"]
    assert two != "null"


def test_what_was_before_versioning_is_the_null_version(cloud: Cloud) -> None:
    cloud.put("k", b"old")
    cloud.store.buckets[BUCKET].facts.versioning = "Enabled"
    cloud.put("k", b"new")
    assert cloud.get("k", params={"versionId": "null"}) == b"old"
    assert cloud.get("k") == b"new"


def test_copying_a_version_brings_it_back(cloud: Cloud) -> None:
    one = put(cloud, b"1")
    put(cloud, b"2")
    marker = delete(cloud).headers["x-oss-version-id"]
    source = f"/{V}/k"
    assert cloud.send("PUT", "k", bucket=V, headers={"x-oss-copy-source": source}).error[:2] == (404, "NoSuchKey")
    answer = cloud.send("PUT", "k", bucket=V, headers={"x-oss-copy-source": f"{source}?versionId={one}"})
    assert answer.headers["x-oss-copy-source-version-id"] == one
    assert answer.headers["x-oss-version-id"] not in (one, "null")
    assert read(cloud).body == b"1"
    refused = cloud.send("PUT", "k", bucket=V, headers={"x-oss-copy-source": f"{source}?versionId={marker}"})
    assert refused.status == 405


def test_deleting_many_versions(cloud: Cloud) -> None:
    one, two = put(cloud, b"1"), put(cloud, b"2")
    objects = f"<Object><Key>k</Key><VersionId>{one}</VersionId></Object><Object><Key>k</Key></Object>"
    body = f"<Delete>{objects}</Delete>".encode()
    headers = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    tree = cloud.send("POST", bucket=V, params={"delete": ""}, headers=headers, data=body).tree
    assert [node.findtext("VersionId") for node in tree] == [one, None]
    assert [node.findtext("DeleteMarker") for node in tree] == [None, "true"]
    marker = tree[1].findtext("DeleteMarkerVersionId")
    assert versions(cloud) == [("DeleteMarker", marker, "true"), ("Version", two, "false")]


def test_tags_belong_to_a_version(cloud: Cloud) -> None:
    one = cloud.put("k", b"1", bucket=V, headers={"x-oss-tagging": "a=1"}).headers["x-oss-version-id"]
    put(cloud, b"2")
    tags = cloud.send("GET", "k", bucket=V, params={"tagging": "", "versionId": one})
    assert tags.text("TagSet/Tag/Key") == "a"
    assert cloud.send("GET", "k", bucket=V, params={"tagging": ""}).tree.find("TagSet/Tag") is None


def test_a_multipart_object_is_a_version_too(cloud: Cloud) -> None:
    one = put(cloud, b"1")
    upload = cloud.send("POST", "k", bucket=V, params={"uploads": ""}).text("UploadId") or ""
    cloud.send("PUT", "k", bucket=V, params={"uploadId": upload, "partNumber": "1"}, data=b"2")
    answer = cloud.send("POST", "k", bucket=V, params={"uploadId": upload}, headers={"x-oss-complete-all": "yes"})
    assert answer.headers["x-oss-version-id"] not in (one, "null")
    assert (read(cloud).body, read(cloud, one).body) == (b"2", b"1")
