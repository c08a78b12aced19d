"""What an environment is made of, and the key that names it."""

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Recipe(NamedTuple):
    """What an environment is made of. A NamedTuple, since a dataclass costs a warm start 10 ms for its import."""

    source: Path
    """The checkout: pyproject.toml and backup_action/."""
    build_lock: Path
    """Hashed requirements, all wheels, that an environment for development builds with: setuptools; and its pip."""
    lock: Path
    """Hashed requirements of the program, or of its tests."""
    editable: bool = False
    """Our code is not installed but reached in the checkout, so an edit counts at once."""


def of_checkout(root: Path, *, dev: bool = False) -> Recipe:
    """The recipe of a checkout: the program's, or with `dev` the one that lint, types and tests use."""
    folder = root / "install"
    return Recipe(root, folder / "build.txt", folder / ("dev.txt" if dev else "runtime.txt"), dev)


def interpreter() -> tuple[str, ...]:
    """What tells interpreters apart that cannot share an environment: file, exact build, ABI and machine.

    An interpreter inside a virtual environment counts as the one below it.
    """
    below: str = getattr(sys, "_base_executable", "") or sys.executable
    flavour: str = getattr(sys.implementation, "_multiarch", "")  # tells glibc from musl
    abi = (sys.implementation.cache_tag or "", sys.abiflags, flavour)
    return (os.path.realpath(below), sys.version, *abi, os.uname().machine)


def key(recipe: Recipe, identity: Sequence[str] | None = None) -> str:
    """The environment's name: equal if and only if locks, interpreter and our source are equal.

    `identity` is the interpreter, else this one. An editable environment depends on where the checkout is, not on what
    it holds.
    """
    digest = hashlib.sha256()
    for part in _parts(recipe, interpreter() if identity is None else identity):
        digest.update(len(part).to_bytes(8, "big") + part)  # with its length: two parts never read as two others
    kind = "dev" if recipe.editable else "run"
    return f"{kind}-{sys.implementation.cache_tag}-{digest.hexdigest()[:32]}"


def _parts(recipe: Recipe, identity: Sequence[str]) -> Iterator[bytes]:
    yield len(identity).to_bytes(8, "big")
    for text in identity:
        yield os.fsencode(text)
    yield recipe.build_lock.read_bytes()
    yield recipe.lock.read_bytes()
    if recipe.editable:
        yield os.fsencode(recipe.source)
        return
    for path in source_files(recipe.source):
        yield os.fsencode(path.relative_to(recipe.source))
        yield path.read_bytes()


def source_files(source: Path) -> Iterator[Path]:
    """The files that decide what our own distribution does, in a fixed order; bytecode is none of them."""
    yield source / "pyproject.toml"
    for folder, folders, names in os.walk(source / "backup_action"):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            if not name.endswith(".pyc"):
                yield Path(folder, name)
