"""The short forms: a title, annotations for GitHub, and the closing lines of a console. All of it safe in a log."""

from typing import Literal

import msgspec

from backup_action.core import escape, wording
from backup_action.core.problem import Problem
from backup_action.core.render import numbers
from backup_action.core.render.problems import Group, groups, quoting
from backup_action.core.report import Report
from backup_action.core.wording import Language, word

# GitHub shows ten annotations of a level for a step, each cut at 4096 characters (actions/runner, ExecutionContext.cs).
ANNOTATIONS_PER_LEVEL = 10
ANNOTATION_CHARACTERS = 4096
CONSOLE_PROBLEMS = 20

Level = Literal["error", "warning"]


class Annotation(msgspec.Struct, frozen=True):
    """One mark on the run's page. The text may have several lines; it is not yet encoded as a command."""

    level: Level
    text: str
    title: str


def title(report: Report, language: Language) -> str:
    """The command and how it ended, in a few words, safe in a log and in Markdown."""
    command = wording.command(report.command, language)
    text = word("title", language, command=command, status=wording.status(report.status.value, language))
    return word("title-dry-run", language, title=text) if report.dry_run else text


def verdict(report: Report, language: Language) -> str:
    """How the run ended, in one sentence."""
    return wording.verdict(report.status.value, language, command_name=report.command, dry_run=report.dry_run)


def figures(report: Report, language: Language) -> str:
    """The counts in one line, or nothing when no file was looked at."""
    counts = report.counts
    if not counts.files_total and not counts.files_removed:
        return ""
    parts = [
        word(
            "to-upload-line" if report.dry_run else "uploaded-line",
            language,
            files=numbers.count(counts.files_uploaded),
            size=numbers.size(counts.bytes_uploaded),
            unchanged=numbers.count(counts.files_unchanged),
            total=numbers.count(counts.files_total),
            **{"total-size": numbers.size(counts.bytes_total)},
        )
    ]
    if counts.files_failed:
        parts.append(word("failed-line", language, count=numbers.count(counts.files_failed)))
    if counts.files_removed:
        parts.append(word("removed-line", language, count=numbers.count(counts.files_removed)))
    return ("" if language == "zh" else " ").join(parts)


def annotations(report: Report, language: Language) -> list[Annotation]:
    """At most ten errors and ten warnings: one of each kind first, the most severe ahead; the last counts the rest."""
    found = groups(report, room=len(report.problems))
    errors = [group for group in found if group.shown and not group.shown[0].is_warning]
    warnings = [group for group in found if group.shown and group.shown[0].is_warning]
    return [*_level("error", errors, language), *_level("warning", warnings, language)]


def _level(level: Level, found: list[Group], language: Language) -> list[Annotation]:
    firsts = [group.shown[0] for group in found]
    others = [problem for group in found for problem in group.shown[1:]]
    shown = [*firsts, *others][:ANNOTATIONS_PER_LEVEL]
    hidden = sum(group.total for group in found) - len(shown)
    more = word("more", language, count=numbers.count(hidden)) if hidden and shown else ""
    last = len(shown) - 1
    return [_annotation(level, problem, language, more if at == last else "") for at, problem in enumerate(shown)]


def _annotation(level: Level, problem: Problem, language: Language, more: str) -> Annotation:
    told = wording.sentence(problem, language, quoting(escape.word))
    lines = [told.what, told.advice, *(map(escape.log, told.paste.split("\n")) if told.paste else ()), more]
    text = "\n".join(line for line in lines if line)
    return Annotation(level, text[:ANNOTATION_CHARACTERS], told.label)


def lines(report: Report, language: Language) -> list[str]:
    """A short closing text for a console: how it ended, how much, which snapshot, what went wrong and what to do."""
    colon = word("colon", language)
    result = [title(report, language), verdict(report, language), figures(report, language)]
    if report.snapshot:
        result.append(word("snapshot", language) + colon + report.snapshot.id)
        result.append(word("digest", language) + colon + report.snapshot.digest)
    for group in groups(report, CONSOLE_PROBLEMS):
        result += _problem_lines(group, language)
    return [escape.log(line) for line in result if line]


def _problem_lines(group: Group, language: Language) -> list[str]:
    """One kind: what happened where, then the advice, once when it is the same for all."""
    colon = word("colon", language)
    told = [wording.sentence(problem, language, quoting(escape.word)) for problem in group.shown]
    shared = len({one.advice for one in told}) == 1
    level = word("warning" if wording.is_warning(group.kind) else "error", language)
    result = []
    for position, one in enumerate(told):
        result.append(level + colon + one.what)
        if not shared or position == len(told) - 1:
            result.append(f"    {one.advice}")
            result += [f"        {line}" for line in one.paste.split("\n") if line]
    if group.more:
        label = wording.label(group.kind, language)
        result.append(label + colon + word("more", language, count=numbers.count(group.more)))
    return result
