"""Where the content of a snapshot's file is, and how it is fetched: the rule that the package states, in one room."""

from __future__ import annotations

from typing import Final

from backup_action.adapters.oss.refusal import Refusal
from backup_action.core.entry import Entry
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.vault.catalogue import Vault
from backup_action.vault.history import history_key

# Answers that say: it is not here. Any other refusal ends the run, or costs one file.
_ELSEWHERE: Final = ("PreconditionFailed",)
FROZEN: Final = "InvalidObjectState"


class Missing(Exception):
    """The content is nowhere."""


class Contents:
    """Reads files of snapshots. Remembers per file where it was found, so that its further stretches ask there."""

    def __init__(self, vault: Vault) -> None:
        """Asks nothing yet."""
        self._vault = vault
        self._bucket = vault.bucket

    async def read(self, entry: Entry, start: int, size: int, *, past: int = 0) -> tuple[bytes, int]:
        """`size` bytes from `start`, and the number of the place that had them: pass it on for the next stretch.

        Raises Missing where no place from `past` on has it, and Stop.
        """
        if not size:
            return b"", past
        places = self._places(entry)
        for number in range(past, len(places)):
            key, etag, version = places[number]
            try:
                return await self._bucket.stretch(key, start, size, etag, version), number
            except Refusal:
                continue
            except Stop as stop:
                if stop.problem.facts.get("code") not in _ELSEWHERE:
                    raise
        raise Missing

    def _places(self, entry: Entry) -> list[tuple[str, str, str]]:
        """Key, ETag and version of every place that may have it, the likeliest first; "" asks for none."""
        key = self._vault.prefix + entry.place
        kept = (history_key(self._vault.prefix, entry.sha256), "", "")
        if entry.has_version:
            return [(key, "", entry.version), kept]
        return [(key, entry.etag, ""), kept]


def frozen(stop: Stop, entry: Entry) -> Problem | None:
    """The problem of a file whose object must be thawed first, if that is what a refusal means."""
    if stop.problem.facts.get("code") != FROZEN:
        return None
    return Problem(Kind.CONTENT_FROZEN, entry.path, stop.problem.facts)
