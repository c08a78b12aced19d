"""A wheel is made of a source distribution as it lies there; nothing of it is run."""

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from small_checkout import ROOT

BACKEND = ROOT / "install" / "backend"
BUILD = """import json
from setuptools.build_meta import __legacy__ as backend
information = backend.prepare_metadata_for_build_wheel("meta")
print(json.dumps([backend.get_requires_for_build_wheel(), information, backend.build_wheel(".")]))"""


def built(folder: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs the backend in the folder, which holds the files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return subprocess.run(
        [sys.executable, "-B", "-c", BUILD], cwd=folder, env={"PYTHONPATH": str(BACKEND)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


INFO = "Metadata-Version: 2.1\nName: Some.Package\nVersion: 1.2\n\nName: of a description\n"
TRAP = "raise SystemExit('it was run')"


def test_packages_are_taken_and_nothing_else_and_none_is_run(tmp_path: Path) -> None:
    files = {
        "PKG-INFO": INFO, "setup.py": TRAP, "README": "", "some/__init__.py": TRAP, "some/inner/deep.py": "x = 1",
        "some/data.json": "{}", "some/fast.c": "", "tests/__init__.py": TRAP, "docs/__init__.py": "", "loose/x.py": "",
    }  # fmt: skip
    done = built(tmp_path, files)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[], "some_package-1.2.dist-info", "some_package-1.2-py3-none-any.whl"]
    with zipfile.ZipFile(tmp_path / "some_package-1.2-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
        record = wheel.read("some_package-1.2.dist-info/RECORD").decode()
        assert wheel.read("some_package-1.2.dist-info/METADATA").decode() == INFO
    information = {f"some_package-1.2.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD")}
    assert names == {"some/__init__.py", "some/inner/deep.py", "some/data.json"} | information
    assert {line.split(",")[0] for line in record.splitlines()} == names
    assert (tmp_path / "meta/some_package-1.2.dist-info/METADATA").read_text() == INFO


def test_a_folder_for_python_3_goes_before(tmp_path: Path) -> None:
    done = built(tmp_path, {"PKG-INFO": INFO, "python2/a/__init__.py": "", "python3/b/__init__.py": ""})
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "some_package-1.2-py3-none-any.whl") as wheel:
        assert [name for name in wheel.namelist() if name.endswith(".py")] == ["b/__init__.py"]


@pytest.mark.parametrize("files", [{"one.py": ""}, {"src/a/__init__.py": ""}])
def test_what_lies_in_another_way_is_refused(files: dict[str, str], tmp_path: Path) -> None:
    done = built(tmp_path, {"PKG-INFO": INFO} | files)
    assert done.returncode == 1 and "has no package in its top folder" in done.stderr


def test_the_tests_themselves_have_the_real_setuptools() -> None:
    found = importlib.util.find_spec("setuptools")
    assert found is not None and found.origin is not None and not found.origin.startswith(str(BACKEND))
