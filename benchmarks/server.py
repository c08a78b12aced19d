"""The object store as a process: built with rustc, started on a free port, asked for its counters."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

SOURCE = Path(__file__).resolve().parent / "store.rs"


class Missing(Exception):
    """Something that the measurement needs is not there; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Server:
    """A store that runs."""

    endpoint: str

    def counters(self) -> dict[str, int]:
        """Requests by kind, and bytes, since the last reset."""
        with urlopen(f"{self.endpoint}/__stats") as answer:
            told: dict[str, int] = json.load(answer)
        return told

    def reset(self) -> None:
        """Empties it."""
        with urlopen(Request(f"{self.endpoint}/__reset", method="POST", data=b"")):
            pass


def build(folder: Path, optimised: str = "3") -> Path:
    """The store's program, built into the folder. Raises Missing without rustc."""
    compiler = shutil.which("rustc")
    if not compiler:
        raise Missing("rustc is needed to build the server (benchmarks/store.rs); https://rustup.rs installs it.")
    program = folder / "store"
    command = [
        compiler,
        "--edition",
        "2021",
        "-C",
        f"opt-level={optimised}",
        "-o",
        str(program),
        str(SOURCE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"rustc could not build the server:\n{done.stderr}")
    return program


@contextmanager
def serving(program: Path, *arguments: str) -> Iterator[Server]:
    """The store on a free port of loopback."""
    process = subprocess.Popen([str(program), "--port", "0", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        first = process.stdout.readline() if process.stdout else ""
        yield Server(f"http://127.0.0.1:{int(first.removeprefix('port '))}")
    finally:
        process.kill()
        process.communicate()
