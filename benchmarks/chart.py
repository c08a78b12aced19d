"""Draws results.json as an SVG: for each set and phase one group, in it one bar for each tool.

    python benchmarks/chart.py benchmarks/results.json benchmarks/chart.svg

A bar is the median wall time as a multiple of the best peer's, whose bar ends at the line `1×`; shorter is faster.
Seconds and multiple stand behind it. Bars longer than the scale have a gap before their end. The picture brings its
own background, light or dark as the reader's system is; all texts from the results are escaped.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from figures import label

WIDTH, LEFT, RIGHT = 860, 250, 190  # pixels: all, before the bars, behind them
BAR, GAP, GROUP = 14, 3, 16  # pixels: height, between bars, between groups
TOP, BOTTOM = 84, 64
MOST = 4.0  # times the best peer: where the scale ends
TITLE = "Time of a backup and of a restore, beside other tools"

Group = tuple[tuple[str, str], list[dict[str, Any]]]
"""Set and phase, and the rows of its tools."""

UNIT = "1× is the best peer's, shorter is faster"

STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de; }
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; }
  .group { font-weight: 600; }
  .quiet { fill: #59636e; }
  .ours { fill: #0969da; }
  .peer { fill: #afb8c1; }
  .one { stroke: #1a7f37; stroke-width: 1.5; stroke-dasharray: 4 3; }
  .cut { fill: #ffffff; }
  .figure { stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; paint-order: stroke; }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d; }
    text { fill: #f0f6fc; }
    .quiet { fill: #9198a1; }
    .ours { fill: #4493f8; }
    .peer { fill: #656c76; }
    .one { stroke: #3fb950; }
    .cut { fill: #0d1117; }
    .figure { stroke: #0d1117; }
  }
"""


def plain(text: object) -> str:
    """A text from the results: no character that XML forbids or that turns others around, and none that is markup."""
    shown = "".join("?" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") else c for c in str(text))
    return escape(shown, {'"': "&quot;", "'": "&#39;"})


def drawn(results: dict[str, Any]) -> str:
    """The picture, as one SVG document."""
    rows = results["rows"]
    groups = [(name, list(members)) for name, members in groupby(rows, key=lambda row: (label(row), row["phase"]))]
    body, top = [], TOP
    for (name, phase), members in groups:
        body.append(_text(16, top + BAR - 2, f"{name}: {phase}", "group"))
        for row in members:
            body += _bar(row, top)
            top += BAR + GAP
        top += GROUP
    height = top + BOTTOM - GROUP
    return "\n".join([*_head(results, groups, height), *_scale(top - GROUP), *body, *_foot(results, top), "</svg>", ""])


def _head(results: dict[str, Any], groups: Sequence[Group], height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="title description">',
        f'<title id="title">{plain(TITLE)}</title>',
        f'<desc id="description">{plain(described(results, groups))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
        _text(16, 30, TITLE, "title"),
        _text(16, 50, f"Median wall time, runs: {results['runs']}; {UNIT}", "quiet"),
    ]


def described(results: dict[str, Any], groups: Sequence[Group]) -> str:
    """The same in words, for those who do not see it."""
    told = [f"Median wall times of {results['runs']} runs."]
    for (name, phase), members in groups:
        told.append(f"{name}, {phase}: " + ", ".join(f"{row['tool']} {_figures(row)}" for row in members) + ".")
    return " ".join(told)


def _scale(bottom: int) -> list[str]:
    lines = []
    for times in range(int(MOST) + 1):
        x = _x(times)
        lines.append(_text(x, TOP - 10, f"{times}×", "quiet", "middle"))
        if times == 1:
            lines.append(f'<line class="one" x1="{x:g}" y1="{TOP - 5}" x2="{x:g}" y2="{bottom}"/>')
    return lines


def _x(times: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * times / MOST, 1)


def _bar(row: dict[str, Any], top: int) -> list[str]:
    """The tool's name, its bar where there is a ratio, and its figures."""
    kind = "ours" if row["ours"] else "peer"
    parts, end = [_text(LEFT - 8, top + BAR - 3, row["tool"], "" if row["ours"] else "quiet", "end")], _x(0)
    if row["ratio"] is not None:
        end = _x(min(row["ratio"], MOST))
        parts.append(
            f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{max(end - LEFT, 1):g}" height="{BAR}" rx="2"/>'
        )
        if row["ratio"] > MOST:
            parts.append(f'<rect class="cut" x="{end - 14:g}" y="{top}" width="4" height="{BAR}"/>')
    return [*parts, _text(end + 6, top + BAR - 3, _figures(row), "figure")]


def _figures(row: dict[str, Any]) -> str:
    if row["median"]["wall"] is None:
        return "failed"
    times = "" if row["ratio"] is None else f" · {row['ratio']:.2f}×"
    failed = sum(1 for run in row["runs"] if run["failure"])
    return f"{row['median']['wall']:.2f} s{times}" + (f", {failed} runs failed" if failed else "")


def _foot(results: dict[str, Any], top: int) -> list[str]:
    machine = results["machine"]
    facts = f"{results['date']}; {machine['cores']} cores, {machine['kernel']}, Python {machine['python']}; on loopback"
    versions = "; ".join(f"{name}: {version}" for name, version in results["versions"].items())
    absent = f"; left out: {', '.join(results['left_out'])}" if results["left_out"] else ""
    return [_text(16, top + 18, facts, "quiet"), _text(16, top + 36, f"{versions}{absent}", "quiet")]


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{named} text-anchor="{anchor}">{plain(text)}</text>'


def main(words: Sequence[str]) -> int:
    """Reads the results, writes the picture."""
    if len(words) != 2:
        sys.stderr.write("usage: python benchmarks/chart.py RESULTS.json CHART.svg\n")
        return 2
    Path(words[1]).write_text(drawn(json.loads(Path(words[0]).read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
