"""Cuts a GitHub expression into tokens: strings, operators, marks, numbers and words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backup_action.sandbox.expression_values import WHITESPACE, ExpressionError

_TOKEN = re.compile(r"(?P<string>'(?:[^']|'')*')|(?P<operator>&&|\|\||[=!<>]=|[!<>])|(?P<mark>[()\[\],.*])")
_WORD = re.compile(rf"[^()\[\],.!<>=&|{WHITESPACE}]+")  # up to the next boundary
_NUMBER = re.compile(rf"[^()\[\],!<>=&|{WHITESPACE}]+")  # the same, but a dot belongs to it
_BEFORE_A_VALUE = frozenset({"", ",", "(", "[", "!", "||", "&&", "==", "!=", "<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Token:
    """A token with its text and its index; `end` is the last one of every expression."""

    kind: str  # string operator mark number word end
    raw: str
    position: int


def tokens(source: str) -> Iterator[Token]:
    """The tokens in order. Raises ExpressionError."""
    position, last = 0, ""
    while position < len(source):
        if source[position] in WHITESPACE:
            position += 1
            continue
        token = _token(source, position, last)
        yield token
        position, last = position + len(token.raw), token.raw if token.kind in ("mark", "operator") else token.kind
    yield Token("end", "", position)


def _token(source: str, position: int, last: str) -> Token:
    """The token at the position. `last` decides what a dot is: it starts a number where a value is expected."""
    character = source[position]
    if character in "+-0123456789" or (character == "." and last in _BEFORE_A_VALUE):
        found, kind = _NUMBER.match(source, position), "number"
    else:
        found = _TOKEN.match(source, position)
        kind = str(found.lastgroup) if found else "word"
        found = found or _WORD.match(source, position)
    if found is None:
        raise unexpected(source, character, position)
    return Token(kind, found.group(), position)


def unexpected(source: str, symbol: str, position: int) -> ExpressionError:
    """The error for a symbol in the wrong place; an empty symbol is the end."""
    if not symbol:
        return ExpressionError(f"Unexpected end of expression: {source}")
    return ExpressionError(
        f"Unexpected symbol: '{symbol}'. Located at position {position + 1} within expression: {source}"
    )
