"""The numbers of a run."""

from __future__ import annotations

import msgspec

KEPT_PROBLEMS = 1000  # problems told one by one; the counts by kind hold them all


class Counts(msgspec.Struct, frozen=True):
    """Files and bytes of one run. For files, total = uploaded + copied + unchanged + failed; removed stand apart.

    What was copied on the server is no part of what was uploaded, neither its files nor its bytes.
    """

    files_total: int = 0
    files_uploaded: int = 0
    files_unchanged: int = 0
    files_removed: int = 0  # in the parent, no longer on disk
    files_failed: int = 0
    bytes_total: int = 0
    bytes_uploaded: int = 0
    files_copied: int = 0  # put there by a copy on the server, of content that the bucket had
    bytes_copied: int = 0
