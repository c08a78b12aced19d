"""Words to whoever watches: progress and notes, one line each, to stderr. stdout is for workflow commands alone.

Every line is made safe by `escape.log`, whoever wrote it. A console that is gone never stops a backup.
"""

from __future__ import annotations

import contextlib
import sys
import threading

from backup_action.core import escape

_one_at_a_time = threading.Lock()


def say(line: str) -> None:
    """Prints one line. May be called from any thread; lines never mix."""
    put(f"{escape.log(line)}\n")


def put(text: str) -> None:
    """Prints a text of ours as it is, in one go: signs that move a terminal's cursor too."""
    with _one_at_a_time, contextlib.suppress(OSError, ValueError, AttributeError):  # closed, broken, or none at all
        # The encoding of a stream depends on the locale; what cannot be encoded is shown as an escape.
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stderr.flush()
