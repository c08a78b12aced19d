"""The beginning of a plan, worked out before the lease is taken: only where it takes little, and never twice."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from test_scale import HEAD, entry, found

from backup_action import settings
from backup_action.adapters.files.scan import Scan
from backup_action.commands.backup import FIRST, There, ahead
from backup_action.core.problem import Kind
from backup_action.core.snapshot import Snapshot, Writer
from backup_action.core.spool import Spool
from backup_action.core.stored import Stored
from backup_action.vault import Catalogue

SOME = 30
CHOSEN = settings.gather({"paths": ["t"], "bucket": "bucket", "region": "cn-hangzhou"}, {})


def there(held: int | None, **more: Any) -> There:
    parent = None
    if held is not None:
        writer = Writer(HEAD)
        for number in range(SOME):
            writer.add(entry(number))
        parent = Snapshot(writer.finish({}, complete=True)[0], held=held)
    rows = [entry(number) for number in range(SOME)] if parent else []
    listing = Spool(Stored, (Stored(one.place, one.size, one.etag, one.last_modified) for one in rows))
    return There(Catalogue([], {}), parent, [listing], **more)


def scanned() -> Scan:
    one = found(entry(0))
    return Scan(Spool(type(one), (found(entry(number)) for number in range(SOME))))


@pytest.mark.parametrize("held", [None, 0, 1 << 20], ids=["first", "large", "held"])
def test_paths_are_planned_ahead_where_their_entries_are_in_memory_anyway(held: int | None) -> None:
    plan = ahead(CHOSEN, scanned(), there(held))
    assert len(plan.first) == (0 if held == 0 else SOME) and SOME < FIRST
    items = plan.items(None)
    assert not plan.first and [item.path for item in items] == [entry(number).path for number in range(SOME)]


def test_nothing_is_planned_ahead_of_a_share_which_may_be_a_small_part_of_all() -> None:
    shard: Any = SimpleNamespace(share=SimpleNamespace(has=lambda path: True))
    plan = ahead(CHOSEN, scanned(), there(None, shard=shard))
    assert not plan.first and len(list(plan.items(None))) == SOME


def test_after_a_run_that_never_committed_all_is_planned_anew() -> None:
    old = there(1 << 20)
    assert old.parent is not None
    catalogue = Catalogue([Stored(old.parent.id, 1, "E", 7)], {})
    others = Spool(Stored, (Stored(entry(number).place, 1, "other", 7) for number in range(SOME)))
    old = msgspec.structs.replace(old, catalogue=catalogue, listing=[others])
    plan = ahead(CHOSEN, scanned(), old)
    assert {item.drift for item in plan.first} == {Kind.DRIFT_REPLACED}
    safe: Any = SimpleNamespace(lease=SimpleNamespace(is_after_failure=True))
    assert [item.drift for item in plan.items(safe)] == [None] * SOME, "that run may have written them"
