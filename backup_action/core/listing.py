"""What `snapshots` tells: four views of the catalogue, each a header and its rows. This is schema 1.

| view | a row is |
|---|---|
| `list` | a snapshot |
| `show` | an entry of one snapshot, as that has it; in the document alone |
| `diff` | a path whose content differs between two snapshots |
| `find` | a run of snapshots in which a path has one content, or is absent |

`total` counts all rows. The report holds the first `ROWS` of them, the JSON document on stdout holds all. A path that
is no UTF-8 stands escaped for people, with its bytes in base64 beside it (`raw`). Times in ns are decimal strings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, Literal, TypeAlias

import msgspec

from backup_action.core.snapshot import Origin

FORMAT: Final = "oss-backup-snapshots/1"
ROWS: Final = 500  # that a report holds

Link = Literal["first", "whole", "gap", "damaged", "broken", ""]
Raw: TypeAlias = bytes  # a name of its own: some rows have a field `bytes`
What = Literal["added", "changed", "moved", "removed"]
_encode = msgspec.json.Encoder().encode


class SnapshotRow(msgspec.Struct, frozen=True):
    """One snapshot of a list. `link` says how its parent is: `core.chain` has the table. Of a damaged one, the id."""

    id: str
    created: str = ""  # UTC, 2026-11-22T18:00:00Z
    sequence: int = 0
    source: str = ""
    layout: str = ""
    files: int = 0
    bytes: int = 0
    files_sent: int = 0
    bytes_sent: int = 0
    seconds: float = 0.0
    complete: bool = False
    digest: str = ""  # by its own foot, where that was read; else as the snapshots that grew from it have it
    parent: str = ""
    link: Link = ""
    stored: int = 0  # bytes of its object
    damage: str = ""  # why it cannot be read


class Chain(msgspec.Struct, frozen=True):
    """The snapshots of one source and layout. It is whole when each but the first has its parent there."""

    source: str
    layout: str
    snapshots: int
    gaps: int  # parents that are not there, such as those that were pruned
    broken: int  # parents that are not what the snapshot after them says
    whole: bool


class Listed(msgspec.Struct, frozen=True, tag_field="view", tag="list"):
    """The snapshots below a prefix, of one source or of all, newest first."""

    format: str
    source: str  # "" for all
    others: int  # snapshots of other sources, which are not listed
    damaged: int
    chains: list[Chain]
    total: int
    rows: list[SnapshotRow] = []


class Place(msgspec.Struct, frozen=True):
    """What a snapshot has of one of its roots."""

    source: str
    destination: str
    files: int
    bytes: int
    links: int
    folders: int


class Large(msgspec.Struct, frozen=True):
    """One of the largest files."""

    path: str
    raw: Raw
    bytes: int
    mtime_ns: str
    sha256: str


class Shown(msgspec.Struct, frozen=True, tag_field="view", tag="show"):
    """One snapshot: its head and foot, and what it has by root and by size. `total` is of its entries."""

    format: str
    id: str
    created: str
    sequence: int
    source: str
    layout: str
    version: str
    origin: Origin
    parent: str
    parent_digest: str
    digest: str
    complete: bool
    problems: dict[str, int]
    files: int
    bytes: int
    seconds: float
    files_sent: int
    bytes_sent: int
    stored: int
    places: list[Place]
    largest: list[Large]
    total: int
    rows: list[object] = []


class Sum(msgspec.Struct, frozen=True):
    """Files and links of one sort of change, and the bytes of their content."""

    files: int = 0
    bytes: int = 0


class DifferenceRow(msgspec.Struct, frozen=True):
    """A path whose content differs. `was` is where a moved one came from; `bytes_before` is 0 for what is added."""

    what: What
    path: str
    raw: Raw
    kind: str
    bytes: int
    bytes_before: int
    sha256: str  # of a removed file, what it was
    was: str = ""
    was_raw: Raw = b""


class Compared(msgspec.Struct, frozen=True, tag_field="view", tag="diff"):
    """From one snapshot to another, in the order of paths. `metadata`: same content, another mode or time."""

    format: str
    before: str
    after: str
    added: Sum
    changed: Sum
    moved: Sum
    removed: Sum
    metadata: int
    folders_added: int
    folders_removed: int
    total: int
    rows: list[DifferenceRow] = []


class FoundRow(msgspec.Struct, frozen=True):
    """Snapshots in a row in which a path has one content, or, with an empty `kind`, is absent."""

    path: str
    raw: Raw
    kind: str
    first: str  # id of the oldest of them
    last: str
    snapshots: int
    bytes: int = 0
    mtime_ns: str = ""  # in the newest of them
    sha256: str = ""
    target: str = ""  # of a link


class Found(msgspec.Struct, frozen=True, tag_field="view", tag="find"):
    """Paths through time. `more`: further paths match, and are left out."""

    format: str
    pattern: str
    snapshots: int  # that were looked at
    damaged: int
    paths: int
    more: bool
    total: int
    rows: list[FoundRow] = []


View: TypeAlias = Listed | Shown | Compared | Found
Row: TypeAlias = SnapshotRow | DifferenceRow | FoundRow


class Told(msgspec.Struct, frozen=True):
    """A view without its rows, and the rows: to be read as often as one likes. `lines` are those of JSON alone."""

    view: View
    rows: Iterable[Row] = ()
    lines: Iterable[bytes] = ()

    def kept(self) -> View:
        """What a report holds."""
        return msgspec.structs.replace(self.view, rows=list(islice(self.rows, ROWS)))

    def document(self) -> Iterator[str]:
        """All of it as one JSON document, a row a line, a few at a time."""
        head, end = _encode(self.view).decode().removesuffix("[]}"), ""
        yield head + "["
        for line in self.lines:
            yield f"{end}\n{line.decode().rstrip()}"
            end = ","
        for row in self.rows:
            yield f"{end}\n{_encode(row).decode()}"
            end = ","
        yield "\n]}\n"
