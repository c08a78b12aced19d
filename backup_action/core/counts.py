"""The numbers of a run."""

from __future__ import annotations

import msgspec

KEPT_PROBLEMS = 1000  # problems told one by one; the counts by kind hold them all


class Counts(msgspec.Struct, frozen=True):
    """Files and bytes of one run. total = uploaded + unchanged + failed, for files; removed stand apart."""

    files_total: int = 0
    files_uploaded: int = 0
    files_unchanged: int = 0
    files_removed: int = 0  # in the parent, no longer on disk
    files_failed: int = 0
    bytes_total: int = 0
    bytes_uploaded: int = 0
