"""The lock of the program has all that the program imports, early or late; what was left out of it is not missed."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator

import installation
from small_checkout import ROOT

import backup_action

OPTIONAL = {"pyarrow"}  # of people who read ledgers with it; the program says so where it is not there
UNPACK = "unpack.py"  # a script for people without the program

# Hides every distribution but those that are named, then imports.
HIDING = """import importlib, importlib.metadata as metadata, json, pkgutil, re, sys
plain = lambda name: re.sub("[-_.]+", "-", name).lower()
shown = set(json.loads(sys.argv[1]))
providers = metadata.packages_distributions()
hidden = {top for top, names in providers.items() if not {plain(name) for name in names} & shown} - {"backup_action"}
class Hiding:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hiding())
"""
SANDBOX = "\nfor found in pkgutil.walk_packages(backup_action.__path__, 'backup_action.'):\n"
SANDBOX += "    importlib.import_module(found.name) if '.sandbox' in found.name else None\n"


def locked() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "install/runtime.txt").read_text(), re.MULTILINE))


def run(packages: set[str], more: str = "") -> subprocess.CompletedProcess[str]:
    code = HIDING + installation._PROOF + SANDBOX + more
    command = [sys.executable, "-I", "-B", "-W", "ignore", "-c", code, json.dumps(sorted(packages))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_all_of_the_program_is_imported_with_nothing_but_its_lock() -> None:
    done = run(locked())
    assert done.returncode == 0 and done.stdout.strip() == "ready", done.stderr


def test_a_package_that_is_missing_is_noticed() -> None:
    """The test above is one: of packages that others need only, and of those that are imported late."""
    for name in ("jmespath", "darabonba-core", "actions-toolkit"):
        assert name in locked() and run(locked() - {name}).returncode == 1, name


def test_every_package_of_the_lock_is_imported() -> None:
    """So none is installed that nothing needs; one that this Python has no use for is not there at all."""
    idle = "\nloaded = {name.split('.')[0] for name in sys.modules}"
    idle += "\nneeded = {plain(name) for top in loaded for name in providers.get(top, ())}"
    idle += "\nthere = {plain(told.name) for told in metadata.distributions()}"
    idle += "\nprint(*sorted(shown & there - needed))"
    done = run(locked(), idle)
    assert done.returncode == 0 and done.stdout.split() == ["ready"], done.stdout + done.stderr


def test_no_package_is_both_locked_and_left_out() -> None:
    lines = (ROOT / "install/unneeded.in").read_text().splitlines()
    unneeded = {line for line in lines if line and not line.startswith("#")}
    assert unneeded and not unneeded & locked()
    asked = {re.sub(r"\[.*", "", line) for line in (ROOT / "install/runtime.in").read_text().splitlines()}
    assert {name for name in asked if not name.startswith("#")} <= locked(), "what we ask for stays"


def late() -> Iterator[str]:
    """Modules of others that a function of the program imports."""
    for path in (ROOT / "backup_action").rglob("*.py"):
        if path.name == UNPACK or "sandbox" in path.parts:
            continue
        functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        functions += [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.AsyncFunctionDef)]  # type: ignore[misc]
        for node in (inner for function in functions for inner in ast.walk(function)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module


def test_what_is_imported_late_is_told() -> None:
    others = {
        name for name in late() if name.split(".")[0] not in {*sys.stdlib_module_names, "backup_action", *OPTIONAL}
    }
    told = set(backup_action.IMPORTED_LATER)
    assert {name for name in others if not any(f"{one}.".startswith(f"{name}.") for one in told)} == set()
    assert {one for one in told if not any(f"{one}.".startswith(f"{name}.") for name in others)} == set()
