"""What the links of one root lead to, where they are followed: only a file or folder below the same root.

A link that leads elsewhere or in a circle stays a link, and is told; one that leads nowhere just stays.
"""

from __future__ import annotations

import errno
import os
import stat

from backup_action.adapters.files.folder import Target, resolve
from backup_action.core.problem import Kind

_NOWHERE = (errno.ENOENT, errno.ENOTDIR)
_TOLD = {errno.EXDEV: Kind.LINK_OUTSIDE, errno.ELOOP: Kind.LINK_LOOP}


class Links:
    """Follows links for one walk, and knows the folders that the walk is in."""

    def __init__(self, top: int, source: str) -> None:
        """`top` is the root's handle."""
        self._top = top
        self._home = os.path.realpath(source)
        self._above: list[tuple[int, int, int]] = []  # device and inode of a folder, and the links on the way there

    def enter(self, handle: int, links: int = 0) -> None:
        """The walk goes into a folder; `links` as `Target.links`, 0 where its name is no link."""
        info = os.fstat(handle)
        self._above.append((info.st_dev, info.st_ino, max(links, self._count)))

    def leave(self) -> None:
        """The walk has done with the folder that it entered last."""
        self._above.pop()

    @property
    def _count(self) -> int:
        return self._above[-1][2] if self._above else 0

    def is_folder(self, folder: str, handle: int, name: str) -> bool:
        """Whether a link is taken as a folder. Raises nothing: `follow` will."""
        try:
            target = self.follow(folder, handle, name)
        except OSError:
            return False
        return isinstance(target, Target) and stat.S_ISDIR(target.info.st_mode)

    def follow(self, folder: str, handle: int, name: str) -> Target | Kind | None:
        """Where the link `name` leads; a Kind says why it is not followed, None that there is nothing to follow.

        `folder` is the path of its folder without links, `handle` that folder. Raises OSError.
        """
        try:
            os.stat(name, dir_fd=handle)  # tells most of those that lead nowhere, or in a circle, in one call
            target = resolve(self._top, self._home, folder, name, self._count)
        except OSError as error:
            if error.errno in _NOWHERE:
                return None
            if error.errno in _TOLD:
                return _TOLD[error.errno]
            raise
        if stat.S_ISDIR(target.info.st_mode):
            here = (target.info.st_dev, target.info.st_ino)
            return Kind.LINK_LOOP if any(one[:2] == here for one in self._above) else target
        return target if stat.S_ISREG(target.info.st_mode) else None
