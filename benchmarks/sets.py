"""The source trees that are backed up: the same bytes at every call, on every machine.

    small   10,000 CSV files of about 4 KB in 100 folders (42 MB)
    mixed   1,500 files of 50 KB to 1.5 MB, every other one incompressible (1.1 GB)
    big     4 incompressible files of 256 MiB
    append  200 CSV files of 2 MB; `grow` appends 1 % to every tenth

`scale` makes fewer files, for a first try; what is measured with another scale than 1 is no result.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

NAMES = ("small", "mixed", "big", "append")
_LINES = 4096  # of prices, from which every CSV file is put together
_GROWN = 20_000  # bytes, 1 % of a file of `append`


def make(folder: Path, name: str, scale: float = 1.0) -> None:
    """Writes the set into a folder that does not exist yet."""
    for path, content in _MAKERS[name](random.Random(name), scale):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def touch(folder: Path, moment: int) -> None:
    """Gives every file a time of change (nanoseconds since 1970); no byte changes."""
    for path in _files(folder):
        os.utime(path, ns=(moment, moment))


def grow(folder: Path) -> None:
    """Appends 1 % to every tenth file."""
    chance = random.Random("grown")
    prices = _prices(chance)
    for path in _files(folder)[::10]:
        with path.open("ab") as file:
            file.write(_rows(chance, prices, _GROWN))


def sizes(folder: Path) -> dict[Path, int]:
    """Every file with its size, for `shrink`."""
    return {path: path.stat().st_size for path in _files(folder)}


def shrink(before: dict[Path, int]) -> None:
    """Takes away what `grow` appended: the next tool gets the tree as it was."""
    for path, size in before.items():
        if path.stat().st_size != size:
            os.truncate(path, size)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _prices(chance: random.Random) -> list[bytes]:
    return [
        b"2025-%02d-%02dT%02d:%02d:00Z,%s,%.5f,%.5f,%d\n"
        % (
            *(chance.randint(1, 12), chance.randint(1, 28), chance.randrange(24), chance.randrange(60)),
            chance.choice((b"EURUSD", b"USDJPY", b"GBPUSD", b"XAUUSD")),
            *(chance.uniform(1.0, 1.2), chance.uniform(1.0, 1.2), chance.randrange(10_000)),
        )
        for _ in range(_LINES)
    ]


def _rows(chance: random.Random, prices: list[bytes], size: int) -> bytes:
    """About `size` bytes of lines, drawn one by one: they compress as prices do."""
    return b"".join(chance.choices(prices, k=max(1, size // len(prices[0]))))


def _small(chance: random.Random, scale: float) -> Iterator[tuple[str, bytes]]:
    prices = _prices(chance)
    for number in range(round(10_000 * scale)):
        content = b"# file %d\n" % number + _rows(chance, prices, chance.randint(1_000, 7_400))
        yield f"{number % 100:02d}/{number:05d}.csv", content


def _mixed(chance: random.Random, scale: float) -> Iterator[tuple[str, bytes]]:
    prices = _prices(chance)
    for number in range(round(1_500 * scale)):
        size = chance.randint(50_000, 1_500_000)
        content = chance.randbytes(size) if number % 2 else _rows(chance, prices, size)
        yield f"{number % 30:02d}/{number:04d}.dat", content


def _big(chance: random.Random, scale: float) -> Iterator[tuple[str, bytes]]:
    for number in range(4):
        yield f"{number}.bin", b"".join(chance.randbytes(1 << 20) for _ in range(round(256 * scale)))


def _append(chance: random.Random, scale: float) -> Iterator[tuple[str, bytes]]:
    prices = _prices(chance)
    for number in range(round(200 * scale)):
        yield f"{number:03d}.csv", _rows(chance, prices, 2_000_000)


_MAKERS: dict[str, Callable[[random.Random, float], Iterator[tuple[str, bytes]]]] = {
    "small": _small,
    "mixed": _mixed,
    "big": _big,
    "append": _append,
}

if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
