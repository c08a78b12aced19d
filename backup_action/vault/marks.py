"""The marks of a vault's packs and indexes: tombstones that belong to the prefix, not to one source.

They lie in `.oss-backup/tombstones/`, as `packs-<id>.json`. Every backup reads them, whichever prune wrote them, and
every prune goes on with them. The age of a mark is that of its object, by OSS's own clock: one that is written anew
begins anew. Who deletes one lifts its marks.
"""

from __future__ import annotations

import asyncio
from typing import Final

import fastcrc

from backup_action.core import tombstone
from backup_action.core.address import CATALOGUE
from backup_action.core.clearing import Marks
from backup_action.core.problem import Kind, Stop
from backup_action.core.pruning import Standing
from backup_action.core.snapshot import is_id
from backup_action.core.tombstone import Tombstone, Unreadable
from backup_action.vault.catalogue import Vault

MARKS: Final = f"{CATALOGUE}/tombstones/packs-"
ENDING: Final = ".json"
TIMES: Final = 5  # that they are listed, where some go while they are read


async def standing(vault: Vault) -> list[Standing]:
    """All of them. Raises Stop.

    Where one goes while they are read, another may have come in its place: then they are listed again.
    """
    for _ in range(TIMES):
        rows = [stored for stored in await vault.below(MARKS) if is_id(stored.key.removesuffix(ENDING))]
        answers = await asyncio.gather(*(vault.bucket.get(f"{vault.prefix}{MARKS}{row.key}") for row in rows))
        found = [
            Standing(_read(row.key, answer.body), row.last_modified)
            for row, answer in zip(rows, answers, strict=True)
            if answer is not None
        ]
        if len(found) == len(rows):
            break
    return found


def _read(name: str, body: bytes) -> Tombstone:
    id = name.removesuffix(ENDING)
    try:
        told = tombstone.decode(body)
        if told.id != id:
            raise Unreadable(f"it says that it is {told.id}")
    except Unreadable as error:
        raise Stop(Kind.TOMBSTONE_DAMAGED, f"packs-{id}", reason=error) from None
    return told


async def marked(vault: Vault) -> dict[str, float]:
    """Every pack that is marked, or was removed lately, and since when. Raises Stop."""
    return dict(Marks.of(await standing(vault)).packs)


async def put(vault: Vault, told: Tombstone) -> bool:
    """Writes one, or writes it anew. False where a retention does not let it be changed yet. Raises Stop."""
    data = tombstone.encode(told)
    headers = {"content-type": "application/json", **vault.headers}
    try:
        await vault.bucket.put(_key(vault, told), data, fastcrc.crc64.xz(data), headers)
    except Stop as stop:
        if stop.problem.kind is not Kind.OSS_WORM:
            raise
        return False
    return True


async def delete(vault: Vault, told: Tombstone) -> bool:
    """Deletes one. False where a retention does not let it go yet. Raises Stop."""
    try:
        await vault.bucket.delete(_key(vault, told))
    except Stop as stop:
        if stop.problem.kind is not Kind.OSS_WORM:
            raise
        return False
    return True


def _key(vault: Vault, told: Tombstone) -> str:
    return f"{vault.prefix}{MARKS}{told.id}{ENDING}"
