"""A checkout as small as can be, with the real scripts of the set-up, to run them for real in no time."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import wheel_index

ROOT = Path(__file__).resolve().parents[2]


class Checkout:
    """A copy of the set-up's own scripts with small locks and a small program, and the places that a run of it uses."""

    def __init__(self, folder: Path, index: wheel_index.Index | None) -> None:
        self.folder = folder / "checkout"
        self.home = folder / "home"
        self.temporary = folder / "temporary"
        for place in (self.folder / "install", self.folder / "backup_action", self.home, self.temporary):
            place.mkdir(parents=True)
        for script in [*(ROOT / "install").glob("*.py"), ROOT / "install" / "setup.sh"]:
            shutil.copy(script, self.folder / "install")
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "install" / "backend", self.folder / "install" / "backend", ignore=unwanted)
        (self.folder / "backup_action" / "__init__.py").write_text("answer = 42\n")
        (self.folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
            '[project]\nname = "oss-backup-action"\nversion = "1.0"\n[tool.setuptools]\npackages = ["backup_action"]\n'
        )
        self.lock(build="", packages="")
        self.index = index

    def lock(self, *, build: str, packages: str) -> None:
        (self.folder / "install" / "build.txt").write_text(build)
        (self.folder / "install" / "runtime.txt").write_text(packages)
        (self.folder / "install" / "dev.txt").write_text(packages)

    def environ(self, **more: str) -> dict[str, str]:
        base = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "RUNNER_TEMP": str(self.temporary),
            "TMPDIR": str(self.temporary),
            "INPUT_PYTHON": sys.executable,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_CONFIG_FILE": "/dev/null",
        }
        if self.index:
            base["INPUT_INDEX_URL"] = self.index.url
        return base | more

    def command(self, *arguments: str) -> list[str]:
        return ["/bin/sh", str(self.folder / "install" / "setup.sh"), *arguments]

    def run(self, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environ() if environ is None else environ,
            cwd=self.home,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "oss-backup"

    def environments(self) -> list[str]:
        """The names of the environments in the cache that are ready."""
        return sorted(marker.parent.name for marker in self.cache.glob("*/.oss-backup-ready"))
