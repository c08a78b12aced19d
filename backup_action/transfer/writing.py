"""What was fetched goes to the disk: proven and written in threads, waited for, and only then put into its place.

Small files are written many in one go, for a change of threads costs as much as a file does; and a few threads are
enough for them, for more only wait for each other in the interpreter. One call waits for the disk for many files.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from backup_action.adapters.files.target import Target
from backup_action.core.entry import Entry
from backup_action.core.problem import Kind, Problem
from backup_action.core.tally import Tally
from backup_action.vault.contents import Part

THREADS: Final = 4
FEW: Final = 2  # threads are begun for files of up to `SMALL` bytes
SMALL: Final = 64 << 10  # bytes
SETTLED: Final = 2048  # files that one wait for the disk serves

T = TypeVar("T")


class Altered(Exception):
    """What was fetched is not what the snapshot says."""


class Writing:
    """The threads of one restore, and the files that are whole but in no place yet."""

    def __init__(self, target: Target, tally: Tally) -> None:
        """Begins no thread yet."""
        self._target = target
        self._tally = tally
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="write")
        self._written: list[tuple[Entry, str]] = []
        self._settling = asyncio.Lock()

    def close(self) -> None:
        """Waits for what is under way."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def aside(self, work: Callable[[], T]) -> T:
        """In a thread, to its end: a task that is cancelled meanwhile takes nothing from under its hands."""
        done = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])
            raise

    async def put(
        self, files: Iterable[tuple[Entry, Sequence[Part]]], is_proven: Callable[[Entry], bool]
    ) -> list[str | Exception]:
        """Writes whole files in one go: the name that each has now, or why it has none (Altered, OSError).

        `is_proven`: the content was held against the entry's SHA-256 by who fetched it.
        """
        return await self.aside(lambda: [self._put(entry, parts, is_proven(entry)) for entry, parts in files])

    def _put(self, entry: Entry, parts: Sequence[Part], is_proven: bool) -> str | Exception:
        if not is_proven and _sha256(parts) != entry.sha256:
            return Altered()
        try:
            return self._target.put(entry, parts)
        except OSError as error:
            return error

    async def keep(self, entry: Entry, name: str) -> None:
        """Takes a file that is whole under another name. Once in a while it waits here for the disk."""
        self._written.append((entry, name))
        if len(self._written) >= SETTLED:
            await self.settle()

    async def settle(self) -> None:
        """Waits for the disk, and puts into place what was written by then."""
        async with self._settling:
            done, self._written = self._written, []
            if done:
                await self.aside(lambda: self._place(done))

    def _place(self, done: list[tuple[Entry, str]]) -> None:
        lost: OSError | None = None
        try:
            self._target.settle()
        except OSError as error:  # the disk says it once: none of these may take its place
            lost = error
        for entry, name in sorted(done, key=lambda one: one[0].path):
            try:
                if lost:
                    raise lost
                self._target.finish(entry, name)
                self._tally.sent(0, entry.size)
            except OSError as error:
                self._target.drop(entry.path, name)
                self._tally.failed(0, unwritable(error, entry.path))


def unwritable(error: OSError, path: str) -> Problem:
    """What keeps one path from being written."""
    return Problem(Kind.TARGET_UNWRITABLE, path, {"reason": error.strerror or type(error).__name__})


def _sha256(parts: Sequence[Part]) -> str:
    sha = hashlib.sha256()
    absorb(sha, parts)
    return sha.hexdigest()


def absorb(sha: hashlib._Hash, parts: Sequence[Part]) -> None:
    """Hashes on over parts of a content."""
    for part in parts:
        sha.update(part)
