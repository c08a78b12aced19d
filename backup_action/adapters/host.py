"""This host: where the program keeps what outlives a run, and the lock that lets one run of a source in at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from backup_action.core.problem import Kind, Stop

TOKEN_MAX: Final = 64  # bytes of a lock file that are read


def state_folder(environ: Mapping[str, str]) -> Path:
    """`oss-backup` below `$STATE_DIRECTORY` (systemd), else `$XDG_STATE_HOME`, else `~/.local/state`."""
    state = environ.get("STATE_DIRECTORY", "").split(":")[0] or environ.get("XDG_STATE_HOME", "")
    # The XDG rules pass over a path that is not absolute.
    folder = Path(state) if Path(state).is_absolute() else _home(environ) / ".local/state"
    return folder / "oss-backup"


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:  # a user id without an account, as in some containers
        return Path(tempfile.gettempdir())


def leads_home(path: str, environ: Mapping[str, str]) -> bool:
    """Whether a folder is the home folder of whoever runs this, or above it, as the top of the file system is."""
    real, homes = os.path.realpath(path), [environ.get("HOME", "")]
    with contextlib.suppress(KeyError):  # a user id without an account
        homes.append(pwd.getpwuid(os.geteuid()).pw_dir)
    return any(os.path.commonpath((real, os.path.realpath(home))) == real for home in homes if home)


@contextlib.contextmanager
def alone(environ: Mapping[str, str], name: str) -> Iterator[str]:
    """Holds the lock called `name` meanwhile; gives a token that only holders of this lock on this host share.

    Raises Stop where another process holds it. A host where no lock can be kept goes without: then the token is new.
    """
    path = state_folder(environ) / "locks" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError:
        yield secrets.token_hex(16)
        return
    try:
        yield _token(handle, path)
    finally:
        os.close(handle)  # and with it the lock


def _token(handle: int, path: Path) -> str:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Stop(Kind.LEASE_HOST, str(path)) from None
    except OSError:  # a file system without locks
        return secrets.token_hex(16)
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # a fifo would not give the token back
        return secrets.token_hex(16)
    token = os.read(handle, TOKEN_MAX).decode("ascii", "replace")
    if len(token) != 32 or not token.isalnum():
        token = secrets.token_hex(16)
        with contextlib.suppress(OSError):  # a full disk: then this run's token is nobody else's
            os.ftruncate(handle, 0)
            os.pwrite(handle, token.encode(), 0)
    return token
