"""Removes from the bucket what is gone from the disk: after the commit, only what snapshots of ours named (law 6).

The snapshot just committed says of each such object that its file is gone, so a removal that is cut short goes on with
the next run. An object is removed only while it is the one that was named, and after its content was kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from backup_action.core.entry import Entry
from backup_action.core.place import Root, root_of
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.tally import Tally
from backup_action.transfer.flow import Crew, together
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.vault import Vault

AT_ONCE: Final = 32  # removals


class Removal:
    """One run's removals."""

    def __init__(self, vault: Vault, safe: Safekeeping, tally: Tally) -> None:
        """Counts in the tally what was removed."""
        self._vault = vault
        self._safe = safe
        self._tally = tally

    async def run(self, gone: Iterable[Entry], roots: tuple[Root, ...]) -> None:
        """Removes what is gone from below these roots; the rest may be another job's. Raises Stop."""
        crew: Crew[Entry] = Crew(AT_ONCE, self._remove)
        async with together() as group, crew.working(group):
            for entry in gone:
                if root_of(entry.path, roots) is not None:
                    await crew.hand(entry)

    async def _remove(self, entry: Entry) -> None:
        key = self._vault.prefix + entry.place
        try:
            if not await self._safe.keep(entry):
                return
            answer = await self._vault.bucket.head(key)
            if answer is None or answer.etag != entry.etag:
                self._tally.tell(Problem(Kind.DRIFT_REPLACED if answer else Kind.DRIFT_MISSING, entry.path))
                return
            await self._vault.bucket.delete(key)
            self._tally.deleted += 1
        except Stop as stop:
            if stop.problem.kind is not Kind.HISTORY_UNKEPT:
                raise
            self._tally.tell(stop.problem)
