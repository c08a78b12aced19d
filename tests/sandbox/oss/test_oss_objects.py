"""Objects: what is stored, told, limited and refused."""

from __future__ import annotations

import base64
import hashlib
import socket
from urllib.parse import quote

import pytest
from fastcrc import crc64
from hypothesis import given
from hypothesis import strategies as st
from oss_cloud import BUCKET, VERSIONED_BUCKET, Cloud

from backup_action.sandbox.oss import conditions
from backup_action.sandbox.oss.failure import Failure
from backup_action.sandbox.oss.store import Store


def md5_header(data: bytes) -> dict[str, str]:
    return {"Content-MD5": base64.b64encode(hashlib.md5(data).digest()).decode()}


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest().upper()}"'


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
def test_put_tells_digests_and_get_gives_it_back(cloud: Cloud, data: bytes) -> None:
    put = cloud.put("k", data, headers=md5_header(data))
    got = cloud.send("GET", "k")
    head = cloud.send("HEAD", "k")
    for answer in (put, got, head):
        assert answer.headers["ETag"] == etag(data)
        assert answer.headers["x-oss-hash-crc64ecma"] == str(crc64.xz(data))
    assert got.body == data
    assert head.headers["Content-Length"] == str(len(data))
    assert got.headers["x-oss-object-type"] == "Normal"
    assert got.headers["x-oss-storage-class"] == "Standard"
    assert "x-oss-version-id" not in put.headers
    assert cloud.world.counts["bytes_in"] == len(data)


def test_no_crc_where_the_knob_says_so(cloud: Cloud) -> None:
    cloud.world.knobs.crc64 = False
    for answer in (cloud.put("k"), cloud.send("GET", "k"), cloud.send("HEAD", "k")):
        assert "x-oss-hash-crc64ecma" not in answer.headers


def test_headers_and_metadata_are_kept_and_replaced(cloud: Cloud) -> None:
    kept = {
        "Content-Type": "text/x",
        "Content-Encoding": "x-own",
        "Content-Disposition": "attachment",
        "Cache-Control": "no-cache",
        "x-oss-meta-one": "1",
        "x-oss-meta-a-b": "two words",
    }
    cloud.put("k", headers=kept)
    told = cloud.send("HEAD", "k").headers
    assert {name: told[name] for name in kept} == kept
    cloud.put("k")
    told = cloud.send("HEAD", "k").headers
    assert told["Content-Type"] == "application/octet-stream"
    assert "x-oss-meta-one" not in told


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-oss-meta-a_b": "1"}, "InvalidArgument"),
        ({"x-oss-meta-a": "x" * 8000, "x-oss-meta-b": "x" * 200}, "InvalidArgument"),
        ({"x-oss-tagging": "&".join(f"k{n}=v" for n in range(11))}, "InvalidTag"),
        ({"x-oss-tagging": "a=1&a=2"}, "InvalidTag"),
        ({"x-oss-tagging": "=1"}, "InvalidTag"),
        ({"x-oss-tagging": "a%24=1"}, "InvalidTag"),
        ({"x-oss-tagging": f"a={'v' * 257}"}, "InvalidTag"),
        ({"x-oss-storage-class": "Glacier"}, "InvalidArgument"),
        ({"x-oss-object-acl": "secret"}, "InvalidArgument"),
        ({"x-oss-server-side-encryption": "DES"}, "InvalidEncryptionAlgorithmError"),
        ({"x-oss-server-side-encryption": "AES256", "x-oss-server-side-encryption-key-id": "k"}, "InvalidArgument"),
        ({"x-oss-forbid-overwrite": "maybe"}, "InvalidArgument"),
        ({"Content-MD5": "AAAA"}, "InvalidDigest"),
        (md5_header(b"other"), "InvalidDigest"),
    ],
)
def test_put_refuses(cloud: Cloud, headers: dict[str, str], code: str) -> None:
    assert cloud.send("PUT", "k", data=b"x", headers=headers).error[:2] == (400, code)
    assert cloud.send("GET", "k").status == 404


def test_8_kb_of_metadata_are_taken(cloud: Cloud) -> None:
    headers = {"x-oss-meta-a": "x" * 4000, "x-oss-meta-b": "x" * 4190}
    cloud.put("k", headers=headers)
    assert cloud.send("HEAD", "k").headers["x-oss-meta-b"] == "x" * 4190


def test_put_max(cloud: Cloud) -> None:
    cloud.world.knobs.put_max = 10
    cloud.put("k", b"x" * 10)
    assert cloud.send("PUT", "k", data=b"y" * 11).error[:2] == (400, "EntityTooLarge")
    assert cloud.send("PUT", "k", data=iter([b"y" * 8, b"y" * 8])).error[:2] == (400, "EntityTooLarge")  # type: ignore[arg-type]
    assert cloud.get("k") == b"x" * 10


def test_a_chunked_body_is_taken(cloud: Cloud) -> None:
    answer = cloud.send("PUT", "k", data=iter([b"one", b"two"]))  # type: ignore[arg-type]
    assert answer.headers["ETag"] == etag(b"onetwo")
    assert cloud.get("k") == b"onetwo"


def test_a_body_without_a_length_is_refused(cloud: Cloud) -> None:
    target = cloud.signed_target("PUT", "k")
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as connection:
        connection.sendall(f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert b"<Code>MissingContentLength</Code>" in answer


def test_a_body_that_ends_early_leaves_nothing(cloud: Cloud) -> None:
    target = cloud.signed_target("PUT", "k")
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as connection:
        connection.sendall(f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nhalf".encode())
        connection.shutdown(socket.SHUT_WR)
        assert not connection.recv(1).startswith(b"2")
    assert cloud.send("GET", "k").status == 404


def test_forbid_overwrite(cloud: Cloud) -> None:
    forbid = {"x-oss-forbid-overwrite": "true"}
    cloud.put("k", b"first", headers=forbid)
    answer = cloud.send("PUT", "k", data=b"second", headers=forbid)
    assert answer.error[:2] == (409, "FileAlreadyExists")
    assert cloud.send("PUT", "k", headers={**forbid, "x-oss-copy-source": f"/{BUCKET}/k"}).error[0] == 409
    assert cloud.send("POST", "k", params={"uploads": ""}, headers=forbid).error[0] == 409
    assert cloud.get("k") == b"first"
    cloud.put("k", b"second", headers={"x-oss-forbid-overwrite": "false"})
    assert cloud.get("k") == b"second"


def test_of_two_that_may_not_overwrite_one_wins(cloud: Cloud) -> None:
    """The slower one began when there was nothing, and must not win by having begun."""
    forbid = {"x-oss-forbid-overwrite": "true"}
    target = cloud.signed_target("PUT", "k", headers=forbid)
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as slow:
        head = f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nx-oss-forbid-overwrite: true\r\n"
        slow.sendall(f"{head}Connection: close\r\n\r\nsl".encode())
        cloud.wait_for(lambda: cloud.asked)  # it has begun
        cloud.put("k", b"fast", headers=forbid)
        slow.sendall(b"ow")
        assert slow.recv(12) == b"HTTP/1.1 409"
    assert cloud.get("k") == b"fast"


def test_forbid_overwrite_means_nothing_where_versions_are_kept(cloud: Cloud) -> None:
    forbid = {"x-oss-forbid-overwrite": "true"}
    for status in ("Enabled", "Suspended"):
        cloud.store.buckets[VERSIONED_BUCKET].facts.versioning = status  # type: ignore[assignment]
        cloud.put("k", b"first", headers=forbid, bucket=VERSIONED_BUCKET)
        cloud.put("k", b"second", headers=forbid, bucket=VERSIONED_BUCKET)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": etag(b"content")}, 200),
        ({"If-Match": etag(b"content").strip('"').lower()}, 200),
        ({"If-Match": '"0"'}, 412),
        ({"If-None-Match": etag(b"content")}, 304),
        ({"If-None-Match": '"0"'}, 200),
        ({"If-Modified-Since": "Thu, 01 Jan 2032 00:00:00 GMT"}, 304),
        ({"If-Modified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "some day"}, 200),
        ({"If-Unmodified-Since": "Thu, 01 Jan 2032 00:00:00 GMT"}, 200),
        ({"If-Unmodified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"}, 412),
    ],
)
def test_conditions(cloud: Cloud, headers: dict[str, str], status: int) -> None:
    cloud.put("k")
    for method in ("GET", "HEAD"):
        answer = cloud.send(method, "k", headers=headers)
        assert answer.status == status
        if status == 304:
            assert (answer.body, answer.headers["ETag"]) == (b"", etag(b"content"))
        if status == 412:
            assert answer.error[1] == "PreconditionFailed"


RANGES = [
    ("bytes=0-499", 206, 206, (0, 500)),
    ("bytes=500-", 206, 206, (500, 500)),
    ("bytes=-100", 206, 206, (900, 100)),
    ("bytes=0-999", 206, 206, (0, 1000)),
    ("bytes=999-999", 206, 206, (999, 1)),
    ("bytes=500-2000", 200, 206, (500, 500)),
    ("bytes=-2000", 200, 206, (0, 1000)),
    ("bytes=1000-", 200, 416, None),
    ("bytes=1000-2000", 200, 416, None),
    ("bytes=5-4", 200, 416, None),
    ("bytes=-0", 200, 416, None),
    ("byte=0-499", 200, 200, None),
    ("bytes=-", 200, 200, None),
    ("bytes=0-1,3-4", 416, 416, None),
]


@pytest.mark.parametrize(("value", "status", "standard", "span"), RANGES)
def test_ranges(cloud: Cloud, value: str, status: int, standard: int, span: tuple[int, int] | None) -> None:
    """On an object of 1,000 bytes: what OSS does by itself, and with the header that asks for the standard."""
    data = bytes(n % 251 for n in range(1000))
    cloud.put("k", data)
    for wanted, headers in ((status, {}), (standard, {"x-oss-range-behavior": "standard"})):
        answer = cloud.send("GET", "k", headers={"Range": value, **headers})
        assert answer.status == wanted
        if wanted == 206 and span:
            start, length = span
            assert answer.body == data[start : start + length]
            assert answer.headers["Content-Range"] == f"bytes {start}-{start + length - 1}/1000"
            assert answer.headers["x-oss-hash-crc64ecma"] == str(crc64.xz(data))
        elif wanted == 200:
            assert answer.body == data
        else:
            assert answer.error[1] == "InvalidRange"


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_a_range_is_within_the_object_or_none(size: int, first: int, last: int, standard: bool) -> None:
    headers = {"range": f"bytes={first}-{last}"}
    if standard:
        headers["x-oss-range-behavior"] = "standard"
    try:
        span = conditions.span(headers, size)
    except Failure as failure:
        assert (failure.status, standard) == (416, True)
        assert first >= size or last < first
        return
    if span is None:
        assert not standard
        assert first > last or last >= size
    else:
        assert span == (first, min(last, size - 1) - first + 1)
        assert standard or last < size


@given(st.lists(st.binary(max_size=20), max_size=6), st.data())
def test_any_range_of_pieces_is_that_range_of_their_bytes(parts: list[bytes], data: st.DataObject) -> None:
    store = Store()
    pieces = tuple(store.shelf.keep(part) for part in parts)
    whole = b"".join(parts)
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, len(whole) - start))
    assert b"".join(store.shelf.read(pieces, start, length)) == whole[start : start + length]
    assert store.shelf.whole(pieces) == whole
    assert store.shelf.crc(pieces) == (crc64.xz(whole) if whole else 0)


def test_a_large_object_comes_whole_and_in_ranges(cloud: Cloud) -> None:
    data = bytes(3_000_000) + b"end"
    cloud.put("k", data)
    assert cloud.get("k") == data
    assert cloud.send("GET", "k", headers={"Range": "bytes=2999999-"}).body == b"\0end"
    assert cloud.send("GET", "k", headers={"Range": "bytes=1-2500000"}).body == data[1:2500001]


def test_object_meta_tells_less(cloud: Cloud) -> None:
    cloud.put("k", headers={"x-oss-meta-a": "1"})
    told = cloud.send("HEAD", "k", params={"objectMeta": ""}).headers
    assert (told["Content-Length"], told["ETag"]) == ("7", etag(b"content"))
    assert "x-oss-meta-a" not in told
    assert "x-oss-storage-class" not in told


def test_deleting_what_is_not_there_is_no_error(cloud: Cloud) -> None:
    assert cloud.send("DELETE", "k").status == 204
    cloud.put("k")
    assert cloud.send("DELETE", "k").status == 204
    assert cloud.send("GET", "k").error[1] == "NoSuchKey"


def test_deleting_many(cloud: Cloud) -> None:
    for key in ("a", "b&<", "c"):
        cloud.put(key)
    body = b"<Delete><Quiet>false</Quiet><Object><Key>a</Key></Object><Object><Key>b&amp;&lt;</Key></Object></Delete>"
    answer = cloud.send("POST", params={"delete": "", "encoding-type": "url"}, headers=md5_header(body), data=body)
    assert [node.text for node in answer.tree.findall("Deleted/Key")] == ["a", "b%26%3C"]
    assert list(cloud.store.buckets[BUCKET].versions) == ["c"]
    quiet = b"<Delete><Quiet>true</Quiet><Object><Key>c</Key></Object></Delete>"
    answer = cloud.send("POST", params={"delete": ""}, headers=md5_header(quiet), data=quiet)
    assert (answer.status, answer.body) == (200, b"")
    assert not cloud.store.buckets[BUCKET].versions


def many(count: int) -> bytes:
    return b"<Delete>" + b"".join(b"<Object><Key>k%d</Key></Object>" % n for n in range(count)) + b"</Delete>"


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (many(1), {}, "MissingArgument"),
        (many(1), md5_header(b"other"), "InvalidDigest"),
        (many(0), None, "MalformedXML"),
        (many(1001), None, "MalformedXML"),
        (b"<Delete>", None, "MalformedXML"),
        (b"<Other/>", None, "MalformedXML"),
        (b"<Delete><Object><Key>a\x01</Key></Object></Delete>", None, "MalformedXML"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]>' + many(1), None, "MalformedXML"),
        (b"<Delete><Object><Key>/a</Key></Object></Delete>", None, "InvalidObjectName"),
    ],
)
def test_deleting_many_refuses(cloud: Cloud, body: bytes, headers: dict[str, str] | None, code: str) -> None:
    cloud.put("k0")
    given = md5_header(body) if headers is None else headers
    assert cloud.send("POST", params={"delete": ""}, headers=given, data=body).error[1] == code
    assert cloud.get("k0") == b"content"


def test_a_thousand_can_be_deleted_at_once(cloud: Cloud) -> None:
    body = many(1000)
    answer = cloud.send("POST", params={"delete": ""}, headers=md5_header(body), data=body)
    assert len(answer.tree.findall("Deleted")) == 1000


def test_copy(cloud: Cloud) -> None:
    cloud.put("a b+%/中", b"data", headers={"Content-Type": "text/x", "x-oss-meta-a": "1", "x-oss-tagging": "t=1"})
    source = f"/{BUCKET}/{quote('a b+%/中', safe='')}"
    answer = cloud.send("PUT", "copy", headers={"x-oss-copy-source": source})
    assert (answer.tree.tag, answer.text("ETag")) == ("CopyObjectResult", etag(b"data"))
    assert (answer.text("LastModified") or "").endswith(".000Z")
    assert "x-oss-hash-crc64ecma" not in answer.headers
    told = cloud.send("GET", "copy")
    assert (told.body, told.headers["Content-Type"], told.headers["x-oss-meta-a"]) == (b"data", "text/x", "1")
    assert told.headers["x-oss-tagging-count"] == "1"
    replaced = {"x-oss-metadata-directive": "REPLACE", "x-oss-tagging-directive": "Replace", "x-oss-meta-b": "2"}
    cloud.send("PUT", "copy", headers={"x-oss-copy-source": source, **replaced})
    told = cloud.send("HEAD", "copy")
    assert told.headers["x-oss-meta-b"] == "2"
    assert "x-oss-meta-a" not in told.headers
    assert "x-oss-tagging-count" not in told.headers


def test_copy_onto_itself_replaces_the_metadata(cloud: Cloud) -> None:
    cloud.put("k", headers={"x-oss-meta-a": "1"})
    cloud.send("PUT", "k", headers={"x-oss-copy-source": f"/{BUCKET}/k", "x-oss-meta-b": "2"})
    told = cloud.send("HEAD", "k").headers
    assert told["x-oss-meta-b"] == "2"
    assert "x-oss-meta-a" not in told


@pytest.mark.parametrize(
    ("source", "headers", "status", "code"),
    [
        ("/{b}/missing", {}, 404, "NoSuchKey"),
        ("/nowhere/k", {}, 404, "NoSuchBucket"),
        ("{b}", {}, 400, "InvalidArgument"),
        ("/{b}/k?other=1", {}, 400, "InvalidArgument"),
        ("/{b}/k?versionId=nope", {}, 404, "NoSuchVersion"),
        ("/elsewhere/k", {}, 403, "AccessDenied"),
        ("/{b}/k", {"x-oss-copy-source-if-match": '"0"'}, 412, "PreconditionFailed"),
        (
            "/{b}/k",
            {"x-oss-copy-source-if-unmodified-since": "Thu, 01 Jan 2015 00:00:00 GMT"},
            412,
            "PreconditionFailed",
        ),
        ("/{b}/k", {"x-oss-metadata-directive": "KEEP"}, 400, "InvalidArgument"),
    ],
)
def test_copy_refuses(cloud: Cloud, source: str, headers: dict[str, str], status: int, code: str) -> None:
    cloud.put("k")
    answer = cloud.send("PUT", "copy", headers={"x-oss-copy-source": source.format(b=BUCKET), **headers})
    assert answer.error[:2] == (status, code)
    assert cloud.send("GET", "copy").status == 404


def test_copy_not_modified(cloud: Cloud) -> None:
    cloud.put("k")
    headers = {"x-oss-copy-source": f"/{BUCKET}/k", "x-oss-copy-source-if-none-match": etag(b"content")}
    assert cloud.send("PUT", "copy", headers=headers).status == 304


def test_copy_limits(cloud: Cloud) -> None:
    cloud.put("k", b"x" * 10)
    cloud.world.knobs.copy_max, cloud.world.knobs.put_max = 5, 8
    headers = {"x-oss-copy-source": f"/{BUCKET}/k"}
    assert cloud.send("PUT", "copy", headers=headers).status == 200
    for change in ({"x-oss-storage-class": "IA"}, {"x-oss-server-side-encryption": "AES256"}):
        assert cloud.send("PUT", "other", headers={**headers, **change}).error[1] == "EntityTooLarge"
    assert cloud.send("PUT", "copy", headers=headers, bucket=VERSIONED_BUCKET).error[1] == "EntityTooLarge"
    cloud.world.knobs.copy_max = cloud.world.knobs.put_max = 10
    assert cloud.send("PUT", "other", headers={**headers, "x-oss-storage-class": "IA"}).status == 200
    assert cloud.send("PUT", "copy", headers=headers, bucket=VERSIONED_BUCKET).status == 200


def test_append(cloud: Cloud) -> None:
    first = cloud.send("POST", "k", params={"append": "", "position": "0"}, data=b"one", headers={"x-oss-meta-a": "1"})
    assert (first.status, first.headers["x-oss-next-append-position"]) == (200, "3")
    second = cloud.send("POST", "k", params={"append": "", "position": "3"}, data=b"two")
    assert second.headers["x-oss-hash-crc64ecma"] == str(crc64.xz(b"onetwo"))
    told = cloud.send("GET", "k")
    assert (told.body, told.headers["x-oss-object-type"], told.headers["x-oss-meta-a"]) == (
        b"onetwo",
        "Appendable",
        "1",
    )
    assert told.headers["ETag"] != etag(b"onetwo")
    wrong = cloud.send("POST", "k", params={"append": "", "position": "5"}, data=b"x")
    assert wrong.error[:2] == (409, "PositionNotEqualToLength")
    assert wrong.headers["x-oss-next-append-position"] == "6"
    assert cloud.send("POST", "k", params={"append": ""}, data=b"x").error[1] == "InvalidArgument"
    cloud.world.knobs.put_max = 10
    large = cloud.send("POST", "k", params={"append": "", "position": "6"}, data=b"12345")
    assert large.error[:2] == (400, "EntityTooLarge")
    cloud.put("normal")
    answer = cloud.send("POST", "normal", params={"append": "", "position": "7"}, data=b"x")
    assert answer.error[:2] == (409, "ObjectNotAppendable")
    assert cloud.get("k") == b"onetwo"


def test_tags(cloud: Cloud) -> None:
    cloud.put("k", headers={"x-oss-tagging": "a%20b=c%2B&d="})
    modified = cloud.send("HEAD", "k").headers["Last-Modified"]
    tags = cloud.send("GET", "k", params={"tagging": ""}).tree
    assert [(tag.findtext("Key"), tag.findtext("Value")) for tag in tags.findall("TagSet/Tag")] == [
        ("a b", "c+"),
        ("d", ""),
    ]
    body = b"<Tagging><TagSet><Tag><Key>x</Key><Value>y</Value></Tag></TagSet></Tagging>"
    assert cloud.send("PUT", "k", params={"tagging": ""}, data=body).status == 200
    assert cloud.send("GET", "k", params={"tagging": ""}).text("TagSet/Tag/Key") == "x"
    assert cloud.send("HEAD", "k").headers["Last-Modified"] == modified
    assert cloud.send("DELETE", "k", params={"tagging": ""}).status == 204
    assert cloud.send("GET", "k", params={"tagging": ""}).tree.find("TagSet/Tag") is None
    twice = b"<Tagging><TagSet><Tag><Key>x</Key></Tag><Tag><Key>x</Key></Tag></TagSet></Tagging>"
    assert cloud.send("PUT", "k", params={"tagging": ""}, data=twice).error[1] == "InvalidTag"
    assert cloud.send("PUT", "k", params={"tagging": ""}, data=b"no").error[1] == "MalformedXML"
    assert cloud.send("GET", "missing", params={"tagging": ""}).error[1] == "NoSuchKey"


def test_acl_is_kept_and_told(cloud: Cloud) -> None:
    cloud.put("k", headers={"x-oss-object-acl": "private"})
    assert cloud.send("GET", "k", params={"acl": ""}).text("AccessControlList/Grant") == "private"
    assert cloud.send("PUT", "k", params={"acl": ""}, headers={"x-oss-object-acl": "public-read"}).status == 200
    assert cloud.send("GET", "k", params={"acl": ""}).text("AccessControlList/Grant") == "public-read"
    assert cloud.send("PUT", "k", params={"acl": ""}, headers={"x-oss-object-acl": "x"}).error[1] == "InvalidArgument"


def test_encryption_is_told_and_kms_hides_the_md5(cloud: Cloud) -> None:
    plain = cloud.put("a", headers={"x-oss-server-side-encryption": "AES256"})
    assert plain.headers["ETag"] == etag(b"content")
    assert cloud.send("HEAD", "a").headers["x-oss-server-side-encryption"] == "AES256"
    kms = {"x-oss-server-side-encryption": "KMS", "x-oss-server-side-encryption-key-id": "key-1"}
    hidden = cloud.put("k", headers=kms)
    assert hidden.headers["ETag"] != etag(b"content")
    assert hidden.headers["x-oss-server-side-encryption-key-id"] == "key-1"
    assert hidden.headers["x-oss-hash-crc64ecma"] == str(crc64.xz(b"content"))
    copied = cloud.send("PUT", "c", headers={"x-oss-copy-source": f"/{BUCKET}/k"})
    assert copied.text("ETag") == etag(b"content")
    assert "x-oss-server-side-encryption" not in cloud.send("HEAD", "c").headers


def test_a_bucket_may_encrypt_by_itself(cloud: Cloud) -> None:
    cloud.store.create_bucket("encrypting", encryption="KMS", encryption_key="key-2")
    assert cloud.put("k", bucket="encrypting").headers["ETag"] != etag(b"content")
    assert cloud.send("HEAD", "k", bucket="encrypting").headers["x-oss-server-side-encryption-key-id"] == "key-2"


def test_retention_forbids_overwriting_and_deleting(cloud: Cloud) -> None:
    cloud.store.create_bucket("worm", worm_days=2)
    cloud.put("k", bucket="worm")
    for method, more in (("PUT", {"data": b"x"}), ("DELETE", {})):
        assert cloud.send(method, "k", bucket="worm", **more).error[:2] == (409, "FileImmutable")  # type: ignore[arg-type]
    by_version = cloud.send("DELETE", "k", bucket="worm", params={"versionId": "null"})
    assert by_version.error[:2] == (409, "FileImmutable")
    assert cloud.get("k", bucket="worm") == b"content"
    cloud.store.buckets["worm"].versions["k"][0].modified -= 2 * 86_400
    assert cloud.send("DELETE", "k", bucket="worm").status == 204
