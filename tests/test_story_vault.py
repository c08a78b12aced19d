"""Stories of the layout vault: chunks, packs, an index, snapshots; stored once, restored whole."""

import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import oss2
import pytest
from box import Box, Ended
from test_story_faults import of
from test_story_restore import NAMES, facts, restore

from backup_action.core import index
from backup_action.core.cut import cut

VAULT = ("--layout", "vault")


def keys(box: Box, folder: str = "") -> list[str]:
    """Every key below the catalogue's folder, or below one folder in it."""
    return [item.key for item in oss2.ObjectIteratorV2(box.client(), prefix=f"p/.oss-backup/{folder}")]


def size(box: Box, folder: str = "packs/") -> int:
    return sum(item.size for item in oss2.ObjectIteratorV2(box.client(), prefix=f"p/.oss-backup/{folder}"))


def vault(box: Box, *arguments: str, **environ: str) -> Ended:
    return box.backup(*VAULT, *arguments, **environ)


def fill(folder: Path, seed: int = 1) -> None:
    chance = random.Random(seed)
    for number in range(300):
        path = folder / f"d{number % 7}" / f"{number}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%d,%d\n" % (number, chance.random() * 1e9) * chance.randrange(1, 200))
    (folder / "empty").touch()
    (folder / "large").write_bytes(chance.randbytes(20 << 20))


def test_what_is_backed_up_is_restored_whole_and_a_second_run_sends_nothing(box: Box) -> None:
    fill(box.tree)
    for name in NAMES:
        path = os.path.join(os.fsencode(box.tree), b"names", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name * 3)
    (box.tree / "link").symlink_to("d1/1.csv")
    (box.tree / "run.sh").write_text("exit")
    (box.tree / "run.sh").chmod(0o750)
    first = vault(box)
    assert first.code == 0, first.text
    assert first.told.verified
    packs = keys(box, "packs/")
    assert len(packs) == 2
    assert size(box) == first.told.stored_bytes
    second = vault(box)
    assert second.code == 0, second.text
    assert (second.told.counts.files_uploaded, second.told.stored_bytes) == (0, 0)
    assert keys(box, "packs/") == packs
    assert len(keys(box, "index/")) == 1
    back = restore(box, *VAULT)
    assert back.code == 0, back.text
    assert facts(box.folder / "back/t") == facts(box.tree)
    again = restore(box, *VAULT)
    assert again.told.counts.files_uploaded == 0


def asked(box: Box) -> int:
    return sum(n for kind, n in box.counts().items() if kind.startswith("oss."))


def test_small_files_cost_a_handful_of_requests(box: Box) -> None:
    for number in range(2000):
        (box.tree / f"{number}").write_text(f"{number}" * 50)
    for work, most in ((vault, 19), (vault, 17), (lambda box: restore(box, *VAULT), 9)):
        before = asked(box)
        assert work(box).code == 0
        assert asked(box) - before <= most


def test_equal_content_is_stored_once_across_paths_runs_and_sources(box: Box) -> None:
    content = random.Random(2).randbytes(3 << 20)
    (box.tree / "one").write_bytes(content)
    (box.tree / "two").write_bytes(content)
    first = vault(box)
    assert 3 << 20 <= first.told.stored_bytes < 3.1 * (1 << 20)
    (box.tree / "one").rename(box.tree / "moved")
    moved = vault(box)
    assert (moved.code, moved.told.stored_bytes) == (0, 0)
    other = box.run(
        "backup", *VAULT, "--path", "tree => elsewhere", "--prefix", "p", "--source", "other", "--language", "en"
    )
    assert (other.code, other.told.stored_bytes) == (0, 0), other.text


def test_a_file_that_grew_or_changed_in_one_place_costs_that_alone(box: Box) -> None:
    content = bytearray(random.Random(3).randbytes(40 << 20))
    (box.tree / "ticks").write_bytes(content)
    first = vault(box)
    assert first.code == 0 and first.told.snapshot
    (box.tree / "ticks").write_bytes(content + b"tail" * 1000)
    grown = vault(box)
    assert grown.told.counts.files_uploaded == 1
    assert 0 < grown.told.stored_bytes < 5 << 20
    content[20 << 20 : (20 << 20) + 10] = b"0123456789"
    (box.tree / "ticks").write_bytes(content)
    changed = vault(box)
    assert 0 < changed.told.stored_bytes < 9 << 20
    assert restore(box, *VAULT).code == 0
    assert (box.folder / "back/t/ticks").read_bytes() == bytes(content)
    assert restore(box, *VAULT, "--snapshot", first.told.snapshot.id).code == 0
    assert (box.folder / "back/t/ticks").stat().st_size == 40 << 20


def test_a_writer_has_no_right_to_delete_nor_to_read_packs(box: Box) -> None:
    """The session policy is the one that the run asked for; the sandbox holds every request against it."""
    (box.tree / "a").write_bytes(b"x" * 1000)
    assert vault(box).code == 0
    counts = box.counts()
    assert not any("delete" in kind for kind in counts), counts
    from backup_action.core.address import PREFIX_MAX
    from backup_action.core.rights import policy

    told = policy("backup", "b", "p/", layout="vault")
    assert "Delete" not in told
    assert "packs" not in told
    assert '"oss:GetObject"],"Resource":["acs:oss:*:*:b/p/.oss-backup/snapshots/*"' in told
    for length in range(0, PREFIX_MAX, 7):
        assert len(policy("backup", "b" * 63, "x" * length + "/", layout="vault", tags=True)) <= 2048


@pytest.mark.parametrize("folder", ["packs", "index"])
def test_a_lost_answer_is_settled_by_the_listing(box: Box, folder: str) -> None:
    (box.tree / "a").write_bytes(random.Random(4).randbytes(100_000))
    box.post("faults", of("lose-reply", "put", key=f"p/.oss-backup/{folder}/*"))
    done = vault(box)
    assert done.code == 0, done.text
    assert restore(box, *VAULT).code == 0


def test_a_pack_that_is_gone_is_missed_and_sent_again(box: Box) -> None:
    (box.tree / "a").write_bytes(random.Random(5).randbytes(100_000))
    assert vault(box).code == 0
    (pack,) = keys(box, "packs/")
    box.client().delete_object(pack)
    broken = restore(box, *VAULT)
    assert broken.code == 6
    assert "content.missing" in broken.told.problem_counts
    healed = vault(box)
    assert healed.code == 0
    assert healed.told.problem_counts == {"drift.missing": 1}
    assert keys(box, "packs/")
    assert restore(box, *VAULT).code == 0


SIZES = [100_000, 5 << 20, 12 << 20]  # one chunk, several of a file in memory, and of one that comes in stretches


@pytest.mark.parametrize("size", SIZES)
def test_an_altered_pack_is_told_by_its_paths_and_nothing_of_it_is_written(box: Box, size: int) -> None:
    (box.tree / "a").write_bytes(content := random.Random(6).randbytes(size))
    (box.tree / "b").write_bytes(random.Random(7).randbytes(3 << 20))
    assert vault(box).code == 0
    stored = {key: bytearray(box.client().get_object(key).read()) for key in keys(box, "packs/")}
    [(pack, data)] = [(key, data) for key, data in stored.items() if content[:64] in data]
    data[data.index(content[60_000:60_064])] ^= 1
    box.client().put_object(pack, bytes(data))
    before = box.counts()["oss.get"]
    broken = restore(box, *VAULT)
    assert (broken.code, broken.told.problem_counts) == (6, {"content.altered": 1}), broken.text
    assert box.counts()["oss.get"] - before <= 16, "the second time it ends at the chunk that is altered"
    assert [problem.where for problem in broken.told.problems] == ["t/a"]
    assert not (box.folder / "back/t/a").exists()
    assert (box.folder / "back/t/b").read_bytes() == (box.tree / "b").read_bytes(), (
        "though it may lie in the same frame"
    )


def test_a_pack_that_was_cut_is_told_by_its_paths(box: Box) -> None:
    (box.tree / "a").write_bytes(random.Random(6).randbytes(100_000))
    assert vault(box).code == 0
    (pack,) = keys(box, "packs/")
    box.client().put_object(pack, box.client().get_object(pack).read()[:50_000])
    broken = restore(box, *VAULT)
    assert broken.code == 6 and [problem.where for problem in broken.told.problems] == ["t/a"]
    assert not (box.folder / "back/t/a").exists()


def test_an_index_that_is_damaged_stops_the_run(box: Box) -> None:
    (box.tree / "a").write_bytes(b"x" * 100_000)
    assert vault(box).code == 0
    (index,) = keys(box, "index/")
    box.client().put_object(index, b"no index")
    assert vault(box).code == 6
    assert restore(box, *VAULT).code == 6
    box.client().delete_object(index)
    again = vault(box)
    assert (again.code, again.told.problem_counts) == (0, {"drift.missing": 1})
    assert restore(box, *VAULT).code == 0


def test_many_indexes_become_one_and_then_that_is_read_alone(box: Box) -> None:
    (box.tree / "a").write_text("first night")
    assert vault(box).code == 0
    (first,) = keys(box, "index/")
    data, client = box.client().get_object(first).read(), box.client()
    for number in range(25):
        client.put_object(f"p/.oss-backup/index/20250101T0000{number:02}Z-00000000-0", data)
    (box.tree / "b").write_text("second night")
    assert vault(box).code == 0
    (merged,) = [key for key in keys(box, "index/") if key.endswith("-merged")]
    head = index.head(client.get_object(merged).read())
    assert len(head.supersedes) == 26
    for key in keys(box, "index/"):  # a prune removes what is superseded; here a quarter is left
        if key != merged and random.Random(key).random() < 0.75:
            client.delete_object(key)
    before = asked(box)
    assert vault(box).told.counts.files_uploaded == 0
    assert asked(box) - before <= 17, "of 27 indexes one is read"
    assert restore(box, *VAULT).code == 0
    assert facts(box.folder / "back/t") == facts(box.tree)


def test_a_run_that_was_cut_short_leaves_its_packs_to_the_next(box: Box) -> None:
    for number in range(6):
        (box.tree / f"{number}").write_bytes(random.Random(number).randbytes(17 << 20))
    process = box.start(
        "backup", *VAULT, "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en",
        "--bandwidth-limit", "20MB",
    )  # fmt: skip
    while len(keys(box, "packs/")) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert box.end(process).code == 143
    assert len(keys(box, "index/")) == 1
    stored = size(box)
    rest = vault(box)
    assert rest.code == 0, rest.text
    assert rest.told.stored_bytes < (6 * 17 << 20) - stored + (6 << 20)
    assert restore(box, *VAULT).code == 0
    assert facts(box.folder / "back/t") == facts(box.tree)


def test_both_layouts_share_a_prefix_without_meeting(box: Box) -> None:
    fill(box.tree)
    assert box.backup().code == 0
    assert vault(box).code == 0
    assert box.backup().told.counts.files_uploaded == 0
    assert vault(box).told.counts.files_uploaded == 0
    assert restore(box, *VAULT).code == 0
    assert facts(box.folder / "back/t") == facts(box.tree)


def test_a_file_that_cannot_be_read_keeps_its_last_content(ordinary: Box) -> None:
    box = ordinary
    (box.tree / "a").write_text("first")
    (box.tree / "b").write_text("other")
    assert vault(box).code == 0
    (box.tree / "a").write_text("second")
    (box.tree / "a").chmod(0)
    (box.tree / "c").write_text("third")
    ended = vault(box)
    assert (ended.code, ended.told.problem_counts) == (3, {"file.unreadable": 1}), ended.text
    (kept,) = [line for line in box.snapshots()[-1] if line.get("path") == "t/a"]
    assert kept["stale"] is True
    assert restore(box, *VAULT).code == 0
    assert {path.name: path.read_text() for path in (box.folder / "back/t").iterdir()} == {
        "a": "first", "b": "other", "c": "third",
    }  # fmt: skip


def test_what_is_gone_from_the_disk_is_in_no_later_snapshot(box: Box) -> None:
    (box.tree / "a").write_text("first")
    (box.tree / "b").write_text("other")
    assert vault(box).code == 0
    (box.tree / "a").unlink()
    (box.tree / "c").write_text("third")
    assert vault(box, "--max-shrink", "100").code == 0
    assert restore(box, *VAULT).code == 0
    assert sorted(os.listdir(box.folder / "back/t")) == ["b", "c"]
    assert all("gone" not in line for told in box.snapshots() for line in told)


def test_a_dry_run_writes_nothing(box: Box) -> None:
    fill(box.tree)
    done = vault(box, "--dry-run", "--passphrase", "x")
    assert done.code == 0
    assert done.told.counts.files_uploaded == 301
    assert keys(box) == []


SECRET = {"OSS_BACKUP_PASSPHRASE": "correct horse battery"}


def test_an_encrypted_vault_tells_nothing_and_opens_with_its_passphrase_alone(box: Box) -> None:
    fill(box.tree)
    (box.tree / "the-name-of-a-file").write_text("the content of a file")
    first = vault(box, **SECRET)
    assert first.code == 0, first.text
    assert vault(box, **SECRET).told.stored_bytes == 0
    client = box.client()
    bodies = b"".join(
        client.get_object(key).read() for key in keys(box) if not key.endswith(".lease") and "/ledger/" not in key
    )
    for word in (b"the-name", b"the content", b"backup-story", b"d1/1.csv"):
        assert word not in bodies
    assert restore(box, *VAULT, **SECRET).code == 0
    assert facts(box.folder / "back/t") == facts(box.tree)
    for environ in ({}, {"OSS_BACKUP_PASSPHRASE": "incorrect horse"}):
        for done in (vault(box, **environ), restore(box, *VAULT, **environ)):
            assert done.code == 2, done.text
            assert set(done.told.problem_counts) <= {"passphrase.missing", "passphrase.wrong"}
            assert "horse" not in done.text
    assert not any(b"horse" in body for body in (first.text.encode(), bodies))


def test_encryption_does_not_begin_half_way(box: Box) -> None:
    (box.tree / "a").write_text("x")
    assert vault(box).code == 0
    late = vault(box, **SECRET)
    assert (late.code, late.told.problem_counts) == (2, {"passphrase.late": 1})
    assert not keys(box, "keys/")


def test_a_passphrase_needs_the_vault_layout(box: Box) -> None:
    done = box.backup(**SECRET)
    assert (done.code, done.told.problem_counts) == (2, {"setting.contradiction": 1})


def test_two_keys_of_one_passphrase_are_both_opened(box: Box) -> None:
    """Two first runs at one moment may make one each."""
    from backup_action.core import cipher

    (box.tree / "a").write_text("first")
    assert vault(box, **SECRET).code == 0
    locked, _ = cipher.new(SECRET["OSS_BACKUP_PASSPHRASE"])
    time.sleep(1.1)  # OSS's clock counts seconds
    box.client().put_object(f"p/.oss-backup/keys/{locked.id}.json", cipher.encode(locked))
    (box.tree / "b").write_text("second")
    done = vault(box, **SECRET)
    assert (done.code, done.told.counts.files_uploaded) == (0, 1)
    (key,) = {cipher.key_of(box.client().get_object(key).read()) for key in keys(box, "index/")}
    assert key != locked.id, "the oldest seals"


def test_the_script_beside_the_data_restores_without_the_program(box: Box, tmp_path: Path) -> None:
    fill(box.tree)
    for name in NAMES:
        path = os.path.join(os.fsencode(box.tree), b"names", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name)
    (box.tree / "link").symlink_to("d1/1.csv")
    (box.tree / "d1").chmod(stat.S_IRWXU)
    assert vault(box).code == 0
    (box.tree / "d1/1.csv").write_text("second night")  # ids begin with their second, which may be the same
    assert vault(box).code == 0
    client, copy = box.client(), tmp_path / "copy"
    for key in keys(box):
        file = copy / key.removeprefix("p/.oss-backup/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(client.get_object(key).read())
    script = copy / "restore.py"
    assert len(script.read_text().splitlines()) <= 70
    told = [sys.executable, "-I", "-S", str(script), str(copy), "latest", str(tmp_path / "back")]
    done = subprocess.run(told, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert facts(tmp_path / "back/t") == facts(box.tree)
    for words, expected in (((), "SNAPSHOT is an id"), ((str(copy), "20260101T000000Z-00000000", "x"), "no snapshot")):
        done = subprocess.run([*told[:4], *words], capture_output=True, text=True)
        assert done.returncode == 1 and expected in done.stderr and "Traceback" not in done.stderr
    pack = max((copy / "packs").rglob("?" * 64), key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)
    assert subprocess.run([*told[:-1], str(tmp_path / "bad")], capture_output=True).returncode != 0


def test_the_other_verbs_open_an_encrypted_vault_too(box: Box) -> None:
    (box.tree / "the-name").write_text("first")
    assert vault(box, **SECRET).code == 0
    (box.tree / "another-name").write_text("second")
    assert vault(box, **SECRET).code == 0
    where = ("--prefix", "p", "--source", "story", "--language", "en")
    told = box.run("snapshots", *where, "--find", "the-name", **SECRET)
    assert (told.code, "the-name" in told.text) == (0, True), told.text
    assert box.run("snapshots", *where).told.problem_counts == {"passphrase.missing": 1}


def test_a_file_that_is_also_a_chunk_of_another_is_proven_by_itself(box: Box) -> None:
    content = random.Random(9).randbytes(8 << 20)
    first = bytes(next(iter(cut(content))))
    (box.tree / "a").write_bytes(first)
    (box.tree / "b").write_bytes(content)
    assert vault(box).told.stored_bytes < len(content) * 1.01
    stored = {key: bytearray(box.client().get_object(key).read()) for key in keys(box, "packs/")}
    [(pack, data)] = [(key, data) for key, data in stored.items() if first[:64] in data]
    data[data.index(first[:64])] ^= 1
    box.client().put_object(pack, bytes(data))
    broken = restore(box, *VAULT)
    assert broken.code == 6 and {problem.where for problem in broken.told.problems} == {"t/a", "t/b"}, broken.text
    assert not (box.folder / "back/t/a").exists() and not (box.folder / "back/t/b").exists()
