"""Other sources below the same prefix: two whose files would lie in one place are told apart before any write.

Only the layout in which a file lies under its own path knows such neighbours: packs are named by what they hold.
"""

from __future__ import annotations

import asyncio

from backup_action.core.entry import left_by
from backup_action.core.place import Root, overlap, root_of
from backup_action.core.problem import Kind, Stop
from backup_action.core.snapshot import Head, Snapshot
from backup_action.vault.catalogue import TREE, Catalogue, Vault


async def refuse_overlap(vault: Vault, catalogue: Catalogue, roots: tuple[Root, ...], parent: Snapshot | None) -> None:
    """Raises Stop where another source backs up to a place below this prefix that overlaps one of ours.

    A place that our parent does not have may still hold what another source has backed up to it until lately: its
    older snapshots name that, and only itself would keep it when it is overwritten.
    """
    others = [stored.key for stored in catalogue.snapshots if not vault.has_our_tag(stored.key)]
    newest = {id[-8:-4]: id for id in others}
    heads = [head for id in newest.values() if (head := await _head(vault, id))]
    for head in [*heads, *vault.namesakes.values()]:
        both = overlap(roots, tuple(head.roots)) if head.source != vault.source else None
        if both:
            at = both[1].destination or "."
            raise Stop(Kind.SOURCES_OVERLAP, both[0].source, other=head.source, destination=at)
    had = {root.destination for root in parent.head.roots} if parent else set()
    new = tuple(root for root in roots if root.destination not in had)
    for head in [*heads, *vault.namesakes.values()] if new else []:
        if head.source != vault.source:
            await asyncio.to_thread(_refuse_left, await vault.snapshot(head.id), new)


async def _head(vault: Vault, id: str) -> Head | None:
    """The head, if it is of a snapshot whose files lie under their own paths."""
    try:
        head = await vault.head(id)
    except Stop as stop:
        if stop.problem.kind is Kind.PASSPHRASE_MISSING:  # only a vault's snapshots are sealed
            return None
        raise
    return head if head and head.layout == TREE else None


def _refuse_left(other: Snapshot, places: tuple[Root, ...]) -> None:
    """Raises Stop where an object of another source lies in one of these places, as far as that knows."""
    for entry in other.entries():
        at = root_of(entry.path, places) if left_by(entry) else None
        if at is not None:
            root = places[at]
            raise Stop(
                Kind.SOURCES_OVERLAP, root.source, other=other.head.source, destination=root.destination or ".",
                cause="left",
            )  # fmt: skip
