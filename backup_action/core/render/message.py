"""The message to a group: the part of Markdown that DingTalk shows, which has no tables and no code blocks.

DingTalk takes 20,000 bytes for the whole JSON document. Links are ours alone; a name from outside stays a name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import msgspec

from backup_action.core import escape, wording
from backup_action.core.problem import Kind, Status
from backup_action.core.render import history, ledger, numbers, pruning, verification
from backup_action.core.render.lines import figures, icon, title, verdict
from backup_action.core.render.problems import Group, groups, quoting
from backup_action.core.report import Report
from backup_action.core.wording import Language, word

LIMIT = 16_000  # bytes of title and text as JSON; the rest of the 20,000 is for the frame and the `at` list
PROBLEMS = 10
MENTIONS = 50
TITLE_LIMIT = 200  # bytes
_ICONS = {Status.OK: "✅", Status.INCOMPLETE: "⚠️"}
_MENTION = re.compile(r"[\w.@$+-]{1,64}", re.ASCII)
_chat = quoting(escape.chat)


class Message(msgspec.Struct, frozen=True):
    """A message in DingTalk's Markdown. The title is what the push on the phone shows."""

    title: str
    text: str


def message(report: Report, language: Language, *, keyword: str = "", mobiles: Sequence[str] = ()) -> Message:
    """The report as a message of at most `LIMIT` bytes.

    `mobiles` holds the mobile numbers and user ids to call; each has to stand in the text too, or nobody is called.
    `keyword` is put at the end unless the text has it: a robot may be set to refuse messages without it.
    """
    heading = _heading(report, language)
    start = list(_start(report, heading, language))
    end = list(_end(report, language, mobiles))
    if keyword and keyword not in "\n\n".join([*start, *end]):
        end.append(escape.cut(escape.visible(keyword), TITLE_LIMIT))
    room = LIMIT - _size(heading) - _size("\n\n".join([*start, *end]))
    return Message(heading, "\n\n".join([*start, *_fitting(_middle(report, language), room), *end]))


def _size(text: str) -> int:
    """Bytes of the text as JSON."""
    return len(json.dumps(text, ensure_ascii=False).encode())


def _fitting(blocks: Iterator[str], room: int) -> Iterator[str]:
    for block in blocks:
        room -= _size(block) + 4  # a blank line is four bytes in JSON
        if room < 0:
            return
        yield block


def _heading(report: Report, language: Language) -> str:
    name = report.source or report.run.repository or report.run.host
    tail = f" · {escape.log(name)}" if name else ""
    return escape.cut(title(report, language) + tail, TITLE_LIMIT)


def _start(report: Report, heading: str, language: Language) -> Iterator[str]:
    yield f"#### {icon(report, _ICONS)} {title(report, language)}"
    yield f"**{verdict(report, language)}**"
    if line := figures(report, language):
        yield line
    yield from pruning.notes(report, language)
    colon = word("colon", language)
    facts = "\n".join(f"- {word(name, language)}{colon}{value}" for name, value in _facts(report, language) if value)
    yield facts


def _facts(report: Report, language: Language) -> Iterator[tuple[str, str]]:
    snapshot, target = report.snapshot, report.target
    yield "source", _chat(report.source) if report.source else ""
    yield "target", _chat(f"{target.bucket}/{target.prefix}") if target.bucket else ""
    yield "duration", numbers.duration(report.duration_seconds, language)
    if snapshot:
        yield "snapshot", _chat(snapshot.id)
        yield "digest-short", _chat(snapshot.digest[:16])
        yield "verified", word("yes" if report.verified else "no", language)
    yield "ledger", ledger.line(report, language)
    if report.verification or report.drill:
        yield "proofs" if report.verification else "drill", verification.short(report, language)
    yield "history", history.reach(report, language)


def _middle(report: Report, language: Language) -> Iterator[str]:
    """The problems with their advice, the most severe first; what does not fit is left to the run's page."""
    for group in groups(report, PROBLEMS):
        if group.kind is Kind.FILE_SPECIAL:  # the same on each run, and nothing is to be done: only counted
            yield f"> {wording.label(group.kind, language)}{word('colon', language)}{numbers.count(group.total)}"
        else:
            yield from _group(group, language)


def _group(group: Group, language: Language) -> Iterator[str]:
    told = [wording.sentence(problem, language, _chat) for problem in group.shown]
    for position, one in enumerate(told):
        same = position and one.advice == told[position - 1].advice
        yield (
            f"> {one.what}"
            if same
            else f"> **{one.label}**  \n> {one.what}\n>\n> {word('advice', language)}{one.advice}"
        )
    if group.more:
        label = wording.label(group.kind, language)
        yield f"> {label}{word('colon', language)}{word('more-short', language, count=numbers.count(group.more))}"


def _end(report: Report, language: Language, mobiles: Sequence[str]) -> Iterator[str]:
    if report.run.url:
        yield escape.link(word("open-run", language), report.run.url)
    mentions = [f"@{name}" for name in mobiles[:MENTIONS] if _MENTION.fullmatch(name)]
    if mentions:
        yield " ".join(mentions)
