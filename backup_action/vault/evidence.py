"""What the bucket says of the content of a snapshot's files without giving it: layout tree (see `core.verification`).

The files' own objects are told by the listing. What that does not prove may be an old version, or lie in the history,
or be the same content put there anew: the history is listed once, and what is left is asked for by a HEAD, one for each
place. The layout vault has its `inventory`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from backup_action.core.entry import Entry
from backup_action.core.kept import KeptContents
from backup_action.core.problem import Stop
from backup_action.core.spool import Spool
from backup_action.core.stored import Stored
from backup_action.core.verification import Proof, Weighed, against, proves
from backup_action.vault.catalogue import Vault
from backup_action.vault.history import HISTORY, history_key

_NO_VERSION: Final = ("InvalidArgument", "MethodNotAllowed")  # no id that OSS gave, or that of a delete marker


class Evidence:
    """Of one vault. Nothing is asked before `gather`."""

    def __init__(self, vault: Vault) -> None:
        """Asks nothing yet."""
        self._vault = vault
        self._bucket = vault.bucket
        self._listing: list[Spool[Stored]] = []
        self._kept: KeptContents | None = None
        self._one = asyncio.Lock()

    async def gather(self, marks: list[str]) -> None:
        """Lists what is below the prefix; `marks` (of a snapshot) split that, so that it goes many at a time."""
        self._listing = await self._vault.listing(marks)

    def weigh(self, entries: Iterable[Entry]) -> Iterator[Weighed]:
        """Each file of a snapshot, and whether the listing proves it. Not for the event loop."""
        return against(entries, itertools.chain(*self._listing))

    async def ask(self, weighed: Weighed) -> Proof:
        """What further places prove, where the listing did not. Raises Stop."""
        entry, _, there = weighed
        is_kept, is_proven = (await self._history()).look(entry)
        if is_proven:
            return Proof.LISTED
        key, is_other = self._vault.prefix + entry.place, there is not None and not entry.has_version
        places = [(key, entry.version)] * entry.has_version
        places += [(history_key(self._vault.prefix, entry.sha256), "")] * is_kept
        places += [(key, "")] * (there is not None and there.size == entry.size)
        for place, version in places:
            answer = await self._head(place, version)
            if answer is not None and proves(entry, *answer):
                return Proof.ASKED
            is_other = is_other or answer is not None
        return Proof.ALTERED if is_other else Proof.MISSING

    async def fits(self, weighed: Weighed) -> bool:
        """Whether an object of just the file's size is where its content may be: behind what is read there is no more.

        A version never changes, so its size needs no proof.
        """
        entry, is_listed, there = weighed
        same = is_listed or entry.has_version or (there is not None and there.size == entry.size)
        return same or (await self._history()).look(entry)[0]

    async def _head(self, key: str, version: str) -> tuple[str, str, str] | None:
        """Size, CRC-64 and ETag of an object or version; None where there is none."""
        try:
            answer = await self._bucket.head(key, version)
        except Stop as stop:
            if not version or stop.problem.facts.get("code") not in _NO_VERSION:
                raise
            return None
        if answer is None:
            return None
        told = answer.headers
        return told.get("Content-Length", ""), told.get("x-oss-hash-crc64ecma", ""), answer.etag

    async def _history(self) -> KeptContents:
        async with self._one:
            if self._kept is None:
                kept = KeptContents()
                for stored in await self._vault.below(HISTORY):
                    kept.add(stored)
                self._kept = kept
        return self._kept
