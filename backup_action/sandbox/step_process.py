"""Runs one step's process as the runner does: its lines as they come, and a cancelled one asked thrice to end.

On cancellation the process that was started (not its children) gets SIGINT, after 7.5 s SIGTERM, after another 2.5 s
it is killed. Lines end at a line feed, a carriage return or both. When the process has ended, its streams are waited
for at most 5 s, in case a child still holds them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO

TRACKING = "RUNNER_TRACKING_ID"
ORPHANS = 0.2  # seconds in which a process that shows no environment is looked at again
KERNEL = 0x0020_0000  # PF_KTHREAD: the kernel's own threads have none, ever
_POLL = 0.05  # seconds between looks at the cancel event


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait: after SIGINT, after SIGTERM, and for the streams of a process that has ended."""

    interrupt: float = 7.5
    terminate: float = 2.5
    streams: float = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its code (128 and the signal's number if a signal ended it), and what was done to it."""

    code: int
    cancelled: bool
    streams_open: bool


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    receive: Callable[[str], None],
    cancel: threading.Event | None = None,
    patience: Patience | None = None,
) -> Ended:
    """Runs the process to its end; `receive` gets each line of both streams, one at a time. Raises OSError at start."""
    patience = patience or Patience()
    process = subprocess.Popen(  # noqa: S603  (running what the action says is the purpose)
        list(arguments),
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C at the terminal must not reach it by another way than `cancel`
    )
    streams = _Streams(receive, [stream for stream in (process.stdout, process.stderr) if stream])
    cancelled = _wait(process, cancel, patience)
    streams_open = not streams.finish(patience.streams)
    code = process.returncode
    return Ended(code if code >= 0 else 128 - code, cancelled, streams_open)


def _wait(process: subprocess.Popen[bytes], cancel: threading.Event | None, patience: Patience) -> bool:
    """Waits for the end; whether the process was cancelled before it."""
    while process.poll() is None:
        if cancel is not None and cancel.is_set():
            _stop(process, patience)
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(None if cancel is None else _POLL)
    return False


def _stop(process: subprocess.Popen[bytes], patience: Patience) -> None:
    for number, seconds in ((signal.SIGINT, patience.interrupt), (signal.SIGTERM, patience.terminate)):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
    process.kill()
    process.wait()


class _Streams:
    """Reads the streams on threads of their own and passes whole lines on, never two at once."""

    def __init__(self, receive: Callable[[str], None], streams: Sequence[IO[bytes]]) -> None:
        self._receive = receive
        self._lock = threading.Lock()
        self._over = False
        self._threads = [threading.Thread(target=self._read, args=(stream,), daemon=True) for stream in streams]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        with TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline=None) as text:
            for line in text:
                with self._lock:
                    if not self._over:
                        self._receive(line.removesuffix("\n"))

    def finish(self, seconds: float) -> bool:
        """Waits for the streams' end; False if one is still open. Lines that come later are dropped."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        with self._lock:
            self._over = True
        return not any(thread.is_alive() for thread in self._threads)


def end_orphans(tracking: str, patience: float = ORPHANS) -> list[int]:
    """Kills what a job's processes left behind, known by its tracking id in their environment. On Linux only.

    A process shows no environment in the moment in which it becomes another program: such ones are looked at again, for
    as many seconds as `patience`.
    """
    ended: list[int] = []
    if not sys.platform.startswith("linux"):
        return ended
    mark = f"{TRACKING}={tracking}".encode()
    until = time.monotonic() + patience
    while True:
        seen = {pid: _environment(pid) for pid in _processes()}
        for pid in [pid for pid, told in seen.items() if told and mark in told.split(b"\0")]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                ended.append(pid)
        if b"" not in seen.values() or time.monotonic() > until:
            return ended
        time.sleep(0.01)


def _processes() -> list[int]:
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [number for number in numbers if number != os.getpid()]


def _environment(pid: int) -> bytes | None:
    """A process's environment; None where there is none to be had: ended, of another user, or the kernel's own."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        if state in "ZX" or int(rest[5]) & KERNEL:
            return None
        return Path(f"/proc/{pid}/environ").read_bytes()
    except (OSError, ValueError, IndexError):
        return None
