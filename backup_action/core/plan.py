"""The plan: what is wanted (the disk) against what is there (the parent, checked against the bucket's listing).

One step for each path that any of the three knows, in the order of keys. `decide` is the whole decision:

| on disk | parent | listing | metadata | step | drift |
|---|---|---|---|---|---|
| file | has it | as the parent says | equal | KEEP | |
| file | has it | as the parent says | differs | READ: sent if the content is new | |
| file | has it | nothing there | any | SEND | missing |
| file | has it | another object, of the file's size | any | ADOPT | replaced, if it is not the file |
| file | has it | another object, of another size | any | SEND | replaced |
| file | has it, without object | any | any | SEND | |
| file | no | an object of the file's size | | ADOPT: kept if its CRC-64 is the file's, else sent | |
| file | no | anything else | | SEND | |
| folder, link | any | any | | NOTE: an entry without object | |
| not there | has it | any | | GONE | |
| out of reach | has it | as the parent says | | STALE: the parent's entry stays | |
| out of reach | has it | not so | | LOST: the parent's entry cannot stay | missing, replaced |
| not there | no | there | | FOREIGN: counted, never touched | |

"As the parent says" is size and ETag, and the time of last change once a listing has told it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from backup_action.core.entry import Entry, Sort, order
from backup_action.core.found import Found, unchanged
from backup_action.core.problem import Kind
from backup_action.core.stored import Stored

END: Final = "\U0010ffff"  # sorts behind every key


class Step(enum.Enum):
    """What one path needs."""

    KEEP = "keep"
    READ = "read"
    SEND = "send"
    ADOPT = "adopt"
    NOTE = "note"
    GONE = "gone"
    STALE = "stale"
    LOST = "lost"
    FOREIGN = "foreign"


class Item(msgspec.Struct, frozen=True):
    """One path and what is known of it. `known` is the parent's entry, with the listing's time filled in."""

    step: Step
    found: Found | None = None
    known: Entry | None = None
    drift: Kind | None = None
    there: Stored | None = None  # the object to adopt


def decide(found: Found | None, known: Entry | None, there: Stored | None, *, in_reach: bool = True) -> Item:
    """The step for one path; see the table. `in_reach`: the scan would have found it if it existed."""
    if found is None:
        if known is None:
            return Item(Step.FOREIGN)
        return Item(Step.GONE, None, known) if in_reach else _out_of_reach(known, there)
    if found.kind is not Sort.FILE:
        return Item(Step.NOTE, found, known)
    drift = _drift(known, there) if known is not None and known.kind is Sort.FILE else None
    if known is None or known.kind is not Sort.FILE or drift is not None or there is None:
        adopted = there is not None and there.size == found.size
        return Item(Step.ADOPT if adopted else Step.SEND, found, None, drift, there if adopted else None)
    known = _timed(known, there)
    return Item(Step.KEEP if unchanged(found, known) else Step.READ, found, known)


def _out_of_reach(known: Entry, there: Stored | None) -> Item:
    if known.kind is not Sort.FILE:
        return Item(Step.STALE, None, known)
    drift = _drift(known, there)
    if drift is not None or there is None:
        return Item(Step.LOST, None, known, drift)
    return Item(Step.STALE, None, _timed(known, there))


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
    found: Iterable[Found], known: Iterable[Entry], there: Iterable[Stored], in_reach: Callable[[str], bool]
) -> Iterator[Item]:
    """Merges the three, each in the order of keys, in one pass and constant memory. `in_reach` is asked by path."""
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
        yield decide(one, two, in_bucket if third == at else None, in_reach=reached)
        if first == at:
            on_disk = next(disk, None)
        if second == at:
            in_parent = next(parent, None)
        if third == at:
            in_bucket = next(bucket, None)
