"""What a run counts: alarms are told however much else there is to tell."""

from backup_action.core.counts import KEPT_PROBLEMS, Counts
from backup_action.core.problem import Kind, Problem
from backup_action.core.tally import Tally


def test_an_alarm_finds_room_behind_any_number_of_other_problems() -> None:
    tally = Tally()
    for number in range(KEPT_PROBLEMS + 5):
        tally.tell(Problem(Kind.FILE_UNREADABLE, str(number)))
    for number in range(KEPT_PROBLEMS + 5):
        tally.tell(Problem(Kind.ALARM_SILENT, str(number)))
    tally.tell(Problem(Kind.ALARM_ENCRYPTED))
    assert tally.problem_counts == {
        "file.unreadable": KEPT_PROBLEMS + 5, "alarm.silent-change": KEPT_PROBLEMS + 5, "alarm.encrypted": 1
    }  # fmt: skip
    assert len(tally.problems) == 2 * KEPT_PROBLEMS + 1


def test_what_was_copied_on_the_server_was_not_sent() -> None:
    tally = Tally()
    tally.open_roots(2)
    tally.sent(0, 5)
    tally.copied(1, 7)
    assert tally.total() == Counts(2, 1, bytes_total=12, bytes_uploaded=5, files_copied=1, bytes_copied=7)
    assert tally.counts(0).files_copied == 0 and tally.counts(1).bytes_copied == 7


def test_a_file_that_was_read_again_is_unchanged() -> None:
    tally = Tally()
    tally.open_roots(1)
    tally.reread_same(0, 7)
    assert (tally.counts(0).files_unchanged, tally.total().bytes_total) == (1, 7)
    assert (tally.reread, tally.reread_bytes) == (1, 7)
