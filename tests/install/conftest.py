import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "install"))  # scripts beside each other, no package

import wheel_index
from small_checkout import Checkout


@pytest.fixture(scope="session")
def wheels() -> dict[str, tuple[str, bytes]]:
    """The build requirements as wheels, made from those that are installed here."""
    return {project: wheel_index.installed(project) for project in ("pip", "setuptools")}


@pytest.fixture
def index() -> Iterator[wheel_index.Index]:
    with wheel_index.serving() as served:
        yield served


@pytest.fixture
def checkout(tmp_path: Path, index: wheel_index.Index, wheels: dict[str, tuple[str, bytes]]) -> Checkout:
    """A checkout whose locks name pip and one small package, all on the index; for --dev nothing has to be built."""
    made = Checkout(tmp_path, index)
    small = index.add("small", *wheel_index.wheel("small", "1.0", {"small.py": "size = 1\n"}))
    made.lock(build=index.add("pip", *wheels["pip"]), packages=small)
    return made
