"""Whether files open as what their names say, and that none of them can make much of little."""

import gzip
import io
import json
import struct
import subprocess
import sys
import zipfile
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import formats
from backup_action.core.formats import Opened, State

NAMES = ["a.csv", "a.tsv", "a.gz", "a.tgz", "a.zst", "a.zip", "a.json", "a.jsonl", "a.ndjson", "a.parquet"]


def look(name: str, data: bytes) -> Opened:
    return formats.look(name, io.BytesIO(data), len(data), lambda: False)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


ROWS = "日期,开,收\n" + "2026-11-22,1.5,2.5\n" * 1000
LINES = b"".join(b'{"a": [%d, null, "\\u4e2d"]}\n' % number for number in range(1000))
GOOD: dict[str, bytes] = {
    "a.csv": ROWS.encode(),
    "gbk.CSV": ROWS.encode("gbk"),
    "quoted.csv": b'a,"b\nc","d""e"\r\n1,2,3\r\n',
    "a.tsv": b"a\tb\n1\t2\n",
    "a.gz": gzip.compress(ROWS.encode() * 200),
    "two.gz": gzip.compress(b"one") + gzip.compress(b"two") + bytes(700),
    "a.zst": zstandard.compress(ROWS.encode() * 200) + zstandard.compress(b"two"),
    "a.zip": zipped({"x/y.csv": ROWS.encode(), "empty": b""}),
    "a.json": b'\xef\xbb\xbf{"a": [1, 2.5e3, {"b": null}]}\n',
    "a.jsonl": LINES,
    "a.ndjson": LINES + b"\n\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_whole_opens(name: str) -> None:
    assert look(name, GOOD[name]).state is State.OPENED


def test_it_is_told_whether_rows_have_as_many_columns() -> None:
    assert look("a.csv", ROWS.encode()).even and look("quoted.csv", GOOD["quoted.csv"]).even
    assert look("a.csv", b"a,b\n1\n") == Opened(State.OPENED, even=False)
    assert look("a.csv", "a,b\n".encode("utf-16")).state is State.PASSED


BAD: dict[str, bytes] = {
    "open.csv": b'a,"b\n1,2\n',
    "cut.gz": GOOD["a.gz"][:-20],
    "sum.gz": GOOD["a.gz"][:-8] + b"\0\0\0\0" + GOOD["a.gz"][-4:],
    "no.gz": b"plain",
    "empty.gz": b"",
    "cut.zst": GOOD["a.zst"][:40],
    "no.zst": b"plain",
    "cut.zip": GOOD["a.zip"][:-30],
    "crc.zip": zipped({"a": b"x" * 100}, zipfile.ZIP_STORED).replace(b"x" * 100, b"x" * 99 + b"y"),
    "no.zip": b"plain",
    "cut.json": b'{"a": [1, 2',
    "two.json": b"{} {}",
    "deep.json": b"[" * 200_000,
    "cut.jsonl": LINES[:-5],
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_whole_does_not_and_the_reason_is_told(name: str) -> None:
    opened = look(name, BAD[name])
    assert opened.state is State.FAILED and opened.reason


def test_what_cannot_be_looked_at_is_told_as_that() -> None:
    made = bytearray(zipped({"a": b"x"}))
    for start in (b"PK\1\2", b"PK\3\4"):
        made[made.index(start) + (8 if start == b"PK\1\2" else 6)] |= 1  # the bit that says: encrypted
    assert look("a.zip", bytes(made)) == Opened(State.PASSED, "encrypted")
    assert look("a.zip", zipped({"a": b"x"}, zipfile.ZIP_BZIP2)).state is State.PASSED
    assert formats.kind("a.txt") == formats.kind("csv") == formats.kind("a.csv/b") == ""


def bombs() -> dict[str, tuple[bytes, int]]:
    """Small files that say or unpack to more than they should, with the MiB that opening them may take."""
    directory, frame = io.BytesIO(), zstandard.ZstdCompressor().compressobj()
    with zipfile.ZipFile(directory, "w") as archive:
        archive.writestr("a", b"")
    end = directory.getvalue()[-22:]
    claims = bytes(10 << 20) + end[:12] + struct.pack("<II", 10 << 20, 0) + end[20:]
    return {
        "bomb.gz": (gzip.compress(bytes(70 << 20)), 32),
        "bomb.zst": (b"".join([*map(frame.compress, [bytes(1 << 20)] * 300), frame.flush()]), 90),
        "bomb.zip": (zipped({str(number): bytes(35 << 20) for number in range(2)}), 32),
        "row.csv": (b'a,"\n' + b'",a,"\n' * (2 << 20), 100),  # one row without end
        "long.csv": (b"a," * (3 << 20), 100),
        "long.jsonl": (b" " * (33 << 20) + b"1", 120),
        "long.json": (b"1" + b" " * (33 << 20), 120),
        "directory.zip": (claims, 32),
    }


BOMBS = bombs()
OPENING = """
import io, re, sys
from backup_action.core import formats

def peak():  # of this process alone; getrusage knows the peak of the one that started it too
    with open("/proc/self/status") as file:
        return int(re.search(r"VmHWM:\\s+([0-9]+)", file.read())[1])

data = sys.stdin.buffer.read()
before = peak()
opened = formats.look(sys.argv[1], io.BytesIO(data), len(data), lambda: False)
print(opened.state.value, peak() - before)
"""


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_opened_only_in_part_and_in_bounded_memory(name: str) -> None:
    """In a process of its own, whose peak tells what opening took."""
    data, most = BOMBS[name]
    done = subprocess.run([sys.executable, "-c", OPENING, name], input=data, capture_output=True, check=True)
    state, grown = done.stdout.split()
    assert state == b"partly" and int(grown) < most << 10, f"{int(grown) >> 10} MiB"


@given(st.sampled_from(NAMES), st.binary(max_size=200), st.integers(0, 10**6), st.binary(max_size=4))
def test_any_bytes_come_to_an_end(name: str, data: bytes, at: int, change: bytes) -> None:
    whole: Any = GOOD.get(name, b"")[:4000]
    cut = at % (len(whole) + 1)
    for made in (data, whole[:cut] + change + whole[cut + len(change) :]):
        assert isinstance(look(name, made), Opened)


def test_one_that_is_stopped_ends() -> None:
    data = GOOD["a.gz"]
    assert formats.look("a.gz", io.BytesIO(data), len(data), lambda: True).state is State.PARTLY


def test_json_of_any_value_opens() -> None:
    for value in (1, "x", None, [], {}, [[]]):
        assert look("a.json", json.dumps(value).encode()).state is State.OPENED
