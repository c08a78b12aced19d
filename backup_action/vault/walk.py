"""Reads every snapshot of one source, a few at a time, and keeps of each what the chain needs to know."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from backup_action.core import tree
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.verification import Link, link
from backup_action.vault.catalogue import Vault

AT_A_TIME: Final = 3  # a snapshot of a million files is 80 MB
_DAMAGE: Final = (Kind.SNAPSHOT_DAMAGED, Kind.SNAPSHOT_FORMAT)


class Walked(NamedTuple):
    """The snapshots that can be read, oldest first, and what is wrong with the others, by id."""

    links: list[Link]
    damaged: dict[str, Problem]


async def walk(vault: Vault) -> Walked:
    """Reads them all. One that is damaged hides none of the others. Raises Stop for what concerns the whole run."""
    ids = vault.own(await vault.catalogue())
    busy = asyncio.Semaphore(AT_A_TIME)

    async def one(id: str) -> Link | Problem | None:
        async with busy:
            try:
                found = await vault.snapshot(id)
                if not vault.is_own(found.head.source, found.head.layout):
                    return None
                await asyncio.to_thread(tree.check, found.entries(), id, vault.layout)
            except Stop as stop:
                if stop.problem.kind not in _DAMAGE:
                    raise
                return stop.problem
            return link(found)

    found = await asyncio.gather(*(one(id) for id in ids))
    links = [one for one in found if isinstance(one, Link)]
    damaged = {id: one for id, one in zip(ids, found, strict=True) if isinstance(one, Problem)}
    return Walked(sorted(links, key=lambda one: (one.sequence, one.id)), damaged)
