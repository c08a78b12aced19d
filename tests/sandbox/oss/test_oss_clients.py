"""Clients that were written for the real OSS, by others, work against it unchanged, and are refused alike.

Three programs with signers of their own: oss2 (V1 and V4), the newer SDK (V1 and V4), opendal (V1; in Rust).
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import Any, Protocol

import alibabacloud_oss_v2 as sdk
import opendal
import oss2
import pytest
from oss_cloud import AWKWARD, BUCKET, ELSEWHERE, REGION, ROOT, SESSION, Cloud, fetch
from oss_cloud import VERSIONED_BUCKET as V

from backup_action.sandbox.world import Key

PART = 102_400


class Client(Protocol):
    """What every client is asked to do here."""

    def put(self, key: str, data: bytes) -> None: ...
    def get(self, key: str) -> bytes: ...
    def part_of(self, key: str, start: int, length: int) -> bytes: ...
    def size(self, key: str) -> int: ...
    def names(self, prefix: str = "") -> list[str]: ...
    def folders(self) -> list[str]: ...
    def copy(self, source: str, target: str) -> None: ...
    def delete(self, key: str) -> None: ...
    def delete_many(self, keys: list[str]) -> None: ...
    def parts(self, key: str, parts: list[bytes]) -> None: ...
    def url(self, key: str) -> tuple[str, dict[str, str]]: ...


class Oss2:
    def __init__(self, cloud: Cloud, key: Key, bucket: str, region: str, version: int) -> None:
        auth: Any
        if version == 4:
            provider = oss2.credentials.StaticCredentialsProvider(key.access_key_id, key.secret, key.token or None)
            auth = oss2.ProviderAuthV4(provider)
        elif key.token:
            auth = oss2.StsAuth(key.access_key_id, key.secret, key.token)
        else:
            auth = oss2.Auth(key.access_key_id, key.secret)
        self.bucket = oss2.Bucket(auth, cloud.url, bucket, region=region)

    def put(self, key: str, data: bytes) -> None:
        self.bucket.put_object(key, data)

    def get(self, key: str) -> bytes:
        return bytes(self.bucket.get_object(key).read())

    def part_of(self, key: str, start: int, length: int) -> bytes:
        return bytes(self.bucket.get_object(key, byte_range=(start, start + length - 1)).read())

    def size(self, key: str) -> int:
        assert self.bucket.get_object_meta(key).content_length == self.bucket.head_object(key).content_length
        return int(self.bucket.head_object(key).content_length)

    def names(self, prefix: str = "") -> list[str]:
        found = [entry.key for entry in oss2.ObjectIteratorV2(self.bucket, prefix=prefix)]
        assert [entry.key for entry in oss2.ObjectIterator(self.bucket, prefix=prefix)] == found
        return found

    def folders(self) -> list[str]:
        return [entry.key for entry in oss2.ObjectIteratorV2(self.bucket, delimiter="/") if entry.is_prefix()]

    def copy(self, source: str, target: str) -> None:
        self.bucket.copy_object(self.bucket.bucket_name, source, target)

    def delete(self, key: str) -> None:
        self.bucket.delete_object(key)

    def delete_many(self, keys: list[str]) -> None:
        assert self.bucket.batch_delete_objects(keys).deleted_keys == keys

    def parts(self, key: str, parts: list[bytes]) -> None:
        upload = self.bucket.init_multipart_upload(key).upload_id
        sent = []
        for number, data in enumerate(parts, 1):
            told = self.bucket.upload_part(key, upload, number, data)
            sent.append(oss2.models.PartInfo(number, told.etag, size=len(data), part_crc=told.crc))
        assert [part.part_number for part in oss2.PartIterator(self.bucket, key, upload)] == [
            part.part_number for part in sent
        ]
        assert [entry.key for entry in oss2.MultipartUploadIterator(self.bucket)] == [key]
        self.bucket.complete_multipart_upload(key, upload, sent)

    def url(self, key: str) -> tuple[str, dict[str, str]]:
        return self.bucket.sign_url("GET", key, 60, slash_safe=False), {}


class Sdk:
    def __init__(self, cloud: Cloud, key: Key, bucket: str, region: str, version: int) -> None:
        config = sdk.config.load_default()
        config.credentials_provider = sdk.credentials.StaticCredentialsProvider(
            key.access_key_id, key.secret, key.token or None
        )
        config.region, config.endpoint, config.use_path_style = region, cloud.url, True
        config.signature_version, config.retry_max_attempts = f"v{version}", 1
        self.client, self.name = sdk.Client(config), bucket

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(sdk.PutObjectRequest(bucket=self.name, key=key, body=data))

    def get(self, key: str) -> bytes:
        return bytes(self.client.get_object(sdk.GetObjectRequest(bucket=self.name, key=key)).body.content)

    def part_of(self, key: str, start: int, length: int) -> bytes:
        span = f"bytes={start}-{start + length - 1}"
        return bytes(
            self.client.get_object(sdk.GetObjectRequest(bucket=self.name, key=key, range_header=span)).body.content
        )

    def size(self, key: str) -> int:
        return int(self.client.head_object(sdk.HeadObjectRequest(bucket=self.name, key=key)).content_length)

    def names(self, prefix: str = "") -> list[str]:
        pages = self.client.list_objects_v2_paginator().iter_page(
            sdk.ListObjectsV2Request(bucket=self.name, prefix=prefix)
        )
        found = [entry.key for page in pages for entry in page.contents or ()]
        pages = self.client.list_objects_paginator().iter_page(sdk.ListObjectsRequest(bucket=self.name, prefix=prefix))
        assert [entry.key for page in pages for entry in page.contents or ()] == found
        return found

    def folders(self) -> list[str]:
        pages = self.client.list_objects_v2_paginator().iter_page(
            sdk.ListObjectsV2Request(bucket=self.name, delimiter="/")
        )
        return [entry.prefix for page in pages for entry in page.common_prefixes or ()]

    def copy(self, source: str, target: str) -> None:
        self.client.copy_object(sdk.CopyObjectRequest(bucket=self.name, key=target, source_key=source))

    def delete(self, key: str) -> None:
        self.client.delete_object(sdk.DeleteObjectRequest(bucket=self.name, key=key))

    def delete_many(self, keys: list[str]) -> None:
        objects = [sdk.DeleteObject(key=key) for key in keys]
        told = self.client.delete_multiple_objects(sdk.DeleteMultipleObjectsRequest(bucket=self.name, objects=objects))
        assert [entry.key for entry in told.deleted_objects] == keys

    def parts(self, key: str, parts: list[bytes]) -> None:
        body = io.BytesIO(b"".join(parts))
        sdk.Uploader(self.client).upload_from(
            sdk.PutObjectRequest(bucket=self.name, key=key), body, part_size=len(parts[0]), parallel_num=3
        )

    def url(self, key: str) -> tuple[str, dict[str, str]]:
        told = self.client.presign(sdk.GetObjectRequest(bucket=self.name, key=key))
        return told.url, dict(told.signed_headers or {})


class Opendal:
    """Through its asynchronous face: the other one holds the interpreter, and with it the server in this process."""

    def __init__(self, cloud: Cloud, key: Key, bucket: str, region: str, version: int) -> None:
        session = {"security_token": key.token} if key.token else {}
        self.operator = opendal.AsyncOperator(
            "oss",
            bucket=bucket,
            endpoint=cloud.url,
            addressing_style="path",
            access_key_id=key.access_key_id,
            access_key_secret=key.secret,
            **session,
        )

    def put(self, key: str, data: bytes) -> None:
        asyncio.run(self._run(lambda: self.operator.write(key, data)))

    async def _run(self, step: Callable[[], Any]) -> Any:
        return await step()

    def get(self, key: str) -> bytes:
        return bytes(asyncio.run(self._run(lambda: self.operator.read(key))))

    def part_of(self, key: str, start: int, length: int) -> bytes:
        return bytes(asyncio.run(self._run(lambda: self.operator.read(key, offset=start, size=length))))

    def size(self, key: str) -> int:
        return int(asyncio.run(self._run(lambda: self.operator.stat(key))).content_length)

    async def _list(self, path: str, recursive: bool) -> list[str]:
        return [entry.path async for entry in await self.operator.list(path, recursive=recursive)]

    def names(self, prefix: str = "") -> list[str]:
        return asyncio.run(self._list(prefix, True))

    def folders(self) -> list[str]:
        return [path for path in asyncio.run(self._list("", False)) if path.endswith("/")]

    def copy(self, source: str, target: str) -> None:
        asyncio.run(self._run(lambda: self.operator.copy(source, target)))

    def delete(self, key: str) -> None:
        asyncio.run(self._run(lambda: self.operator.delete(key)))

    def delete_many(self, keys: list[str]) -> None:
        asyncio.run(self._run(lambda: self.operator.remove_all(keys[0].partition("/")[0] + "/")))

    async def _parts(self, key: str, parts: list[bytes]) -> None:
        file = await self.operator.open(key, "wb", chunk=len(parts[0]))
        for part in parts:
            await file.write(part)
        await file.close()

    def parts(self, key: str, parts: list[bytes]) -> None:
        asyncio.run(self._parts(key, parts))

    def url(self, key: str) -> tuple[str, dict[str, str]]:
        told = asyncio.run(self._run(lambda: self.operator.presign_read(key, 60)))
        return told.url, dict(told.headers)


KINDS: dict[str, tuple[type[Any], int]] = {
    "oss2-v1": (Oss2, 1),
    "oss2-v4": (Oss2, 4),
    "sdk-v1": (Sdk, 1),
    "sdk-v4": (Sdk, 4),
    "opendal": (Opendal, 1),
}
Connect = Callable[..., Client]


@pytest.fixture(params=list(KINDS))
def connect(request: pytest.FixtureRequest, cloud: Cloud) -> Connect:
    made, version = KINDS[request.param]

    def make(key: Key = SESSION, *, bucket: str = BUCKET, region: str = REGION) -> Client:
        client: Client = made(cloud, key, bucket, region, version)
        return client

    return make


@pytest.mark.parametrize("key", [ROOT, SESSION])
def test_one_object_through_its_life(cloud: Cloud, connect: Connect, key: Key) -> None:
    client = connect(key)
    for name, data in (("a", b"0123456789"), ("empty", b""), ("large", bytes(3 << 20))):
        client.put(name, data)
        assert (client.get(name), client.size(name)) == (data, len(data))
    assert client.part_of("a", 3, 4) == b"3456"
    client.copy("a", "dir/copy")
    assert client.get("dir/copy") == b"0123456789"
    client.delete("a")
    assert client.names() == ["dir/copy", "empty", "large"]
    with pytest.raises(Exception, match=r"NoSuchKey|NotFound"):
        client.get("a")


def test_awkward_keys(cloud: Cloud, connect: Connect) -> None:
    client = connect()
    keys = (
        [key for key in AWKWARD if key.strip("/") == key and "//" not in key]
        if isinstance(client, Opendal)
        else AWKWARD
    )
    for key in keys:
        client.put(key, key.encode())
    assert sorted(cloud.store.buckets[BUCKET].versions) == sorted(keys)
    for key in keys:
        assert client.get(key) == key.encode()
        client.copy(key, "copy")
        assert client.get("copy") == key.encode()
        assert fetch("GET", client.url(key)[0], headers=client.url(key)[1]).body == key.encode()
    assert client.names() == sorted([*keys, "copy"], key=str.encode)
    for key in keys:
        client.delete(key)
    assert client.names() == ["copy"]


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_pages(cloud: Cloud, connect: Connect, size: int) -> None:
    cloud.world.knobs.page_size = size
    client = connect()
    keys = ["a", "b c", "d/1", "d/2", "d/3/x", "é", "中/文"]
    for key in keys:
        client.put(key, b"x")
    assert client.names() == keys
    assert client.names("d/") == ["d/1", "d/2", "d/3/x"]
    assert client.folders() == ["d/", "中/"]


def test_multipart(cloud: Cloud, connect: Connect) -> None:
    client = connect()
    parts = [b"1" * PART, b"2" * PART, b"3"]
    client.parts("dir/a b", parts)
    assert client.get("dir/a b") == b"".join(parts)
    assert cloud.send("HEAD", "dir/a b").headers["ETag"].endswith('-3"')
    assert cloud.count("part") == 3
    assert not cloud.store.buckets[BUCKET].uploads


def test_deleting_many(cloud: Cloud, connect: Connect) -> None:
    client = connect()
    for key in ("d/a b", "d/中&<", "e"):
        client.put(key, b"x")
    client.delete_many(["d/a b", "d/中&<"])
    assert client.names() == ["e"]
    assert cloud.count("delete-many") == 1


REFUSED = [
    (Key("LTAIstranger", "x"), "InvalidAccessKeyId"),
    (Key(ROOT.access_key_id, "wrong"), "SignatureDoesNotMatch"),
    (Key(SESSION.access_key_id, SESSION.secret, "wrong"), "InvalidSecurityToken"),
    (Key(SESSION.access_key_id, SESSION.secret), "InvalidAccessKeyId"),
]


@pytest.mark.parametrize(("key", "code"), REFUSED)
def test_wrong_keys(cloud: Cloud, connect: Connect, key: Key, code: str) -> None:
    cloud.put("k")
    client = connect(key)
    for step in (lambda: client.put("k", b"x"), lambda: client.get("k"), lambda: client.names()):
        with pytest.raises(Exception, match=code):
            step()
    assert cloud.get("k") == b"content"


def test_an_expired_session(cloud: Cloud, connect: Connect) -> None:
    client = connect(SESSION)
    client.put("k", b"in time")
    cloud.change_key(SESSION, expires=cloud.world.now() - 1)
    with pytest.raises(Exception, match="SecurityTokenExpired"):
        client.put("k", b"too late")
    assert cloud.get("k") == b"in time"


def test_a_missing_right(cloud: Cloud, connect: Connect) -> None:
    client = connect()
    cloud.denies = lambda action, resource: action == "oss:PutObject"
    with pytest.raises(Exception, match="AccessDenied"):
        client.put("k", b"x")
    assert not cloud.store.buckets[BUCKET].versions


def test_a_bucket_elsewhere(cloud: Cloud, connect: Connect) -> None:
    with pytest.raises(Exception, match=r"specified endpoint"):
        connect(bucket=ELSEWHERE).get("k")
    with pytest.raises(Exception, match="NoSuchBucket"):
        connect(bucket="nowhere").get("k")


@pytest.mark.parametrize("kind", ["oss2-v4", "sdk-v4"])
def test_a_wrong_region(cloud: Cloud, kind: str) -> None:
    made, version = KINDS[kind]
    with pytest.raises(Exception, match=r"Invalid signing region"):
        made(cloud, SESSION, BUCKET, "cn-shanghai", version).put("k", b"x")


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_wrong_clock(cloud: Cloud, connect: Connect, minutes: int) -> None:
    cloud.world.knobs.clock_offset = minutes * 60
    with pytest.raises(Exception, match="RequestTimeTooSkewed"):
        connect().put("k", b"x")


def test_versions_with_oss2(cloud: Cloud) -> None:
    cloud.world.knobs.page_size = 2
    bucket = Oss2(cloud, SESSION, V, REGION, 4).bucket
    ids = [bucket.put_object("a b", b"%d" % n).versionid for n in range(3)]
    marker = bucket.delete_object("a b")
    assert marker.delete_marker
    assert [bucket.get_object("a b", params={"versionId": one}).read() for one in ids] == [b"0", b"1", b"2"]
    first = bucket.list_object_versions()
    assert [first.delete_marker[0].versionid, first.versions[0].versionid] == [marker.versionid, ids[2]]
    rest = bucket.list_object_versions(key_marker=first.next_key_marker, versionid_marker=first.next_versionid_marker)
    assert [one.versionid for one in rest.versions] == [ids[1], ids[0]]
    assert not rest.is_truncated
    assert bucket.get_bucket_versioning().status == "Enabled"
    bucket.delete_object("a b", params={"versionId": marker.versionid})
    assert bucket.get_object("a b").read() == b"2"


def test_versions_with_the_newer_sdk(cloud: Cloud) -> None:
    cloud.world.knobs.page_size = 2
    client = Sdk(cloud, SESSION, V, REGION, 4).client
    ids = [client.put_object(sdk.PutObjectRequest(bucket=V, key="k", body=b"%d" % n)).version_id for n in range(3)]
    marker = client.delete_object(sdk.DeleteObjectRequest(bucket=V, key="k"))
    assert marker.delete_marker
    old = client.get_object(sdk.GetObjectRequest(bucket=V, key="k", version_id=ids[0]))
    assert old.body.content == b"0"
    pages = list(client.list_object_versions_paginator().iter_page(sdk.ListObjectVersionsRequest(bucket=V)))
    assert [one.version_id for page in pages for one in page.version or ()] == list(reversed(ids))
    assert [one.version_id for page in pages for one in page.delete_marker or ()] == [marker.version_id]


def test_versions_with_opendal(cloud: Cloud) -> None:
    client = Opendal(cloud, SESSION, V, REGION, 1)
    client.put("k", b"old")
    version = asyncio.run(client._run(lambda: client.operator.stat("k"))).version
    client.put("k", b"new")
    assert client.get("k") == b"new"
    assert bytes(asyncio.run(client._run(lambda: client.operator.read("k", version=version)))) == b"old"


def test_what_else_oss2_can_do(cloud: Cloud) -> None:
    bucket = Oss2(cloud, SESSION, BUCKET, REGION, 4).bucket
    first = bucket.append_object("log", 0, b"one", init_crc=0)
    bucket.append_object("log", first.next_position, b"two", init_crc=first.crc)
    assert bucket.get_object("log").read() == b"onetwo"
    rule = oss2.models.TaggingRule()
    rule.add("key one", "value+1")
    bucket.put_object_tagging("log", oss2.models.Tagging(rule))
    assert bucket.get_object_tagging("log").tag_set.tagging_rule == {"key one": "value+1"}
    bucket.put_object_acl("log", oss2.OBJECT_ACL_PRIVATE)
    assert bucket.get_object_acl("log").acl == "private"
    bucket.put_object("cold", b"x", headers={"x-oss-storage-class": "ColdArchive"})
    parameters = oss2.models.RestoreJobParameters("Expedited")
    told = bucket.restore_object("cold", input=oss2.models.RestoreConfiguration(days=3, job_parameters=parameters))
    assert told.status == 202
    with pytest.raises(oss2.exceptions.RestoreAlreadyInProgress):
        bucket.restore_object("cold")
    assert bucket.object_exists("cold")
    assert not bucket.object_exists("missing")
    info = bucket.get_bucket_info()
    assert (info.name, info.location, info.versioning_status) == (BUCKET, f"oss-{REGION}", None)
    assert bucket.get_bucket_stat().object_count == 2
    assert bucket.get_bucket_location().location == f"oss-{REGION}"
    service = oss2.Service(bucket.auth, cloud.url, region=REGION)
    assert [one.name for one in oss2.BucketIterator(service)] == [ELSEWHERE, BUCKET, V]


def test_resumable_upload_and_download(cloud: Cloud, tmp_path: Any) -> None:
    bucket = Oss2(cloud, SESSION, BUCKET, REGION, 4).bucket
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 4000)
    store = oss2.make_upload_store(root=str(tmp_path))
    oss2.resumable_upload(
        bucket, "k", str(source), store=store, multipart_threshold=PART, part_size=PART * 2, num_threads=2
    )
    downloads = oss2.make_download_store(root=str(tmp_path))
    oss2.resumable_download(
        bucket, "k", str(target), store=downloads, multiget_threshold=PART, part_size=PART, num_threads=2
    )
    assert target.read_bytes() == source.read_bytes()


def test_oss2_finds_what_was_altered(cloud: Cloud, tmp_path: Any) -> None:
    bucket = Oss2(cloud, SESSION, BUCKET, REGION, 4).bucket
    cloud.fault("alter", request="put")
    with pytest.raises(oss2.exceptions.InconsistentError):
        bucket.put_object("k", b"content")
    cloud.put("k")
    cloud.fault("alter", request="get")
    with pytest.raises(oss2.exceptions.InconsistentError):
        bucket.get_object_to_file("k", str(tmp_path / "k"))


def test_the_newer_sdk_copies_in_parts(cloud: Cloud) -> None:
    client = Sdk(cloud, SESSION, BUCKET, REGION, 4)
    client.put("a b", bytes(range(256)) * 1200)
    request = sdk.CopyObjectRequest(bucket=BUCKET, key="copy", source_key="a b")
    sdk.Copier(client.client).copy(request, part_size=PART, multipart_copy_threshold=PART, disable_shallow_copy=True)
    assert cloud.count("part-copy") == 3
    assert client.get("copy") == bytes(range(256)) * 1200
