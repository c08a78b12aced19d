"""What needs no reading: files unchanged, folders, links, and what is gone, out of reach or somebody else's.

What is gone from the disk keeps its entry, marked, as long as its object lies in the bucket: so the object can still be
removed later, and its content is kept before another one takes its key.
"""

from __future__ import annotations

from typing import Final

import msgspec

from backup_action.adapters.oss.refusal import ONE_OBJECT
from backup_action.core.entry import Entry, Sort, beside
from backup_action.core.found import Found, entry
from backup_action.core.place import Root, root_of
from backup_action.core.plan import Item, Step
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.spool import Spool
from backup_action.core.tally import Tally
from backup_action.transfer.safekeeping import Safekeeping

ASK: Final = Entry("", Sort.FOLDER, "")  # the bucket must be asked first
replace = msgspec.structs.replace


class Settling:
    """For one run; `safe` is None for a dry one."""

    def __init__(self, safe: Safekeeping | None, roots: tuple[Root, ...], tally: Tally) -> None:
        """Counts in the tally."""
        self.gone: Spool[Entry] = Spool(Entry)  # what lies in the bucket and is no longer on the disk
        self._safe = safe
        self._roots = roots
        self._tally = tally

    def settle(self, item: Item) -> Entry | None:
        """The entry for the snapshot, if any; ASK where only `ask` can tell."""
        found, known = item.found, item.known
        match item.step:
            case Step.KEEP if known and found:
                self._tally.same(found.root, found.size)
                return known
            case Step.NOTE if found:
                self._tally.links += found.kind is Sort.LINK
                self._tally.folders += found.kind is Sort.FOLDER
                return entry(found) if known is None else self._displaced(found, known)
            case Step.STALE if known:
                if known.kind is Sort.FILE:
                    self._tally.failed(None)
                return replace(known, stale=True)
            case Step.LOST:
                self._tally.failed(None)
                return ASK
            case Step.GONE | Step.DROP if known and known.kind is Sort.FILE:
                return self._without(item, known)
            case Step.FOREIGN:
                self._tally.foreign += 1
        return None

    def _without(self, item: Item, known: Entry) -> Entry | None:
        if not known.gone:
            self._tally.gone(root_of(known.path, self._roots))
        if item.step is Step.DROP:
            self._tally.foreign += item.there is not None
            return None
        self.gone.append(known)
        return replace(known, gone=True, stale=False)

    async def ask(self, item: Item) -> Entry | None:
        """The entry, where it depends on an object in the bucket. Raises Stop."""
        known = item.known
        if known is None:
            return None
        if item.drift is not Kind.DRIFT_MISSING and self._safe and await self._safe.history.has(known):
            return replace(known, stale=True)  # a run that never committed had moved it there
        if item.drift:
            self._tally.tell(Problem(item.drift, known.path))
        return None

    def _displaced(self, found: Found, known: Entry) -> Entry:
        """A link in the place of a file, whose object still lies there."""
        self.gone.append(known)
        return beside(entry(found), known)


def one_object(error: Stop, found: Found) -> Problem:
    """The problem of one file, where a refusal says nothing of the next; else the Stop goes on."""
    if error.problem.kind in (Kind.HISTORY_UNKEPT, Kind.FILE_LATE):
        return Problem(error.problem.kind, found.path, error.problem.facts)
    if error.problem.facts.get("code") in ONE_OBJECT:
        return Problem(Kind.FILE_REFUSED, found.path, error.problem.facts)
    raise error
