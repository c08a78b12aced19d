"""The entries of a snapshot while a run makes them: in the order of the plan, whatever the order in which files come.

What both layouts do about a file that cannot be taken stands here: its parent's entry stays, marked stale; and one
whose turn it was to be read again, and that only did not hold still, is what the scan saw.
"""

from __future__ import annotations

from typing import Final

import msgspec

from backup_action.core.deadline import Deadline
from backup_action.core.entry import Entry
from backup_action.core.found import Found
from backup_action.core.plan import Item, Step, without_reread
from backup_action.core.problem import Kind, Problem
from backup_action.core.snapshot import Writer
from backup_action.core.tally import Tally
from backup_action.transfer.flow import Row
from backup_action.transfer.settle import Settling

SENDING: Final = (Step.READ, Step.SEND, Step.ADOPT)  # steps that read the file
BREATH: Final = 256  # items between two looks at the network
_MOVING: Final = (Kind.FILE_CHANGING, Kind.FILE_VANISHED, Kind.FILE_LATE)

Slot = list[Entry | None]


class Entries:
    """For one run."""

    def __init__(self, writer: Writer, tally: Tally, settling: Settling) -> None:
        """The writer gets each entry, in order."""
        self.is_cut = False  # files whose turn it was to be read again were not, for want of time
        self._writer = writer
        self._tally = tally
        self._settling = settling
        self._row: Row[Entry | None] = Row(self._write)
        self.pass_on = self._row.pass_on
        self.place = self._row.place
        self.fill = self._row.fill
        self.room = self._row.room

    def in_time(self, item: Item, deadline: Deadline) -> Item:
        """The item; where it is late, what was to be read again for its turn alone is taken as unchanged."""
        if not (item.reread and deadline.is_past()):
            return item
        self.is_cut = True
        return without_reread(item)

    def unread(self, slot: Slot, item: Item, found: Found, problem: Problem) -> None:
        """A file that was not read."""
        if not item.reread or problem.kind not in _MOVING:
            self.fail(slot, item, found, problem)
            return
        self.is_cut |= problem.kind is Kind.FILE_LATE
        self.fill(slot, self._settling.settle(without_reread(item)))

    def fail(self, slot: Slot, item: Item, found: Found, problem: Problem) -> None:
        """A file that the snapshot does not have as it is on disk now."""
        self._tally.failed(found.root, problem, found.size)
        self.fill(slot, msgspec.structs.replace(item.known, stale=True) if item.known else None)

    def _write(self, result: Entry | None) -> None:
        if result is not None:
            self._writer.add(result)


def is_known(item: Item, read_as: Entry) -> bool:
    """True when the bucket has this very content, as the listing confirmed."""
    return item.step is Step.READ and item.known is not None and item.known.sha256 == read_as.sha256
