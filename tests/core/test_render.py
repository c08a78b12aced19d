"""What people read of a report: the golden files, the limits of each reader, and names that would command them.

`RENEW_GOLDEN=1 pytest tests/core/test_render.py` writes the golden files anew; look at their difference.
"""

import json
import os
from pathlib import Path

import msgspec
import pytest
import reports
from hypothesis import given
from hypothesis import strategies as st
from test_escape import NAMES, READERS, flat, live

from backup_action.core import render
from backup_action.core.problem import Kind, Problem, Status
from backup_action.core.render import numbers
from backup_action.core.report import Counts, Report, RootLine, Run, SnapshotLine, Target
from backup_action.core.wording import Language, word
from backup_action.sandbox.workflow_commands import could_be_command

GOLDEN = Path(__file__).parent / "golden"
LANGUAGES: list[Language] = ["zh", "en"]
OWN_LINK = reports.RUN.url


def as_text(report: Report, language: Language) -> str:
    """The message as a golden file shows it: the title, and below it the text."""
    message = render.message(report, language, keyword="备份", mobiles=["13800000000", "user1"])
    return f"{message.title}\n\n{message.text}\n"


FORMS = {
    "summary": render.summary,
    "message": as_text,
    "lines": lambda report, language: "\n".join(render.lines(report, language)) + "\n",
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", reports.GOLDEN)
def test_golden(name: str, form: str, language: Language) -> None:
    path = GOLDEN / f"{form}-{name}.{language}.{'txt' if form == 'lines' else 'md'}"
    made = FORMS[form](reports.GOLDEN[name], language)
    if os.environ.get("RENEW_GOLDEN"):
        path.write_bytes(made.encode())
    assert made == path.read_bytes().decode(), f"differs from {path.name}; RENEW_GOLDEN=1 writes it anew"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("report", reports.EVERY_STATUS, ids=lambda report: report.status.value)
def test_every_status_can_be_told(report: Report, language: Language) -> None:
    first = render.title(report, language)
    assert render.summary(report, language).splitlines()[0].endswith(first)
    assert render.message(report, language).title.startswith(first)
    assert render.lines(report, language)[0] == first
    told = render.annotations(report, language)
    assert len(told) == len(report.problems)
    for problem, one in zip(sorted(report.problems, key=lambda p: p.is_warning), told, strict=True):
        assert one.level == ("warning" if problem.is_warning else "error")


def hostile(names: list[str], kinds: list[Kind], *, url: str) -> Report:
    """A report in which everything that comes from outside is one of the names."""
    one, two = names
    facts = dict.fromkeys(["reason", "message", "sub", "role", "trust-policy", "request-id", "given", "right"], two)
    return reports.report(
        Status.DENIED,
        [Problem(kind, one, facts) for kind in kinds],
        command=one,
        version=two,
        run=Run(host=one, repository=two, url=url or one),
        target=Target(one, two, one, two, one, two),
        source=two,
        identity=one,
        counts=Counts(9, 3, 3, 1, 3, 10, 10),
        roots=[RootLine(one, two), RootLine(two, one)],
        snapshot=SnapshotLine(one, two, 1, one, two),
    )


def strange(text: str) -> list[str]:
    """What does something in the text, but for our own link to the run's page."""
    return live(text.replace(f"]({OWN_LINK})", "]"))


@given(
    st.lists(NAMES, min_size=2, max_size=2),
    st.lists(st.sampled_from(list(Kind)), min_size=1, max_size=3),
    st.sampled_from(["", OWN_LINK]),
    st.sampled_from(LANGUAGES),
)
def test_no_name_becomes_markdown_or_a_command(
    names: list[str], kinds: list[Kind], url: str, language: Language
) -> None:
    report = hostile(names, kinds, url=url)
    summary, message = render.summary(report, language), render.message(report, language, keyword="备份")
    assert not strange(summary)
    assert not strange(message.text)
    assert not strange(message.text.replace("`", ""))  # DingTalk may not know inline code
    for line in (*summary.splitlines(), *message.text.splitlines(), message.title, *render.lines(report, language)):
        assert not could_be_command(line)
    for one in render.annotations(report, language):
        assert not could_be_command(one.text) and not could_be_command(one.title)
    (summary + message.title + message.text + "".join(render.lines(report, language))).encode()


def many(count: int, kind: Kind = Kind.FILE_UNREADABLE) -> list[Problem]:
    return [Problem(kind, f"data/{'长' * 1300}/{number}", {"reason": "permission denied"}) for number in range(count)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_limits_of_each_reader_hold(language: Language) -> None:
    policy = "`" * 100 + "\n" + '"' * 100_000
    trust = Problem(Kind.STS_TRUST, "r" * 100_000, {"trust-policy": policy, "sub": "\u202e" * 100_000})
    roots = [RootLine("\x00" * 4000, "\x01" * 4000, Counts(1)) for _ in range(3000)]
    big = reports.report(Status.DENIED, [trust, *many(999)], roots=roots, counts=Counts(1), source="\x02" * 10_000)
    summary = render.summary(big, language)
    assert len(summary.encode()) <= 1024 * 1024
    assert summary.count("\n- ") <= 53
    assert word("more-paths", language, count="2,950") in summary
    message = render.message(big, language, keyword="关键词" * 5000, mobiles=["13800000000"] * 5000)
    body = {"msgtype": "markdown", "markdown": msgspec.to_builtins(message), "at": {"atMobiles": ["13800000000"] * 50}}
    assert len(json.dumps(body, ensure_ascii=False).encode()) < 20_000
    assert all(len(one.text) <= 4096 for one in render.annotations(big, language))
    assert [len(one.text) > 0 for one in render.annotations(big, language)] == [True] * 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_leaves_out_what_does_not_fit_and_keeps_its_end(language: Language) -> None:
    facts = dict.fromkeys(("message", "reason", "code", "right", "resource", "given", "status"), "\u202e" * 133)
    kinds = [kind for kind in Kind if kind.value.startswith("oss.")]
    report = reports.report(Status.DENIED, [Problem(kind, "\u202e" * 133, facts) for kind in kinds])
    message = render.message(report, language, keyword="关键词", mobiles=["13800000000"])
    assert 10_000 < len(json.dumps(msgspec.to_builtins(message), ensure_ascii=False).encode()) <= 16_100
    assert message.text.endswith(f"]({OWN_LINK})\n\n@13800000000\n\n关键词")


def test_what_is_to_be_pasted_cannot_command_the_runner() -> None:
    problem = Problem(Kind.STS_TRUST, "r", {"trust-policy": "{\n::add-mask::x\n##[error]\n}"})
    report = reports.report(Status.DENIED, [problem])
    (one,) = render.annotations(report, "en")
    lines = [*one.text.splitlines(), *render.lines(report, "en"), *render.summary(report, "en").splitlines()]
    assert not [line for line in lines if could_be_command(line)]


@given(st.integers(2_000, 40_000), st.sampled_from(LANGUAGES))
def test_a_summary_that_is_too_long_is_cut_between_blocks_and_says_so(limit: int, language: Language) -> None:
    report = reports.report(Status.DENIED, [*many(30), *reports.DENIED.problems], counts=Counts(1))
    whole, short = render.summary(report, language), render.summary(report, language, limit)
    assert len(short.encode()) <= limit
    if short != whole:
        head, _, note = short.rstrip("\n").rpartition("\n\n")
        assert note == word("more-lines", language)
        assert whole.startswith(head + "\n") and head.startswith("## ❌")
        assert head.count("```") % 2 == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_flood_of_one_kind_hides_no_other(language: Language) -> None:
    lone = Problem(Kind.OSS_RIGHT, "b", {"right": "oss:PutObject"})
    report = reports.report(Status.DENIED, [*many(990), lone, Problem(Kind.FILE_CHANGING, "last.db")])
    for text in (render.summary(report, language), render.message(report, language).text):
        assert "oss:PutObject" in text and "last.db" in text
        assert text.index("oss:PutObject") < text.index("permission denied")
    assert {one.title for one in render.annotations(report, language)[:3]} == {
        render.annotations(reports.report(Status.DENIED, [problem]), language)[0].title
        for problem in (lone, many(1)[0], Problem(Kind.FILE_CHANGING))
    }


def test_what_is_not_shown_is_counted() -> None:
    report = reports.report(Status.INCOMPLETE, many(60))
    counted = msgspec.structs.replace(
        report, problem_counts={"file.unreadable": 123_456, "file.changing": 7, "of.tomorrow": 1}
    )
    summary = render.summary(counted, "en")
    assert "File that cannot be read (123,456)" in summary
    assert "… and 123,407 more" in summary  # one place of the fifty is kept for the other kind
    assert "File that kept changing (7)" in summary
    assert "… and 123,446 more" in render.annotations(counted, "en")[-1].text
    assert "and 123,447 more" in render.message(counted, "en").text
    assert any("… and 123,437 more" in line for line in render.lines(counted, "en"))


@pytest.mark.parametrize("mobiles", [["13800000000", "user-1"], ["![x](http://evil.example)", "a b"]])
def test_whom_the_message_calls_stands_in_its_text(mobiles: list[str]) -> None:
    text = render.message(reports.OK, "zh", mobiles=mobiles).text
    assert ("@13800000000 @user-1" in text) is (mobiles[0] == "13800000000")
    assert "evil" not in text


def test_the_keyword_is_added_only_where_it_is_missing() -> None:
    text = render.message(reports.OK, "zh", keyword="备份").text
    assert text == render.message(reports.OK, "zh").text
    assert render.message(reports.OK, "zh", keyword="行情中心").text == f"{text}\n\n行情中心"


def test_the_message_names_the_run_and_a_page_that_is_none_is_no_link() -> None:
    assert f"]({OWN_LINK})" in render.message(reports.OK, "zh").text
    elsewhere = msgspec.structs.replace(reports.OK, run=Run(url="javascript:alert(1)"))
    assert not live(render.message(elsewhere, "zh").text)


def test_a_summary_names_each_path_and_what_came_of_it() -> None:
    tables = [
        token.content for token in flat(READERS[1].parse(render.summary(reports.OK, "en"))) if token.type == "inline"
    ]
    row = tables[tables.index("`/srv/mt5/factors`") :][:8]
    assert row == ["`/srv/mt5/factors`", "`factors`", "345", "7", "337", "0", "0", "303.6 MiB"]


@given(st.integers(0, 2**70))
def test_a_size_is_right_to_a_tenth_and_four_digits_at_most(count: int) -> None:
    number, unit = numbers.size(count).split()
    power = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].index(unit)
    assert abs(float(number) * 1024**power - count) <= 0.05 * 1024**power * 1.001
    assert float(number) < 1024 or unit == "EiB"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (5 * 1024**3, "5.0 GiB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    assert numbers.size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "chinese", "english"),
    [
        (0, "0.0 秒", "0.0 s"),
        (9.94, "9.9 秒", "9.9 s"),
        (9.96, "10 秒", "10 s"),
        (59.6, "1 分", "1 min"),
        (83.4, "1 分 23 秒", "1 min 23 s"),
        (3600, "1 小时", "1 h"),
        (3725, "1 小时 2 分 5 秒", "1 h 2 min 5 s"),
        (90061, "1 天 1 小时 1 分", "1 d 1 h 1 min"),
    ],
)
def test_durations(seconds: float, chinese: str, english: str) -> None:
    assert (numbers.duration(seconds, "zh"), numbers.duration(seconds, "en")) == (chinese, english)
