"""The arithmetic: medians of runs, and each tool's time as a multiple of the best peer's in the same row."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Run:
    """One process, measured."""

    wall: float  # seconds
    cpu: float  # seconds, user and system, of the process and of what it waited for
    rss: float  # MiB, the most that one process held
    requests: dict[str, int]  # by the server's counters, what changed
    up: int  # bytes of the bodies that the server got
    down: int  # bytes of the bodies that it sent
    failure: str = ""  # why the run does not count


@dataclass(slots=True)
class Row:
    """One tool in one phase of one set, with all its runs."""

    set: str
    latency: int  # milliseconds before each answer
    phase: str
    tool: str
    is_ours: bool
    runs: list[Run] = field(default_factory=list)

    @property
    def place(self) -> tuple[str, int, str]:
        """What is compared with each other."""
        return self.set, self.latency, self.phase

    def good(self) -> list[Run]:
        """The runs that count."""
        return [run for run in self.runs if not run.failure]

    def median(self, name: str) -> float | None:
        """The median of a figure over the runs that count; None where none does."""
        told = [getattr(run, name) for run in self.good()]
        return statistics.median(told) if told else None


def best(rows: Iterable[Row]) -> dict[tuple[str, int, str], float]:
    """The least median wall time of a peer, by set, latency and phase. A tool with a run that failed is no best."""
    found: dict[tuple[str, int, str], float] = {}
    for row in rows:
        wall = row.median("wall")
        if not row.is_ours and wall is not None and len(row.good()) == len(row.runs):
            found[row.place] = min(wall, found.get(row.place, wall))
    return found


def ratio(row: Row, bests: dict[tuple[str, int, str], float]) -> float | None:
    """The row's median as a multiple of the best peer's; None where one of them is not known."""
    wall, least = row.median("wall"), bests.get(row.place)
    return wall / least if wall is not None and least else None


def told(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as results.json has them: every run, then medians and the ratio, rounded to what a clock can tell."""
    bests = best(rows)
    return [
        {
            "set": row.set,
            "latency_ms": row.latency,
            "phase": row.phase,
            "tool": row.tool,
            "ours": row.is_ours,
            "median": {name: _rounded(row.median(name)) for name in ("wall", "cpu", "rss", "up", "down")},
            "requests": row.good()[-1].requests if row.good() else {},
            "ratio": _rounded(ratio(row, bests)),
            "runs": [_told(run) for run in row.runs],
        }
        for row in rows
    ]  # fmt: skip


def _told(run: Run) -> dict[str, Any]:
    return asdict(run) | {name: _rounded(getattr(run, name)) for name in ("wall", "cpu", "rss")}


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows for a terminal."""
    head = (
        f"{'set':16} {'phase':8} {'tool':14} {'wall s':>8} {'x best':>7} {'cpu s':>8} {'MiB':>6} {'MB up':>9}  requests"
    )
    lines = [head]
    for row in rows:
        median = row["median"]
        if median["wall"] is None:
            lines.append(f"{label(row):16} {row['phase']:8} {row['tool']:14} failed: {row['runs'][-1]['failure']}")
            continue
        times = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
        asked = " ".join(f"{kind}={count}" for kind, count in row["requests"].items())
        lines.append(
            f"{label(row):16} {row['phase']:8} {row['tool']:14} {median['wall']:8.2f} {times:>7} {median['cpu']:8.2f} "
            f"{median['rss']:6.0f} {median['up'] / 1e6:9.1f}  {asked}"
        )
    return "\n".join(lines)


def label(row: dict[str, Any]) -> str:
    """The set's name, with the latency where there is one."""
    return f"{row['set']}, {row['latency_ms']} ms" if row["latency_ms"] else str(row["set"])
