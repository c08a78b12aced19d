"""What the bucket lists below a prefix: a range of keys, all that is no catalogue, and what stands among snapshots."""

from __future__ import annotations

import asyncio
from typing import Final

from backup_action.adapters.oss.data import PAGE, Bucket
from backup_action.core.address import CATALOGUE
from backup_action.core.segments import Keep, in_memory
from backup_action.core.spool import LOOSE, Spool
from backup_action.core.stored import Stored

LEDGER: Final = "ledger/"
SNAPSHOTS: Final = "snapshots/"
_PAST_LEDGER: Final = "ledger/~"  # our own names begin with letters and digits
_PAST_SNAPSHOTS: Final = "snapshots/~"
_LEDGER_PAGES: Final = 3  # of a thousand names
_BEFORE_CATALOGUE: Final = f"{CATALOGUE}/"
_PAST_CATALOGUE: Final = f"{CATALOGUE}/~"
_FEW: Final = 100  # keys asked for where few are expected: those that sort before the catalogue


async def between(
    bucket: Bucket, prefix: str, after: str, end: str, most: int = PAGE, keep: Keep = in_memory, loose: int = 0
) -> Spool[Stored]:
    """Objects behind `after` up to `end`, both below the prefix; "" is no bound. `most` is for the first page.

    `keep`, `loose`: as the spool has them.
    """
    found: Spool[Stored] = Spool(Stored, keep=keep, loose=loose)
    more = True
    while more:
        objects, more = await bucket.page(prefix, prefix + after if after else "", most)
        for stored in objects:
            key = stored.key[len(prefix) :]
            if end and key > end:
                more = False
                break
            after = key
            found.append(Stored(key, stored.size, stored.etag, stored.last_modified))
        most = PAGE
    found.close()
    return found


async def around(bucket: Bucket, prefix: str, marks: list[str], keep: Keep = in_memory) -> list[Spool[Stored]]:
    """Every object below the prefix but the catalogue, in order: one spool a range between two marks.

    The catalogue may hold far more than the tree does, so a range of its own ends before it.
    """
    before = [mark for mark in marks if mark < _BEFORE_CATALOGUE]
    behind = [mark for mark in marks if mark > _PAST_CATALOGUE]
    starts = ["", *before, _PAST_CATALOGUE, *behind]
    ends = [*before, _BEFORE_CATALOGUE, *behind, ""]
    most = [PAGE] * len(before) + [_FEW] + [PAGE] * (len(behind) + 1)
    ranges = zip(starts, ends, most, strict=True)
    loose = LOOSE // len(starts)
    return await asyncio.gather(*(between(bucket, prefix, *bounds, keep, loose) for bounds in ranges))


async def snapshots(bucket: Bucket, start: str, since: str = "") -> list[Stored]:
    """What stands among the snapshots, keys from there on. `start` is the catalogue.

    `since`: a name of the ledger. Then the listing begins there, and whoever wants those names hears them
    (`Bucket.overheard`): nobody has to ask for them. What lies between the two folders is passed over, and so is a
    ledger that is longer than `_LEDGER_PAGES`.
    """
    after, more, pages = since or SNAPSHOTS, True, _LEDGER_PAGES
    found: Spool[Stored] = Spool(Stored)
    while more and after < _PAST_SNAPSHOTS:
        is_ledger = after < _PAST_LEDGER  # past it only the snapshots are asked for
        objects, more = await bucket.page(start if is_ledger else start + SNAPSHOTS, start + after)
        pages -= 1
        for stored in objects:
            after = stored.key[len(start) :]
            if after.startswith(SNAPSHOTS):
                found.append(Stored(after[len(SNAPSHOTS) :], stored.size, stored.etag, stored.last_modified))
        if after < SNAPSHOTS and not pages:
            after = SNAPSHOTS
    return list(found)
