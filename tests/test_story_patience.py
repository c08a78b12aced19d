"""Stories of the settings by which a run is held back: how fast it sends, and how long it may take."""

from __future__ import annotations

import os
import signal

import pytest
from box import Box, wanted


@pytest.mark.parametrize("sizes", [[9_000_000], [4_000] * 300], ids=["a large file", "small files"])
def test_a_limit_of_bytes_a_second_is_kept(box: Box, sizes: list[int]) -> None:
    """It takes at least as long as the limit says: heads and answers come on top."""
    for number, size in enumerate(sizes):
        (box.tree / f"{number}.bin").write_bytes(os.urandom(size))
    limit = sum(sizes) // 2
    ended = box.backup(OSS_BACKUP_BANDWIDTH_LIMIT=f"{limit / 1e6:.3f}MB")
    assert ended.code == 0, ended.text
    assert box.objects() == wanted(box)
    assert ended.told.duration_seconds >= 2 * 0.9


@pytest.mark.slow
def test_a_run_that_hangs_is_over_soon_after_its_deadline(box: Box) -> None:
    """The shortest deadline is a minute, and the grace another."""
    (box.tree / "a").write_bytes(b"1")
    box.post("faults", [{"kind": "stall", "request": "put", "seconds": 900, "count": -1}])
    process = box.start(
        "backup", "--path", "tree => t", "--prefix", "p", "--language", "en", "--deadline-minutes", "1"
    )  # fmt: skip
    try:
        text, _ = process.communicate(timeout=240)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 5 and "`deadline-minutes`" in text, text
    assert box.objects() == {} and box.snapshots() == []
