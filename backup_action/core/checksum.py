"""CRC-64/XZ of a whole from those of its parts, so that parts can be hashed side by side and the whole be proven.

A CRC is linear: appending n bytes to a message multiplies its register by x to the 8n, modulo the polynomial. That
multiplication is a matrix of 64 rows over GF(2), made once for each length by squaring.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Final

_POLYNOMIAL: Final = 0xC96C5795D7870F42  # ECMA-182, bits reversed: the one that OSS uses
_BITS: Final = 64

Matrix = tuple[int, ...]


def _times(matrix: Matrix, vector: int) -> int:
    total, row = 0, 0
    while vector:
        if vector & 1:
            total ^= matrix[row]
        vector >>= 1
        row += 1
    return total


def _product(left: Matrix, right: Matrix) -> Matrix:
    return tuple(_times(left, row) for row in right)


@functools.lru_cache(maxsize=_BITS)
def _squared(times: int) -> Matrix:
    """The matrix that appends 2**times zero bits."""
    if times == 0:
        return (_POLYNOMIAL, *(1 << bit for bit in range(_BITS - 1)))
    half = _squared(times - 1)
    return _product(half, half)


@functools.lru_cache(maxsize=32)
def _appending(length: int) -> Matrix:
    """The matrix that appends `length` zero bytes."""
    matrix: Matrix = tuple(1 << bit for bit in range(_BITS))
    bits, power = length * 8, 0
    while bits:
        if bits & 1:
            matrix = _product(_squared(power), matrix)
        bits >>= 1
        power += 1
    return matrix


def combine(first: int, second: int, length: int) -> int:
    """The CRC-64 of two stretches in a row, from the CRC-64 of each; `length` is the second's, in bytes."""
    return _times(_appending(length), first) ^ second


def whole(parts: Iterable[tuple[int, int]]) -> int:
    """The CRC-64 of stretches in a row, from the CRC-64 and the length in bytes of each."""
    return functools.reduce(lambda crc, part: combine(crc, *part), parts, 0)
