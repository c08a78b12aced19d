"""One source's snapshots below a prefix: found, read, checked, committed; and the listing of everything else there."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import fastcrc

from backup_action.adapters.oss.control import Control
from backup_action.adapters.oss.data import PAGE, Bucket, Written
from backup_action.core import selector, snapshot
from backup_action.core.address import CATALOGUE
from backup_action.core.entry import Entry, left_by
from backup_action.core.place import KEY_MAX, Root, overlap, root_of
from backup_action.core.problem import Kind, Stop
from backup_action.core.snapshot import Head, Snapshot, Unreadable
from backup_action.core.spool import Spool
from backup_action.core.stored import Stored

SNAPSHOTS: Final = f"{CATALOGUE}/snapshots/"
LEASE: Final = ".lease"
ENDING: Final = ".jsonl.zst"
_PAST_CATALOGUE: Final = f"{CATALOGUE}/~"  # our own names below it begin with letters
_BEFORE_CATALOGUE: Final = f"{CATALOGUE}/"
SECOND: Final = 16  # characters of an id that say when its run began
_FEW: Final = 100  # keys asked for where few are expected: those that sort before the catalogue
_HEAD_BYTES: Final = 65_536  # of a snapshot, enough for its head


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What stands among the snapshots below a prefix, whoever's; oldest first by OSS's clock."""

    snapshots: list[Stored]  # their keys are ids
    leases: dict[str, Stored]  # by name, without the ending

    @property
    def ids(self) -> set[str]:
        """The ids of all snapshots."""
        return {stored.key for stored in self.snapshots}


class Vault:
    """One prefix of one bucket, as one source sees it."""

    def __init__(self, bucket: Bucket, prefix: str, source: str, layout: str, headers: Mapping[str, str] = {}) -> None:
        """`source` and `layout` say whose snapshots count as parents; `headers` go with all that we keep of our own."""
        self.bucket = bucket
        self.control = Control(bucket)
        self.prefix = prefix
        self.headers = {**headers, "x-oss-storage-class": "Standard"}  # a catalogue that must be thawed is none
        self.may_be_versioned = True  # or have been; what is read of it tells
        self._source = source
        self._layout = layout
        self._known: set[str] = set()  # ids that were there when the run began
        self._namesakes: dict[str, Head] = {}  # of other sources whose ids begin like ours, newest first
        digest = hashlib.sha256(f"{layout}\0{source}".encode()).hexdigest()
        self._tag, self.lease_name = digest[:4], digest[:16]

    @property
    def room(self) -> int:
        """Bytes that a key may have below the prefix."""
        return KEY_MAX - len(self.prefix.encode())

    def new_id(self, now: float) -> str:
        """An id for a snapshot begun at `now`; its first four hex digits name the source, so its own are found fast."""
        return time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime(now)) + self._tag + secrets.token_hex(2)

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
        found = list(await self._range(self.prefix + SNAPSHOTS, "", ""))
        named = [Stored(o.key.removesuffix(ENDING), o.size, o.etag, o.last_modified) for o in found]
        ours = sorted((o for o in named if snapshot.is_id(o.key)), key=lambda o: (o.last_modified, o.key))
        return Catalogue(ours, {o.key.removesuffix(LEASE): o for o in found if o.key.endswith(LEASE)})

    async def parent(self, catalogue: Catalogue) -> Snapshot | None:
        """The newest snapshot of this source and layout, whole and checked. Raises Stop where it is damaged."""
        self._known = catalogue.ids
        newest: Snapshot | None = None
        second = 0
        for stored in reversed(catalogue.snapshots):
            if newest is not None and stored.last_modified < second:
                break  # OSS's clock counts seconds: of those of one second the sequence says which is the newest
            if self._has_our_tag(stored.key):
                found = await self.snapshot(stored.key)
                if not self._is_ours(found.head):
                    self._namesakes.setdefault(found.head.source, found.head)
                elif newest is None or found.head.sequence > newest.head.sequence:
                    newest, second = found, stored.last_modified
        return await self._newer(newest) if newest else None

    async def _newer(self, newest: Snapshot) -> Snapshot:
        """The same, or the last by its id where that is further on: an object that is stored anew gets a new time."""
        last = max(self.kept())
        head = await self._head(last) if last != newest.id else None
        further = head is not None and self._is_ours(head) and head.sequence > newest.head.sequence
        return await self.snapshot(last) if further else newest

    def kept(self) -> list[str]:
        """Ids of the snapshots that the catalogue held of this source when `parent` read it, by their tags alone."""
        return [id for id in self._known if self._has_our_tag(id)]

    def own(self, catalogue: Catalogue) -> list[str]:
        """Ids that may be of this source, by their tags, oldest first; `is_own` tells."""
        return [stored.key for stored in catalogue.snapshots if self._has_our_tag(stored.key)]

    def is_own(self, found: Snapshot) -> bool:
        """Whether a snapshot is of this source and layout."""
        return self._is_ours(found.head)

    async def choose(self, text: str) -> Snapshot:
        """The snapshot of this source that a text means (`core.selector`). Raises Stop."""
        catalogue = await self.catalogue()
        if text == selector.LATEST and (newest := await self.parent(catalogue)):
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

    async def snapshot(self, id: str) -> Snapshot:
        """A snapshot by its id. Raises Stop."""
        answer = await self.bucket.get(self._snapshot_key(id))
        if answer is None:
            raise Stop(Kind.SNAPSHOT_DAMAGED, id, reason="it is listed, but not there")
        self.may_be_versioned = "x-oss-version-id" in answer.headers
        try:
            found = await asyncio.to_thread(Snapshot, answer.body)
        except Unreadable as error:
            raise _unreadable(id, error) from None
        if found.id != id:
            raise Stop(Kind.SNAPSHOT_DAMAGED, id, reason=f"it says that it is {found.id}")
        return found

    async def refuse_overlap(self, catalogue: Catalogue, roots: tuple[Root, ...], parent: Snapshot | None) -> None:
        """Raises Stop where another source backs up to a place below this prefix that overlaps one of ours.

        A place that our parent does not have may still hold what another source has backed up to it until lately: its
        older snapshots name that, and only itself would keep it when it is overwritten.
        """
        others = [stored.key for stored in catalogue.snapshots if not self._has_our_tag(stored.key)]
        newest = {id[-8:-4]: id for id in others}
        heads = [await self._head(id) for id in newest.values()]
        for head in [*heads, *self._namesakes.values()]:
            both = overlap(roots, tuple(head.roots)) if head and head.source != self._source else None
            if head and both:
                at = both[1].destination or "."
                raise Stop(Kind.SOURCES_OVERLAP, both[0].source, other=head.source, destination=at)
        had = {root.destination for root in parent.head.roots} if parent else set()
        new = tuple(root for root in roots if root.destination not in had)
        for head in [*heads, *self._namesakes.values()] if new else []:
            if head and head.source != self._source:
                await asyncio.to_thread(_refuse_left, await self.snapshot(head.id), new)

    async def _head(self, id: str) -> Head | None:
        answer = await self.bucket.get(self._snapshot_key(id), first=_HEAD_BYTES)
        try:
            return snapshot.head_of(answer.body) if answer else None
        except Unreadable as error:
            raise _unreadable(id, error) from None

    async def listing(self, marks: list[str]) -> list[Spool[Stored]]:
        """Every object below the prefix but the catalogue, in order: one spool a range between two marks.

        The catalogue may hold far more than the tree does, so a range of its own ends before it.
        """
        before = [mark for mark in marks if mark < _BEFORE_CATALOGUE]
        behind = [mark for mark in marks if mark > _PAST_CATALOGUE]
        starts = ["", *before, _PAST_CATALOGUE, *behind]
        ends = [*before, _BEFORE_CATALOGUE, *behind, ""]
        most = [PAGE] * len(before) + [_FEW] + [PAGE] * (len(behind) + 1)
        return await asyncio.gather(
            *(self._range(self.prefix, *bounds) for bounds in zip(starts, ends, most, strict=True))
        )

    async def below(self, place: str) -> Spool[Stored]:
        """Every object below a place of ours; keys are below that."""
        return await self._range(self.prefix + place, "", "")

    async def _range(self, prefix: str, after: str, end: str, most: int = PAGE) -> Spool[Stored]:
        """Objects behind `after` up to `end`, both below the prefix; "" is no bound. `most` is for the first page."""
        found: Spool[Stored] = Spool(Stored)
        more = True
        while more:
            objects, more = await self.bucket.page(prefix, prefix + after if after else "", most)
            for stored in objects:
                key = stored.key[len(prefix) :]
                if end and key > end:
                    return found
                after = key
                found.append(Stored(key, stored.size, stored.etag, stored.last_modified))
            most = PAGE
        return found

    async def refuse_moved(self, catalogue: Catalogue) -> None:
        """Raises Stop where a snapshot of this source came since the parent was read: two would go on from one."""
        for stored in catalogue.snapshots:
            if stored.key not in self._known and self._has_our_tag(stored.key):
                head = await self._head(stored.key)
                if head and self._is_ours(head):
                    raise Stop(Kind.PARENT_MOVED, stored.key)

    async def commit(self, id: str, data: bytes) -> None:
        """Stores a snapshot, last of all, and asks for it again: size and CRC-64. Raises Stop."""
        key, crc64 = self._snapshot_key(id), fastcrc.crc64.xz(data)
        await self.bucket.put(key, data, crc64, {"content-type": "application/zstd", **self.headers})
        for _ in range(3):
            answer = await self.bucket.head(key)
            stored = answer.headers.get("x-oss-hash-crc64ecma", "") if answer else ""
            if stored:
                break
        if answer is None or not answer.proves(len(data), crc64):
            raise Stop(Kind.STORED_MISMATCH, key, sent=crc64, stored=stored)

    def _has_our_tag(self, id: str) -> bool:
        """Sixteen bits: enough to open few snapshots, too few to tell sources apart. The head does that."""
        return id[-8:-4] == self._tag

    def _is_ours(self, head: Head) -> bool:
        return (head.source, head.layout) == (self._source, self._layout)

    def _snapshot_key(self, id: str) -> str:
        return f"{self.prefix}{SNAPSHOTS}{id}{ENDING}"


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


def _unreadable(id: str, error: Unreadable) -> Stop:
    kind = Kind.SNAPSHOT_FORMAT if "format" in str(error) else Kind.SNAPSHOT_DAMAGED
    return Stop(kind, id, reason=error, format=snapshot.FORMAT)
