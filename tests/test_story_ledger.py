"""Stories of the ledger: every run is recorded once, failed ones too, and the newest record knows thirty days."""

import asyncio
import calendar
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import oss2
import pytest
from box import Box, Ended

from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.core import ledger
from backup_action.core.ledger import Past, Record
from backup_action.sandbox.serve import Sandbox
from backup_action.vault.ledger import Ledger

FOLDER = "p/.oss-backup/ledger/"
DAY = 86_400
NO_STS = {"kind": "status", "service": "sts", "request": "*", "status": 403, "code": "AuthenticationFail.NoPermission",
          "count": -1}  # fmt: skip
NO_RECORD = {
    "kind": "status",
    "request": "put",
    "key": f"{FOLDER}*",
    "status": 403,
    "code": "AccessDenied",
    "count": -1,
}


@pytest.fixture
def tree(box: Box) -> Box:
    (box.tree / "a").write_bytes(b"1")
    return box


def records(box: Box) -> list[dict[str, Any]]:
    """Every record, oldest first, read without the program."""
    keys = [item.key for item in oss2.ObjectIteratorV2(box.client(), prefix=FOLDER)]
    told = [json.loads(box.client().get_object(key).read()) for key in sorted(keys)]
    assert [f"{FOLDER}{one['id']}.json" for one in told] == sorted(keys)
    return told


def put(box: Box, *some: Record) -> None:
    for one in some:
        box.client().put_object(f"{FOLDER}{one.id}.json", ledger.encode(one))


def crafted(ago: float, *, status: str = "ok", seconds: float = 10.0, before: list[Past] | None = None,
            roll: int = 1, verb: str = "backup", source: str = "story") -> Record:  # fmt: skip
    """A record of a run that began that many seconds ago; without `before` its window was not known."""
    now = time.time()
    id = ledger.new_id(now - ago, source, verb, f"{roll:08x}")
    one = Record(ledger.FORMAT, id, verb, source, "", seconds, status, 0 if status == "ok" else 4, "0.1.0")
    return one if before is None else ledger.with_window(one, before, now - ago)


def kept(box: Box) -> list[Path]:
    return sorted((box.state / "oss-backup/ledger").glob("*/*"))


def restore(box: Box, *arguments: str) -> Ended:
    return box.run("restore", "--target", "back", "--prefix", "p", "--source", "story", "--language", "en", *arguments)


def test_a_run_is_recorded_with_who_ran_it_and_what_came_of_it(tree: Box) -> None:
    outputs = tree.folder / "outputs"
    outputs.touch()
    about = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "own/data", "GITHUB_RUN_ID": "42",
             "GITHUB_RUN_ATTEMPT": "2", "GITHUB_SHA": "6f1e", "GITHUB_ACTOR": "somebody",
             "RUNNER_TEMP": str(tree.folder)}  # fmt: skip
    ended = tree.backup(GITHUB_OUTPUT=str(outputs), **about)
    assert ended.code == 0, ended.text
    [one] = records(tree)
    names = ("format", "verb", "source", "status", "exit_code", "repository", "run_id", "attempt", "commit", "actor")
    assert [one[name] for name in names] == [
        "oss-backup-ledger/1", "backup", "story", "ok", 0, "own/data", "42", "2", "6f1e", "somebody",
    ]  # fmt: skip
    [lines] = tree.snapshots()
    assert (one["snapshot"], one["digest"]) == (lines[0]["head"]["id"], lines[-1]["foot"]["digest"])
    assert one["host"] and "role/oss-backup" in one["identity"] and (one["files_sent"], one["bytes_sent"]) == (1, 1)
    assert one["totals"] == {"runs": 1, "successes": 1, "failures": 0, "bytes_sent": 1,
                             "p95_seconds": one["window"][0][2] / 10}  # fmt: skip
    assert abs(calendar.timegm(time.strptime(one["started"], "%Y-%m-%dT%H:%M:%SZ")) - time.time()) < 60
    told = outputs.read_text()
    assert "success-rate-30d" in told and "\n100.0\n" in told and "p95-duration-seconds" in told


def test_a_dry_run_and_a_verb_that_only_looks_are_not_recorded(tree: Box) -> None:
    assert tree.backup("--dry-run").code == 0
    tree.post("faults", [NO_STS])
    assert tree.backup("--dry-run").code == 4
    assert records(tree) == [] and kept(tree) == []


def test_the_newest_record_is_all_that_is_read(tree: Box) -> None:
    """Thirty days of records, and one GET besides the parent's; the listing of the catalogue brings their names."""
    first = tree.backup()
    before: list[Past] = []
    for number in range(1, 30):
        one = crafted((30 - number) * DAY - 60, status="ok" if number % 10 else "denied", before=before, roll=number)
        put(tree, one)
        before = one.window or []
    time.sleep(1.1)  # of two snapshots or records of one second both would be looked at
    second = tree.backup()
    time.sleep(1.1)
    counts = tree.counts()
    third = tree.backup()
    asked = {name: count - counts.get(name, 0) for name, count in tree.counts().items()}
    assert (first.code, second.code, third.code) == (0, 0, 0)
    assert (asked["oss.get"], asked["oss.put"]) == (2, 3), "the parent and the newest record; lease, snapshot, record"
    newest = max(records(tree), key=lambda one: one["totals"]["runs"])
    assert (newest["totals"]["runs"], newest["totals"]["failures"]) == (32, 2)
    assert third.told.ledger and (third.told.ledger.runs, third.told.ledger.successes) == (32, 30)
    assert "30-day success rate 93.8 % (30 of 32 runs), goal 99 % ⚠️" in tree.messages()[-1]["text"]


def test_what_is_older_than_thirty_days_is_not_counted(tree: Box) -> None:
    old = [crafted(31 * DAY, roll=1, before=[]), crafted(30 * DAY + 600, status="bug", roll=2, before=[])]
    late = crafted(29 * DAY, roll=3, before=[one.past for one in old])
    put(tree, *old, late)
    ended = tree.backup()
    assert ended.told.ledger and (ended.told.ledger.runs, ended.told.ledger.successes) == (2, 2)
    [*_, newest] = records(tree)
    assert [run[0] for run in newest["window"]] == [late.id, newest["id"]]


def test_a_record_that_the_newest_window_lacks_is_counted_all_the_same(tree: Box) -> None:
    """Two hosts that ran at once: the one that wrote last had not seen the other."""
    other = crafted(2 * DAY, status="unreachable", roll=1, before=[])
    last = crafted(1 * DAY, roll=2, before=[])
    put(tree, other, last, crafted(DAY, roll=3, verb="restore", before=[]), crafted(DAY, roll=4, source="x", before=[]))
    ended = tree.backup()
    assert ended.told.ledger and (ended.told.ledger.runs, ended.told.ledger.successes) == (3, 2)


def test_each_verb_has_a_window_of_its_own_and_a_restore_may_write_its_record(tree: Box) -> None:
    assert tree.backup().code == 0
    ended = restore(tree)
    assert ended.code == 0 and ended.told.problem_counts == {}, ended.text
    assert [(one["verb"], one["totals"]["runs"]) for one in sorted(records(tree), key=lambda one: one["verb"])] == [
        ("backup", 1), ("restore", 1),
    ]  # fmt: skip


def test_a_run_that_was_not_let_in_is_added_by_the_next_one_of_its_host(tree: Box) -> None:
    tree.post("faults", [NO_STS])
    ended = tree.backup()
    assert (ended.code, ended.told.problem_counts) == (4, {"sts.trust": 1})
    [file] = [path for path in kept(tree) if path.is_file()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    tree.post("faults", [])
    assert records(tree) == []
    assert tree.backup().code == 0
    failed, good = sorted(records(tree), key=lambda one: one["status"])
    assert (failed["status"], failed["exit_code"], failed["problems"]) == ("denied", 4, {"sts.trust": 1})
    assert (good["totals"]["runs"], good["totals"]["failures"]) == (2, 1)
    assert [path for path in kept(tree) if path.is_file()] == []
    assert tree.backup().told.ledger == msgspec.structs.replace(good_standing(tree), runs=3, successes=2)


def good_standing(box: Box) -> ledger.Standing:
    last = max((one for one in records(box) if one["totals"]), key=lambda one: one["totals"]["runs"])
    return ledger.Standing(0, 0, last["totals"]["p95_seconds"], 99, 30)


def test_another_host_and_another_source_leave_what_is_kept_alone(tree: Box) -> None:
    tree.post("faults", [NO_STS])
    assert tree.backup().code == 4
    tree.post("faults", [])
    assert tree.backup(XDG_STATE_HOME=str(tree.folder / "elsewhere")).code == 0
    assert tree.backup("--source", "other", "--path", "tree => other").code in (0, 2)
    assert [one["status"] for one in records(tree)].count("denied") == 0
    assert len([path for path in kept(tree) if path.is_file()]) == 1
    ended = restore(tree)
    assert ended.code == 0, "another verb of the source brings it too"
    assert [one["status"] for one in records(tree)].count("denied") == 1
    assert ended.told.ledger and ended.told.ledger.runs == 1, "but it is no run of that verb"
    again = tree.backup()
    assert again.told.ledger and (again.told.ledger.runs, again.told.ledger.successes) == (3, 2)


def test_wrong_settings_with_a_known_bucket_are_recorded_too(tree: Box) -> None:
    assert tree.backup("--concurrency", "many").code == 2
    assert tree.backup("--bucket", "Not A Bucket").code == 2, "of which bucket is not known"
    assert tree.backup().code == 0
    assert sorted(one["status"] for one in records(tree)) == ["ok", "usage"]


def test_a_run_that_a_guard_stopped_is_recorded_at_once(tree: Box) -> None:
    assert tree.backup().code == 0
    (tree.tree / "a").unlink()
    ended = tree.backup()
    assert ended.code == 8 and ended.told.ledger and ended.told.ledger.runs == 2
    assert sorted(one["status"] for one in records(tree)) == ["ok", "refused"] and kept(tree) == []


def test_a_bucket_that_takes_no_record_costs_a_warning_and_no_more(tree: Box) -> None:
    tree.post("faults", [NO_RECORD])
    ended = tree.backup()
    assert (ended.code, ended.told.problem_counts) == (0, {"ledger.failed": 1}) and ended.told.verified, ended.text
    assert "AccessDenied" in ended.text and "oss:PutObject" in ended.text and len(tree.snapshots()) == 1
    tree.post("faults", [])
    assert tree.backup().code == 0
    assert [one["status"] for one in records(tree)] == ["ok", "ok"], "the host had kept it"


def test_what_the_host_kept_stays_until_the_bucket_has_it(tree: Box) -> None:
    tree.post("faults", [NO_STS])
    assert tree.backup().code == 4
    tree.post("faults", [NO_RECORD])
    assert tree.backup().code == 0 and len(kept(tree)) == 2
    tree.post("faults", [])
    ended = tree.backup()
    assert kept(tree) == [] and sorted(one["status"] for one in records(tree)) == ["denied", "ok", "ok"]
    assert ended.told.ledger and (ended.told.ledger.runs, ended.told.ledger.successes) == (3, 2)


def test_a_record_that_only_looks_like_ours_is_not_counted(tree: Box) -> None:
    """Thirty-two bits can be the same for two sources: the record says whose it is, and which it is."""
    foreign = msgspec.structs.replace(crafted(DAY, roll=1, before=[]), source="another")
    copied = crafted(DAY, roll=2, before=[])
    put(tree, foreign)
    tree.client().put_object(f"{FOLDER}{crafted(DAY, roll=3).id}.json", ledger.encode(copied))
    ended = tree.backup()
    assert ended.told.ledger and ended.told.ledger.runs == 1


@pytest.mark.slow
def test_a_ledger_that_does_not_answer_is_not_waited_for_long(tree: Box) -> None:
    tree.post("faults", [{"kind": "stall", "request": "put", "key": f"{FOLDER}*", "seconds": 20, "count": 1}])
    ended = tree.backup()
    assert (ended.code, ended.told.problem_counts) == (0, {"ledger.failed": 1})
    assert ended.told.duration_seconds < 15


def test_a_lost_reply_to_the_record_is_no_failure(tree: Box) -> None:
    tree.post("faults", [{"kind": "lose-reply", "request": "put", "key": f"{FOLDER}*", "count": 1}])
    ended = tree.backup()
    assert (ended.code, ended.told.problem_counts, len(records(tree))) == (0, {}, 1) and kept(tree) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [(b'{"format":"oss-backup-ledger/2","all":"is different"}', "oss-backup-ledger/2"), (b"\xff{", "cannot be read")],
    ids=["a later version", "damaged"],
)
def test_a_record_that_cannot_be_read_is_told_and_passed_over(tree: Box, data: bytes, said: str) -> None:
    put(tree, crafted(2 * DAY, roll=1, before=[]))
    strange = f"{FOLDER}{crafted(DAY, roll=2).id}.json"
    time.sleep(1.1)
    tree.client().put_object(strange, data)
    ended = tree.backup()
    assert (ended.code, ended.told.problem_counts) == (0, {"ledger.failed": 1}) and said in ended.text
    assert ended.told.ledger and ended.told.ledger.runs == 2, "the others are counted"
    assert tree.client().get_object(strange).read() == data, "and it is left as it is"


def test_what_lies_about_in_the_state_folder_is_not_sent(tree: Box) -> None:
    tree.post("faults", [NO_STS])
    assert tree.backup().code == 4
    tree.post("faults", [])
    [file] = kept(tree)
    secret = tree.folder / "secret"
    secret.write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(secret)
    (file.parent / "x.json").write_text("no record")
    os.mkfifo(file.parent / "y.json")
    assert tree.backup().code == 0
    assert [one["status"] for one in records(tree)] == ["ok"] and secret.exists()


def test_a_host_keeps_few(tree: Box) -> None:
    tree.post("faults", [NO_STS])
    assert tree.backup().code == 4
    [file] = kept(tree)
    for number in range(60):
        one = crafted(DAY - number, status="denied", roll=number)
        (file.parent / f"{one.id}.json").write_bytes(ledger.encode(one))
    assert tree.backup().code == 4
    assert len(kept(tree)) == 50 and file in kept(tree), "the oldest went"


def test_a_host_that_can_keep_nothing_says_so(tree: Box) -> None:
    (tree.state / "oss-backup").mkdir(parents=True)
    (tree.state / "oss-backup/ledger").write_text("no folder")
    tree.post("faults", [NO_STS])
    ended = tree.backup()
    assert (ended.code, ended.told.problem_counts) == (4, {"sts.trust": 1, "ledger.failed": 1})
    assert "state folder" in ended.text


@pytest.mark.slow
@pytest.mark.parametrize(("between", "objects", "more"), [("packs/00/", 2_100, 1), ("ledger/", 4_100, 3 + 5)])
def test_what_lies_before_the_snapshots_is_passed_over(tree: Box, between: str, objects: int, more: int) -> None:
    """The catalogue's first listing shows the ledger, but it reads neither a vault's packs nor a ledger of many.

    Of such a ledger it takes three pages; its five pages are then read beside what else runs.
    """
    assert tree.backup().code == 0
    before = tree.counts()["oss.list"]
    assert tree.backup().code == 0
    usual = tree.counts()["oss.list"] - before
    stamp = crafted(DAY, source="somebody else").id
    for number in range(objects):
        tree.client().put_object(f"p/.oss-backup/{between}{stamp}{number:04}", b"x")
    before = tree.counts()["oss.list"]
    ended = tree.backup()
    assert ended.code == 0 and ended.told.snapshot and ended.told.snapshot.sequence == 3
    assert ended.told.ledger and ended.told.ledger.runs == 3, "and all of ours is counted"
    assert tree.counts()["oss.list"] - before == usual + more


def test_a_record_has_the_time_of_the_bucket_where_this_clock_is_off(tree: Box) -> None:
    tree.post("settings", {"clock_offset": 7200})
    assert tree.backup().code == 0
    tree.post("settings", {"clock_offset": 0})  # for the reader
    [one] = records(tree)
    began = calendar.timegm(time.strptime(one["started"], "%Y-%m-%dT%H:%M:%SZ"))
    assert abs(began - time.time() - 7200) < 60 and one["id"].startswith(ledger.moment(began))


def test_records_can_be_sealed(box: Box) -> None:
    """One function each way: what is stored is what it makes, and what it cannot open is passed over, and said."""
    told = box.sandbox.environment

    async def give(_: Credentials | None) -> Credentials:
        return Credentials(told["OSS_SANDBOX_ACCESS_KEY_ID"], told["OSS_SANDBOX_ACCESS_KEY_SECRET"])

    def unseal(data: bytes) -> bytes:
        if data[:1] != b"S":
            raise ValueError("not sealed")
        return data[:0:-1]

    async def work() -> tuple[list[Past], str]:
        place = Place(told["OSS_BACKUP_BUCKET"], "cn-hangzhou", told["OSS_BACKUP_ENDPOINT"])
        async with Bucket(Attempts(place, give), connections=4) as bucket:
            book = Ledger(bucket, "p/", "story", "backup", seal=lambda data: b"S" + data[::-1], unseal=unseal)
            await book.write(sealed)
            return await book.read(time.time()), str(book.passed_over)

    put(box, crafted(2 * DAY, roll=1, before=[]))
    sealed = crafted(DAY, roll=2)
    assert asyncio.run(work()) == ([sealed.past], "it cannot be opened")
    stored = box.client().get_object(f"{FOLDER}{sealed.id}.json").read()
    assert stored == b"S" + ledger.encode(sealed)[::-1]


# Interruptions: each with a sandbox of its own, which may still be stalling something when the client is gone.


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Box]:
    with Sandbox() as sandbox:
        box = Box(sandbox, tmp_path)
        (box.tree / "a").write_bytes(b"1")
        yield box


def stopped(box: Box, process: subprocess.Popen[str], until: Callable[[], bool]) -> Ended:
    end = time.monotonic() + 30
    while not until():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    ended = box.end(process)
    assert time.monotonic() - began < 10
    box.post("faults", [])
    return ended


def start(box: Box) -> subprocess.Popen[str]:
    return box.start("backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en")


def test_a_run_that_a_signal_ended_is_recorded_if_there_is_time(own: Box) -> None:
    assert own.backup().code == 0
    (own.tree / "b").write_bytes(b"2")
    own.post("faults", [{"kind": "stall", "request": "put", "key": "p/t/b", "seconds": 20, "count": -1}])
    ended = stopped(own, start(own), lambda: own.sent() >= 5)
    assert ended.code == 143, ended.text
    assert sorted(one["status"] for one in records(own)) == ["interrupted", "ok"] and kept(own) == []
    ended = own.backup()
    assert ended.told.ledger and (ended.told.ledger.runs, ended.told.ledger.successes) == (3, 2)


def test_and_if_there_is_none_the_host_keeps_it(own: Box) -> None:
    own.post("faults", [{"kind": "stall", "request": "put", "seconds": 20, "count": -1}])
    ended = stopped(own, start(own), lambda: own.sent("oss.list") >= 2)
    assert ended.code == 143 and records(own) == [] and len(kept(own)) == 1
    ended = own.backup()
    assert ended.code == 0 and sorted(one["status"] for one in records(own)) == ["interrupted", "ok"]
    assert ended.told.ledger and (ended.told.ledger.runs, ended.told.ledger.successes) == (2, 1)
