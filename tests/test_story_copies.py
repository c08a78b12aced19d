"""Stories of what is not sent: a file that was moved, renamed or doubled is copied on the server, and proven."""

import random

import pytest
from box import Box, Ended, uploads
from test_story_history import LARGE, Tree, assert_whole, back_up, done, versioned  # fmt: skip

from backup_action.core.sources import FROM


def content(seed: int, size: int = FROM) -> bytes:
    return random.Random(seed).randbytes(size)


def sent(box: Box, since: int = 0) -> list[str]:
    """Keys of files whose bytes were sent, whole or a part of them."""
    return sorted(done(box, "put", "p/t/*", since) + done(box, "part", "p/t/*", since))


def copied(box: Box, since: int = 0) -> list[str]:
    """Keys of files that were copied, whole or by parts."""
    return sorted(done(box, "copy", "p/t/*", since) + done(box, "part-copy", "p/t/*", since))


def mark(box: Box) -> int:
    return len(box.sandbox.world.log)


def counts(ended: Ended) -> tuple[int, int, int, int]:
    told = ended.told.counts
    assert told.files_total == told.files_uploaded + told.files_copied + told.files_unchanged + told.files_failed
    return told.files_uploaded, told.bytes_uploaded, told.files_copied, told.bytes_copied


SIZES = {"a": FROM, "b": 1 << 20, "c": (1 << 20) + 1, "sub/large": LARGE}


@pytest.mark.parametrize("is_versioned", [False, True])
def test_a_renamed_folder_costs_no_upload(box: Box, is_versioned: bool) -> None:
    bucket = versioned(box) if is_versioned else ""
    files = {name: content(size, size) for name, size in SIZES.items()}
    first: Tree = {f"old/{name}": data for name, data in files.items()}
    second: Tree = {f"new/{name}": data for name, data in files.items()}
    back_up(box, first, bucket=bucket)
    before, bytes_before = mark(box), box.counts()["bytes_in"]
    ended = back_up(box, second, bucket=bucket)
    assert counts(ended) == (0, 0, 4, sum(SIZES.values())) and not ended.told.problems
    assert sent(box, before) == [] and copied(box, before) == sorted(f"p/t/{name}" for name in second)
    assert box.counts()["bytes_in"] - bytes_before < FROM, "the snapshot, the lease and the record"
    assert sorted(done(box, "head", "p/t/*", before)) == ["p/t/new/c", "p/t/new/sub/large"], "others prove themselves"
    assert_whole(box, first, second, bucket=bucket)
    assert back_up(box, second, bucket=bucket).told.counts.files_unchanged == 4, "and it is what the listing says"
    assert sent(box, before) == [] and len(copied(box, before)) == 4


def test_what_is_small_is_sent(box: Box) -> None:
    back_up(box, {"a": content(1, FROM - 1)})
    before = mark(box)
    ended = back_up(box, {"b": content(1, FROM - 1)})
    assert counts(ended) == (1, FROM - 1, 0, 0) and sent(box, before) == ["p/t/b"] and copied(box, before) == []


@pytest.mark.parametrize("size", [FROM, LARGE])
def test_a_content_is_sent_once_in_a_first_run(box: Box, size: int) -> None:
    """However many of its files are on their way at the same time."""
    tree: Tree = {f"{folder}/x": content(1, size) for folder in range(6)} | {"other": content(2, size)}
    ended = back_up(box, tree)
    assert counts(ended) == (2, 2 * size, 5, 5 * size) and not ended.told.problems
    assert len(copied(box)) == 5 and len(set(sent(box))) == 2
    assert_whole(box, tree)
    assert uploads(box) == []
