"""The functions of GitHub's expressions, on values. Status functions and `case` live with the evaluator.

| function | what it does |
|---|---|
| contains(search, item) | text within text, or an element that is loosely equal |
| startsWith, endsWith | text, disregarding case; false for objects and arrays |
| format('{0} {{', x …) | places by number; doubled braces stand for one |
| join(array, separator = ',') | the elements' texts |
| toJSON, fromJSON | as the runner lays JSON out |
| hashFiles(pattern …) | SHA-256 over the SHA-256 of each matched file of the workspace; empty when none matches |
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from backup_action.sandbox.expression_values import (
    ExpressionError,
    Value,
    equal,
    fold,
    from_json,
    is_primitive,
    text,
    to_json,
)

_FORMAT = re.compile(r"\{\{|\}\}|\{([0-9]+)\}|[{}]")
MANY = 255  # the most arguments that a function takes


def contains(search: Value, item: Value) -> bool:
    """Whether the text has the item in it, or the array an element equal to it."""
    if is_primitive(search):
        return is_primitive(item) and fold(text(item)) in fold(text(search))
    return isinstance(search, Sequence) and any(equal(element, item) for element in search)


def starts_with(search: Value, start: Value) -> bool:
    """Whether the text starts so."""
    return is_primitive(search) and is_primitive(start) and fold(text(search)).startswith(fold(text(start)))


def ends_with(search: Value, end: Value) -> bool:
    """Whether the text ends so."""
    return is_primitive(search) and is_primitive(end) and fold(text(search)).endswith(fold(text(end)))


def format_text(pattern: Value, *arguments: Value) -> str:
    """The pattern with its places filled. Raises ExpressionError for a bad brace or a place without an argument."""
    source = text(pattern)

    def fill(found: re.Match[str]) -> str:
        if found.group() in ("{{", "}}"):
            return found.group()[0]
        if found.group(1) is None or int(found.group(1)) > MANY:
            raise ExpressionError(f"The following format string is invalid: {source}")
        if int(found.group(1)) >= len(arguments):
            raise ExpressionError(f"The following format string references more arguments than were supplied: {source}")
        return text(arguments[int(found.group(1))])

    return _FORMAT.sub(fill, source)


def join(items: Value, separator: Value = ",") -> str:
    """The elements' texts with the separator between; a single value's text; nothing for an object."""
    if is_primitive(items):
        return text(items)
    if isinstance(items, Mapping) or not isinstance(items, Sequence):
        return ""
    return (text(separator) if is_primitive(separator) else ",").join(text(item) for item in items)


def hash_files(workspace: Path, *patterns: Value) -> str:
    """The digest of the matched files, 64 hexadecimal digits. `!` at a pattern's start takes files out again.

    The files are taken in the order of their paths; GitHub's own order is not documented, so only equality of two
    digests from here says something.
    """
    matched: set[Path] = set()
    for line in (line.strip() for pattern in patterns for line in text(pattern).splitlines()):
        if not line or line.startswith(("#", "--")):
            continue
        found = {path for path in workspace.glob(line.removeprefix("!").lstrip("/")) if path.is_file()}
        matched = matched - found if line.startswith("!") else matched | found
    whole = hashlib.sha256()
    for path in sorted(matched):
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest() if matched else ""


FUNCTIONS: Mapping[str, tuple[int, int, Callable[..., Value]]] = {
    "contains": (2, 2, contains),
    "startswith": (2, 2, starts_with),
    "endswith": (2, 2, ends_with),
    "format": (1, MANY, format_text),
    "join": (1, 2, join),
    "tojson": (1, 1, lambda value: to_json(value)),
    "fromjson": (1, 1, lambda value: from_json(text(value))),
}
"""Name in lower case: least and greatest number of arguments, and the function."""
