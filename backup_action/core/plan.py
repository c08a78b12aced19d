"""The plan: what is wanted (the disk) against what is there (the parent, checked against the bucket's listing).

One step for each path that any of the three knows, in the order of keys. `decide` is the whole decision:

| on disk | parent | listing | metadata | step | drift |
|---|---|---|---|---|---|
| file | has it | as the parent says | equal | KEEP; READ where it is its turn | |
| file | has it | as the parent says | differs | READ: sent if the content is new | |
| file | had it, gone | as the parent says | any | READ | |
| file | has it | nothing there | any | SEND | missing |
| file | has it | another object, of the file's size | any | ADOPT | replaced, if it is not the file |
| file | has it | another object, of another size | any | SEND | replaced |
| file | has it, without object | any | any | SEND | |
| file | no | an object of the file's size | | ADOPT: kept if its content is the file's, else sent | |
| file | no | anything else | | SEND | |
| folder, link | any | any | | NOTE: a link in a file's place speaks of the object that lies there | |
| not there | has it | as the parent says | | GONE: the entry stays, marked; the object too, unless `delete` | |
| not there | had it, gone | as the parent says | | GONE | |
| not there | has it | not so | | DROP: nothing of ours is left to keep in mind | |
| out of reach | has it | as the parent says | | STALE: the parent's entry stays | |
| out of reach | has it | not so | | LOST: the parent's entry cannot stay | missing, replaced |
| not there | no | there | | FOREIGN: counted, never touched | |

"As the parent says" is size and ETag, and the time of last change once a listing has told it. What a run that never
committed wrote is no drift: objects from `unfinished` on, seconds since 1970, may be such a run's.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from backup_action.core.entry import Entry, Sort, left_by, order
from backup_action.core.found import Found, unchanged
from backup_action.core.problem import Kind
from backup_action.core.stored import Stored

END: Final = "\U0010ffff"  # sorts behind every key
NEVER: Final = 1 << 62  # seconds; behind every time


class Step(enum.Enum):
    """What one path needs."""

    KEEP = "keep"
    READ = "read"
    SEND = "send"
    ADOPT = "adopt"
    NOTE = "note"
    GONE = "gone"
    DROP = "drop"
    STALE = "stale"
    LOST = "lost"
    FOREIGN = "foreign"


class Item(msgspec.Struct, frozen=True, gc=False):
    """One path and what is known of it. `known` is the parent's entry, with the listing's time filled in.

    For every step but DROP and LOST, `known` is what lies in the bucket under its key, as the listing confirmed.
    """

    step: Step
    found: Found | None = None
    known: Entry | None = None
    drift: Kind | None = None
    there: Stored | None = None  # the object to adopt
    was: Entry | None = None  # what the parent has of a file, where the bucket no longer has it so
    reread: bool = False  # unchanged by its metadata, and read all the same: it is its turn

    @property
    def path(self) -> str:
        """Which path it is about; "" for what is somebody else's."""
        about = self.found or self.known
        return about.path if about is not None else ""


def without_reread(item: Item) -> Item:
    """The item of an unchanged file whose turn can wait."""
    return msgspec.structs.replace(item, step=Step.KEEP, reread=False)


def own(items: Iterable[Item], has: Callable[[str], bool]) -> Iterator[Item]:
    """The items of one share of the paths; what is somebody else's is in just one share too."""
    return (item for item in items if has(item.path))


def never(path: str, size: int) -> bool:
    """No file's turn."""
    return False


def decide(
    found: Found | None, known: Entry | None, there: Stored | None, *, in_reach: bool = True, unfinished: int = NEVER,
    is_due: Callable[[str, int], bool] = never,
) -> Item:  # fmt: skip
    """The step for one path; see the table. `in_reach`: the scan would have found it if it existed.

    `is_due`, asked by path and size: it is an unchanged file's turn to be read again (`core.reread`).
    """
    left = left_by(known) if known is not None else None
    drift = _drift(left, there) if left is not None else None
    confirmed = _timed(left, there) if left is not None and drift is None and there is not None else None
    if drift is Kind.DRIFT_REPLACED and there is not None and there.last_modified >= unfinished:
        drift = None
    if found is None:
        return _without(known, confirmed, there, drift, in_reach=in_reach)
    if found.kind is not Sort.FILE:
        return Item(Step.NOTE, found, confirmed)
    if confirmed is None:
        adopted = there is not None and there.size == found.size
        was = left if left is not None and not left.gone else None
        told = drift if was is not None else None
        return Item(Step.ADOPT if adopted else Step.SEND, found, None, told, there if adopted else None, was)
    if unchanged(found, confirmed):
        due = is_due(found.path, found.size)
        return Item(Step.READ if due else Step.KEEP, found, confirmed, reread=due)
    return Item(Step.READ, found, confirmed)


def _without(
    known: Entry | None, confirmed: Entry | None, there: Stored | None, drift: Kind | None, *, in_reach: bool
) -> Item:
    """What is not on the disk, or cannot be seen there."""
    if known is None:
        return Item(Step.FOREIGN)
    if in_reach or known.gone:
        if confirmed is not None:
            return Item(Step.GONE, None, confirmed)
        return Item(Step.DROP, None, known, None, there)
    if known.kind is not Sort.FILE or confirmed is not None:
        return Item(Step.STALE, None, known if confirmed is None or known.kind is not Sort.FILE else confirmed)
    return Item(Step.LOST, None, known, drift)


def _drift(known: Entry, there: Stored | None) -> Kind | None:
    if there is None:
        return Kind.DRIFT_MISSING
    same = there.size == known.size and there.etag == known.etag
    same = same and known.last_modified in (0, there.last_modified)
    return None if same else Kind.DRIFT_REPLACED


def _timed(known: Entry, there: Stored) -> Entry:
    if known.last_modified:
        return known
    return msgspec.structs.replace(known, last_modified=there.last_modified)


def compare(
    found: Iterable[Found], known: Iterable[Entry], there: Iterable[Stored], in_reach: Callable[[str], bool],
    unfinished: int = NEVER, is_due: Callable[[str, int], bool] = never,
    held: Callable[[Entry], Stored | None] | None = None,
) -> Iterator[Item]:  # fmt: skip
    """Merges the three, each in the order of keys, in one pass and constant memory. `in_reach` is asked by path.

    `held`: where nothing is listed, it says of each known entry what a listing would.
    """
    disk, parent, bucket = iter(found), iter(known), iter(there)
    on_disk, in_parent, in_bucket = next(disk, None), next(parent, None), next(bucket, None)
    while on_disk is not None or in_parent is not None or in_bucket is not None:
        first = on_disk.order if on_disk is not None else END
        second = order(in_parent) if in_parent is not None else END
        third = in_bucket.key if in_bucket is not None else END
        at = min(first, second, third)
        one = on_disk if first == at else None
        two = in_parent if second == at else None
        reached = one is not None or two is None or in_reach(two.path)
        three = in_bucket if third == at else None
        if held is not None and two is not None:
            three = held(two)
        yield decide(one, two, three, in_reach=reached, unfinished=unfinished, is_due=is_due)
        if first == at:
            on_disk = next(disk, None)
        if second == at:
            in_parent = next(parent, None)
        if third == at:
            in_bucket = next(bucket, None)
