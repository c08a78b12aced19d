"""The keys of an encrypted vault: found, unlocked, made. A vault is encrypted from its first run on, or never.

`.oss-backup/keys/<id>.json` is one key, written once (`core/cipher.py`). Where two first runs made one each, the
oldest, and of those of one second the first by its id, is what everybody seals with; whatever any of them sealed is
opened all the same, since each sealed object names its key.
"""

from __future__ import annotations

import asyncio
from typing import Final

import fastcrc

from backup_action.core import cipher
from backup_action.core.address import CATALOGUE
from backup_action.core.cipher import Sealed, Unopened
from backup_action.core.problem import Kind, Stop
from backup_action.core.ring import Ring
from backup_action.core.stored import Stored
from backup_action.vault.catalogue import Vault

KEYS: Final = f"{CATALOGUE}/keys/"
ENDING: Final = ".json"
LONGEST: Final = 65_536  # bytes of a key's object
MOST: Final = 16  # keys that are tried; scrypt takes its time


async def ring(vault: Vault, passphrase: str) -> Ring:
    """The keys of a vault that the passphrase opens; without one, only whether there are any. Raises Stop."""
    found = sorted(await _listed(vault), key=lambda stored: (stored.last_modified, stored.key))
    if not found or not passphrase:
        return Ring(bool(found))
    ciphers: dict[str, Sealed] = {}
    for stored in found[:MOST]:
        answer = await vault.bucket.get(vault.prefix + KEYS + stored.key, first=LONGEST)
        if answer is not None:
            try:
                locked = cipher.decode(answer.body)
            except ValueError as error:
                raise Stop(Kind.PASSPHRASE_KEY, stored.key, reason=error) from None
            try:
                ciphers[locked.id] = await asyncio.to_thread(cipher.unlock, locked, passphrase)
            except Unopened:
                continue
    if not ciphers:
        raise Stop(Kind.PASSPHRASE_WRONG, found[0].key.removesuffix(ENDING))
    return Ring(there=True, ciphers=ciphers)


async def make(vault: Vault, passphrase: str) -> Ring:
    """Makes the first key of a vault that has nothing yet. Raises Stop."""
    locked, _ = await asyncio.to_thread(cipher.new, passphrase)
    data = cipher.encode(locked)
    key, crc64 = f"{vault.prefix}{KEYS}{locked.id}{ENDING}", fastcrc.crc64.xz(data)
    headers = {"content-type": "application/json", **vault.headers}
    try:
        await vault.bucket.put(key, data, crc64, headers | {"x-oss-forbid-overwrite": "true"})
    except Stop as stop:
        if stop.problem.facts.get("code") != "FileAlreadyExists":
            raise
        await vault.bucket.put(key, data, crc64, headers)  # ours: the answer was lost, or it came badly
    return await ring(vault, passphrase)  # another first run may have been faster


async def _listed(vault: Vault) -> list[Stored]:
    return [stored for stored in await vault.below(KEYS) if stored.key.endswith(ENDING)]
