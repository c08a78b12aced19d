"""The entry: one path as a snapshot holds it, and its line on the wire (`snapshot` draws the whole format)."""

from __future__ import annotations

import enum
from typing import Annotated, Final

import msgspec


class Sort(enum.StrEnum):
    """What an entry is; the field `kind` on the wire."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"


BLOCKS_FROM: Final = 32 << 20  # bytes; files over this carry block digests
BLOCK: Final = 1 << 20  # bytes of a block, doubled until a file has at most BLOCKS_MAX
BLOCKS_MAX: Final = 10_000


def block_size(size: int) -> int:
    """Bytes of a block for a file of `size` bytes: 1 MiB, doubled until there are at most 10,000."""
    block = BLOCK
    while size > block * BLOCKS_MAX:
        block *= 2
    return block


class Blocks(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """XXH3-128 of each block of a large file, 16 bytes each, in order."""

    size: int
    digests: bytes


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One path. Paths and targets are text with surrogate escapes; `key` is below the prefix, "" but for files.

    `racy`: changed less than 2 s before it was read, so never taken as unchanged. `stale`: could not be read this
    time; all of it is the parent's. `gone`: no longer on disk, and no part of what the snapshot restores; its object
    still lies under its key, so it is kept in mind until the object is removed or another content takes the key. The
    entry of a link that took a file's place says all of that object too; see `left_by` and `beside`.
    `dense`: its first bytes look random, though its name is of no compressed format; see `core.alarm`.
    `last_modified` is the object's, seconds since 1970, 0 until a listing told it.
    """

    path: str
    kind: Sort
    place: str  # where it stands in the order: the key, or what would be one
    size: int = 0
    mode: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    dev: int = 0
    inode: int = 0
    target: str = ""
    sha256: str = ""
    crc64: int = 0
    racy: bool = False
    stale: bool = False
    version: str = ""
    etag: str = ""
    last_modified: int = 0
    blocks: Blocks | None = None
    chunks: list[str] = []
    gone: bool = False
    dense: bool = False

    @property
    def is_file(self) -> bool:
        """True for a file that the snapshot restores."""
        return self.kind is Sort.FILE and not self.gone

    @property
    def has_version(self) -> bool:
        """True when the object has a version id of its own, by which it stays readable whatever becomes of its key."""
        return self.version not in ("", "null")

    @property
    def key(self) -> str:
        """The object's key below the prefix; "" for what is no file."""
        return self.place if self.kind is Sort.FILE else ""


def left_by(known: Entry) -> Entry | None:
    """What an entry says to lie under its key: a file, or the file whose place a link took, as gone; else None."""
    if known.kind is Sort.FILE:
        return known
    is_beside = known.kind is Sort.LINK and known.etag
    return msgspec.structs.replace(known, kind=Sort.FILE, target="", gone=True) if is_beside else None


def beside(link: Entry, known: Entry) -> Entry:
    """The entry of a link with what is known of the object that still lies in its place."""
    return msgspec.structs.replace(
        link, size=known.size, sha256=known.sha256, crc64=known.crc64, version=known.version, etag=known.etag,
        last_modified=known.last_modified,
    )  # fmt: skip


_Name = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]  # of a chunk


class _Line(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    path: str
    kind: Sort
    key: str = ""
    place: str = ""
    size: int = 0
    mode: int = 0
    mtime_ns: str = "0"
    ctime_ns: str = "0"
    dev: str = "0"
    inode: str = "0"
    raw: bytes = b""
    target: str = ""
    target_raw: bytes = b""
    sha256: str = ""
    crc64: str = "0"
    racy: bool = False
    stale: bool = False
    version: str = ""
    etag: str = ""
    last_modified: int = 0
    blocks: Blocks | None = None
    chunks: list[_Name] = []
    gone: bool = False
    dense: bool = False


def order(entry: Entry) -> str:
    """Where the entry stands among the others."""
    return entry.place + "/" if entry.kind is Sort.FOLDER else entry.place


def told(text: str) -> tuple[str, bytes]:
    """A path for the wire: itself and no bytes, or an escaped form for people and its bytes where it is no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogateescape")
        return raw.decode("utf-8", "backslashreplace"), raw
    return text, b""


def _line(entry: Entry) -> _Line:
    path, raw = told(entry.path)
    target, target_raw = told(entry.target) if entry.target else ("", b"")
    plain = "" if entry.place == path else entry.place
    is_file = entry.kind is Sort.FILE
    return _Line(
        path, entry.kind, entry.place if is_file else "", "" if is_file else plain, entry.size, entry.mode,
        str(entry.mtime_ns), str(entry.ctime_ns), str(entry.dev), str(entry.inode), raw, target, target_raw,
        entry.sha256, str(entry.crc64), entry.racy, entry.stale, entry.version, entry.etag, entry.last_modified,
        entry.blocks, entry.chunks, entry.gone, entry.dense,
    )  # fmt: skip


def _entry(line: _Line) -> Entry:
    path = line.raw.decode("utf-8", "surrogateescape") if line.raw else line.path
    target = line.target_raw.decode("utf-8", "surrogateescape") if line.target_raw else line.target
    return Entry(
        path, line.kind, line.key or line.place or path, line.size, line.mode, int(line.mtime_ns), int(line.ctime_ns),
        int(line.dev), int(line.inode), target, line.sha256, int(line.crc64), line.racy, line.stale, line.version,
        line.etag, line.last_modified, line.blocks, line.chunks, line.gone, line.dense,
    )  # fmt: skip


_encode = msgspec.json.Encoder().encode
_read_line = msgspec.json.Decoder(_Line).decode


def encode_entry(entry: Entry) -> bytes:
    """One entry's line, with its newline."""
    return _encode(_line(entry)) + b"\n"


def decode_entry(line: bytes) -> Entry:
    """Undoes `encode_entry`, without the newline. Raises msgspec.MsgspecError or ValueError."""
    return _entry(_read_line(line))
