"""Contents of several chunks are hashed in their order, as far as the packs come by in that."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.cipher import PLAIN, Cipher, Sealed
from backup_action.core.entry import Entry, Sort
from backup_action.core.holdings import Holdings
from backup_action.core.index import Packed
from backup_action.core.pack import Chunk, Open, compress
from backup_action.core.sequences import Sequences

KEY = Sealed("0" * 16, bytes(32))


def made(frames: list[list[bytes]], cipher: Cipher) -> tuple[Packed, bytes]:
    opened = Open()
    for contents in frames:
        opened.add(compress(contents, cipher), [Chunk(name(data, cipher), len(data)) for data in contents])
    told, body = opened.finish(cipher)
    data = bytes(body)
    return Packed(told, len(data), opened.frames), data


def name(data: bytes, cipher: Cipher) -> str:
    return cipher.name(hashlib.sha256(data).digest())


def entry(chunks: list[bytes], cipher: Cipher, sha256: str = "") -> Entry:
    whole = b"".join(chunks)
    names = [name(data, cipher) for data in chunks]
    digest = sha256 or hashlib.sha256(whole).hexdigest()
    return Entry("f", Sort.FILE, "f", size=len(whole), sha256=digest, chunks=names)


@given(
    st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=8), max_size=5),
    st.permutations(range(12)),
    st.integers(1, 6),
    st.sampled_from([PLAIN, KEY]),
    st.sets(st.integers(0, 11)),
)
def test_what_comes_in_its_order_is_hashed_and_nothing_else_is_said_to_be(
    contents: list[list[int]], order: list[int], each: int, cipher: Cipher, missing: set[int]
) -> None:
    pieces = [b"piece %d" % number * (number + 1) for number in range(12)]
    packs = [order[start : start + each] for start in range(0, 12, each)]
    made_of = [made([[pieces[at]] if at % 2 else [pieces[at], b"x%d" % at] for at in some], cipher) for some in packs]
    held = Holdings({packed.pack: packed.size for packed, _ in made_of})
    for packed, _ in made_of:
        held.add("i", "", packed)
    where = {at: number for number, some in enumerate(packs) for at in some}
    coming = set(range(len(packs))) - missing
    sequences = Sequences()
    files = [entry([pieces[at] for at in one], cipher) for one in contents]
    wrong = [entry([pieces[at] for at in one], cipher, "ab" * 32) for one in contents]
    for one in (*files, *wrong, *files):
        sequences.expect(one, held.find, coming)
    for number in sorted(coming):
        packed, data = made_of[number]
        sequences.pass_by(number, data, packed, cipher, held.find)
    for one, good, bad in zip(contents, files, wrong, strict=True):
        numbers = [where[at] for at in one]
        in_order = len(one) > 1 and numbers == sorted(numbers) and set(numbers) <= coming
        assert sequences.is_whole(good) is (True if in_order else None)
        assert sequences.is_whole(bad) is (False if in_order else None)
