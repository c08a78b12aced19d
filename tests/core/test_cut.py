"""Where a content is cut: by what it holds, not by how it comes."""

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from backup_action.core.cut import LEAST, MOST, WHOLE, Cutter, cut

CHANCE = random.Random(7)
CONTENT = CHANCE.randbytes(20 << 20)


def sizes(pieces: list[bytes]) -> list[int]:
    cutter, found = Cutter(), []
    for piece in pieces:
        found += [len(chunk) for chunk in cutter.feed(piece)]
    return found + [len(chunk) for chunk in cutter.end()]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, len(CONTENT)), max_size=6))
def test_the_cuts_do_not_depend_on_the_pieces(at: list[int]) -> None:
    places = [0, *sorted(at), len(CONTENT)]
    pieces = [CONTENT[a:b] for a, b in itertools.pairwise(places)]
    assert sizes(pieces) == [len(chunk) for chunk in cut(CONTENT)]


@given(st.binary(max_size=100) | st.just(bytes(WHOLE)) | st.just(bytes(WHOLE + 1)) | st.just(bytes(MOST + LEAST + 3)))
def test_the_chunks_are_the_content(data: bytes) -> None:
    assert b"".join(cut(data)) == data
    assert all(chunk for chunk in cut(data))


def test_every_chunk_but_the_last_has_its_size() -> None:
    *many, last = cut(CONTENT)
    assert all(LEAST <= len(chunk) <= MOST for chunk in many)
    assert 0 < len(last) <= MOST


def test_a_short_content_is_one_chunk_however_it_comes() -> None:
    assert [len(chunk) for chunk in cut(CONTENT[:WHOLE])] == sizes([CONTENT[:7], CONTENT[7:WHOLE]]) == [WHOLE]


def test_an_insertion_changes_few_chunks() -> None:
    before = {bytes(chunk) for chunk in cut(CONTENT)}
    after = [bytes(chunk) for chunk in cut(CONTENT[: 9 << 20] + b"inserted" + CONTENT[9 << 20 :])]
    assert sum(chunk not in before for chunk in after) <= 2


def test_format_1_cuts_here() -> None:
    """Another library, or another version of it, must not silently cut elsewhere: all would be stored once more."""
    assert [len(chunk) for chunk in cut(random.Random(1).randbytes(6 << 20))] == CUTS


CUTS = [1521776, 1829765, 1437770, 868991, 633154]
