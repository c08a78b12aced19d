"""Stories of content in Archive classes: asked for, waited for if that is wanted, and fetched once it is readable.

The sandbox alone proves this: it answers as the documentation says.
"""

import os
import warnings

import oss2
import pytest
from box import Box, Ended, disk
from test_story_restore import facts, restore


def freeze(box: Box, storage_class: str, *keys: str, bucket: str = "") -> None:
    client = box.client(bucket)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for key in keys or [item.key for item in oss2.ObjectIteratorV2(client, prefix="p/t/")]:
            client.copy_object(client.bucket_name, key, key, headers={"x-oss-storage-class": storage_class})


def frozen(ended: Ended) -> list[tuple[str, dict[str, str]]]:
    return [(one.where, one.facts) for one in ended.told.problems if one.kind == "content.frozen"]


TOLD = {
    "Archive": ({"cause": "minutes"}, "about a minute"),
    "ColdArchive": ({"cause": "hours", "tier": "Bulk", "hours": "12"}, "in 12 hours"),
    "DeepColdArchive": ({"cause": "hours", "tier": "Standard", "hours": "48"}, "in 48 hours"),
}


@pytest.mark.parametrize("storage_class", TOLD)
def test_what_is_frozen_is_asked_for_and_the_rest_is_restored(box: Box, storage_class: str) -> None:
    for name in ("a", "b", "c"):
        (box.tree / name).write_bytes(name.encode())
    (box.tree / "large").write_bytes(os.urandom(9 << 20))
    assert box.backup().code == 0
    freeze(box, storage_class, "p/t/a", "p/t/b", "p/t/large")
    facts_told, text = TOLD[storage_class]
    ended = restore(box, "--thaw-tier", "Bulk", "--thaw-days", "30")
    assert (ended.code, ended.told.problem_counts) == (3, {"content.frozen": 1}), ended.text
    assert frozen(ended) == [(storage_class, {"count": "3"} | facts_told)] and text in ended.text
    assert ended.told.counts.files_failed == 3 and not ended.told.verified
    assert disk(box.folder / "back").keys() == {"t/c"}
    assert box.sent("oss.restore") == 3
    head = box.client().head_object("p/t/a").headers
    assert head["x-oss-restore"] == 'ongoing-request="true"'
    again = restore(box)
    assert again.code == 3 and box.sent("oss.restore") == 3, "what is under way is not asked for again"


def test_what_is_thawed_by_the_next_run_is_fetched(box: Box) -> None:
    for name in ("a", "b"):
        (box.tree / name).write_bytes(name.encode())
    assert box.backup().code == 0
    freeze(box, "Archive")
    box.post("settings", {"restore_seconds": 0})
    ended = restore(box, "--thaw-days", "365")
    assert ended.code == 3, "a day more than the class takes would be refused"
    ended = restore(box)
    assert ended.code == 0 and facts(box.folder / "back/t") == facts(box.tree), ended.text
    assert box.sent("oss.restore") == 2


@pytest.mark.parametrize("versioned", [False, True], ids=["history", "versions"])
def test_a_run_that_waits_fetches_all_of_it(box: Box, versioned: bool) -> None:
    bucket = box.sandbox.environment["OSS_SANDBOX_VERSIONED_BUCKET"] if versioned else ""
    environ = {"OSS_BACKUP_BUCKET": bucket} if versioned else {}
    for number in range(20):
        (box.tree / str(number)).write_bytes(os.urandom(100))
    for name in ("large", "larger"):
        (box.tree / name).write_bytes(os.urandom(9 << 20))
    assert box.backup("--storage-class", "ColdArchive", **environ).code == 0
    box.post("settings", {"restore_seconds": 2})
    ended = restore(box, "--thaw-wait-minutes", "1", **environ)
    assert ended.code == 0 and ended.told.verified, ended.text
    assert facts(box.folder / "back/t") == facts(box.tree)
    assert "Waiting at most 1 min until OSS has thawed 22 files" in ended.text
    assert box.sent("oss.restore") == 22, "each is asked for once"


def test_two_files_of_one_content_are_asked_for_once(box: Box) -> None:
    for name in ("a", "b"):
        (box.tree / name).write_bytes(b"old")
    assert box.backup().code == 0
    first = box.snapshots()[0][0]["head"]["id"]
    for name in ("a", "b"):
        (box.tree / name).write_bytes(b"new")
    assert box.backup("--max-change", "100").code == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        kept = [item.key for item in oss2.ObjectIteratorV2(box.client(), prefix="p/.oss-backup/history/")]
    assert len(kept) == 1
    freeze(box, "ColdArchive", *kept)
    ended = restore(box, "--snapshot", first)
    assert frozen(ended)[0][1]["count"] == "2" and box.sent("oss.restore") == 1, ended.text


@pytest.mark.parametrize("together", ["1", "8"])
def test_a_role_that_may_not_thaw_is_told_once_and_the_rest_is_restored(box: Box, together: str) -> None:
    """One at a time, nobody asks for the class of the second; together, both may be under way when OSS refuses."""
    for name in ("a", "b", "c"):
        (box.tree / name).write_bytes(name.encode())
    assert box.backup().code == 0
    freeze(box, "Archive", "p/t/a", "p/t/b")
    read = ["oss:GetObject", "oss:GetObjectVersion", "oss:ListObjects"]
    policy = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": read, "Resource": ["*"]}]}
    box.post("settings", {"role_policy": policy})
    ended = restore(box, "--concurrency", together)
    assert (ended.code, ended.told.problem_counts) == (4, {"oss.right": 1, "content.frozen": 1}), ended.text
    assert "oss:RestoreObject" in ended.text and disk(box.folder / "back").keys() == {"t/c"}
    assert frozen(ended) == [("Archive", {"count": "2", "cause": "refused"})]


def test_an_answer_that_it_can_be_read_already_is_followed_by_reading_it(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    assert box.backup().code == 0
    freeze(box, "Archive")
    box.post("settings", {"restore_seconds": 0})
    box.client().restore_object("p/t/a")
    frozen_once = {"kind": "status", "request": "get", "key": "p/t/a", "status": 403, "code": "InvalidObjectState"}
    box.post("faults", [frozen_once])
    ended = restore(box)
    assert ended.code == 0 and facts(box.folder / "back/t") == facts(box.tree), ended.text
    assert box.sent("oss.restore") == 2, "the other is this test's"


def test_once_something_is_frozen_large_files_are_only_tried_until_all_are_asked_for(box: Box) -> None:
    (box.tree / "0").write_bytes(b"1")
    for number in range(1, 400):
        (box.tree / f"a{number}").write_bytes(b"1")
    for name in ("x", "y", "z"):
        (box.tree / name).write_bytes(os.urandom((17 << 20) + 1))
    (box.tree / "zz").write_bytes(b"last")
    assert box.backup().code == 0
    freeze(box, "ColdArchive", "p/t/0", "p/t/y", "p/t/zz")
    gets = box.sent("oss.get")
    ended = restore(box, "--concurrency", "1")
    assert frozen(ended)[0][1]["count"] == "3" and box.sent("oss.restore") == 3, ended.text
    assert disk(box.folder / "back").keys() == {f"t/{name}" for name in disk(box.tree)} - {"t/0", "t/y", "t/zz"}
    assert box.sent("oss.get") - gets == 1 + 399 + 3 + 2 * (1 + 3), "the snapshot, small, frozen, large with a try"


def test_one_that_thaws_keeps_extras_from_being_removed(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    assert box.backup().code == 0
    freeze(box, "Archive")
    (box.folder / "back").mkdir()
    (box.folder / "back/new").write_bytes(b"mine")
    ended = restore(box, "--delete")
    assert ended.told.problem_counts == {"content.frozen": 1, "delete.held": 1}, ended.text
    assert (box.folder / "back/new").exists()


def test_a_signal_ends_the_waiting(box: Box) -> None:
    (box.tree / "a").write_bytes(b"1")
    assert box.backup().code == 0
    freeze(box, "Archive")
    arguments = ("restore", "--target", "back", "--prefix", "p", "--source", "story", "--thaw-wait-minutes", "60")
    process = box.start(*arguments)
    while not box.sent("oss.restore"):
        assert process.poll() is None
    process.terminate()
    assert box.end(process).code == 143


def test_packs_of_a_vault_are_asked_for_once_each(box: Box) -> None:
    vault = ("--layout", "vault")
    for number in range(30):
        (box.tree / str(number)).write_bytes(os.urandom(1000))
    (box.tree / "large").write_bytes(os.urandom(9 << 20))
    assert box.backup(*vault, "--storage-class", "Archive").code == 0
    packs = [item.key for item in oss2.ObjectIteratorV2(box.client(), prefix="p/.oss-backup/packs/")]
    ended = restore(box, *vault)
    assert ended.code == 3 and box.sent("oss.restore") == len(packs) == 1, ended.text
    assert [one for one, _ in frozen(ended)] == ["Archive"]
    box.post("settings", {"restore_seconds": 0})
    assert restore(box, *vault, "--thaw-wait-minutes", "1").code in (0, 3)
    ended = restore(box, *vault)
    assert ended.code == 0 and facts(box.folder / "back/t") == facts(box.tree), ended.text
