"""Multipart uploads that a run leaves open: noted in the bucket, so that the next goes on with them, or ends them.

Those of an ordinary run stand in its lease. A shard's lease is also that of the others, so its own stand in an object
of its number, `.oss-backup/shards/<source>.uploads/2-of-8.json`. That is written anew where it has changed, and is
no part of any group: it is there for the same shard of the next run too.
"""

from __future__ import annotations

import hashlib
from typing import Final

import fastcrc
import msgspec

from backup_action.core.address import CATALOGUE
from backup_action.core.verification import Share
from backup_action.vault.catalogue import TREE, Vault

LONGEST: Final = 1 << 20  # bytes; a longer object is none of ours


class Begun(msgspec.Struct, frozen=True, array_like=True):
    """A multipart upload that is open: of which key, in parts of how many bytes, with headers of which digest.

    Where parts are copied from an object, that digest is of the stretches too: such an upload is like no other.
    """

    key: str
    upload: str
    part: int
    headers: str

    def is_below(self, prefix: str) -> bool:
        """False for an upload without an id, or of another place: no run of ours began it, whatever a note says."""
        return bool(self.upload) and self.key.startswith(prefix) and self.key != prefix


def digest(headers: dict[str, str]) -> str:
    """What tells one set of headers from another."""
    return hashlib.sha256(repr(sorted(headers.items())).encode()).hexdigest()[:16]


class OpenUploads:
    """What a shard left open."""

    def __init__(self, vault: Vault, share: Share) -> None:
        """Of one source; a vault has none, as its packs are sent in one piece."""
        self._vault = vault
        self._key = f"{vault.prefix}{CATALOGUE}/shards/{vault.lease_name}.uploads/{share.number}-of-{share.of}.json"
        self._noted: list[Begun] = []

    async def read(self) -> list[Begun]:
        """What the last run of this shard left open. Raises Stop; what cannot be read is nothing."""
        if self._vault.layout != TREE:
            return []
        answer = await self._vault.bucket.get(self._key, first=LONGEST)
        try:
            told = msgspec.json.decode(answer.body, type=list[Begun]) if answer else []
        except (msgspec.MsgspecError, UnicodeDecodeError):
            told = []
        self._noted = told
        return [begun for begun in told if begun.is_below(self._vault.prefix)]

    async def note(self, left: list[Begun]) -> None:
        """Writes what is open now, where that is not what stands there. Raises Stop."""
        if left != self._noted:
            data = msgspec.json.encode(left)
            headers = {"content-type": "application/json", **self._vault.headers}
            await self._vault.bucket.put(self._key, data, fastcrc.crc64.xz(data), headers)
            self._noted = list(left)
