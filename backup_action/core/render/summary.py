"""The job summary: GitHub Markdown, at most 1 MiB, the important first: how it ended, what to do, the numbers.

The details are folded away; that fold is the only HTML, and the same each time.
GitHub drops a summary of more than 1024 KiB altogether, so it is cut here, between blocks.
"""

from __future__ import annotations

from collections.abc import Iterator

from backup_action.core import escape, wording
from backup_action.core.problem import ALARMS, Status
from backup_action.core.render import history, ledger, numbers, pruning, snapshots, verification
from backup_action.core.render.lines import figures, icon, is_counted, is_cut_short, title, verdict
from backup_action.core.render.problems import FACT_LIMIT, Group, groups, quoting
from backup_action.core.report import Report
from backup_action.core.snapshot import WRITERS
from backup_action.core.wording import Language, word, word_of

LIMIT = 1024 * 1024 - 4096  # bytes; a little is left for what others write to the same file
PROBLEMS = 50
PATHS = 50

_ICONS = {Status.OK: "✅", Status.INCOMPLETE: "⚠️", Status.BUSY: "⚠️", Status.INTERRUPTED: "⚠️"}
_FOLD = "<details><summary>{heading}</summary>\n\n{table}\n\n</details>"
_code = quoting(escape.code)


def summary(report: Report, language: Language, limit: int = LIMIT) -> str:
    """The report as GitHub Markdown of at most `limit` bytes, ending in a newline."""
    note = f"\n\n{word('more-lines', language)}\n"
    text: list[str] = []
    used, before = len(note.encode()), ""
    for block in _blocks(report, language):
        gap = "\n" if block.startswith("- ") and before.startswith("- ") else "\n\n"  # a list stays one list
        piece = gap + block if before else block
        used += len(piece.encode())
        if used > limit:
            return "".join(text) + note
        text.append(piece)
        before = block
    return "".join(text) + "\n"


def _blocks(report: Report, language: Language) -> Iterator[str]:
    yield f"## {icon(report, _ICONS)} {title(report, language)}"
    yield "  \n".join(line for line in (f"**{verdict(report, language)}**", figures(report, language)) if line)
    found = groups(report, PROBLEMS)
    alarms = [group for group in found if group.kind in ALARMS]
    yield from _problems("alarms", alarms, language)
    yield from _problems("problems", [group for group in found if not _is_warning(group)], language)
    yield from _problems("warnings", [group for group in found if _is_warning(group) and group not in alarms], language)
    if is_counted(report):
        yield f"### {word('numbers', language)}"
        yield _counts(report, language)
        if report.roots and report.command in WRITERS:
            yield _roots(report, language)
    yield from snapshots.blocks(report, language)
    yield from pruning.blocks(report, language)
    yield from ledger.blocks(report, language)
    yield from verification.blocks(report, language)
    yield from history.blocks(report, language)
    yield _details(report, language)


def _table(head: list[str], rows: list[list[str]], right: int = 0) -> str:
    """A table; the columns from the one numbered `right` on are figures, set to the right (0: none)."""
    rule = ["---:" if right and at >= right else "---" for at in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def _counts(report: Report, language: Language) -> str:
    counts = report.counts
    total, uploaded = _columns(report)
    rows = [
        (total, counts.files_total, numbers.size(counts.bytes_total)),
        (uploaded, counts.files_uploaded, numbers.size(counts.bytes_uploaded)),
        *[(_copied(report), counts.files_copied, numbers.size(counts.bytes_copied))] * bool(counts.files_copied),
        (word_of("files-unchanged", report.command), counts.files_unchanged, ""),
        *[("files-removed", counts.files_removed, "")] * (report.command in WRITERS),
        (word_of("files-failed", report.command), counts.files_failed, ""),
    ]
    head = [word(name, language) for name in ("what", "files", "size")]
    return _table(head, [[word(name, language), numbers.count(n), amount] for name, n, amount in rows], right=1)


def _columns(report: Report) -> tuple[str, str]:
    """What the first two numbers are called: those of a run that was cut short are no totals."""
    total = "files-so-far" if is_cut_short(report) else "files-total"
    return total, word_of("files-to-upload" if report.dry_run else "files-uploaded", report.command)


def _copied(report: Report) -> str:
    return "files-to-copy" if report.dry_run else "files-copied"


def _roots(report: Report, language: Language) -> str:
    copied = [_copied(report)] * bool(report.counts.files_copied)
    figures = ("files-unchanged", "files-removed", "files-failed", "size")
    names = ("path", "destination", *_columns(report), *copied, *figures)
    rows = []
    for root in report.roots[:PATHS]:
        c = root.counts
        of_root = (c.files_total, c.files_uploaded, *[c.files_copied] * len(copied), c.files_unchanged)
        of_root = (*of_root, c.files_removed, c.files_failed)
        place = _code(root.destination) if root.destination else ""
        rows.append([_code(root.source), place, *map(numbers.count, of_root), numbers.size(c.bytes_total)])
    text = f"### {word('by-path', language)}\n\n" + _table([word(n, language) for n in names], rows, right=2)
    hidden = len(report.roots) - len(rows)
    return f"{text}\n\n{word('more-paths', language, count=numbers.count(hidden))}" if hidden else text


def _details(report: Report, language: Language) -> str:
    rows = [[word(name, language), value] for name, value in _facts(report, language) if value]
    return _FOLD.format(heading=word("details", language), table=_table([word("what", language), ""], rows))


def _facts(report: Report, language: Language) -> Iterator[tuple[str, str]]:
    """Name and value of each detail; one without a value is left out."""
    snapshot = report.snapshot
    yield "duration", numbers.duration(report.duration_seconds, language)
    commits = report.command not in ("snapshots", "prune")  # which have no snapshot of their own, nor prove any
    if commits:
        none = word_of("no-snapshot", "shard" if report.shard else report.command)
        yield "snapshot", _code(snapshot.id) if snapshot else word(none, language)
    if snapshot:
        yield "digest", _code(snapshot.digest)
        yield "parent", _code(snapshot.parent_id) if snapshot.parent_id else word("none", language)
    if commits:
        yes = "verified-yes-copied" if report.counts.files_copied else word_of("verified-yes", report.command)
        yield "verified", word(yes if report.verified else "no", language)
    yield from _place(report, language)
    drift = {name: report.problem_counts.get(f"drift.{name}", 0) for name in ("missing", "replaced")}
    if any(drift.values()):
        yield "drift", word("drift-count", language, **{name: numbers.count(n) for name, n in drift.items()})
    if report.command == "restore" and report.roots:
        yield "restored-to", _code(report.roots[0].source)
    yield "spared", numbers.count(report.spared_files) if report.spared_files else ""
    if report.removed_paths:
        yield "to-remove" if report.dry_run else "removed-from-target", numbers.count(report.removed_paths)
    if report.deleted_objects:
        yield "to-delete" if report.dry_run else "deleted", numbers.count(report.deleted_objects)
    yield "reread", _reread(report, language)
    if report.foreign_objects:
        yield "foreign", word("foreign-count", language, count=numbers.count(report.foreign_objects))
    yield "source", _named(report.source)
    yield "identity", _named(report.identity)
    yield "host", _named(report.run.host)
    yield "folders", numbers.count(report.folders) if report.folders else ""
    yield "links", numbers.count(report.links) if report.links else ""
    yield "requests", numbers.count(report.requests) if report.requests else ""
    yield "version", _named(report.version)


def _reread(report: Report, language: Language) -> str:
    """What was read again to check the disk, and in how many runs every file is; nothing where none is."""
    if not report.reread_within:
        return ""
    size, runs = numbers.size(report.bytes_reread), numbers.count(report.reread_within)
    line = word("reread-line", language, count=numbers.count(report.files_reread), size=size, runs=runs)
    large = numbers.count(report.reread_too_large)
    return line + (word("reread-too-large", language, count=large) if report.reread_too_large else "")


def _place(report: Report, language: Language) -> Iterator[tuple[str, str]]:
    target = report.target
    if not target.bucket:
        return
    region = word("region", language, region=_code(target.region)) if target.region else ""
    yield "target", _code(target.bucket) + region
    yield "prefix", _code(target.prefix) if target.prefix else word("none", language)
    yield "layout", _code(target.layout)
    # Before the bucket has told, "" does not mean never; and a restore does not ask.
    asked = bool(report.requests) and report.command in WRITERS
    yield "versioning", _code(target.versioning) if target.versioning else word("never-versioned", language) * asked


def _named(text: str) -> str:
    return _code(text) if text else ""


def _is_warning(group: Group) -> bool:
    return wording.is_warning(group.kind)


def _problems(heading: str, found: list[Group], language: Language) -> Iterator[str]:
    if found:
        yield f"### {word(heading, language)}"
    for group in found:
        yield from _group(group, language)


def _group(group: Group, language: Language) -> Iterator[str]:
    """One kind: its heading, what happened where, and the advice, once when it is the same for all."""
    label = wording.label(group.kind, language)
    yield f"#### {word('problem-heading', language, label=label, count=numbers.count(group.total))}"
    told = [wording.sentence(problem, language, _code) for problem in group.shown]
    shared = len({one.advice for one in told}) == 1
    for one in told:
        yield f"- {one.what}" + ("" if shared else f"  \n  {word('advice', language)}{one.advice}")
    if group.more:
        yield f"- {word('more', language, count=numbers.count(group.more))}"
    if told and shared:
        yield f"{word('advice', language)}{told[0].advice}"
    for paste, kind in dict.fromkeys((one.paste, one.paste_language) for one in told if one.paste):
        yield f"{word('paste', language)}\n\n{escape.block(escape.cut(paste, 10 * FACT_LIMIT), kind)}"
