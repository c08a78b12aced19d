"""What was before this run: a chart of recent runs for the summary, and how far back the history reaches.

The chart is Mermaid's `xychart-beta`, which GitHub draws. In it are numbers, dates and words of ours, no name from
outside: an id that is not of the shape of one is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from backup_action.core import recent
from backup_action.core.recent import PastRun
from backup_action.core.render import numbers
from backup_action.core.report import Report
from backup_action.core.wording import Language, word

_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
_SPANS: Final = (("hours", 3600), ("minutes", 60), ("seconds", 1))
_SIZES: Final = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1))
_LABELS: Final = ((5, 10), (5, 16), (5, 19))  # of 2026-11-22T18:00:00Z: month and day; and the time; and its seconds
_NARROW: Final = 700  # Mermaid's own width; labels of many runs would lie upon each other
_FONT: Final = 10  # of the labels
_LETTER: Final = 6  # Mermaid's units that a letter of that font takes
_GAP: Final = 2  # letters between two labels
_HEIGHT: Final = 260  # and a wide chart is as high as a fifth of its width: a page makes it narrow again


def blocks(report: Report, language: Language) -> Iterator[str]:
    """The summary's part: how far the history reaches, and the charts where there are two runs or more."""
    told = list(lines(report, language))
    runs = [run for run in report.recent if re.fullmatch(recent.ID, run.id)][-recent.KEPT :]
    if told or len(runs) > 1:
        yield f"### {word('history', language)}"
    yield from (f"- {line}" for line in told)
    if len(runs) > 1:
        seconds, sizes = [run.seconds for run in runs], [run.bytes_sent for run in runs]
        span, sizing = _unit(seconds, _SPANS), _unit(sizes, _SIZES)
        unit = word(span[0], language)
        yield _chart(word("chart-duration", language, unit=unit), runs, [n / span[1] for n in seconds])
        yield _chart(word("chart-sent", language, unit=sizing[0]), runs, [n / sizing[1] for n in sizes])


def lines(report: Report, language: Language) -> Iterator[str]:
    """How many snapshots there are since when, and how older content is kept; the latter once the bucket has told."""
    if since := reach(report, language):
        yield since
        if report.snapshot:
            yield word(f"history-{_way(report)}", language)


def reach(report: Report, language: Language) -> str:
    """How many snapshots of this source the bucket keeps since when; or nothing."""
    kept = report.kept
    if kept is None or not re.fullmatch(_DATE, kept.oldest_at):
        return ""
    since = f"{kept.oldest_at[:10]} {kept.oldest_at[11:16]} UTC"
    return word("kept-line", language, count=numbers.count(kept.snapshots), since=since)


def _way(report: Report) -> str:
    if report.target.layout == "vault":
        return "packs"
    if report.target.versioning == "Enabled":
        return "versions"
    return "none" if report.target.history == "none" else "copies"


def _unit(values: Sequence[float], units: tuple[tuple[str, int], ...]) -> tuple[str, int]:
    """The largest unit of which a usual run has one at least: of many, the first, which sends all, is not usual."""
    told = sorted(value for value in values if value) or [0]
    usual = told[len(told) // 2]
    return next((unit for unit in units if usual >= unit[1]), units[-1])


def _chart(title: str, runs: list[PastRun], values: list[float]) -> str:
    """A chart of bars from zero, which Mermaid by itself would cut at the lowest."""
    labels = _labels(runs)
    width = max(_NARROW, len(labels) * (len(labels[0]) + _GAP) * _LETTER)
    top = max(max(values) * 1.1, 0.1)
    named, drawn = ", ".join(f'"{label}"' for label in labels), ", ".join(f"{value:.1f}" for value in values)
    text = [
        "---",
        "config:",
        "  xyChart:",
        f"    width: {width}",
        f"    height: {max(_HEIGHT, width // 5)}",
        "    xAxis:",
        f"      labelFontSize: {_FONT}",
        "---",
        "xychart-beta",
        f'    title "{title}"',
        f"    x-axis [{named}]",
        f"    y-axis 0 --> {top:.1f}",
        f"    bar [{drawn}]",
    ]
    return "\n".join(["```mermaid", *text, "```"])


def _labels(runs: list[PastRun]) -> list[str]:
    """A date for each run, as short as can be: Mermaid draws two bars of one label upon each other."""
    moments = [recent.moment(run.id) for run in runs]
    for start, end in _LABELS:
        labels = [moment[start:end].replace("T", " ") for moment in moments]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{label} #{number}" for number, label in enumerate(labels, 1)]
