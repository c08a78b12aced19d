"""The index: what is written is read, whole or not at all."""

from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import index
from backup_action.core.index import Packed, Unreadable
from backup_action.core.pack import FRAME_MAX, Chunk, Frame

names = st.binary(min_size=32, max_size=32).map(bytes.hex)
frames = st.builds(
    Frame, st.integers(1, FRAME_MAX), st.lists(st.builds(Chunk, names, st.integers(1, FRAME_MAX)), max_size=3)
)
packs = st.lists(st.builds(Packed, names, st.integers(1, 1 << 40), st.lists(frames, max_size=3)), max_size=4)
GOLDEN = Path(__file__).parent / "golden/index-1.jsonl.zst"
ONE = Packed("a" * 64, 99, [Frame(50, [Chunk("b" * 64, 7), Chunk("c" * 64, 8)])])


@given(packs, st.lists(st.text(max_size=8), max_size=3))
def test_what_is_written_is_read(told: list[Packed], supersedes: list[str]) -> None:
    data = index.encode(told, supersedes)
    assert list(index.packs(data)) == told
    assert index.head(data).supersedes == supersedes


def test_every_truncation_and_every_flipped_byte_is_refused() -> None:
    told = [ONE, Packed("d" * 64, 5, [])]
    data, noticed = index.encode(told), 0
    for end in range(len(data)):
        with pytest.raises(Unreadable):
            list(index.packs(data[:end]))
    for at in range(len(data)):
        try:
            assert list(index.packs(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])) == told
        except Unreadable:
            noticed += 1
    assert noticed >= len(data) - 2, "a bit of the frame's head may mean nothing"
    with pytest.raises(Unreadable):
        list(index.packs(data + b"x"))


@pytest.mark.parametrize(
    "text",
    [
        b'{"format":"oss-backup-index/2"}\n',
        b'{"format":"oss-backup-index/1","new":1}\n',
        b'{"format":"oss-backup-index/1"}\n{"pack":"short","size":1,"frames":[]}\n',
        b'{"format":"oss-backup-index/1"}\n{"pack":"' + b"a" * 64 + b'","size":0,"frames":[]}\n',
        b"\n",
    ],
)
def test_what_is_no_index_of_this_format_is_refused(text: bytes) -> None:
    with pytest.raises(Unreadable):
        list(index.packs(zstandard.compress(text)))


def test_an_index_of_format_1_is_read_for_ever() -> None:
    if not GOLDEN.exists():
        GOLDEN.write_bytes(index.encode([ONE], ["20261122T180000Z-6c5f0a26-0"]))
    assert list(index.packs(GOLDEN.read_bytes())) == [ONE]
    assert index.head(GOLDEN.read_bytes()).supersedes == ["20261122T180000Z-6c5f0a26-0"]
