"""How far a run is, and the line that says so."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import render
from backup_action.core.pace import Pace, Progress
from backup_action.core.wording import Language

LANGUAGES: list[Language] = ["zh", "en"]
numbers = st.integers(0, 2**60)
steps = st.lists(st.tuples(st.floats(0.01, 1e4), st.integers(0, 1000), st.integers(0, 10**9)), min_size=1, max_size=20)


@given(steps, st.integers(1, 6), numbers, numbers)
def test_a_pace_is_that_of_the_last_looks(
    moves: list[tuple[float, int, int]], window: int, files: int, size: int
) -> None:
    pace, looks = Pace(files, size, window), []
    now = done = sent = 0.0
    for seconds, more, bytes in moves:
        now, done, sent = now + seconds, done + more, sent + bytes
        looks.append((now, min(done, files), min(sent, size)))
        told = pace.at(now, int(done), int(sent))
        assert (told.files, told.files_total, told.bytes, told.bytes_total) == (looks[-1][1], files, looks[-1][2], size)
        assert 0 <= told.share <= 1
        if len(looks) == 1:
            assert told.rate is told.left is None
            continue
        then = looks[-min(len(looks), window + 1)]
        assert told.rate == pytest.approx((looks[-1][2] - then[2]) / (now - then[0]))
        if told.files == files and told.bytes == size:
            assert told.left == 0


def test_the_time_left_is_that_of_whatever_takes_longer() -> None:
    pace = Pace(100, 1000, 4)
    pace.at(0, 0, 0)
    assert pace.at(10, 50, 100) == Progress(50, 100, 100, 1000, 10.0, 90.0)
    assert pace.at(20, 51, 900) == Progress(51, 100, 900, 1000, 45.0, pytest.approx(49 / 2.55))
    assert pace.at(30, 51, 900).left is not None, "it moved not long ago"


def test_nothing_is_foretold_where_nothing_moves() -> None:
    pace = Pace(2, 1000, 1)
    pace.at(0, 1, 10)
    assert pace.at(10, 1, 10) == Progress(1, 2, 10, 1000, 0.0, None)
    assert pace.at(10, 1, 10).rate is None, "no time has gone by"


LINES = {
    "en": "12,345 of 100,000 files, 1.2 GiB of 9.8 GiB, 31.0 MiB/s, about 4 min left",
    "zh": "12,345/100,000 个文件，1.2 GiB/9.8 GiB，31.0 MiB/s，约剩 4 分",
}
DONE = Progress(12_345, 100_000, 1_288_490_188, 10_522_669_875, 31 * 1024 * 1024, 230.0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_line(language: Language) -> None:
    assert render.progress(DONE, language) == LINES[language]
    first = render.progress(DONE._replace(rate=None, left=None), language)
    assert LINES[language].startswith(first) and "/s" not in first
    assert render.progress(DONE._replace(rate=0.0, left=None), language) == first, "a large file may be on its way"
    over = render.progress(DONE._replace(left=0.0), language)
    assert over.endswith("MiB/s"), "who is done has nothing left"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.1, "10 s"), (10, "10 s"), (11, "20 s"), (119, "2 min"), (121, "3 min"), (7200, "2 h")]
)
def test_a_time_left_is_not_more_exact_than_it_can_be(seconds: float, shown: str) -> None:
    assert render.progress(DONE._replace(left=seconds), "en").endswith(f"about {shown} left")


def width(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)


@given(
    st.tuples(numbers, numbers, numbers, numbers), st.none() | st.floats(0, 1e15), st.none() | st.floats(0, 1e9),
    st.integers(1, 200), st.sampled_from(LANGUAGES),
)  # fmt: skip
def test_a_line_fits_its_terminal_and_is_cut_between_its_parts(
    counts: tuple[int, int, int, int], rate: float | None, left: float | None, columns: int, language: Language
) -> None:
    done = Progress(*counts, rate, left)
    whole, line = render.progress(done, language), render.progress(done, language, columns)
    assert width(line) == render.cells(line) <= columns
    assert whole == line or not line or re.match("，|, ", whole.removeprefix(line))
    assert line == whole or width(whole) > columns


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_phases(language: Language) -> None:
    found = {
        "en": ["Looking at the files", "1 file found (1.5 KiB); sending", "2 files found (0 B); comparing", "Storing"],
        "zh": ["正在扫描文件", "找到 1 个文件（1.5 KiB），正在上传", "找到 2 个文件（0 B），正在比较", "正在写入快照"],
    }
    lines = [
        render.looking(language), render.sending(1, 1536, language, dry_run=False),
        render.sending(2, 0, language, dry_run=True), render.committing(language),
    ]  # fmt: skip
    assert [line.startswith(start) for line, start in zip(lines, found[language], strict=True)] == [True] * 4
