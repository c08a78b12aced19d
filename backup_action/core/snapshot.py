"""The snapshot: what one run kept, as JSON lines in one zstd frame. This is format 1.

| line | holds |
|---|---|
| first | `{"head": {"format": "oss-backup/1", "id": …, "sequence": …, "source": …, "roots": […], …}}` |
| each further | one entry, in byte order of its key: `{"path": …, "kind": "file", "key": …, "sha256": …, …}` |
| last | `{"foot": {"entries": …, "complete": …, "digest": …, …}}` |

The foot also says what the run itself did (`seconds` with one decimal, `files_sent`, `bytes_sent`), and the head has
the same of at most 30 runs before it (`recent`, oldest first): see `core/recent.py`. `reread` in the foot, `dense`
in an entry, and `files_copied` of a run (files copied on the server, not sent) stand there only where they are not 0
or false: see `core/reread.py` and `core/alarm.py`.

The digest is the SHA-256 of all plain bytes before the foot, and each head carries its parent's: a chain.
Integers that can pass 2**53 (times in ns, inode, dev, CRC-64) are decimal strings. A path or link target that
is no UTF-8 stands escaped for people, with its bytes in base64 beside it (`raw`, `target_raw`).
A folder's place in the order is that of its key and `/`. An entry with `"gone": true` is no part of what is
restored: that file is no longer on disk, and only its object still lies in the bucket. So does the one of which the
entry of a link says a SHA-256 and an ETag: the link took its file's place. Unknown formats, fields,
truncation, bytes after the end and entries out of order are errors (law 9). Anybody can read it:
`zstd -dc FILE | head`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec
import zstandard

from backup_action.core.entry import Entry, Sort, decode_entry, encode_entry, order
from backup_action.core.lines import Broken, lines
from backup_action.core.place import Root
from backup_action.core.recent import ID, IDLE, KEPT, Count, Effort, PastRun, Seconds, extend
from backup_action.core.segments import Keep, Segments, in_memory

FORMAT: Final = "oss-backup/1"
WRITERS: Final = ("backup", "merge")  # verbs that make a snapshot
READERS: Final = ("restore", "verify", "drill", "snapshots")  # verbs that leave them all as they are
LINE_MAX: Final = 64 << 20  # bytes; the block digests of the largest object take 0.3 MiB
LEVEL: Final = 1  # most of a snapshot are digests: looked at longer, they become no smaller
HELD: Final = 8 << 20  # bytes of lines; the entries of so many may stay in memory, where they take 2 to 4 times that
MARK: Final = 980  # objects; a page of a listing holds 1,000, so that some may have come since

_PACKED = 1 << 16  # bytes of lines compressed together
_encode = msgspec.json.Encoder().encode
_ID = re.compile(ID)


class Parent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The snapshot that this one grew from."""

    id: str
    digest: str


class Origin(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the run ran."""

    host: str = ""
    repository: str = ""
    run: str = ""
    attempt: str = ""
    commit: str = ""
    actor: str = ""


class Head(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Whose snapshot it is. `sequence` is the parent's and one; 1 for the first."""

    format: str
    id: str
    sequence: int
    source: str
    layout: str
    created: str  # UTC, 2026-11-22T18:00:00Z
    version: str  # of the program that wrote it
    roots: list[Root]
    parent: Parent | None = None
    origin: Origin = Origin()
    recent: Annotated[list[PastRun], msgspec.Meta(max_length=KEPT)] = []  # of this source, oldest first


class Foot(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the lines before it add up to, and what the run did. `complete` is false when the scan or a file failed.

    `reread`: where the next run's re-read goes on (`core.reread`).
    """

    entries: int
    files: int
    bytes: int
    problems: dict[str, int]
    complete: bool
    digest: str
    seconds: Seconds  # from the run's beginning to its commit
    files_sent: Count
    bytes_sent: Count
    reread: Count = 0
    files_copied: Count = 0  # on the server


class Unreadable(ValueError):
    """These bytes are no snapshot that this program knows; the text says why."""


def is_id(text: str) -> bool:
    """True for the shape `20261122T180000Z-1a2b3c4d`."""
    return bool(_ID.fullmatch(text))


class Writer:
    """Writes a snapshot line by line; `finish` gives the bytes to store and the foot."""

    def __init__(self, head: Head, keep: Keep = in_memory) -> None:
        """Begins with the head. `keep` takes the bytes as they come to be."""
        self.id = head.id
        self._sha = hashlib.sha256()
        self._packed = Segments(keep)
        self._lines = bytearray()
        self._frame = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
        self._entries = self._files = self._bytes = 0
        self._last = ""
        self._write(_encode({"head": head}) + b"\n")
        self._pack()
        self._packed.append(self._frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))  # so that its first bytes have it

    def _write(self, line: bytes) -> None:
        self._lines += line
        if len(self._lines) >= _PACKED:
            self._pack()

    def _pack(self) -> None:
        """Hashes and compresses the lines that wait: one at a time, the calls would cost more than the work."""
        self._sha.update(self._lines)
        self._packed.append(self._frame.compress(self._lines))
        self._lines.clear()

    def add(self, entry: Entry) -> None:
        """Adds the next entry. Raises ValueError where it is not behind the last: such a snapshot could not be read."""
        if order(entry) <= self._last:
            raise ValueError("entries out of order")
        self._last = order(entry)
        self._entries += 1
        if entry.is_file:
            self._files += 1
            self._bytes += entry.size
        self._write(encode_entry(entry))

    def finish(
        self, problems: dict[str, int], *, complete: bool, effort: Effort = IDLE, reread: int = 0
    ) -> tuple[Segments, Foot]:
        """Ends with the foot. To be called once."""
        self._pack()
        did = (effort.tenths, effort.files_sent, effort.bytes_sent)
        foot = Foot(
            self._entries, self._files, self._bytes, problems, complete, self._sha.hexdigest(), *did, reread,
            effort.files_copied,
        )  # fmt: skip
        self._packed.append(self._frame.compress(_encode({"foot": foot}) + b"\n"))
        self._packed.append(self._frame.flush())
        return self._packed, foot


class Snapshot:
    """A stored snapshot, checked whole; its entries are read anew each time, a few at a time, unless they are held."""

    def __init__(self, data: bytes | Segments, format: str = FORMAT, held: int = 0) -> None:
        """Reads it once from end to end. Raises Unreadable for anything but a whole one of the format.

        `held`: the entries of so many bytes of lines stay in memory, and are not read again.
        """
        self._data = data
        self._format = format
        self._room = held  # bytes; negative when there are too many
        self._held: list[Entry] = []
        self.marks: list[str] = []  # every MARK-th file's key: where a listing may be split
        self.head, self.foot = self._check()

    @property
    def id(self) -> str:
        """The id of its head."""
        return self.head.id

    @property
    def stored(self) -> int:
        """Bytes of it as it is stored."""
        return len(self._data)

    @property
    def recent(self) -> list[PastRun]:
        """The last runs up to this one, oldest first."""
        return recent(self.head, self.foot)

    @property
    def is_held(self) -> bool:
        """Whether all of its entries are in memory."""
        return self._room >= 0

    def entries(self) -> Iterator[Entry]:
        """Its entries, in order."""
        return iter(self._held) if self.is_held else (decode_entry(line) for line in self.lines())

    def lines(self) -> Iterator[bytes]:
        """Its entries as they stand in it, for who needs little of each."""
        lines = _lines(self._data)
        next(lines)
        return (line for line in lines if not line.startswith(b'{"foot":'))

    def _check(self) -> tuple[Head, Foot]:
        sha, last, count, files, size, objects = hashlib.sha256(), "", 0, 0, 0, 0
        lines = _lines(self._data)
        head = _head(next(lines, b""), self._format)
        plain = bytearray(_encode({"head": head}) + b"\n")  # to be hashed
        for line in lines:
            if line.startswith(b'{"foot":'):
                sha.update(plain)
                foot = _wrapped(line, "foot", Foot)
                if next(lines, None) is not None or foot.digest != sha.hexdigest():
                    raise Unreadable("its digest does not match its content")
                if (foot.entries, foot.files, foot.bytes) != (count, files, size):
                    raise Unreadable("its counts do not match its content")
                return head, foot
            plain += line
            plain += b"\n"
            if len(plain) >= _PACKED:
                sha.update(plain)
                plain.clear()
            entry = _checked(line)
            at = order(entry)
            if at <= last:
                raise Unreadable("its entries are out of order")
            last, count = at, count + 1
            self._hold(entry, len(line))
            if entry.kind is not Sort.FILE:
                continue
            if not entry.gone:
                files, size = files + 1, size + entry.size
            objects += 1
            if objects % MARK == 0:
                self.marks.append(entry.place)
        raise Unreadable("it has no end")

    def _hold(self, entry: Entry, size: int) -> None:
        if self._room >= 0:
            self._room -= size
            self._held.append(entry)
            if self._room < 0:
                self._held = []


def recent(head: Head, foot: Foot) -> list[PastRun]:
    """The last runs up to the one whose snapshot this is, oldest first: what the next head says."""
    did = (foot.seconds, foot.files, foot.bytes, foot.files_sent, foot.bytes_sent, foot.complete)
    return extend(head.recent, PastRun(head.id, *did, foot.files_copied))


def head_of(data: bytes) -> Head:
    """The head, from the first bytes of a stored snapshot. Raises Unreadable."""
    return _head(next(_lines(data, whole=False), b""))


def _head(line: bytes, format: str = FORMAT) -> Head:
    try:
        told = msgspec.json.decode(line)
        known = isinstance(told, dict) and told.get("head", {}).get("format")
    except (msgspec.MsgspecError, AttributeError, ValueError):
        raise Unreadable("its first line is no head") from None
    if known != format:
        raise Unreadable(f"its format is {str(known)[:40]!r}, and this program knows {format!r}")
    head: Head = _wrapped(line, "head", Head)
    if _encode({"head": head}) != line:
        raise Unreadable("its head is not in the normal form")
    return head


def _checked(line: bytes) -> Entry:
    try:
        return decode_entry(line)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unreadable(f"a line is no entry: {error}") from None


def _wrapped(line: bytes, name: str, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(line, type=dict[str, kind])[name]  # type: ignore[valid-type]
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        raise Unreadable(f"its {name} is malformed: {error}") from None


def _lines(data: bytes | Segments, *, whole: bool = True) -> Iterator[bytes]:
    """The plain lines of one frame, without newlines, in bounded memory. Raises Unreadable."""
    try:
        yield from lines(data, LINE_MAX, whole=whole)
    except Broken as error:
        raise Unreadable(str(error)) from None
