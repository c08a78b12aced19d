"""The summary's chart of recent runs, and what it says of the history: numbers, dates and words of ours, no more."""

import re
import time

import msgspec
import pytest
import reports
from hypothesis import example, given
from hypothesis import strategies as st
from test_escape import NAMES

from backup_action.core import recent, render
from backup_action.core.recent import Kept, PastRun
from backup_action.core.report import Report, Target
from backup_action.core.wording import Language, word

LANGUAGES: list[Language] = ["zh", "en"]
CHART = re.compile(
    r"```mermaid\n---\nconfig:\n  xyChart:\n    width: ([0-9]+)\n    height: [0-9]+\n"
    r"    xAxis:\n      labelFontSize: 10\n---\nxychart-beta\n"
    r'    title "([^"\n;]+)"\n    x-axis \[("[-0-9 :#]+"(?:, "[-0-9 :#]+")*)\]\n'
    r"    y-axis 0 --> ([0-9.]+)\n    bar \[([0-9.]+(?:, [0-9.]+)*)\]\n```\n"
)
SCALES = {
    "s": 1, "seconds": 1, "秒": 1, "minutes": 60, "分": 60, "hours": 3600, "小时": 3600,
    "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}  # fmt: skip


def charts(text: str) -> list[tuple[float, list[str], float, list[float]]]:
    """Each chart: what its unit stands for, the labels, the top, and the bars."""
    found = []
    for _, title, labels, top, bars in CHART.findall(text):
        unit = re.split(r"[()（）]", title)[1]
        found.append((SCALES[unit], re.findall('"(.*?)"', labels), float(top), [float(bar) for bar in bars.split(",")]))
    assert text.count("```mermaid") == len(found), "each chart has the one shape"
    return found


def ids(moments: list[int]) -> list[str]:
    return [
        time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at)) + f"-{number:08x}" for number, at in enumerate(sorted(moments))
    ]


moments = st.integers(1_790_000_000, 1_830_000_000) | st.just(1_795_000_000)
rows = st.lists(st.tuples(moments, st.floats(0, 1e9), st.integers(0, 2**53)), min_size=2, max_size=35)


@given(rows, st.sampled_from(LANGUAGES))
@example([(1_795_000_000 + 86_400 * day, day, 1000 * day) for day in range(35)], "en")
def test_a_chart_has_a_bar_for_each_run_and_the_numbers_of_the_runs(
    told: list[tuple[int, float, int]], language: Language
) -> None:
    names = ids([at for at, _, _ in told])
    some = [PastRun(id, s, 1, 2, 3, size, True) for id, (_, s, size) in zip(names, told, strict=True)]
    text = render.summary(msgspec.structs.replace(reports.OK, recent=some), language)
    shown = some[-30:]
    times, sizes = charts(text)
    for (scale, labels, top, bars), values in (
        (times, [run.seconds for run in shown]),
        (sizes, [run.bytes_sent for run in shown]),
    ):
        assert len(set(labels)) == len(labels) == len(bars) == len(shown)
        assert all(f"{run.id[4:6]}-{run.id[6:8]}" in label for run, label in zip(shown, labels, strict=True))
        assert all(abs(bar - value / scale) <= 0.051 for bar, value in zip(bars, values, strict=True))
        assert top >= max(bars) and top > 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_run_is_no_chart(language: Language) -> None:
    assert charts(render.summary(reports.FIRST, language)) == []
    two = [reports.FIRST.recent[0], msgspec.structs.replace(reports.FIRST.recent[0], id="20261122T180000Z-5e6f7a8b")]
    assert len(charts(render.summary(msgspec.structs.replace(reports.FIRST, recent=two), language))) == 2
    assert "```mermaid" not in render.message(reports.OK, language).text, "DingTalk draws none"


def test_runs_of_one_night_are_told_apart_by_their_times() -> None:
    run = reports.FIRST.recent[0]
    for other, labels in (
        ("20261122T180000Z-5e6f7a8b", ["11-21", "11-22"]),
        ("20261121T180100Z-5e6f7a8b", ["11-21 18:00", "11-21 18:01"]),
        ("20261121T180001Z-5e6f7a8b", ["11-21 18:00:00", "11-21 18:00:01"]),
        ("20261121T180000Z-5e6f7a8c", ["11-21 18:00:00 #1", "11-21 18:00:00 #2"]),
    ):
        two = [run, msgspec.structs.replace(run, id=other)]
        assert charts(render.summary(msgspec.structs.replace(reports.FIRST, recent=two), "en"))[0][1] == labels


@given(NAMES, NAMES, st.sampled_from(LANGUAGES))
def test_what_is_no_id_and_no_time_is_passed_over(one: str, two: str, language: Language) -> None:
    strangers = [msgspec.structs.replace(run, id=name) for run, name in zip(reports.RECENT, (one, two), strict=False)]
    report = msgspec.structs.replace(reports.OK, recent=strangers, kept=Kept(2, one, two, one, two))
    text = render.summary(report, language)
    assert "```mermaid" not in text and word("history", language) not in text
    assert word("history", language) not in render.message(report, language).text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("layout", "versioning", "history", "way"),
    [
        ("tree", "Enabled", "auto", "versions"),
        ("tree", "Enabled", "none", "versions"),
        ("tree", "Suspended", "auto", "copies"),
        ("tree", "", "auto", "copies"),
        ("tree", "Suspended", "none", "none"),
        ("tree", "", "none", "none"),
        ("vault", "Enabled", "auto", "packs"),
        ("vault", "", "auto", "packs"),
        ("vault", "", "none", "packs"),
    ],
)
def test_the_summary_says_how_old_content_is_kept(
    layout: str, versioning: str, history: str, way: str, language: Language
) -> None:
    target = Target("b", layout=layout, versioning=versioning, history=history)
    report = msgspec.structs.replace(reports.OK, target=target)
    text = render.summary(report, language)
    ways = {name: word(f"history-{name}", language) in text for name in ("versions", "copies", "none", "packs")}
    assert ways == {name: name == way for name in ways}
    failed = render.summary(msgspec.structs.replace(report, snapshot=None), language)
    assert word(f"history-{way}", language) not in failed, "a bucket that was not written to has not told"


@pytest.mark.parametrize(("report", "count"), [(reports.OK, "5 snapshots"), (reports.FIRST, "1 snapshot ")])
def test_summary_and_message_say_how_far_the_history_reaches(report: Report, count: str) -> None:
    assert report.kept is not None
    since = f"{report.kept.oldest_at[:10]} 18:00 UTC"
    for text in (render.summary(report, "en"), render.message(report, "en").text):
        assert re.search(rf"{count}.* since {since}", text)


def test_a_report_keeps_its_runs_and_history() -> None:
    from backup_action.core.report import decode, encode

    assert decode(encode(reports.OK)) == reports.OK
    assert recent.kept(run.id for run in reports.OK.recent) is not None
