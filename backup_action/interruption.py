"""SIGINT and SIGTERM, from a command's first moment to its last: heard once, and answered according to where it is.

| the command | what a signal does |
|---|---|
| has not begun to run | ends it |
| runs | cancels its task, which ends what it has begun in the bucket |
| tells how it ended | nothing but make it hurry: what stands, stands |

A runner that cancels a job sends SIGINT, 7.5 s later SIGTERM, and kills 2.5 s after that.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

from backup_action.core.report import Draft


class Interruption:
    """Listens for one command. Only the main thread may make one."""

    def __init__(self, draft: Draft) -> None:
        """Begins to listen; the number of a signal that ends the command goes into the draft."""
        self._draft = draft
        self._cancel: Callable[[], object] | None = None
        self._telling = False
        self.stopped = threading.Event()  # readers in threads look at it
        self.hurry = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._telling:
            self.hurry.set()
            return
        if self._draft.signal:
            return
        self._draft.signal, self._draft.signalled = number, time.monotonic()
        self.hurry.set()
        self.stopped.set()
        if self._cancel is None:
            raise KeyboardInterrupt
        self._cancel()

    def telling(self) -> None:
        """From here on the command has ended, however it ended."""
        self._telling = True

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs the work; raises KeyboardInterrupt when a signal cancelled it."""
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

        def cancel() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: there is nothing left to cancel
                loop.call_soon_threadsafe(task.cancel)

        self._cancel = cancel
        try:
            await task
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            self.stopped.set()
