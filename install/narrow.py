"""Runs a pip in this interpreter that looks at no file of the index but those of the versions that a lock names.

    python -I narrow.py PLACE LOCK [what pip is to do]

PLACE is the folder, or the wheel, that holds pip; nothing else in it can be imported, so what lies beside pip does not
matter. Of an index page pip makes an object of every file of every version, and asks of each whether it fits: for 40
packages 45,000, which takes longer than all else. Here a page's other files are passed over first: those that have
neither a SHA-256 of the lock nor a name that begins as one of its versions. pip itself decides, and checks the hashes
of what it downloads, as ever. A pip that is built in another way is left as it is.
"""

import contextlib
import importlib.machinery
import re
import runpy
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote


class PipOnly:
    """Finds pip in one place."""

    def __init__(self, place: str) -> None:
        self._place = place

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The place's pip; what is in it pip's own path finds."""
        return importlib.machinery.PathFinder.find_spec(name, [self._place], target) if name == "pip" else None


class Lock:
    """Hashes and versions of a lock."""

    def __init__(self, text: str) -> None:
        self.digests = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", text))
        pinned = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
        self.beginnings = tuple(plain(f"{name}-{version}-") for name, version in pinned)

    def names(self, file: str, digest: str) -> bool:
        """Whether the file is one of them, by its SHA-256, or by its name where its content is not the locked one."""
        return digest.lower() in self.digests or plain(file).startswith(self.beginnings)


def plain(name: str) -> str:
    """A name as all of its spellings are written alike."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())


def narrow(lock: Lock) -> None:
    """Makes pip pass over each file of a page that is none of the lock's."""
    from pip._internal.models.link import Link

    def wrapped(make: Callable[..., Any], identity: Callable[[Any], tuple[str, str]]) -> Any:
        def made(told: Any, *rest: Any, **more: Any) -> Any:
            return make(told, *rest, **more) if lock.names(*identity(told)) else None  # pip's word for no link

        return staticmethod(made)

    link: Any = Link
    link.from_json = wrapped(link.from_json, of_json)
    link.from_element = wrapped(link.from_element, of_element)


def of_json(told: Mapping[str, Any]) -> tuple[str, str]:
    """Name and SHA-256 of a file that an index tells of in JSON (PEP 691), each empty where it has none."""
    hashes = told.get("hashes")
    return str(told.get("filename") or ""), str(hashes.get("sha256") or "") if isinstance(hashes, dict) else ""


def of_element(attributes: Mapping[str, str | None]) -> tuple[str, str]:
    """Those of an anchor (PEP 503), from its attributes."""
    address, _, fragment = (attributes.get("href") or "").partition("#")
    digest = re.search(r"(?:^|&)sha256=([0-9a-fA-F]{64})(?:&|$)", fragment)
    return unquote(address.partition("?")[0].rpartition("/")[2]), digest[1] if digest else ""


if __name__ == "__main__":
    place, lock = sys.argv[1:3]
    sys.argv = ["pip", *sys.argv[3:]]
    sys.meta_path.insert(0, PipOnly(place))
    with contextlib.suppress(ImportError, AttributeError):
        narrow(Lock(Path(lock).read_text(encoding="utf-8")))
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
