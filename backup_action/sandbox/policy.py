"""The RAM policy language, as far as the sandbox needs it. Pure: values in, a verdict out.

Promises:
- an explicit Deny wins, wherever it stands; what no statement allows is refused;
- of several policies (a role's and a session's) every one must allow: a session policy only ever takes rights away;
- whatever is not in the tables below is a `PolicyError`, never a guess: a policy that works here has no typing error.

Values of one key are OR, keys and operators are AND. Whether RAM takes an absent key for unequal is not documented, so
a negated operator then goes against the request: a Deny applies, an Allow does not. Sources: Alibaba Cloud help pages
"Policy structure and syntax" (93739), "Policy elements" (93738), "How OSS works with RAM", "AssumeRoleWithOIDC".
"""

from __future__ import annotations

import enum
import functools
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import eq, ge, gt, is_, le, lt
from typing import Any

ASSUME = "sts:AssumeRole"  # the action of a trust policy, for a login by OIDC too

_ACTION = re.compile(r"\*|[a-z0-9-]+:[A-Za-z0-9*?]+")
_RESOURCE = re.compile(r"\*|acs:[a-z0-9*-]+:[^:]*:[^:]*:.+", re.DOTALL)
_PROVIDER = re.compile(r"acs:ram::\d+:oidc-provider/[A-Za-z0-9._-]+")
_REQUEST_KEY = re.compile(
    r"acs:(SourceIp|SourceVpc|SecureTransport|UserAgent|CurrentTime)"
    r"|oss:(Prefix|Delimiter|x-oss-object-acl|(ExistingObjectTag|RequestObjectTag)/.+)"
)
_TRUST_KEY = re.compile(r"oidc:(iss|aud|sub)")  # no other claim of the token can be asked for


class PolicyError(Exception):
    """A policy is not one that RAM, or this evaluator, understands; the text says where and why."""


class Verdict(enum.Enum):
    """What a policy says to a request; RAM's own words for the two refusals."""

    ALLOW = "Allow"
    EXPLICIT_DENY = "ExplicitDeny"
    IMPLICIT_DENY = "ImplicitDeny"


@dataclass(frozen=True, slots=True)
class _Names:
    """The globs of an element, or of its `Not…` form."""

    globs: tuple[str, ...]
    inverted: bool = False
    ignore_case: bool = False

    def cover(self, name: str) -> bool:
        return any(_like(name, glob, self.ignore_case) for glob in self.globs) is not self.inverted


@dataclass(frozen=True, slots=True)
class _Operator:
    read: Callable[[str], Any]  # raises ValueError or KeyError
    holds: Callable[[Any, Any], bool]  # of the request's value and the policy's
    negated: bool = False


@dataclass(frozen=True, slots=True)
class _Condition:
    operator: _Operator
    key: str
    values: tuple[Any, ...]

    def holds(self, given: Mapping[str, str], *, unknown: bool) -> bool:
        try:
            value = self.operator.read(given[self.key])
        except (KeyError, ValueError):  # absent, or not of the operator's type
            return unknown and self.operator.negated
        return any(self.operator.holds(value, wanted) for wanted in self.values) is not self.operator.negated


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, read."""

    deny: bool
    actions: _Names
    targets: _Names  # resources, or in a trust policy the OIDC providers
    conditions: tuple[_Condition, ...]

    def applies(self, action: str, target: str, given: Mapping[str, str]) -> bool:
        """Whether it has anything to say to such a request."""
        named = self.actions.cover(action) and self.targets.cover(target)
        return named and all(condition.holds(given, unknown=self.deny) for condition in self.conditions)


def allowed(policies: tuple[dict[str, Any], ...], action: str, resource: str, conditions: Mapping[str, str]) -> bool:
    """Whether every policy allows it; none at all stand for the owner, who may do everything. Raises PolicyError."""
    verdicts = (_judge(_known(json.dumps(policy)), action, resource, conditions) for policy in policies)
    return all(verdict is Verdict.ALLOW for verdict in verdicts)


def trusts(policy: dict[str, Any], provider: str, conditions: Mapping[str, str]) -> Verdict:
    """What a trust policy says to a login through this provider; conditions: oidc:iss, aud, sub. Raises PolicyError."""
    return _judge(read(policy, trust=True), ASSUME, provider, conditions)


def read(policy: object, *, trust: bool = False) -> list[Statement]:
    """The grammar check: raises PolicyError, which names the place, for anything that is not understood."""
    document = _object(policy, "the policy", {"Version", "Statement"})
    if document.get("Version") != "1":
        raise PolicyError(f'Version must be "1", not {document.get("Version")!r}')
    statements = document.get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    if not listed:
        raise PolicyError("Statement is empty")
    return [_statement(item, f"Statement[{number}]", trust) for number, item in enumerate(listed)]


@functools.lru_cache(maxsize=64)
def _known(text: str) -> list[Statement]:
    """Reading a policy takes ten times as long as judging by it, and every request of OSS is judged."""
    return read(json.loads(text))


def _judge(statements: list[Statement], action: str, target: str, given: Mapping[str, str]) -> Verdict:
    denials = [statement.deny for statement in statements if statement.applies(action, target, given)]
    if any(denials):
        return Verdict.EXPLICIT_DENY
    return Verdict.ALLOW if denials else Verdict.IMPLICIT_DENY


def _statement(given: object, where: str, trust: bool) -> Statement:
    target = {"Principal"} if trust else {"Resource", "NotResource"}
    statement = _object(given, where, {"Effect", "Action", "NotAction", "Condition"} | target)
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"{where}.Effect must be Allow or Deny, not {statement.get('Effect')!r}")
    return Statement(
        deny=statement["Effect"] == "Deny",
        actions=_names(statement, where, "Action"),
        targets=_names(statement, where, "Principal" if trust else "Resource"),
        conditions=_conditions(statement.get("Condition", {}), f"{where}.Condition", trust),
    )


def _names(statement: dict[str, Any], where: str, name: str) -> _Names:
    if name == "Principal":
        principal = _object(statement.get(name), f"{where}.{name}", {"Federated"})
        return _Names(_texts(principal.get("Federated"), f"{where}.{name}.Federated", _PROVIDER))
    present = [key for key in (name, f"Not{name}") if key in statement]
    if len(present) != 1:
        raise PolicyError(f"{where} needs {name} or Not{name}, and not both")
    globs = _texts(statement[present[0]], f"{where}.{present[0]}", _ACTION if name == "Action" else _RESOURCE)
    return _Names(globs, inverted=present[0] != name, ignore_case=name == "Action")


def _conditions(given: object, where: str, trust: bool) -> tuple[_Condition, ...]:
    grammar = _TRUST_KEY if trust else _REQUEST_KEY
    found = []
    for name, keys in _object(given, where, OPERATORS.keys()).items():
        for key, values in _object(keys, f"{where}.{name}").items():
            place = f"{where}.{name}[{key!r}]"
            if not grammar.fullmatch(key):
                raise PolicyError(f"{place}: no such condition key in a {'trust' if trust else 'permission'} policy")
            if key == "oidc:iss" and name != "StringEquals":
                raise PolicyError(f"{place}: oidc:iss can be asked for by StringEquals only")
            found.append(_Condition(OPERATORS[name], key, _values(values, place, OPERATORS[name].read)))
    return tuple(found)


def _values(given: object, where: str, read_value: Callable[[str], Any]) -> tuple[Any, ...]:
    listed = given if isinstance(given, list) else [given]
    texts = [str(value).lower() if isinstance(value, bool | int | float) else value for value in listed]
    try:
        return tuple(read_value(text) for text in _texts(texts, where))
    except (KeyError, ValueError):
        raise PolicyError(f"{where} has a value that is not of the operator's type: {given!r}") from None


def _object(given: object, where: str, known: Any = None) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise PolicyError(f"{where} must be an object, not {given!r}")
    for key in given:
        if known is not None and key not in known:
            raise PolicyError(f"{where} has an unknown element {key!r}; known are {', '.join(sorted(known))}")
    return given


def _texts(given: object, where: str, grammar: re.Pattern[str] | None = None) -> tuple[str, ...]:
    listed = given if isinstance(given, list) else [given]
    if not listed:
        raise PolicyError(f"{where} is empty")
    for text in listed:
        if not isinstance(text, str) or "${" in text or (grammar and not grammar.fullmatch(text)):
            raise PolicyError(f"{where} has a value that is not understood: {text!r}")
    return tuple(listed)


@functools.lru_cache(maxsize=4096)
def _glob(glob: str, ignore_case: bool) -> re.Pattern[str]:
    """`*` and `?` and nothing else (fnmatch would know `[a]` too); atomic, so that no glob takes exponential time."""
    first, *rest = (re.escape(piece).replace(r"\?", ".") for piece in re.split(r"\*+", glob))
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1])
    last = f".*{rest[-1]}" if rest else ""
    return re.compile(first + middle + last, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _like(given: str, glob: str, ignore_case: bool = False) -> bool:
    return _glob(glob, ignore_case).fullmatch(given) is not None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        raise ValueError("no number")
    return Decimal(text)


def _within(given: Any, wanted: Any) -> bool:
    return bool(given.version == wanted.version and given.subnet_of(wanted))


_truth = {"true": True, "false": False}.__getitem__  # raises KeyError
_network = functools.partial(ipaddress.ip_network, strict=False)  # an address is a network of one
_ORDERED = {"Equals": eq, "LessThan": lt, "LessThanEquals": le, "GreaterThan": gt, "GreaterThanEquals": ge}
OPERATORS: dict[str, _Operator] = {
    "StringEquals": _Operator(str, eq),
    "StringNotEquals": _Operator(str, eq, negated=True),
    "StringEqualsIgnoreCase": _Operator(str.casefold, eq),
    "StringNotEqualsIgnoreCase": _Operator(str.casefold, eq, negated=True),
    "StringLike": _Operator(str, _like),
    "StringNotLike": _Operator(str, _like, negated=True),
    "Bool": _Operator(_truth, is_),
    "IpAddress": _Operator(_network, _within),
    "NotIpAddress": _Operator(_network, _within, negated=True),
    "NumericNotEquals": _Operator(_number, eq, negated=True),
    "DateNotEquals": _Operator(_moment, eq, negated=True),
    **{f"Numeric{name}": _Operator(_number, holds) for name, holds in _ORDERED.items()},
    **{f"Date{name}": _Operator(_moment, holds) for name, holds in _ORDERED.items()},
}
