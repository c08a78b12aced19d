"""What a run costs, by layout and phase: every request to a neighbour by kind, exactly, and bytes both ways, bounded.

Neither depends on the machine. So a change that asks once more for each file, or sends again what is there, fails here
and not in somebody's bill. What is timed is in benchmarks/.
"""

import os
import random
import time
from pathlib import Path

import pytest
from box import Box

FILES = 300  # small ones; beside them stands one that goes up in parts
LARGE = 20 << 20  # bytes; three parts
LISTED = {"tree": 340, "vault": 70}  # bytes for each file of what says what is there: a listing, or an index
STRETCHES = 16  # GETs of a vault's restore at most: stretches of packs, and which chunk is in which is up to threads
FACTS = 130  # bytes of a snapshot for each file, compressed: its two checksums do not shrink
OWN = 2_500  # bytes of what a run writes besides: lease, ledger, heads, an index
OTHERS = ("github.token", "github.openid-configuration", "github.jwks", "sts.AssumeRoleWithOIDC", "dingtalk.send")

# A backup lists to find its parent and what is there, reads the parent and its record, writes lease, snapshot and its
# own record, and asks whether the snapshot stands. A file is one object of the layout tree; a large one is proven.
TREE = {
    "fresh": {"list": 4, "put": FILES + 3, "head": 3, "initiate": 1, "part": 3, "complete": 1},
    "noop": {"list": 4, "get": 2, "put": 3, "head": 1},
    "touch": {"list": 4, "get": 2, "put": 3, "head": 1},
    "append": {"list": 4, "get": 2, "put": 3 + 2, "head": 2, "copy": 1},  # a new file, a changed one, its old content
    "restore": {
        "list": 1,
        "get": FILES + 5,
        "put": 1,
    },  # three for the large one, snapshot and ledger; the ledger's record
}
VAULT = {
    "fresh": {"list": 6, "put": 3 + 4, "head": 2},  # two packs, an index, the script that unpacks
    "noop": {"list": 6, "get": 3, "put": 3, "head": 1},
    "touch": {"list": 6, "get": 3, "put": 3, "head": 1},
    "append": {"list": 6, "get": 3, "put": 3 + 2, "head": 1},  # a pack and an index
    "restore": {"list": 3, "put": 1},
}


def fill(folder: Path) -> int:
    """Returns the bytes of all files."""
    chance = random.Random(1)
    for number in range(FILES):
        path = folder / f"d{number % 10}" / f"{number:03d}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%d,%f\n" % (number, chance.random()) * chance.randrange(1, 200))
    (folder / "large").write_bytes(chance.randbytes(LARGE))
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def cost(box: Box, phase: str, layout: str) -> tuple[dict[str, int], int, int]:
    """Runs it; returns the requests by kind, and the bytes of bodies up and down."""
    time.sleep(1 - time.time() % 1)  # of two snapshots of one second both are read, to know which is the later
    before = box.counts()
    if phase == "restore":
        place = ("--prefix", "p", "--source", "story", "--language", "en", "--target", "back")
        ended = box.run("restore", *place, "--layout", layout)
    else:
        ended = box.backup("--layout", layout)
    assert ended.code == 0, ended.text
    asked = {kind: count - before.get(kind, 0) for kind, count in box.counts().items()}
    up, down = asked.pop("bytes_in", 0), asked.pop("bytes_out", 0)
    return {kind: count for kind, count in asked.items() if count}, up, down


@pytest.mark.parametrize(("layout", "expected"), [("tree", TREE), ("vault", VAULT)])
def test_a_run_costs_these_requests_and_no_byte_twice(
    box: Box, layout: str, expected: dict[str, dict[str, int]]
) -> None:
    content = fill(box.tree)
    facts = (FILES + 1) * FACTS + OWN
    known = facts + FILES * LISTED[layout]
    most_up = dict.fromkeys(expected, facts) | {"fresh": content + facts, "restore": OWN}
    most_down = dict.fromkeys(expected, known) | {"fresh": OWN * 2, "restore": content + known}
    for phase, wanted in expected.items():
        if phase == "touch":
            for path in box.tree.rglob("*"):
                os.utime(path, (10**9, 10**9))
        if phase == "append":
            (box.tree / "new").write_text("new" * 100)
            with (box.tree / "d1/001.csv").open("a") as file:
                file.write("more" * 100)
        asked, up, down = cost(box, phase, layout)
        if (layout, phase) == ("vault", "restore"):
            assert asked.pop("oss.get") <= STRETCHES
        assert asked == dict.fromkeys(OTHERS, 1) | {f"oss.{kind}": count for kind, count in wanted.items()}, phase
        assert up <= most_up[phase], phase
        assert down <= most_down[phase], phase
        if phase == "fresh":
            assert up >= LARGE, "what is counted is what is sent"
