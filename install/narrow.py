"""Runs a pip in this interpreter that looks at no file of the index but those that a lock names.

    python -I narrow.py PLACE LOCK [what pip is to do]

PLACE is the folder, or the wheel, that holds pip; nothing else in it can be imported, so what lies beside pip does not
matter. Of an index page pip makes an object of every file of every version, and asks of each whether it fits: for 40
packages 45,000, which takes longer than all else. Here a page's other files are passed over by their SHA-256 first; what
has none stays. pip itself decides, and checks the hashes of what it downloads, as ever. A pip that is built otherwise is
left as it is.
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


class PipOnly:
    """Finds pip in one place."""

    def __init__(self, place: str) -> None:
        self._place = place

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The place's pip; what is in it pip's own path finds."""
        return importlib.machinery.PathFinder.find_spec(name, [self._place], target) if name == "pip" else None


def narrow(locked: set[str]) -> None:
    """Makes pip pass over each file of a page that has a SHA-256, and none of these."""
    from pip._internal.models.link import Link

    def wrapped(make: Callable[..., Any], sha256: Callable[[Any], str]) -> Any:
        def made(told: Any, *rest: Any, **more: Any) -> Any:
            digest = sha256(told)
            return make(told, *rest, **more) if not digest or digest in locked else None  # pip's word for no link

        return staticmethod(made)

    link: Any = Link
    link.from_json = wrapped(link.from_json, of_json)
    link.from_element = wrapped(link.from_element, of_element)


def of_json(told: Mapping[str, Any]) -> str:
    """The SHA-256 that an index tells of a file in JSON (PEP 691), or an empty text."""
    hashes = told.get("hashes")
    return str(hashes.get("sha256") or "").lower() if isinstance(hashes, dict) else ""


def of_element(attributes: Mapping[str, str | None]) -> str:
    """The one in the attributes of an anchor (PEP 503), or an empty text."""
    found = re.search(r"#(?:.*&)?sha256=([0-9a-fA-F]{64})", attributes.get("href") or "")
    return found[1].lower() if found else ""


def locked(text: str) -> set[str]:
    """The hashes in a lock."""
    return set(re.findall(r"--hash=sha256:([0-9a-f]{64})", text))


if __name__ == "__main__":
    place, lock = sys.argv[1:3]
    sys.argv = ["pip", *sys.argv[3:]]
    sys.meta_path.insert(0, PipOnly(place))
    with contextlib.suppress(ImportError, AttributeError):
        narrow(locked(Path(lock).read_text(encoding="utf-8")))
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
