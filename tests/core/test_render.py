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
from test_escape import LIVE, NAMES, READERS, flat, live

from backup_action.core import render
from backup_action.core.problem import Kind, Problem, Status
from backup_action.core.render import numbers
from backup_action.core.report import Counts, Report, RootLine, Run, SnapshotLine, Target
from backup_action.core.wording import Language, word
from backup_action.sandbox.workflow_commands import could_be_command

GOLDEN = Path(__file__).parent / "golden"
LANGUAGES: list[Language] = ["zh", "en"]
OWN_LINK = reports.RUN.url
FOLD = {  # the only HTML that a summary may have, each once
    language: (f"<details><summary>{word('details', language)}</summary>", "</details>") for language in LANGUAGES
}


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


def strange_but_the_fold(text: str, language: Language) -> list[list[str]]:
    """The same of a summary, by each reader: the fold's two tags are to be there, as blocks, and nothing else."""
    found = []
    for reader in READERS:
        tokens = [token for token in flat(reader.parse(text)) if token.type in LIVE]
        html = [token.content.strip() if token.type == "html_block" else token.type for token in tokens]
        if html != list(FOLD[language]):
            found.append(html)
    return found


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
    assert not strange_but_the_fold(summary, language)
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


def sections(text: str) -> list[str]:
    """What a summary consists of, in order: its headings, its figures, and its fold."""
    return [line for line in text.splitlines() if line.startswith(("#", "**", "<"))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_summary_says_first_what_to_do_then_how_much_and_folds_the_rest(language: Language) -> None:
    problems = [Problem(Kind.FILE_CHANGING, "live.db"), Problem(Kind.DRIFT_MISSING, "a")]
    report = msgspec.structs.replace(
        reports.INCOMPLETE, problems=problems, problem_counts={"file.changing": 1, "drift.missing": 1}
    )
    text = render.summary(report, language)
    assert [line for line in sections(text) if not line.startswith("####")][2:] == [
        f"### {word(name, language)}" for name in ("problems", "warnings", "numbers", "by-path", "ledger", "history")
    ] + list(FOLD[language])
    assert text.endswith(f"|\n\n{FOLD[language][1]}\n")
    folded = text[text.index(FOLD[language][0]) :]
    assert reports.SNAPSHOT.digest in folded and "live.db" not in folded and "12,345" not in folded


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_summary_without_numbers_has_no_table_of_noughts(language: Language) -> None:
    roots = [RootLine("data", "data"), RootLine("factors", "factors")]
    for refused in (reports.REFUSED, reports.DENIED):
        text = render.summary(msgspec.structs.replace(refused, roots=roots), language)
        assert word("numbers", language) not in text and word("by-path", language) not in text
    empty = msgspec.structs.replace(reports.OK, counts=Counts(), roots=roots)  # a snapshot of nothing is one
    text = render.summary(empty, language)
    assert word("numbers", language) in text and word("by-path", language) in text


def counted(report: Report, **counts: int) -> Report:
    """A success with these warnings, which are counted only."""
    return msgspec.structs.replace(
        report, problems=[], problem_counts={k.replace("_", "."): v for k, v in counts.items()}
    )


CLEAN = counted(reports.OK)


@pytest.mark.parametrize(
    ("report", "icon", "chinese", "english"),
    [
        (CLEAN, "✅", "OSS 备份：成功", "OSS Backup: succeeded"),
        (counted(CLEAN, keys_stored=1), "✅", "OSS 备份：成功，有 1 条警告", "OSS Backup: succeeded, with 1 warning"),
        (
            counted(CLEAN, keys_stored=1, oss_right=3),  # whatever a file says: only warnings are warnings
            "✅",
            "OSS 备份：成功，有 1 条警告",
            "OSS Backup: succeeded, with 1 warning",
        ),
        (
            counted(CLEAN, policy_wide=1, file_special=1_999, of_tomorrow=5),
            "✅",
            "OSS 备份：成功，有 2,000 条警告",
            "OSS Backup: succeeded, with 2,000 warnings",
        ),
        *(
            (
                counted(CLEAN, **{kind: 1, "keys_stored": 1}),
                "⚠️",
                "OSS 备份：成功，有 2 条警告",
                "OSS Backup: succeeded, with 2 warnings",
            )
            for kind in ("drift_missing", "drift_replaced", "drift_roots")
        ),
        (
            msgspec.structs.replace(counted(CLEAN, drift_roots=1), dry_run=True),
            "⚠️",
            "OSS 备份：成功，有 1 条警告（试运行）",
            "OSS Backup: succeeded, with 1 warning (dry run)",
        ),
        (
            msgspec.structs.replace(reports.REFUSED, problem_counts={"drift.roots": 1, "source.empty": 1}),
            "❌",
            "OSS 备份：保护检查未通过",
            "OSS Backup: stopped by a safety check",
        ),
        (reports.UNDELIVERED, "⚠️", "OSS 通知：消息没有送达", "OSS Notification: message not delivered"),
        (
            counted(reports.UNDELIVERED, publish_failed=1),
            "✅",
            "OSS 通知：成功，有 1 条警告",
            "OSS Notification: succeeded, with 1 warning",
        ),
        (counted(CLEAN, notify_failed=1), "✅", "OSS 备份：成功，有 1 条警告", "OSS Backup: succeeded, with 1 warning"),
    ],
)
def test_a_heading_tells_of_warnings(report: Report, icon: str, chinese: str, english: str) -> None:
    for language, title in (("zh", chinese), ("en", english)):
        assert render.summary(report, language).splitlines()[0] == f"## {icon} {title}"
        message = render.message(report, language)
        assert message.text.splitlines()[0] == f"#### {icon} {title}" and message.title.startswith(f"{title} · ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_only_counts_special_files(language: Language) -> None:
    report = msgspec.structs.replace(reports.OK, problem_counts={"drift.missing": 1, "file.special": 1_999})
    text = render.message(report, language).text
    assert {"zh": "\n\n> 特殊文件：1,999\n\n", "en": "\n\n> Special file: 1,999\n\n"}[language] in text
    assert "run.sock" not in text


def test_what_notify_says_of_itself_is_of_the_message() -> None:
    sent = counted(reports.UNDELIVERED)
    no_report = reports.EVERY_STATUS[-2]
    assert no_report.problem_counts == {"report.unreadable": 1}
    broken = msgspec.structs.replace(no_report, status=Status.BUG, problem_counts={"report.unreadable": 1, "bug": 1})
    for report, verdict in (
        (reports.UNDELIVERED, "消息没有送达钉钉群。"),
        (sent, "按设置 `notify-on` 处理了通知。"),
        (no_report, "没有可读的报告，无法得知备份的结果。"),
        (broken, "程序内部出错，通知没有完成。"),
        (msgspec.structs.replace(no_report, command="backup"), "设置有误，备份未执行，没有写入任何内容。"),
        (msgspec.structs.replace(reports.UNDELIVERED, command="backup"), "备份已完成，没有遗漏。"),
    ):
        for text in (render.lines(report, "zh")[1], render.summary(report, "zh"), render.message(report, "zh").text):
            assert verdict in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_dry_run_never_says_that_the_rest_is_done(language: Language) -> None:
    incomplete = msgspec.structs.replace(reports.INCOMPLETE, dry_run=True, snapshot=None)
    real, dry = (render.lines(report, language)[1] for report in (reports.INCOMPLETE, incomplete))
    assert dry != real and {"zh": "没有写入任何内容", "en": "Nothing was written"}[language] in dry


IN_ALL = {"zh": "共", "en": "in all"}
SO_FAR = {"zh": "截至停止时", "en": "of those seen so far"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("status", Status)
def test_the_numbers_of_a_run_that_was_cut_short_are_no_totals(
    status: Status, dry_run: bool, language: Language
) -> None:
    report = msgspec.structs.replace(reports.INTERRUPTED, status=status, dry_run=dry_run)
    line, table = render.lines(report, language)[2], render.summary(report, language)
    whole = status in (Status.OK, Status.INCOMPLETE, Status.BUSY)
    assert (IN_ALL[language] in line, SO_FAR[language] in line) == (whole, not whole)
    assert f"| {word('files-total' if whole else 'files-so-far', language)} | 41 |" in table
    committed = msgspec.structs.replace(report, snapshot=reports.SNAPSHOT)
    assert IN_ALL[language] in render.lines(committed, language)[2]


@given(st.integers(0, 2), st.booleans(), st.booleans())
def test_one_file_is_one_file(files: int, dry_run: bool, cut_short: bool) -> None:
    base = reports.INTERRUPTED if cut_short else reports.FIRST
    report = msgspec.structs.replace(base, counts=Counts(7, files, 7 - files), dry_run=dry_run)
    noun = "file" if files == 1 else "files"
    line = next(line for line in render.lines(report, "en") if "unchanged" in line)
    assert line.startswith(f"{files} {noun} {'to upload' if dry_run else 'uploaded'} (")
    assert "{" not in line and "|" not in line


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_lines_end_with_the_report_file_off_github(language: Language) -> None:
    last = {"zh": "报告：/var/lib/oss-backup/report.json", "en": "Report: /var/lib/oss-backup/report.json"}[language]
    assert render.lines(reports.FIRST, language)[-1] == last
    for other in ({"run": reports.RUN}, {"report_path": ""}):
        report = msgspec.structs.replace(reports.FIRST, **other)
        assert not [line for line in render.lines(report, language) if "report.json" in line or line.endswith("：")]
    hostile = msgspec.structs.replace(reports.FIRST, report_path="/tmp/\n::error::x")
    assert render.lines(hostile, language)[-1].endswith("/tmp/\\n::error::x")


def test_the_lines_have_the_same_error_once() -> None:
    one, two = (Problem(Kind.OSS_REFUSED, "b", {"code": "X", "request-id": number}) for number in "12")
    other = Problem(Kind.OSS_REFUSED, "c", {"code": "X", "request-id": "3"})
    lines = render.lines(reports.report(Status.DENIED, [one, two, other, one]), "en")
    assert [line for line in lines if line.startswith("error: ")] == [
        "error: OSS refused a request about b: X.",
        "error: OSS refused a request about c: X.",
    ]
    assert "RequestId 1" in "".join(lines) and "RequestId 2" not in "".join(lines)


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
