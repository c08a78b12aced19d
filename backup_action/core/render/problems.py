"""The problems of a report in the order in which people should read them, as many as there is room for.

The most severe kind stands first, and however many there are of one kind, each kind is shown with at least one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from backup_action.core import escape
from backup_action.core.problem import ALARMS, SEVERITY, STATUS, Kind, Problem, Status
from backup_action.core.report import Report

# Warnings that somebody should look at; the others say the same on every run of a set-up.
ALARMING: Final = frozenset({Kind.DRIFT_MISSING, Kind.DRIFT_REPLACED, Kind.ROOTS_DROPPED}) | ALARMS
_KINDS = {kind.value for kind in Kind}
FACT_LIMIT = 400  # bytes of one fact or name in a text for people; the report file has it whole


class Group(NamedTuple):
    """Some problems of one kind, and how many there are of it in all."""

    kind: Kind
    shown: Sequence[Problem]
    total: int

    @property
    def more(self) -> int:
        """How many are not shown."""
        return max(0, self.total - len(self.shown))


def groups(report: Report, room: int) -> list[Group]:
    """The problems by kind, alarms ahead and the most severe first.

    At most `room` in all, but at least one of each kind that is at hand.
    """
    found: dict[Kind, list[Problem]] = {}
    for problem in report.problems:
        found.setdefault(problem.kind, []).append(problem)
    for name in report.problem_counts:  # a kind may be counted only: the report keeps the first thousand problems
        if name in _KINDS:
            found.setdefault(Kind(name), [])
    kinds = sorted(found, key=lambda kind: (kind not in ALARMS, SEVERITY.index(STATUS[kind])))
    result, left = [], room
    for position, kind in enumerate(kinds):
        later = len(kinds) - position - 1
        shown = found[kind][: max(1, left - later)]
        left -= len(shown)
        result.append(Group(kind, shown, max(report.problem_counts.get(kind.value, 0), len(found[kind]))))
    return result


def warnings(report: Report) -> int:
    """How many warnings there are, of all kinds."""
    return sum(group.total for group in groups(report, room=0) if STATUS[group.kind] is Status.OK)


def is_alarming(report: Report) -> bool:
    """Whether somebody should look at the run although it is a success."""
    return not ALARMING.isdisjoint(report.problem_counts)  # a kind is equal to its value


def quoting(quote: Callable[[str], str]) -> Callable[[str], str]:
    """The quoting with each fact cut to `FACT_LIMIT` before, so that no name fills a text."""
    return lambda text: quote(escape.cut(text, FACT_LIMIT))
