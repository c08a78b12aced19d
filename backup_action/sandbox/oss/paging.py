"""Cutting a sorted list of keys into pages: prefix, delimiter, marker, a limit. Pure.

Keys that share what follows the prefix up to and including the delimiter are one entry, a common prefix. A page holds
at most `limit` entries of both kinds, and `next` is the last of them: given as `after`, it continues with what follows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice


@dataclass(frozen=True, slots=True)
class Query:
    """What is listed; `after` is exclusive, and `after_version` continues within its key."""

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    after_version: str = ""
    limit: int = 100


@dataclass(slots=True)
class Page:
    """One page: keys (or key and version's index), common prefixes, and where the next one begins."""

    keys: list[str] = field(default_factory=list)
    versions: list[tuple[str, int]] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    next: str = ""
    next_version: str = ""

    def __len__(self) -> int:
        return len(self.keys) + len(self.versions) + len(self.prefixes)


def objects(names: Sequence[str], query: Query, visible: Callable[[str], bool]) -> Page:
    """A page of keys; `names` is in order, `visible` says which of them are shown."""
    page = Page()
    entries = _entries(names, query, visible)
    for name, is_prefix in islice(entries, query.limit):
        (page.prefixes if is_prefix else page.keys).append(name)
        page.next = name
    page.truncated = next(entries, None) is not None
    return page


def versions(names: Sequence[str], query: Query, ids_of: Callable[[str], Sequence[str]]) -> Page:
    """A page of versions, newest first within a key; `ids_of` gives a key's version ids, newest first."""
    page = Page()
    for key, index, version_id in _version_entries(names, query, ids_of):
        if len(page) == query.limit:
            page.truncated = True
            break
        if index is None:
            page.prefixes.append(key)
        else:
            page.versions.append((key, index))
        page.next, page.next_version = key, version_id
    return page


def _version_entries(
    names: Sequence[str], query: Query, ids_of: Callable[[str], Sequence[str]]
) -> Iterator[tuple[str, int | None, str]]:
    if query.after_version and query.after.startswith(query.prefix) and not common_prefix(query.after, query):
        yield from _rest_of_key(query.after, query.after_version, ids_of(query.after))
    for name, is_prefix in _entries(names, query, lambda _: True):
        if is_prefix:
            yield name, None, ""
            continue
        for index, version_id in enumerate(ids_of(name)):
            yield name, index, version_id


def _rest_of_key(key: str, after: str, ids: Sequence[str]) -> Iterator[tuple[str, int | None, str]]:
    """The versions older than `after`; none if that one is gone."""
    if after in ids:
        for index in range(ids.index(after) + 1, len(ids)):
            yield key, index, ids[index]


def _entries(names: Sequence[str], query: Query, visible: Callable[[str], bool]) -> Iterator[tuple[str, bool]]:
    """Keys and common prefixes in order; the flag says which."""
    at = _start(names, query)
    while at < len(names) and names[at].startswith(query.prefix):
        group = common_prefix(names[at], query)
        if not visible(names[at]):
            at += 1
            continue
        yield group or names[at], bool(group)
        at = _end_of_group(names, at, group) if group else at + 1


def _start(names: Sequence[str], query: Query) -> int:
    """The index of the first key that is neither before the prefix nor told already."""
    if query.after < query.prefix or not query.after:
        return bisect_left(names, query.prefix)
    at = bisect_right(names, query.after)
    if query.delimiter and common_prefix(query.after, query) == query.after:
        at = _end_of_group(names, at, query.after)
    return at


def common_prefix(key: str, query: Query) -> str:
    """What `key` is rolled up to, or nothing."""
    if not query.delimiter or not key.startswith(query.prefix):
        return ""
    found = key.find(query.delimiter, len(query.prefix))
    return key[: found + len(query.delimiter)] if found >= 0 else ""


def _end_of_group(names: Sequence[str], at: int, group: str) -> int:
    """The index behind the last key that begins with `group`."""
    return bisect_left(names, True, lo=at, key=lambda name: name[: len(group)] > group)
