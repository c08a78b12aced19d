"""Where a content is cut into chunks: at places that its own bytes choose, so that an insertion moves no cut but its
neighbours (FastCDC of 2020, Xia et al., TPDS 31, normalized; by the `pyfastcdc` library).

A content of at most `WHOLE` bytes is one chunk. A longer one is cut as it comes, a piece at a time: what is not yet
certain to end where it does is held back until more has come. The cuts are a part of the format only in so far as
equal content is cut equally: another version that cuts elsewhere stores it once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

WHOLE: Final = 1 << 20  # bytes of a content that is not cut: most would be one chunk anyway
LEAST: Final = 512 << 10  # bytes of a chunk, but for the last of a content
MEAN: Final = 1 << 20
MOST: Final = 4 << 20


class Cutter:
    """Cuts one content that comes in pieces."""

    def __init__(self) -> None:
        """Holds nothing yet."""
        self._rest = b""
        self._is_long = False

    def feed(self, piece: bytes) -> Iterator[memoryview]:
        """The chunks that are certain once this piece has come. Not to be called before the last ones are used up."""
        data = self._rest + piece if self._rest else piece
        self._is_long = self._is_long or len(data) > WHOLE
        if not self._is_long:
            self._rest = data
            return
        view, at = memoryview(data), 0
        for chunk in _cuts(data):
            end = at + chunk
            if end == len(data) and chunk < MOST:
                break
            yield view[at:end]
            at = end
        self._rest = data[at:]

    def end(self) -> Iterator[memoryview]:
        """What is left."""
        if self._rest:
            view, at = memoryview(self._rest), 0
            for chunk in _cuts(self._rest) if self._is_long else [len(self._rest)]:
                yield view[at : at + chunk]
                at += chunk
        self._rest = b""


def cut(data: bytes) -> list[memoryview]:
    """The chunks of a whole content."""
    if len(data) <= WHOLE:
        return [memoryview(data)] if data else []
    view, at, chunks = memoryview(data), 0, []
    for size in _cuts(data):
        chunks.append(view[at : at + size])
        at += size
    return chunks


def _cuts(data: bytes) -> list[int]:
    """The sizes of the chunks of what begins at a cut."""
    if len(data) <= LEAST:
        return [len(data)] if data else []
    # Small files do without the import; and it is never the library's slow form in Python.
    from pyfastcdc.cy.fastcdc import FastCDC

    cutting = FastCDC(MEAN, min_size=LEAST, max_size=MOST)
    return [chunk.length for chunk in cutting.cut_buf(data)]
