"""The short forms: a title, annotations for GitHub, and the closing lines of a console. All of it safe in a log."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from backup_action.core import escape, wording
from backup_action.core.problem import ALARMS, Kind, Problem, Status
from backup_action.core.render import numbers, pruning, verification
from backup_action.core.render.problems import Group, groups, is_alarming, quoting, warnings
from backup_action.core.report import Report
from backup_action.core.wording import Language, word, word_of

# GitHub shows ten annotations of a level for a step, each cut at 4096 characters (actions/runner, ExecutionContext.cs).
ANNOTATIONS_PER_LEVEL = 10
ANNOTATION_CHARACTERS = 4096
CONSOLE_PROBLEMS = 20
# These looked at every file, whether or not all are in the snapshot; any other ending may have cut the count short.
_COUNTED_OUT = frozenset({Status.OK, Status.INCOMPLETE, Status.BUSY})

Level = Literal["error", "warning"]


class Annotation(msgspec.Struct, frozen=True):
    """One mark on the run's page. The text may have several lines; it is not yet encoded as a command."""

    level: Level
    text: str
    title: str


def title(report: Report, language: Language) -> str:
    """The command and how it ended, in a few words, safe in a log and in Markdown. A success counts its warnings."""
    command, ending = wording.command(report.command, language), _ending(report)
    if report.shard:
        command = word("shard", language, command=command, shard=escape.word(report.shard))
    text = word("title", language, command=command, status=wording.status(ending, language))
    if ending == Status.OK and (count := warnings(report)):
        text = word("title-warnings", language, title=text, count=numbers.count(count))
    return word("title-dry-run", language, title=text) if report.dry_run else text


def verdict(report: Report, language: Language) -> str:
    """How the run ended, in one sentence."""
    ending = "ok-shard" if report.shard and _ending(report) == Status.OK and not report.dry_run else _ending(report)
    return wording.verdict(ending, language, command_name=report.command, dry_run=report.dry_run)


def _ending(report: Report) -> str:
    """The status, or what it means for `notify`: whether the message arrived is not a matter of its status."""
    if report.command == "notify" and report.status is Status.OK and Kind.NOTIFY_FAILED in report.problem_counts:
        return "undelivered"
    if report.command == "notify" and report.status is Status.USAGE and Kind.REPORT_UNREADABLE in report.problem_counts:
        return "no-report"
    if report.status is Status.OK and not ALARMS.isdisjoint(report.problem_counts) and report.command != "notify":
        return "alarm"
    return report.status.value


def icon(report: Report, icons: Mapping[Status, str]) -> str:
    """The sign before a heading: the one of the status, but a success that needs a look has a sign of its own."""
    if report.status is Status.OK and (is_alarming(report) or _ending(report) != Status.OK):
        return "⚠️"
    return icons.get(report.status, "❌")


def is_counted(report: Report) -> bool:
    """Whether there are numbers to show: a refusal has none."""
    return bool(report.counts.files_total or report.counts.files_removed or report.snapshot)


def is_cut_short(report: Report) -> bool:
    """Whether the numbers are only of the files that were seen before the run ended."""
    return report.snapshot is None and report.status not in _COUNTED_OUT


def figures(report: Report, language: Language) -> str:
    """The counts in one line, or nothing when no file was looked at."""
    counts = report.counts
    if report.pruning:
        return pruning.line(report, language)
    if not is_counted(report):
        return ""
    line = ("to-upload" if report.dry_run else "uploaded") + ("-so-far-line" if is_cut_short(report) else "-line")
    parts = [
        word(
            word_of(line, report.command),
            language,
            files=numbers.count(counts.files_uploaded),
            size=numbers.size(counts.bytes_uploaded),
            unchanged=numbers.count(counts.files_unchanged),
            total=numbers.count(counts.files_total),
            **{"total-size": numbers.size(counts.bytes_total)},
        )
    ]
    if counts.files_copied:
        line, size = "to-copy-line" if report.dry_run else "copied-line", numbers.size(counts.bytes_copied)
        parts.append(word(line, language, count=numbers.count(counts.files_copied), size=size))
    if counts.files_failed:
        parts.append(word("failed-line", language, count=numbers.count(counts.files_failed)))
    if counts.files_removed:
        parts.append(word("removed-line", language, count=numbers.count(counts.files_removed)))
    if report.spared_files:
        parts.append(word("spared-line", language, count=numbers.count(report.spared_files)))
    if report.removed_paths:
        line = "to-remove-line" if report.dry_run else "removed-from-target-line"
        parts.append(word(line, language, count=numbers.count(report.removed_paths)))
    if report.deleted_objects:
        parts.append(
            word(
                "to-delete-line" if report.dry_run else "deleted-line",
                language,
                count=numbers.count(report.deleted_objects),
            )
        )
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
    """A short closing text for a console: how it ended, how much, which snapshot, what went wrong and what to do.

    Off GitHub the report file is named too; on GitHub its path is an output.
    """
    colon = word("colon", language)
    result = [title(report, language), verdict(report, language), figures(report, language)]
    if report.snapshot:
        result.append(word("snapshot", language) + colon + report.snapshot.id)
        result.append(word("digest", language) + colon + report.snapshot.digest)
    result += pruning.lines(report, language)
    result += verification.lines(report, language)
    for group in groups(report, CONSOLE_PROBLEMS):
        result += _problem_lines(group, language)
    if report.report_path and not report.run.run_id:
        result.append(word("report-file", language) + colon + report.report_path)
    return [escape.log(line) for line in result if line]


def _problem_lines(group: Group, language: Language) -> list[str]:
    """One kind: what happened where, once each, then the advice, once when it is the same for all."""
    colon = word("colon", language)
    first: dict[str, wording.Sentence] = {}
    for problem in group.shown:
        one = wording.sentence(problem, language, quoting(escape.word))
        first.setdefault(one.what, one)
    told = list(first.values())
    shared = len({one.advice for one in told}) == 1
    warning = "alarm" if group.kind in ALARMS else "warning"
    level = word(warning if wording.is_warning(group.kind) else "error", language)
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
