"""Stories of the layout vault: chunks, packs, an index, snapshots; stored once, restored whole."""

import random
from pathlib import Path

from box import Box
from test_story_restore import facts, restore

VAULT = ("--layout", "vault")


def keys(box: Box, folder: str = "") -> list[str]:
    """Every key below the catalogue's folder, or one folder in it."""
    import oss2

    return [item.key for item in oss2.ObjectIteratorV2(box.client(), prefix=f"p/.oss-backup/{folder}")]


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
    first = box.backup(*VAULT)
    assert first.code == 0, first.text
    assert len(keys(box, "packs/")) == 2
    second = box.backup(*VAULT)
    assert second.code == 0, second.text
    assert second.told.counts.files_uploaded == 0
    assert len(keys(box, "packs/")) == 2
    back = restore(box, *VAULT)
    assert back.code == 0, back.text
    assert facts(box.folder / "back/t") == facts(box.tree)
