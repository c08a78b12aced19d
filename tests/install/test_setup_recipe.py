"""The key: equal for equal locks, source and interpreter, and different as soon as one of them is."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import recipe
from hypothesis import given
from hypothesis import strategies as st

SAME = ("/usr/bin/python3.11", "3.11.2 (main)", "cpython-311", "", "x86_64-linux-gnu", "x86_64")


def make(folder: Path) -> recipe.Recipe:
    for name, text in {
        "install/build.txt": "pip==1\n",
        "install/runtime.txt": "small==1\n",
        "install/dev.txt": "big==1\n",
        "pyproject.toml": "[project]\n",
        "backup_action/__init__.py": "",
        "backup_action/core/plan.py": "one = 1\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return recipe.of_checkout(folder)


CHANGES: dict[str, Callable[[Path], object]] = {
    "the build lock": lambda folder: (folder / "install/build.txt").write_text("pip==2\n"),
    "the lock": lambda folder: (folder / "install/runtime.txt").write_text("small==2\n"),
    "pyproject": lambda folder: (folder / "pyproject.toml").write_text("[projects]\n"),
    "a module": lambda folder: (folder / "backup_action/core/plan.py").write_text("one = 2\n"),
    "a new module": lambda folder: (folder / "backup_action/core/new.py").write_text(""),
    "a new file that is no module": lambda folder: (folder / "backup_action/py.typed").write_text(""),
    "a module that goes": lambda folder: (folder / "backup_action/core/plan.py").unlink(),
    "a module's name": lambda folder: (folder / "backup_action/core/plan.py").rename(
        folder / "backup_action/core/plans.py"
    ),
    "a module's folder": lambda folder: (folder / "backup_action/core/plan.py").rename(
        folder / "backup_action/plan.py"
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_key_changes_with(change: str, tmp_path: Path) -> None:
    made = make(tmp_path)
    before = recipe.key(made, SAME)
    CHANGES[change](tmp_path)
    assert recipe.key(made, SAME) != before


def test_the_key_does_not_change_with_anything_else(tmp_path: Path) -> None:
    made = make(tmp_path / "one")
    before = recipe.key(made, SAME)
    assert recipe.key(made, SAME) == before
    (tmp_path / "one/README.md").write_text("words\n")
    (tmp_path / "one/tests").mkdir()
    (tmp_path / "one/install/dev.txt").write_text("other==2\n")
    (tmp_path / "one/backup_action/__pycache__").mkdir()
    (tmp_path / "one/backup_action/__pycache__/plan.cpython-311.pyc").write_bytes(b"1")
    (tmp_path / "one/backup_action/__pycache__/plan.cpython-311.pyc.1401").write_bytes(b"1")  # as it is being written
    (tmp_path / "one/backup_action/old.pyc").write_bytes(b"1")
    os.utime(tmp_path / "one/backup_action/core/plan.py", (1, 1))
    assert recipe.key(made, SAME) == before
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert recipe.key(recipe.of_checkout(tmp_path / "two"), SAME) == before


@given(st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)] * 3), st.data())
def test_two_interpreters_have_one_key_only_if_they_are_equal(
    tmp_path_factory: pytest.TempPathFactory, one: tuple[str, ...], data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "interpreters"
    made = make(folder)
    joined = "".join(one)
    cut = data.draw(st.integers(0, len(joined)))
    other = (joined[:cut], joined[cut:], "")  # the same characters, divided elsewhere
    assert (recipe.key(made, one) == recipe.key(made, other)) == (one == other)


def test_files_cannot_be_mistaken_for_each_other_at_their_borders(tmp_path: Path) -> None:
    made = make(tmp_path)
    (tmp_path / "install/build.txt").write_text("ab")
    (tmp_path / "install/runtime.txt").write_text("c")
    before = recipe.key(made, SAME)
    (tmp_path / "install/build.txt").write_text("a")
    (tmp_path / "install/runtime.txt").write_text("bc")
    assert recipe.key(made, SAME) != before


def test_an_editable_environment_depends_on_the_place_of_the_checkout_and_not_on_its_content(tmp_path: Path) -> None:
    make(tmp_path / "one")
    make(tmp_path / "two")
    one, two = (recipe.of_checkout(tmp_path / name, dev=True) for name in ("one", "two"))
    before = recipe.key(one, SAME)
    assert before.startswith("dev-")
    assert recipe.key(two, SAME) != before
    (tmp_path / "one/backup_action/core/plan.py").write_text("one = 3\n")
    assert recipe.key(one, SAME) == before
    (tmp_path / "one/install/dev.txt").write_text("big==2\n")
    assert recipe.key(one, SAME) != before


def test_this_interpreter_is_known_by_its_file_build_abi_and_machine() -> None:
    file, version, tag, *_, machine = recipe.interpreter()
    assert Path(file).is_file() and not Path(file).is_symlink()
    assert version == sys.version
    assert tag == sys.implementation.cache_tag
    assert machine == os.uname().machine


def test_an_interpreter_is_the_same_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(recipe.interpreter()[0])
    program = "import sys; sys.path.insert(0, sys.argv[1]); import recipe; print(recipe.interpreter()[0])"
    command = [str(tmp_path / "python"), "-I", "-S", "-c", program, str(Path(recipe.__file__).parent)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == recipe.interpreter()[0]


def test_a_key_is_a_plain_name_for_a_folder(tmp_path: Path) -> None:
    assert recipe.key(make(tmp_path)).replace("-", "").isalnum()
