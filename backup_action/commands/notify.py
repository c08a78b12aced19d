"""notify: tells DingTalk of a run that has ended, from its report file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

import msgspec

from backup_action import publish
from backup_action.core import report
from backup_action.core.problem import Kind, Stop
from backup_action.core.report import Draft, Report
from backup_action.publish import Audience

REPORT_MAX: Final = 16 << 20  # bytes; a report holds at most a thousand problems


def notify(path: str, draft: Draft, audience: Audience) -> Audience:
    """Sends the message; a failure is a warning. Raises Stop where the report cannot be read.

    Gives the audience of this command's own ending: the same, but DingTalk has been told already.
    """
    told = read(path)
    if told.command == "notify":
        raise Stop(Kind.REPORT_UNREADABLE, path, reason="it is the report of a notification")
    if publish.is_called_for(told, audience.notify_on):
        warning = publish.notify(told, audience)
        if warning is not None:
            draft.tell(warning)
    draft.run, draft.target, draft.source = told.run, told.target, told.source
    return dataclasses.replace(audience, notify_on="never")


def read(path: str) -> Report:
    """The report in a file. Raises Stop."""
    try:
        with Path(path).open("rb") as file:
            return report.decode(file.read(REPORT_MAX))
    except OSError as error:
        raise Stop(Kind.REPORT_UNREADABLE, path, reason=error.strerror) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise Stop(Kind.REPORT_UNREADABLE, path, reason=error) from None
