"""The fetching of a restore: where a file is asked for."""

from backup_action.core.entry import Entry, Sort
from backup_action.transfer.fetching import Job
from backup_action.vault.contents import PLACES


def test_each_place_is_asked_twice_before_the_next() -> None:
    job = Job(Entry("a", Sort.FILE, "a"))
    asked = [job.place]
    while job.was_altered():
        asked.append(job.place)
    assert asked == [place for place in range(PLACES) for _ in range(2)]
