"""Reads GitHub's expression language into a tree.

Grammar, loosest first: `||`, `&&`, `==` and `!=`, `<` `<=` `>` `>=`, `!`, then a literal, a group, a function call or
a context, the last three followed by any number of `.name`, `.*`, `[index]` and `[*]`. An unknown context or function
is an error while reading, as on GitHub, so a wrong expression is found even where it would not be evaluated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

from backup_action.sandbox.expression_tokens import Token, tokens, unexpected
from backup_action.sandbox.expression_values import WHITESPACE, ExpressionError, Value, parse_number

MAX_LENGTH = 21_000  # characters (ExpressionConstants.MaxLength)
MAX_DEPTH = 50  # nodes from the root to a leaf (ExpressionConstants.MaxDepth)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that is written in the expression."""

    value: Value


@dataclass(frozen=True, slots=True)
class Context:
    """A context by its name: `github`, `inputs` …"""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """A property or an element; `key` None is the wildcard."""

    target: Node
    key: Node | None


@dataclass(frozen=True, slots=True)
class Call:
    """A function, its name in lower case, with its arguments."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator: one side for `!`, any number for `&&` and `||`, else two."""

    operator: str
    sides: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Text with expressions in it: the parts' texts in a row."""

    parts: tuple[Node, ...]


Node: TypeAlias = Literal | Context | Index | Call | Operation | Joined

_KEYWORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LEVELS = ({"||"}, {"&&"}, {"==", "!="}, {"<", "<=", ">", ">="})
_WORDS: Mapping[str, Value] = {"null": None, "true": True, "false": False, "NaN": math.nan, "Infinity": math.inf}


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ExpressionError(f"Exceeded max expression depth {MAX_DEPTH}")


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, source: str, contexts: AbstractSet[str], functions: Mapping[str, tuple[int, int]]) -> None:
        self.source, self.contexts, self.functions = source, contexts, functions
        self.tokens = list(tokens(source))
        self.at = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def fail(self) -> ExpressionError:
        return unexpected(self.source, self.token.raw, self.token.position)

    def unknown(self, what: str, token: Token) -> ExpressionError:
        place = f"Located at position {token.position + 1} within expression: {self.source}"
        return ExpressionError(f"{what}: '{token.raw}'. {place}")

    def take(self, raw: str = "") -> Token:
        token = self.token
        if token.kind == "end" or (raw and (token.raw != raw or token.kind == "string")):
            raise self.fail()
        self.at += 1
        return token

    def accept(self, *raws: str) -> str:
        if self.token.kind in ("mark", "operator") and self.token.raw in raws:
            return self.take().raw
        return ""

    def binary(self, level: int, depth: int) -> Node:
        _check_depth(depth)
        if level == len(_LEVELS):
            return self.unary(depth)
        node = self.binary(level + 1, depth)
        while operator := self.accept(*_LEVELS[level]):
            right = self.binary(level + 1, depth + 1)
            if level < 2 and isinstance(node, Operation) and node.operator == operator:
                node = Operation(operator, (*node.sides, right))  # a long row is not deep
            else:
                depth += 1
                _check_depth(depth)
                node = Operation(operator, (node, right))
        return node

    def unary(self, depth: int) -> Node:
        if self.accept("!"):
            _check_depth(depth)
            return Operation("!", (self.unary(depth + 1),))
        return self.value(depth)

    def value(self, depth: int) -> Node:
        token = self.take()
        if token.kind == "string":
            return Literal(token.raw[1:-1].replace("''", "'"))
        if token.kind == "number":
            parsed = parse_number(token.raw)
            if math.isnan(parsed):
                raise unexpected(self.source, token.raw, token.position)
            return Literal(parsed)
        if token.kind == "word" and token.raw in _WORDS:
            return Literal(_WORDS[token.raw])
        if token.raw == "(" and token.kind == "mark":
            node = self.binary(0, depth + 1)
            self.take(")")
        elif token.kind == "word" and _KEYWORD.fullmatch(token.raw):
            node = self.call(token, depth) if self.accept("(") else self.context(token)
        else:
            raise unexpected(self.source, token.raw, token.position)
        return self.path(node, depth)

    def context(self, token: Token) -> Node:
        if token.raw.lower() not in self.contexts:
            raise self.unknown("Unrecognized named-value", token)
        return Context(token.raw.lower())

    def call(self, token: Token, depth: int) -> Node:
        bounds = self.functions.get(token.raw.lower())
        if bounds is None:
            raise self.unknown("Unrecognized function", token)
        arguments: list[Node] = []
        if not self.accept(")"):
            arguments.append(self.binary(0, depth + 1))
            while self.accept(","):
                arguments.append(self.binary(0, depth + 1))
            self.take(")")
        if not bounds[0] <= len(arguments) <= bounds[1]:
            raise self.unknown(f"Too {'few' if len(arguments) < bounds[0] else 'many'} parameters supplied", token)
        return Call(token.raw.lower(), tuple(arguments))

    def path(self, node: Node, depth: int) -> Node:
        while mark := self.accept(".", "["):
            depth += 1
            _check_depth(depth)
            key: Node | None = None
            if not self.accept("*"):
                key = self.property_name() if mark == "." else self.binary(0, depth)
            if mark == "[":
                self.take("]")
            node = Index(node, key)
        return node

    def property_name(self) -> Node:
        token = self.take()
        if token.kind != "word" or not _KEYWORD.fullmatch(token.raw):
            raise unexpected(self.source, token.raw, token.position)
        return Literal(token.raw)


def parse(source: str, contexts: AbstractSet[str], functions: Mapping[str, tuple[int, int]]) -> Node:
    """The tree of a bare expression that may name these contexts and functions (lower case, to argument counts).

    Raises ExpressionError.
    """
    if len(source) > MAX_LENGTH:
        raise ExpressionError(f"Exceeded max expression length {MAX_LENGTH}")
    if not source.strip(WHITESPACE):
        raise ExpressionError("An expression was expected")
    reader = _Reader(source, contexts, functions)
    node = reader.binary(0, 1)
    if reader.token.kind != "end":
        raise reader.fail()
    return node


def nodes(root: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield root
    match root:
        case Call(arguments=below) | Operation(sides=below) | Joined(parts=below):
            pass
        case Index(target, key):
            below = (target,) if key is None else (target, key)
        case _:
            below = ()
    for node in below:
        yield from nodes(node)
