"""The values of GitHub's expressions: how they become text and numbers, and how they compare.

The rules are those of the runner's expression library (actions/runner, src/Sdk/DTExpressions2, EvaluationResult and
ExpressionUtility): like JavaScript's loose comparison, but text is compared without regard to case, and objects are
equal only to themselves.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = "bool | int | float | str | Mapping[str, Value] | Sequence[Value] | None"

WHITESPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What .NET trims. Python's `strip` also takes U+001C to U+001F, which .NET keeps."""

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SYMBOL = re.compile(r"[+-]?(?:infinity|nan)", re.IGNORECASE)
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_OCTAL = re.compile(r"0o[0-7]+")
_NOT_FOLDED = "\u0131\u017f"  # .NET's ordinal comparison leaves the dotless i and the long s as they are


class ExpressionError(ValueError):
    """An expression that cannot be read or evaluated; the text is for people."""


class CaseSensitive(dict[str, Value]):
    """An object whose names are matched exactly: the `env` context on Linux. All others disregard case."""


class Filtered(list[Value]):
    """What `.*` gives: a further property is taken of each element instead of the array."""


def is_primitive(value: Value) -> bool:
    """Whether the value is neither an object nor an array."""
    return value is None or isinstance(value, bool | int | float | str)


def number(value: Value) -> float:
    """The value as a number, NaN where there is none (any object, any array, text that is no number)."""
    if value is None:
        return 0.0
    if isinstance(value, bool | int | float):
        return float(value)
    return parse_number(value) if isinstance(value, str) else math.nan


def parse_number(source: str) -> float:
    """Text as a number: decimal with exponent, 0x and 0o of at most 32 bits (signed), Infinity; empty text is 0."""
    source = source.strip(WHITESPACE)
    if not source:
        return 0.0
    if _DECIMAL.fullmatch(source) or _SYMBOL.fullmatch(source):
        return float(source)
    if _HEX.fullmatch(source):
        return _signed_32_bits(int(source[2:], 16))
    if _OCTAL.fullmatch(source):
        return _signed_32_bits(int(source[2:], 8))
    return math.nan


def _signed_32_bits(unsigned: int) -> float:
    if unsigned >= 1 << 32:
        return math.nan
    return float(unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned)


def format_number(value: float) -> str:
    """A number as text, with 15 significant digits: .NET's format G15."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return format(value, ".15g").replace("e", "E")


def text(value: Value) -> str:
    """The value as text; null is empty, an object is `Object`, an array is `Array`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return format_number(float(value))
    if isinstance(value, str):
        return value
    return "Object" if isinstance(value, Mapping) else "Array"


def truthy(value: Value) -> bool:
    """False for null, false, 0, NaN and empty text; every object and array is true."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value != 0 and not math.isnan(value)
    return value != "" if isinstance(value, str) else value is not None


def fold(source: str) -> str:
    """Text for a comparison that disregards case: each character's own capital, never two characters for one."""
    return "".join(
        character if character in _NOT_FOLDED or len(character.upper()) != 1 else character.upper()
        for character in source
    )


def equal(left: Value, right: Value) -> bool:
    """Whether the two are loosely equal (`==`)."""
    left, right = _coerced(left, right)
    if _kind(left) != _kind(right):
        return False
    if isinstance(left, str) and isinstance(right, str):
        return fold(left) == fold(right)
    if is_primitive(left):
        return left == right
    return left is right


def less(left: Value, right: Value) -> bool:
    """Whether left is smaller (`<`); false when the two have no order."""
    left, right = _coerced(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return _units(left) < _units(right)
    if isinstance(left, bool | int | float) and isinstance(right, bool | int | float):
        return left < right
    return False


def _units(source: str) -> bytes:
    return fold(source).encode("utf-16-be", "surrogatepass")  # .NET orders text by its UTF-16 code units


def _kind(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, int | float | str):
        return "string" if isinstance(value, str) else "number"
    return "object" if isinstance(value, Mapping) else "array"


def _coerced(left: Value, right: Value) -> tuple[Value, Value]:
    """Both sides as one kind where the rules allow it: primitives of different kinds become numbers."""
    kinds = {_kind(left), _kind(right)}
    if len(kinds) == 1 or kinds == {"object", "array"}:
        return left, right
    if kinds <= {"null", "boolean", "number", "string"}:
        return number(left), number(right)
    return (number(left) if is_primitive(left) else left), (number(right) if is_primitive(right) else right)


def find(holder: Mapping[str, Value], name: str) -> list[Value]:
    """The property of that name in a list, or an empty list when there is none."""
    if name in holder:
        return [holder[name]]
    if isinstance(holder, CaseSensitive):
        return []
    folded = fold(name)
    return [value for key, value in holder.items() if fold(key) == folded][:1]


def to_json(value: Value, indent: str = "") -> str:
    """The value as JSON, laid out as `toJSON` does: two blanks of indentation, text not escaped beyond need."""
    deeper = indent + "  "
    if isinstance(value, str):
        return quote(value)
    if is_primitive(value):
        return "null" if value is None else text(value)
    if isinstance(value, Mapping):
        items = [f"{deeper}{quote(key)}: {to_json(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}" if items else "{}"
    items = [deeper + to_json(item, deeper) for item in value] if isinstance(value, Sequence) else []
    return "[\n" + ",\n".join(items) + f"\n{indent}]" if items else "[]"


def quote(source: str) -> str:
    """Text as a JSON string with the escapes that the runner's JSON library writes."""
    quoted = json.dumps(source, ensure_ascii=False)
    for character in "\x85\u2028\u2029":
        quoted = quoted.replace(character, f"\\u{ord(character):04x}")
    return quoted


def from_json(source: str) -> Value:
    """The value of a JSON text. Raises ExpressionError."""
    try:
        value: Value = json.loads(source, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"Error parsing fromJson: {error}") from None
    return value
