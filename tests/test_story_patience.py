"""Stories of the settings by which a run is held back: how fast it sends."""

from __future__ import annotations

import os

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
