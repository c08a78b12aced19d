"""Whether a file opens as what its name says it is. Its content is somebody else's: bytes and ratios are capped.

| name | opens when |
|---|---|
| `.csv`, `.tsv` | every row can be read; whether all have as many columns is told |
| `.gz`, `.tgz` | all of it unpacks, with its CRC-32 and size |
| `.zst` | all of it unpacks, with its checksum where it has one |
| `.zip` | every member unpacks, with its CRC-32; an encrypted one cannot be looked at |
| `.json` | it is one JSON value |
| `.jsonl`, `.ndjson` | every line is one |
| `.parquet` | every row group can be read; only where pyarrow is installed |

What is beyond a cap is PARTLY: opened as far as that. Nothing unpacked is kept, and nothing is written.
"""

from __future__ import annotations

import csv
import enum
import importlib.util
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

import msgspec
import zstandard

CAP: Final = 1 << 30  # bytes that one file may unpack to
RATIO: Final = 500  # and so many times its size, beyond `FREE`
FREE: Final = 64 << 20  # bytes that any file may unpack to
PIECE: Final = 1 << 20  # bytes at a time
WHOLE: Final = 32 << 20  # bytes of what is read in one go: a JSON value, or a line of them
DENSE: Final = 1024  # bytes of zstd at a time: they unpack to 32 MiB at most
ROW: Final = 4 << 20  # bytes of one row of a table
DIRECTORY: Final = 6 << 20  # bytes of an archive's directory: some 100,000 members

Stopped = Callable[[], bool]


class State(enum.Enum):
    """How a file opened."""

    OPENED = "opened"
    FAILED = "failed"
    PARTLY = "partly"  # as far as the caps allow
    PASSED = "passed"  # nobody looked


class Opened(NamedTuple):
    """What came of one file; `even` of a table says that all rows have as many columns."""

    state: State
    reason: str = ""
    even: bool = False


class Malformed(ValueError):
    """It is not what its name says; the text says why."""


class TooMuch(Exception):
    """A cap was reached."""


class CannotTell(Exception):
    """It cannot be looked at here; the text says why."""


class Capped(io.BufferedIOBase):
    """A stream that is read in pieces, never in one go beyond `most` bytes, whatever a file says of its own sizes."""

    def __init__(self, stream: BinaryIO, stopped: Stopped) -> None:
        """Reads from `stream`, until it is stopped."""
        self.most = WHOLE
        self._stream = stream
        self._stopped = stopped

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of any stream."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """As of any stream."""
        return self._stream.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `most` bytes; raises TooMuch where more are asked for and there."""
        if self._stopped():
            raise TooMuch
        whole = size is None or size < 0 or size > self.most
        data = self._stream.read(self.most + 1 if whole or size is None else size)
        if len(data) > self.most:
            raise TooMuch
        return data

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """The same into a buffer."""
        data = self.read(min(len(buffer), PIECE))
        buffer[: len(data)] = data
        return len(data)


def kind(name: str) -> str:
    """The format that a name says, by its ending; "" for one that nobody here knows."""
    return _ENDINGS.get(name.rpartition(".")[2].lower(), "") if "." in name else ""


def look(name: str, stream: BinaryIO, size: int, stopped: Stopped) -> Opened:
    """Whether a file of `size` bytes opens as what its name says."""
    capped, reader = Capped(stream, stopped), _READERS[kind(name)]
    try:
        return Opened(State.OPENED, even=reader(capped, _limit(size)))
    except TooMuch:
        return Opened(State.PARTLY)
    except CannotTell as error:
        return Opened(State.PASSED, str(error))
    except RecursionError:
        return Opened(State.FAILED, "nested too deeply")
    except (Malformed, EOFError, zlib.error, zipfile.BadZipFile, zstandard.ZstdError, csv.Error) as error:
        return Opened(State.FAILED, str(error) or type(error).__name__)
    except (ValueError, KeyError, OverflowError, NotImplementedError) as error:  # what parsers make of hostile bytes
        return Opened(State.FAILED, type(error).__name__)


def _limit(size: int) -> int:
    """Bytes that a file of so many may unpack to."""
    return min(CAP, max(FREE, size * RATIO))


def _lines(stream: Capped, limit: int) -> Iterator[bytes]:
    """Lines with their ends, from at most `limit` bytes; raises TooMuch beyond, and for one longer than `WHOLE`."""
    rest, done = b"", 0
    while data := stream.read(PIECE):
        done += len(data)
        *lines, rest = (rest + data).split(b"\n")
        yield from (line + b"\n" for line in lines)
        if done > limit or len(rest) > WHOLE:
            raise TooMuch
    if rest:
        yield rest


def _table(delimiter: str) -> Callable[[Capped, int], bool]:
    def read(stream: Capped, limit: int) -> bool:
        """Any charset in which commas and quotes are ASCII's can be told apart without knowing it; UTF-16 cannot."""
        start = stream.read(2)
        stream.seek(0)
        if start in (b"\xff\xfe", b"\xfe\xff"):
            raise CannotTell("UTF-16")
        held, widths = [0], set()
        csv.field_size_limit(ROW)
        for row in csv.reader(_texts(stream, limit, held), delimiter=delimiter, strict=True):
            held[0] = 0
            if row:
                widths.add(len(row))
        return len(widths) == 1

    return read


def _texts(stream: Capped, limit: int, held: list[int]) -> Iterator[str]:
    """Lines as text; raises TooMuch where a row, which a quote may stretch over many, has more than `ROW` bytes."""
    for line in _lines(stream, limit):
        held[0] += len(line)
        if held[0] > ROW:
            raise TooMuch
        yield line.decode("latin-1")


def _gzip(stream: Capped, limit: int) -> bool:
    """Each member of a gzip file, one after another; zeros may follow the last."""
    done, data = 0, stream.read(PIECE)
    if not data:
        raise Malformed("it is empty")
    while data:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            unpacked = member.decompress(data, PIECE)
            done, data = done + len(unpacked), member.unconsumed_tail
            if done > limit:
                raise TooMuch
            if not (data or member.eof):
                data = stream.read(PIECE)
                if not (data or unpacked):
                    raise Malformed("it is cut short")
        data = (member.unused_data or stream.read(PIECE)).lstrip(b"\0")
    return False


def _zstd(stream: Capped, limit: int) -> bool:
    """Each frame, one after another, in pieces so small that even the densest unpacks to little."""
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    done, frame = 0, reader.decompressobj()
    is_open = None  # before the first frame; then whether one has begun and not ended
    while data := stream.read(PIECE):
        for start in range(0, len(data), DENSE):
            rest = data[start : start + DENSE]
            while rest:
                done += len(frame.decompress(rest))
                if done > limit:
                    raise TooMuch
                is_open, rest = not frame.eof, frame.unused_data
                if frame.eof:
                    frame = reader.decompressobj()
    if is_open is not False:
        raise Malformed("it is empty" if is_open is None else "it is cut short")
    return False


def _zip(stream: Capped, limit: int) -> bool:
    stream.most = DIRECTORY
    with zipfile.ZipFile(stream) as archive:
        done = 0
        for member in archive.infolist():
            if member.flag_bits & 1:
                raise CannotTell("encrypted")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise CannotTell("packed in a way that cannot be capped")
            with archive.open(member) as file:
                while piece := file.read(PIECE):
                    done += len(piece)
                    if done > limit:
                        raise TooMuch
    return False


def _json(stream: Capped, limit: int) -> bool:
    _value(stream.read())
    return False


def _json_lines(stream: Capped, limit: int) -> bool:
    for line in _lines(stream, limit):
        if line.strip():
            _value(line)
    return False


def _value(data: bytes) -> None:
    """Walks over a JSON value, and makes nothing of it."""
    try:
        msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=msgspec.Raw)
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from None


def _parquet(stream: Capped, limit: int) -> bool:
    if importlib.util.find_spec("pyarrow") is None:
        raise CannotTell("pyarrow is not installed")
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(stream) as file:
            done = 0
            for batch in file.iter_batches(batch_size=1024):
                done += batch.nbytes
                if done > limit:
                    raise TooMuch
    except (pyarrow.ArrowException, OSError) as error:
        raise Malformed(type(error).__name__) from None
    return False


_ENDINGS: Final = {
    "csv": "CSV", "tsv": "TSV", "gz": "gzip", "tgz": "gzip", "zst": "zstd", "zip": "ZIP", "json": "JSON",
    "jsonl": "JSON Lines", "ndjson": "JSON Lines", "parquet": "Parquet",
}  # fmt: skip
_READERS: Final[dict[str, Callable[[Capped, int], bool]]] = {
    "CSV": _table(","), "TSV": _table("\t"), "gzip": _gzip, "zstd": _zstd, "ZIP": _zip, "JSON": _json,
    "JSON Lines": _json_lines, "Parquet": _parquet,
}  # fmt: skip
