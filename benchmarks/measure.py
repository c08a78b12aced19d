"""One process measured, and one run of a tool through the phases.

Time, CPU and peak memory are the process's own as the kernel has them when it ends; requests and bytes are what the
server's counters have changed by.
"""

from __future__ import annotations

import dataclasses
import filecmp
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sets
import tools
from figures import Run
from server import Server
from tools import Tool

PHASES = ("fresh", "noop", "touch", "append", "restore")
SETTLED = 86_400 * 10**9  # nanoseconds: some tools take no file for unchanged that changed within this second
AGED = 2.1  # seconds from the last change to a backup: ours reads a file twice whose status changed within two
TIMEOUT = 900  # seconds of one process
_NO_REQUESTS = ("bytes_in", "bytes_out", "connections", "objects")  # of the server's counters


def measured(command: Sequence[str], environ: dict[str, str], server: Server, scratch: Path) -> Run:
    """Runs one process to its end."""
    before, began = server.counters(), time.monotonic()
    with (scratch / "said").open("w+b") as said:
        process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        status, use = _ended(process)
        wall = time.monotonic() - began
        said.seek(max(0, said.tell() - 400))
        last = said.read().decode("utf-8", "replace").strip()
    after = server.counters()
    changed = {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
    return Run(
        wall=wall,
        cpu=use.ru_utime + use.ru_stime,
        rss=use.ru_maxrss / 1024,
        requests={name: count for name, count in changed.items() if name not in _NO_REQUESTS},
        up=changed.get("bytes_in", 0),
        down=changed.get("bytes_out", 0),
        failure="" if status == 0 else f"exit status {status} after {wall:.0f} s: {last}",
    )


def _ended(process: subprocess.Popen[bytes]) -> tuple[int, Any]:
    """Exit status, and what the process used, which only wait4 tells. One that hangs is killed."""
    timer = threading.Timer(TIMEOUT, process.kill)
    timer.start()
    try:
        _, status, use = os.wait4(process.pid, 0)
    finally:
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, use


def differences(source: Path, target: Path) -> int:
    """How many files of the source the target has not, with the same bytes, wherever in it the tool put the tree."""
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    places = [target, *(folder for folder in target.rglob(source.name) if folder.is_dir())]
    return min(sum(not _same(source / file, place / file) for file in files) for place in places)


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)


def journey(
    tool: Tool, source: Path, phases: Sequence[str], server: Server, scratch: Path
) -> Iterator[tuple[str, Run]]:
    """One run of a tool through the phases, from an empty server on; the source is afterwards as it was."""
    server.reset()
    home, target = scratch / "home", scratch / "target"
    names = {"source": str(source), "target": str(target), "endpoint": server.endpoint}
    before = sets.sizes(source)
    sets.touch(source, time.time_ns() - SETTLED)
    _empty(home)
    environ = tools.environment(tool, server.endpoint, home)
    if tool.prepare:
        subprocess.run(tool.words(tool.prepare, names), env=environ, check=True, capture_output=True)
    try:
        for phase in phases:
            if phase == "touch":
                sets.touch(source, time.time_ns())
            if phase == "append":
                sets.grow(source)
            if phase in ("fresh", "touch", "append"):
                time.sleep(AGED)
            if phase == "restore":
                _empty(home)
                _empty(target)
            command = tool.restore if phase == "restore" else tool.backup
            run = measured(tool.words(command, names), environ, server, scratch)
            if phase == "restore" and not run.failure and (count := differences(source, target)):
                run = dataclasses.replace(run, failure=f"{count} files were not restored as they were")
            yield phase, run
    finally:
        sets.shrink(before)
        for folder in (home, target):
            shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
