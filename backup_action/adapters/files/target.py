"""Writes below one folder, and nowhere else (law 7): every step down is an `openat` that follows no link.

A file is written under another name beside its own, and takes its place only when all of it is on the disk: so each
path ends as its old content or its whole new one. Links are made as they are, and never followed. Modes are restored as
they were backed up, whatever the umask says, but no file ever sets its user or group. One process at a time writes to
a folder: the lock is on the folder itself, so it needs no file, holds for all users, and ends with the process.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import itertools
import os
import re
import secrets
import stat
import threading
from collections.abc import Sequence
from typing import Final

from backup_action.adapters.files.content import write_all
from backup_action.adapters.files.folder import step
from backup_action.core.entry import Entry
from backup_action.core.problem import Kind, Stop

TEMPORARY: Final = ".oss-backup-"  # begins the name of a file that is not whole yet
_LEFT = re.compile(re.escape(TEMPORARY) + "[0-9a-f]{16}")
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Target:
    """One folder to restore to. Safe for several threads; every method may raise OSError."""

    def __init__(self, path: str, *, make: bool = True, spare: bool = False) -> None:
        """Makes the folder, and those above it, where they are missing; without `make` it is as one that is empty.

        `make` is to write: raises Stop (TARGET_BUSY) where another process writes there. `spare`: what is no folder
        does not give way to one.
        """
        self._local = threading.local()
        self._handles: set[int] = set()
        self._begun: dict[str, str] = {}  # path by the name of a file that is in no place yet
        self._spare = spare
        self._top = -1
        self._run = secrets.token_hex(4)
        self._number = itertools.count()
        if make:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103  (the path may be no UTF-8)
        with contextlib.nullcontext() if make else contextlib.suppress(FileNotFoundError):
            self._top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if make:
            self._lock(path)

    def _lock(self, path: str) -> None:
        try:
            fcntl.flock(self._top, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._top)
            raise Stop(Kind.TARGET_BUSY, path) from None
        except OSError:  # a file system without locks
            return

    def close(self) -> None:
        """Removes what was begun and has no place yet, and lets go of every folder. No thread writes any more."""
        for name, path in list(self._begun.items()):
            self.drop(path, name)
        while self._handles:
            os.close(self._handles.pop())
        if self._top >= 0:
            os.close(self._top)

    def folder(self, path: str, *, make: bool = True) -> int:
        """A handle of a folder below, made where it is missing; what stands in its place and is none is replaced.

        It stays open until this thread asks for another one: paths of one folder cost one way down.
        """
        last: tuple[str, int] | None = getattr(self._local, "last", None)
        if last is not None and last[0] == path:
            return last[1]
        handle = self._down(path, make=make)
        if last is not None:
            self._handles.discard(last[1])
            os.close(last[1])
        self._local.last = (path, handle)
        self._handles.add(handle)
        return handle

    def _down(self, path: str, *, make: bool) -> int:
        if self._top < 0:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        handle = os.dup(self._top)
        try:
            for name in path.split("/") if path else ():
                below = self._step(handle, name, make=make)
                os.close(handle)
                handle = below
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _step(self, handle: int, name: str, *, make: bool) -> int:
        try:
            return step(handle, name)
        except OSError as error:
            if not make or error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            if error.errno != errno.ENOENT:
                if self._spare:
                    raise
                os.unlink(name, dir_fd=handle)
        with contextlib.suppress(FileExistsError):  # another thread was faster
            os.mkdir(name, dir_fd=handle)
        return step(handle, name)

    def _at(self, path: str, *, make: bool = True) -> tuple[int, str]:
        """The folder that a path is in, and its name there."""
        above, _, name = path.rpartition("/")
        return self.folder(above, make=make), name

    def look(self, path: str) -> os.stat_result | None:
        """What stands there, links not followed; None for nothing."""
        try:
            handle, name = self._at(path, make=False)
            return os.stat(name, dir_fd=handle, follow_symlinks=False)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return None
            raise

    def open(self, path: str) -> int:
        """A handle to read a file by."""
        handle, name = self._at(path, make=False)
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=handle)

    def put(self, entry: Entry, parts: Sequence[bytes | memoryview]) -> str:
        """Writes a new file beside the entry's place, with its mode and time; gives its name."""
        handle, name = self.begin(entry.path)
        try:
            if write_all(handle, parts) != entry.size:
                os.ftruncate(handle, entry.size)
            _dress(handle, entry)
        except OSError:
            self.drop(entry.path, name)
            raise
        finally:
            os.close(handle)
        return name

    def begin(self, path: str) -> tuple[int, str]:
        """A new empty file beside `path`, to be written by its handle; and its name."""
        name = f"{TEMPORARY}{self._run}{next(self._number):08x}"
        self._begun[name] = path
        return os.open(name, _NEW, 0o600, dir_fd=self.folder(path.rpartition("/")[0])), name

    def end(self, handle: int, entry: Entry) -> None:
        """The file is written: it gets its size (there may be a hole at its end), mode and time."""
        if os.fstat(handle).st_size != entry.size:
            os.ftruncate(handle, entry.size)
        _dress(handle, entry)

    def finish(self, entry: Entry, name: str) -> None:
        """Puts a file that is written into its place; whatever stood there and was no folder is gone then."""
        handle, last = self._at(entry.path)
        _replace(handle, name, last)
        self._begun.pop(name, None)

    def drop(self, path: str, name: str) -> None:
        """Removes a file that `begin` made and nobody finished."""
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self.folder(path.rpartition("/")[0], make=False))
        self._begun.pop(name, None)

    def dress(self, entry: Entry) -> None:
        """Gives a file or folder that stands there its mode and time."""
        above, name = self._at(entry.path)
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=above)
        try:
            _dress(handle, entry)
        finally:
            os.close(handle)

    def link(self, entry: Entry) -> None:
        """Makes a symbolic link, in the place of whatever is no folder, or an empty one."""
        handle, last = self._at(entry.path)
        name = f"{TEMPORARY}{secrets.token_hex(8)}"
        os.symlink(entry.target, name, dir_fd=handle)
        try:
            times = (entry.mtime_ns, entry.mtime_ns)
            os.utime(name, ns=times, dir_fd=handle, follow_symlinks=False)
            _replace(handle, name, last)
        except OSError:
            os.unlink(name, dir_fd=handle)
            raise

    def points(self, path: str) -> str:
        """Where a link points; "" for what is no link."""
        handle, name = self._at(path, make=False)
        is_link = stat.S_ISLNK(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode)
        return os.readlink(name, dir_fd=handle) if is_link else ""

    def make(self, path: str) -> bool:
        """Makes a folder, and those above it; in one that is there, removes what a restore that was killed left.

        Gives whether it is new: then nothing is in it.

        Until `dress` nobody but its owner may enter a new one, and the owner may write to it, whatever its mode was.
        """
        above, last = self._at(path)
        try:
            mode = os.stat(last, dir_fd=above, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode) and mode & 0o700 != 0o700:
                _open_up(above, last, stat.S_IMODE(mode))
        except FileNotFoundError:
            os.mkdir(last, 0o700, dir_fd=above)
            return True
        handle = self.folder(path)
        for name in os.listdir(handle):  # noqa: PTH208  (of a handle)
            if _LEFT.fullmatch(name) and name not in self._begun:
                with contextlib.suppress(IsADirectoryError):
                    os.unlink(name, dir_fd=handle)
        return False

    def children(self, path: str) -> tuple[list[tuple[str, bool]], bool]:
        """Names in a folder, and which are folders; and whether these are all: what is mounted there is left out.

        "" is the target itself.
        """
        if self._top < 0:
            return [], True
        handle, found = self.folder(path, make=False), []
        device = os.fstat(handle).st_dev
        names = os.listdir(handle)  # noqa: PTH208  (of a handle)
        for name in sorted(names, reverse=True):
            info = os.stat(name, dir_fd=handle, follow_symlinks=False)
            if info.st_dev == device:
                found.append((name, stat.S_ISDIR(info.st_mode)))
        return found, len(found) == len(names)

    def remove(self, path: str, *, is_folder: bool) -> None:
        """Removes a file, a link itself, or a folder that is empty."""
        handle, name = self._at(path, make=False)
        if is_folder:
            os.rmdir(name, dir_fd=handle)
        else:
            os.unlink(name, dir_fd=handle)

    def settle(self) -> None:
        """Waits until everything that was written is on the disk: one call for many files."""
        sync = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if sync is None:  # not Linux
            os.sync()
        elif sync(self._top) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _replace(handle: int, name: str, last: str) -> None:
    """Renames in one folder; of folders only an empty one gives way."""
    try:
        os.rename(name, last, src_dir_fd=handle, dst_dir_fd=handle)
    except IsADirectoryError:
        os.rmdir(last, dir_fd=handle)
        os.rename(name, last, src_dir_fd=handle, dst_dir_fd=handle)


def _open_up(above: int, name: str, mode: int) -> None:
    """Lets a folder's owner in. Its handle may be one that cannot read, which `fchmod` refuses."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    try:
        os.chmod(f"/proc/self/fd/{handle}", mode | 0o700)  # noqa: PTH101  (of a handle)
    finally:
        os.close(handle)


def _dress(handle: int, entry: Entry) -> None:
    os.fchmod(handle, entry.mode & 0o777)  # never set-user-id, whatever a snapshot says
    os.utime(handle, ns=(entry.mtime_ns, entry.mtime_ns))
