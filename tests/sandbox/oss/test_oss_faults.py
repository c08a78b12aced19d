"""Each fault does what the table says, to the requests it is meant for, and everything is counted."""

from __future__ import annotations

import hashlib
import socket
import time

import pytest
import requests
from fastcrc import crc64
from oss_cloud import BUCKET, SESSION, Cloud

LARGE = bytes(n % 251 for n in range(3 << 20))


def broken(cloud: Cloud, method: str, key: str = "k", **more: object) -> None:
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        cloud.send(method, key, **more)  # type: ignore[arg-type]


def test_status(cloud: Cloud) -> None:
    cloud.fault(
        "status", request="put", status=503, code="SlowDown", message="slow", ec="0001-1", headers={"Retry-After": "1"}
    )
    answer = cloud.send("PUT", "k", data=b"x")
    assert answer.error == (503, "SlowDown", "0001-1")
    assert (answer.text("Message"), answer.headers["Retry-After"]) == ("slow", "1")
    assert cloud.send("GET", "k").status == 404
    cloud.put("k")
    assert cloud.count("put") == 2


def test_throttle(cloud: Cloud) -> None:
    cloud.fault("throttle", count=2)
    answer = cloud.send("PUT", "k", data=b"x")
    assert answer.error == (429, "QpsLimitExceeded", "0004-00000302")
    assert answer.headers["x-oss-qos-delay-time"] == "100"
    cloud.world.faults[0].headers = {"x-oss-qos-delay-time": "7"}
    assert cloud.send("PUT", "k", data=b"x").headers["x-oss-qos-delay-time"] == "7"
    cloud.put("k")


def test_expire_token(cloud: Cloud) -> None:
    cloud.fault("expire-token", request="get")
    cloud.put("k", by=SESSION)
    assert cloud.send("GET", "k", by=SESSION).error == (403, "SecurityTokenExpired", "0002-00000007")
    assert cloud.get("k", by=SESSION) == b"content"


@pytest.mark.parametrize("after", [0, 1, len(LARGE) // 2, len(LARGE) - 1, len(LARGE) + 1])
def test_reset_leaves_nothing(cloud: Cloud, after: int) -> None:
    cloud.fault("reset", request="put", after=after)
    broken(cloud, "PUT", data=LARGE)
    assert cloud.send("GET", "k").status == 404
    assert min(after, len(LARGE)) <= cloud.world.counts["bytes_in"] <= len(LARGE)
    assert cloud.count("put") == 1
    assert cloud.world.log[0] == {"service": "oss", "request": "put", "key": "k", "status": 0}


def test_a_reset_is_a_reset(cloud: Cloud) -> None:
    """Not merely the end of the stream."""
    cloud.fault("reset")
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as connection:
        connection.sendall(f"GET {cloud.signed_target('GET', 'k')} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_a_reset_part_is_not_there(cloud: Cloud) -> None:
    upload = cloud.send("POST", "k", params={"uploads": ""}).text("UploadId") or ""
    cloud.fault("reset", request="part", after=10)
    params = {"uploadId": upload, "partNumber": "1"}
    broken(cloud, "PUT", params=params, data=LARGE)
    assert cloud.send("GET", "k", params={"uploadId": upload}).tree.find("Part") is None
    assert cloud.send("PUT", "k", params=params, data=LARGE).status == 200


def test_lose_reply_has_done_it(cloud: Cloud) -> None:
    cloud.fault("lose-reply", request="put")
    broken(cloud, "PUT", data=b"there")
    assert cloud.get("k") == b"there"
    cloud.fault("lose-reply", request="delete")
    broken(cloud, "DELETE")
    assert cloud.send("GET", "k").status == 404
    assert cloud.world.log[0]["status"] == 200


def test_lose_reply_of_complete_leaves_no_upload(cloud: Cloud) -> None:
    upload = cloud.send("POST", "k", params={"uploads": ""}).text("UploadId") or ""
    cloud.send("PUT", "k", params={"uploadId": upload, "partNumber": "1"}, data=b"there")
    cloud.fault("lose-reply", request="complete")
    broken(cloud, "POST", params={"uploadId": upload}, headers={"x-oss-complete-all": "yes"})
    again = cloud.send("POST", "k", params={"uploadId": upload}, headers={"x-oss-complete-all": "yes"})
    assert again.error[1] == "NoSuchUpload"
    assert cloud.get("k") == b"there"


@pytest.mark.parametrize("data", [b"0123456789", LARGE])
@pytest.mark.parametrize("after", [0, 4, 1 << 40])
def test_cut_promises_more_than_it_sends(cloud: Cloud, data: bytes, after: int) -> None:
    cloud.put("k", data)
    cloud.fault("cut", request="get", after=after)
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as connection:
        connection.sendall(f"GET {cloud.signed_target('GET', 'k')} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: connection.recv(1 << 20), b"")).partition(b"\r\n\r\n")
    assert f"content-length: {len(data)}" in head.decode().lower()
    assert body == data[: min(after, len(data) - 1)]
    cloud.fault("cut", request="get", after=after)
    broken(cloud, "GET")
    assert cloud.get("k") == data


def test_cut_strikes_listings_too_and_an_answer_without_a_body_does_not_come(cloud: Cloud) -> None:
    cloud.fault("cut", request="list", after=20)
    broken(cloud, "GET", "")
    cloud.fault("cut", request="put")
    broken(cloud, "PUT", data=b"done")
    assert cloud.get("k") == b"done"


@pytest.mark.parametrize("data", [b"x", b"0123456789", LARGE])
@pytest.mark.parametrize("after", [0, 5, 1 << 40])
def test_alter_a_get(cloud: Cloud, data: bytes, after: int) -> None:
    cloud.put("k", data)
    cloud.fault("alter", request="get", after=after)
    answer = cloud.send("GET", "k")
    assert [n for n in range(len(data)) if answer.body[n] != data[n]] == [min(after, len(data) - 1)]
    assert answer.headers["x-oss-hash-crc64ecma"] == str(crc64.xz(data))
    assert cloud.get("k") == data


def test_alter_what_is_put(cloud: Cloud) -> None:
    cloud.fault("alter", request="put", after=1)
    answer = cloud.put("k", b"abc")
    stored = cloud.get("k")
    assert stored == b"a\x9dc"
    assert answer.headers["x-oss-hash-crc64ecma"] == str(crc64.xz(stored))
    assert answer.headers["ETag"] == f'"{hashlib.md5(stored).hexdigest().upper()}"'
    cloud.fault("alter", request="part")
    upload = cloud.send("POST", "k", params={"uploads": ""}).text("UploadId") or ""
    part = cloud.send("PUT", "k", params={"uploadId": upload, "partNumber": "1"}, data=b"abc")
    assert part.headers["x-oss-hash-crc64ecma"] == str(crc64.xz(b"\x9ebc"))


def test_alter_what_is_copied(cloud: Cloud) -> None:
    """The source stays as it is; the copy is another content, of which the ETag and a HEAD tell the truth."""
    cloud.put("k", b"abc")
    source = {"x-oss-copy-source": f"/{BUCKET}/k"}
    cloud.fault("alter", request="copy", after=1)
    answer = cloud.send("PUT", "copy", headers=source)
    assert cloud.get("k") == b"abc" and cloud.get("copy") == b"a\x9dc"
    assert answer.text("ETag") == f'"{hashlib.md5(cloud.get("copy")).hexdigest().upper()}"'
    head = cloud.send("HEAD", "copy").headers
    assert (head["x-oss-hash-crc64ecma"], head["Content-Length"]) == (str(crc64.xz(b"a\x9dc")), "3")
    cloud.send("PUT", "copy", headers=source)
    assert cloud.get("copy") == b"abc", "once is once"
    cloud.fault("alter", request="part-copy")
    upload = cloud.send("POST", "k", params={"uploads": ""}).text("UploadId") or ""
    part = cloud.send("PUT", "k", params={"uploadId": upload, "partNumber": "1"}, headers=source)
    assert (part.text("ETag") or "").strip('"') == hashlib.md5(b"\x9ebc").hexdigest().upper()


def test_content_md5_finds_what_was_altered_on_the_way(cloud: Cloud) -> None:
    cloud.fault("alter", request="put")
    answer = cloud.send("PUT", "k", data=b"", headers={"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="})
    assert answer.status == 200  # of nothing, nothing can be altered
    cloud.fault("alter", request="put")
    answer = cloud.send("PUT", "k", data=b"abc", headers={"Content-MD5": "kAFQmDzST7DWlj99KOF/cg=="})
    assert answer.error[1] == "InvalidDigest"


def test_drop_header(cloud: Cloud) -> None:
    cloud.fault("drop-header", request="put", header="X-OSS-Hash-CRC64ECMA")
    assert "x-oss-hash-crc64ecma" not in cloud.put("k").headers
    assert "x-oss-hash-crc64ecma" in cloud.put("k").headers
    cloud.fault("drop-header", header="ETag", count=-1)
    for method in ("GET", "HEAD"):
        assert "ETag" not in cloud.send(method, "k").headers


def test_stall_goes_on_afterwards(cloud: Cloud) -> None:
    cloud.fault("stall", request="put", seconds=0.2)
    started = time.monotonic()
    cloud.put("k")
    assert time.monotonic() - started >= 0.2
    assert cloud.get("k") == b"content"


def test_latency_is_waited_before_each_answer(cloud: Cloud) -> None:
    cloud.world.knobs.latency = 0.1
    started = time.monotonic()
    cloud.put("k")
    cloud.send("GET", "missing")
    assert time.monotonic() - started >= 0.2


def test_a_fault_strikes_the_requests_it_names(cloud: Cloud) -> None:
    cloud.fault("status", request="p*", key="hit/*", skip=1, count=2)
    keys = ["other", "hit/1", "hit/2", "hit/3", "hit/4"]
    assert [cloud.send("PUT", key, data=b"x").status for key in keys] == [200, 200, 500, 500, 200]


def test_only_who_is_let_in_meets_a_fault(cloud: Cloud) -> None:
    cloud.fault("status", count=1)
    assert cloud.send("GET", "k", region="cn-shanghai").status == 400
    assert cloud.world.faults[0].count == 1
    assert cloud.send("GET", "k").status == 500


def test_everything_is_counted(cloud: Cloud) -> None:
    cloud.put("k", b"12345")
    cloud.get("k")
    cloud.send("GET", "missing")
    cloud.send("HEAD", "k")
    cloud.send("GET", params={"list-type": "2"})
    requests.get(f"{cloud.url}/{BUCKET}/k", timeout=10)
    assert {kind: cloud.count(kind) for kind in ("put", "get", "head", "list")} == {
        "put": 1,
        "get": 3,
        "head": 1,
        "list": 1,
    }
    assert cloud.world.counts["bytes_in"] == 5
    assert cloud.world.counts["bytes_out"] > 5
    assert [entry["status"] for entry in cloud.world.log] == [200, 200, 404, 200, 200, 403]


def test_a_client_that_leaves_in_the_middle_is_no_error(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    cloud.put("k", bytes(64 << 20))
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as connection:
        connection.sendall(f"GET {cloud.signed_target('GET', 'k')} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert cloud.send("HEAD", "k").status == 200
    assert cloud.world.counts["bytes_out"] < 64 << 20
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_connection_is_kept(cloud: Cloud) -> None:
    """Ordinary refusals do not cost a connection."""
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=10) as connection:
        for _ in range(3):
            connection.sendall(f"HEAD {cloud.signed_target('HEAD', 'k')} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 404 ")
