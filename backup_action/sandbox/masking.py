"""Masks secrets as the runner does: each value that was added, and forms of it that programs print, become `***`.

The forms are those of the runner's ValueEncoders: three alignments of base64, escapes of the command line, of
expressions, of JSON, URI and XML, the value without its double quotes, and the two halves that PowerShell splits off
at `&`. Where versions of the runner differ, the smaller set is taken here, so that a leak is seen rather than hidden.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator

MASK = "***"
_SHORTEST_PART = 6  # characters; shorter halves of a value with `&` are not masked by themselves
_QUOTED_FROM = 8  # characters; a quoted value must be longer for its inside to be masked


def forms(value: str) -> list[str]:
    """The value and every other form under which it is masked, without repetition."""
    found = [value, *_base64(value)]
    found += [value.replace('"', '\\"'), value.replace("'", "''"), _json(value)]
    found += [urllib.parse.quote(value.encode("utf-8", "replace"), safe=""), _xml(value), *_parts(value)]
    if len(value) > _QUOTED_FROM and value.startswith('"') and value.endswith('"'):
        found.append(value[1:-1])
    return [form for form in dict.fromkeys(found) if form]


def _base64(value: str) -> Iterator[str]:
    """The value's base64 as it looks after 0, 2 and 1 bytes of something else, padding included."""
    raw = value.encode("utf-8", "replace")
    for skipped in range(3):
        yield base64.b64encode(raw[skipped:] if len(raw) > skipped else raw).decode()


def _json(value: str) -> str:
    escaped = json.dumps(value, ensure_ascii=False)[1:-1]
    return re.sub("[\x85\u2028\u2029]", lambda found: f"\\u{ord(found.group()):04x}", escaped)


def _xml(value: str) -> str:
    names = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
    return "".join(names.get(character, character) for character in value)


def _parts(value: str) -> Iterator[str]:
    if "&+" in value:
        cut = value.index("&+") + 2
        parts = value[:cut], value[cut + 1 :]  # PowerShell colours the character after it
    else:
        cut = value.rfind("&") + 1
        parts = value[:cut], value[cut:] if cut else ""
    yield from (part for part in parts if len(part) >= _SHORTEST_PART)


class Masker:
    """The secrets of one job. Only grows; values that hold another are handled, since overlaps merge."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        """Starts with the given values masked."""
        self._values: dict[str, None] = {}
        self._forms: dict[str, None] = {}
        for value in values:
            self.add(value)

    @property
    def values(self) -> tuple[str, ...]:
        """What was added, in order."""
        return tuple(self._values)

    def add(self, value: str) -> None:
        """Masks one value from now on; empty text is left out."""
        if value and value not in self._values:
            self._values[value] = None
            self._forms.update(dict.fromkeys(forms(value)))

    def add_lines(self, value: str) -> None:
        """Masks a value and each of its lines without the blanks around it: what `add-mask` does."""
        self.add(value)
        for line in re.split("[\r\n]", value):
            self.add(line.strip())

    def mask(self, text: str) -> str:
        """The text with each masked place as one `***`; places that touch or overlap become one."""
        places = sorted(place for form in self._forms if form in text for place in _places(text, form))
        pieces: list[str] = []
        end = 0  # of the last masked place
        shown = 0
        for start, stop in places:
            if not pieces or start > end:
                pieces += [text[shown:start], MASK]
            end = max(end, stop)
            shown = end
        return "".join(pieces) + text[shown:]

    def hides(self, text: str) -> bool:
        """Whether the text has something masked in it; GitHub then refuses it as a job's output."""
        return any(form in text for form in self._forms)


def _places(text: str, form: str) -> Iterator[tuple[int, int]]:
    start = text.find(form)
    while start >= 0:
        yield start, start + len(form)
        start = text.find(form, start + 1)
