"""Stories of a bucket that takes only so many requests: no file fails, few requests are in vain, and it is told."""

import json
import urllib.request

import pytest
from box import Box, Ended, disk, wanted
from test_story_restore import facts, restore

from backup_action.core.concurrency import START

FILES = 300


@pytest.fixture
def tree(box: Box) -> Box:
    for number in range(FILES):
        folder = box.tree / f"d{number % 7}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}").write_bytes(b"%d" % number * 50)
    return box


def statuses(box: Box) -> dict[int, int]:
    """How many requests to OSS were answered how since the last reset; of the last 10,000."""
    with urllib.request.urlopen(f"{box.sandbox.control}/requests?log=1") as answer:
        log = json.load(answer)["log"]
    found: dict[int, int] = {}
    for row in log:
        if row["service"] == "oss":
            found[row["status"]] = found.get(row["status"], 0) + 1
    return found


def assert_met(box: Box, ended: Ended) -> None:
    """All is well but for the bucket's refusals, of which there were few: twice those that a run begins with."""
    assert ended.code == 0, ended.text
    refused = statuses(box)[503]
    assert 32 <= refused <= 2 * START
    assert ended.told.problem_counts == {"oss.throttled": 1}
    [problem] = ended.told.problems
    assert problem.facts["count"] == str(refused) and 2 <= int(problem.facts["least"]) <= START // 4
    assert FILES + refused <= int(problem.facts["requests"]) <= ended.told.requests
    assert f"refused {refused} of " in ended.text and "`concurrency`" in ended.text


def test_a_backup_meets_a_bucket_that_takes_eight_at_a_time(tree: Box) -> None:
    tree.post("settings", {"at_a_time": 8, "latency": 0.02})
    assert_met(tree, tree.backup())
    tree.post("settings", {"at_a_time": 0, "latency": 0})
    assert tree.objects() == wanted(tree)
    again = tree.backup()
    assert again.told.problem_counts == {} and again.told.counts.files_unchanged == FILES


def test_a_restore_meets_it_too(tree: Box) -> None:
    tree.backup()
    before = statuses(tree)
    assert 503 not in before
    tree.post("settings", {"at_a_time": 8, "latency": 0.02})
    ended = restore(tree)
    assert_met(tree, ended)
    assert facts(tree.folder / "back/t") == facts(tree.tree)


@pytest.mark.slow
def test_a_verification_that_reads_meets_it_too(tree: Box) -> None:
    tree.backup()
    tree.post("settings", {"at_a_time": 8, "latency": 0.02})
    ended = tree.run("verify", "--prefix", "p", "--source", "story", "--language", "en", "--read")
    assert_met(tree, ended)


def test_a_bucket_that_counts_by_the_second_is_met(tree: Box) -> None:
    """Each second refuses no more than are under way: two, once it is known how few there may be."""
    tree.post("settings", {"per_second": 100})
    ended = tree.backup()
    assert ended.code == 0 and set(ended.told.problem_counts) <= {"oss.throttled"}, ended.text
    told = statuses(tree)
    assert told[200] >= FILES and told.get(503, 0) <= 3 * START
    tree.post("settings", {"per_second": 0})
    assert tree.objects() == wanted(tree) and len(disk(tree.tree)) == FILES


def test_a_few_refusals_are_healed_and_nothing_to_tell(tree: Box) -> None:
    told = {"x-oss-qos-delay-time": "5"}
    tree.post("faults", [{"kind": "throttle", "request": "put", "key": "p/t/*", "count": 20, "headers": told}])
    ended = tree.backup()
    assert statuses(tree)[429] == 20
    assert (ended.code, ended.told.problem_counts) == (0, {}), ended.text
    assert ended.told.counts.files_uploaded == FILES
