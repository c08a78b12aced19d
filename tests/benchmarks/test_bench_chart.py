"""The chart is well-formed, holds every name and figure, and nothing in the results can become markup."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import chart
import pytest
from hypothesis import given
from hypothesis import strategies as st

SVG = "{http://www.w3.org/2000/svg}"


def bar(tool: str, wall: float | None, ratio: float | None, **more: Any) -> dict[str, Any]:
    told = {"set": "small", "latency_ms": 0, "phase": "fresh", "tool": tool, "ours": tool.startswith("ours")}
    failed = {"runs": [{"failure": "" if wall is not None else "exit status 1"}]}
    return told | {"median": {"wall": wall}, "ratio": ratio} | failed | more


def results(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    machine = {"cores": 2, "kernel": "Linux 6.1", "python": "3.11.2"}
    told = {
        "date": "2026-01-02",
        "runs": 3,
        "machine": machine,
        "versions": {"rclone": "1.2.3"},
        "left_out": ["restic"],
    }
    return told | {"rows": list(rows)} | more


FOUR = results(
    bar("ours-tree", 1.25, 0.5),
    bar("rclone", 2.5, 1.0),
    bar("ours-tree", 30.0, 12.0, phase="noop", latency_ms=20),
    bar("s5cmd", None, None, phase="noop", latency_ms=20),
)


def parsed(told: dict[str, Any]) -> ET.Element:
    root = ET.fromstring(chart.drawn(told))
    assert root.tag == f"{SVG}svg"
    return root


def texts(root: ET.Element) -> list[str]:
    return [item.text or "" for item in root.iter(f"{SVG}text")]


def bars(root: ET.Element, kind: str) -> list[float]:
    return [float(item.attrib["width"]) for item in root.iter(f"{SVG}rect") if item.get("class") == kind]


def test_every_name_and_figure_is_in_it() -> None:
    told = texts(parsed(FOUR))
    assert {"small: fresh", "small, 20 ms: noop", "ours-tree", "rclone", "s5cmd"} <= set(told)
    assert {"1.25 s · 0.50×", "2.50 s · 1.00×", "30.00 s · 12.00×", "failed"} <= set(told)
    assert any("2 cores" in text and "Linux 6.1" in text for text in told)
    assert any("rclone: 1.2.3" in text and "left out: restic" in text for text in told)
    assert any("runs: 3" in text and "1×" in text for text in told), "the unit"


def test_a_bar_is_as_long_as_its_ratio_and_ends_with_the_scale() -> None:
    root = parsed(FOUR)
    half, most = bars(root, "ours")
    (one,) = bars(root, "peer")
    assert half * 2 == one and most == one * chart.MOST
    assert len(bars(root, "cut")) == 1, "only the bar that goes on has a gap"
    line = next(item for item in root.iter(f"{SVG}line"))
    assert float(line.attrib["x1"]) == chart.LEFT + one


def test_who_does_not_see_it_is_told_and_both_themes_have_their_colours() -> None:
    root = parsed(FOUR)
    named = {item.get("id"): item.text or "" for item in root}
    assert root.attrib["role"] == "img"
    told = [named[name] for name in root.attrib["aria-labelledby"].split()]
    assert told[0] and "small, fresh: ours-tree 1.25 s · 0.50×, rclone 2.50 s · 1.00×." in told[1]
    (style,) = [item.text or "" for item in root.iter(f"{SVG}style")]
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for name in ("card", "ours", "peer", "quiet", "one", "cut", "figure"):
        assert f".{name} {{" in light and f".{name} {{" in dark


def test_nothing_lies_outside_the_picture() -> None:
    root = parsed(FOUR)
    _, _, width, height = (float(word) for word in root.attrib["viewBox"].split())
    for item in root.iter():
        if item.tag in (f"{SVG}rect", f"{SVG}text"):
            assert 0 <= float(item.attrib["x"]) + float(item.get("width", 0)) <= width
            assert 0 <= float(item.attrib["y"]) + float(item.get("height", 0)) <= height


HOSTILE = "</text><script>alert(1)</script>&amp;\"'\x00\x1b\u202e\ud800"


@pytest.mark.parametrize("field", ["tool", "set", "phase"])
def test_a_hostile_name_is_text(field: str) -> None:
    drawn = chart.drawn(results(bar("ours-tree", 1, 1) | {field: HOSTILE}))
    root = ET.fromstring(drawn)
    assert not list(root.iter(f"{SVG}script"))
    assert any("<script>alert(1)</script>&amp;\"'????" in text for text in texts(root))
    assert "<script" not in drawn and "\x1b" not in drawn and "\u202e" not in drawn
    drawn.encode()


@given(st.text(), st.text(), st.text(), st.text())
def test_any_facts_give_a_picture(name: str, version: str, kernel: str, date: str) -> None:
    machine = {"cores": 2, "kernel": kernel, "python": version}
    told = results(bar(name, 1, None), machine=machine, versions={name: version}, left_out=[kernel], date=date)
    tags = {item.tag.removeprefix(SVG) for item in parsed(told).iter()}
    assert tags <= {"svg", "title", "desc", "style", "rect", "text", "line"}


def test_it_is_made_by_one_command(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(FOUR))
    command = [sys.executable, chart.__file__, str(tmp_path / "results.json"), str(tmp_path / "chart.svg")]
    subprocess.run(command, check=True)
    assert (tmp_path / "chart.svg").read_text() == chart.drawn(FOUR)
