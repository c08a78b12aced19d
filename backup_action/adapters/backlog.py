"""Records of runs that the bucket has not got yet, kept on this host: a file each, for the next run that reaches it.

Readable by their owner alone, written whole or not at all, and few: the oldest go first. What a kept file holds is
material: a link, a file that is too long or that cannot be read is passed over. A host that keeps no state, such as a
runner made for one job, keeps nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from backup_action.adapters import host

KEPT: Final = 50  # files of one place
LONGEST: Final = 16_384  # bytes of one
ENDING: Final = ".json"


class Backlog:
    """The kept records of one place: a bucket and prefix, and a source."""

    def __init__(self, environ: Mapping[str, str], name: str) -> None:
        """`name` says which place, in any text. Nothing is made yet."""
        self._folder = host.state_folder(environ) / "ledger" / hashlib.sha256(name.encode()).hexdigest()[:32]

    def keep(self, id: str, data: bytes) -> None:
        """Keeps a record under its id; of more than `KEPT` the oldest go. Raises OSError."""
        if len(data) > LONGEST:
            raise OSError(0, "the record is too long")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self._folder / f"{id}{ENDING}")
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
        for name in self._names()[:-KEPT]:
            self.drop(name)

    def kept(self) -> dict[str, bytes]:
        """What is kept, by its id, oldest first."""
        found = {name: self._read(name) for name in self._names()[-KEPT:]}
        return {name: data for name, data in found.items() if data is not None}

    def drop(self, id: str) -> None:
        """Forgets one; one that is gone already is no error."""
        with contextlib.suppress(OSError):
            (self._folder / f"{id}{ENDING}").unlink()

    def _names(self) -> list[str]:
        """Ids begin with their time, so their order is that of the runs."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except OSError:
            return []
        return sorted(name.removesuffix(ENDING) for name in names if name.endswith(ENDING) and name[0] != ".")

    def _read(self, id: str) -> bytes | None:
        try:
            handle = os.open(self._folder / f"{id}{ENDING}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(handle, "rb") as file:
            info = os.fstat(handle)
            return file.read() if stat.S_ISREG(info.st_mode) and info.st_size <= LONGEST else None
