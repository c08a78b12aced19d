"""Words to whoever watches: progress and notes, one line each, to stderr. On GitHub stdout is
for workflow commands alone; elsewhere it is for what a command was asked for (`put`).

Every line is made safe by `escape.log`, whoever wrote it. A console that is gone never stops a backup.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

from backup_action.core import escape

_one_at_a_time = threading.Lock()
_FRESH = "\r\x1b[K\x1b[?25h"  # to the line's beginning, all of it wiped, the cursor shown
_drawn = False  # whether a terminal's last line was drawn and has no end yet


def say(line: str) -> None:
    """Prints one line, in place of one that is drawn. May be called from any thread; lines never mix."""
    _write(f"{escape.log(line)}\n", is_line=True)


def put(text: str) -> bool:
    """Prints a text to stdout, in UTF-8 whatever the locale. False where its reader has seen enough. Raises OSError."""
    try:
        sys.stdout.buffer.write(text.encode(errors="backslashreplace"))
        sys.stdout.flush()
    except BrokenPipeError:  # `… | head`; nothing more goes there, and that is no failure
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def draw(text: str) -> None:
    """Prints a text of ours as it is: signs that move a terminal's cursor too."""
    _write(text, is_line=False)


def _write(text: str, *, is_line: bool) -> None:
    global _drawn
    with _one_at_a_time, contextlib.suppress(OSError, ValueError, AttributeError):  # closed, broken, or none at all
        if _drawn and is_line:
            text = _FRESH + text
        _drawn = not text.endswith("\n")
        # The encoding of a stream depends on the locale; what cannot be encoded is shown as an escape.
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stderr.flush()
