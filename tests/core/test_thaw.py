"""How long thawing takes, and the request for it."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import thaw


@pytest.mark.parametrize(
    ("storage_class", "tier", "taken", "hours"),
    [
        ("Archive", "Expedited", "", 0),
        ("ColdArchive", "Expedited", "Expedited", 1),
        ("ColdArchive", "Standard", "Standard", 5),
        ("ColdArchive", "Bulk", "Bulk", 12),
        ("DeepColdArchive", "Expedited", "Expedited", 12),
        ("DeepColdArchive", "Standard", "Standard", 48),
        ("DeepColdArchive", "Bulk", "Standard", 48),
        ("", "Bulk", "", 0),
    ],
)
def test_each_class_has_its_tiers_and_times(storage_class: str, tier: str, taken: str, hours: int) -> None:
    assert (thaw.tier_of(storage_class, tier), thaw.hours(storage_class, tier)) == (taken, hours)


@given(
    st.sampled_from(["Archive", "ColdArchive", "DeepColdArchive"]),
    st.integers(min_value=1, max_value=thaw.DAYS_MAX),
    st.sampled_from(thaw.TIERS),
)
def test_a_request_asks_for_no_more_than_the_class_takes(storage_class: str, days: int, tier: str) -> None:
    tree = ET.fromstring(thaw.request(storage_class, days, tier))
    most = 7 if storage_class == "Archive" else 365
    assert int(tree.findtext("Days", "")) == min(days, most)
    assert (tree.findtext("JobParameters/Tier") or "") == thaw.tier_of(storage_class, tier)
