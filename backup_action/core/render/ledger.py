"""How the runs of the last thirty days did, against what is wished: two lines of a summary, one of a message.

In them are numbers and words of ours alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from backup_action.core.ledger import Standing
from backup_action.core.render import numbers
from backup_action.core.report import Report
from backup_action.core.wording import Language, word

_MET, _MISSED = "✅", "⚠️"


def blocks(report: Report, language: Language) -> Iterator[str]:
    """The summary's part: a heading, and a line for each figure that is known."""
    told = list(_figures(report.ledger, language)) if report.ledger else []
    if told:
        yield f"### {word('ledger', language)}"
    yield from (f"- {_MISSED if is_missed else _MET} {text}" for text, is_missed in told)


def line(report: Report, language: Language) -> str:
    """The message's part: both figures; a sign where one is missed. Nothing where none is known."""
    told = list(_figures(report.ledger, language)) if report.ledger else []
    return word("semicolon", language).join(f"{text} {_MISSED}" if is_missed else text for text, is_missed in told)


def _figures(standing: Standing, language: Language) -> Iterator[tuple[str, bool]]:
    """Each figure with its wish, and whether it misses that."""
    if not standing.runs:
        return
    counts = {"successes": numbers.count(standing.successes), "runs": numbers.count(standing.runs)}
    rate = word("ledger-rate", language, rate=standing.rate, **counts)
    wish = word("ledger-wish-rate", language, wish=str(standing.wish_rate)) if standing.wish_rate else ""
    yield rate + wish, standing.misses_rate
    if standing.p95_seconds is not None:
        p95 = word("ledger-p95", language, time=numbers.duration(standing.p95_seconds, language))
        wish = word("ledger-wish-minutes", language, wish=str(standing.wish_minutes)) if standing.wish_minutes else ""
        yield p95 + wish, standing.misses_minutes
