"""The two ends of a run, by a clock that is made up."""

import math

from backup_action.core.deadline import GRACE, NEVER, Deadline


def test_the_soft_end_comes_at_the_minutes_and_the_hard_one_a_little_later() -> None:
    now = [1000.0]
    deadline = Deadline.after(2, lambda: now[0])
    assert not deadline.is_past() and deadline.left() == 120 + GRACE
    now[0] += 119.9
    assert not deadline.is_past()
    now[0] += 0.1
    assert deadline.is_past() and deadline.left() == GRACE
    now[0] += GRACE
    assert deadline.left() <= 0


def test_without_minutes_there_is_no_end() -> None:
    for deadline in (NEVER, Deadline.after(0, lambda: 1e12)):
        assert not deadline.is_past() and deadline.left() == math.inf
