"""The house: who may import whom, how large a room is, and what its tests may not do."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "backup_action"
ROOMS = sorted(path for path in PACKAGE.rglob("*.py"))
# Each floor may import itself and what is below.
FLOORS = (
    ("__main__", "cli", "interruption"),
    ("commands",),
    ("access", "recording", "publish", "transfer", "vault", "settings", "table"),
    ("adapters",),
    ("core", ""),
)
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "manager", "base", "handler", "misc"}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


KNOWN = {name_of(path): path for path in ROOMS}


def floor_of(module: str) -> int:
    first = module.removeprefix("backup_action").strip(".").split(".")[0]
    return next(number for number, rooms in enumerate(FLOORS) if first in rooms)


def modules(nodes: Iterable[ast.AST]) -> set[str]:
    """The rooms that these nodes import: the one that is named, not the package that it is in."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & KNOWN.keys() or {node.module}
    return found & KNOWN.keys()


def imports(path: Path) -> set[str]:
    """All that a room imports of the program, at its top or inside of functions."""
    return modules(ast.walk(ast.parse(path.read_text())))


def functions(path: Path) -> list[tuple[str, int]]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]
    return [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in nodes]


def is_sandbox(module: str) -> bool:
    return module.startswith("backup_action.sandbox")


@pytest.mark.parametrize("path", [p for p in ROOMS if not is_sandbox(name_of(p))], ids=name_of)
def test_a_room_imports_its_own_floor_and_those_below(path: Path) -> None:
    own = floor_of(name_of(path))
    for module in imports(path):
        if is_sandbox(module):
            assert name_of(path) == "backup_action.__main__", "only the door knows the sandbox"
        elif module != "backup_action":
            assert floor_of(module) >= own, f"{module} is above"


@pytest.mark.parametrize("path", [p for p in ROOMS if is_sandbox(name_of(p))], ids=name_of)
def test_the_sandbox_imports_none_of_the_program(path: Path) -> None:
    assert all(is_sandbox(module) or module == "backup_action" for module in imports(path))


def test_commands_never_import_commands() -> None:
    for path in PACKAGE.glob("commands/*.py"):
        assert not any(module.startswith("backup_action.commands") for module in imports(path))


def test_nouns_are_pure() -> None:
    outside = {"os", "pathlib", "socket", "subprocess", "asyncio", "threading", "requests", "aiohttp", "oss2", "random"}
    for path in PACKAGE.rglob("core/**/*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        told = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        assert not told & outside, name_of(path)
        assert not re.search(r"\btime\.(time|monotonic)\(|datetime\.now|\.environ\b", path.read_text()), name_of(path)


@pytest.mark.parametrize("path", ROOMS, ids=name_of)
def test_a_room_is_a_room(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300
    assert not FORBIDDEN & set(path.relative_to(PACKAGE).with_suffix("").parts)
    assert ast.get_docstring(ast.parse(path.read_text())), "a room says what it is"
    assert not [(name, lines) for name, lines in functions(path) if lines > 40]


@pytest.mark.parametrize(
    "path", sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("install/**/*.py")]), ids=lambda path: path.name
)
def test_a_script_is_a_room_too(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300
    assert ast.get_docstring(ast.parse(path.read_text())), "a script says what it is"
    assert path.stem not in FORBIDDEN
    assert not [(name, lines) for name, lines in functions(path) if lines > 40]
    assert not imports(path), "scripts start the program as anybody does, as a process"


def test_the_journey_of_a_backup_is_one_function_of_at_most_40_lines() -> None:
    journey = dict(functions(PACKAGE / "commands/backup.py"))["backup"]
    assert 15 < journey <= 40


def test_there_is_no_cycle() -> None:
    left = {name: modules(ast.parse(path.read_text()).body) - {name} for name, path in KNOWN.items()}
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert not left, f"these import each other: {sorted(left)}"


def test_tests_mock_none_of_our_code() -> None:
    forbidden = re.compile(r"unittest\.mock|monkeypatch\.setattr|MagicMock|mocker\.")
    for path in ROOT.glob("tests/**/*.py"):
        if path.name != "test_rooms.py":
            assert not forbidden.search(path.read_text()), path.name


def test_no_text_of_the_project_knows_a_machine_of_ours() -> None:
    ignored = {".git", "__pycache__"}
    for path in ROOT.rglob("*"):
        if (
            path.is_file()
            and not ignored & set(path.parts)
            and path.suffix in {".py", ".md", ".sh", ".yml", ".toml", ".rs", ".json", ".svg"}
        ):
            assert not re.search(r"(?<![\w.])/(work|root)/", path.read_text(errors="replace")), path.name


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by it, and collects nothing at all where two are the same."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
