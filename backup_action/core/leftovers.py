"""What only removed snapshots named: the old versions of keys, and the contents in `history/`, that no other needs.

A content is needed by its SHA-256, wherever it lies: so what a run of backup finds in `history/` because its parent
names it stays there. A version is needed by its key and id. Gone entries count, and what a link's entry says of the
object in its place, since those name objects that still lie there. Objects under the keys themselves are never here.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Final

from backup_action.core import names
from backup_action.core.address import CATALOGUE
from backup_action.core.entry import Entry, left_by
from backup_action.core.homes import Needed
from backup_action.core.names import Names
from backup_action.core.snapshot import Snapshot
from backup_action.core.spool import Spool
from backup_action.core.tombstone import Leftover

HISTORY: Final = f"{CATALOGUE}/history/"
_OURS: Final = f"{CATALOGUE}/"
_KEPT = re.compile(rf"{re.escape(HISTORY)}([0-9a-f]{{2}})/(\1[0-9a-f]{{62}})")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def sha256_of(key: str) -> str:
    """The content that a key below the prefix keeps in the history; "" for any other key."""
    told = _KEPT.fullmatch(key)
    return told[2] if told else ""


class Needs:
    """What the snapshots that stay name."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self.chunks = Needed()  # in the packs of a vault
        self._names = Names()

    def read(self, snapshot: Snapshot) -> None:
        """Adds all that a snapshot names. Not for the event loop."""
        self.chunks.read(snapshot)
        for entry in _files(snapshot):
            if _SHA256.fullmatch(entry.sha256):
                self._names.add(names.of_content(entry.sha256))
            if entry.has_version:
                self._names.add(names.of_version(entry.place, entry.version))

    def has_content(self, sha256: str) -> bool:
        """Whether one of them names this content, under whatever key."""
        return names.of_content(sha256) in self._names

    def has_version(self, key: str, version: str) -> bool:
        """Whether one of them names this version."""
        return names.of_version(key, version) in self._names

    def has(self, leftover: Leftover) -> bool:
        """Whether one of them needs this object."""
        sha256 = sha256_of(leftover.key)
        return self.has_content(sha256) if sha256 else self.has_version(leftover.key, leftover.version)


class Leftovers:
    """What snapshots that go named and `needs` does not have, as far as `needs` was read before."""

    def __init__(self, needs: Needs) -> None:
        """Begins with nothing."""
        self._needs = needs
        self._contents = Names()
        self._seen = Names()
        self._versions: list[Spool[Leftover]] = []

    def read(self, snapshot: Snapshot) -> None:
        """Adds what one snapshot named. Not for the event loop."""
        found = self._spool()
        for entry in _files(snapshot):
            if _SHA256.fullmatch(entry.sha256) and not self._needs.has_content(entry.sha256):
                self._contents.add(names.of_content(entry.sha256))
            if entry.has_version:
                self._add(found, Leftover(entry.place, entry.version, entry.size))
        found.close()

    def take(self, listed: Iterable[Leftover]) -> None:
        """Adds what an earlier run had still to remove, as its list says."""
        found = self._spool()
        for one in listed:
            if sha256 := sha256_of(one.key):
                if not self._needs.has_content(sha256):
                    self._contents.add(names.of_content(sha256))
            elif one.version:
                self._add(found, one)
        found.close()

    def _spool(self) -> Spool[Leftover]:
        self._versions.append(Spool(Leftover))
        return self._versions[-1]

    def _add(self, found: Spool[Leftover], one: Leftover) -> None:
        is_ours = one.key.startswith(_OURS)  # a snapshot that names the catalogue is a forger's
        if is_ours or self._needs.has_version(one.key, one.version):
            return
        if self._seen.add(names.of_version(one.key, one.version)):
            found.append(one)

    def __len__(self) -> int:
        return len(self._contents) + len(self._seen)

    @property
    def has_versions(self) -> bool:
        """Whether there are versions among them."""
        return len(self._seen) > 0

    def has_content(self, sha256: str) -> bool:
        """Whether this content may go from the history."""
        return names.of_content(sha256) in self._contents

    def versions(self) -> Versions:
        """Its versions, to be asked for in the order of keys."""
        return Versions(heapq.merge(*self._versions, key=attrgetter("key")))


class Versions:
    """Versions in the order of their keys, held against a listing in the same order: exact, and in bounded memory."""

    def __init__(self, ordered: Iterator[Leftover]) -> None:
        """`ordered` by key."""
        self._rest = ordered
        self._next = next(ordered, None)
        self._key = ""
        self._here: set[str] = set()

    def has(self, key: str, version: str) -> bool:
        """Whether it is among them. Keys are to be asked for in order; those passed by are forgotten."""
        if key != self._key:
            self._key, self._here = key, set()
            while self._next is not None and self._next.key <= key:
                if self._next.key == key:
                    self._here.add(self._next.version)
                self._next = next(self._rest, None)
        return version in self._here


def _files(snapshot: Snapshot) -> Iterator[Entry]:
    return (known for known in map(left_by, snapshot.entries()) if known is not None)
