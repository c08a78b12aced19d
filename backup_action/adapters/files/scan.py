"""Finds everything below the roots, in the order of keys, without recursing. Links are entries, unless `follow` is set.

What cannot be read is reported and the rest goes on; `unread` then names the places whose content is unknown.
"""

from __future__ import annotations

import errno
import heapq
import os
import stat
from collections.abc import Callable, Iterator

import msgspec

from backup_action.adapters.files.folder import Target, on_disk, open_folder, open_root, step
from backup_action.adapters.files.links import Links
from backup_action.core import place
from backup_action.core.entry import Sort
from backup_action.core.found import Found
from backup_action.core.place import Root
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.segments import Keep, in_memory
from backup_action.core.selection import Selection
from backup_action.core.spool import LOOSE, Spool

HANDLES = 64  # folders held open at a time; deeper trees reopen them on the way back
_SORTS = {stat.S_IFREG: Sort.FILE, stat.S_IFDIR: Sort.FOLDER, stat.S_IFLNK: Sort.LINK}
_SPECIAL = {stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


class Scan(msgspec.Struct):
    """What was found. `unread` are the paths (as in `Found.path`) that could not be looked at, "" being the top."""

    found: Spool[Found]
    unread: set[str] = msgspec.field(default_factory=set)
    problems: list[Problem] = msgspec.field(default_factory=list)
    files: list[int] = msgspec.field(default_factory=list)  # per root
    bytes: list[int] = msgspec.field(default_factory=list)  # per root

    @property
    def complete(self) -> bool:
        """True when nothing was out of reach."""
        return not self.unread

    def covers(self, path: str) -> bool:
        """True when the path would have been found if it existed: neither it nor a folder above it is unread."""
        if not self.unread:
            return True
        while path not in self.unread:
            if not path:
                return True
            path = path.rpartition("/")[0]
        return False


class _Level(msgspec.Struct):
    """One folder on the way down: its names still to visit, last first, and its handle while it is held open.

    A name comes with its place in the order: its code, with a `/` where it is a folder. `real` is `inner` with no
    links in it.
    """

    source: str
    inner: str
    real: str
    path: str
    coded: str
    names: list[tuple[str, str]]
    handle: int


def scan(
    roots: tuple[Root, ...],
    selection: Selection,
    room: int,
    stopped: Callable[[], bool] = bool,
    keep: Keep = in_memory,
    *,
    follow: bool = False,
) -> Scan:
    """Walks all roots; `room` is how many bytes a key may have below the prefix; `keep` is for what is found.

    `follow`: a link to a file or folder below the same root is taken as that, under its own path.

    Raises Stop, before anything else is done, for a root that is missing, unreadable or has no file to take.
    """
    result = Scan(Spool(Found, keep=keep, loose=LOOSE), files=[0] * len(roots), bytes=[0] * len(roots))
    cut: list[Found] = []
    for index in sorted(range(len(roots)), key=lambda number: _order(roots[number])):
        before = len(result.unread)
        for found in _root(index, roots[index], selection, room, result, follow=follow):
            if stopped():
                raise Stop(Kind.INTERRUPTED)
            if found.kind is Sort.FILE:
                result.files[index] += 1
                result.bytes[index] += found.size
            (cut.append if place.is_cut(found.place) else result.found.append)(found)
        if not result.files[index] and len(result.unread) == before:
            raise Stop(Kind.SOURCE_EMPTY, roots[index].source)
    if cut:
        cut.sort(key=lambda found: found.order)
        result.found = Spool(Found, heapq.merge(result.found, cut, key=lambda found: found.order), keep, LOOSE)
    return result


def _order(root: Root) -> str:
    coded = place.code(root.destination)
    return coded + "/" if os.path.isdir(root.source) else coded  # noqa: PTH112  (raises nothing, in every Python)


def _root(index: int, root: Root, selection: Selection, room: int, result: Scan, *, follow: bool) -> Iterator[Found]:
    try:
        info = os.stat(root.source)  # noqa: PTH116  (the source may be no UTF-8)
        sort = _SORTS.get(stat.S_IFMT(info.st_mode))
        handle = open_root(root.source) if sort is Sort.FOLDER else -1
    except FileNotFoundError:
        raise Stop(Kind.SOURCE_MISSING, root.source) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Stop(Kind.SOURCE_UNREADABLE, root.source, reason=reason) from None
    if sort is Sort.FILE:
        yield _found(index, "", root.destination, place.key(root.destination, room), info)
    elif sort is Sort.FOLDER:
        try:
            links = Links(handle, root.source) if follow else None
            yield from _walk(index, root, handle, selection, room, result, links)
        finally:
            os.close(handle)
    else:
        raise Stop(Kind.SOURCE_UNREADABLE, root.source, reason="neither a file nor a folder")


def _walk(
    index: int, root: Root, top: int, selection: Selection, room: int, result: Scan, links: Links | None
) -> Iterator[Found]:
    """Everything in one folder, depth first, each folder before its content."""
    if root.destination:  # the prefix itself is no entry: it would stand before everything
        yield _found(index, "", root.destination, place.key(root.destination, room), os.fstat(top))
    if links:
        links.enter(top)
    levels = [_level(root.source, "", "", root.destination, place.code(root.destination), os.dup(top), result, links)]
    try:
        while levels:
            level = levels[-1]
            if not level.names:
                _leave(levels, links)
                continue
            ordered, name = level.names.pop()
            inner, path = place.join(level.inner, name), place.join(level.path, name)
            is_folder = ordered.endswith("/")
            if not (selection.takes_folder(inner) if is_folder else selection.takes(inner)):
                continue
            seen = _look(level, top, name, inner, path, result, links, is_folder=is_folder)
            if seen is None:
                continue
            info, target = seen
            coded = ordered.removesuffix("/")
            key = coded if len(coded) * 4 <= room else place.key(path, room)
            if is_folder:
                yield _found(index, inner, path, key, info)
                _enter(levels, top, inner, path, coded, name, result, links, target)
            elif found := _leaf(index, inner, path, key, info, level, top, name, result):
                yield found
    finally:
        for level in levels:
            _close(level)


def _enter(
    levels: list[_Level], top: int, inner: str, path: str, coded: str, name: str, result: Scan, links: Links | None,
    target: Target | None,
) -> None:  # fmt: skip
    level = levels[-1]
    try:
        handle = open_folder(top, target.real) if target else step(_handle(level, top), name)
    except OSError as error:
        _unread(result, on_disk(level.source, inner), path, error, cause="folder")
        return
    if len(levels) >= HANDLES:
        _close(levels[-HANDLES])
    real = target.real if target else place.join(level.real, name)
    if links:
        links.enter(handle, target.links if target else 0)
    levels.append(_level(level.source, inner, real, path, coded, handle, result, links))


def _leave(levels: list[_Level], links: Links | None) -> None:
    _close(levels.pop())
    if links:
        links.leave()


def _handle(level: _Level, top: int) -> int:
    """The folder's handle, opened again if the tree is deeper than the handles that are held."""
    if level.handle < 0:
        level.handle = open_folder(top, level.real)
    return level.handle


def _close(level: _Level) -> None:
    if level.handle >= 0:
        os.close(level.handle)
        level.handle = -1


def _level(
    source: str, inner: str, real: str, path: str, coded: str, handle: int, result: Scan, links: Links | None
) -> _Level:
    """Reads a folder's names, last first in the order of keys; a folder sorts as its name and `/`."""
    names: list[tuple[str, str]] = []
    try:
        with os.scandir(handle) as items:
            for item in items:
                code = place.code(item.name) if not coded else f"{coded}/{place.code_name(item.name)}"
                is_folder = item.is_dir(follow_symlinks=False)
                if links and item.is_symlink():
                    is_folder = links.is_folder(real, handle, item.name)
                names.append((code + "/" if is_folder else code, item.name))
    except OSError as error:
        _unread(result, on_disk(source, inner), path, error, cause="folder")
    names.sort(reverse=True)
    return _Level(source, inner, real, path, coded, names, handle)


def _look(
    level: _Level, top: int, name: str, inner: str, path: str, result: Scan, links: Links | None, *, is_folder: bool
) -> tuple[os.stat_result, Target | None] | None:
    """What the name is now; None where that cannot be told, or where it no longer is what gave it its place.

    With a target it is a link, and what is told is what it leads to.
    """
    target: Target | Kind | None = None
    try:
        info = os.stat(name, dir_fd=_handle(level, top), follow_symlinks=False)
        if links and stat.S_ISLNK(info.st_mode):
            target = links.follow(level.real, _handle(level, top), name)
    except OSError as error:
        _unread(result, on_disk(level.source, inner), path, error)
        return None
    if isinstance(target, Kind):
        result.problems.append(Problem(target, on_disk(level.source, inner)))
        target = None
    info = target.info if target else info
    if stat.S_ISDIR(info.st_mode) != is_folder:
        replaced = FileNotFoundError(errno.ENOENT, "it was replaced meanwhile")
        _unread(result, on_disk(level.source, inner), path, replaced)
        return None
    return info, target


def _leaf(
    index: int, inner: str, path: str, key: str, info: os.stat_result, level: _Level, top: int, name: str, result: Scan
) -> Found | None:
    sort = _SORTS.get(stat.S_IFMT(info.st_mode))
    if sort is None:
        special = _SPECIAL.get(stat.S_IFMT(info.st_mode), "special file")
        result.problems.append(Problem(Kind.FILE_SPECIAL, on_disk(level.source, inner), {"sort": special}))
        return None
    if sort is Sort.FILE:
        return _found(index, inner, path, key, info)
    try:
        target = os.readlink(name, dir_fd=_handle(level, top))
    except OSError as error:
        _unread(result, on_disk(level.source, inner), path, error)
        return None
    return _found(index, inner, path, key, info, target)


def _found(index: int, inner: str, path: str, key: str, info: os.stat_result, target: str = "") -> Found:
    sort = _SORTS[stat.S_IFMT(info.st_mode)]
    size = info.st_size if sort is Sort.FILE else 0
    mode = stat.S_IMODE(info.st_mode)
    return Found(
        index, inner, path, key, sort, size, mode, info.st_mtime_ns, info.st_ctime_ns, info.st_dev, info.st_ino, target
    )


def _unread(result: Scan, where: str, path: str, error: OSError, cause: str = "") -> None:
    result.unread.add(path)
    kind = Kind.FILE_VANISHED if isinstance(error, FileNotFoundError) else Kind.FILE_UNREADABLE
    facts = {"reason": error.strerror or type(error).__name__, "cause": cause}
    result.problems.append(Problem(kind, where, {name: text for name, text in facts.items() if text}))
