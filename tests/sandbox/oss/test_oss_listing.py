"""Listings: whatever the page size, the same sequence; prefix, delimiter and markers as OSS has them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oss_cloud import AWKWARD, BUCKET, Cloud
from oss_cloud import VERSIONED_BUCKET as V

from backup_action.sandbox.oss import paging
from backup_action.sandbox.oss.objects import Index
from backup_action.sandbox.oss.paging import Query

KEYS = st.lists(st.text("ab/\u00e9\U0010ffff", min_size=1, max_size=6), max_size=25, unique=True)
PREFIX = st.text("ab/", max_size=3)
DELIMITER = st.sampled_from(["", "/", "b", "ab"])


def byte_order(keys: list[str]) -> list[str]:
    return sorted(keys, key=str.encode)


def naive(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """What a listing must show, the plain way."""
    shown = []
    for key in byte_order(keys):
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix) :]
        at = rest.find(delimiter) if delimiter else -1
        entry = prefix + rest[: at + len(delimiter)] if at >= 0 else key
        if entry not in shown:
            shown.append(entry)
    return shown


def walk(names: list[str], prefix: str, delimiter: str, limit: int, hidden: set[str]) -> Iterator[str]:
    after = ""
    for _ in range(100):
        page = paging.objects(names, Query(prefix, delimiter, after, "", limit), lambda key: key not in hidden)
        assert len(page) <= limit
        yield from byte_order(page.keys + page.prefixes)
        if not page.truncated:
            return
        assert page.next > after or not after
        after = page.next
    raise AssertionError("the listing does not end")


@given(KEYS, PREFIX, DELIMITER, st.integers(1, 5), st.data())
def test_pages_of_any_size_give_the_same_sequence(
    keys: list[str], prefix: str, delimiter: str, limit: int, data: st.DataObject
) -> None:
    hidden = set(data.draw(st.lists(st.sampled_from(keys), unique=True))) if keys else set()
    visible = [key for key in keys if key not in hidden]
    assert list(walk(byte_order(keys), prefix, delimiter, limit, hidden)) == naive(visible, prefix, delimiter)


@given(KEYS, PREFIX, st.text("ab/", max_size=4))
def test_a_marker_is_exclusive_and_need_not_exist(keys: list[str], prefix: str, after: str) -> None:
    page = paging.objects(byte_order(keys), Query(prefix, "", after, "", 1000), lambda key: True)
    assert page.keys == [key for key in naive(keys, prefix, "") if not after or key > after]


@given(KEYS, PREFIX, DELIMITER, st.integers(1, 5), st.data())
def test_pages_of_versions_give_the_same_sequence(
    keys: list[str], prefix: str, delimiter: str, limit: int, data: st.DataObject
) -> None:
    ids = {key: [f"v{n}" for n in range(data.draw(st.integers(1, 4)))] for key in keys}
    expected: list[tuple[str, int | None]] = []
    for entry in naive(keys, prefix, delimiter):
        grouped = bool(delimiter) and delimiter in entry[len(prefix) :]
        expected += [(entry, None)] if grouped else [(entry, n) for n in range(len(ids[entry]))]
    found: list[tuple[str, int | None]] = []
    query = Query(prefix, delimiter, "", "", limit)
    for _ in range(200):
        page = paging.versions(byte_order(keys), query, ids.__getitem__)
        entries = [*page.versions, *((one, None) for one in page.prefixes)]
        found += sorted(entries, key=lambda entry: (entry[0].encode(), entry[1] or 0))
        if not page.truncated:
            break
        query = Query(prefix, delimiter, page.next, page.next_version, limit)
    assert found == expected


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef"))), st.data())
def test_the_index_is_the_keys_in_order(steps: list[tuple[bool, str]], data: st.DataObject) -> None:
    index, expected = Index(), set()
    for add, key in steps:
        if add and key not in expected:
            index.add(key)
            expected.add(key)
        elif not add and key in expected:
            index.remove(key)
            expected.remove(key)
        if data.draw(st.booleans()):
            assert index.keys() == sorted(expected)
    assert index.keys() == sorted(expected)


def entries(cloud: Cloud, kind: str, bucket: str = BUCKET, **params: str) -> list[str]:
    """All pages of one of the three listings, names decoded."""
    found: list[str] = []
    given = {
        "encoding-type": "url",
        **params,
        **({"list-type": "2"} if kind == "v2" else {"versions": ""} if kind == "versions" else {}),
    }
    for _ in range(100):
        tree = cloud.send("GET", bucket=bucket, params=given).tree
        nodes = [node for node in tree if node.tag in ("Contents", "CommonPrefixes", "Version", "DeleteMarker")]
        found += [unquote(node[0].text or "") for node in nodes]
        if tree.findtext("IsTruncated") == "false":
            return found
        if kind == "v2":
            given["continuation-token"] = tree.findtext("NextContinuationToken") or ""
        elif kind == "v1":
            given["marker"] = unquote(tree.findtext("NextMarker") or "")
        else:
            given["key-marker"] = unquote(tree.findtext("NextKeyMarker") or "")
            given["version-id-marker"] = tree.findtext("NextVersionIdMarker") or ""
    raise AssertionError("the listing does not end")


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize("kind", ["v1", "v2", "versions"])
def test_every_listing_pages_awkward_keys(cloud: Cloud, kind: str, size: int) -> None:
    cloud.world.knobs.page_size = size
    for key in AWKWARD:
        cloud.put(key)
    assert entries(cloud, kind) == byte_order(AWKWARD)
    for prefix, delimiter in (("a", ""), ("", "/"), ("a/", "/"), ("中文/", "/"), ("none", "/")):
        found = entries(cloud, kind, prefix=prefix, delimiter=delimiter)
        assert sorted(found) == sorted(naive(AWKWARD, prefix, delimiter))


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 7), st.integers(1, 4))
def test_versions_page_over_http(size: int, copies: int) -> None:
    from oss_cloud import serving

    with serving(Cloud()) as cloud:
        for key in ("a", "b/1", "b/2", "c"):
            for _ in range(copies):
                cloud.put(key, bucket=V)
        cloud.send("DELETE", "c", bucket=V)
        cloud.world.knobs.page_size = size
        expected = ["a"] * copies + ["b/1"] * copies + ["b/2"] * copies + ["c"] * (copies + 1)
        assert entries(cloud, "versions", V) == expected
        assert sorted(entries(cloud, "versions", V, delimiter="/")) == sorted(
            ["a"] * copies + ["b/"] + ["c"] * (copies + 1)
        )


def test_v1_form(cloud: Cloud) -> None:
    cloud.put("a b")
    cloud.put("c")
    tree = cloud.send("GET", params={"max-keys": "1", "encoding-type": "url", "delimiter": "/"}).tree
    assert tree.tag == "ListBucketResult"
    assert "}" not in tree.tag
    assert {node.tag for node in tree.findall("Contents/*")} >= {
        "Key",
        "LastModified",
        "ETag",
        "Type",
        "Size",
        "StorageClass",
        "Owner",
    }
    told = [
        tree.findtext(name) for name in ("Name", "MaxKeys", "IsTruncated", "NextMarker", "EncodingType", "Delimiter")
    ]
    assert told == [BUCKET, "1", "true", "a%20b", "url", "%2F"]
    assert (tree.findtext("Contents/LastModified") or "").endswith(".000Z")


def test_v2_form(cloud: Cloud) -> None:
    for key in ("a", "b", "c"):
        cloud.put(key)
    plain = cloud.send("GET", params={"list-type": "2", "start-after": "a"})
    assert (plain.text("KeyCount"), plain.text("StartAfter"), plain.text("MaxKeys")) == ("2", "a", "100")
    assert plain.tree.find("Contents/Owner") is None
    assert plain.tree.find("NextContinuationToken") is None
    owned = cloud.send("GET", params={"list-type": "2", "fetch-owner": "true", "max-keys": "1"})
    assert owned.text("Contents/Owner/ID")
    token = owned.text("NextContinuationToken") or ""
    both = cloud.send("GET", params={"list-type": "2", "continuation-token": token, "start-after": "b"})
    assert [node.text for node in both.tree.findall("Contents/Key")] == ["b", "c"]
    assert both.text("ContinuationToken") == token


def test_default_and_greatest_page(cloud: Cloud) -> None:
    for number in range(105):
        cloud.put(f"{number:03}")
    for params in ({}, {"list-type": "2"}):
        assert len(cloud.send("GET", params=params).tree.findall("Contents")) == 100
        assert len(cloud.send("GET", params={**params, "max-keys": "1000"}).tree.findall("Contents")) == 105
        for wrong in ("0", "1001", "-1", "ten"):
            assert cloud.send("GET", params={**params, "max-keys": wrong}).error[:2] == (400, "InvalidArgument")


@pytest.mark.parametrize(
    "params",
    [
        {"list-type": "2", "continuation-token": "!"},
        {"list-type": "2", "continuation-token": "eA"},
        {"list-type": "3"},
        {"encoding-type": "base64"},
        {"versions": "", "version-id-marker": "x"},
    ],
)
def test_listings_refuse(cloud: Cloud, params: dict[str, str]) -> None:
    assert cloud.send("GET", params=params).error[:2] == (400, "InvalidArgument")


def test_names_are_plain_without_the_encoding(cloud: Cloud) -> None:
    cloud.put("a b/<&>中")
    assert cloud.send("GET", params={"list-type": "2"}).text("Contents/Key") == "a b/<&>中"


def test_a_bucket_that_is_not_there(cloud: Cloud) -> None:
    for params in ({}, {"list-type": "2"}, {"versions": ""}, {"uploads": ""}):
        assert cloud.send("GET", bucket="nowhere", params=params).error[:2] == (404, "NoSuchBucket")
