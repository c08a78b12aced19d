"""Multipart uploads, from the first part to the object, and all that can go wrong between."""

from __future__ import annotations

import hashlib
import socket

import pytest
from fastcrc import crc64
from oss_cloud import BUCKET, VERSIONED_BUCKET, Answer, Cloud

SIZE = 102_400


def begin(cloud: Cloud, key: str = "k", **more: object) -> str:
    answer = cloud.send("POST", key, params={"uploads": ""}, **more)  # type: ignore[arg-type]
    assert answer.status == 200, answer.body
    return answer.text("UploadId") or ""


def send(cloud: Cloud, upload: str, number: int, data: bytes, key: str = "k", **headers: str) -> Answer:
    params = {"uploadId": upload, "partNumber": str(number)}
    return cloud.send("PUT", key, params=params, data=data, headers=headers)


def listed(parts: list[tuple[int, str]]) -> bytes:
    inner = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in parts)
    return f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>".encode()


def finish(cloud: Cloud, upload: str, body: bytes = b"", key: str = "k", **headers: str) -> Answer:
    return cloud.send("POST", key, params={"uploadId": upload}, data=body, headers=headers)


def test_parts_in_any_order_become_the_object(cloud: Cloud) -> None:
    upload = begin(cloud, headers={"Content-Type": "text/x", "x-oss-meta-a": "1", "x-oss-storage-class": "IA"})
    data = {7: b"seven" * SIZE, 2: b"two" * SIZE, 10_000: b"last"}
    etags = {}
    for number, part in data.items():
        answer = send(cloud, upload, number, part)
        assert answer.headers["x-oss-hash-crc64ecma"] == str(crc64.xz(part))
        etags[number] = answer.headers["ETag"]
    whole = data[2] + data[7] + data[10_000]
    done = finish(cloud, upload, listed(sorted(etags.items())))
    joined = hashlib.md5(b"".join(hashlib.md5(data[n]).digest() for n in (2, 7, 10_000))).hexdigest().upper()
    assert done.headers["ETag"] == done.text("ETag") == f'"{joined}-3"'
    assert done.headers["x-oss-hash-crc64ecma"] == str(crc64.xz(whole))
    told = cloud.send("GET", "k")
    assert told.body == whole
    assert (told.headers["x-oss-object-type"], told.headers["x-oss-storage-class"]) == ("Multipart", "IA")
    assert (told.headers["Content-Type"], told.headers["x-oss-meta-a"]) == ("text/x", "1")
    assert finish(cloud, upload, listed([])).error == (404, "NoSuchUpload", "0017-00000244")


def test_a_part_that_is_sent_again_replaces_the_first(cloud: Cloud) -> None:
    upload = begin(cloud)
    old = send(cloud, upload, 1, b"old").headers["ETag"]
    new = send(cloud, upload, 1, b"new").headers["ETag"]
    assert finish(cloud, upload, listed([(1, old)])).error[:2] == (400, "InvalidPart")
    assert finish(cloud, upload, listed([(1, new)])).status == 200
    assert cloud.get("k") == b"new"


def test_parts_that_are_not_listed_are_left_out(cloud: Cloud) -> None:
    upload = begin(cloud)
    etags = [send(cloud, upload, number, b"%d" % number * SIZE).headers["ETag"] for number in (1, 2, 3)]
    finish(cloud, upload, listed([(1, etags[0]), (3, etags[2])]))
    assert cloud.get("k") == b"1" * SIZE + b"3" * SIZE


def test_complete_all(cloud: Cloud) -> None:
    upload = begin(cloud)
    assert finish(cloud, upload, **{"x-oss-complete-all": "yes"}).error[1] == "InvalidPart"
    for number in (2, 1):
        send(cloud, upload, number, b"%d" % number * SIZE)
    assert finish(cloud, upload, b"<x/>", **{"x-oss-complete-all": "yes"}).error[1] == "InvalidArgument"
    assert finish(cloud, upload, **{"x-oss-complete-all": "no"}).error[1] == "InvalidArgument"
    assert finish(cloud, upload, **{"x-oss-complete-all": "yes"}).status == 200
    assert cloud.get("k") == b"1" * SIZE + b"2" * SIZE


def test_small_parts(cloud: Cloud) -> None:
    upload = begin(cloud)
    etags = [send(cloud, upload, number, data).headers["ETag"] for number, data in ((1, b"x" * (SIZE - 1)), (2, b"y"))]
    answer = finish(cloud, upload, listed([(1, etags[0]), (2, etags[1])]))
    assert answer.error[:2] == (400, "EntityTooSmall")
    assert (answer.text("PartNumber"), answer.text("MinSizeAllowed")) == ("1", str(SIZE))
    assert finish(cloud, upload, **{"x-oss-complete-all": "yes"}).error[1] == "EntityTooSmall"
    cloud.world.knobs.part_min = 10
    assert finish(cloud, upload, listed([(1, etags[0]), (2, etags[1])])).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedXML"),
        (b"<CompleteMultipartUpload/>", "MalformedXML"),
        (listed([(1, "{1}"), (2, "{2}"), (2, "{2}")]), "InvalidPartOrder"),
        (listed([(2, "{2}"), (1, "{1}")]), "InvalidPartOrder"),
        (listed([(1, '"0"')]), "InvalidPart"),
        (listed([(3, "{1}")]), "InvalidPart"),
        (
            b"<CompleteMultipartUpload><Part><PartNumber>one</PartNumber></Part></CompleteMultipartUpload>",
            "MalformedXML",
        ),
    ],
)
def test_complete_refuses(cloud: Cloud, body: bytes, code: str) -> None:
    upload = begin(cloud)
    for number in (1, 2):
        etag = send(cloud, upload, number, b"%d" % number * SIZE).headers["ETag"]
        body = body.replace(b"{%d}" % number, etag.encode())
    assert finish(cloud, upload, body).error[:2] == (400, code)
    assert cloud.send("GET", "k").status == 404
    assert cloud.send("GET", "k", params={"uploadId": upload}).status == 200


def test_part_numbers(cloud: Cloud) -> None:
    upload = begin(cloud)
    for number in ("0", "10001", "-1", "x", "", "١"):
        answer = cloud.send("PUT", "k", params={"uploadId": upload, "partNumber": number}, data=b"x")
        assert answer.error[:2] == (400, "InvalidArgument")
    for number in (1, 10_000):
        assert send(cloud, upload, number, b"x").status == 200


def test_an_upload_belongs_to_its_key(cloud: Cloud) -> None:
    upload = begin(cloud)
    assert send(cloud, upload, 1, b"x", key="other").error[1] == "NoSuchUpload"
    assert send(cloud, "unknown", 1, b"x").error[1] == "NoSuchUpload"
    assert cloud.send("DELETE", "other", params={"uploadId": upload}).error[1] == "NoSuchUpload"


def test_abort(cloud: Cloud) -> None:
    upload = begin(cloud)
    send(cloud, upload, 1, b"x")
    assert cloud.send("DELETE", "k", params={"uploadId": upload}).status == 204
    for method in ("GET", "POST", "DELETE"):
        assert cloud.send(method, "k", params={"uploadId": upload}, data=listed([(1, "x")])).error[1] == "NoSuchUpload"
    assert cloud.send("GET", "k").status == 404


def test_a_part_that_comes_after_the_end_is_refused(cloud: Cloud) -> None:
    upload = begin(cloud)
    target = cloud.signed_target("PUT", "k", params={"uploadId": upload, "partNumber": "1"})
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as slow:
        slow.sendall(f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\nsl".encode())
        cloud.wait_for(lambda: len(cloud.asked) > 1)
        assert cloud.send("DELETE", "k", params={"uploadId": upload}).status == 204
        slow.sendall(b"ow")
        assert slow.recv(12) == b"HTTP/1.1 404"


def test_a_part_is_as_large_as_the_knob_says_and_its_md5_is_checked(cloud: Cloud) -> None:
    cloud.world.knobs.put_max = 4
    upload = begin(cloud)
    assert send(cloud, upload, 1, b"12345").error[1] == "EntityTooLarge"
    assert send(cloud, upload, 1, b"1234", **{"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}).error[1] == "InvalidDigest"
    assert send(cloud, upload, 1, b"1234").status == 200


def test_forbid_overwrite_is_checked_at_the_end_too(cloud: Cloud) -> None:
    forbid = {"x-oss-forbid-overwrite": "true"}
    upload = begin(cloud, headers=forbid)
    send(cloud, upload, 1, b"x")
    cloud.put("k", b"faster")
    assert finish(cloud, upload, **{"x-oss-complete-all": "yes"}, **forbid).error[:2] == (409, "FileAlreadyExists")
    assert cloud.get("k") == b"faster"
    assert finish(cloud, upload, **{"x-oss-complete-all": "yes"}).status == 200
    assert cloud.get("k") == b"x"


def copy(cloud: Cloud, upload: str, number: int, source: str, **headers: str) -> Answer:
    return send(cloud, upload, number, b"", **{"x-oss-copy-source": source, **headers})


def test_part_copy(cloud: Cloud) -> None:
    data = bytes(n % 251 for n in range(SIZE * 2))
    version = cloud.put("s p", data, bucket=VERSIONED_BUCKET).headers["x-oss-version-id"]
    cloud.put("s p", b"newer", bucket=VERSIONED_BUCKET)
    upload = begin(cloud)
    source = f"/{VERSIONED_BUCKET}/s%20p?versionId={version}"
    middle = copy(cloud, upload, 1, source, **{"x-oss-copy-source-range": f"bytes=7-{SIZE + 6}"})
    assert (middle.tree.tag, middle.text("ETag")) == (
        "CopyPartResult",
        f'"{hashlib.md5(data[7 : SIZE + 7]).hexdigest().upper()}"',
    )
    assert "x-oss-hash-crc64ecma" not in middle.headers
    assert middle.headers["x-oss-copy-source-version-id"] == version
    whole = copy(cloud, upload, 2, source, **{"x-oss-copy-source-range": "from the start"})
    last = copy(cloud, upload, 3, f"/{VERSIONED_BUCKET}/s%20p")
    etags = [answer.text("ETag") or "" for answer in (middle, whole, last)]
    done = finish(cloud, upload, listed(list(zip((1, 2, 3), etags, strict=True))))
    expected = data[7 : SIZE + 7] + data + b"newer"
    assert done.headers["x-oss-hash-crc64ecma"] == str(crc64.xz(expected))
    assert cloud.get("k") == expected


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"x-oss-copy-source-range": "bytes=0-7"}, 416, "InvalidRange"),
        ({"x-oss-copy-source-range": "bytes=9-12"}, 416, "InvalidRange"),
        ({"x-oss-copy-source-range": "bytes=3-2"}, 416, "InvalidRange"),
        ({"x-oss-copy-source-if-match": '"0"'}, 412, "PreconditionFailed"),
    ],
)
def test_part_copy_refuses(cloud: Cloud, headers: dict[str, str], status: int, code: str) -> None:
    cloud.put("s")
    upload = begin(cloud)
    assert copy(cloud, upload, 1, f"/{BUCKET}/s", **headers).error[:2] == (status, code)
    assert copy(cloud, upload, 1, f"/{BUCKET}/missing").error[1] == "NoSuchKey"
    cloud.world.knobs.put_max = 6
    assert copy(cloud, upload, 1, f"/{BUCKET}/s").error[:2] == (400, "EntityTooLarge")
    assert cloud.send("GET", "k", params={"uploadId": upload}).tree.find("Part") is None


def test_list_parts(cloud: Cloud) -> None:
    upload = begin(cloud, "a b")
    for number in (3, 1, 2):
        send(cloud, upload, number, b"x" * number, key="a b")
    params = {"uploadId": upload, "encoding-type": "url"}
    first = cloud.send("GET", "a b", params={**params, "max-parts": "2"})
    assert [node.text for node in first.tree.findall("Part/Size")] == ["1", "2"]
    assert first.text("Part/HashCrc64ecma") == str(crc64.xz(b"x"))
    assert (first.text("IsTruncated"), first.text("NextPartNumberMarker"), first.text("Key")) == ("true", "2", "a%20b")
    second = cloud.send("GET", "a b", params={**params, "part-number-marker": "2"})
    assert [node.text for node in second.tree.findall("Part/PartNumber")] == ["3"]
    assert (second.text("IsTruncated"), second.text("NextPartNumberMarker")) == ("false", "3")
    for wrong in ({"max-parts": "0"}, {"max-parts": "1001"}, {"part-number-marker": "x"}, {"encoding-type": "base64"}):
        assert cloud.send("GET", "a b", params={**params, **wrong}).error[1] == "InvalidArgument"


def uploads(cloud: Cloud, **params: str) -> Answer:
    return cloud.send(
        "GET", params={"uploads": "", **{name.replace("_", "-"): value for name, value in params.items()}}
    )


def test_list_uploads(cloud: Cloud) -> None:
    made = {key: begin(cloud, key) for key in ("b", "a/1", "a/2", "c d")}
    again = begin(cloud, "b")
    everything = uploads(cloud, encoding_type="url").tree
    keys = [node.text for node in everything.findall("Upload/Key")]
    assert keys == ["a%2F1", "a%2F2", "b", "b", "c%20d"]
    ids = [node.text for node in everything.findall("Upload/UploadId")]
    assert ids[2:4] == sorted([made["b"], again])
    assert [node.text for node in uploads(cloud, prefix="a/").tree.findall("Upload/Key")] == ["a/1", "a/2"]
    grouped = uploads(cloud, delimiter="/").tree
    assert [node.text for node in grouped.findall("CommonPrefixes/Prefix")] == ["a/"]
    assert [node.text for node in grouped.findall("Upload/Key")] == ["b", "b", "c d"]


@pytest.mark.parametrize("size", [1, 2, 3, 10])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_of_uploads_are_complete(cloud: Cloud, size: int, delimiter: str) -> None:
    for key in ("b", "a/1", "a/2", "b", "b", "c"):
        begin(cloud, key)
    whole = [
        node[0].text or ""
        for node in uploads(cloud, delimiter=delimiter).tree
        if node.tag in ("Upload", "CommonPrefixes")
    ]
    cloud.world.knobs.page_size = size
    found: list[str] = []
    marker = {"key-marker": "", "upload-id-marker": ""}
    for _ in range(20):
        page = cloud.send("GET", params={"uploads": "", "delimiter": delimiter, **marker})
        found += [node[0].text or "" for node in page.tree if node.tag in ("Upload", "CommonPrefixes")]
        marker = {
            "key-marker": page.text("NextKeyMarker") or "",
            "upload-id-marker": page.text("NextUploadIdMarker") or "",
        }
        if page.text("IsTruncated") == "false":
            break
    assert found.count("b") == 3
    assert sorted(found) == sorted(whole)
    assert len(found) == (6 if not delimiter else 5)


def test_many_large_parts(cloud: Cloud) -> None:
    upload = begin(cloud)
    part = bytes(4 << 20)
    for number in range(1, 17):
        assert send(cloud, upload, number, part).status == 200
    done = finish(cloud, upload, **{"x-oss-complete-all": "yes"})
    assert done.headers["ETag"].endswith('-16"')
    assert cloud.send("HEAD", "k").headers["Content-Length"] == str(16 * len(part))
    assert cloud.send("GET", "k", headers={"Range": f"bytes={len(part) - 1}-{len(part) * 2}"}).body == bytes(
        len(part) + 2
    )
