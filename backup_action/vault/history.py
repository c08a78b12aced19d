"""Old content: kept before anything of ours is overwritten or removed (law 2), so that older snapshots stay whole.

An object with a version id of its own needs nothing: its version stays. Any other is copied on the server to
`.oss-backup/history/<2 hex>/<sha256>`, once for each content. The copy counts when the CRC-64 of a HEAD is the
snapshot's; where OSS gives none, the content is fetched, held against its SHA-256, and sent (law 3). The source is
named by its ETag, so what somebody else put under the key meanwhile is never kept under a name that is not its own.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Final

import fastcrc

from backup_action.adapters.oss.data import Written
from backup_action.adapters.oss.refusal import Refusal
from backup_action.adapters.oss.server_copy import ONE, copy, copy_parts
from backup_action.core.address import CATALOGUE
from backup_action.core.entry import Entry
from backup_action.core.parts import HELD_MAX, PARTS_MAX, part_size
from backup_action.core.problem import Kind, Stop
from backup_action.vault.catalogue import Vault

HISTORY: Final = f"{CATALOGUE}/history/"
STRETCH: Final = 8 << 20  # bytes fetched at a time
# Refusals that end the run, since the next request would meet them too; any other costs one file.
_ENDING: Final = (Kind.OSS_RIGHT, Kind.OSS_BUCKET, Kind.OSS_ENDPOINT, Kind.OSS_ACCOUNT, Kind.OSS_CLOCK, Kind.OSS_KEY)


def history_key(prefix: str, sha256: str) -> str:
    """Where a content is kept below a prefix."""
    return f"{prefix}{HISTORY}{sha256[:2]}/{sha256}"


class History:
    """What runs of one source replaced or removed."""

    def __init__(self, vault: Vault, *, on: bool) -> None:
        """`on`: false keeps nothing, and only counts what that cost."""
        self.lost = 0  # contents that older snapshots name and that are kept nowhere
        self._vault = vault
        self._bucket = vault.bucket
        self._control = vault.control
        self.is_on = on
        self._kept: set[str] = set()

    def key(self, sha256: str) -> str:
        """Where a content is kept."""
        return history_key(self._vault.prefix, sha256)

    async def keep(self, old: Entry, *, always: bool = False) -> Kind | None:
        """Keeps what the bucket has under an entry's key. Gives the drift if that is no longer the entry's content.

        `always`: though history is off.
        Raises Stop: HISTORY_UNKEPT where only this file is concerned, which must not be overwritten then.
        """
        if old.has_version or old.sha256 in self._kept:
            return None
        if not self.is_on and not always:
            self.lost += 1
            return None
        try:
            await self._copied(old)
        except Refusal:
            return Kind.DRIFT_MISSING
        except Stop as stop:
            code = stop.problem.facts.get("code")
            if code == "PreconditionFailed":
                return Kind.DRIFT_REPLACED
            if stop.problem.kind in _ENDING:
                raise
            facts = {"reason": code or stop.problem.kind.value, **stop.problem.facts}
            raise Stop(Kind.HISTORY_UNKEPT, old.path, **facts) from None
        self._kept.add(old.sha256)
        return None

    async def has(self, old: Entry) -> bool:
        """Whether the content was kept, as the CRC-64 of a HEAD proves."""
        answer = await self._bucket.head(self.key(old.sha256))
        return answer is not None and answer.proves(old.size, old.crc64)

    async def etag(self, old: Entry) -> str:
        """The ETag of a content that this run kept, as the CRC-64 of a HEAD proves; "" where it kept none such."""
        answer = await self._bucket.head(self.key(old.sha256)) if old.sha256 in self._kept else None
        return answer.etag if answer is not None and answer.proves(old.size, old.crc64) else ""

    async def _copied(self, old: Entry) -> None:
        source, target = self._vault.prefix + old.place, self.key(old.sha256)
        headers = {**self._vault.headers, "x-oss-forbid-overwrite": "true"}
        try:
            if old.size > ONE:
                raise Stop(Kind.OSS_REFUSED, source, code="EntityTooLarge")
            await copy(self._bucket, source, old.etag, target, headers)
        except Stop as stop:
            code = stop.problem.facts.get("code")
            if code == "EntityTooLarge":
                await self._copied_by_parts(old, source, target)
            elif code != "FileAlreadyExists":
                raise
        if not await self.has(old):
            await self._carried(old, source, target)

    async def _copied_by_parts(self, old: Entry, source: str, target: str) -> None:
        with contextlib.suppress(Stop):  # not proven: `has` will say so, and the content is carried
            if not await self.has(old):
                await copy_parts(self._control, source, old.etag, old.size, old.crc64, target, self._vault.headers)

    async def _carried(self, old: Entry, source: str, target: str) -> None:
        """Fetches the content and sends it: OSS does not prove its copy."""
        if old.size <= STRETCH:
            data = b"".join([piece async for piece in self._pieces(old, source)])
            await self._bucket.put(target, data, old.crc64, self._vault.headers)
            return
        if old.size > HELD_MAX * PARTS_MAX:  # its parts could not be held
            raise Stop(Kind.OSS_REFUSED, source, code="EntityTooLarge")
        upload = await self._control.begin(target, self._vault.headers)
        async with self._control.ending(target, upload):
            parts: list[Written] = []
            async for piece in self._pieces(old, source):
                crc64 = fastcrc.crc64.xz(piece)
                parts.append(await self._bucket.part(target, upload, len(parts) + 1, piece, crc64))
            await self._control.complete(target, upload, parts, old.crc64)

    async def _pieces(self, old: Entry, source: str) -> AsyncIterator[bytes]:
        """The content, a stretch at a time; at its end raises Stop where it is not what the snapshot says."""
        sha, size = hashlib.sha256(), part_size(old.size, STRETCH)
        for start in range(0, old.size, size):
            piece = await self._bucket.stretch(source, start, min(size, old.size - start), old.etag)
            sha.update(piece)
            yield piece
        if sha.hexdigest() != old.sha256:
            raise Stop(Kind.OSS_REFUSED, source, code="PreconditionFailed")
