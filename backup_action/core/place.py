"""Where a path lands in the bucket: the roots that a run backs up, and the key of each path below them.

| given | key below the prefix |
|---|---|
| `data/x`, `./data/x` | `data/x/…` |
| `/srv/mt5/x` | `srv/mt5/x/…` |
| `.` | the content, without a folder of its own |
| a single file | its path, by the same rules |
| `SRC => DEST` | `DEST/…` |
| control characters, bytes that are no UTF-8, `%` | `%XX` |
| a first segment `.oss-backup` | its dot as `%2E` |
| a `\\` at the very beginning (OSS refuses it) | `%5C` |
| a key over 1,023 bytes | cut, with `%~` and a hash; the snapshot has the path |

Paths are text with surrogate escapes for bytes that are no UTF-8 (PEP 383), segments joined by `/`. `key` is a
bijection on every path whose key is not cut. Keys order as their UTF-8 bytes, which is how Python orders text.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from typing import Final

import msgspec

from backup_action.core.address import CATALOGUE
from backup_action.core.problem import Kind, Stop

KEY_MAX: Final = 1023  # bytes; OSS's object naming conventions
_MARK = "%~"  # begins the hash of a cut key; "%" is otherwise always followed by two hex digits
_HASH = 32  # hex digits

_ESCAPED = re.compile("[\x00-\x1f\x7f-\x9f%\ud800-\udfff]")
_CODED = re.compile(rb"%([0-9A-F]{2})")


class Root(msgspec.Struct, frozen=True):
    """One path to back up: where it is on disk, as given, and where it goes below the prefix ("" for its top)."""

    source: str
    destination: str


def roots(lines: tuple[str, ...]) -> tuple[Root, ...]:
    """Reads the setting `paths`: `SRC` or `SRC => DEST` a line. Raises Stop where one is malformed or two overlap."""
    found = tuple(_root(line) for line in lines)
    for i, one in enumerate(found):
        if both := overlap((one,), found[:i]):
            raise Stop(Kind.PATHS_OVERLAP, one.source, other=both[1].source, destination=one.destination or ".")
    return found


def root_of(path: str, among: tuple[Root, ...]) -> int | None:
    """Which of the roots a path below the prefix belongs to."""
    return next((n for n, root in enumerate(among) if _within(path, root.destination)), None)


def overlap(some: tuple[Root, ...], others: tuple[Root, ...]) -> tuple[Root, Root] | None:
    """The first two roots of which one goes to the other's place or below it."""
    for one in some:
        for other in others:
            if _within(one.destination, other.destination) or _within(other.destination, one.destination):
                return one, other
    return None


def _root(line: str) -> Root:
    source, arrow, destination = (part.strip() for part in line.partition(" => "))
    if not source or "\0" in line:
        raise Stop(Kind.SETTING_MALFORMED, "paths", given=line, rule="`PATH` or `PATH => PLACE` on each line")
    place = _normal(destination if arrow else source)
    if place == ".." or place.startswith("../"):
        rule = "a place below the prefix; for a path outside of the workspace write `PATH => PLACE`"
        raise Stop(Kind.SETTING_MALFORMED, "paths", given=line, rule=rule)
    return Root(source, place)


def _normal(path: str) -> str:
    normal = posixpath.normpath(path).lstrip("/")
    return "" if normal == "." else normal


def _within(inner: str, outer: str) -> bool:
    return not outer or inner == outer or inner.startswith(outer + "/")


def join(folder: str, name: str) -> str:
    """A path below a folder, where "" is the top."""
    return f"{folder}/{name}" if folder else name


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode("utf-8", "surrogateescape"))


def code_name(name: str) -> str:
    """One segment's part of a key, below the first."""
    return _ESCAPED.sub(_percent, name)


def code(path: str) -> str:
    """The path's key below the prefix, before any cut. Pure, and `uncode` undoes it."""
    coded = code_name(path)
    if coded.startswith("\\") or coded.partition("/")[0] == CATALOGUE:
        return f"%{ord(coded[0]):02X}{coded[1:]}"
    return coded


def uncode(coded: str) -> str:
    """The path of a key that was not cut."""
    data = _CODED.sub(lambda match: bytes([int(match.group(1), 16)]), coded.encode())
    return data.decode("utf-8", "surrogateescape")


def is_cut(key: str) -> bool:
    """True when the key does not hold its whole path."""
    return _MARK in key


def key(path: str, room: int) -> str:
    """The path's key below the prefix, in at most `room` bytes (1,023 less the prefix's length)."""
    coded = code(path)
    if len(coded) * 4 <= room or len(coded.encode()) <= room:
        return coded
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:_HASH]
    head = coded.encode()[: room - len(_MARK) - _HASH].decode("utf-8", "ignore")
    return re.sub(r"%[0-9A-F]?$", "", head) + _MARK + digest
