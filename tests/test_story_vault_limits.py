"""Stories of a vault at its limits: memory, files that move, an end in the middle, and passphrases of all kinds."""

import os
import random
import signal
import time

import pytest
from box import Box, Ended, disk
from reader import Bucket
from test_story_faults import of
from test_story_hostile import Measured, peak
from test_story_restore import facts, restore
from test_story_secrets import forms
from test_story_signals import stopped
from test_story_vault import VAULT, keys, vault

RUN = ("backup", *VAULT, "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en")


def assert_whole(box: Box) -> dict[str, str]:
    """Every snapshot can be read whole; what the last one says."""
    state = Bucket(box.client(), "p/")
    found = state.committed()
    assert [state.read_whole(one) for one in found] == [one.files for one in found]
    return found[-1].files


def test_what_packs_a_hundredfold_is_restored_in_little_memory(box: Box) -> None:
    box.__class__ = Measured
    for number in range(90):
        (box.tree / f"{number}").write_bytes(b"%021d\n" % number * 180_000)
    ended = vault(box)
    assert ended.code == 0 and peak(ended) < 250
    assert ended.told.stored_bytes < 4 << 20, "all of it would come in one request"
    ended = restore(box, *VAULT)
    assert ended.code == 0 and peak(ended) < 250
    assert disk(box.folder / "back/t") == disk(box.tree)


def test_a_pack_of_tiny_files_stays_one_that_can_be_told_of(box: Box) -> None:
    """Its bytes are few, but each of its chunks has a name in the index's line."""
    from backup_action.core import index, pack
    from backup_action.core.index import Packed
    from backup_action.core.pack import Chunk, Open

    full = Open()
    while not full.is_full:
        full.add(b"x" * 5000, [Chunk(os.urandom(32).hex(), 20)] * 256)
    assert full.size < pack.TARGET
    data = index.encode([Packed("0" * 64, 1, full.frames)])
    assert len(next(index.packs(data)).frames) == len(full.frames)
    assert pack.CHUNKS * 100 < index.LINE_MAX


def test_a_file_too_large_for_a_line_is_told(box: Box) -> None:
    with (box.tree / "huge").open("wb") as file:
        file.truncate((448 << 30) + 1)
    (box.tree / "a").write_bytes(b"1")
    ended = vault(box)
    assert (ended.code, ended.told.problem_counts) == (3, {"file.too-large": 1}), ended.text
    assert "448 GiB" in ended.text and set(assert_whole(box)) == {"t/a"}


@pytest.mark.parametrize("change", ["shrinks", pytest.param("writes", marks=pytest.mark.slow)])
def test_a_large_file_that_changes_while_it_is_streamed(box: Box, change: str) -> None:
    """Packs wait for the bucket, so pieces are on their way while the reading fails."""
    path = box.tree / "x"
    path.write_bytes(random.Random(1).randbytes(130 << 20))
    time.sleep(2.1)
    box.post("faults", of("stall", "put", key="p/.oss-backup/packs/*", seconds=1.5, count=4))
    process = box.start(*RUN)
    while not keys_begun(box):
        time.sleep(0.02)
    if change == "shrinks":
        os.truncate(path, 100 << 20)
    else:
        with path.open("r+b") as file:
            file.write(b"other")
    ended = box.end(process)
    assert ended.code == 0, ended.text
    assert assert_whole(box) == {"t/x": disk(box.tree)["x"]}


def keys_begun(box: Box) -> bool:
    import json
    import urllib.request

    with urllib.request.urlopen(f"{box.sandbox.control}/faults") as answer:
        return any(fault["count"] < 4 for fault in json.load(answer))


@pytest.mark.parametrize("moment", ["pack", pytest.param("index", marks=pytest.mark.slow)])
def test_a_signal_ends_a_run_soon_whatever_it_waits_for(box: Box, moment: str) -> None:
    (box.tree / "large").write_bytes(random.Random(1).randbytes(40 << 20))
    folder = {"pack": "packs", "index": "index"}[moment]
    box.post("faults", of("stall", "put", key=f"p/.oss-backup/{folder}/*", seconds=20, count=-1))
    process = box.start(*RUN)
    time.sleep(2.5)
    began = time.monotonic()
    ended = stopped(box, process, signal.SIGTERM)
    assert time.monotonic() - began < 8
    assert ended.code == 143 and "Traceback" not in ended.text, ended.text
    assert box.snapshots() == []


def test_a_signal_ends_a_restore_without_a_word_of_python(box: Box) -> None:
    for number in range(30):
        (box.tree / f"{number}").write_bytes(random.Random(number).randbytes(1 << 20))
    assert vault(box).code == 0
    box.post("faults", of("stall", "get", key="p/.oss-backup/packs/*", seconds=20, count=-1))
    process = box.start("restore", *VAULT, "--target", "back", "--prefix", "p", "--source", "story")
    time.sleep(2)
    ended = stopped(box, process, signal.SIGTERM)
    assert ended.code == 143, ended.text
    assert not [word for word in ("Traceback", "never retrieved", "was destroyed") if word in ended.text], ended.text
    assert [path for path in (box.folder / "back").rglob("*") if path.is_file()] == []


PASSPHRASES = {
    "of two lines": "canary first line\nsecond canary line",
    "no UTF-8": "canary-\udcff\udcfe-passphrase",
    "long": "canary " * 1500,
    "a command": "::error::canary-passphrase",
}


def spilled(box: Box, ended: Ended, passphrase: str) -> list[str]:
    places = {"the output": ended.text.encode(errors="surrogateescape")}
    places |= {str(path): path.read_bytes() for path in box.folder.rglob("*") if path.is_file()}
    places |= {key: box.client().get_object(key).read() for key in keys(box)}
    told = [line for line in passphrase.splitlines() if len(line) > 8]
    needles = {form for line in told if line.isprintable() for form in forms(line[:2000])}
    needles |= {os.fsencode(line) for line in told}
    return [where for where, data in places.items() if any(needle in data for needle in needles)]


@pytest.mark.parametrize(
    "name", ["no UTF-8", *(pytest.param(n, marks=pytest.mark.slow) for n in sorted(PASSPHRASES) if n != "no UTF-8")]
)
def test_a_passphrase_of_any_kind_opens_and_shows_nowhere(box: Box, name: str) -> None:
    passphrase = PASSPHRASES[name]
    (box.tree / "a").write_bytes(b"content")
    for ended in (
        vault(box, OSS_BACKUP_PASSPHRASE=passphrase),
        restore(box, *VAULT, OSS_BACKUP_PASSPHRASE=passphrase),
    ):
        assert ended.code == 0, ended.text
        assert spilled(box, ended, passphrase) == []
    assert facts(box.folder / "back/t") == facts(box.tree)
    wrong = restore(box, *VAULT, OSS_BACKUP_PASSPHRASE=passphrase + "x")
    assert (wrong.code, wrong.told.problem_counts) == (2, {"passphrase.wrong": 1}), wrong.text
    assert spilled(box, wrong, passphrase) == []


def test_the_runner_blanks_the_passphrase_out(box: Box) -> None:
    (box.tree / "a").write_bytes(b"content")
    ended = vault(box, OSS_BACKUP_PASSPHRASE="canary-passphrase", GITHUB_ACTIONS="true")
    assert ended.code == 0, ended.text
    assert "::add-mask::canary-passphrase\n" in ended.text
    assert "canary" not in ended.text.replace("::add-mask::canary-passphrase\n", "")
