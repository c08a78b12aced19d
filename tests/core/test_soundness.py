"""A pack is held against its name, its directory, and what an index says of it; holdings say where each chunk is."""

import hashlib
import secrets

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import pack, soundness
from backup_action.core.cipher import PLAIN, Cipher, Sealed
from backup_action.core.holdings import Holdings, Place, State
from backup_action.core.index import Packed
from backup_action.core.pack import Chunk, Frame, Open

KEY = Sealed("0" * 16, bytes(32))
CIPHERS = st.sampled_from([PLAIN, KEY])
FRAMES = st.lists(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=3), min_size=1, max_size=4)


def chunk(data: bytes, cipher: Cipher) -> Chunk:
    return Chunk(cipher.name(hashlib.sha256(data).digest()), len(data))


def made(frames: list[list[bytes]], cipher: Cipher) -> tuple[Packed, bytes]:
    """A pack, and what its index says."""
    opened = Open()
    for contents in frames:
        opened.add(pack.compress(contents, cipher), [chunk(data, cipher) for data in contents])
    name, body = opened.finish(cipher)
    data = bytes(body)
    return Packed(name, len(data), opened.frames), data


def names(frame: Frame) -> set[bytes]:
    return {bytes.fromhex(one.name) for one in frame.chunks}


@given(FRAMES, CIPHERS, st.data())
def test_a_whole_pack_is_sound_and_one_with_any_bit_flipped_is_not(
    frames: list[list[bytes]], cipher: Cipher, draw: st.DataObject
) -> None:
    packed, data = made(frames, cipher)
    assert soundness.inspect(data, packed, cipher).is_whole
    assert pack.fits(len(data), packed.frames, sealed=bool(cipher.key_id))
    at = draw.draw(st.integers(0, len(data) * 8 - 1))
    flipped = bytearray(data)
    flipped[at // 8] ^= 1 << at % 8
    sound = soundness.inspect(bytes(flipped), packed, cipher)
    assert not sound.is_itself and not sound.is_misled and not sound.is_whole
    start, hit = 0, set[bytes]()
    for frame in packed.frames:
        hit |= names(frame) if start <= at // 8 < start + frame.stored else set()
        start += frame.stored
    assert sound.bad <= hit, "chunks of other frames are as they were"
    assert sound.bad == hit or not cipher.key_id, "what is sealed opens whole or not at all"
    for frame in packed.frames:  # whatever is not called bad really is there
        for one in frame.chunks:
            assert bytes.fromhex(one.name) in sound.bad or cipher.key_id == "" or bytes.fromhex(one.name) not in hit
    again = soundness.better(sound, soundness.inspect(data, packed, cipher))
    assert again.is_whole, "what was altered on the way once is no damage"


@given(FRAMES, CIPHERS, st.integers(0, 200))
def test_a_pack_that_is_cut_short_or_another_is_not_sound(frames: list[list[bytes]], cipher: Cipher, cut: int) -> None:
    packed, data = made(frames, cipher)
    other, bytes_of_other = made([[b"another"]], cipher)
    for wrong in (data[:-1], data[:cut], b"", bytes_of_other):
        if wrong != data:
            sound = soundness.inspect(wrong, packed, cipher)
            assert not sound.is_itself and not sound.is_whole
    assert not soundness.inspect(bytes_of_other, packed, cipher).is_as_told or packed == other


def test_it_is_the_index_that_is_wrong_where_the_pack_is_itself() -> None:
    packed, data = made([[b"one"], [b"two"]], PLAIN)
    one, two = packed.frames
    forged = msgspec.structs.replace(packed, frames=[Frame(one.stored, two.chunks), Frame(two.stored, one.chunks)])
    sound = soundness.inspect(data, forged, PLAIN)
    assert sound.is_misled and sound.is_itself and sound.bad == names(one) | names(two)
    sealed, data = made([[b"one"]], KEY)
    other = Sealed("1" * 16, secrets.token_bytes(32))
    sound = soundness.inspect(data, sealed, other)
    assert sound.is_itself and sound.fault and not sound.is_misled and sound.bad, "another key opens nothing"


def test_a_pack_whose_chunk_is_not_what_its_name_says_is_not_sound() -> None:
    opened = Open()
    opened.add(pack.compress([b"one"], PLAIN), [chunk(b"two", PLAIN)])
    name, body = opened.finish(PLAIN)
    data = bytes(body)
    sound = soundness.inspect(data, Packed(name, len(data), opened.frames), PLAIN)
    assert sound.is_itself and sound.is_as_told and not sound.is_whole and len(sound.bad) == 1


def test_what_would_unpack_to_more_than_is_told_takes_no_memory() -> None:
    claim = b"\x28\xb5\x2f\xfd\xe0" + (1 << 50).to_bytes(8, "little") + b"\x01\x00\x00"  # a header that says a petabyte
    with pytest.raises(pack.Broken):
        pack.unpack(claim, Frame(len(claim), [chunk(b"one", PLAIN)]), PLAIN)
    huge = zstandard.compress(bytes(pack.DIRECTORY_MAX + 1))
    tail = b"".join((huge, len(huge).to_bytes(4, "little"), bytes(4), b"OBP1"))
    data = (0x184D2A50).to_bytes(4, "little") + len(tail).to_bytes(4, "little") + tail
    with pytest.raises(pack.Broken, match="longer than any"):
        pack.directory(data, PLAIN)


@given(FRAMES, CIPHERS, st.integers(1, 5000))
def test_frames_that_do_not_fill_a_pack_are_told(frames: list[list[bytes]], cipher: Cipher, more: int) -> None:
    packed, data = made(frames, cipher)
    sealed = bool(cipher.key_id)
    stored = sum(frame.stored for frame in packed.frames)
    assert not pack.fits(min(len(data), stored + 20), packed.frames, sealed=sealed)
    assert not pack.fits(len(data) * 2 + 5000 + more, packed.frames, sealed=sealed)
    assert not pack.fits(pack.PACK_MAX + 1, [Frame(pack.PACK_MAX // 2, packed.frames[0].chunks)] * 2, sealed=sealed)


def test_an_only_chunk_has_the_name_of_the_whole() -> None:
    for cipher in (PLAIN, KEY):
        digest = hashlib.sha256(b"x")
        assert soundness.makes_up(digest.hexdigest(), [cipher.name(digest.digest())], cipher)
        assert not soundness.makes_up(digest.hexdigest(), ["ab" * 32], cipher)
        assert soundness.makes_up(digest.hexdigest(), ["ab" * 32, "cd" * 32], cipher), "nothing is known of these"
        assert soundness.makes_up(hashlib.sha256().hexdigest(), [], cipher)
        assert not soundness.makes_up(digest.hexdigest(), [], cipher)
        assert not soundness.makes_up("zz", [], cipher)


def test_the_place_of_a_chunk_is_the_first_that_a_restore_would_read() -> None:
    first, _ = made([[b"one"], [b"two"]], PLAIN)
    second, _ = made([[b"two"], [b"three"]], PLAIN)
    third, _ = made([[b"one"]], PLAIN)
    one, two, three = (bytes.fromhex(chunk(data, PLAIN).name) for data in (b"one", b"two", b"three"))
    held = Holdings({second.pack: second.size, third.pack: third.size + 1})
    for id, packed in (("i1", third), ("i2", first), ("i3", second), ("i4", second)):
        held.add(id, "", packed)
    assert [told.state for told in held.told] == [State.SIZE, State.MISSING, State.LISTED], "told twice is told once"
    assert held.find(one) == Place(0, 3) and held.find(two) == Place(2, 3) and held.find(three) == Place(2, 5)
    assert held.find(bytes(32)) is None and not held.contradictions
    assert held.number("", second) == 2 and held.told[2].source == "i3"
    held.add("i5", "", msgspec.structs.replace(second, frames=second.frames[:1]))
    assert held.contradictions == [("i5", second.pack)]
