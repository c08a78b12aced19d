"""The memory of this process: what is freed serves the next piece of content, and what was loaded is left alone.

Content passes through in pieces of some megabytes. glibc maps each anew and gives it back when it is freed, and the
kernel then clears page after page: a third of the CPU of a backup by packs went there. Elsewhere the allocator stays
as it is. Numbers of the options: `mallopt(3)`.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

GC_THRESHOLD: Final = 20_000  # allocations beyond deallocations before the youngest objects are looked at
_OPTIONS: Final = (
    (-3, 32 << 20),  # M_MMAP_THRESHOLD, bytes: the most that glibc takes; larger pieces are mapped on their own
    (-1, 128 << 20),  # M_TRIM_THRESHOLD, bytes free at the top that are not given back
    (-2, 16 << 20),  # M_TOP_PAD, bytes: so much more is asked for, and kept, than a piece needs
    (-8, 1),  # M_ARENA_MAX: one heap for all threads, or each would keep its own
)


def keep_freed() -> bool:
    """Asks the allocator to keep what is freed. To be called before there are threads; False where it cannot."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(*option) == 1 for option in _OPTIONS)


def spare_loaded() -> None:
    """Has the collector leave alone what there is by now, modules above all, and look at what is new less often.

    Entries and requests come by the ten thousand, and are no part of cycles.
    """
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    gc.enable()
