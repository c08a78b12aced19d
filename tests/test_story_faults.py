"""Stories of a backup whose neighbours fail: what passes is healed without a trace, what stays is told, and no snapshot
is ever committed that names what is not there.
"""

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard
from box import OWN_PUTS, RECORD, Box, Ended, uploads, wanted

from backup_action.core import wording
from backup_action.sandbox.serve import Sandbox

CRC = "x-oss-hash-crc64ecma"
LARGE = os.urandom((9 << 20) + 7)  # two parts
FILES = {"a.csv": b"1,2\n", "d/b.csv": b"3,4\n", "d/empty": b"", "large.bin": LARGE}
Fault = dict[str, Any]


@pytest.fixture
def tree(box: Box) -> Box:
    """A box with three small files and one that takes two parts."""
    for name, data in FILES.items():
        write(box, name, data)
    return box


def write(box: Box, name: str, data: bytes) -> None:
    path = box.tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def unspent(box: Box) -> list[Fault]:
    """The faults that have not struck as often as they were to: a test whose fault misses proves nothing."""
    with urllib.request.urlopen(f"{box.sandbox.control}/faults") as answer:
        return [fault for fault in json.load(answer) if fault["count"] > 0]


def assert_whole(
    box: Box, ended: Ended, snapshots: int = 1, files: int = len(FILES), orphans: Sequence[str] = ()
) -> None:
    """Everything on disk is in the bucket once, and one new snapshot names all of it."""
    assert ended.code == 0 and ended.told.status == "ok", ended.text
    assert box.objects() == wanted(box)
    found = box.snapshots()
    assert len(found) == snapshots and ended.told.snapshot and ended.told.verified
    assert found[-1][0]["head"]["id"] == ended.told.snapshot.id
    entries = [entry for entry in found[-1][1:-1] if entry["kind"] == "file"]
    assert {entry["key"]: entry["sha256"] for entry in entries} == wanted(box)
    counts = ended.told.counts
    assert counts.files_total == files == counts.files_uploaded + counts.files_unchanged and counts.files_failed == 0
    assert uploads(box) == list(orphans)


def assert_nothing_written(box: Box) -> None:
    """Nothing but how the run ended."""
    assert not any(box.sent(f"oss.{kind}") for kind in ("initiate", "part", "complete", "copy", "delete"))
    box.post("faults", [])
    assert box.sent() <= RECORD and box.objects() == {} and box.snapshots() == []


def of(kind: str, *requests: str, **more: Any) -> list[Fault]:
    return [{"kind": kind, "request": request, **more} for request in requests]


HEALED: dict[str, list[Fault]] = {
    "500 everywhere": of("status", "list", "put", "part", "initiate", "complete", "head"),
    "503 everywhere": of(
        "status", "list", "put", "part", "initiate", "complete", "head", status=503, code="ServiceUnavailable"
    ),
    "reset before anything": of("reset", "list", "put", "part", "initiate", "complete", "head"),
    "reset inside of the content": of("reset", "put", after=2) + of("reset", "part", after=5_000_000),
    "reset at the last byte": of("reset", "put", key="p/t/a.csv", after=3) + of("reset", "part", after=(8 << 20) - 1),
    "answer cut short": of("cut", "list", after=60) + of("cut", "put", "part", "complete", after=5),
    "altered on the way": of("alter", "put", key="p/t/a.csv", after=1) + of("alter", "part", after=1 << 20),
    "altered listing": of("alter", "list", after=60),
    "answer to a write without its CRC-64": of("drop-header", "put", "part", header=CRC),
    "answer to a completion without its CRC-64": of("drop-header", "complete", header=CRC),
    "answer to the last question without its CRC-64": of("drop-header", "head", header=CRC),
    "lost reply to a PUT and a part": of("lose-reply", "put", "part", "list", "head"),
    "lost reply to a completion": of("lose-reply", "complete"),
    "lost reply to the snapshot's PUT": of("lose-reply", "put", key="*.jsonl.zst"),
    "throttled": of("throttle", "put", count=3, headers={"x-oss-qos-delay-time": "150"})
    + of("throttle", "list", "part", "initiate", "complete", "head"),
    "slow down": of("status", "put", status=503, code="SlowDown", headers={"Retry-After": "1"}),
    "keys expired": of("expire-token", "list", "put", "part", "initiate", "complete", "head"),
    "keys unknown for a moment": of("status", "list", "put", status=403, code="InvalidAccessKeyId"),
    "a stalled moment": of("stall", "list", "put", "part", "complete", seconds=0.3),
    "STS away": of("status", "*", service="sts", status=503, code="ServiceUnavailable", count=2),
    "STS resets and cuts": of("reset", "*", service="sts") + of("cut", "*", service="sts", after=40),
    "STS throttles": of("throttle", "*", service="sts"),
    "STS says that the token expired": of("expire-token", "*", service="sts"),
    "GitHub away": of("status", "token", service="github", status=500, count=2),
    "GitHub resets and cuts": of("reset", "token", service="github") + of("cut", "token", service="github", after=40),
}


QUICK = {
    "500 everywhere", "reset before anything", "answer cut short", "altered on the way", "altered listing", "throttled",
    "answer to a completion without its CRC-64", "answer to the last question without its CRC-64", "keys expired",
    "lost reply to a completion", "STS resets and cuts", "GitHub away",
}  # fmt: skip


def slowly(names: Iterable[str], quick: Iterable[str]) -> list[Any]:
    """Names as parameters of a test; all but the quick ones run in the longer form only."""
    assert set(quick) <= set(names)
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", slowly(HEALED, QUICK))
def test_what_passes_is_healed(tree: Box, name: str) -> None:
    tree.post("faults", HEALED[name])
    ended = tree.backup()
    assert unspent(tree) == []
    assert_whole(tree, ended)
    assert ended.told.problem_counts == {}, "what was healed is nothing to tell"


@pytest.mark.parametrize("kind", slowly(["alter", "lose-reply", "cut"], ["alter"]))
def test_a_multipart_upload_whose_id_is_lost_is_begun_anew(tree: Box, kind: str) -> None:
    """The first one stays, since only its id could end it; the bucket's lifecycle rule is for such."""
    tree.post("faults", of(kind, "initiate", after=5))
    ended = tree.backup()
    assert unspent(tree) == [] and uploads(tree) == ["p/t/large.bin"]
    assert_whole(tree, ended, orphans=["p/t/large.bin"])


def test_a_lost_reply_doubles_nothing_on_a_versioned_bucket_but_the_version(box: Box) -> None:
    bucket = box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"]
    write(box, "a", b"1")
    box.post("faults", of("lose-reply", "put", key="p/t/a"))
    ended = box.backup(OSS_BACKUP_BUCKET=bucket)
    assert ended.code == 0 and box.objects(bucket) == wanted(box)
    [snapshot] = box.snapshots(bucket)
    version = next(entry["version"] for entry in snapshot[1:-1] if entry["kind"] == "file")
    assert box.client(bucket).get_object("p/t/a", params={"versionId": version}).read() == b"1"


UNPROVEN: dict[str, list[Fault]] = {
    "no CRC-64 of a PUT": of("drop-header", "put", count=-1, key="p/t/*", header=CRC),
    "no CRC-64 of a part": of("drop-header", "part", count=-1, header=CRC),
    "no CRC-64 of a completion": of("drop-header", "complete", "head", count=-1, header=CRC),
    "altered PUT": of("alter", "put", count=-1, key="p/t/*"),
    "altered part": of("alter", "part", count=-1),
}


@pytest.mark.parametrize("name", slowly(UNPROVEN, ["no CRC-64 of a PUT", "no CRC-64 of a completion", "altered part"]))
def test_what_cannot_be_proven_is_damage_and_makes_no_snapshot(tree: Box, name: str) -> None:
    faults, sent = UNPROVEN[name], UNPROVEN[name][-1]["request"]
    tree.post("faults", faults)
    ended = tree.backup()
    assert (ended.code, ended.told.status) == (6, "damaged"), ended.text
    assert set(ended.told.problem_counts) == {"stored.mismatch"} and ended.told.problems[0].where.startswith("p/t/")
    assert ended.told.problems[0].facts["request-id"] and ended.told.problems[0].facts["request-id"] in ended.text
    assert tree.sent(f"oss.{sent}") > 1, "it was tried more than once"
    assert tree.snapshots() == [] and ended.told.snapshot is None and not ended.told.verified
    assert uploads(tree) == []
    tree.post("faults", [])
    assert_whole(tree, tree.backup())


def test_what_is_refused_for_good_is_asked_once(tree: Box) -> None:
    tree.post("faults", of("status", "list", status=400, code="InvalidArgument", ec="0002-00000001", count=-1))
    ended = tree.backup()
    assert (ended.code, ended.told.status) == (4, "denied") and tree.sent("oss.list") == 1
    assert "InvalidArgument" in ended.text and "0002-00000001" in ended.text
    assert_nothing_written(tree)


def test_one_file_that_the_bucket_refuses_is_told_and_the_rest_goes_on(tree: Box) -> None:
    tree.post("faults", of("status", "put", status=409, code="FileImmutable", key="p/t/a.csv", count=-1))
    ended = tree.backup()
    assert (ended.code, ended.told.status) == (3, "incomplete"), ended.text
    assert ended.told.problem_counts == {"file.refused": 1} and "t/a.csv" in ended.text
    assert set(tree.objects()) == set(wanted(tree)) - {"t/a.csv"}
    [snapshot] = tree.snapshots()
    assert not snapshot[-1]["foot"]["complete"]
    assert {entry["path"] for entry in snapshot[1:-1] if entry["kind"] == "file"} == {
        "t/d/b.csv", "t/d/empty", "t/large.bin",
    }  # fmt: skip
    tree.post("faults", [])
    assert_whole(tree, tree.backup(), snapshots=2)


@pytest.mark.parametrize(
    ("offset", "size"),
    [
        (1200, 9 << 20),
        (-1200, 100),
        pytest.param(-1200, 9 << 20, marks=pytest.mark.slow),
        pytest.param(1200, 100, marks=pytest.mark.slow),
    ],
)
def test_a_clock_that_is_off_by_minutes_is_corrected(box: Box, offset: int, size: int) -> None:
    write(box, "x", os.urandom(size))
    box.post("settings", {"clock_offset": offset})
    ended = box.backup()
    box.post("settings", {"clock_offset": 0})
    assert_whole(box, ended, files=1)


def test_a_clock_ahead_of_the_bucket_asks_for_no_keys_at_every_request(box: Box) -> None:
    for number in range(20):
        write(box, f"{number}", b"x")
    box.post("settings", {"clock_offset": -1000})
    ended = box.backup("--role-session-expiration", "900", "--concurrency", "1")
    box.post("settings", {"clock_offset": 0})
    assert_whole(box, ended, files=20)
    assert box.sent("sts.AssumeRoleWithOIDC") <= 3, "keys that look expired by our clock are good by the bucket's"


def test_a_clock_that_jumps_while_many_requests_are_under_way_is_corrected(box: Box) -> None:
    for number in range(40):
        write(box, f"{number}", b"x")
    box.post("faults", of("stall", "list", seconds=1.5, skip=1))
    process = box.start("backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en")
    until(lambda: box.sent("oss.list") >= 1)
    box.post("settings", {"clock_offset": 1200})
    ended = box.end(process)
    box.post("settings", {"clock_offset": 0})
    assert_whole(box, ended, files=40)


def test_a_clock_that_is_off_by_days_is_told_in_words(tree: Box) -> None:
    tree.post("settings", {"clock_offset": 400_000})
    ended = tree.backup("--notify-on", "never")
    tree.post("settings", {"clock_offset": 0})
    assert (ended.code, ended.told.status) == (4, "denied") and ended.told.problem_counts == {"oss.clock": 1}
    assert "clock" in ended.text and "NTP" in ended.text
    for moment in ("ours", "theirs"):
        assert ended.told.problems[0].facts[moment] in ended.text
    chinese = wording.sentence(ended.told.problems[0], "zh")
    assert (
        "系统时间" in chinese.what
        and ended.told.problems[0].facts["theirs"] in chinese.what
        and "NTP" in chinese.advice
    )
    assert abs(int(ended.told.problems[0].facts["offset-seconds"]) - 400_000) < 60
    assert_nothing_written(tree)


def test_pages_of_two_keys_are_read_to_their_end(box: Box) -> None:
    for number in range(25):
        write(box, f"d{number % 3}/{number}", str(number).encode())
    box.post("settings", {"page_size": 2})
    assert_whole(box, box.backup(), files=25)
    puts = box.sent()
    again = box.backup()
    assert again.told.counts.files_unchanged == 25 and box.sent() - puts == OWN_PUTS and again.told.problem_counts == {}
    assert again.told.foreign_objects == 0


def test_keys_that_live_three_seconds_are_renewed_with_a_new_token_each(box: Box) -> None:
    for number in range(35):
        write(box, f"{number}", b"x")
    box.post("settings", {"key_seconds": 3, "latency": 0.12})
    ended = box.backup("--concurrency", "1")
    box.post("settings", {"latency": 0})
    assert_whole(box, ended, files=35)
    assert 2 <= box.sent("sts.AssumeRoleWithOIDC") <= 8 and box.sent("sts.token-in-url") == 0
    assert box.sent("github.token") == box.sent("sts.AssumeRoleWithOIDC"), "a token is used once"


@pytest.mark.parametrize("parts", [4, pytest.param(12, marks=pytest.mark.slow)])
def test_keys_are_renewed_in_the_middle_of_a_multipart_upload(box: Box, parts: int) -> None:
    """Each part takes longer than a third of the keys' life, and one of them outlives them altogether."""
    write(box, "large", os.urandom((8 << 20) * parts - 7))
    box.post("settings", {"key_seconds": 3})
    stall = of("stall", "part", seconds=1.2, count=-1)
    box.post("faults", of("stall", "part", skip=1, seconds=4, count=1) + stall)
    ended = box.backup("--bandwidth-limit", "8MiB")
    box.post("faults", [])
    assert_whole(box, ended, files=1)
    assert box.sent("sts.AssumeRoleWithOIDC") >= 2 and box.sent("oss.initiate") == 1 == box.sent("oss.complete")


@pytest.mark.slow
def test_a_run_of_half_a_minute_whose_keys_live_three_seconds(box: Box) -> None:
    for number in range(240):
        write(box, f"{number}", b"x")
    write(box, "large", os.urandom(20 << 20))
    box.post("settings", {"key_seconds": 3, "latency": 0.12})
    ended = box.backup("--concurrency", "1")
    box.post("settings", {"latency": 0})
    assert_whole(box, ended, files=241)
    assert ended.told.duration_seconds > 27 and 9 <= box.sent("sts.AssumeRoleWithOIDC") <= 30


def test_a_token_that_dies_while_sts_is_away_is_replaced(tree: Box) -> None:
    tree.post("settings", {"token_seconds": 2})
    away = {"service": "sts", "status": 503, "code": "ServiceUnavailable"}
    tree.post("faults", of("stall", "*", service="sts", seconds=2.5) + of("status", "*", count=2, **away))
    ended = tree.backup()
    assert_whole(tree, ended)
    assert tree.sent("github.token") == tree.sent("sts.AssumeRoleWithOIDC") >= 3


ROBOT: dict[str, list[Fault]] = {
    "500": of("status", "*", status=500),
    "wrong token": of("status", "*", status=200, code="300005", message="token is not exist"),
    "a login page": of("status", "*", status=200, message="<html>log in</html>"),
    "redirect": of("status", "*", status=302, headers={"Location": "http://127.0.0.1:9/"}),
    "too fast": of("throttle", "*"),
    "reset": of("reset", "*"),
    "lost reply": of("lose-reply", "*"),
    "cut": of("cut", "*", after=5),
    "altered": of("alter", "*", after=2),
    "keyword": [],
}


@pytest.mark.parametrize("name", slowly(ROBOT, ["wrong token", "reset", "keyword"]))
def test_dingtalk_never_changes_the_result(box: Box, name: str) -> None:
    write(box, "a", b"1")
    box.post("faults", [{**fault, "service": "dingtalk", "count": -1} for fault in ROBOT[name]])
    box.post("settings", {"dingtalk_keyword": "another word" if name == "keyword" else ""})
    ended = box.backup()
    assert_whole(box, ended, files=1)
    assert ended.told.problem_counts == {"notify.failed": 1} and "DingTalk" in ended.text


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[bytes]]]:
    """A server that nobody should be led to: its address, and what it was sent."""
    hits: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        hits.append(connection.recv(65_536))
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", hits
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize(
    ("service", "request_kind", "codes"),
    [
        ("oss", "list", {4}),
        ("oss", "put", {4}),
        ("github", "token", {4}),
        ("sts", "*", {4, 5}),  # where an answer without a code of STS's counts as none at all
        ("dingtalk", "*", {0}),
    ],
)
def test_a_redirect_is_followed_nowhere(
    box: Box, elsewhere: tuple[str, list[bytes]], service: str, request_kind: str, codes: set[int]
) -> None:
    write(box, "a", b"1")
    address, hits = elsewhere
    moved = {"status": 307, "code": "TemporaryRedirect", "headers": {"Location": address}}
    box.post("faults", of("status", request_kind, service=service, count=-1, **moved))
    ended = box.backup()
    box.post("faults", [])
    assert hits == [] and ended.code in codes, ended.text
    assert len(box.snapshots()) == (1 if ended.code == 0 else 0)


def test_the_begin_of_a_multipart_upload_follows_no_redirect(tree: Box, elsewhere: tuple[str, list[bytes]]) -> None:
    address, hits = elsewhere
    tree.post("faults", of("status", "initiate", status=307, code="TemporaryRedirect", headers={"Location": address}))
    tree.backup()
    assert hits == [] and unspent(tree) == []


def flipped(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


def tampered(data: bytes) -> bytes:
    """A whole frame whose checksum is right, but one entry has another SHA-256."""
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    at = plain.index(b'"sha256":"') + 10
    other = plain[:at] + (b"1" if plain[at : at + 1] == b"0" else b"0") + plain[at + 1 :]
    return zstandard.ZstdCompressor(write_checksum=True).compress(other)


def of_format_2(data: bytes) -> bytes:
    """A whole snapshot of a later format: its digest is right."""
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    *lines, foot = plain.splitlines(keepends=True)
    head = json.loads(lines[0])
    head["head"]["format"] = "oss-backup/2"
    lines[0] = json.dumps(head, separators=(",", ":")).encode() + b"\n"
    told = json.loads(foot)
    told["foot"]["digest"] = hashlib.sha256(b"".join(lines)).hexdigest()
    end = json.dumps(told, separators=(",", ":")).encode() + b"\n"
    return zstandard.ZstdCompressor(write_checksum=True).compress(b"".join([*lines, end]))


def test_a_damaged_parent_stops_the_run_before_it_writes(tree: Box) -> None:
    first = tree.backup()
    assert first.told.snapshot is not None
    key = f"p/.oss-backup/snapshots/{first.told.snapshot.id}.jsonl.zst"
    good = tree.client().get_object(key).read()
    write(tree, "new", b"n")
    before = tree.objects()
    damages = {
        "snapshot.damaged": [flipped(good), tampered(good), good[:-9], good[:40], b"", good + good, b"not a snapshot"],
        "snapshot.format": [of_format_2(good)],
    }
    for kind, bad in damages.items():
        for data in bad:
            tree.client().put_object(key, data)
            puts = tree.sent()
            ended = tree.backup("--notify-on", "never")
            assert (ended.code, ended.told.status) == (6, "damaged"), ended.text
            assert set(ended.told.problem_counts) == {kind} and first.told.snapshot.id in ended.text
            assert tree.sent() == puts + RECORD and tree.sent("oss.initiate") == 1, "nothing is written over damage"
    assert tree.objects() == before
    tree.client().put_object(key, good)
    assert_whole(tree, tree.backup(), snapshots=2, files=5)


@pytest.mark.parametrize("kind", slowly(["cut", "reset", "status"], ["cut"]))
def test_a_parent_that_came_badly_is_fetched_again(box: Box, kind: str) -> None:
    write(box, "a", b"1")
    assert box.backup().code == 0
    box.post("faults", of(kind, "get", after=100))
    again = box.backup()
    assert unspent(box) == [] and again.told.counts.files_unchanged == 1
    assert_whole(box, again, snapshots=2, files=1)


def test_a_parent_altered_on_the_way_is_never_believed(box: Box) -> None:
    write(box, "a", b"1")
    assert box.backup().code == 0
    box.post("faults", of("alter", "get", after=100))
    again = box.backup()
    assert again.code in (0, 6), "fetched once more and found whole, or told as damage"
    assert len(box.snapshots()) == (2 if again.code == 0 else 1) and box.objects() == wanted(box)


def until(done: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def lease(box: Box) -> str:
    """The key of the lease that a run holds which goes on from the newest snapshot."""
    return f"p/.oss-backup/snapshots/{box.snapshots()[-1][0]['head']['id']}.lease"


def on_another_host(box: Box, seconds: float = 6) -> subprocess.Popen[str]:
    """A run of the same source on another host, whose only PUT of a file stalls so long."""
    write(box, "slow", b"2")
    box.post("faults", of("stall", "put", key="p/t/slow", seconds=seconds))
    arguments = ("backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en")
    puts = box.sent()
    process = box.start(*arguments, XDG_STATE_HOME=str(box.folder / "other"))
    until(lambda: box.sent() > puts)
    time.sleep(0.3)  # it has the lease; by now its file is under way
    return process


def test_while_a_run_is_under_way_elsewhere_another_is_busy(box: Box) -> None:
    write(box, "a", b"1")
    assert box.backup().code == 0
    first = on_another_host(box)
    puts = box.sent()
    second = box.backup()
    assert (second.code, second.told.problem_counts) == (7, {"lease.held": 1}), second.text
    assert box.sent() == puts + RECORD and "under way" in second.text
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert_whole(box, box.backup(), snapshots=3, files=2)


def test_two_runs_on_one_host_do_not_meet(box: Box) -> None:
    write(box, "a", b"1")
    box.post("faults", of("stall", "put", key="p/t/a", seconds=6))
    arguments = ("backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en")
    first = box.start(*arguments)
    until(lambda: box.sent() >= 1)
    second = box.backup()
    assert (second.code, second.told.problem_counts) == (7, {"lease.host": 1}), second.text
    first.communicate(timeout=60)
    assert first.returncode == 0 and len(box.snapshots()) == 1


def test_a_lease_that_another_host_wrote_over_ends_the_run_before_it_commits(box: Box) -> None:
    write(box, "a", b"1")
    assert box.backup().code == 0
    first = on_another_host(box, seconds=3)
    box.client().put_object(lease(box), b'{"id": "20260101T000000Z-00000000", "host": "x", "owner": "y"}')
    text, _ = first.communicate(timeout=60)
    assert first.returncode == 7 and "took the lease" in text and len(box.snapshots()) == 1


def test_of_two_runs_from_one_parent_the_second_plans_once_more(box: Box) -> None:
    write(box, "a", b"1")
    assert box.backup().code == 0
    first = on_another_host(box)
    box.client().delete_object(lease(box))
    (box.tree / "slow").unlink()
    second = box.backup()
    assert second.code == 0, second.text
    write(box, "slow", b"2")
    text, _ = first.communicate(timeout=60)
    assert first.returncode == 0, text
    told = json.loads((box.folder / "other/oss-backup/report.json").read_bytes())
    assert second.told.snapshot and told["snapshot"]["parent_id"] == second.told.snapshot.id
    assert told["counts"]["files_total"] == 2 and told["problem_counts"] == {}
    assert_whole(box, box.backup(), snapshots=4, files=2)


@pytest.mark.parametrize("data", [b"", b"[1]", b'{"id": "\xff"}'], ids=["empty", "other", "no text"])
def test_a_lease_that_nobody_can_read_is_nobodys(box: Box, data: bytes) -> None:
    write(box, "a", b"1")
    assert box.backup().code == 0
    box.client().put_object(lease(box), data)
    write(box, "b", b"2")
    second = box.backup()
    assert second.code == 0, second.text
    assert_whole(box, second, snapshots=2, files=2)


def test_two_sources_that_run_at_once_do_not_disturb_each_other(box: Box) -> None:
    write(box, "a", b"1")
    runs = [
        box.start("backup", "--path", f"tree => {name}", "--prefix", "p", "--source", name,
                  XDG_STATE_HOME=str(box.folder / name))
        for name in ("one", "two")
    ]  # fmt: skip
    assert [run.wait(60) for run in runs] == [0, 0]
    for run in runs:
        run.communicate()
    assert set(box.objects()) == {"one/a", "two/a"} and len(box.snapshots()) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        (of("status", "token", service="github", status=500, count=-1), "oidc.unreachable"),
        (of("reset", "*", service="sts", count=-1), "sts.unreachable"),
        (of("throttle", "*", service="sts", count=-1), "sts.throttled"),
        (of("status", "list", status=503, code="ServiceUnavailable", count=-1), "oss.unreachable"),
        (of("reset", "put", count=-1), "oss.unreachable"),
        (of("status", "initiate", status=500, count=-1), "oss.unreachable"),
        (of("reset", "part", count=-1), "oss.unreachable"),
    ],
)
def test_what_stays_away_is_given_up_and_told(tree: Box, faults: list[Fault], kind: str) -> None:
    tree.post("faults", faults)
    ended = tree.backup()
    assert (ended.code, ended.told.status) == (5, "unreachable"), ended.text
    assert set(ended.told.problem_counts) == {kind}
    tree.post("faults", [])
    assert tree.snapshots() == [] and uploads(tree) == []
    assert_whole(tree, tree.backup())


@pytest.mark.slow
def test_a_slow_dingtalk_is_given_up(tmp_path: Path) -> None:
    with Sandbox() as sandbox:  # one of its own: the stand-in goes on with what it stalled
        box = Box(sandbox, tmp_path)
        write(box, "a", b"1")
        box.post("faults", of("stall", "*", service="dingtalk", seconds=45, count=-1))
        ended = box.backup()
        assert_whole(box, ended, files=1)
        assert ended.told.problem_counts == {"notify.failed": 1}


def test_the_report_says_where_to_look(box: Box) -> None:
    write(box, "a", b"1")
    box.post("faults", of("status", "put", status=403, code="UserDisable", ec="0003-00000801", count=-1))
    ended = box.backup()
    assert ended.code == 4 and ended.told.problem_counts == {"oss.account": 1}
    facts = ended.told.problems[0].facts
    assert facts["ec"] == "0003-00000801" and facts["request-id"] and facts["request-id"] in ended.text
    [message] = box.messages()
    assert "UserDisable" in message["text"] and facts["request-id"] in message["text"]
