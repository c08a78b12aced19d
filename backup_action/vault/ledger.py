"""The ledger in the bucket: what stands there of one source and verb is read once, and a record is written once.

Reading is a GET of the newest record, whose window has all the others. Which is the newest says a listing of the last
days' names; whoever asks for the catalogue gets them with it, and they are heard here (`overhear`), so that they cost
nothing. A run that was recorded while the newest one was on its way is not in that window: then its record is read too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import fastcrc

from backup_action.adapters.oss.data import Bucket
from backup_action.core import ledger
from backup_action.core.address import CATALOGUE
from backup_action.core.ledger import Past, Record, Unreadable
from backup_action.core.problem import Stop
from backup_action.core.stored import Stored

LEDGER: Final = f"{CATALOGUE}/ledger/"
ENDING: Final = ".json"
READ: Final = 12  # records that one run reads at most; usually it is one
PAGES: Final = 50  # of the listing, a thousand names each, whoever's

Change = Callable[[bytes], bytes]


def plain(data: bytes) -> bytes:
    """As it is: a record that is not sealed."""
    return data


class Ledger:
    """The records below one prefix, as one source and verb sees them."""

    def __init__(
        self, bucket: Bucket, prefix: str, source: str, verb: str, *, headers: Mapping[str, str] = {},
        seal: Change = plain, unseal: Change = plain,
    ) -> None:  # fmt: skip
        """`headers` go with each record. `seal` makes the stored bytes of a record's, `unseal` turns that back.

        `unseal` raises ValueError for what it cannot open.
        """
        self.bucket = bucket
        self.passed_over: Unreadable | None = None  # why a record of ours could not be counted
        self.heard = asyncio.Event()  # a listing that begins at the ledger has come past it
        self._catalogue = f"{prefix}{CATALOGUE}/"
        self._rows: list[Stored] = []
        self._is_whole = False
        self._folder = f"{prefix}{LEDGER}"
        self._whose = (source, verb)
        self._tag = ledger.tag(source, verb)
        self._headers = {"content-type": "application/json", **headers, "x-oss-storage-class": "Standard"}
        self._seal, self._unseal = seal, unseal

    def overhear(self, prefix: str, objects: list[Stored], more: bool) -> None:
        """Takes what a page of a listing, asked for by others, shows of the ledger."""
        if self.heard.is_set():
            return
        if prefix == self._catalogue:
            self._rows += self._ours(objects)
            self._is_whole = not more or objects[-1].key > f"{self._folder}~"
        if self._is_whole or prefix == f"{self._catalogue}snapshots/":
            self.heard.set()

    def _ours(self, objects: Iterable[Stored]) -> Iterable[Stored]:
        """Those of this source and verb, by their ids."""
        for row in objects:
            id = row.key.removeprefix(self._folder).removesuffix(ENDING)
            if row.key == f"{self._folder}{id}{ENDING}" and ledger.is_id(id, self._tag):
                yield Stored(id, row.size, row.etag, row.last_modified)

    async def read(self, now: float) -> list[Past]:
        """The runs of the window at this moment. Raises Stop; what cannot be read is passed over, and `passed_over`."""
        newest = ledger.moment(now + ledger.AHEAD)
        rows = [row for row in (self._rows if self._is_whole else await self._listed(now)) if row.key <= newest]
        known: dict[str, Past] = {}
        left = READ
        for row in sorted(rows, key=lambda row: (row.last_modified, row.key), reverse=True):  # the last written first
            if left and row.key not in known and not self._is_before(row.key, known):
                left -= 1
                if record := await self._get(row.key):
                    known |= {run.id: run for run in [*(record.window or []), record.past]}
        return ledger.window(known.values(), now)

    def _is_before(self, id: str, known: Mapping[str, Past]) -> bool:
        """Older than all of a window that is full: not counted any more."""
        return len(known) >= ledger.MOST and id < min(known)

    async def _listed(self, now: float) -> list[Stored]:
        """What stands there of this source and verb since the window's beginning."""
        found: list[Stored] = []
        after, more = self._folder + ledger.horizon(now), True
        for _ in range(PAGES):
            objects, more = await self.bucket.page(self._folder, after)
            found += self._ours(objects)
            if not more:
                break
            after = objects[-1].key
        return found

    async def _get(self, id: str) -> Record | None:
        answer = await self.bucket.get(f"{self._folder}{id}{ENDING}", first=ledger.LONGEST)
        try:
            record = ledger.decode(self._unseal(answer.body)) if answer else None
        except Unreadable as error:
            self.passed_over = error
            return None
        except ValueError:
            self.passed_over = Unreadable("it cannot be opened")
            return None
        if record and (record.id != id or (record.source, record.verb) != self._whose):
            return None
        return record

    async def write(self, record: Record) -> None:
        """Writes a record, whosoever's, once: one that is there already is the same. Raises Stop."""
        data = self._seal(ledger.encode(record))
        headers = {**self._headers, "x-oss-forbid-overwrite": "true"}
        try:
            await self.bucket.put(f"{self._folder}{record.id}{ENDING}", data, fastcrc.crc64.xz(data), headers)
        except Stop as stop:
            if stop.problem.facts.get("code") != "FileAlreadyExists":
                raise
