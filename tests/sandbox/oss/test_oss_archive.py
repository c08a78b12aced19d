"""Archives: what can be read when, and RestoreObject's answers."""

from __future__ import annotations

import pytest
from oss_cloud import BUCKET, Cloud

DAY = 86_400


def restore(cloud: Cloud, days: int | None = None, tier: str = "") -> tuple[int, str]:
    body = b""
    if days is not None:
        inner = f"<JobParameters><Tier>{tier}</Tier></JobParameters>" if tier else ""
        body = f"<RestoreRequest><Days>{days}</Days>{inner}</RestoreRequest>".encode()
    answer = cloud.send("POST", "k", params={"restore": ""}, data=body)
    return answer.status, "" if answer.status < 300 else answer.error[1]


def archived(cloud: Cloud, storage_class: str = "Archive") -> None:
    cloud.put("k", headers={"x-oss-storage-class": storage_class})


def pass_time(cloud: Cloud, seconds: float) -> None:
    """The stored moments move into the past, so signatures stay in time."""
    version = cloud.store.buckets[BUCKET].versions["k"][0]
    version.restored_at -= seconds
    version.restored_until -= seconds


@pytest.mark.parametrize("storage_class", ["Archive", "ColdArchive", "DeepColdArchive"])
def test_the_life_of_a_restore(cloud: Cloud, storage_class: str) -> None:
    archived(cloud, storage_class)
    assert cloud.send("HEAD", "k").headers["x-oss-storage-class"] == storage_class
    assert "x-oss-restore" not in cloud.send("HEAD", "k").headers
    assert cloud.send("GET", "k").error[:2] == (403, "InvalidObjectState")
    assert restore(cloud, 2) == (202, "")
    assert cloud.send("HEAD", "k").headers["x-oss-restore"] == 'ongoing-request="true"'
    assert cloud.send("GET", "k").status == 403
    assert restore(cloud, 2) == (409, "RestoreAlreadyInProgress")
    pass_time(cloud, 61)
    assert cloud.get("k") == b"content"
    told = cloud.send("HEAD", "k").headers["x-oss-restore"]
    assert told.startswith('ongoing-request="false", expiry-date="')
    assert told.endswith(' GMT"')
    assert restore(cloud, 3) == (200, "")
    pass_time(cloud, 2 * DAY + 120)
    assert cloud.get("k") == b"content"
    pass_time(cloud, DAY)
    assert cloud.send("GET", "k").error[1] == "InvalidObjectState"
    assert restore(cloud) == (202, "")


def test_how_long_it_takes_is_a_knob(cloud: Cloud) -> None:
    cloud.world.knobs.restore_seconds = 0
    archived(cloud)
    assert restore(cloud, 1) == (202, "")
    assert cloud.get("k") == b"content"


@pytest.mark.parametrize(
    ("storage_class", "days", "tier", "answer"),
    [
        ("Standard", 1, "", (400, "OperationNotSupported")),
        ("IA", None, "", (400, "OperationNotSupported")),
        ("Archive", 7, "", (202, "")),
        ("Archive", 8, "", (400, "MalformedXML")),
        ("Archive", 0, "", (400, "MalformedXML")),
        ("Archive", 1, "Standard", (400, "MalformedXML")),
        ("ColdArchive", 365, "Bulk", (202, "")),
        ("ColdArchive", 366, "", (400, "MalformedXML")),
        ("ColdArchive", 1, "Fast", (400, "MalformedXML")),
        ("DeepColdArchive", 1, "Bulk", (400, "MalformedXML")),
    ],
)
def test_requests(cloud: Cloud, storage_class: str, days: int | None, tier: str, answer: tuple[int, str]) -> None:
    archived(cloud, storage_class)
    assert restore(cloud, days, tier) == answer


def test_a_missing_object(cloud: Cloud) -> None:
    assert restore(cloud, 1) == (404, "NoSuchKey")


def test_an_archive_is_neither_copied_nor_a_part(cloud: Cloud) -> None:
    archived(cloud)
    headers = {"x-oss-copy-source": f"/{BUCKET}/k"}
    assert cloud.send("PUT", "copy", headers=headers).error[1] == "InvalidObjectState"
    upload = cloud.send("POST", "copy", params={"uploads": ""}).text("UploadId") or ""
    params = {"uploadId": upload, "partNumber": "1"}
    assert cloud.send("PUT", "copy", params=params, headers=headers).error[1] == "InvalidObjectState"


def test_an_archive_can_be_overwritten_and_deleted(cloud: Cloud) -> None:
    archived(cloud)
    cloud.put("k", b"new")
    assert cloud.get("k") == b"new"
    archived(cloud)
    assert cloud.send("DELETE", "k").status == 204


def test_deep_cold_is_not_everywhere(cloud: Cloud) -> None:
    cloud.store.create_bucket("far", region="cn-guangzhou")
    headers = {"x-oss-storage-class": "DeepColdArchive", "Host": "oss-cn-guangzhou.localhost"}
    answer = cloud.send("PUT", "k", bucket="far", region="cn-guangzhou", headers=headers, data=b"x")
    assert answer.error == (400, "InvalidArgument", "0013-00000109")


def test_a_listing_tells_the_class_and_the_restore(cloud: Cloud) -> None:
    archived(cloud)
    restore(cloud, 1)
    listed = cloud.send("GET", params={"list-type": "2"})
    assert listed.text("Contents/StorageClass") == "Archive"
    assert listed.text("Contents/RestoreInfo") == 'ongoing-request="true"'
