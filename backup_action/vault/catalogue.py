"""One source's snapshots below a prefix: found, read, checked, committed; and the listing of everything else there."""

from __future__ import annotations

import asyncio
import calendar
import email.utils
import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Final

import msgspec

from backup_action.adapters.oss.control import Control
from backup_action.adapters.oss.data import Bucket, Written
from backup_action.core import ledger, selector, snapshot
from backup_action.core.address import CATALOGUE, LAYOUTS
from backup_action.core.body import Body
from backup_action.core.cipher import RECORD, Unopened, is_sealed
from backup_action.core.entry import Entry
from backup_action.core.place import KEY_MAX
from backup_action.core.problem import Kind, Stop
from backup_action.core.ring import Ring
from backup_action.core.segments import Keep, Segments, in_memory
from backup_action.core.snapshot import Head, Snapshot, Unreadable
from backup_action.core.spool import Spool
from backup_action.core.stored import Stored
from backup_action.vault import listing
from backup_action.vault.listing import LEDGER
from backup_action.vault.stretches import whole

SNAPSHOTS: Final = f"{CATALOGUE}/snapshots/"
LEASE: Final = ".lease"
ENDING: Final = ".jsonl.zst"
TREE: Final = "tree"  # the layout in which each file is an object under its own path
SECOND: Final = 16  # characters of an id that say when its run began
_HEAD_BYTES: Final = RECORD + 1024  # of a snapshot, enough for its head, sealed or not
_BLOCK_BYTES: Final = 160 << 10  # the same, where the head shares its block with what can hardly be packed


class Catalogue(msgspec.Struct, frozen=True):
    """What stands among the snapshots below a prefix, whoever's; oldest first by OSS's clock."""

    snapshots: list[Stored]  # their keys are ids
    leases: dict[str, Stored]  # by name, without the ending

    @property
    def ids(self) -> set[str]:
        """The ids of all snapshots."""
        return {stored.key for stored in self.snapshots}


class Vault:
    """One prefix of one bucket, as one source sees it."""

    def __init__(
        self, bucket: Bucket, prefix: str, source: str, layout: str, headers: Mapping[str, str] = {},
        keep: Keep = in_memory,
    ) -> None:  # fmt: skip
        """`source` and `layout` say whose snapshots are ours; `headers` go with all that we keep of our own.

        Who only reads may give "" for the layout: it means any. `keep` takes what is long: snapshots and listings.
        """
        self.keep = keep
        self.bucket = bucket
        self.control = Control(bucket)
        self.prefix = prefix
        self.headers = {**headers, "x-oss-storage-class": "Standard"}  # a catalogue that must be thawed is none
        self.ring = Ring()  # of an encrypted vault, once it is unlocked
        self.may_be_versioned = True  # or have been; what is read of it tells
        self.source = source
        self.layout = layout
        self._layouts = (layout,) if layout else LAYOUTS
        self._known_of_ledger = False
        self._known: set[str] = set()  # ids that were there when the run began
        self.namesakes: dict[str, Head] = {}  # of other sources whose ids begin like ours, newest first
        digests = [hashlib.sha256(f"{one}\0{source}".encode()).hexdigest() for one in self._layouts]
        self.lease_name = digests[0][:16]
        self._tags = [digest[:4] for digest in digests]

    @property
    def room(self) -> int:
        """Bytes that a key may have below the prefix."""
        return KEY_MAX - len(self.prefix.encode())

    def new_id(self, now: float) -> str:
        """An id for a snapshot begun at `now`; its first four hex digits name the source, so its own are found fast."""
        return time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime(now)) + self._tags[0] + secrets.token_hex(2)

    async def adopt(self, read_as: Entry, there: Stored | None = None, md5: str = "") -> Written | None:
        """The object that stands at a file's place, if it is proven to be this very content.

        The proof is the MD5 that a simple object's ETag is, where `md5` is given and the listing's ETag is that; else
        the size and CRC-64 of a HEAD. Only that tells the version, so a versioned bucket is always asked.
        """
        if there is not None and md5 and (there.etag, there.size) == (md5.upper(), read_as.size):
            return Written(there.etag, "", read_as.crc64)
        answer = await self.bucket.head(self.prefix + read_as.place)
        if answer is None or not answer.proves(read_as.size, read_as.crc64):
            return None
        return Written(answer.etag, answer.headers.get("x-oss-version-id", ""), read_as.crc64)

    async def catalogue(self) -> Catalogue:
        """All snapshots and leases below the prefix."""
        since = "" if self._known_of_ledger else f"{LEDGER}{ledger.horizon(self.bucket.attempts.now())}"
        self._known_of_ledger = True
        found = await listing.snapshots(self.bucket, f"{self.prefix}{CATALOGUE}/", since)
        named = [Stored(o.key.removesuffix(ENDING), o.size, o.etag, o.last_modified) for o in found]
        ours = sorted((o for o in named if snapshot.is_id(o.key)), key=lambda o: (o.last_modified, o.key))
        return Catalogue(ours, {o.key.removesuffix(LEASE): o for o in found if o.key.endswith(LEASE)})

    async def parent(self, catalogue: Catalogue, *, held: int = 0) -> Snapshot | None:
        """The newest snapshot of this source and layout, whole and checked. Raises Stop where it is damaged.

        `held`: how much of it stays in memory (`Snapshot`).
        """
        self._known = catalogue.ids
        newest: Snapshot | None = None
        second = 0
        for stored in reversed(catalogue.snapshots):
            if newest is not None and stored.last_modified < second:
                break  # OSS's clock counts seconds: of those of one second the sequence says which is the newest
            if self.has_our_tag(stored.key):
                found = await self.snapshot(stored.key, held=held)
                if not self._is_ours(found.head):
                    self.namesakes.setdefault(found.head.source, found.head)
                elif newest is None or found.head.sequence > newest.head.sequence:
                    newest, second = found, stored.last_modified
        return await self._newer(newest, held) if newest else None

    async def _newer(self, newest: Snapshot, held: int) -> Snapshot:
        """The same, or the last by its id where that is further on: an object that is stored anew gets a new time."""
        last = max(self.kept())
        head = await self.head(last) if last != newest.id else None
        further = head is not None and self._is_ours(head) and head.sequence > newest.head.sequence
        return await self.snapshot(last, held=held) if further else newest

    def kept(self) -> list[str]:
        """Ids of the snapshots that the catalogue held of this source when `parent` read it, by their tags alone."""
        return [id for id in self._known if self.has_our_tag(id)]

    async def heads(self, catalogue: Catalogue) -> list[Head]:
        """The heads of this source's snapshots, in the catalogue's order. Raises Stop where one cannot be read."""
        found = await asyncio.gather(
            *(self.head(stored.key) for stored in catalogue.snapshots if self.has_our_tag(stored.key))
        )
        return [head for head in found if head and self._is_ours(head)]

    async def now(self, id: str) -> float:
        """OSS's clock, as its answer about a snapshot tells it. Raises Stop."""
        answer = await self.bucket.head(self._snapshot_key(id))
        told = answer.headers.get("Date", "") if answer else ""
        self.may_be_versioned = answer is None or "x-oss-version-id" in answer.headers
        parsed = email.utils.parsedate(told)
        if parsed is None:
            raise Stop(Kind.OSS_MALFORMED, self._snapshot_key(id), reason="an answer without a date")
        return calendar.timegm(parsed)

    def own(self, catalogue: Catalogue) -> list[str]:
        """Ids that may be of this source, by their tags, oldest first; `is_own` tells."""
        return [stored.key for stored in catalogue.snapshots if self.has_our_tag(stored.key)]

    async def choose(self, text: str) -> Snapshot:
        """The snapshot of this source that a text means (`core.selector`). Raises Stop."""
        catalogue = await self.catalogue()
        if text == selector.LATEST and (newest := await self.parent(catalogue, held=snapshot.HELD)):
            return newest
        ids = self.own(catalogue)
        while True:
            id = selector.choose(text, ids)
            is_named = id.startswith(text)
            same = [id] if is_named else [other for other in ids if other[:SECOND] == id[:SECOND]]
            found = [one for one in [await self.snapshot(other) for other in same] if self._is_ours(one.head)]
            if found:  # of those that were begun in one second, the one that the others led to
                return max(found, key=lambda one: one.head.sequence)
            ids = [other for other in ids if other not in same]  # another source's, whose ids begin like ours

    async def ask_to_read(self) -> None:
        """Raises Stop where nothing may be read here: better told before the first write than at the last."""
        await self.bucket.head(self._snapshot_key("none"))

    async def snapshot(self, id: str, *, held: int = 0) -> Snapshot:
        """A snapshot by its id. `held`: how much of it stays in memory (`Snapshot`). Raises Stop."""
        answer = await whole(self.bucket, self._snapshot_key(id), self.keep)
        if answer is None:
            raise Stop(Kind.SNAPSHOT_DAMAGED, id, reason="it is listed, but not there")
        self.may_be_versioned = "x-oss-version-id" in answer.headers
        try:
            found = await asyncio.to_thread(self._read, id, answer.segments, held)
        except (Unreadable, Unopened) as error:
            raise _unreadable(id, error) from None
        if found.id != id:
            raise Stop(Kind.SNAPSHOT_DAMAGED, id, reason=f"it says that it is {found.id}")
        self._refuse_open(found.head, next(iter(answer.segments)))
        return found

    def _read(self, id: str, segments: Segments, held: int) -> Snapshot:
        return Snapshot(self.ring.opening(segments, _about(id), self.keep), held=held)

    def _refuse_open(self, head: Head, data: bytes) -> None:
        """Raises Stop where a snapshot of an encrypted vault is not sealed: anybody could have made it."""
        if self.ring.ciphers and head.layout != TREE and not is_sealed(data):
            raise Stop(Kind.SNAPSHOT_DAMAGED, head.id, reason="it is not sealed, as all is in this vault")

    async def remove(self, id: str) -> None:
        """Deletes a snapshot. Raises Stop."""
        await self.bucket.delete(self._snapshot_key(id))

    async def remove_leases(self, id: str, catalogue: Catalogue) -> None:
        """Deletes the leases of runs that went on from a snapshot. Raises Stop."""
        for name in catalogue.leases:
            if name.partition(".")[0] == id:
                await self.bucket.delete(f"{self.prefix}{SNAPSHOTS}{name}{LEASE}")

    async def head(self, id: str) -> Head | None:
        """A snapshot's head, from its first bytes alone; None where it is not there. Raises Stop."""
        for first in (_HEAD_BYTES, _BLOCK_BYTES):
            answer = await self.bucket.get(self._snapshot_key(id), first=first)
            if answer is None:
                return None
            try:
                is_whole = len(answer.body) < first
                head = snapshot.head_of(self.ring.open(answer.body, _about(id), whole=is_whole))
                self._refuse_open(head, answer.body)
                if head.id != id:
                    raise Stop(Kind.SNAPSHOT_DAMAGED, id, reason=f"it says that it is {head.id}")
                return head
            except (Unreadable, Unopened) as error:
                if first == _BLOCK_BYTES or is_whole:
                    raise _unreadable(id, error) from None
        return None

    async def listing(self, marks: list[str]) -> list[Spool[Stored]]:
        """Every object below the prefix but the catalogue, in order: one spool a range between two marks."""
        return await listing.around(self.bucket, self.prefix, marks, self.keep)

    async def below(self, folder: str, after: str = "", end: str = "") -> Spool[Stored]:
        """Every object of one of our own folders, its key below that; only those behind `after` and up to `end`."""
        return await listing.between(self.bucket, self.prefix + folder, after, end)

    async def refuse_moved(self, catalogue: Catalogue) -> None:
        """Raises Stop where a snapshot of this source came since the parent was read: two would go on from one."""
        for stored in catalogue.snapshots:
            if stored.key not in self._known and self.has_our_tag(stored.key):
                head = await self.head(stored.key)
                if head and self._is_ours(head):
                    raise Stop(Kind.PARENT_MOVED, stored.key)

    async def commit(self, id: str, segments: Segments) -> None:
        """Stores a snapshot, last of all, and asks for it again: size and CRC-64. Raises Stop."""
        body = Body(await asyncio.to_thread(self.ring.sealing, segments, _about(id), self.keep))
        key, crc64 = self._snapshot_key(id), await asyncio.to_thread(getattr, body, "crc64")
        await self.bucket.put(key, body, crc64, {"content-type": "application/zstd", **self.headers})
        for _ in range(3):
            answer = await self.bucket.head(key)
            stored = answer.headers.get("x-oss-hash-crc64ecma", "") if answer else ""
            if stored:
                break
        if answer is None or not answer.proves(len(body), crc64):
            raise Stop(Kind.STORED_MISMATCH, key, sent=crc64, stored=stored)

    def has_our_tag(self, id: str) -> bool:
        """Whether an id looks like ours. Sixteen bits: enough to open few snapshots; the head tells sources apart."""
        return id[-8:-4] in self._tags

    def _is_ours(self, head: Head) -> bool:
        return self.is_own(head.source, head.layout)

    def is_own(self, source: str, layout: str) -> bool:
        """Whether this is the source, in a layout, whose snapshots count as parents here."""
        return source == self.source and layout in self._layouts

    def _snapshot_key(self, id: str) -> str:
        return f"{self.prefix}{SNAPSHOTS}{id}{ENDING}"


def _about(id: str) -> str:
    """What a snapshot is sealed about."""
    return f"snapshot {id}"


def _unreadable(id: str, error: Exception) -> Stop:
    kind = Kind.SNAPSHOT_FORMAT if "format" in str(error) else Kind.SNAPSHOT_DAMAGED
    return Stop(kind, id, reason=error, format=snapshot.FORMAT)
