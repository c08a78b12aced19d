"""The object store that measures: its checksums, both dialects by clients that are not ours, and its counters.

Where there is no rustc, there is no store, and these tests are skipped.
"""

import hashlib
import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import measure
import oss2
import pytest
import run
import server
import sets
import tools
from fastcrc import crc64

COMPILER = shutil.which("rustc")  # rustup leaves one that has no toolchain where another home has it

pytestmark = [
    pytest.mark.skipif(
        not COMPILER or subprocess.run([COMPILER, "--version"], capture_output=True).returncode != 0,
        reason="there is no rustc to build the store",
    ),
    pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return server.build(tmp_path_factory.mktemp("store"), optimised="0")


@pytest.fixture
def store(program: Path) -> Iterator[server.Server]:
    with server.serving(program) as told:
        yield told


@pytest.fixture
def bucket(store: server.Server) -> oss2.Bucket:
    return oss2.Bucket(oss2.AuthV4("id", "secret"), store.endpoint, "bench", region="cn-hangzhou")


def ask(store: server.Server, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[HTTPResponse, bytes]:
    """One request as it stands, of nobody's client."""
    connection = HTTPConnection(store.endpoint.removeprefix("http://"), timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    told = answer.read()
    connection.close()
    return answer, told


def test_its_checksums_are_the_published_ones(program: Path) -> None:
    done = subprocess.run([program, "--check"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("checksums right")


def test_an_object_comes_back_with_oss_s_checksum_and_md5(bucket: oss2.Bucket) -> None:
    content = bytes(range(256)) * 33 + b"end"
    put = bucket.put_object("a b/+&<ü>.bin", content, headers={"x-oss-meta-who": "me"})
    assert put.crc == crc64.xz(content) and put.etag == hashlib.md5(content).hexdigest().upper()
    got = bucket.get_object("a b/+&<ü>.bin")
    assert got.read() == content and got.headers["x-oss-meta-who"] == "me"
    assert bucket.get_object("a b/+&<ü>.bin", byte_range=(5, 9)).read() == content[5:10]
    assert bucket.get_object("a b/+&<ü>.bin", byte_range=(None, 3)).read() == b"end"
    head = bucket.head_object("a b/+&<ü>.bin")
    assert head.content_length == len(content) and head.headers["x-oss-hash-crc64ecma"] == str(put.crc)
    bucket.delete_object("a b/+&<ü>.bin")
    with pytest.raises(oss2.exceptions.NotFound):
        bucket.get_object("a b/+&<ü>.bin")


def test_an_object_is_not_written_over_where_the_client_forbids_it(bucket: oss2.Bucket) -> None:
    bucket.put_object("k", b"one")
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        bucket.put_object("k", b"two", headers={"x-oss-forbid-overwrite": "true"})
    assert caught.value.code == "FileAlreadyExists" and bucket.get_object("k").read() == b"one"


def test_parts_that_are_sent_and_copied_are_one_object(bucket: oss2.Bucket) -> None:
    source = bytes(range(251)) * 2000
    bucket.put_object("source", source)
    upload = bucket.init_multipart_upload("whole").upload_id
    parts = [oss2.models.PartInfo(1, bucket.upload_part("whole", upload, 1, b"first").etag)]
    parts.append(
        oss2.models.PartInfo(2, bucket.upload_part_copy("bench", "source", (7, 300_006), "whole", upload, 2).etag)
    )
    assert [part.part_number for part in bucket.list_parts("whole", upload).parts] == [1, 2]
    done = bucket.complete_multipart_upload("whole", upload, parts)
    whole = b"first" + source[7:300_007]
    assert bucket.get_object("whole").read() == whole and done.crc == crc64.xz(whole)
    bucket.copy_object("bench", "whole", "copy")
    assert bucket.get_object("copy", byte_range=(3, 8)).read() == whole[3:9]


@pytest.mark.parametrize("second", [False, True], ids=["v1", "v2"])
@pytest.mark.parametrize("page", [1, 2, 3, 100])
def test_a_listing_has_every_key_once_in_any_pages(bucket: oss2.Bucket, page: int, second: bool) -> None:
    keys = ["a", "d/1", "d/2", "d/e/3", "d2", "é&", "z"]
    for key in keys:
        bucket.put_object(key, b"x")
    iterator = oss2.ObjectIteratorV2 if second else oss2.ObjectIterator

    def listed(**more: str) -> list[str]:
        found = iterator(bucket, max_keys=page, **more)
        return [item.key for item in itertools.islice(found, 20)]  # a listing that does not advance would never end

    assert listed() == sorted(keys)
    assert listed(prefix="d/") == ["d/1", "d/2", "d/e/3"]
    assert sorted(listed(delimiter="/")) == sorted(["a", "d/", "d2", "é&", "z"])


def test_s3_s_dialect_has_its_etags_and_its_chunks(store: server.Server) -> None:
    body = b"5;chunk-signature=0\r\nhello\r\n1;chunk-signature=0\r\n!\r\n0;chunk-signature=0\r\n\r\n"
    put, _ = ask(store, "PUT", "/bench/k", body, x_amz_content_sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert put.headers["ETag"] == f'"{hashlib.md5(b"hello!").hexdigest()}"'
    _, listed = ask(store, "GET", "/bench?list-type=2&prefix=k", x_amz_date="now")
    assert b"<Key>k</Key>" in listed and b"<Size>6</Size>" in listed
    _, done = ask(store, "POST", "/bench?delete", b"<Delete><Object><Key>k</Key></Object></Delete>", x_amz_date="now")
    assert b"<Deleted><Key>k</Key></Deleted>" in done and store.counters()["delete_many"] == 1
    assert ask(store, "GET", "/bench/k")[0].status == 404


def test_a_reader_that_names_another_content_is_refused(store: server.Server, bucket: oss2.Bucket) -> None:
    etag = bucket.put_object("k", b"one").etag
    assert ask(store, "GET", "/bench/k", if_match=f'"{etag}"')[1] == b"one"
    assert ask(store, "GET", "/bench/k", if_match='"0"')[0].status == 412


def test_what_is_asked_is_counted_and_a_reset_empties_all(store: server.Server, bucket: oss2.Bucket) -> None:
    for number in range(3):
        bucket.put_object(str(number), b"12345")
    bucket.get_object("0").read()
    told = store.counters()
    assert (told["put"], told["get"], told["bytes_in"], told["bytes_out"], told["objects"]) == (3, 1, 15, 5, 3)
    store.reset()
    assert store.counters().keys() <= {"connections"}


def test_without_md5_an_etag_is_no_digest(program: Path) -> None:
    with server.serving(program, "--no-md5") as store:
        etag = ask(store, "PUT", "/bench/k", b"one", x_amz_date="now")[0].headers["ETag"]
    assert etag == f'"{crc64.xz(b"one"):032x}-1"'


def test_many_at_once_are_each_answered(store: server.Server) -> None:
    def work(number: int) -> None:
        content = bytes([number]) * 10_000
        ask(store, "PUT", f"/bench/{number}", content)
        assert ask(store, "GET", f"/bench/{number}")[1] == content

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counters()["objects"] == 20


def test_a_run_of_ours_is_measured_in_every_phase_and_the_source_is_as_it_was(
    store: server.Server, tmp_path: Path
) -> None:
    sets.make(tmp_path / "append", "append", 0.05)
    before = sets.sizes(tmp_path / "append")
    told = dict(measure.journey(tools.OURS["ours-tree"], tmp_path / "append", run.PHASES, store, tmp_path))
    assert list(told) == list(run.PHASES) and [one.failure for one in told.values()] == [""] * 5
    assert told["fresh"].up > sum(before.values()) > 100_000 > told["noop"].up
    assert told["touch"].up < 100_000 and 2_000_000 < told["append"].up < 2_200_000 < told["restore"].down
    assert all(10 < one.rss < 1000 and one.cpu > 0 and one.requests["put"] >= 1 for one in told.values())
    assert sets.sizes(tmp_path / "append") == before
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["append"]


@pytest.mark.slow
def test_the_whole_comparison_gives_results_and_a_chart(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Our two layouts on a set of ten files, through every phase: all is measured, and restored as it was."""
    out = tmp_path / "results.json"
    words = ["--sets", "append", "--scale", "0.05", "--runs", "1", "--tools", "ours-tree,ours-vault"]
    assert run.main([*words, "--work", str(tmp_path), "--out", str(out)]) == 0, capfd.readouterr().err
    told = json.loads(out.read_text())
    assert [(row["phase"], row["tool"]) for row in told["rows"]] == [
        (phase, tool) for phase in run.PHASES for tool in ("ours-tree", "ours-vault")
    ]
    for row in told["rows"]:
        assert row["median"]["wall"] > 0 and row["median"]["cpu"] > 0 and 10 < row["median"]["rss"] < 1000
        assert row["requests"]["put"] >= 1 and row["ratio"] is None
    sent = {(row["phase"], row["tool"]): row["median"]["up"] for row in told["rows"]}
    assert sent["fresh", "ours-tree"] > 19_000_000 > 100_000 > sent["noop", "ours-tree"]
    assert str(tmp_path) not in out.read_text(), "results do not say where things lie"
    assert "ours-vault" in (tmp_path / "chart.svg").read_text()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [], "the working folder is gone"
