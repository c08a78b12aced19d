"""Stories of a backup that several machines share: shards side by side, and one snapshot of them, or none."""

import random
import shutil
from pathlib import Path

import oss2
import pytest
from box import Box, Ended, disk, wanted
from test_story_restore import restore

LAYOUTS = ["tree", "vault"]
GROUP = ("--shard-group", "night-1")


def fill(folder: Path, seed: int = 1, files: int = 60) -> None:
    chance = random.Random(seed)
    for number in range(files):
        path = folder / f"d{number % 5}" / f"{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d,%d\n" % (number, chance.random() * 1e9) * chance.randrange(1, 200))
    (folder / "空 目录").mkdir(exist_ok=True)
    (folder / "large").write_bytes(chance.randbytes(9 << 20))


def shards(box: Box, *arguments: str, of: int = 8, only: tuple[int, ...] = (), group: str = "night-1") -> list[Ended]:
    """All shards at once, each a process of its own host; or `only` those."""
    numbers = only or tuple(range(1, of + 1))
    given = ("--shard-group", group, *arguments)
    runs = [command(box, f"{number}/{of}", given) for number in numbers]
    ended = []
    for number, run in zip(numbers, runs, strict=True):
        ended.append(Ended(*_end(box, run, number)))
    return ended


def command(box: Box, shard: str, given: tuple[str, ...], **environ: str):
    state = box.folder / f"host-{shard.replace('/', '-')}"
    return box.start(
        "backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", "en", "--shard", shard,
        *given, XDG_STATE_HOME=str(state), **environ,
    )  # fmt: skip


def _end(box: Box, run, number):
    from backup_action.core import report

    text, _ = run.communicate(timeout=120)
    file = next(box.folder.glob(f"host-{number}-*/oss-backup/report.json"), None)
    told = report.decode(file.read_bytes()) if file else None
    if file:
        file.unlink()
    return run.returncode, text, told


def merge(box: Box, *arguments: str, group: str = "night-1", **environ: str) -> Ended:
    return box.run(
        "merge", "--prefix", "p", "--source", "story", "--language", "en", "--shard-group", group, *arguments, **environ
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_eight_shards_make_one_snapshot_which_restores_every_byte(box: Box, layout: str) -> None:
    given = ("--layout", layout)
    fill(box.tree)
    ended = shards(box, *given)
    assert [one.code for one in ended] == [0] * 8, [one.text for one in ended]
    assert box.snapshots() == []
    done = merge(box, *given)
    assert done.code == 0, done.text
    print(done.text, ended[0].text)
    assert restore(box, *given, "--prefix", "p", "--source", "story").code == 0
    assert disk(box.folder / "back/t") == disk(box.tree)
