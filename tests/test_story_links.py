"""A story of links that are followed: what they lead to is in the bucket, and what they may not lead to is told."""

import os

import pytest
from box import Box, wanted

LARGE = os.urandom((9 << 20) + 3)


@pytest.fixture
def linked(box: Box) -> Box:
    """A box whose tree has links of every sort, and a secret beside it."""
    (box.tree / "real").mkdir()
    (box.tree / "real/x").write_bytes(b"x")
    (box.tree / "real/large.bin").write_bytes(LARGE)
    (box.folder / "secret").write_bytes(b"secret")
    for name, target in (("folder", "real"), ("file", "real/x"), ("large", str(box.tree / "real/large.bin")),
                         ("out", "../secret"), ("real/circle", ".."), ("dangling", "nowhere")):  # fmt: skip
        (box.tree / name).symlink_to(target)
    return box


def test_links_are_followed_below_their_root_and_no_further(linked: Box) -> None:
    ended = linked.backup("--follow-symlinks")
    assert (ended.code, ended.told.status) == (0, "ok"), ended.text
    followed = {"t/folder/x": "t/real/x", "t/file": "t/real/x", "t/large": "t/real/large.bin",
                "t/folder/large.bin": "t/real/large.bin"}  # fmt: skip
    disk = wanted(linked)
    assert linked.objects() == disk | {link: disk[target] for link, target in followed.items()}
    [snapshot] = linked.snapshots()
    kinds = {entry["path"]: entry["kind"] for entry in snapshot[1:-1]}
    assert kinds["t/folder"] == "folder" and {kinds[path] for path in followed} == {"file"}
    assert {kinds[path] for path in ("t/out", "t/real/circle", "t/folder/circle", "t/dangling")} == {"link"}
    assert ended.told.problem_counts == {"link.outside": 1, "link.loop": 2}
    assert "The link tree/out leads out" in ended.text and "The link tree/real/circle leads back" in ended.text

    again = linked.backup("--follow-symlinks", "--language", "zh")
    assert again.code == 0 and again.told.counts.files_unchanged == 6 and again.told.counts.files_uploaded == 0
    assert "符号链接 tree/out 指向它所在的备份路径之外" in again.text and "符号链接 tree/real/circle 指回" in again.text

    plain = linked.backup("--max-shrink", "100")
    assert plain.code == 0 and plain.told.problem_counts == {}
    kinds = {entry["path"]: entry["kind"] for entry in linked.snapshots()[-1][1:-1] if not entry.get("gone")}
    assert kinds["t/folder"] == kinds["t/file"] == "link" and "t/folder/x" not in kinds
