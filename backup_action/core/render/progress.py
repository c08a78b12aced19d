"""What is said while a run goes on: a line when a phase begins, and how far the transfer is. No name stands in it."""

from __future__ import annotations

import unicodedata

from backup_action.core import escape
from backup_action.core.pace import Progress
from backup_action.core.render import numbers
from backup_action.core.verification import Link
from backup_action.core.wording import Language, word


def looking(language: Language) -> str:
    """The first phase: the disk and the bucket's listing."""
    return word("phase-look", language)


def sending(files: int, size: int, language: Language, *, dry_run: bool) -> str:
    """The second: what was found is compared, and sent unless this is a dry run."""
    name = "phase-compare" if dry_run else "phase-send"
    return word(name, language, files=numbers.count(files), size=numbers.size(size))


def restoring(files: int, size: int, language: Language) -> str:
    """The first phase of a restore: what the snapshot has of what was asked for."""
    return word("phase-restore", language, files=numbers.count(files), size=numbers.size(size))


def reading(language: Language) -> str:
    """The only phase of `snapshots`."""
    return word("phase-read", language)


def walking(language: Language) -> str:
    """The first phase of a verification: the snapshots themselves."""
    return word("phase-walk", language)


def verifying(link: Link, number: int, total: int, language: Language) -> str:
    """Its second, once for each snapshot."""
    size = {"files": numbers.count(link.files), "size": numbers.size(link.bytes)}
    return word("phase-verify", language, id=escape.log(link.id), number=str(number), total=str(total), **size)


def drilling(files: int, size: int, language: Language) -> str:
    """The only phase of a drill."""
    return word("phase-drill", language, files=numbers.count(files), size=numbers.size(size))


def thawing(files: int, seconds: float, language: Language) -> str:
    """What a restore waits for, and how long at most."""
    return word("phase-thaw", language, count=numbers.count(files), time=numbers.duration(seconds, language))


def committing(language: Language, *, shard: bool = False) -> str:
    """The last: the snapshot; or what a shard hands on."""
    return word("phase-hand-on" if shard else "phase-commit", language)


def progress(done: Progress, language: Language, columns: int = 0) -> str:
    """How far it is, in one line of at most `columns` cells of a terminal (0: any): what does not fit is left out."""
    total, size = numbers.count(done.files_total), numbers.size(done.bytes_total)
    parts = [
        word("progress-files", language, count=numbers.count(done.files), total=total),
        word("progress-bytes", language, size=numbers.size(done.bytes), **{"total-size": size}),
    ]
    if done.rate:  # 0 may only mean that a large file is on its way
        parts.append(word("progress-rate", language, size=numbers.size(round(done.rate))))
    if done.left:
        parts.append(word("progress-left", language, time=_rounded(done.left, language)))
    line = word("comma", language).join(parts)
    while columns and parts and cells(line) > columns:
        parts.pop()
        line = word("comma", language).join(parts)
    return line


def cells(text: str) -> int:
    """Columns of a terminal that a text takes: Chinese characters and their punctuation take two each."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _rounded(seconds: float, language: Language) -> str:
    """A time to go by: whole minutes from two on, else steps of ten seconds."""
    step = 60 if seconds >= 120 else 10
    return numbers.duration(max(step, -(-seconds // step) * step), language)
