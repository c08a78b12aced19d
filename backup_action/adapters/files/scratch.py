"""A folder for one run alone, which is gone when the run is: after a failure and a signal too.

A run that was killed leaves its folder; whoever makes the next one beside it takes it away. The lock on a folder, which
whoever writes there holds (`target.Target`), tells which are in use.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

START: Final = "oss-backup-drill-"


@contextlib.contextmanager
def scratch(above: Path) -> Iterator[str]:
    """A new empty folder below `above`, which is made where it is missing. Raises OSError."""
    above.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clear(above)
    path = Path(tempfile.mkdtemp(prefix=START, dir=above))
    try:
        yield str(path)
    finally:
        _remove(path)


def _clear(above: Path) -> None:
    """Removes the folders of runs that are dead. One that was made this moment may not have its lock yet."""
    for path in above.glob(f"{START}*"):
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if any(path.iterdir()):  # an empty one may be a run's that is about to begin
                    _remove(path)
            finally:
                os.close(handle)


def _remove(path: Path) -> None:
    """Removes a folder with all that is in it, links not followed, whatever the modes of its folders are."""
    for above, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            os.chmod(above, 0o700)  # noqa: PTH101
    shutil.rmtree(path, ignore_errors=True)
