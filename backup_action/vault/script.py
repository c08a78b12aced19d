"""The script that restores an unencrypted vault without this program: stored beside the data by the first run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import fastcrc

from backup_action.core.address import CATALOGUE
from backup_action.core.problem import Stop
from backup_action.vault.catalogue import Vault

KEY: Final = f"{CATALOGUE}/restore.py"
SCRIPT: Final = Path(__file__).with_name("unpack.py")


async def leave(vault: Vault) -> None:
    """Stores it, once, where it is of use: an encrypted vault needs the program. Raises Stop."""
    if vault.ring.there:
        return
    data = SCRIPT.read_bytes()
    headers = {"content-type": "text/x-python", "x-oss-forbid-overwrite": "true", **vault.headers}
    try:
        await vault.bucket.put(vault.prefix + KEY, data, fastcrc.crc64.xz(data), headers)
    except Stop as stop:
        if stop.problem.facts.get("code") != "FileAlreadyExists":
            raise
