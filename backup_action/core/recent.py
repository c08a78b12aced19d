"""Recent runs: what each did and how long it took, carried from snapshot to snapshot, and how far the history reaches.

A snapshot's foot says what its own run did; its head has the same of the runs before it, made of the parent's head
and foot. So whoever reads the newest snapshot knows the last months without another request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import msgspec

KEPT: Final = 30  # runs that a head has: a month of nights
ID: Final = r"\A[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\Z"  # of a snapshot: when its run began, UTC, and eight hex digits
LONGEST: Final = 1e9  # seconds; thirty years: a clock that was set has been at work

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST)]


class Effort(msgspec.Struct, frozen=True):
    """What a run itself did, up to its commit."""

    seconds: float = 0.0
    files_sent: int = 0
    bytes_sent: int = 0
    files_copied: int = 0  # on the server: of content that the bucket had

    @property
    def tenths(self) -> float:
        """The seconds as a snapshot has them: one decimal, within its bounds whatever was done to the clock."""
        return min(max(0.0, round(self.seconds, 1)), LONGEST)


IDLE: Final = Effort()


class PastRun(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One run that committed: its snapshot's id, what that snapshot holds, and what the run did for it."""

    id: Annotated[str, msgspec.Meta(pattern=ID)]
    seconds: Seconds
    files: Count
    bytes: Count
    files_sent: Count
    bytes_sent: Count
    complete: bool
    files_copied: Count = 0  # on the server


class Kept(msgspec.Struct, frozen=True):
    """How many snapshots of a source the bucket has, and the ids of the first and the last, in order of their time."""

    snapshots: int
    oldest: str
    newest: str
    oldest_at: str  # UTC, 2026-11-22T18:00:00Z: when its run began
    newest_at: str


def extend(before: Sequence[PastRun], last: PastRun) -> list[PastRun]:
    """The runs before and one more, oldest first; only the last `KEPT`."""
    return [*before, last][-KEPT:]


def kept(ids: Iterable[str]) -> Kept | None:
    """The history that these snapshots are; None where there are none."""
    ordered = sorted(ids)  # an id begins with its time
    if not ordered:
        return None
    oldest, newest = ordered[0], ordered[-1]
    return Kept(len(ordered), oldest, newest, moment(oldest), moment(newest))


def moment(id: str) -> str:
    """When the run of a snapshot began, by its id: `20261122T180000Z-…` is `2026-11-22T18:00:00Z`."""
    return f"{id[:4]}-{id[4:6]}-{id[6:11]}:{id[11:13]}:{id[13:16]}"
