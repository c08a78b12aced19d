"""Tells everyone who should know how a command ended: report file, DingTalk, outputs, summary, annotations, console.

A telling that fails becomes a warning in the report; it never changes the status, and never keeps the others from
being told. The file is written first, so that a report exists even if the process is killed while it tells.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import secrets as randomness
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from backup_action.adapters import console, dingtalk, github, host
from backup_action.adapters.way import DIRECT, Way
from backup_action.core import escape, render
from backup_action.core.problem import Kind, Problem, Status
from backup_action.core.report import Report, encode, outputs
from backup_action.core.wording import Language

NotifyOn = Literal["always", "problem", "never"]
NAMES = {"notify": "notification.json"}  # the report of a notification never takes the place of what it tells of
PATIENCE = 30.0  # seconds that DingTalk may take
STRETCH = 1000  # pieces of a page that are printed together
HURRY = 2.0  # the same when a signal ended the run: GitHub kills a cancelled job 10 s after the first one

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told, and how. The environment says where GitHub's files are; it is never written to."""

    environ: Mapping[str, str] = field(repr=False)
    language: Language = "zh"
    webhook: str = field(default="", repr=False)  # of a DingTalk robot; empty: nobody is notified
    secret: str = field(default="", repr=False)
    keyword: str = ""
    at: tuple[str, ...] = ()
    notify_on: NotifyOn = "always"
    secrets: tuple[str, ...] = field(default=(), repr=False)  # everything else that must appear in no text
    way: Way = DIRECT
    page: Iterable[str] = field(default=(), repr=False)  # what the command prints on stdout, off GitHub
    hurry: threading.Event = field(default_factory=threading.Event, repr=False)  # set when a signal came

    @property
    def all_secrets(self) -> tuple[str, ...]:
        """What is blanked out of every text, as the last line of defence."""
        return (*self.secrets, *dingtalk.secrets_of(self.webhook, self.secret))


def publish(report: Report, audience: Audience) -> Report:
    """Tells everyone. Returns the report as published: redacted, with its path, a warning for each who was not told.

    Raises nothing that is an Exception.
    """
    path = report_path(audience.environ, report)
    plain = msgspec.structs.replace(redacted(report, audience.all_secrets), report_path=str(path))
    written = report = _told(plain, str(path), lambda r: _write(path, encode(r)))
    if report is not plain:  # there is no such file, or only an older one
        report = msgspec.structs.replace(report, report_path="")
    if is_called_for(report, audience.notify_on):
        report = _with(report, notify(report, audience))
    report = _told(report, "GITHUB_OUTPUT", lambda r: _outputs(r, audience))
    report = _told(report, "GITHUB_STEP_SUMMARY", lambda r: _summary(r, audience))
    report = _told(report, "stdout", lambda r: _annotations(r, audience))
    if report is not written and report.report_path:
        report = _told(report, str(path), lambda r: _write(path, encode(r)))
    report = _told(report, "stdout", lambda r: _page(audience))
    return _told(report, "stderr", lambda r: _console(r, audience))


def notify(report: Report, audience: Audience) -> Problem | None:
    """Sends the report to DingTalk, if there is a webhook. Returns why it did not arrive, or None; never raises.

    Waits as long as DingTalk may take; once a signal came, only `HURRY`.
    """
    if not audience.webhook:
        return None
    results: queue.SimpleQueue[Problem | None] = queue.SimpleQueue()
    threading.Thread(target=lambda: results.put(_send(report, audience)), name="notify", daemon=True).start()
    end = time.monotonic() + PATIENCE
    while (now := time.monotonic()) < end:
        if audience.hurry.is_set():
            end = min(end, now + HURRY)
        with contextlib.suppress(queue.Empty):
            return results.get(timeout=0.05)
    return Problem(Kind.NOTIFY_FAILED, "DingTalk", {"reason": "no answer in time"})


def _send(report: Report, audience: Audience) -> Problem | None:
    try:
        return dingtalk.send(
            _message(report, audience),
            webhook=audience.webhook,
            secret=audience.secret,
            at=audience.at,
            deadline=HURRY if audience.hurry.is_set() else PATIENCE,
            way=audience.way,
        )
    except Exception as error:
        return Problem(Kind.NOTIFY_FAILED, "DingTalk", {"reason": type(error).__name__})


def is_called_for(report: Report, notify_on: NotifyOn) -> bool:
    """Whether DingTalk is told: `problem` means a status other than ok, or somebody else's hand in the bucket."""
    if notify_on == "problem":
        return report.status is not Status.OK or not render.ALARMING.isdisjoint(report.problem_counts)
    return notify_on == "always"


def report_path(environ: Mapping[str, str], report: Report) -> Path:
    """Where the report goes: a name of its own in the job's temporary folder; off GitHub one place a command."""
    run_id = report.run.run_id
    if github.is_runner(environ):
        folder = Path(environ.get("RUNNER_TEMP") or tempfile.gettempdir())
        run = run_id if run_id.isdigit() else "run"
        return folder / "oss-backup" / f"report-{run}-{randomness.token_hex(4)}.json"  # a job may run us twice
    return host.state_folder(environ) / NAMES.get(report.command, "report.json")


def redacted(value: T, secrets: tuple[str, ...]) -> T:
    """A value of structs, lists, dicts and texts, every text in it encodable and without the secrets."""
    result: object = value
    if isinstance(value, str) and type(value) is str:  # not an enumeration
        result = escape.encodable(escape.redact(value, secrets))
    elif isinstance(value, msgspec.Struct):
        fields = {name: redacted(getattr(value, name), secrets) for name in value.__struct_fields__}
        result = msgspec.structs.replace(value, **fields)
    elif isinstance(value, list):
        result = [redacted(item, secrets) for item in value]
    elif isinstance(value, dict):
        result = {redacted(key, secrets): redacted(item, secrets) for key, item in value.items()}
    return result  # type: ignore[return-value]  # each branch makes the type that it was given


def _message(report: Report, audience: Audience) -> render.Message:
    names = dingtalk.recipients(audience.at).names
    made = render.message(report, audience.language, keyword=audience.keyword, mobiles=names)
    return redacted(made, audience.all_secrets)


def _outputs(report: Report, audience: Audience) -> None:
    made = _message(report, audience)
    github.write_outputs(outputs(report, title=made.title, text=made.text), audience.environ)


def _summary(report: Report, audience: Audience) -> None:
    text = render.summary(report, audience.language)
    github.write_summary(escape.redact(text, audience.all_secrets), audience.environ)


def _annotations(report: Report, audience: Audience) -> None:
    github.annotate(redacted(render.annotations(report, audience.language), audience.all_secrets), audience.environ)


def _console(report: Report, audience: Audience) -> None:
    for line in render.lines(report, audience.language):
        console.say(escape.redact(line, audience.all_secrets))


def _page(audience: Audience) -> None:
    """Prints what the command was asked for, a stretch at a time, until a signal comes. On GitHub stdout is a log."""
    if github.is_runner(audience.environ):
        return
    pieces = iter(audience.page)
    while stretch := "".join(itertools.islice(pieces, STRETCH)):
        if audience.hurry.is_set() or not console.put(escape.redact(stretch, audience.all_secrets)):
            return


def _told(report: Report, where: str, tell: Callable[[Report], None]) -> Report:
    try:
        tell(report)
    except OSError as error:
        return _with(report, Problem(Kind.PUBLISH_FAILED, where, {"reason": error.strerror or type(error).__name__}))
    except Exception as error:
        # One telling must not cost the others theirs. The error's text may hold anything, so only its type is told.
        return _with(report, Problem(Kind.PUBLISH_FAILED, where, {"reason": type(error).__name__}))
    return report


def _with(report: Report, warning: Problem | None) -> Report:
    if warning is None:
        return report
    counts = {**report.problem_counts, warning.kind.value: report.problem_counts.get(warning.kind.value, 0) + 1}
    return msgspec.structs.replace(report, problems=[*report.problems, warning], problem_counts=counts)


def _write(path: Path, data: bytes) -> None:
    """The whole file or none of it, readable by its owner alone (mkstemp's mode)."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".report-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
