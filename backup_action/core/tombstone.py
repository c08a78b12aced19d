"""The tombstone: what one run of prune marked for removal, or removed. This is format 1, as JSON.

    {"format": "oss-backup/tombstone/1", "id": …, "source": …, "layout": "tree", "created": …, "version": …,
     "state": "marked", "snapshots": [{"id": …, "sequence": 3, "reasons": ["beyond"]}, …]}

| state | means |
|---|---|
| `marked` | these snapshots will be removed by a later run; until then they can be restored |
| `removing` | a run began to remove them; `listed` is the SHA-256 of `<id>.jsonl.zst`, which names their content |
| `done` | they are gone, and of their content so many `objects` and `bytes`: a record |

The list beside it has one JSON line for each object: `{"key": …, "version": …, "size": …}`, keys below the prefix. It
is written before the first snapshot is removed, so that a later run knows what a killed one still had to remove.

In a vault, tombstones of their own, `packs-<id>.json`, hold the `packs` and `indexes` that nothing needs, and name no
source: packs are shared. `removing` is then the list of those that a run removed, which stands for another grace: who
listed the packs before still learns of it. Unknown formats and fields are errors (law 9).
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec
import zstandard

from backup_action.core.lines import Broken, lines
from backup_action.core.pack import Name
from backup_action.core.recent import ID

FORMAT: Final = "oss-backup/tombstone/1"
INDEX_ID: Final = r"\A[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}-[0-9]{1,9}(-merged)?\Z"  # how our runs name their indexes
LINE_MAX: Final = 1 << 20  # bytes of one line: a key has at most 1,023
LIST_MAX: Final = 1 << 30  # bytes of a list's lines: some ten million objects


class State(enum.StrEnum):
    """How far the removal is."""

    MARKED = "marked"
    REMOVING = "removing"
    DONE = "done"


class Marked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One snapshot, and why it goes."""

    id: Annotated[str, msgspec.Meta(pattern=ID)]
    sequence: int
    reasons: list[str]


class Tombstone(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One run's marks or removals."""

    format: str
    id: Annotated[str, msgspec.Meta(pattern=ID)]
    source: str
    layout: str
    created: str  # UTC, 2026-11-22T18:00:00Z
    version: str  # of the program that wrote it
    state: State
    snapshots: list[Marked]
    listed: str = ""
    objects: int = 0
    bytes: int = 0
    packs: list[Name] = []
    indexes: list[Annotated[str, msgspec.Meta(pattern=INDEX_ID)]] = []

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self.state is not State.DONE


class Leftover(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One object, or one version of it, that only removed snapshots named. `key` is below the prefix."""

    key: str
    version: str = ""
    size: int = 0


class Unreadable(ValueError):
    """These bytes are no tombstone, or no list, that this program knows; the text says why."""


def encode(tombstone: Tombstone) -> bytes:
    """The tombstone as it is stored."""
    return msgspec.json.format(msgspec.json.encode(tombstone), indent=2) + b"\n"


def decode(data: bytes) -> Tombstone:
    """Undoes `encode`. Raises Unreadable."""
    try:
        told = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).get("format", b'""')
        known = msgspec.json.decode(told)
        if known != FORMAT:
            raise Unreadable(f"its format is {str(known)[:40]!r}, and this program knows {FORMAT!r}")
        return msgspec.json.decode(data, type=Tombstone)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(f"it is malformed: {error}") from None


def encode_list(leftovers: Iterable[Leftover]) -> tuple[bytes, str]:
    """The list as it is stored, and the SHA-256 of that."""
    frame = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
    pieces = [frame.compress(msgspec.json.encode(one) + b"\n") for one in leftovers]
    data = b"".join([*pieces, frame.flush()])
    return data, hashlib.sha256(data).hexdigest()


def decode_list(data: bytes, digest: str) -> Iterator[Leftover]:
    """Undoes `encode_list`, a few at a time. Raises Unreadable where the bytes have another digest, at once."""
    if hashlib.sha256(data).hexdigest() != digest:
        raise Unreadable("its list has another digest")
    return _lines(data)


def _lines(data: bytes) -> Iterator[Leftover]:
    size = 0
    try:
        for line in lines(data, LINE_MAX):
            size += len(line)
            if size > LIST_MAX:
                raise Unreadable("its list is longer than any")
            yield msgspec.json.decode(line, type=Leftover)
    except (msgspec.MsgspecError, Broken, UnicodeDecodeError) as error:
        raise Unreadable(f"its list is malformed: {error}") from None
