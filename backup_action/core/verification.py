"""What verify decides: whose word proves a content, which share is read this time, and whether the chain holds.

What proves the content of a file, in this order; whatever stops short of that is damage:

| proof | by |
|---|---|
| LISTED | the listing: under the file's key its size, ETag, and time once known; or in the history its size and ETag |
| ASKED | a HEAD of each further place that may have it: its size and CRC-64, or its ETag where OSS tells no CRC-64 |
| READ | its bytes, which have the SHA-256 of the snapshot |

An ETag and a CRC-64 tell every accident. Against somebody who makes another content to match them there is READ alone.
A listing says nothing of old versions: those are asked for. What an archive holds is proven by the first two, and told
as FROZEN where it was to be read.

In the layout vault (`core.holdings`, `core.soundness`):

| proof | by |
|---|---|
| PACKED | index and listing: each chunk is in a pack that the listing has with its size, and they add up to the file |
| READ | its chunks were read, and in their order they have the SHA-256 of the snapshot |
| CHUNKS | each of its chunks was read and has its name; that they follow each other rightly is the snapshot's word, |
| | since their packs did not come by in that order (`core.sequences`) |
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from backup_action.core.counts import KEPT_PROBLEMS
from backup_action.core.entry import Entry
from backup_action.core.problem import Kind, Problem
from backup_action.core.snapshot import Parent, Snapshot
from backup_action.core.stored import Stored

SHARES_MAX: Final = 10_000
_SUBSET = re.compile(r"(auto|[0-9]{1,5})/([0-9]{1,5})")


class Proof(enum.Enum):
    """What came of one content."""

    LISTED = "listed"
    ASKED = "asked"
    READ = "read"
    PACKED = "packed"
    CHUNKS = "chunks"
    MISSING = Kind.CONTENT_MISSING.value
    ALTERED = Kind.CONTENT_ALTERED.value
    FROZEN = Kind.CONTENT_FROZEN.value


WAS_READ: Final = frozenset({Proof.READ, Proof.CHUNKS})
PROVEN: Final = WAS_READ | {Proof.LISTED, Proof.ASKED, Proof.PACKED}


class PackCounts(msgspec.Struct, frozen=True):
    """The packs that the files which were looked at need."""

    needed: int = 0
    read: int = 0  # whole
    bytes: int = 0  # of those that were read
    damaged: int = 0  # missing, of another size, or with other bytes


class Verification(msgspec.Struct, frozen=True):
    """What a verification looked at, and how. A content that several snapshots name under one key counts once."""

    snapshots: int = 0  # whose files were checked
    walked: int = 0  # whose digests were followed from child to parent
    gaps: int = 0  # parents that are not there: pruned, as a rule
    expected: bool = False  # the chosen snapshot has the digest that `expect-digest` says
    listed: int = 0  # files by their proof
    asked: int = 0
    read: int = 0
    read_bytes: int = 0
    share: str = ""  # of the files (layout vault: of the packs) that were to be read, as `3/30`; "" for none
    damaged: int = 0  # files whose content is missing or another
    frozen: int = 0  # files that would have to be thawed to be read
    packed: int = 0  # files of the layout vault by their proof
    chunks: int = 0
    packs: PackCounts = PackCounts()


class Weighed(NamedTuple):
    """A file, whether the listing proves it, and what stands under its key."""

    entry: Entry
    is_listed: bool
    there: Stored | None = None


class Share(NamedTuple):
    """One of `of` shares, `number` from 1. Each path falls into just one: they are disjoint and cover everything."""

    number: int
    of: int

    def has(self, path: str) -> bool:
        """Whether a path is in it. It stays in its share whatever its content becomes."""
        digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8]) % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


EVERYTHING: Final = Share(1, 1)


def subset(text: str) -> str:
    """The rule of `read-subset`: `3/30`, or `auto/30`. Raises ValueError."""
    told = _SUBSET.fullmatch(text)
    of = int(told[2]) if told else 0
    if told is None or not 1 <= of <= SHARES_MAX or (told[1] != "auto" and not 1 <= int(told[1]) <= of):
        raise ValueError("`n/t`, the n-th of t shares, such as `3/30`, or `auto/t`, with t up to 10,000")
    return text


def share(text: str, day: int) -> Share:
    """The share that a checked text means; with `auto` that of the day, counted in days since any, so that t days in
    a row read everything.
    """
    number, _, of = text.partition("/")
    return Share(day % int(of) + 1 if number == "auto" else int(number), int(of))


def against(entries: Iterable[Entry], listed: Iterable[Stored]) -> Iterator[Weighed]:
    """Each file of a snapshot against the listing, both in the order of keys, in one pass and constant memory."""
    objects = iter(listed)
    there = next(objects, None)
    for entry in entries:
        if entry.is_file:
            while there is not None and there.key < entry.key:
                there = next(objects, None)
            found = there if there is not None and there.key == entry.key else None
            yield Weighed(entry, found is not None and is_same(entry, found), found)


def is_same(entry: Entry, there: Stored) -> bool:
    """Whether an object is the one that the snapshot speaks of, as far as a listing can tell."""
    same = (there.size, there.etag) == (entry.size, entry.etag) and bool(entry.etag)
    return same and entry.last_modified in (0, there.last_modified)


def proves(entry: Entry, size: str, crc64: str, etag: str) -> bool:
    """Whether the headers of a HEAD say that an object has this content."""
    if size != str(entry.size):
        return False
    return crc64 == str(entry.crc64) if crc64 else bool(etag) and etag == entry.etag


def identity(entry: Entry) -> bytes:
    """What tells one content under one key from any other, in 16 bytes."""
    facts = (entry.place, entry.version, entry.etag, entry.sha256, entry.size, *entry.chunks)
    return hashlib.blake2b(repr(facts).encode("utf-8", "surrogateescape"), digest_size=16).digest()


class Damage(msgspec.Struct):
    """One content that was not proven, and the snapshots that name it, in the order in which they were checked."""

    proof: Proof
    path: str
    snapshots: list[str]
    facts: dict[str, str]


class Findings(msgspec.Struct):
    """What came of each content. Holds 16 bytes of each where several snapshots are checked, and the damage."""

    several: bool = False
    snapshots: int = 0  # whose files were all looked at
    counts: Counter[Proof] = msgspec.field(default_factory=Counter)
    read_bytes: int = 0
    _seen: set[bytes] = msgspec.field(default_factory=set)
    _damages: dict[bytes, Damage] = msgspec.field(default_factory=dict)

    def is_known(self, entry: Entry, snapshot: str) -> bool:
        """Whether another snapshot named this content too; where it is damaged, this one is noted beside that."""
        if not self.several:
            return False
        which = identity(entry)
        if which not in self._seen:
            self._seen.add(which)
            return False
        if damage := self._damages.get(which):
            damage.snapshots.append(snapshot)
        return True

    def found(self, entry: Entry, proof: Proof, snapshot: str, **facts: str) -> None:
        """Notes what came of one content; the files beyond those that a report names are only counted.

        `facts` of its damage go into the problem; a `cause` takes the place of the usual one.
        """
        self.counts[proof] += 1
        if proof is Proof.READ:
            self.read_bytes += entry.size
        if proof not in PROVEN and len(self._damages) < KEPT_PROBLEMS:
            self._damages[identity(entry)] = Damage(proof, entry.path, [snapshot], facts)

    def problems(self) -> Iterator[Problem]:
        """Every damaged file, by path; those that are only counted come last, without one."""
        named: Counter[Proof] = Counter()
        for damage in sorted(self._damages.values(), key=lambda one: one.path):
            named[damage.proof] += 1
            named_by = {"snapshots": ", ".join(damage.snapshots)} if self.several else {}
            yield Problem(Kind(damage.proof.value), damage.path, {"cause": "verify", **damage.facts, **named_by})
        for proof, count in (self.counts - named).items():
            if proof not in PROVEN:
                yield from (Problem(Kind(proof.value), "", {"cause": "verify"}) for _ in range(count))

    @property
    def damaged(self) -> int:
        """Files whose content is missing or another."""
        return self.counts[Proof.MISSING] + self.counts[Proof.ALTERED]


class Link(msgspec.Struct, frozen=True):
    """What the chain needs to know of one snapshot."""

    id: str
    digest: str
    sequence: int
    parent: Parent | None
    files: int
    bytes: int


def link(snapshot: Snapshot) -> Link:
    """The snapshot as a link of the chain; its digest is that of its bytes."""
    head, foot = snapshot.head, snapshot.foot
    return Link(head.id, foot.digest, head.sequence, head.parent, foot.files, foot.bytes)


def chain(links: Sequence[Link], damaged: Collection[str]) -> tuple[list[Problem], int]:
    """Where the chain does not hold, from the newest back; and the number of its gaps: parents that are not there.

    A parent that cannot be read is among `damaged`, and told already.
    """
    by_id = {one.id: one for one in links}
    broken, gaps = [], set()
    for one in sorted(links, key=lambda one: -one.sequence):
        if one.parent is None:
            if one.sequence != 1:
                broken.append(_broken(one.id, "", cause="orphan", sequence=str(one.sequence)))
        elif (parent := by_id.get(one.parent.id)) is None:
            gaps |= {one.parent.id} - set(damaged)
        elif parent.digest != one.parent.digest:
            broken.append(_broken(parent.id, one.id, expected=one.parent.digest, found=parent.digest))
        elif parent.sequence + 1 != one.sequence:
            broken.append(_broken(parent.id, one.id, cause="sequence", sequence=str(one.sequence)))
    return broken, len(gaps)


def _broken(where: str, child: str, **facts: str) -> Problem:
    return Problem(Kind.SNAPSHOT_CHAIN, where, {"child": child, **facts} if child else facts)
