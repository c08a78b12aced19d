"""Asks OSS to thaw what a restore cannot read yet: each object once, by its class, and counts them.

Proven against the sandbox alone: no cloud's own answers were seen. The answers are those of the page "RestoreObject".
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Final

from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.refusal import Refusal
from backup_action.core import thaw
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.tally import Tally
from backup_action.vault.contents import Frozen

_UNDER_WAY: Final = "RestoreAlreadyInProgress"
_READABLE: Final = 200  # it was thawed already


class Thawing:
    """What one restore asks to be thawed."""

    def __init__(self, bucket: Bucket, tally: Tally, *, days: int, tier: str) -> None:
        """`days` that it stays readable, 0 to ask for nothing; `tier` is how fast, for the classes that have one."""
        self._bucket = bucket
        self._tally = tally
        self._days = days
        self._tier = tier
        self._asked: dict[int, asyncio.Task[str]] = {}  # the class, by the hash of key and version
        self._refused: Problem | None = None
        self.ready = 0  # that were thawed already when they were asked for

    @property
    def has_begun(self) -> bool:
        """Whether anything had to be thawed."""
        return bool(self._asked)

    async def ask(self, frozen: Frozen) -> str:
        """Asks for one object, if nobody did; gives its storage class, "" where nobody could tell.

        What keeps it from being thawed is told once, and ends nothing.
        """
        mark = hash((frozen.key, frozen.version))
        if mark not in self._asked:
            self._asked[mark] = asyncio.ensure_future(self._once(frozen))
        return await self._asked[mark]

    async def _once(self, frozen: Frozen) -> str:
        storage_class = ""
        try:
            if self._refused is None:
                storage_class, is_going_on = await self._state(frozen)
                if self._days and not is_going_on:
                    self.ready += await self._thaw(frozen, storage_class)
        except Refusal:  # gone meanwhile: the next look at it says so
            return storage_class
        except Stop as stop:
            if stop.problem.kind not in (Kind.OSS_RIGHT, Kind.OSS_REFUSED):
                raise
            if self._refused is None:
                self._refused = stop.problem
                self._tally.tell(stop.problem)
        return storage_class

    async def _state(self, frozen: Frozen) -> tuple[str, bool]:
        """Its class, and whether it is being thawed already. Reading nothing but headers needs no thawing."""
        query = {"versionId": frozen.version} if frozen.version else {}
        right = "oss:GetObjectVersion" if frozen.version else "oss:GetObject"
        answer = await self._bucket.call("HEAD", frozen.key, query, right=right, absent=True)
        going_on = 'ongoing-request="true"' in answer.headers.get("x-oss-restore", "")
        return answer.headers.get("x-oss-storage-class", ""), going_on

    async def _thaw(self, frozen: Frozen, storage_class: str) -> bool:
        """Whether it can be read at once."""
        query = {"restore": ""} | ({"versionId": frozen.version} if frozen.version else {})
        right = "oss:RestoreObjectVersion" if frozen.version else "oss:RestoreObject"
        body = thaw.request(storage_class, self._days, self._tier)
        try:
            answer = await self._bucket.call("POST", frozen.key, query, {}, body, right=right, absent=True)
        except Stop as stop:
            if stop.problem.facts.get("code") != _UNDER_WAY:
                raise
            return False
        return answer.status == _READABLE

    def tell(self, classes: Mapping[str, int]) -> None:
        """Tells how many files are left out since they must be thawed first, once for each storage class.

        Those of which nobody could tell the class count among those of Archive.
        """
        told = Counter[str]()
        for storage_class, count in classes.items():
            told[storage_class or thaw.ARCHIVE] += count
        for storage_class, count in sorted(told.items()):
            tier = thaw.tier_of(storage_class, self._tier)
            hours = thaw.hours(storage_class, tier)
            is_refused = self._refused or (storage_class == thaw.ARCHIVE and "" in classes)
            cause = "refused" if is_refused else "hours" if hours else "minutes"
            cause = cause if self._days else ""
            facts = {"count": str(count), "cause": cause, "tier": tier, "hours": str(hours) if hours else ""}
            shown = {name: value for name, value in facts.items() if value}
            self._tally.tell(Problem(Kind.CONTENT_FROZEN, storage_class, shown))
