"""What a target and a Host mean; keys survive both styles, whatever is in them."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oss_cloud import AWKWARD, BUCKET, Cloud, fetch

from backup_action.sandbox.oss.address import check_bucket_name, check_key, parse
from backup_action.sandbox.oss.failure import Failure
from backup_action.sandbox.oss.routes import kind_of

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("host", "target", "bucket", "key", "region"),
    [
        ("127.0.0.1:80", "/b/k", "b", "k", "cn-x"),
        ("localhost:80", "/b/k", "b", "k", "cn-x"),
        ("[::1]:80", "/b/k", "b", "k", "cn-x"),
        ("b.localhost:80", "/k", "b", "k", "cn-x"),
        ("b.127.0.0.1:80", "/k", "b", "k", "cn-x"),
        ("B.Localhost", "/k/", "b", "k/", "cn-x"),
        ("b.oss-cn-shanghai.aliyuncs.com", "/k", "b", "k", "cn-shanghai"),
        ("b.oss-cn-shanghai-internal.aliyuncs.com", "/k", "b", "k", "cn-shanghai"),
        ("oss-cn-shanghai.localhost:80", "/b/k", "b", "k", "cn-shanghai"),
        ("oss-my-own.localhost", "/k", "oss-my-own", "k", "cn-x"),
        ("127.0.0.1", "/", "", "", "cn-x"),
        ("127.0.0.1", "/b", "b", "", "cn-x"),
        ("127.0.0.1", "/b//k", "b", "/k", "cn-x"),
        ("", "/b/a%2Fb+c/../%25", "b", "a/b+c/../%", "cn-x"),
    ],
)
def test_styles(host: str, target: str, bucket: str, key: str, region: str) -> None:
    found = parse(target, host, "cn-x")
    assert (found.bucket, found.key, found.region) == (bucket, key, region)


@given(TEXT, st.sampled_from(["", "/", string.punctuation]))
def test_a_key_survives_path_style(key: str, safe: str) -> None:
    safe = safe.translate({ord("%"): None, ord("?"): None, ord("#"): None})
    found = parse(f"/b/{quote(key, safe=safe)}", "127.0.0.1", "r")
    assert (found.bucket, found.key, found.resource) == ("b", key, f"/b/{key}")


@given(TEXT)
def test_a_key_survives_virtual_hosted_style(key: str) -> None:
    found = parse(f"/{quote(key)}", "b.localhost:1", "r")
    assert (found.bucket, found.key, found.resource) == ("b", key, f"/b/{key}")


@given(st.lists(st.tuples(TEXT, st.text(st.characters(codec="utf-8"), max_size=20)), max_size=5), st.booleans())
def test_a_query_survives_both_ways_of_writing_a_blank(pairs: list[tuple[str, str]], plus: bool) -> None:
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    found = parse(f"/b/?{query.replace('%20', '+') if plus else query}", "127.0.0.1", "r")
    assert list(found.pairs) == pairs
    assert found.params == dict(pairs)


@pytest.mark.parametrize("target", ["/b/%FF", "/b/?a=%C0%80", "http://x/b", "*", "/b/\udcff"])
def test_what_is_no_path_or_no_utf8_is_refused(target: str) -> None:
    with pytest.raises(Failure) as caught:
        parse(target, "127.0.0.1", "r")
    assert caught.value.status == 400


@pytest.mark.parametrize("name", ["ab", "A-b", "-ab", "ab-", "a_b", "a.b", "a" * 64, "", "中文中文"])
def test_bucket_names_that_are_refused(name: str) -> None:
    with pytest.raises(Failure, match="not valid"):
        check_bucket_name(name)


@pytest.mark.parametrize("name", ["abc", "a1b", "0-9", "a" * 63])
def test_bucket_names_that_are_taken(name: str) -> None:
    check_bucket_name(name)


def test_key_rules() -> None:
    for key in ("a", "é" * 511, "a" * 1023, "..", "a/"):
        check_key(key)
    for key in ("", "/a", "\\a", "a" * 1024, "é" * 512):
        with pytest.raises(Failure) as caught:
            check_key(key)
        assert caught.value.code == "InvalidObjectName"


@pytest.mark.parametrize(
    ("method", "key", "params", "status"),
    [
        ("PATCH", "k", {}, 405),
        ("POST", "k", {}, 405),
        ("DELETE", "k", {"uploads": ""}, 405),
        ("GET", "k", {"symlink": ""}, 501),
        ("GET", "", {"cors": ""}, 501),
        ("PUT", "", {"policy": ""}, 501),
        ("HEAD", "", {}, 405),
    ],
)
def test_operations_that_are_not_there(
    cloud: Cloud, method: str, key: str, params: dict[str, str], status: int
) -> None:
    assert cloud.send(method, key, params=params).status == status
    assert cloud.count("unknown") == 1


def test_a_parameter_that_means_nothing_is_ignored() -> None:
    assert kind_of("GET", bucket="b", key="k", params={"foo": "1"}, copies=False) == "get"
    assert kind_of("PUT", bucket="b", key="k", params={}, copies=True) == "copy"
    assert kind_of("PUT", bucket="b", key="k", params={"uploadId": "1", "partNumber": "1"}, copies=True) == "part-copy"


@pytest.mark.parametrize("key", AWKWARD)
def test_awkward_keys_are_kept_apart(cloud: Cloud, key: str) -> None:
    cloud.put(key, key.encode())
    assert cloud.get(key) == key.encode()
    assert cloud.send("HEAD", key).headers["Content-Length"] == str(len(key.encode()))
    assert list(cloud.store.buckets[BUCKET].versions) == [key]


def test_a_key_outside_the_rules_is_refused_on_the_wire(cloud: Cloud) -> None:
    for key in ("/a", "\\a", "a" * 1024):
        assert cloud.send("PUT", key, data=b"x").error[:2] == (400, "InvalidObjectName")
    unsigned = fetch("PUT", f"{cloud.url}/{BUCKET}/%FF", data=b"x")
    assert unsigned.error[:2] == (400, "InvalidObjectName")
