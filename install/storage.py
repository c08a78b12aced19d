"""Where environments lie, who may make one, and when one is ready.

    <cache>/oss-backup/<key>/                    an environment
    <cache>/oss-backup/<key>/.oss-backup-ready   its marker: holds the key; its mtime is the last time it was asked for
    <cache>/oss-backup/<key>.lock                an empty file to lock; it stays, since removing a lock file is a race

`<cache>` is RUNNER_TOOL_CACHE, else XDG_CACHE_HOME, else ~/.cache. Promises:

1. The marker is written last, when everything else is on the disk. Without it the environment is half-made (a job was
   killed) and is made anew.
2. Two jobs that start at once make it once. What installs inherits the lock, so a killed job's pip keeps it to its end.
3. An environment that could be in use is never removed: only one in a runner's tool cache that no job asked for in 30
   days (a job lasts at most 5). Those of a user's cache stay, for a timer may run one for years without asking.
4. An environment that somebody else could have written is not used (root may): its code would run with our rights.
5. A cache that cannot be used is a warning; the environment is then made in the job's temporary folder.
"""

import fcntl
import os
import pwd
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import messages
from messages import SetupError

MARKER = ".oss-backup-ready"
UNUSED_DAYS = 30

Maker = Callable[[Path, int | None], None]
"""Makes an environment in an empty folder; the number is the lock's descriptor, for the children to inherit."""


class CacheUnusable(Exception):
    """The cache cannot be read, written, locked or trusted; the text says why."""


def shared(key: str, environ: Mapping[str, str], make: Maker) -> Path | None:
    """The ready environment in the cache, made if need be; None, after a warning, when the cache is unusable."""
    try:
        cache = cache_folder(environ)
        return _ready_in(cache, key, make, removes_unused=bool(environ.get("RUNNER_TOOL_CACHE")))
    except CacheUnusable as error:
        messages.warn(
            f"The folder for environments cannot be used ({error}), so this run makes one in a temporary folder. "
            "Give this user the folder, or set the input 'cache' to false."
        )
        return None


def fresh(key: str, environ: Mapping[str, str], make: Maker) -> Path:
    """A new environment in RUNNER_TEMP (which the runner empties), else in the system's temporary folder."""
    import tempfile

    for base in filter(None, (_absolute(environ, "RUNNER_TEMP"), Path(tempfile.gettempdir()))):
        try:
            folder = Path(tempfile.mkdtemp(prefix="oss-backup-", dir=base))
        except OSError:
            continue
        _make(folder, key, make, None)
        return folder
    raise SetupError(1, "No temporary folder can be written; set RUNNER_TEMP or TMPDIR to one that can.")


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The folder that holds the environments; it need not exist yet."""
    base = _absolute(environ, "RUNNER_TOOL_CACHE")
    if base is None and environ.get("XDG_CACHE_HOME", "").startswith("/"):  # its specification: ignore a relative one
        base = _absolute(environ, "XDG_CACHE_HOME")
    if base is None:
        base = _home(environ) / ".cache"
    return base / "oss-backup"


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return _absolute(environ, "HOME") or Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError as error:
        raise CacheUnusable("this user has no home folder") from error


def _absolute(environ: Mapping[str, str], name: str) -> Path | None:
    value = environ.get(name)
    if not value:
        return None
    if not value.startswith("/") or any(character < " " or character == "\x7f" for character in value):
        raise SetupError(2, f"{name} is {value!r}; it must be an absolute path without control characters.")
    return Path(value)


def _ready_in(cache: Path, key: str, make: Maker, *, removes_unused: bool) -> Path:
    folder = cache / key
    lock = _open_lock(cache, key)
    try:
        _take(lock, fcntl.LOCK_SH)
        if _is_ready(folder, key):
            return folder
        _take(lock, fcntl.LOCK_EX)
        if _is_ready(folder, key):  # made while we waited
            return folder
        _empty(folder)
        _make(folder, key, make, lock)
    finally:
        os.close(lock)
    if removes_unused:
        remove_unused(cache, time.time() - UNUSED_DAYS * 86400)
    return folder


def _open_lock(cache: Path, key: str) -> int:
    path = cache / f"{key}.lock"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _trust(cache, cache.stat())
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError:  # somebody else's, or a folder that is mounted read-only: enough for a shared lock
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CacheUnusable(str(error)) from error


def _trust(folder: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise CacheUnusable(f"{folder} belongs to another user")
    if not stat.S_ISDIR(status.st_mode) or status.st_mode & stat.S_IWOTH:
        raise CacheUnusable(f"{folder} is no folder, or one that everybody may write to")


def _take(lock: int, kind: int) -> None:
    try:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            messages.say("another job is making the same environment; waiting for it")
            fcntl.flock(lock, kind)
    except OSError as error:  # a network file system without locks
        raise CacheUnusable(f"no lock: {error}") from error


def _is_ready(folder: Path, key: str) -> bool:
    marker = folder / MARKER
    try:
        _trust(folder, folder.lstat())
        if marker.read_bytes() != key.encode() or not os.access(folder / "bin" / "python", os.X_OK):
            return False
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CacheUnusable(str(error)) from error
    try:
        os.utime(marker)
    except OSError:
        return True  # a cache that we may only read is nobody's to clean up
    return True


def _empty(folder: Path) -> None:
    import shutil

    try:
        if folder.exists():
            messages.say("a half-made environment was found (a job was stopped); making it anew")
            shutil.rmtree(folder)
        folder.mkdir()
    except OSError as error:
        raise CacheUnusable(str(error)) from error


def _make(folder: Path, key: str, make: Maker, lock: int | None) -> None:
    import shutil

    try:
        make(folder, lock)
        _mark(folder, key)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # no use to anybody, and up to 150 MB
        raise


def _mark(folder: Path, key: str) -> None:
    _flush(folder)
    descriptor = os.open(folder / MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(descriptor, key.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush(folder: Path) -> None:
    """Puts the environment's files on the disk: a power cut must not lose what the marker vouches for.

    syncfs(2) writes out one file system; sync(2) would wait for all, a dead network mount included. macOS has none.
    """
    import ctypes

    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if syncfs is None or syncfs(descriptor) != 0:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_unused(cache: Path, before: float) -> None:
    """Removes what nobody asked for since `before` (seconds since 1970) and nobody has locked. Never fails."""
    import shutil

    for lock_file in cache.glob("*.lock"):
        folder = lock_file.with_suffix("")
        try:
            lock = os.open(lock_file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            marker = folder / MARKER
            if (marker if marker.exists() else folder).stat().st_mtime < before:
                marker.unlink(missing_ok=True)  # first: half a folder must not look ready
                shutil.rmtree(folder)
        except OSError:
            continue
        finally:
            os.close(lock)
