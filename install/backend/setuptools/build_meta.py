"""Makes a wheel of a source distribution without running a line of it.

Three packages are on the index as source only: oss2, crcmod and alibabacloud-tea. All are plain Python, and what their
setup.py says is in their PKG-INFO and in their folders. So nothing of them is run, no compiler is looked for, and
neither setuptools nor wheel need be fetched. crcmod's optional extension in C is left out: oss2 computes no checksums
for us. The functions are PEP 517's; the working directory is the unpacked source.
"""

import base64
import hashlib
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

_WHEEL = "Wheel-Version: 1.0\nGenerator: oss-backup set-up\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_NOT_INSTALLED = re.compile(r"(unit)?tests?|examples?|docs?")


class _Legacy:
    """What pip asks of `setuptools.build_meta:__legacy__`."""

    def get_requires_for_build_wheel(self, settings: Mapping[str, str] | None = None) -> list[str]:
        return []

    def prepare_metadata_for_build_wheel(self, directory: str, settings: Mapping[str, str] | None = None) -> str:
        """Writes the `.dist-info` folder and returns its name."""
        name = f"{'-'.join(_identity())}.dist-info"
        target = Path(directory, name)
        target.mkdir(parents=True)
        shutil.copyfile("PKG-INFO", target / "METADATA")
        (target / "WHEEL").write_text(_WHEEL)
        return name

    def build_wheel(
        self, directory: str, settings: Mapping[str, str] | None = None, metadata: str | None = None
    ) -> str:
        """Writes the wheel and returns its name."""
        stem = "-".join(_identity())
        files = {path.relative_to(_root()).as_posix(): path.read_bytes() for path in _files()}
        files[f"{stem}.dist-info/METADATA"] = Path("PKG-INFO").read_bytes()
        files[f"{stem}.dist-info/WHEEL"] = _WHEEL.encode()
        name = f"{stem}-py3-none-any.whl"
        with zipfile.ZipFile(Path(directory, name), "w") as archive:
            for path, content in files.items():
                archive.writestr(path, content)
            archive.writestr(f"{stem}.dist-info/RECORD", _record(files, f"{stem}.dist-info/RECORD"))
        return name


__legacy__ = _Legacy()


def _identity() -> tuple[str, str]:
    """Name and version, as a wheel's file name has them."""
    text = Path("PKG-INFO").read_text(encoding="utf-8")
    fields = dict(re.findall(r"^(Name|Version): *(\S+)", text.partition("\n\n")[0], re.MULTILINE))
    return re.sub(r"[-_.]+", "_", fields["Name"]).lower(), fields["Version"]


def _root() -> Path:
    """Where the packages lie; crcmod has a folder for each Python."""
    return Path("python3") if Path("python3").is_dir() else Path()


def _files() -> list[Path]:
    """The files of all packages. Raises RuntimeError where there is none: pip shows the text."""
    packages = [
        folder
        for folder in sorted(_root().iterdir())
        if (folder / "__init__.py").is_file() and not _NOT_INSTALLED.fullmatch(folder.name)
    ]
    if not packages:
        raise RuntimeError("this source distribution has no package in its top folder; the set-up cannot build it")
    found = [path for folder in packages for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in found if path.suffix not in (".pyc", ".c", ".h")]


def _record(files: Mapping[str, bytes], own: str) -> str:
    """A wheel's RECORD: every file with its SHA-256 and size, itself without."""
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{own},,", ""])
