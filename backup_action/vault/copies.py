"""Files by copy: content that the bucket has under another key of ours is put under a file's own key on the server.

What is copied is named by its ETag, so what somebody put there meanwhile is never taken for it. Where that object has
been replaced, its content may still be had: as the version that the snapshot names, or as what this very run kept
before it wrote over it (`vault.history`). To read a version is a right that a writer need not have: once it is refused,
none is asked for again.

The copy counts when its ETag is the MD5 of the content, which it is for a simple object, or when the CRC-64 and size
of a HEAD are the content's (law 3). It gets all headers of a PUT: class, encryption and tags are never the source's.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from backup_action.adapters.oss.data import Answer, Written
from backup_action.adapters.oss.refusal import Refusal
from backup_action.adapters.oss.server_copy import ONE, REFUSED, copy, copy_parts, etag_of
from backup_action.core.entry import Entry
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.sources import Source
from backup_action.vault.catalogue import Vault
from backup_action.vault.contents import FROZEN
from backup_action.vault.history import History

DIGEST: Final = 1 << 20  # bytes hashed in passing; a larger file is worth a request
_MOVED: Final = "PreconditionFailed"  # another object stands there
_UNPROVEN: Final = {"cause": "proof"}
_LARGE: Final = "EntityTooLarge"  # for one request, where class or encryption change


class Copies:
    """For one run that writes."""

    def __init__(self, vault: Vault, history: History, headers: Mapping[str, str]) -> None:
        """`headers` go with every file."""
        self._vault = vault
        self._history = history
        self._headers = headers
        self._may_read_versions = True

    async def make(self, source: Source, read_as: Entry, data: bytes = b"") -> Written | Problem | None:
        """Puts a file's content under its key by a copy. `data` is all of it, where that is in memory.

        None where the source is there no longer or is frozen; a Problem where the copy was refused or is not proven.
        Then the bytes must be sent, whatever stands under the key. Raises Stop where that would fare no better.
        """
        async for key, etag, version in self._places(source, read_as):
            try:
                written = await self._made(key, etag, version, read_as, data)
            except Refusal:
                continue
            except Stop as stop:
                told = stop.problem
                if told.facts.get("code") == _MOVED:
                    continue
                if told.facts.get("code") == FROZEN:
                    return None
                if version and told.kind is Kind.OSS_RIGHT:
                    self._may_read_versions = False
                    continue
                if told.kind not in (*REFUSED, Kind.STORED_MISMATCH):
                    raise
                return _refused(read_as, told)
            return written or Problem(Kind.COPY_FAILED, read_as.path, _UNPROVEN)
        return None

    async def _places(self, source: Source, read_as: Entry) -> AsyncIterator[tuple[str, str, str]]:
        """Where the content may be had, each asked only when the one before has it no longer: key, ETag, version."""
        key, has_version = self._vault.prefix + source.key, source.version not in ("", "null")
        if source.key != read_as.place:
            yield key, source.etag, ""
        if has_version and self._may_read_versions:
            yield key, source.etag, source.version
        if not has_version and (etag := await self._history.etag(read_as)):
            yield self._history.key(read_as.sha256), etag, ""

    async def _made(self, key: str, etag: str, version: str, read_as: Entry, data: bytes) -> Written | None:
        """The copy, if it is proven. Raises Stop, or Refusal where there is no source."""
        target = self._vault.prefix + read_as.place
        if read_as.size <= ONE:
            try:
                answer = await copy(self._vault.bucket, key, etag, target, self._headers, version)
            except Stop as stop:
                if stop.problem.facts.get("code") != _LARGE:
                    raise
            else:
                return await self._proven(target, answer, read_as, data)
        return await copy_parts(
            self._vault.control, key, etag, read_as.size, read_as.crc64, target, self._headers, version
        )

    async def _proven(self, target: str, answer: Answer, read_as: Entry, data: bytes) -> Written | None:
        etag, version = etag_of(answer), answer.headers.get("x-oss-version-id", "")
        if etag and 0 < len(data) <= DIGEST and etag == hashlib.md5(data, usedforsecurity=False).hexdigest().upper():
            return Written(etag, version, read_as.crc64)
        head = await self._vault.bucket.head(target)
        if head is None or not head.proves(read_as.size, read_as.crc64):
            return None
        return Written(head.etag, head.headers.get("x-oss-version-id", ""), read_as.crc64)


def _refused(read_as: Entry, told: Problem) -> Problem:
    """The Problem of a copy that came to nothing. Of parts it may be that their whole is not proven."""
    if told.kind in (Kind.STORED_MISMATCH, Kind.OSS_MALFORMED):
        return Problem(Kind.COPY_FAILED, read_as.path, _UNPROVEN)
    cause = {"cause": "right"} if told.kind is Kind.OSS_RIGHT else {}
    support = {name: fact for name, fact in told.facts.items() if name in ("message", "request-id", "ec")}
    return Problem(Kind.COPY_FAILED, read_as.path, {**cause, "reason": told.facts.get("code", ""), **support})
