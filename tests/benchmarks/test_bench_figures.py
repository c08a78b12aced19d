"""Medians, and multiples of the best peer's time."""

import figures
import pytest
from figures import Row, Run
from hypothesis import given
from hypothesis import strategies as st


def run(wall: float, failure: str = "", **more: object) -> Run:
    given = {"cpu": wall / 2, "rss": 30.0, "requests": {"put": 3}, "up": 10, "down": 20} | more
    return Run(wall=wall, failure=failure, **given)  # type: ignore[arg-type]


def row(tool: str, *walls: float, phase: str = "fresh", failures: int = 0, latency: int = 0) -> Row:
    runs = [run(wall) for wall in walls] + [run(0.001, "exit status 1")] * failures
    return Row("small", latency, phase, tool, tool.startswith("ours"), runs)


def test_the_ratio_is_to_the_median_of_the_fastest_peer_and_never_to_ours() -> None:
    rows = [row("ours-tree", 1, 2, 9), row("ours-vault", 0.5), row("rclone", 8, 4, 1), row("s5cmd", 5, 5, 5)]
    ratios = {told["tool"]: told["ratio"] for told in figures.told(rows)}
    assert ratios == {"ours-tree": 0.5, "ours-vault": 0.125, "rclone": 1.0, "s5cmd": 1.25}


def test_phases_and_latencies_are_compared_with_themselves() -> None:
    rows = [row("rclone", 4), row("rclone", 1, phase="noop"), row("rclone", 20, latency=20)]
    rows += [row("ours-tree", 2), row("ours-tree", 2, phase="noop"), row("ours-tree", 2, latency=20)]
    assert [told["ratio"] for told in figures.told(rows)] == [1, 1, 1, 0.5, 2, 0.1]
    assert figures.label(figures.told(rows)[2]) == "small, 20 ms" and figures.label(figures.told(rows)[0]) == "small"


def test_a_run_that_failed_counts_in_no_median_and_its_peer_is_no_best() -> None:
    rows = [row("ours-tree", 4), row("rclone", 8), row("s5cmd", 2, failures=1), row("restic", failures=2)]
    told = {row["tool"]: row for row in figures.told(rows)}
    assert told["ours-tree"]["ratio"] == 0.5
    assert told["s5cmd"]["median"]["wall"] == 2 and len(told["s5cmd"]["runs"]) == 2
    assert told["restic"]["median"]["wall"] is None and told["restic"]["ratio"] is None
    assert "failed: exit status 1" in figures.table(figures.told(rows))


def test_without_a_peer_there_is_no_ratio() -> None:
    (told,) = figures.told([row("ours-tree", 1)])
    assert told["ratio"] is None and told["median"]["wall"] == 1
    assert " - " in figures.table([told])


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=9), st.lists(st.floats(0.01, 1000), min_size=1, max_size=9))
def test_half_of_the_runs_are_on_each_side_of_the_median_and_the_best_peer_is_1(
    ours: list[float], peer: list[float]
) -> None:
    rows = [row("ours-tree", *ours), row("rclone", *peer)]
    middle = rows[0].median("wall")
    assert middle is not None
    assert (
        sum(wall <= middle + 1e-9 for wall in ours) * 2 >= len(ours) <= sum(wall >= middle - 1e-9 for wall in ours) * 2
    )
    bests = figures.best(rows)
    assert figures.ratio(rows[1], bests) == pytest.approx(1)
    ratio = figures.ratio(rows[0], bests)
    assert ratio is not None and ratio * bests[rows[1].place] == pytest.approx(middle)
