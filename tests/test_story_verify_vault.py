"""Stories of a verification of the layout vault: every damage is found by the mode that promises it, with its paths."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from box import RECORD, Box, Ended
from test_story_vault import SECRET, VAULT, keys, vault
from test_story_verify import asked, forge, found, proofs, verify

from backup_action.core import index
from backup_action.core.pack import Frame
from backup_action.core.verification import PackCounts, Verification


def prove(box: Box, *arguments: str, **environ: str) -> Ended:
    return verify(box, *VAULT, *arguments, **environ)


def lay(box: Box, *names: str, size: int = 2000, **environ: str) -> dict[str, str]:
    """One backup for each name, so that each file has a pack and an index of its own; the key of each pack."""
    found: dict[str, str] = {}
    before = set(keys(box, "packs/"))
    for name in names:
        (box.tree / name).write_bytes(random.Random(name).randbytes(size))
        ended = vault(box, "--max-change", "100", **environ)
        assert ended.code == 0, ended.text
        (found[name],) = set(keys(box, "packs/")) - before
        before.add(found[name])
    return found


def below(key: str) -> str:
    return key.removeprefix("p/")


def packs(box: Box) -> list[str]:
    return asked(box, "get", "p/.oss-backup/packs/*")


@pytest.mark.parametrize("environ", [pytest.param({}, marks=pytest.mark.slow), SECRET], ids=["plain", "encrypted"])
def test_what_is_whole_is_proven_by_index_and_listing_and_read_once(box: Box, environ: dict[str, str]) -> None:
    (box.tree / "empty").touch()
    (box.tree / "link").symlink_to("empty")
    big, more = random.Random(1).randbytes(5 << 20), random.Random(2).randbytes(2 << 20)
    (box.tree / "big").write_bytes(big)
    (box.tree / "grown").write_bytes(big)
    lay(box, "a", **environ)
    (box.tree / "grown").write_bytes(big + more)
    (box.tree / "turned").write_bytes(more + big)
    lay(box, "b", **environ)
    box.sandbox.world.log.clear()
    ended = prove(box, **environ)
    assert ended.code == 0 and ended.told.verified, ended.text
    assert proofs(ended) == Verification(snapshots=1, walked=2, packed=6, packs=PackCounts(needed=2))
    assert not packs(box) and not asked(box, "head", "*") and len(asked(box, "put", "*")) == RECORD
    assert "6 files by index and listing" in ended.text and "2 packs needed, none of them read" in ended.text
    ended = prove(box, "--read", "--all-snapshots", **environ)
    assert ended.code == 0 and ended.told.verified, ended.text
    assert sorted(packs(box)) == sorted(keys(box, "packs/")), "each once, though files and snapshots share them"
    told = proofs(ended)
    assert (told.snapshots, told.read, told.packed, told.share) == (2, 5, 1, "1/1")
    assert told.chunks == 1, "`turned` begins in the second pack and goes on in the first, which has gone by"
    assert (told.packs.needed, told.packs.read, told.packs.damaged) == (2, 2, 0)
    assert told.packs.bytes >= 7 << 20 and told.read_bytes == 4000 + 2 * len(big) + len(big + more)
    assert "1 file by its chunks" in ended.text and len(asked(box, "put", "*")) == 2 * RECORD
    if environ:
        ended = prove(box, OSS_BACKUP_PASSPHRASE="another")
        assert (ended.code, ended.told.problem_counts) == (2, {"passphrase.wrong": 1}), ended.text
        ended = prove(box)
        assert (ended.code, ended.told.problem_counts) == (2, {"passphrase.missing": 1}), ended.text


def test_damaged_packs_are_told_with_the_paths_that_need_them_and_no_others(box: Box) -> None:
    where = lay(box, "flipped")
    (box.tree / "flipped-too").write_bytes((box.tree / "flipped").read_bytes())  # the same chunk
    where |= lay(box, "gone", "cut", "swapped-1", "swapped-2", "end", "whole")
    read = [prove(box, "--read-subset", f"{number}/2") for number in (1, 2)]
    assert [one.code for one in read] == [0, 0] and sorted(packs(box)) == sorted(where.values()), "shares cover all"
    assert 0 < proofs(read[0]).packs.read < 7 and "share 1/2 of the packs" in read[0].text
    assert proofs(read[0]).packed + proofs(read[0]).read == 8 == proofs(read[0]).read + proofs(read[1]).read
    client = box.client()
    there = {name: bytearray(client.get_object(key).read()) for name, key in where.items()}
    client.delete_object(where["gone"])
    client.put_object(where["cut"], bytes(there["cut"][:-1]))
    there["flipped"][1000] ^= 1
    there["end"][-1] ^= 1  # of the padding of nothing that a file needs
    client.put_object(where["flipped"], bytes(there["flipped"]))
    client.put_object(where["end"], bytes(there["end"]))
    one, two = there["swapped-1"], there["swapped-2"]
    size = max(len(one), len(two))
    client.put_object(where["swapped-1"], bytes(two.ljust(size)[: len(one)]))
    client.put_object(where["swapped-2"], bytes(one.ljust(size)[: len(two)]))
    listed = {"t/gone": "content.missing", "t/cut": "content.altered"}
    told = {below(where["gone"]): "pack.missing", below(where["cut"]): "pack.damaged"}
    ended = prove(box)
    assert ended.code == 6 and found(ended) == listed | told and not ended.told.verified, ended.text
    assert (proofs(ended).damaged, proofs(ended).packed, proofs(ended).packs.damaged) == (2, 6, 2)
    assert where["gone"].rpartition("/")[2] in ended.text and "only then does the next backup send again" in ended.text
    before = len(packs(box))
    ended = prove(box, "--read")
    altered = ("flipped", "swapped-1", "swapped-2")
    listed |= dict.fromkeys([*(f"t/{name}" for name in altered), "t/flipped-too"], "content.altered")
    told |= {below(where[name]): "pack.damaged" for name in (*altered, "end")}
    assert ended.code == 6 and found(ended) == listed | told, ended.text
    assert (proofs(ended).damaged, proofs(ended).read, proofs(ended).packs.damaged) == (6, 2, 6)
    again = sorted(packs(box)[before:])
    twice = [where[name] for name in (*altered, "end")]
    assert again == sorted([*twice, *twice, where["whole"]]), "what is damaged is asked for again, the rest once"
    for name in ("cut", *altered, "end"):
        client.delete_object(where[name])
    assert vault(box, "--max-change", "100").code == 0
    assert prove(box, "--read").code == 0, "what the advice says heals it: the source had everything"
    facts = {problem.where: problem.facts.get("pack") for problem in ended.told.problems}
    assert facts["t/flipped-too"] == facts["t/flipped"] == below(where["flipped"])


def test_what_was_altered_on_the_way_once_is_no_damage_and_what_must_be_thawed_is_told(box: Box) -> None:
    (box.tree / "cold").write_bytes(b"cold")
    assert vault(box, "--storage-class", "ColdArchive").code == 0
    warm = lay(box, "warm")["warm"]
    alter = {"kind": "alter", "request": "get", "key": warm, "after": 5, "count": 1}
    box.post("faults", [alter])
    ended = prove(box, "--read")
    assert (ended.code, found(ended)) == (3, {"t/cold": "content.frozen"}), ended.text
    assert (proofs(ended).frozen, proofs(ended).read, proofs(ended).packs.read) == (1, 1, 1)
    assert packs(box).count(warm) == 2


def rewrite(box: Box, key: str, change: Callable[[index.Packed], index.Packed]) -> None:
    """Puts another index in place of one, as a forger would."""
    told = index.packs(box.client().get_object(key).read())
    box.client().put_object(key, index.encode(map(change, told)))


def exchanged(packed: index.Packed) -> index.Packed:
    """Two chunks told in each other's frame."""
    one, two = packed.frames
    return msgspec.structs.replace(packed, frames=[Frame(one.stored, two.chunks), Frame(two.stored, one.chunks)])


def test_an_index_that_is_gone_or_damaged_or_forged_hides_no_other_damage(box: Box) -> None:
    for name in ("x", "y"):
        (box.tree / name).write_bytes(random.Random(name).randbytes(1 << 20))
    assert vault(box).code == 0
    (forged,) = keys(box, "index/")
    lay(box, "z")
    (second,) = set(keys(box, "index/")) - {forged}
    client = box.client()
    whole, other = client.get_object(forged).read(), client.get_object(second).read()
    name = forged.rpartition("/")[2]
    rewrite(box, forged, exchanged)
    assert prove(box).code == 0, "a listing takes an index at its word"
    ended = prove(box, "--read")
    assert found(ended) == {name: "index.damaged", "t/x": "content.altered", "t/y": "content.altered"}, ended.text
    assert "otherwise than that itself" in ended.text and proofs(ended).packs.damaged == 0
    rewrite(box, forged, lambda packed: msgspec.structs.replace(packed, frames=packed.frames[:1]))
    ended = prove(box)
    assert ended.code == 6 and list(found(ended).values()).count("content.missing") == 1, ended.text
    assert "pack.damaged" in found(ended).values() and "cannot be all that it holds" in ended.text
    client.put_object(forged, whole[:-9])
    client.delete_object(second)
    ended = prove(box)
    missing = dict.fromkeys(("t/x", "t/y", "t/z"), "content.missing")
    assert ended.code == 6 and found(ended) | missing == found(ended) and found(ended)[name] == "index.damaged"
    assert "No index tells where the content of" in ended.text
    client.put_object(second, other)
    client.put_object(forged, whole)
    extra = f"{forged.rpartition('/')[0]}/29990101T000000Z-00000000-0"
    client.put_object(extra, whole)
    rewrite(box, extra, exchanged)
    ended = prove(box)
    assert found(ended) == {extra.rpartition("/")[2]: "index.damaged"}, "two indexes that contradict each other"


def test_a_snapshot_that_names_what_is_not_there_or_does_not_fit_is_told(box: Box) -> None:
    (box.tree / "a").write_bytes(b"a" * 50)
    (box.tree / "b").write_bytes(b"b" * 50)
    (box.tree / "none").touch()
    (box.tree / "long").write_bytes(random.Random(1).randbytes(6 << 20))
    assert vault(box).code == 0

    def unknown(head: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            if entry["path"] == "t/a":
                entry["chunks"] = ["ab" * 32]

    def larger(head: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            entry.update({"size": {"t/a": 51, "t/b": 49}.get(entry["path"], entry.get("size", 0))})  # the foot's sum

    def exchange(head: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        one, two = (entry for entry in entries if entry["path"] in ("t/a", "t/b"))
        one["chunks"], two["chunks"] = two["chunks"], one["chunks"]

    def emptied(head: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        next(entry for entry in entries if entry["path"] == "t/none")["sha256"] = "zz"

    def turned(head: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        next(entry for entry in entries if entry["path"] == "t/long")["chunks"].reverse()

    (key,) = keys(box, "snapshots/2")[:1]
    before = box.client().get_object(key).read()
    for change, paths, kind in (
        (unknown, ["t/a"], "content.missing"),
        (larger, ["t/a", "t/b"], "content.altered"),
        (exchange, ["t/a", "t/b"], "content.altered"),
        (emptied, ["t/none"], "content.altered"),
    ):
        forge(box, 0, change)
        ended = prove(box)
        assert ended.code == 6 and found(ended) == dict.fromkeys(paths, kind), ended.text
        box.client().put_object(key, before)
    forge(box, 0, turned)  # which order is right shows only in the bytes
    ended = prove(box, "--read")
    assert ended.code == 6 and found(ended) == {"t/long": "content.altered"}, ended.text
    assert "do not make up its size or its SHA-256" in ended.text
