"""The packs of a vault: which chunks the bucket has, and those that this run adds (layout vault).

A chunk counts as there when an index says in which pack it is, and the bucket's listing has that pack with the size
that the index says: a pack that somebody removed is missed at once, and what was in it is sent again. A pack that a
`prune` has marked for removal counts no more: nothing new may come to rely on it, nor is a pack of its name made. A
mark that came since is in time as long as it is younger than the grace; a longer run looks again at its end.

Everything is written once. An answer that was lost is settled by the listing of that one key: size and MD5.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from backup_action.adapters.oss.data import PAGE
from backup_action.core import cipher, index
from backup_action.core.address import CATALOGUE
from backup_action.core.body import Body
from backup_action.core.cipher import Unopened
from backup_action.core.entry import Entry
from backup_action.core.index import Packed
from backup_action.core.names import Digests
from backup_action.core.pack import Open
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.ring import Ring
from backup_action.core.segments import Keep, Segments
from backup_action.core.stored import Stored
from backup_action.vault import marks
from backup_action.vault.catalogue import Vault
from backup_action.vault.stretches import whole

PACKS: Final = f"{CATALOGUE}/packs/"
INDEX: Final = f"{CATALOGUE}/index/"
MANY: Final = 24  # indexes; from there on a run makes one of them all
SMALL: Final = 4 << 20  # bytes of an index that another may take the place of
NAMES: Final = 3  # of a pack, until one is free
SPARE: Final = 256  # bytes that it gets for that at most
PARTS: Final = "0123456789abcdef"  # of a long listing
ONCE: Final = {"x-oss-forbid-overwrite": "true"}
MERGED: Final = "-merged"  # ends the id of an index that supersedes others
AGAIN: Final = 12 * 3600.0  # seconds after which a run looks again; half of the shortest grace
_PACK = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{62}")


def pack_key(name: str) -> str:
    """A pack's key below the prefix."""
    return f"{PACKS}{name[:2]}/{name}"


class Read(msgspec.Struct, frozen=True):
    """An index as it was read, opened, and the id of the key that it was sealed under ("" for none)."""

    data: Segments
    key: str


def about(id: str) -> str:
    """What an index is sealed about."""
    return f"index {id}"


async def lying(vault: Vault) -> dict[str, Stored]:
    """Every pack, by its name, which is also its key here; a long listing is asked for in parts, side by side.

    What has another name, or lies in another place, is none. Raises Stop.
    """
    objects, more = await vault.bucket.page(vault.prefix + PACKS, "", PAGE)
    start = len(vault.prefix + PACKS)
    parts: Iterable[Iterable[Stored]] = [[msgspec.structs.replace(one, key=one.key[start:]) for one in objects]]
    if more:
        parts = await asyncio.gather(*(vault.below(PACKS, part, f"{part}~") for part in PARTS))
    found = (one for part in parts for one in part if _PACK.fullmatch(one.key))
    return {one.key[3:]: msgspec.structs.replace(one, key=one.key[3:]) for one in found}


async def listed(vault: Vault) -> dict[str, int]:
    """Name and size of every pack. Raises Stop."""
    return {name: stored.size for name, stored in (await lying(vault)).items()}


async def indexes(
    vault: Vault, ring: Ring, tell: Callable[[Problem], None] | None = None, listing: Iterable[Stored] | None = None
) -> tuple[dict[str, Read], list[str]]:
    """Every index that none supersedes, by id, and the ids of those that are superseded. Raises Stop.

    `listing`: of them, where it was asked for before.

    What stands before the newest merged one is read only where that does not supersede it. An index takes the place of
    older ones only: so none hides itself, nor do two hide each other. With `tell` one that cannot be read is told of,
    and passed over.
    """
    listing = await vault.below(INDEX) if listing is None else listing
    found = sorted(listing, key=lambda one: (one.last_modified, one.key.endswith(MERGED), one.key))
    ids = [stored.key for stored in found]
    first = max((at for at, id in enumerate(ids) if id.endswith(MERGED)), default=0)
    read = await fetched(vault, ring, ids[first:], tell)
    left = [id for id in ids[:first] if id not in _superseded(read, ids)]
    read |= await fetched(vault, ring, left, tell)
    old = _superseded(read, ids)
    return {id: one for id, one in read.items() if id not in old}, [id for id in ids if id in old]


async def fetched(
    vault: Vault, ring: Ring, ids: list[str], tell: Callable[[Problem], None] | None = None
) -> dict[str, Read]:  # fmt: skip
    """Indexes by their ids, but for those that are gone. `tell` as for `indexes`. Raises Stop."""
    answers = await asyncio.gather(*(whole(vault.bucket, f"{vault.prefix}{INDEX}{id}", vault.keep) for id in ids))
    found: dict[str, Read] = {}
    for id, answer in zip(ids, answers, strict=True):
        if answer is None:
            continue  # it was pruned meanwhile
        try:
            found[id] = _opened(id, answer.segments, ring, vault.keep)
        except Stop as stop:
            if tell is None or stop.problem.kind is not Kind.INDEX_DAMAGED:
                raise
            tell(stop.problem)
    return found


def _superseded(read: Mapping[str, Read], ids: list[str]) -> set[str]:
    """`ids` are in the order in which the indexes were written."""
    at = {id: number for number, id in enumerate(ids)}
    told = ((id, old) for id, one in read.items() for old in _head(id, one.data).supersedes)
    return {old for id, old in told if at.get(old, len(ids)) < at[id]}


def _opened(id: str, data: Segments, ring: Ring, keep: Keep) -> Read:
    first = next(iter(data), b"")
    if ring.ciphers and not cipher.is_sealed(first):
        raise _damaged(id, Unopened("it is not sealed, as all is in this vault"))
    try:
        opened = Read(ring.opening(data, about(id), keep), cipher.key_of(first) if cipher.is_sealed(first) else "")
    except Unopened as error:
        raise _damaged(id, error) from None
    _head(id, opened.data)
    return opened


def _head(id: str, data: Segments) -> index.Head:
    try:
        return index.head(data)
    except index.Unreadable as error:
        raise _damaged(id, error) from None


def _damaged(id: str, error: Exception) -> Stop:
    return Stop(Kind.INDEX_DAMAGED, id, reason=error)


class Packs:
    """What one run knows of its vault's packs. `load` it first; `has` and `claim` may be called from any thread."""

    def __init__(self, vault: Vault, ring: Ring, headers: Mapping[str, str]) -> None:
        """`headers` go with every pack."""
        self.cipher = ring.cipher
        self.sent = 0  # bytes of packs
        self._stored = 0  # chunks in them
        self._vault = vault
        self._ring = ring
        self._headers = {**headers, "content-type": "application/octet-stream", **ONCE}
        self._held = Digests()
        self._claimed = Digests()
        self._lock = threading.Lock()
        self._made = Segments(vault.keep)  # packs that no index tells of yet
        self._numbers = itertools.count()
        self._small: dict[str, Segments] = {}  # indexes of our key that one can take the place of, by id
        self._old: list[str] = []  # ids of indexes that are superseded already
        self._sizes: dict[str, int] = {}
        self._avoided: frozenset[str] = frozenset()  # packs that are marked
        self._counted: set[str] = set()  # packs whose chunks count as there
        self._since = vault.bucket.attempts.now()  # when this run began to ask

    def avoid(self, names: Iterable[str]) -> None:
        """Packs whose names none may have that is made."""
        self._avoided = frozenset(names)

    async def load(self) -> None:
        """Asks which indexes there are, and then for them, for packs and their marks. Raises Stop.

        Not all at once, and not before the catalogue: a pack that another run stores meanwhile would be missed, and the
        index that tells of it, or a snapshot, not. A merged index in that one's place would then leave the pack out.
        """
        listing = await self._vault.below(INDEX)
        (found, self._old), self._sizes, marked = await asyncio.gather(
            indexes(self._vault, self._ring, listing=listing), listed(self._vault), marks.marked(self._vault)
        )
        self.avoid(marked)
        self._small = {
            id: one.data for id, one in found.items() if one.key == self.cipher.key_id and len(one.data) < SMALL
        }
        await asyncio.to_thread(self._read, {id: one.data for id, one in found.items()})

    def _read(self, indexes: Mapping[str, Segments]) -> None:
        for id, data in indexes.items():
            try:
                for packed in index.packs(data):
                    if self._sizes.get(packed.pack) == packed.size and packed.pack not in self._avoided:
                        self._counted.add(packed.pack)
                        for chunk in itertools.chain.from_iterable(frame.chunks for frame in packed.frames):
                            self._held.add(bytes.fromhex(chunk.name))
            except index.Unreadable as error:
                raise _damaged(id, error) from None

    def claim(self, name: str) -> bool:
        """Whether who asks must store this chunk: true just once, and never where it is there.

        Whoever was told so must put it into a pack, whatever becomes of the file: the next one relies on that.
        """
        key = bytes.fromhex(name)
        with self._lock:
            return key not in self._held and self._claimed.add(key)

    def present(self, entry: Entry) -> Stored | None:
        """What a listing would say of a file, had it an object: nothing where one of its chunks is not there."""
        if entry.is_file and all(bytes.fromhex(name) in self._held for name in entry.chunks):
            return Stored(entry.place, entry.size, entry.etag, entry.last_modified)
        return None

    @property
    def untold(self) -> int:
        """How many bytes an index of the packs would have that none tells of yet, or a little more."""
        return len(self._made)

    async def refuse_moved(self) -> None:
        """Before the commit: raises Stop where a pack that counted is gone, or will soon be.

        It asks only in a run that was so long under way that a grace may have passed since it began.
        """
        now = self._vault.bucket.attempts.now()
        if now - self._since < AGAIN:
            return
        marked, sizes = await asyncio.gather(marks.marked(self._vault), listed(self._vault))
        for name in self._counted:
            if name not in sizes or marked.get(name, now) <= now - AGAIN:
                raise Stop(Kind.PACKS_MOVED, name)

    async def put(self, pack: Open) -> None:
        """Closes a pack and stores it. Raises Stop."""
        for attempt in range(NAMES):
            spare = secrets.randbelow(SPARE) + 1 if attempt else 0
            name, body = await asyncio.to_thread(pack.finish, self.cipher, self._avoided, spare)
            key = self._vault.prefix + pack_key(name)
            crc64 = await asyncio.to_thread(getattr, body, "crc64")
            if await self._is_stored(key, body, crc64, self._headers):
                break
        else:
            raise Stop(Kind.STORED_MISMATCH, key, sent=crc64)
        self.sent += len(body)
        self._stored += pack.chunks
        self._made.append(index.shut(Packed(name, len(body), pack.frames)))

    async def _is_stored(self, key: str, body: Body, crc64: int, headers: Mapping[str, str]) -> bool:
        """Writes an object once. What stands there already, as after a lost answer, must be this one by its listing,
        which tells size and MD5: a writer may not ask for packs. False where that does not prove it. Raises Stop.
        """
        try:
            await self._vault.bucket.put(key, body, crc64, headers)
            return True
        except Stop as stop:
            if stop.problem.facts.get("code") != "FileAlreadyExists":
                raise
        objects, _ = await self._vault.bucket.page(key, "", 1)
        md5 = await asyncio.to_thread(lambda: body.md5)
        return [(one.key, one.size, one.etag.upper()) for one in objects] == [(key, len(body), md5)]

    async def flush(self, id: str, *, last: bool = False) -> None:
        """Writes an index of the packs that no index tells of yet; the `last` of a run takes the place of many small
        ones. `id` is the snapshot's. Raises Stop.
        """
        if last and self._stored != len(self._claimed):
            raise AssertionError("not every chunk that was claimed is in a pack")  # what a snapshot names is there
        made, self._made = self._made, Segments(self._vault.keep)
        merged = self._small if last and len(self._small) >= MANY else {}
        if not made and not merged:
            return
        name = f"{id}-{next(self._numbers)}" + MERGED * bool(merged)
        headers = {"content-type": "application/zstd", **self._vault.headers}
        key = f"{self._vault.prefix}{INDEX}{name}"
        try:
            body = Body((await asyncio.to_thread(self._index, made, merged, name),))
            if not await self._is_stored(key, body, body.crc64, headers | ONCE):  # the name is ours: it came badly
                await self._vault.bucket.put(key, body, body.crc64, headers)
        except BaseException:
            self._made = Segments(self._vault.keep, [*made, *self._made])  # for the last one, if there is time
            raise

    def _index(self, made: Segments, merged: Mapping[str, Segments], name: str) -> bytes:
        old = itertools.chain.from_iterable(map(index.packs, merged.values()))
        kept = (packed for packed in old if self._sizes.get(packed.pack) == packed.size)
        told = itertools.chain(kept, map(index.opened, made))
        return self._ring.seal(index.encode(told, [*self._old, *merged] if merged else []), about(name))
