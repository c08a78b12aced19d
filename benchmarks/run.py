"""Measures our program beside its peers, in turn, against one loopback object store, and writes results and chart.

    python benchmarks/run.py --sets small,mixed,big,append --runs 3 --out benchmarks/results.json

The Python must be one that has the program, such as that of `sh install/setup.sh --dev`; rustc builds the server. A set
may have a latency: `small@20` answers each request 20 ms late. Each run of a tool begins with an empty server and an
empty home; its phases follow each other:

    fresh    a first backup
    noop     nothing has changed
    touch    every file has a new time of change, and the same bytes
    append   the set `append` grows
    restore  into an empty folder, with an empty home; what is restored is compared, byte by byte

README.md says how to read the results. Peers that are not there are left out, and named in the results.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chart
import figures
import sets
import tools
from figures import Row
from measure import PHASES, journey
from server import Missing, build, serving
from tools import Tool

HERE = Path(__file__).resolve().parent
UNITS = {"wall": "s", "cpu": "s", "rss": "MiB", "up": "bytes", "down": "bytes", "ratio": "x the best peer's wall"}


def compare(arguments: argparse.Namespace, chosen: Sequence[Tool], folder: Path) -> list[Row]:
    """All rows: the tools take turns, in another order in each round, so that drift of the machine hits them alike."""
    program = build(folder)
    rows: dict[tuple[str, str, str], Row] = {}
    for told in arguments.sets:
        name, _, latency = told.partition("@")
        source = folder / "sources" / name
        if not source.exists():
            _make(source, name, arguments.scale)
        phases = [p for p in arguments.phases if p != "append" or name == "append"]
        with serving(program, "--no-md5", "--latency-ms", latency or "0") as server:
            for turn in range(arguments.runs):
                first = turn % len(chosen)
                for tool in [*chosen[first:], *chosen[:first]]:
                    for phase, run in journey(tool, source, phases, server, folder):
                        row = Row(name, int(latency or 0), phase, tool.name, tool.is_ours)
                        rows.setdefault((told, phase, tool.name), row).runs.append(run)
                        sys.stderr.write(f"{told} {phase} {tool.name}: {run.failure or f'{run.wall:.2f} s'}\n")
    order = [(told, phase, tool.name) for told in arguments.sets for phase in PHASES for tool in chosen]
    return [rows[key] for key in order if key in rows]


def _make(source: Path, name: str, scale: float) -> None:
    """In a process of its own: what this one has held counts as the peak of every process that it starts (Linux)."""
    subprocess.run([sys.executable, str(HERE / "sets.py"), str(source), name, str(scale)], check=True)


def choose(names: Sequence[str], given: dict[str, str]) -> tuple[list[Tool], list[str]]:
    """The tools that are there, and the names of the peers that are not. `given` has programs by peer."""
    chosen, absent = [], []
    for name in names:
        if name in tools.OURS:
            chosen.append(tools.OURS[name])
        elif program := given.get(name) or tools.program_of(name):
            chosen.append(dataclasses.replace(tools.PEERS[name], program=program))
        else:
            absent.append(name)
    return chosen, absent


def document(
    arguments: argparse.Namespace, chosen: Sequence[Tool], absent: Sequence[str], rows: list[Row]
) -> dict[str, Any]:
    """What results.json holds; it names the machine, and where things lie on it, only in what a failed run said."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "format": 1,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "machine": {
            "cores": os.cpu_count(),
            "memory_gib": round(memory / 2**30),
            "kernel": f"{platform.system()} {platform.release()}",
            "architecture": platform.machine(),
            "python": platform.python_version(),
        },
        "runs": arguments.runs,
        "scale": arguments.scale,
        "versions": {tool.name: tools.version_of(tool) for tool in chosen},
        "left_out": list(absent),
        "units": UNITS,
        "rows": figures.told(rows),
    }  # fmt: skip


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The command line. An unknown name ends the program with a sentence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known_sets = ", ".join(sets.NAMES)
    every = [*tools.OURS, *tools.PEERS]
    usual = [name for name in every if name not in tools.ASKED]
    parser.add_argument("--sets", default="small,mixed,big,append", help=f"of {known_sets}, as NAME or NAME@LATENCY-MS")
    parser.add_argument("--phases", default=",".join(PHASES))
    parser.add_argument("--tools", default=",".join(usual), help=f"of {', '.join(every)}")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PROGRAM", help="not the one on PATH")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="fewer files, for a first try")
    parser.add_argument("--work", type=Path, help="folder for sources and restored files; default: a temporary one")
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    parser.add_argument("--chart", type=Path, help="default: chart.svg beside the results")
    given = parser.parse_args(words)
    for name, known in (("sets", sets.NAMES), ("phases", PHASES), ("tools", every)):
        chosen = [word for word in getattr(given, name).split(",") if word]
        setattr(given, name, chosen)
        if bad := [word for word in chosen if word.partition("@")[0] not in known]:
            parser.error(f"--{name}: {bad[0]!r} is none of {', '.join(known)}")
    if bad := [word for word in given.sets if "@" in word and not word.partition("@")[2].isdecimal()]:
        parser.error(f"--sets: {bad[0]!r} has no latency in milliseconds")
    if bad := [word for word in given.peer if word.partition("=")[0] not in tools.PEERS or not word.partition("=")[2]]:
        parser.error(f"--peer: {bad[0]!r} is no NAME=PROGRAM, NAME being one of {', '.join(tools.PEERS)}")
    if given.runs < 1 or not 0 < given.scale <= 1:
        parser.error("--runs is 1 or more, --scale more than 0 and at most 1")
    return given


def main(words: Sequence[str]) -> int:
    """Runs the command; 2 where something is missing, 1 where a run failed."""
    arguments = parse(words)
    chosen, absent = choose(arguments.tools, dict(told.split("=", 1) for told in arguments.peer))
    for name in absent:
        sys.stderr.write(f"{name} is not on PATH and is left out\n")
    with tempfile.TemporaryDirectory(dir=arguments.work, prefix="oss-backup-bench-") as folder:
        try:
            if any(tool.is_ours and tools.version_of(tool) == "unknown" for tool in chosen):
                raise Missing(f"{sys.executable} does not have the program; `sh install/setup.sh` prints one that has.")
            rows = compare(arguments, chosen, Path(folder))
        except Missing as error:
            sys.stderr.write(f"{error}\n")
            return 2
    results = document(arguments, chosen, absent, rows)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    target = arguments.chart or arguments.out.with_name("chart.svg")
    target.write_text(chart.drawn(results), encoding="utf-8")
    sys.stdout.write(figures.table(results["rows"]) + "\n")
    return int(any(run.failure for row in rows for run in row.runs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
