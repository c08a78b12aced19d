"""Thawing: how long an object of an Archive class takes to become readable, and the request that asks for it.

| class | tier | readable after | days |
|---|---|---|---|
| Archive | has none | about a minute | 1 to 7 |
| ColdArchive | Expedited, Standard, Bulk | at most 1, 5, 12 hours | 1 to 365 |
| DeepColdArchive | Expedited, Standard | at most 12, 48 hours | 1 to 365 |

Source: "Restore objects" and "RestoreObject" in the documentation of OSS, whose times are estimates.
"""

from __future__ import annotations

from typing import Final

TIERS: Final = ("Expedited", "Standard", "Bulk")
DAYS_MAX: Final = 365
ARCHIVE: Final = "Archive"
ARCHIVE_DAYS: Final = 7  # the most that the class takes
_HOURS: Final = {
    "ColdArchive": {"Expedited": 1, "Standard": 5, "Bulk": 12},
    "DeepColdArchive": {"Expedited": 12, "Standard": 48},
}
FROZEN: Final = (ARCHIVE, *_HOURS)  # classes whose objects cannot be read, nor copied, until they are thawed


def tier_of(storage_class: str, tier: str) -> str:
    """The tier that a class takes where `tier` is asked for; "" for a class that has none."""
    tiers = _HOURS.get(storage_class, {})
    return tier if tier in tiers else "Standard" if tiers else ""


def hours(storage_class: str, tier: str) -> int:
    """Hours until an object can be read, at most; 0 for about a minute, and for a class that is not known."""
    return _HOURS.get(storage_class, {}).get(tier_of(storage_class, tier), 0)


def request(storage_class: str, days: int, tier: str) -> bytes:
    """The body of a RestoreObject."""
    if storage_class == ARCHIVE:
        days = min(days, ARCHIVE_DAYS)
    name = tier_of(storage_class, tier)
    job = f"<JobParameters><Tier>{name}</Tier></JobParameters>" if name else ""
    return f"<RestoreRequest><Days>{days}</Days>{job}</RestoreRequest>".encode()
