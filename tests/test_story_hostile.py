"""Stories of a vault whose bucket lies: each ends soon, in bounded memory, with a sentence and the right code; no
content but the true one is ever restored.
"""

import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zstandard
from box import PROGRAM, Box, Ended
from test_story_faults import slowly
from test_story_restore import restore
from test_story_vault import SECRET, VAULT, keys, vault

from backup_action.core import cipher, index, pack
from backup_action.core.cipher import PLAIN
from backup_action.core.index import Packed
from backup_action.core.pack import Chunk, Frame, Open

CONTENT = b"the content of a\n" * 1000
NAME = hashlib.sha256(CONTENT).hexdigest()
OTHER = "0" * 64
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


class Measured(Box):
    """A box that says how much memory the program took."""

    def start(self, *arguments: str, without: tuple[str, ...] = (), **environ: str) -> subprocess.Popen[str]:
        environment = {k: v for k, v in (self.environment | environ).items() if k not in without}
        return subprocess.Popen(
            [sys.executable, "-I", "-c", MEASURE, *PROGRAM, *arguments], cwd=self.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def peak(ended: Ended) -> int:
    """MiB that the run took at most."""
    return int(re.findall(r"^peak (\d+)$", ended.text, re.M)[-1]) >> 10


@pytest.fixture
def told(box: Box) -> Iterator[Box]:
    """A measured box with one file, backed up."""
    (box.tree / "a").write_bytes(CONTENT)
    box.__class__ = Measured
    assert vault(box).code == 0
    yield box


def only(box: Box, folder: str) -> tuple[str, bytes]:
    (key,) = keys(box, folder)
    return key, box.client().get_object(key).read()


def lie(box: Box, packs: list[Packed], supersedes: list[str] | None = None) -> None:
    """Another index in the place of the one that there is."""
    box.client().put_object(only(box, "index/")[0], index.encode(packs, supersedes))


def planted(box: Box, content: bytes, chunks: list[Chunk]) -> Packed:
    """A pack of one frame with this content, and what an index may say of it."""
    made = Open()
    made.add(content, chunks)
    name, body = made.finish(PLAIN)
    data = bytes(body)
    box.client().put_object(f"p/.oss-backup/packs/{name[:2]}/{name}", data)
    return Packed(name, len(data), made.frames)


def frame_of(size: int) -> bytes:
    """A frame that unpacks to so many zeros, and says so."""
    made = zstandard.ZstdCompressor(level=1).compressobj(size=size)
    piece = bytes(1 << 20)
    return b"".join([*(made.compress(piece) for _ in range(size >> 20)), made.flush()])


Lie = Callable[[Box, Packed], list[Packed]]


def says(*frames: Frame) -> Lie:
    return lambda box, true: [Packed(true.pack, true.size, list(frames))]


LIES: dict[str, Lie] = {
    "a chunk of another size": says(Frame(100, [Chunk(NAME, 9)])),
    "a chunk beside another": lambda box, true: [
        Packed(true.pack, true.size, [Frame(true.frames[0].stored, [Chunk(OTHER, 8500), Chunk(NAME, 8500)])])
    ],
    "a frame that unpacks to a gigabyte": lambda box, true: [
        planted(box, frame_of(1 << 30), [Chunk(NAME, len(CONTENT))])
    ],
    "a frame that is said to unpack to that": says(
        Frame(100, [*[Chunk(OTHER, pack.FRAME_MAX)] * 128, Chunk(NAME, len(CONTENT))])
    ),
    "frames behind the end": says(Frame(pack.FRAME_MAX, [Chunk(OTHER, 1)]), Frame(9, [Chunk(NAME, len(CONTENT))])),
    "tens of thousands of frames": says(
        *[Frame(1, [Chunk(OTHER, 1)])] * 20_000,
        *[Frame(1, [Chunk(NAME, len(CONTENT))])] * 20_000,
    ),
}


@pytest.mark.parametrize("name", slowly(LIES, ["a frame that unpacks to a gigabyte", "tens of thousands of frames"]))
def test_an_index_that_lies_costs_its_files_and_nothing_else(told: Box, name: str) -> None:
    lie(told, LIES[name](told, next(index.packs(only(told, "index/")[1]))))
    ended = restore(told, *VAULT)
    assert ended.code == 6, ended.text
    assert set(ended.told.problem_counts) <= {"content.altered", "content.missing"}, ended.text
    assert not (told.folder / "back/t/a").exists()
    assert peak(ended) < 350


HEAD = b'{"format":"oss-backup-index/1"}\n'
BROKEN: dict[str, Callable[[], bytes]] = {
    "a line of gigabytes": lambda: frame_of(3 << 30),
    "a chunk whose name is none": lambda: zstandard.compress(
        HEAD + b'{"pack":"%s","size":1,"frames":[[1,[["../../x",1]]]]}\n' % OTHER.encode()
    ),
    "bytes that are no text": lambda: zstandard.compress(HEAD + b'{"pack":"\xff\xfe","size":1,"frames":[]}\n'),
    "brackets without end": lambda: zstandard.compress(HEAD + b"[" * 1_000_000 + b"\n"),
    "a head that is a list": lambda: zstandard.compress(b"[]\n"),
    "sealed, and nothing in it": lambda: cipher.SEALED,
}


@pytest.mark.parametrize(
    "name", slowly(BROKEN, ["a line of gigabytes", "bytes that are no text", "sealed, and nothing in it"])
)
def test_an_index_that_is_none_stops_the_run_with_its_name(told: Box, name: str) -> None:
    key, _ = only(told, "index/")
    told.client().put_object(key, BROKEN[name]())
    ended = restore(told, *VAULT)
    assert (ended.code, ended.told.problem_counts) == (6, {"index.damaged": 1}), ended.text
    assert key.rpartition("/")[2] in ended.text
    assert peak(ended) < 350


def test_no_index_hides_itself_nor_do_two_hide_each_other(told: Box) -> None:
    key, data = only(told, "index/")
    first = key.rpartition("/")[2]
    packs, second = list(index.packs(data)), f"{first[:-1]}1"
    told.client().put_object(f"p/.oss-backup/index/{second}", index.encode([], [first, second]))
    time.sleep(1.1)  # the bucket's clock counts seconds
    told.client().put_object(key, index.encode(packs, [first, second, "no such"]))
    again = vault(told)
    assert (again.code, again.told.problem_counts, again.told.stored_bytes) == (0, {}, 0), again.text
    assert restore(told, *VAULT).code == 0
    assert (told.folder / "back/t/a").read_bytes() == CONTENT


def rewritten(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """A whole snapshot whose digest is right, but the entry of the file is changed."""
    head, *lines, _ = zstandard.ZstdDecompressor().decompressobj().decompress(data).splitlines(keepends=True)
    told = [json.loads(line) for line in lines]
    for entry in told:
        if entry["kind"] == "file":
            change(entry)
    lines = [json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in told]
    files = [entry for entry in told if entry["kind"] == "file"]
    foot = {
        "entries": len(told), "files": len(files), "bytes": sum(entry["size"] for entry in files), "problems": {},
        "complete": True, "digest": hashlib.sha256(b"".join([head, *lines])).hexdigest(), "seconds": 0.1,
        "files_sent": 0, "bytes_sent": 0,
    }  # fmt: skip
    end = json.dumps({"foot": foot}, separators=(",", ":")).encode() + b"\n"
    return zstandard.ZstdCompressor(write_checksum=True).compress(b"".join([head, *lines, end]))


SNAPSHOTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another size": (lambda entry: entry.update(size=len(CONTENT) - 1), "content.missing"),
    "another digest": (lambda entry: entry.update(sha256=OTHER), "content.altered"),
    "a chunk too many": (lambda entry: entry.update(chunks=entry["chunks"] * 2), "content.missing"),
    "no chunk": (lambda entry: entry.update(chunks=[]), "content.missing"),
    "names that are none": (lambda entry: entry.update(chunks=["../../etc/passwd"]), "snapshot.damaged"),
    "a chunk a million times": (
        lambda entry: entry.update(chunks=entry["chunks"] * 900_000, size=len(CONTENT) * 900_000), "disk",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", slowly(SNAPSHOTS, ["another size", "names that are none"]))
def test_a_snapshot_that_lies_restores_nothing_else(told: Box, name: str) -> None:
    change, kind = SNAPSHOTS[name]
    (key,) = [key for key in keys(told, "snapshots/") if key.endswith(".zst")]
    data = told.client().get_object(key).read()
    told.client().put_object(key, rewritten(data, change))
    if kind == "disk":  # fifteen gigabytes: what matters is that it can be begun
        assert restore(told, *VAULT, "--dry-run").code == 0
        return
    for ended in (restore(told, *VAULT), vault(told)):
        if ended.told.command == "restore" or kind == "snapshot.damaged":
            assert (ended.code, ended.told.problem_counts) == (6, {kind: 1}), ended.text
    assert not (told.folder / "back/t/a").exists()


def test_what_is_not_sealed_is_none_of_an_encrypted_vault(box: Box) -> None:
    """Who may write to the bucket, and has no passphrase, plants a snapshot, an index and a pack of his own."""
    (box.tree / "a").write_bytes(b"evil")
    assert vault(box).code == 0
    client = box.client()
    evil = {key: client.get_object(key).read() for key in keys(box) if "/ledger/" not in key}
    box.post("reset", {})
    (box.tree / "a").write_bytes(CONTENT)
    assert vault(box, **SECRET).code == 0
    for folder, kind in (("index/", "index.damaged"), ("snapshots/", "snapshot.damaged")):
        planted = [key for key in evil if f"/{folder}" in key and not key.endswith(".lease")]
        for key in planted:
            client.put_object(key, evil[key])
        for ended in (restore(box, *VAULT, **SECRET), vault(box, **SECRET)):
            assert (ended.code, ended.told.problem_counts) == (6, {kind: 1}), ended.text
            assert "sealed" in ended.text
        for key in planted:
            client.delete_object(key)
    assert restore(box, *VAULT, **SECRET).code == 0
    assert (box.folder / "back/t/a").read_bytes() == CONTENT


def test_the_keys_of_others_cost_a_bounded_time_and_no_more(told: Box) -> None:
    told.post("reset", {})
    locked, _ = cipher.new(SECRET["OSS_BACKUP_PASSPHRASE"])
    client = told.client()
    assert vault(told, **SECRET).code == 0
    key, _ = only(told, "keys/")
    costly = cipher.encode(locked).replace(b'"n": 131072', b'"n": 1048576')
    client.put_object(f"p/.oss-backup/keys/{locked.id}.json", costly)
    ended = restore(told, *VAULT, **SECRET)
    assert (ended.code, ended.told.problem_counts) == (6, {"passphrase.key": 1}), ended.text
    assert locked.id in ended.text and peak(ended) < 250
    client.delete_object(f"p/.oss-backup/keys/{locked.id}.json")
    cheap = cipher.encode(locked).replace(b'"n": 131072', b'"n": 16384')
    time.sleep(1 - time.time() % 1)  # OSS's clock counts seconds: so our key is the older one
    for number in range(40):
        client.put_object(f"p/.oss-backup/keys/{number:016x}.json", cheap)
    ended = restore(told, *VAULT, **SECRET)
    assert ended.code == 0, ended.text
    assert client.get_object(key).read()
