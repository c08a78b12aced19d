"""Evaluates GitHub's expressions: a bare one, text with `${{ }}` in it, and an `if:`.

    evaluate("inputs.a == 'x'", {"inputs": {"a": "X"}})          -> True
    interpolate("${{ inputs.a }}-${{ 1 }}", {"inputs": {…}})     -> "X-1"
    condition("inputs.a", {…}, status=Status())                  -> success() && (inputs.a)

Contexts are given as dictionaries; a context that is not given is unknown, which is an error, while an unknown name
inside a context is null. Status functions are known only where `status` is given (an `if:`), `hashFiles` only where
`workspace` is given. All errors are ExpressionError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from backup_action.sandbox.expression_functions import FUNCTIONS, MANY, hash_files
from backup_action.sandbox.expression_syntax import Call, Context, Index, Joined, Literal, Node, Operation, nodes, parse
from backup_action.sandbox.expression_values import (
    WHITESPACE,
    CaseSensitive,
    ExpressionError,
    Filtered,
    Value,
    equal,
    find,
    is_primitive,
    less,
    number,
    text,
    truthy,
)

__all__ = [
    "CaseSensitive",
    "ExpressionError",
    "Status",
    "Value",
    "check",
    "condition",
    "evaluate",
    "interpolate",
    "resolve",
]

STATUS_FUNCTIONS = frozenset({"success", "failure", "cancelled", "always"})
Contexts = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Status:
    """What the status functions answer: for a composite's step, of the action so far; for a job's step, of the job."""

    success: bool = True
    failure: bool = False
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class _Scope:
    contexts: Contexts  # names in lower case
    status: Status | None
    workspace: Path | None

    def bounds(self) -> dict[str, tuple[int, int]]:
        return _bounds(status=self.status is not None, files=self.workspace is not None)


def _bounds(*, status: bool, files: bool) -> dict[str, tuple[int, int]]:
    """The functions that are known, with their least and greatest number of arguments."""
    known = {name: (least, most) for name, (least, most, _) in FUNCTIONS.items()}
    known |= dict.fromkeys(STATUS_FUNCTIONS, (0, 0)) if status else {}
    return known | ({"hashfiles": (1, MANY)} if files else {}) | {"case": (3, MANY)}


def _scope(contexts: Contexts, status: Status | None, workspace: Path | None) -> _Scope:
    return _Scope({name.lower(): value for name, value in contexts.items()}, status, workspace)


def evaluate(
    expression: str, contexts: Contexts, *, status: Status | None = None, workspace: Path | None = None
) -> Value:
    """The value of a bare expression."""
    scope = _scope(contexts, status, workspace)
    return _value(parse(expression, scope.contexts.keys(), scope.bounds()), scope)


def resolve(source: Value, contexts: Contexts, *, status: Status | None = None, workspace: Path | None = None) -> Value:
    """The value of what YAML has: text that is one `${{ }}` and nothing else may be of any kind; no text is itself."""
    if not isinstance(source, str):
        return source
    scope = _scope(contexts, status, workspace)
    return _value(_template(source, scope.contexts.keys(), scope.bounds()), scope)


def interpolate(source: str, contexts: Contexts, *, status: Status | None = None, workspace: Path | None = None) -> str:
    """Text with every `${{ }}` replaced; a single `${{ }}` must not give an object or an array."""
    value = resolve(source, contexts, status=status, workspace=workspace)
    if not is_primitive(value):
        raise ExpressionError(f"Expected a string, but {source} is an {text(value).lower()}")
    return text(value)


def condition(source: str, contexts: Contexts, *, status: Status, workspace: Path | None = None) -> bool:
    """Whether an `if:` lets its step run.

    `${{ }}` may be left out. Empty text means `success()`, and `success() &&` is put before a condition that calls no
    status function. Text around a `${{ }}` makes a text, which is true whatever the expression says: GitHub's pitfall.
    """
    scope = _scope(contexts, status, workspace)
    root = _condition_root(source, scope.contexts.keys(), scope.bounds())
    named = any(isinstance(node, Call) and node.name in STATUS_FUNCTIONS for node in nodes(root))
    return (named or status.success) and truthy(_value(root, scope))


def check(source: str, contexts: AbstractSet[str], *, condition: bool = False, files: bool = False) -> None:
    """Raises ExpressionError for text whose expressions cannot be read or name what is not known there.

    `contexts` are the known ones, in lower case; `condition` says that the text is an `if:`, `files` that `hashFiles`
    is known.
    """
    known = _bounds(status=condition, files=files)
    (_condition_root if condition else _template)(source, contexts, known)


def _condition_root(source: str, contexts: AbstractSet[str], known: Mapping[str, tuple[int, int]]) -> Node:
    if not source.strip(WHITESPACE):
        return Literal(True)
    return (_template if "${{" in source else parse)(source, contexts, known)


def _template(source: str, contexts: AbstractSet[str], known: Mapping[str, tuple[int, int]]) -> Node:
    """The tree of text with `${{ }}` in it."""
    parts: list[Node] = []
    at = 0
    while (start := source.find("${{", at)) >= 0:
        end = _closing(source, start + 3)
        parts += [Literal(source[at:start])] if start > at else []
        parts.append(parse(source[start + 3 : end - 2].strip(WHITESPACE), contexts, known))
        at = end
    if not parts:
        return Literal(source)
    parts += [Literal(source[at:])] if at < len(source) else []
    return parts[0] if len(parts) == 1 else Joined(tuple(parts))


def _closing(source: str, start: int) -> int:
    """The index after the `}}` that ends an expression; one inside quotes does not."""
    quoted = False
    for index in range(start, len(source)):
        if source[index] == "'":
            quoted = not quoted
        elif not quoted and source[index] == "}" and index > start and source[index - 1] == "}":
            return index + 1
    raise ExpressionError(f"The expression is not closed: ${{{{ without }}}} in: {source}")


def _value(node: Node, scope: _Scope) -> Value:
    match node:
        case Literal(value):
            return value
        case Context(name):
            return scope.contexts[name]
        case Joined(parts):
            return "".join(text(_value(part, scope)) for part in parts)
        case Index(target, key):
            return _indexed(_value(target, scope), key, scope)
        case Operation(operator, sides):
            return _operated(operator, sides, scope)
        case Call(name, arguments):
            return _called(name, arguments, scope)


def _operated(operator: str, sides: tuple[Node, ...], scope: _Scope) -> Value:
    """`&&` and `||` give the side that decided, and evaluate none after it."""
    left = _value(sides[0], scope)
    if operator == "!":
        return not truthy(left)
    if operator in ("&&", "||"):
        for side in sides[1:]:
            if truthy(left) is (operator == "||"):
                break
            left = _value(side, scope)
        return left
    right = _value(sides[1], scope)
    answers: dict[str, Callable[[], bool]] = {
        "==": lambda: equal(left, right),
        "!=": lambda: not equal(left, right),
        "<": lambda: less(left, right),
        ">": lambda: less(right, left),
        "<=": lambda: equal(left, right) or less(left, right),
        ">=": lambda: equal(left, right) or less(right, left),
    }
    return answers[operator]()


def _called(name: str, arguments: tuple[Node, ...], scope: _Scope) -> Value:
    if name in STATUS_FUNCTIONS:
        return name == "always" or bool(getattr(scope.status, name))
    if name == "case":
        return _case(arguments, scope)
    values = [_value(argument, scope) for argument in arguments]
    if name == "hashfiles" and scope.workspace is not None:
        return hash_files(scope.workspace, *values)
    return FUNCTIONS[name][2](*values)


def _case(arguments: tuple[Node, ...], scope: _Scope) -> Value:
    """The value after the first predicate that is true, else the last argument."""
    if len(arguments) % 2 == 0:
        raise ExpressionError("case requires an odd number of arguments")
    for predicate, result in zip(arguments[:-1:2], arguments[1::2], strict=True):
        decided = _value(predicate, scope)
        if not isinstance(decided, bool):
            raise ExpressionError("case predicate must evaluate to a boolean value")
        if decided:
            return _value(result, scope)
    return _value(arguments[-1], scope)


def _indexed(target: Value, key: Node | None, scope: _Scope) -> Value:
    """One property or element; after a wildcard, that of each element which has it."""
    name = _value(key, scope) if key is not None else None
    if isinstance(target, Filtered):
        return Filtered(found for item in target for found in _found(item, name, wildcard=key is None))
    if key is None:
        return Filtered(_found(target, None, wildcard=True))
    return next(iter(_found(target, name, wildcard=False)), None)


def _found(target: Value, name: Value, *, wildcard: bool) -> list[Value]:
    """What a name or the wildcard selects: nothing, one value or all."""
    if isinstance(target, Mapping):
        if wildcard:
            return list(target.values())
        return find(target, text(name)) if is_primitive(name) else []
    if isinstance(target, Sequence) and not isinstance(target, str):
        if wildcard:
            return list(target)
        place = number(name)
        return [target[int(place)]] if 0 <= place < len(target) else []
    return []
