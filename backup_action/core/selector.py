"""Which snapshot is meant: `latest`, an id, the beginning of an id, or a time: the newest that was begun by then.

| text | means |
|---|---|
| `latest` | the newest |
| `20261122T180000Z-6c5f0a26` | that one |
| `20261122T18`, `20261122` | the one whose id begins so, if there is just one |
| `2026-11-22T18:00Z`, `2026-11-22T18:00:00+08:00` | the newest begun at that moment or before |
| `2026-11-22` | the newest begun on that day or before, in UTC |
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Final

from backup_action.core.problem import Kind, Stop
from backup_action.core.recent import ID

ALL: Final = "all"
LATEST: Final = "latest"
SHORTEST: Final = 4  # characters of an id that may stand for it
SHOWN: Final = 5  # ids named in a sentence
_BEGINNING = re.compile(r"\d{4,8}|\d{8}T\d{0,6}|\d{8}T\d{6}Z(?:-[0-9a-f]{0,8})?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def check(text: str) -> str:
    """The text, if it can mean a snapshot. Raises ValueError with the rule that it breaks."""
    if text != LATEST and not _BEGINNING.fullmatch(text) and _moment(text) is None:
        raise ValueError("`latest`, a snapshot's id or its beginning, or a time such as `2026-11-01T00:00Z`")
    return text


def choose(text: str, ids: Sequence[str]) -> str:
    """The id that is meant, of these, oldest first. Raises Stop where there is none, or more than one."""
    if not ids:
        raise Stop(Kind.SNAPSHOT_UNKNOWN, text, cause="none")
    if text == LATEST:
        return ids[-1]
    moment = _moment(text)
    if moment is not None:
        found = [id for id in ids if id[:16] <= moment][-1:]
    else:
        found = [id for id in ids if id.startswith(text)]
    if len(found) > 1:
        raise Stop(Kind.SNAPSHOT_UNKNOWN, text, cause="many", count=len(found), known=", ".join(found[-SHOWN:]))
    if not found:
        raise Stop(Kind.SNAPSHOT_UNKNOWN, text, known=", ".join(ids[-SHOWN:]), oldest=ids[0])
    return found[0]


def _moment(text: str) -> str | None:
    """A time as ids write it, at the second's end: what was begun by then sorts at or before it."""
    day = bool(_DAY.fullmatch(text))
    try:
        told = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    if _BEGINNING.fullmatch(text):  # `20261122` is a day for datetime, and the beginning of an id for us
        return None
    zoned = told if told.tzinfo else told.replace(tzinfo=datetime.UTC)
    if day:
        zoned += datetime.timedelta(hours=23, minutes=59, seconds=59)
    return zoned.astimezone(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")


def alarm(text: str) -> str:
    """Checks what the setting `acknowledge` may say. Raises ValueError."""
    if text != ALL and not re.fullmatch(ID, text):
        raise ValueError("ids of snapshots, one a line, or `all`")
    return text
