"""Folders by handle: every step down is an `openat` that refuses links, so no path can lead out of its root."""

from __future__ import annotations

import os
import posixpath

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def open_root(source: str) -> int:
    """A handle of a root folder. The root itself may be a link: the person named it. Raises OSError."""
    return os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def step(folder: int, name: str) -> int:
    """A handle of the folder `name` in `folder`. Raises OSError, for a link too."""
    return os.open(name, _FOLDER, dir_fd=folder)


def open_folder(root: int, inner: str) -> int:
    """A new handle of a folder below a root, step by step, however long the path. Raises OSError."""
    handle = os.dup(root)
    for name in inner.split("/") if inner else ():
        try:
            below = step(handle, name)
        finally:
            os.close(handle)
        handle = below
    return handle


def on_disk(source: str, inner: str) -> str:
    """A path below a root, as the person named the root."""
    return posixpath.join(source, inner) if inner else source


class Opener:
    """Opens files below the roots, remembering the last folder: files of one folder cost one open each.

    For one thread. Roots are `(source, is_folder)`, as the scan found them.
    """

    def __init__(self, sources: tuple[str, ...]) -> None:
        """Opens nothing yet."""
        self._sources = sources
        self._roots: dict[int, int] = {}
        self._last: tuple[int, str, int] | None = None

    def __enter__(self) -> Opener:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def name(self, root: int, inner: str) -> str:
        """A path for people: where it is on disk."""
        return on_disk(self._sources[root], inner)

    def open(self, root: int, inner: str) -> int:
        """A handle of a file; "" is a root that is a file itself. Never blocks on a fifo. Raises OSError."""
        if not inner:
            return os.open(self._sources[root], _FILE & ~os.O_NOFOLLOW)
        above, _, name = inner.rpartition("/")
        return os.open(name, _FILE, dir_fd=self._folder(root, above))

    def _folder(self, root: int, inner: str) -> int:
        if self._last is None or self._last[:2] != (root, inner):
            if root not in self._roots:
                self._roots[root] = open_root(self._sources[root])
            self._forget()
            self._last = (root, inner, open_folder(self._roots[root], inner))
        return self._last[2]

    def _forget(self) -> None:
        if self._last is not None:
            os.close(self._last[2])
            self._last = None

    def close(self) -> None:
        """Closes every handle that it holds."""
        self._forget()
        while self._roots:
            os.close(self._roots.popitem()[1])
