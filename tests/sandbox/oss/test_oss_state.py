"""A store with a folder comes back as it was, whatever was done, and leaves nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from oss_cloud import AWKWARD, BUCKET, Cloud, new_store, serving
from oss_cloud import VERSIONED_BUCKET as V

from backup_action.sandbox.oss import Store
from backup_action.sandbox.oss.content import md5_of, simple_etag
from backup_action.sandbox.oss.objects import NULL, Bucket, Traits, Version


@contextmanager
def cloud_in(state: Path) -> Iterator[Cloud]:
    with serving(Cloud(store=new_store(state))) as running:
        yield running


def snapshot(store: Store) -> dict[str, object]:
    """All that a store holds, bytes included, in plain values."""
    return {
        name: (
            bucket.facts,
            bucket.index.keys(),
            {
                key: [(version, store.shelf.whole(version.pieces)) for version in stack]
                for key, stack in bucket.versions.items()
            },
        )
        for name, bucket in store.buckets.items()
    }


def blobs(state: Path) -> set[str]:
    return {path.name for path in (state / "blobs").glob("*/*")}


def named(store: Store) -> set[str]:
    versions = (version for bucket in store.buckets.values() for stack in bucket.versions.values() for version in stack)
    return {piece.name for version in versions for piece in version.pieces}


def make(store: Store, bucket: Bucket, key: str, data: bytes) -> Version:
    digest = md5_of(data)
    return Version(
        key,
        store.new_version_id(bucket),
        1_800_000_000.25,
        etag=simple_etag(digest),
        md5=digest,
        size=len(data),
        pieces=(store.shelf.keep(data),),
        traits=Traits({"Content-Type": key}, {"x-oss-meta-a": "b"}, {"t": "1"}),
    )


def act(store: Store, step: tuple[str, str, str, bytes]) -> None:
    kind, bucket_name, key, data = step
    bucket = store.buckets[bucket_name]
    if kind == "put":
        store.place(bucket, make(store, bucket, key, data))
    elif kind == "mark":
        store.place(bucket, Version(key, store.new_version_id(bucket), 1.5, marker=True))
    elif kind == "remove" and bucket.newest(key) is not None:
        newest = bucket.newest(key)
        assert newest is not None
        store.remove(bucket, newest)
    elif kind == "switch" and bucket.facts.versioning:
        bucket.facts.versioning = "Suspended" if bucket.facts.versioning == "Enabled" else "Enabled"
        store.save_facts(bucket)


STEP = st.tuples(
    st.sampled_from(["put", "put", "mark", "remove", "switch"]),
    st.sampled_from([BUCKET, V]),
    st.sampled_from(["a", "b/c", "..", "../../x", "\x00", "中/", "é" * 511]),
    st.binary(max_size=30),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(STEP, max_size=12))
def test_a_restart_brings_everything_back(steps: list[tuple[str, str, str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        store = new_store(state)
        for step in steps:
            act(store, step)
        again = Store(state)
        assert snapshot(again) == snapshot(store)
        assert blobs(state) == named(store)
        assert {path.name for path in Path(folder).iterdir()} == {"state"}


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=20))
def test_a_key_has_at_most_one_null_version_and_the_index_agrees(steps: list[tuple[str, str, str, bytes]]) -> None:
    store = new_store()
    for step in steps:
        act(store, step)
    for bucket in store.buckets.values():
        assert bucket.index.keys() == sorted(bucket.versions)
        for stack in bucket.versions.values():
            ids = [version.version_id for version in stack]
            assert len(ids) == len(set(ids)) > 0
            assert bucket.facts.versioning or ids == [NULL]


def test_over_http(tmp_path: Path) -> None:
    with cloud_in(tmp_path) as cloud:
        for key in AWKWARD:
            cloud.put(key, key.encode(), bucket=V, headers={"x-oss-meta-a": "1", "x-oss-tagging": "a=b"})
            cloud.put(key, b"newer", bucket=V)
        cloud.send("DELETE", AWKWARD[0], bucket=V)
        cloud.send("PUT", "copy", headers={"x-oss-copy-source": f"/{V}/a//b"})
        for position, data in ((0, b"one"), (3, b"two")):
            cloud.send("POST", "appended", params={"append": "", "position": str(position)}, data=data)
        cloud.send("PUT", "made-here", bucket="made-here")
        cloud.send("PUT", bucket="made-here")
        listed = cloud.send("GET", bucket=V, params={"versions": "", "max-keys": "1000"}).body
    with serving(Cloud(store=Store(tmp_path))) as again:
        assert again.send("GET", bucket=V, params={"versions": "", "max-keys": "1000"}).body == listed
        for key in AWKWARD[1:]:
            assert again.get(key, bucket=V) == b"newer"
            old = again.store.buckets[V].versions[key][1].version_id
            told = again.send("GET", key, bucket=V, params={"versionId": old})
            assert (told.body, told.headers["x-oss-meta-a"], told.headers["x-oss-tagging-count"]) == (
                key.encode(),
                "1",
                "1",
            )
        assert (again.get("copy"), again.get("appended")) == (b"newer", b"onetwo")
        assert "made-here" in again.store.buckets


def test_multipart_objects_stay_and_uploads_under_way_go(tmp_path: Path) -> None:
    with cloud_in(tmp_path) as cloud:
        cloud.world.knobs.part_min = 1
        ids = [
            cloud.send("POST", key, params={"uploads": ""}).text("UploadId") or ""
            for key in ("done", "lost", "given-up")
        ]
        for upload, key in zip(ids, ("done", "lost", "given-up"), strict=True):
            for number in ("1", "2", "2"):
                cloud.send("PUT", key, params={"uploadId": upload, "partNumber": number}, data=number.encode() * 9)
        cloud.send("POST", "done", params={"uploadId": ids[0]}, headers={"x-oss-complete-all": "yes"})
        cloud.send("DELETE", "given-up", params={"uploadId": ids[2]})
        assert len(blobs(tmp_path)) == 4
        head = cloud.send("HEAD", "done").headers
    with serving(Cloud(store=Store(tmp_path))) as again:
        assert again.get("done") == b"1" * 9 + b"2" * 9
        assert again.send("GET", "done", headers={"Range": "bytes=8-9"}).body == b"12"
        for name in ("ETag", "x-oss-hash-crc64ecma", "Last-Modified", "x-oss-object-type"):
            assert again.send("HEAD", "done").headers[name] == head[name]
        assert again.send("GET", "lost", params={"uploadId": ids[1]}).error[1] == "NoSuchUpload"
        assert blobs(tmp_path) == named(again.store)


def test_bytes_go_when_the_last_that_names_them_goes(tmp_path: Path) -> None:
    with cloud_in(tmp_path) as cloud:
        cloud.put("a", b"shared")
        cloud.send("PUT", "b", headers={"x-oss-copy-source": f"/{BUCKET}/a"})
        assert len(blobs(tmp_path)) == 1
        cloud.put("a", b"other")
        assert cloud.get("b") == b"shared"
        cloud.send("DELETE", "b")
        assert blobs(tmp_path) == named(cloud.store)
        assert len(blobs(tmp_path)) == 1


def test_a_copy_outlives_what_was_appended_to(tmp_path: Path) -> None:
    with cloud_in(tmp_path) as cloud:
        for position, data in ((0, b"one"), (3, b"two")):
            cloud.send("POST", "log", params={"append": "", "position": str(position)}, data=data)
        cloud.send("PUT", "copy", headers={"x-oss-copy-source": f"/{BUCKET}/log"})
        cloud.send("DELETE", "log")
        assert cloud.get("copy") == b"onetwo"
        cloud.send("DELETE", "copy")
        assert blobs(tmp_path) == set()


def test_what_is_changed_in_place_is_kept(tmp_path: Path) -> None:
    with cloud_in(tmp_path) as cloud:
        cloud.world.knobs.restore_seconds = 0
        cloud.put("k", headers={"x-oss-storage-class": "Archive"})
        cloud.send("POST", "k", params={"restore": ""})
        cloud.send("PUT", "k", params={"acl": ""}, headers={"x-oss-object-acl": "public-read"})
        body = b"<Tagging><TagSet><Tag><Key>x</Key><Value>y</Value></Tag></TagSet></Tagging>"
        cloud.send("PUT", "k", params={"tagging": ""}, data=body)
        cloud.send("PUT", params={"acl": ""}, headers={"x-oss-acl": "public-read"})
        suspended = b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"
        cloud.send("PUT", bucket=V, params={"versioning": ""}, data=suspended)
        before = snapshot(cloud.store)
    store = Store(tmp_path)
    assert snapshot(store) == before
    version = store.buckets[BUCKET].versions["k"][0]
    assert (version.traits.acl, version.traits.tags, version.restored_at > 0) == ("public-read", {"x": "y"}, True)
    assert store.buckets[BUCKET].facts.acl == "public-read"
    assert store.buckets[V].facts.versioning == "Suspended"


def test_a_removed_bucket_stays_removed(tmp_path: Path) -> None:
    with cloud_in(tmp_path) as cloud:
        cloud.put("k")
        assert cloud.send("DELETE").error[1] == "BucketNotEmpty"
        cloud.send("DELETE", "k")
        assert cloud.send("DELETE").status == 204
    assert BUCKET not in Store(tmp_path).buckets


def test_no_key_becomes_a_path(tmp_path: Path) -> None:
    store = new_store(tmp_path / "state")
    for key in ("../../escape", "/etc/x", "a\x00b", ".", ".."):
        store.place(store.buckets[BUCKET], make(store, store.buckets[BUCKET], key, b"x"))
    names = {path.name for path in tmp_path.rglob("*")}
    assert not any("escape" in name or "etc" in name for name in names)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
