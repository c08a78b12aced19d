"""What people read of a report: the job summary, the message to a group, annotations, the closing lines of a console.

Pure. Every text from outside goes through `core.escape`; every limit of a reader stands in the room that keeps it.
"""

from backup_action.core.render.lines import Annotation, annotations, lines, title
from backup_action.core.render.message import Message, message
from backup_action.core.render.problems import ALARMING
from backup_action.core.render.progress import (
    cells,
    committing,
    drilling,
    looking,
    progress,
    reading,
    restoring,
    sending,
    thawing,
    verifying,
    walking,
)
from backup_action.core.render.snapshots import page
from backup_action.core.render.summary import summary

__all__ = [
    "ALARMING",
    "Annotation",
    "Message",
    "annotations",
    "cells",
    "committing",
    "drilling",
    "lines",
    "looking",
    "message",
    "page",
    "progress",
    "reading",
    "restoring",
    "sending",
    "summary",
    "thawing",
    "title",
    "verifying",
    "walking",
]
