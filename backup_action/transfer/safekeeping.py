"""Makes way for a write or a removal: the lease is ours, and what stands there is kept first (law 2)."""

from __future__ import annotations

from backup_action.core.entry import Entry
from backup_action.core.plan import Item
from backup_action.core.problem import Problem
from backup_action.core.reread import silent_change
from backup_action.core.tally import Tally
from backup_action.vault import History, Lease


class Safekeeping:
    """For one run that writes; a dry one has none."""

    def __init__(self, lease: Lease, history: History, tally: Tally, parent: str = "") -> None:
        """The tally hears of objects that are no longer what the listing said. `parent`: the last snapshot's id."""
        self.lease = lease
        self.history = history
        self._tally = tally
        self._parent = parent

    async def clear(self, item: Item, read_as: Entry | None) -> None:
        """For what an item's file, as it was read, will take the place of. Raises Stop where it must not.

        Where the file was changed silently, that is an alarm, and the good version is kept even if history is off.
        """
        is_silent = self.watch(item, read_as)
        await self.lease.confirm()
        if item.known is not None and item.known.key:
            await self.keep(item.known, always=is_silent)

    def watch(self, item: Item, read_as: Entry | None) -> bool:
        """Tells of a silent change. True where the file was changed so.

        Also where the bucket no longer has what the last snapshot says: a run that never committed may have sent it.
        """
        silent = silent_change(read_as, item.was or item.known, self._parent) if read_as else None
        if silent is not None:
            self._tally.tell(silent)
        return silent is not None

    async def keep(self, old: Entry, *, always: bool = False) -> bool:
        """False where the object is no longer the entry's, which is told. `always`: history or not. Raises Stop."""
        drift = await self.history.keep(old, always=always)
        if drift is not None:
            self._tally.tell(Problem(drift, old.path))
        return drift is None
