"""What people read of the catalogue: golden files of the four views, the bounds, and names that would command.

`RENEW_GOLDEN=1 pytest tests/core/test_render_snapshots.py` writes the golden files anew; look at their difference.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
import reports
from hypothesis import given
from hypothesis import strategies as st
from test_escape import LIVE, NAMES, READERS, flat

from backup_action.core import render, report
from backup_action.core.listing import (
    FORMAT,
    ROWS,
    Chain,
    Compared,
    DifferenceRow,
    Found,
    FoundRow,
    Large,
    Listed,
    Place,
    Row,
    Shown,
    SnapshotRow,
    Sum,
    Told,
)
from backup_action.core.problem import Kind, Problem, Status
from backup_action.core.render import snapshots
from backup_action.core.snapshot import Origin
from backup_action.core.wording import Language, word
from backup_action.sandbox.workflow_commands import could_be_command

GOLDEN = Path(__file__).parent / "golden"
LANGUAGES: list[Language] = ["zh", "en"]
FIRST, SECOND, THIRD = (f"2026112{day}T180000Z-1a2b000{day}" for day in range(3))
NS = "1795370400123456789"


def views(name: str = "t/行情|`1`\n::error::x", id: str = THIRD) -> dict[str, Told]:
    """Each view once, with all that it can have; `name` is what others chose."""
    listed: list[Row] = [
        SnapshotRow(id, name, 3, name, name, 12_345, 48 << 30, 67, 700 << 20, 83.4, True, name, SECOND, "damaged", 9),
        SnapshotRow(SECOND, stored=77, damage=name),
        SnapshotRow(FIRST, name, 1, name, "tree", 0, 0, 0, 0, 0.0, False, "ab" * 32, link="first"),
    ]
    chains = [Chain(name, "tree", 2, 0, 0, True), Chain(name, name, 1234, 2, 1, False)]
    changed: list[Row] = [
        DifferenceRow("added", name, b"", "file", 5, 0, "ab" * 32),
        DifferenceRow("changed", "t/b", b"", "file", 5, 1 << 20, "ab" * 32),
        DifferenceRow("moved", name, b"", "file", 5, 5, "cd" * 32, name),
        DifferenceRow("removed", "t/c", b"", "link", 0, 0, ""),
    ]
    seen: list[Row] = [
        FoundRow(name, b"", "file", FIRST, FIRST, 1, 5, NS, "ab" * 32),
        FoundRow(name, b"", "", SECOND, SECOND, 1),
        FoundRow(name, b"", "link", id, id, 1, 0, NS, "", name),
    ]
    places, large = [Place(name, name, 9, 512, 1, 2), Place("/srv/x", "", 0, 0, 0, 0)], [Large(name, b"", 5, NS, name)]
    shown = Shown(
        FORMAT, id, name, 3, name, name, name, Origin(name, name, name), name, name, name, False, {name: 2}, 9, 512,
        4.5, 3, 99, 1000, places, large, 12,
    )  # fmt: skip
    return {
        "list": Told(Listed(FORMAT, "", 3, 1, chains, len(listed)), listed),
        "show": Told(shown),
        "diff": Told(
            Compared(FORMAT, FIRST, id, Sum(1, 5), Sum(1, 5), Sum(1, 5), Sum(1, 0), 7, 1, 2, len(changed)), changed
        ),
        "find": Told(Found(FORMAT, name, 3, 1, 1, True, len(seen)), seen),
    }


def told_of(told: Told) -> report.Report:
    problem = Problem(Kind.SNAPSHOT_DAMAGED, SECOND, {"cause": "listed", "reason": "it has no end"})
    return reports.report(Status.DAMAGED, [problem], command="snapshots", listing=told.kept(), requests=5)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("view", ["list", "show", "diff", "find"])
@pytest.mark.parametrize("form", ["page", "summary"])
def test_golden(view: str, form: str, language: Language) -> None:
    told = views()[view]
    made = "".join(render.page(told, language)) if form == "page" else render.summary(told_of(told), language)
    path = GOLDEN / f"snapshots-{form}-{view}.{language}.{'txt' if form == 'page' else 'md'}"
    if os.environ.get("RENEW_GOLDEN"):
        path.write_bytes(made.encode())
    assert made == path.read_bytes().decode(), f"differs from {path.name}; RENEW_GOLDEN=1 writes it anew"


def folds(text: str) -> Iterable[list[str]]:
    """What does something in a summary, by each reader."""
    for reader in READERS:
        tokens = [token for token in flat(reader.parse(text)) if token.type in LIVE]
        yield [token.content.strip() if token.type == "html_block" else token.type for token in tokens]


@given(NAMES, st.booleans(), st.sampled_from(["list", "show", "diff", "find"]), st.sampled_from(LANGUAGES))
def test_no_name_becomes_markdown_or_a_command(name: str, is_id: bool, view: str, language: Language) -> None:
    told = views(name, THIRD if is_id else name)[view]
    page, summary = "".join(render.page(told, language)), render.summary(told_of(told), language)
    for line in (*page.splitlines(), *summary.splitlines()):
        assert not could_be_command(line)
    headings = [word("snapshots", language)]
    if view == "show":
        headings = [word("by-root", language), word("largest", language)]
    tags = [
        tag
        for heading in [*headings, word("details", language)]
        for tag in (f"<details><summary>{heading}</summary>", "</details>")
    ]
    assert [found for found in folds(summary) if found != tags] == []
    (page + summary).encode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_summary_has_so_many_rows_and_counts_the_rest(language: Language) -> None:
    rows: list[Row] = [DifferenceRow("added", f"t/{number}", b"", "file", 1, 0, "") for number in range(1700)]
    view = Compared(FORMAT, FIRST, THIRD, Sum(1700, 1700), Sum(), Sum(), Sum(), 0, 0, 0, len(rows))
    told = Told(view, rows)
    summary = render.summary(told_of(told), language)
    assert summary.count("`t/") == snapshots.ROWS == 50
    assert word("more", language, count="1,650") in summary
    assert len(told.kept().rows) == ROWS
    assert sum(" t/" in line for line in render.page(told, language)) == 1700


def test_columns_stand_below_each_other() -> None:
    for language in LANGUAGES:
        lines = "".join(render.page(views("中文")["list"], language)).splitlines()
        table = lines[lines.index("") + 1 :]
        at = render.cells(table[0].split("2026")[0].split(word("time", language))[0])
        assert all(render.cells(row[: row.index("2026-11-2")]) == at for row in table[1:])


@pytest.mark.parametrize("view", ["list", "show", "diff", "find"])
def test_the_document_is_the_view_with_all_of_its_rows(view: str) -> None:
    told = views("\\xff")[view]
    lines = [b'{"path":"a"}\n', b'{"path":"b"}\n'] if view == "show" else []
    document = "".join(Told(told.view, told.rows, lines).document()).encode()
    found = msgspec.json.decode(document)
    rows = [msgspec.json.decode(line) for line in lines] or msgspec.to_builtins(list(told.rows))
    assert found.pop("rows") == rows
    assert found == {name: value for name, value in msgspec.to_builtins(told.view).items() if name != "rows"}
    assert document.count(b"\n") == len(rows) + 2, "a row a line"


@pytest.mark.parametrize("view", ["list", "show", "diff", "find"])
def test_a_report_holds_it_and_gives_it_back(view: str) -> None:
    before = told_of(views()[view])
    assert report.decode(report.encode(before)) == before
