"""A shard: one of several runs that share a backup, which paths are its own, and what it hands on.

A path is in just one of n shards: the one whose number is the first eight bytes of the SHA-256 of the path, as it is
below the prefix, modulo n, and one (`core.verification.Share`). So the split depends on no machine, order or content,
and a path stays with its shard from run to run.

What a shard hands on (format `oss-backup-shard/1`) is its entries, a snapshot in all but the name of its format, and a
`Part`, one JSON document, which is written last and names the digest of the entries. All shards scan every path, so
that what the scan met stands in each part, under `scan`; what came of a shard's own paths stands under `own`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Annotated, Final

import msgspec

from backup_action.core import escape
from backup_action.core.alarm import Counted
from backup_action.core.place import Root
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.reread import CIRCLE
from backup_action.core.snapshot import Parent
from backup_action.core.tally import Sums, Tally
from backup_action.core.verification import Share

FORMAT: Final = "oss-backup-shard/1"
MOST: Final = 256  # shards: the jobs that one matrix of GitHub may have
RUN: Final = "shards/"  # begins what a lease says in place of a snapshot's id
_SHARD = re.compile(r"([0-9]{1,3})/([0-9]{1,3})")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Unreadable(ValueError):
    """The bytes are no part that this program knows; the text says why."""


class Met(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Problems: how many of each kind, and the first of them."""

    counts: dict[Kind, int]
    problems: list[Problem]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one shard hands on, besides its entries. `attempt` is from 1: a shard that is run again hands on anew."""

    format: str
    id: str  # of the entries' head
    group: str
    number: Annotated[int, msgspec.Meta(ge=1, le=MOST)]
    of: Annotated[int, msgspec.Meta(ge=1, le=MOST)]
    source: str
    layout: str
    roots: list[Root]
    parent: Parent | None
    rules: str  # digest of the settings that say what is taken
    began: float  # seconds since 1970, by OSS's clock
    digest: str  # of the entries
    complete: bool
    goes_on: int  # where the next run's re-read begins, as far as this shard came
    within: int  # runs in which every file is read again
    too_large: int
    unread: int  # places that the scan could not look at
    scan: Met
    own: Met
    sums: Sums
    census: Counted

    @property
    def share(self) -> Share:
        """Which paths are its own."""
        return Share(self.number, self.of)


def check(text: str) -> str:
    """The rule of the setting `shard`: `2/8`. Raises ValueError."""
    told = _SHARD.fullmatch(text)
    if told is None or not 1 <= int(told[1]) <= int(told[2]) <= MOST:
        raise ValueError("`n/t`, the n-th of t shards, such as `2/8`, with t up to 256")
    return f"{int(told[1])}/{int(told[2])}"


def share(text: str) -> Share | None:
    """The share that a checked text means; None for "", which is everything."""
    number, _, of = text.partition("/")
    return Share(int(number), int(of)) if text else None


def group(text: str) -> str:
    """The rule of the name that the shards of one run have in common. Raises ValueError."""
    if not _GROUP.fullmatch(text):
        raise ValueError("1 to 64 letters, digits, dots, hyphens and underscores, beginning with a letter or digit")
    return text


def encode(part: Part) -> bytes:
    """The part as one line of JSON."""
    return msgspec.json.encode(part) + b"\n"


def decode(data: bytes) -> Part:
    """Reads `encode`'s bytes. Raises Unreadable."""
    try:
        told = msgspec.json.decode(data)
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise Unreadable(f"it is not of the format {FORMAT}")
        part = msgspec.json.decode(data, type=Part)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from None
    if part.number > part.of or len(part.sums.roots) != len(part.roots):
        raise Unreadable("its numbers do not fit together")
    return part


def refuse_missing(group: str, totals: Collection[int], begun: Collection[int], ended: Collection[int]) -> None:
    """Raises Stop unless every shard of a group has ended. `totals`: of how many each says that it is one."""
    if not totals:
        raise Stop(Kind.SHARDS_MISSING, group, cause="none")
    if len(set(totals)) > 1:
        told = " and ".join(str(of) for of in sorted(set(totals)))
        raise Stop(Kind.SHARDS_DIFFER, group, what="shard", given=told)
    (of,) = set(totals)
    missing = [number for number in range(1, of + 1) if number not in ended]
    if missing:
        cut = [number for number in missing if number in begun]
        raise Stop(Kind.SHARDS_MISSING, group, missing=ranges(missing), total=of, begun=ranges(cut) if cut else None)


def refuse_different(parts: Sequence[Part]) -> None:
    """Raises Stop where parts of one group are not about the same: then they make no snapshot together."""
    first = parts[0]
    for part in parts:
        for what, one, other in (
            ("paths", first.roots, part.roots),
            ("exclude, include, follow-symlinks", first.rules, part.rules),
            ("parent", first.parent, part.parent),
        ):
            if one != other:
                raise Stop(Kind.SHARDS_DIFFER, first.group, what=what, given=f"{first.number} and {part.number}")


def goes_on(parts: Sequence[Part], start: int) -> int:
    """Where the next run's re-read begins: as far as all shards came from where this run's began."""
    return min((part.goes_on for part in parts), key=lambda end: (end - start) % CIRCLE)


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in their order as people write them: `2, 5-7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def met(tally: Tally, before: Met | None = None) -> Met:
    """What a run has met so far, or since `before`."""
    counts = Counter({Kind(kind): count for kind, count in tally.problem_counts.items()})
    known = before or Met({}, [])
    counts.subtract(known.counts)
    told = [_plain(problem) for problem in tally.problems[len(known.problems) :]]
    return Met({kind: count for kind, count in counts.items() if count}, told)


def together(parts: Sequence[Part]) -> Met:
    """What all shards met: their scans looked at the same, so that of each kind the most counts, and the rest adds up.

    What several scans tell of is told once.
    """
    counts: Counter[Kind] = Counter()
    for part in parts:
        counts |= Counter(part.scan.counts)
    for part in parts:
        counts += Counter(part.own.counts)
    scans = {(one.kind, one.where): one for part in parts for one in part.scan.problems}
    return Met(dict(counts), [*scans.values(), *(one for part in parts for one in part.own.problems)])


def _plain(problem: Problem) -> Problem:
    """The same, of text that JSON can hold."""
    facts = {name: escape.encodable(fact) for name, fact in problem.facts.items()}
    return Problem(problem.kind, escape.encodable(problem.where), facts)
