"""CRC-64 of a whole from its parts', against the whole hashed in one go."""

import fastcrc
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core.checksum import combine, whole

crc64 = fastcrc.crc64.xz


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_parts_make_the_whole(parts: list[bytes]) -> None:
    assert whole((crc64(part), len(part)) for part in parts) == crc64(b"".join(parts))


@given(st.binary(max_size=40), st.integers(0, 200_000))
def test_long_stretches_too(first: bytes, zeros: int) -> None:
    second = bytes(zeros)
    assert combine(crc64(first), crc64(second), zeros) == crc64(first + second)


def test_the_value_that_everybody_knows() -> None:
    assert combine(crc64(b"12345"), crc64(b"6789"), 4) == 11051210869376104954
