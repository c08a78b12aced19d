"""Where the content of a snapshot's file is, and how it is fetched: the rule that the package states, in one room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from backup_action.adapters.oss.refusal import Refusal
from backup_action.core.entry import Entry
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.vault.catalogue import Vault
from backup_action.vault.history import history_key

# Answers that say: it is not here. Any other refusal ends the run, or costs one file.
_ELSEWHERE: Final = ("PreconditionFailed", "InvalidRange")  # another content, or a shorter one
PLACES: Final = 3  # where a content may be
FROZEN: Final = "InvalidObjectState"  # of an Archive class: it must be thawed first


Part = bytes | memoryview  # of a content; several make all of it


class Missing(Exception):
    """The content is nowhere; `altered`: where it should be is another one."""

    def __init__(self, *, altered: bool = False) -> None:
        """As above."""
        self.altered = altered


class Frozen(Stop):
    """The content is in an object that must be thawed first: the Stop of OSS's refusal, and which object it was."""

    def __init__(self, stop: Stop, key: str, version: str) -> None:
        """`version` is "" for what the key has now."""
        super().__init__(stop.problem.kind, stop.problem.where, **stop.problem.facts)
        self.key = key
        self.version = version


class Contents:
    """Reads files of snapshots. Remembers per file where it was found, so that its further stretches ask there."""

    def __init__(self, vault: Vault) -> None:
        """Asks nothing yet."""
        self._vault = vault
        self._bucket = vault.bucket

    def proves(self, entry: Entry) -> bool:
        """Whether what `read` gives of a file is held against its SHA-256 already: no, never."""
        return False

    def doubt(self, entry: Entry) -> None:
        """To be told of a file that was not what its SHA-256 says: nothing that was fetched is kept here."""

    async def read(self, entry: Entry, start: int, size: int, *, past: int = 0) -> tuple[bytes, int]:
        """`size` bytes from `start`, and the number of the place that had them: pass it on for the next stretch.

        Raises Missing where no place from `past` on has it, and Stop.
        """
        parts, place = await self.parts(entry, start, size, past=past)
        return b"".join(parts), place

    async def parts(self, entry: Entry, start: int, size: int, *, past: int = 0) -> tuple[Sequence[Part], int]:
        """The same, in the parts in which it came.

        Raises Missing where no place from `past` on has it, Frozen where one must be thawed first, and Stop.
        """
        if not size:
            return (), past
        places = self._places(entry)
        for number in range(past, len(places)):
            key, etag, version = places[number]
            try:
                return await self._bucket.parts_of(key, start, size, etag, version), number
            except Refusal:
                continue
            except Stop as stop:
                if stop.problem.facts.get("code") == FROZEN:
                    raise Frozen(stop, key, version) from None
                if stop.problem.facts.get("code") not in _ELSEWHERE:
                    raise
        raise Missing

    def _places(self, entry: Entry) -> list[tuple[str, str, str]]:
        """Key, ETag and version of every place that may have it, the likeliest first; "" asks for none.

        The last is what the key has now, whatever it is: in a copy of the bucket versions and ETags are others, and
        what was fetched is held against its SHA-256 anyway.
        """
        key = self._vault.prefix + entry.place
        kept = (history_key(self._vault.prefix, entry.sha256), "", "")
        if entry.has_version:
            return [(key, "", entry.version), kept, (key, "", "")]
        return [(key, entry.etag, ""), kept, (key, "", "")]


def lacking(error: Exception, entry: Entry, altered: int) -> Problem | None:
    """The problem of one file whose content is nowhere, or must be thawed first; None for what concerns the whole run.

    `altered` counts the places that had another content.
    """
    if isinstance(error, Missing):
        return Problem(Kind.CONTENT_ALTERED if altered or error.altered else Kind.CONTENT_MISSING, entry.path)
    if isinstance(error, Stop) and error.problem.facts.get("code") == FROZEN:
        return Problem(Kind.CONTENT_FROZEN, entry.path, error.problem.facts)
    return None
