"""Which snapshots the keep-rules keep, and why; which they do not, and why not. Pure: a list in, a list out.

| rule | keeps |
|---|---|
| `keep-last` n | the newest n |
| `keep-hourly`, `-daily`, `-weekly`, `-monthly`, `-yearly` n | the newest of each of the last n hours, days, … |
| `keep-within` span | all that are at most so much older than the newest |

The rules are restic's (`forget`): each rule looks at all snapshots, and one that any rule keeps is kept. Empty hours,
days and so on do not count. Where a rule has room left at the oldest snapshot, it keeps that too, so that a young
history does not lose its beginning. Hours and days are those of UTC; weeks are ISO 8601's: they begin on Monday, and
week 1 of a year is the one with its first Thursday, so the last days of December may belong to the next year's.

The order is that of the chain: by sequence; of two with one sequence the one that the newest grew from is the newer. A
clock that was wrong once moves a snapshot to another day, but not before or behind its neighbours. What was begun more
than `AHEAD` after now is quarantined: kept, and no rule counts it, so that a clock from the future pushes nothing out.
"""

from __future__ import annotations

import calendar
import datetime
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

AHEAD: Final = 25 * 3600  # seconds after now that a snapshot may be dated
_SPAN = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_SECONDS: Final = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
_FORMS: Final = {"hourly": "%Y%m%d%H", "daily": "%Y%m%d", "weekly": "%G%V", "monthly": "%Y%m", "yearly": "%Y"}

LAST: Final = "last"
WITHIN: Final = "within"
FUTURE: Final = "future"  # quarantined
COVERED: Final = "covered"  # a newer one stands for its hour, day, week, month or year
BEYOND: Final = "beyond"  # older than all that the rules keep
OLDEST: Final = "oldest-"  # before a rule's name: its room reaches back to the first


class Rules(msgspec.Struct, frozen=True):
    """How many each rule keeps; `within` is seconds."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: int = 0

    @property
    def any(self) -> bool:
        """Whether there is a rule at all: without one nothing may be judged."""
        return any(msgspec.structs.astuple(self))


class Dated(msgspec.Struct, frozen=True):
    """What the rules need to know of a snapshot. `moment` is when its run began, seconds since 1970."""

    id: str
    sequence: int
    moment: int
    parent: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """A snapshot, whether it is kept, and why. `by` is the newer one that covers it, where one does."""

    snapshot: Dated
    kept: bool
    reasons: list[str]
    by: str = ""


class _Rule(msgspec.Struct):
    name: str
    left: int
    bucket: Callable[[Dated], str]
    seen: dict[str, str] = msgspec.field(default_factory=dict)  # by bucket: the newest of it

    def keeps(self, one: Dated, *, is_oldest: bool) -> str:
        """The reason, if it does."""
        bucket = self.bucket(one)
        if not self.left or (bucket in self.seen and not is_oldest):
            return ""
        reason = self.name if bucket not in self.seen else OLDEST + self.name
        self.seen.setdefault(bucket, one.id)
        self.left -= 1
        return reason


def check(text: str) -> str:
    """The text, if it is a span. Raises ValueError with the rule that it breaks."""
    if not _SPAN.fullmatch(text):
        raise ValueError("a number of hours, days or weeks, such as `12h`, `30d` or `8w`")
    return text


def span(text: str) -> int:
    """Seconds of `12h`, `30d` or `8w`; 0 for "". Raises ValueError for anything else."""
    return int(text[:-1]) * _SECONDS[check(text)[-1]] if text else 0


def moment(id: str) -> int:
    """When a snapshot's run began, by its id, in seconds since 1970. Raises ValueError where that is no time."""
    return calendar.timegm(time.strptime(id[:16], "%Y%m%dT%H%M%SZ"))


def in_order(snapshots: Iterable[Dated]) -> list[Dated]:
    """Newest first, by sequence; of two with one sequence first the one that the newest grew from."""
    found = sorted(snapshots, key=lambda one: (one.sequence, one.moment, one.id), reverse=True)
    by_id = {one.id: one for one in found}
    line: set[str] = set()
    at = found[0].id if found else ""
    while at in by_id and at not in line:
        line.add(at)
        at = by_id[at].parent
    return sorted(found, key=lambda one: (one.sequence, one.id in line, one.moment, one.id), reverse=True)


def judge(snapshots: Sequence[Dated], rules: Rules, now: float) -> list[Verdict]:
    """A verdict for each snapshot of one source, newest first. `now` is seconds since 1970. Raises ValueError.

    `keep-within` counts back from the newest, or from now where that is earlier.
    """
    if not rules.any:
        raise ValueError("no rule says what to keep")
    ordered = in_order(snapshots)
    counted = [one for one in ordered if one.moment <= now + AHEAD]
    within = min(counted[0].moment, now) - rules.within if rules.within and counted else None
    active = _active(rules)
    verdicts: dict[str, Verdict] = {}
    for number, one in enumerate(counted, 1):
        told = [rule.keeps(one, is_oldest=number == len(counted)) for rule in active]
        reasons = [reason for reason in told if reason]
        if within is not None and one.moment >= within:
            reasons.append(WITHIN)
        verdicts[one.id] = Verdict(one, True, reasons) if reasons else _removed(one, active)
    return [verdicts.get(one.id) or Verdict(one, True, [FUTURE]) for one in ordered]


def _active(rules: Rules) -> list[_Rule]:
    by_time = [_Rule(name, getattr(rules, name), _bucket(form)) for name, form in _FORMS.items()]
    return [rule for rule in (_Rule(LAST, rules.last, lambda one: one.id), *by_time) if rule.left]


def _bucket(form: str) -> Callable[[Dated], str]:
    return lambda one: datetime.datetime.fromtimestamp(one.moment, datetime.UTC).strftime(form)


def _removed(one: Dated, active: Sequence[_Rule]) -> Verdict:
    by = next((rule.seen[rule.bucket(one)] for rule in active if rule.bucket(one) in rule.seen), "")
    return Verdict(one, False, [COVERED if by else BEYOND], by)
