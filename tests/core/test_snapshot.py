"""The snapshot format: what goes in comes out, and anything else is refused."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_action.core.entry import Blocks, Entry, Sort, decode_entry, encode_entry, order
from backup_action.core.place import Root
from backup_action.core.recent import Effort, PastRun
from backup_action.core.snapshot import FORMAT, HELD, Head, Origin, Parent, Snapshot, Unreadable, Writer, head_of, is_id

HEAD = Head(
    FORMAT, "20261122T180000Z-6c5f0a26", 2, "example/quant", "tree", "2026-11-22T18:00:00Z", "0.1.0",
    [Root("data", "data")], Parent("20261121T180000Z-6c5f0a25", "ab" * 32), Origin("host", "example/quant", "7"),
)  # fmt: skip
PAST = PastRun("20261121T180000Z-6c5f0a25", 3725.0, 2, 5, 2, 5, False)
GOLDEN = Path(__file__).parent / "golden" / "snapshot-1.jsonl.zst"

text = st.binary(max_size=30).map(lambda data: data.decode("utf-8", "surrogateescape"))
big = st.integers(min_value=0, max_value=2**64 - 1)
entries = st.builds(
    Entry,
    path=text.filter(bool), kind=st.sampled_from(Sort), place=st.text("ab/!0%~é中\U0001f4c8", min_size=1, max_size=20),
    size=st.integers(min_value=0, max_value=2**53), mode=st.integers(0, 0o7777), mtime_ns=big, ctime_ns=big, dev=big,
    inode=big, target=text, sha256=st.text("0123456789abcdef", max_size=64), crc64=big, racy=st.booleans(),
    stale=st.booleans(), version=st.text(max_size=9), etag=st.text(max_size=9), last_modified=st.integers(0, 2**40),
    blocks=st.none() | st.builds(Blocks, size=st.integers(1, 2**40), digests=st.binary(max_size=32)),
    chunks=st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex), max_size=3), gone=st.booleans(),
    dense=st.booleans(),
)  # fmt: skip


def write(some: list[Entry], head: Head = HEAD, problems: dict[str, int] | None = None) -> bytes:
    writer = Writer(head)
    for entry in some:
        writer.add(entry)
    return bytes(writer.finish(problems or {}, complete=True)[0])


def ordered(some: list[Entry]) -> list[Entry]:
    return sorted({order(entry): entry for entry in some}.values(), key=order)


SAMPLE = [
    Entry("data", Sort.FOLDER, "data", mode=0o755, mtime_ns=1_700_000_000_000_000_001),
    Entry("data/\udcff.csv", Sort.FILE, "data/%FF.csv", 3, 0o644, 2**63, 5, 6, 7, "", "ab" * 32, 2**64 - 1, etag="E"),
    Entry("data/link", Sort.LINK, "data/link", target="../\udcfe"),
]


@given(entries)
def test_an_entry_survives_its_line(entry: Entry) -> None:
    line = encode_entry(entry)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert decode_entry(line[:-1]) == entry


@given(st.lists(entries, max_size=12))
@settings(max_examples=40)
def test_a_snapshot_gives_back_its_head_entries_and_digest(some: list[Entry]) -> None:
    some = ordered(some)
    found = Snapshot(write(some, problems={"file.unreadable": 2}))
    assert list(found.entries()) == some
    assert list(found.entries()) == some, "a second reading is the same"
    held = Snapshot(write(some, problems={"file.unreadable": 2}), held=HELD)
    assert list(held.entries()) == some == list(held.entries()), "held"
    assert found.head == HEAD and found.foot.problems == {"file.unreadable": 2}
    files = [entry for entry in some if entry.kind is Sort.FILE and not entry.gone]
    assert (found.foot.entries, found.foot.files) == (len(some), len(files))
    assert found.foot.bytes == sum(entry.size for entry in files)


def test_the_digest_is_that_of_all_plain_bytes_before_the_foot() -> None:
    data = write(SAMPLE)
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    before, _, foot = plain[:-1].rpartition(b"\n")
    assert json.loads(foot)["foot"]["digest"] == hashlib.sha256(before + b"\n").hexdigest()


def test_numbers_that_other_readers_would_round_are_text() -> None:
    told = json.loads(encode_entry(SAMPLE[1]))
    assert told["crc64"] == str(2**64 - 1) and told["mtime_ns"] == str(2**63)
    assert told["raw"] == "ZGF0YS//LmNzdg==" and told["path"] == "data/\\xff.csv"


def test_an_order_that_could_not_be_read_is_never_written() -> None:
    for wrong in ([SAMPLE[1], SAMPLE[0]], [SAMPLE[0], SAMPLE[0]]):
        with pytest.raises(ValueError, match="order"):
            write(wrong)


def test_every_truncation_is_refused() -> None:
    data = write(SAMPLE)
    for length in range(len(data)):
        with pytest.raises(Unreadable):
            Snapshot(data[:length])


def test_every_flipped_byte_is_refused() -> None:
    """All but those of zstd's window size, which says how much memory to take and nothing of the content."""
    data = write(SAMPLE)
    passed = []
    for at in range(len(data)):
        try:
            found = Snapshot(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
        except Unreadable:
            continue
        assert list(found.entries()) == SAMPLE and found.head == HEAD
        passed.append(at)
    assert passed in ([], [5])


@pytest.mark.parametrize("more", [b"x", b"\0", zstandard.compress(b"{}\n")])
def test_bytes_after_the_end_are_refused(more: bytes) -> None:
    with pytest.raises(Unreadable):
        Snapshot(write(SAMPLE) + more)


def plain_snapshot(*lines: bytes) -> bytes:
    body = b"".join(line + b"\n" for line in lines)
    foot = {"entries": len(lines) - 1, "files": 1, "bytes": 3, "problems": {}, "complete": True}
    foot |= {"seconds": 1.5, "files_sent": 1, "bytes_sent": 3}
    last = json.dumps({"foot": foot | {"digest": hashlib.sha256(body).hexdigest()}}).encode()
    return zstandard.ZstdCompressor(write_checksum=True).compress(body + last + b"\n")


def head_line() -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(write([])).split(b"\n")[0]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda e: [e[1], e[0]], "order"),
        (lambda e: [e[0], e[0]], "order"),
        (lambda e: [e[0], e[1].replace(b'"kind":"file"', b'"kind":"fifo"')], "entry"),
        (lambda e: [e[0], e[1].replace(b'"kind"', b'"new":1,"kind"')], "entry"),
        (lambda e: [e[0], e[1].replace(b'"size":3', b'"size":"3"')], "entry"),
        (lambda e: [e[0]], "counts"),
    ],
)
def test_a_snapshot_with_a_right_digest_and_wrong_content_is_refused(wrong, why) -> None:  # type: ignore[no-untyped-def]
    lines = [encode_entry(entry)[:-1] for entry in SAMPLE[:2]]
    Snapshot(plain_snapshot(head_line(), *lines))
    with pytest.raises(Unreadable, match=why):
        Snapshot(plain_snapshot(head_line(), *wrong(lines)))


def test_a_digest_that_is_not_the_contents_is_refused() -> None:
    """Whoever packs the lines anew makes the frame right; the digest is what tells."""
    lines = [encode_entry(entry)[:-1] for entry in SAMPLE[:2]]
    plain = zstandard.ZstdDecompressor().decompress(plain_snapshot(head_line(), *lines))
    other = plain.replace(b"ab" * 32, b"cd" * 32, 1)
    assert other != plain
    with pytest.raises(Unreadable, match="digest"):
        Snapshot(zstandard.ZstdCompressor(write_checksum=True).compress(other))


@pytest.mark.parametrize("other", ["oss-backup/2", "oss-backup/0", "", "tar"])
def test_another_format_is_refused_by_name(other: str) -> None:
    head = head_line().replace(b'"oss-backup/1"', json.dumps(other).encode())
    for read in (Snapshot, head_of):
        with pytest.raises(Unreadable, match="format"):
            read(plain_snapshot(head))


def test_the_head_is_read_from_the_beginning_alone() -> None:
    many = [
        Entry(f"f{i:05}", Sort.FILE, f"f{i:05}", sha256=hashlib.sha256(str(i).encode()).hexdigest())
        for i in range(9000)
    ]
    data = write(many)
    assert len(data) > 150_000 and head_of(data[:65_536]) == HEAD
    assert Snapshot(data).marks == [f"f{i:05}" for i in range(979, 9000, 980)]


def test_so_many_bytes_of_entries_are_held_and_no_more() -> None:
    some = [Entry(f"f{i}", Sort.FILE, f"f{i}", size=i) for i in range(5)]
    size = sum(len(encode_entry(one)) - 1 for one in some)
    for held, same in ((size, True), (size - 1, False), (0, False)):
        found = Snapshot(write(some), held=held)
        first, second = list(found.entries()), list(found.entries())
        assert first == some == second
        assert all(one is two for one, two in zip(first, second, strict=True)) is same and bool(found._held) is same


def test_a_bomb_is_refused_in_bounded_memory() -> None:
    bomb = zstandard.compress(b"\0" * (256 << 20))
    with pytest.raises(Unreadable):
        Snapshot(bomb)


def test_the_shape_of_an_id() -> None:
    assert is_id(HEAD.id)
    assert not any(is_id(text) for text in ("", "latest", HEAD.id + "x", HEAD.id.upper(), "../" + HEAD.id))


def test_format_1_is_read_for_ever() -> None:
    found = Snapshot(GOLDEN.read_bytes())
    assert found.head == msgspec.structs.replace(HEAD, recent=[PAST]) and list(found.entries()) == SAMPLE
    assert found.recent == [PAST, PastRun(HEAD.id, 83.4, 1, 3, 1, 3, True)]
    assert found.foot.reread == 0 and not any(entry.dense for entry in found.entries())


def test_what_is_at_its_default_is_not_written() -> None:
    """So the snapshots of a program that did not know these fields have the bytes that this one writes."""
    writer = Writer(msgspec.structs.replace(HEAD, recent=[PAST]))
    for entry in SAMPLE:
        writer.add(entry)
    data, _ = writer.finish({}, complete=True, effort=Effort(83.4, 1, 3))
    unpacked = [
        zstandard.ZstdDecompressor().decompressobj().decompress(one) for one in (bytes(data), GOLDEN.read_bytes())
    ]
    assert unpacked[0] == unpacked[1]


def test_the_foot_says_where_the_re_read_goes_on() -> None:
    data, foot = Writer(HEAD).finish({}, complete=True, reread=2**52 - 1)
    assert Snapshot(data).foot == foot and foot.reread == 2**52 - 1


def test_anybody_can_read_it(tmp_path: Path) -> None:
    zstd = subprocess.run(["sh", "-c", "command -v zstd"], capture_output=True, text=True, check=False).stdout.strip()
    if not zstd:
        pytest.skip("no zstd program here")
    lines = subprocess.run([zstd, "-dc", str(GOLDEN)], capture_output=True, check=True).stdout.splitlines()
    assert [json.loads(line).get("path") for line in lines[1:-1]] == ["data", "data/\\xff.csv", "data/link"]


def test_the_first_bytes_have_the_head_whatever_comes_next() -> None:
    """A file of many blocks fills the first 128 KiB with digests, which can hardly be packed."""
    large = Entry("a", Sort.FILE, "a", 9 << 30, blocks=Blocks(1 << 20, os.urandom(16 * 9000)))
    data = write([large])
    assert len(data) > 1 << 17
    assert head_of(data[:4096]) == HEAD and list(Snapshot(data).entries()) == [large]
