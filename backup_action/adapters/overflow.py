"""Room for what a run of a million files must keep in mind: memory first, then a file without a name.

The file lies in the folder for temporary files (`TMPDIR`), takes about 200 bytes for each file of the backup, can be
opened by nobody else, and is gone with the process, however that ends. Where there is no room for it, memory must do.
A segment that comes back other than it went is an error: what a backup is compared with must be true.
"""

from __future__ import annotations

import errno
import functools
import os
import tempfile
import threading
import weakref
from collections.abc import Callable
from typing import Final

import xxhash

from backup_action.core.segments import in_memory

ROOM: Final = 16 << 20  # bytes that stay in memory: a run of 50,000 files makes no file


class Overflow:
    """Keeps segments, from any thread. Its file lives as long as it, or any of the segments."""

    def __init__(self, room: int = ROOM, folder: str | None = None) -> None:
        """`room` is in bytes, `folder` where the file lies, if not at the usual place. Makes none yet."""
        self._room = room
        self._folder = folder
        self._lock = threading.Lock()
        self._handle = -1
        self._end = 0
        self._is_full = False

    def keep(self, segment: bytes) -> Callable[[], bytes]:
        """Takes a segment, and gives what brings it back; that raises OSError where the disk lost it."""
        with self._lock:
            if len(segment) <= self._room:
                self._room -= len(segment)
                return in_memory(segment)
            at = self._end
            if self._is_full or not self._write(segment):
                return in_memory(segment)
        return functools.partial(self._read, at, len(segment), xxhash.xxh3_64_intdigest(segment))

    def _write(self, segment: bytes) -> bool:
        """False where the disk does not take it. It is not asked again then."""
        try:
            if self._handle < 0:
                self._open()
            rest = memoryview(segment)
            while rest:
                rest = rest[os.pwrite(self._handle, rest, self._end + len(segment) - len(rest)) :]
        except OSError:
            self._is_full = True
            return False
        self._end += len(segment)
        return True

    def _open(self) -> None:
        with tempfile.TemporaryFile(dir=self._folder) as file:
            self._handle = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._handle)

    def _read(self, at: int, size: int, digest: int) -> bytes:
        segment = os.pread(self._handle, size, at)
        if xxhash.xxh3_64_intdigest(segment) != digest:
            raise OSError(errno.EIO, "a temporary file does not give back what was written to it")
        return segment
