"""Makes way for a write or a removal: the lease is ours, and what stands there is kept first (law 2)."""

from __future__ import annotations

from backup_action.core.entry import Entry
from backup_action.core.plan import Item
from backup_action.core.problem import Problem
from backup_action.core.tally import Tally
from backup_action.vault import History, Lease


class Safekeeping:
    """For one run that writes; a dry one has none."""

    def __init__(self, lease: Lease, history: History, tally: Tally) -> None:
        """The tally hears of objects that are no longer what the listing said."""
        self.lease = lease
        self.history = history
        self._tally = tally

    async def clear(self, item: Item) -> None:
        """For what an item's file will take the place of. Raises Stop where it must not."""
        await self.lease.confirm()
        if item.known is not None and item.known.key:
            await self.keep(item.known)

    async def keep(self, old: Entry) -> bool:
        """False where the object is no longer the entry's, which is told. Raises Stop."""
        drift = await self.history.keep(old)
        if drift is not None:
            self._tally.tell(Problem(drift, old.path))
        return drift is None
