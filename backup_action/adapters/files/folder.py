"""Folders by handle: every step down is an `openat` that refuses links, so no path can lead out of its root.

Where links are followed, `resolve` reads them itself and goes on from the root; what it finds is opened by the same
steps. So whatever changes meanwhile, what is opened is below the root.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import threading
from typing import Final

import msgspec

LINKS: Final = 40  # of one path, as in the kernel; a path with more of them opens nowhere

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
    for name in _names(inner):
        try:
            below = step(handle, name)
        finally:
            os.close(handle)
        handle = below
    return handle


def open_file(folder: int, name: str) -> int:
    """A handle of the file `name` in `folder`. Never blocks on a fifo. Raises OSError, for all but a regular file."""
    return _regular(os.open(name, _FILE, dir_fd=folder))


def _regular(handle: int) -> int:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.ENOENT, "it is no regular file any more")
    return handle


class Target(msgspec.Struct, frozen=True):
    """Where a path leads that may go through links: the path below the root without them, and what is there."""

    real: str
    info: os.stat_result
    links: int  # how many of them there were


def resolve(top: int, home: str, folder: str, path: str, links: int = 0) -> Target:
    """Follows a path from a folder below the root `top`, which is at `home` on disk (its real path).

    `folder` has no links in it; `links` were followed to come there. Raises OSError: EXDEV where the path leads out of
    the root, ELOOP after too many links.
    """
    names, ahead = _names(folder), path.split("/")[::-1]
    handle = open_folder(top, folder)
    try:
        while ahead:
            name, before = ahead.pop(), list(names)
            if name == "..":
                if not names:
                    ahead = _inside(home, posixpath.join(home, "..", *reversed(ahead)))
                names = names[:-1]
            elif name not in ("", "."):
                info = os.stat(name, dir_fd=handle, follow_symlinks=False)
                if stat.S_ISLNK(info.st_mode):
                    links += 1
                    names, ahead = _through(home, names, os.readlink(name, dir_fd=handle), ahead, links)
                elif not ahead:
                    return Target(posixpath.join(*names, name), info, links)
                else:
                    names.append(name)
            if names != before:
                below = step(handle, name) if len(names) > len(before) else open_folder(top, "/".join(names))
                os.close(handle)
                handle = below
        return Target("/".join(names), os.fstat(handle), links)
    finally:
        os.close(handle)


def _names(inner: str) -> list[str]:
    return inner.split("/") if inner else []


def _through(home: str, names: list[str], text: str, ahead: list[str], links: int) -> tuple[list[str], list[str]]:
    """Where a link's text leads from its folder: the folder to go on from, and the names ahead, last first."""
    if links > LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    rest = posixpath.join(text, *reversed(ahead))
    return ([], _inside(home, rest)) if text.startswith("/") else (names, rest.split("/")[::-1])


def _inside(home: str, path: str) -> list[str]:
    """The names below the root of a path from the top of the disk, last first. Raises OSError (EXDEV)."""
    real, start = os.path.realpath(path), posixpath.join(home, "")
    if real != home and not real.startswith(start):
        raise OSError(errno.EXDEV, "it leads out of its path")
    return _names(real.removeprefix(start) if real != home else "")[::-1]


def on_disk(source: str, inner: str) -> str:
    """A path below a root, as the person named the root."""
    return posixpath.join(source, inner) if inner else source


class Opener:
    """Opens files below the roots, remembering the last folder: files of one folder cost one open each.

    For one thread. `sources` are the roots, by their number as in `Found.root`.
    """

    def __init__(self, sources: tuple[str, ...], *, follow: bool = False) -> None:
        """Opens nothing yet. `follow`: links that stay below their root, as the scan did."""
        self._sources = sources
        self._follow = follow
        self._roots: dict[int, int] = {}
        self._last: tuple[int, str, int, str] | None = None  # the last is its path without links

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
            return _regular(os.open(self._sources[root], _FILE & ~os.O_NOFOLLOW))
        above, _, name = inner.rpartition("/")
        folder, real = self._folder(root, above)
        try:
            return open_file(folder, name)
        except OSError as error:
            if not self._follow or error.errno != errno.ELOOP:
                raise
        return self._open_target(root, real, name)

    def _open_target(self, root: int, folder: str, name: str) -> int:
        above, _, name = self._resolve(root, folder, name).rpartition("/")
        handle = open_folder(self._roots[root], above)
        try:
            return open_file(handle, name or ".")
        finally:
            os.close(handle)

    def _resolve(self, root: int, folder: str, path: str) -> str:
        return resolve(self._roots[root], os.path.realpath(self._sources[root]), folder, path).real

    def _folder(self, root: int, inner: str) -> tuple[int, str]:
        if self._last is None or self._last[:2] != (root, inner):
            if root not in self._roots:
                self._roots[root] = open_root(self._sources[root])
            self._forget()
            real = self._resolve(root, "", inner) if self._follow and inner else inner
            self._last = (root, inner, open_folder(self._roots[root], real), real)
        return self._last[2:]

    def _forget(self) -> None:
        if self._last is not None:
            os.close(self._last[2])
            self._last = None

    def close(self) -> None:
        """Closes every handle that it holds."""
        self._forget()
        while self._roots:
            os.close(self._roots.popitem()[1])


class Openers:
    """An opener for each thread that asks."""

    def __init__(self, sources: tuple[str, ...], *, follow: bool) -> None:
        """As for `Opener`."""
        self._sources = sources
        self._follow = follow
        self._local = threading.local()
        self._all: list[Opener] = []

    def mine(self) -> Opener:
        """This thread's."""
        if not hasattr(self._local, "opener"):
            self._local.opener = Opener(self._sources, follow=self._follow)
            self._all.append(self._local.opener)
        opener: Opener = self._local.opener
        return opener

    def close(self) -> None:
        """Closes them all, when no thread has one in hand."""
        for opener in self._all:
            opener.close()
