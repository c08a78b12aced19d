"""Packs and frames: what is packed is unpacked, sealed or not; every flipped byte and every truncation is noticed."""

import hashlib
import random
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_action.core import cipher, pack
from backup_action.core.cipher import PLAIN, Cipher, Sealed
from backup_action.core.pack import Broken, Chunk, Open

SEALED = Sealed("0123456789abcdef", bytes(range(32)))
CIPHERS = [PLAIN, SEALED]
GOLDEN = Path(__file__).parent / "golden/pack-1.bin"
contents = st.lists(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4), max_size=5)


def packed(frames: list[list[bytes]], with_cipher: Cipher) -> tuple[str, bytes]:
    made = Open()
    for chunks in frames:
        rows = [Chunk(with_cipher.name(hashlib.sha256(chunk).digest()), len(chunk)) for chunk in chunks]
        made.add(pack.compress(chunks, with_cipher), rows)
    name, body = made.finish(with_cipher)
    return name, bytes(body)


def unpacked(data: bytes, with_cipher: Cipher) -> list[list[bytes]]:
    found, at = [], 0
    for frame in pack.directory(data, with_cipher):
        plain, start, chunks = pack.unpack(data[at : at + frame.stored], frame, with_cipher), 0, []
        for chunk in frame.chunks:
            chunks.append(plain[start : start + chunk.size])
            assert with_cipher.name(hashlib.sha256(chunks[-1]).digest()) == chunk.name
            start += chunk.size
        found.append(chunks)
        at += frame.stored
    return found


@pytest.mark.parametrize("with_cipher", CIPHERS, ids=["plain", "sealed"])
@settings(deadline=None)
@given(frames=contents)
def test_what_is_packed_is_unpacked(frames: list[list[bytes]], with_cipher: Cipher) -> None:
    name, data = packed(frames, with_cipher)
    assert name == hashlib.sha256(data).hexdigest()
    assert unpacked(data, with_cipher) == frames


@pytest.mark.parametrize("with_cipher", CIPHERS)
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("period", [1, 1000, 300_000, 1 << 20])
def test_a_frame_takes_little_more_room_than_its_bytes(with_cipher: Cipher, parts: int, period: int) -> None:
    """Frames wait in an open pack: what was packed a hundredfold would else take all its plain bytes' room."""
    data = (random.Random(1).randbytes(period) * (1 + (1 << 20) // period))[: 1 << 20]
    chunks = [data[at : at + len(data) // parts] for at in range(0, len(data) // parts * parts, len(data) // parts)]
    tracemalloc.start()
    piece = pack.compress(chunks, with_cipher)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 2 * len(piece) + 8192


def test_zstd_itself_gives_the_chunks_of_a_plain_pack_in_order(tmp_path: Path) -> None:
    (tmp_path / "pack").write_bytes(packed([[b"one", b"two" * 1000], [bytes(range(256)) * 9]], PLAIN)[1])
    done = subprocess.run(["zstd", "-dcq", str(tmp_path / "pack")], capture_output=True, check=True)
    assert done.stdout == b"one" + b"two" * 1000 + bytes(range(256)) * 9


@pytest.mark.parametrize("with_cipher", CIPHERS, ids=["plain", "sealed"])
def test_every_truncation_and_every_flipped_byte_is_noticed(with_cipher: Cipher) -> None:
    frames = [[b"abc" * 20, b"d" * 50], [b"xyz" * 40]]
    _, data = packed(frames, with_cipher)
    for end in range(len(data)):
        with pytest.raises(Broken):
            pack.directory(data[:end], with_cipher)
    harmless = 0
    for at in range(len(data)):
        bad = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            assert unpacked(bad, with_cipher) == frames
            harmless += 1
        except (Broken, AssertionError):
            continue
    assert harmless <= 40, "bits of a header, and padding: of these the pack's name tells"


def test_another_format_is_refused() -> None:
    made = Open()
    made.add(pack.compress([b"x"], PLAIN), [Chunk("0" * 64, 1)])
    _, body = made.finish(PLAIN)
    assert pack.directory(bytes(body), PLAIN)
    import zstandard

    plain = zstandard.compress(b'{"format":"oss-backup-pack/2","frames":[]}')
    head, tail = pack._HEAD.pack(pack._SKIPPABLE, len(plain) + 12), pack._TAIL.pack(len(plain), 0, b"OBP1")
    with pytest.raises(Broken, match="oss-backup-pack/2"):
        pack.directory(head + plain + tail, PLAIN)


def test_a_frame_that_unpacks_to_more_than_is_told_is_refused() -> None:
    bomb = pack.compress([bytes(1 << 20)], PLAIN)
    with pytest.raises(Broken):
        pack.unpack(bomb, pack.Frame(len(bomb), [Chunk("0" * 64, 10)]), PLAIN)


@given(st.integers(0, 1 << 40))
def test_padding_adds_at_most_an_eighth_and_hides_the_digits(size: int) -> None:
    assert size <= pack.padded(size) <= size + size // 8 + 1
    assert pack.padded(pack.padded(size)) == pack.padded(size)


def test_what_is_sealed_tells_nothing_of_its_content() -> None:
    name, data = packed([[b"secret content " * 9]], SEALED)
    again, other = packed([[b"secret content " * 9]], SEALED)
    assert (name, data) != (again, other), "a nonce of its own each time"
    digest = hashlib.sha256(b"secret content " * 9)
    assert b"secret" not in data
    assert digest.digest() not in data
    assert SEALED.name(digest.digest()) != digest.hexdigest()
    assert len({len(packed([[b"x" * n]], SEALED)[1]) for n in range(1, 9)}) < 8


def test_a_pack_of_format_1_is_read_for_ever() -> None:
    if not GOLDEN.exists():
        GOLDEN.write_bytes(packed([[b"alpha", b"beta" * 9], [b"gamma" * 99]], PLAIN)[1])
    assert unpacked(GOLDEN.read_bytes(), PLAIN) == [[b"alpha", b"beta" * 9], [b"gamma" * 99]]


def test_a_key_seals_what_only_its_passphrase_opens() -> None:
    locked, made = cipher.new("correct horse")
    told = cipher.decode(cipher.encode(locked))
    assert told == locked
    opened = cipher.unlock(told, "correct horse")
    assert opened.open(made.seal(b"data", "x"), "x") == b"data"
    for wrong in ("correct horsf", "", "correct horse "):
        with pytest.raises(cipher.Unopened):
            cipher.unlock(told, wrong)
    with pytest.raises(cipher.Unopened):
        opened.open(made.seal(b"data", "x"), "y")
    with pytest.raises(ValueError, match="oss-backup-key/2"):
        cipher.decode(cipher.encode(locked).replace(b"oss-backup-key/1", b"oss-backup-key/2"))
    with pytest.raises(ValueError, match="no key"):
        cipher.decode(cipher.encode(locked).replace(b'"n": 131072', b'"n": 1073741824'))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 3 * cipher.RECORD + 5))
def test_records_open_as_they_were_sealed_and_the_first_ones_alone(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    sealed = cipher.seal_records(SEALED, data, "snapshot a")
    assert cipher.is_sealed(sealed)
    assert cipher.key_of(sealed) == SEALED.key_id
    assert cipher.open_records(SEALED, sealed, "snapshot a") == data
    with pytest.raises(cipher.Unopened):
        cipher.open_records(SEALED, sealed, "snapshot b")
    with pytest.raises(cipher.Unopened):
        cipher.open_records(SEALED, sealed[:-1], "snapshot a")
    if size > 2 * cipher.RECORD:
        whole = len(cipher.SEALED) + 16 + cipher.RECORD + 28
        with pytest.raises(cipher.Unopened):
            cipher.open_records(SEALED, sealed[:whole], "snapshot a")
        first = cipher.open_records(SEALED, sealed[: whole + 7], "snapshot a", whole=False)
        assert first == data[: cipher.RECORD]


def test_a_key_of_format_1_is_opened_for_ever() -> None:
    golden = Path(__file__).parent / "golden/key-1.json"
    sealed = golden.with_name("sealed-1.bin")
    if not golden.exists():
        locked, made = cipher.new("golden")
        golden.write_bytes(cipher.encode(locked))
        sealed.write_bytes(cipher.seal_records(made, b"what was sealed", "snapshot x"))
    key = cipher.unlock(cipher.decode(golden.read_bytes()), "golden")
    assert cipher.open_records(key, sealed.read_bytes(), "snapshot x") == b"what was sealed"
