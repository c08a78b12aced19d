"""A reader of the bucket that knows its rules and nothing of the program: what it reads, anybody can read.

    for snapshot in committed(client, "p/"):
        assert read_whole(client, "p/", snapshot) == snapshot.files

The content of a file's entry is, of these, the first that there is; size and SHA-256 must be the entry's:

| where | when |
|---|---|
| the object's version of the entry's id | the entry has one, and it is not `null` |
| the object under the entry's key | its ETag is the entry's |
| `.oss-backup/history/<2 hex>/<sha256>` | |

In the layout `vault` the content is that of the entry's chunks, in order. An index (`.oss-backup/index/`) that no other
supersedes says in which frame of which pack a chunk is; the pack is named by its SHA-256, the chunk by its own.

A `Bucket` is one state of the bucket: each content is fetched once. Made with the state before it, it fetches only what
the listing does not show unchanged: same key, version, ETag, size and time.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import oss2
import zstandard

CATALOGUE = ".oss-backup/"
ENDING = ".jsonl.zst"
NULL = "null"  # the version id of an object that has no version of its own
PIECE = 1 << 20  # bytes
Line = tuple[str, str, str, int, int]  # of a listing: key, version, ETag, size, time


class Broken(AssertionError):
    """The bucket does not keep its promise; the text names what is not so."""


@dataclass(frozen=True)
class Snapshot:
    """One snapshot, its digest checked."""

    id: str
    digest: str
    head: dict[str, Any]
    entries: list[dict[str, Any]]
    foot: dict[str, Any]

    @property
    def files(self) -> dict[str, str]:
        """What it says that is to be restored: each file's path, with its SHA-256."""
        return {path_of(entry): entry["sha256"] for entry in self.entries if is_kept(entry)}

    @property
    def gone(self) -> set[str]:
        """Paths of files that it does not restore, whose objects it knows of."""
        return {path_of(entry) for entry in self.entries if entry.get("gone")}


def is_kept(entry: dict[str, Any]) -> bool:
    """Whether a restore would write a file for it."""
    return entry["kind"] == "file" and not entry.get("gone")


def path_of(entry: dict[str, Any]) -> str:
    """The path, bytes that are no UTF-8 as surrogates."""
    if "raw" in entry:
        return base64.b64decode(entry["raw"]).decode("utf-8", "surrogateescape")
    return str(entry["path"])


class Bucket:
    """What is below a prefix at one moment. Nothing may be written meanwhile."""

    def __init__(self, client: oss2.Bucket, prefix: str, before: Bucket | None = None) -> None:
        """Lists it. `before` is an earlier state of the same."""
        self._client = client
        self._prefix = prefix
        self._seen: dict[Line, tuple[int, str]] = before._seen if before else {}
        self._snapshots: dict[Line, Snapshot] = before._snapshots if before else {}
        self._packs: dict[Line, dict[str, bytes]] = before._packs if before else {}
        self._where: dict[str, list[tuple[str, int]]] | None = None
        self._versions: dict[tuple[str, str], Line] | None = None
        listed = list(oss2.ObjectIteratorV2(client, prefix=prefix, max_keys=1000))
        self.objects: dict[str, Line] = {
            item.key[len(prefix) :]: (item.key, "", item.etag.strip('"'), item.size, item.last_modified)
            for item in listed
        }

    def committed(self, *, pruned: bool = False) -> list[Snapshot]:
        """Every snapshot, by source and sequence. Raises Broken for a digest or a chain that does not hold.

        `pruned`: the chain may have gaps.
        """
        start = f"{CATALOGUE}snapshots/"
        found = [self._snapshot(key) for key in self.objects if key.startswith(start) and key.endswith(ENDING)]
        found.sort(key=lambda told: (told.head["source"], told.head["layout"], told.head["sequence"]))
        for source in {(told.head["source"], told.head["layout"]) for told in found}:
            if not pruned:
                check_chain([told for told in found if (told.head["source"], told.head["layout"]) == source])
        return found

    def _snapshot(self, key: str) -> Snapshot:
        line = self.objects[key]
        if line not in self._snapshots:
            data = self._client.get_object(line[0]).read()
            told = read_snapshot(data)
            if told.id != key.rsplit("/", 1)[1].removesuffix(ENDING):
                raise Broken(f"{key} says that it is {told.id}")
            self._snapshots[line] = told
        return self._snapshots[line]

    def read_whole(self, snapshot: Snapshot) -> dict[str, str]:
        """Fetches and hashes the content of each file; its path, with the SHA-256 of what came.

        Raises Broken with every path that cannot be read, and why.
        """
        found, missing = {}, []
        for entry in snapshot.entries:
            if is_kept(entry):
                try:
                    found[path_of(entry)] = self._content(entry)
                except Broken as error:
                    missing.append(f"{path_of(entry)}: {error}")
        if missing:
            raise Broken(f"of snapshot {snapshot.id} cannot be read:\n  " + "\n  ".join(missing))
        return found

    def where(self, entry: dict[str, Any]) -> str:
        """Which place of the table has the content: `version`, `object` or `history`; else Broken."""
        return self._place(entry)[0]

    def _place(self, entry: dict[str, Any]) -> tuple[str, Line]:
        key, sha256, version = entry["key"], entry["sha256"], entry.get("version", "")
        if version and version != NULL:
            line = self._version(self._prefix + key, version)
            if line is None:
                raise Broken(f"no version {version} of {key}")
            return "version", line
        here = self.objects.get(key)
        if here is not None and here[2] == entry["etag"]:
            return "object", here
        kept = self.objects.get(f"{CATALOGUE}history/{sha256[:2]}/{sha256}")
        if kept is None:
            other = "no object" if here is None else f"an object with the ETag {here[2]}, not {entry['etag']}"
            raise Broken(f"{other} under {key}, and nothing in the history under {sha256}")
        return "history", kept

    def _content(self, entry: dict[str, Any]) -> str:
        if "key" in entry and not entry.get("etag"):
            return self._joined(entry)
        place, line = self._place(entry)
        size, sha256 = self._fetch(line)
        if (size, sha256) != (entry.get("size", 0), entry["sha256"]):
            raise Broken(f"its {place} {line[0]} has {size} bytes with SHA-256 {sha256}, not {entry['sha256']}")
        return sha256

    def _joined(self, entry: dict[str, Any]) -> str:
        """The SHA-256 of a file of a vault."""
        data = b"".join(map(self._chunk, entry.get("chunks", [])))
        sha256 = hashlib.sha256(data).hexdigest()
        if (len(data), sha256) != (entry.get("size", 0), entry["sha256"]):
            raise Broken(f"its chunks have {len(data)} bytes with SHA-256 {sha256}, not {entry['sha256']}")
        return sha256

    def _chunk(self, name: str) -> bytes:
        if self._where is None:
            self._where = self._indexed()
        for key, size in self._where.get(name, []):
            line = self.objects.get(key)
            if line is not None and line[3] == size:
                chunk = self._unpacked(line).get(name)
                if chunk is not None:
                    return chunk
        raise Broken(f"no pack has the chunk {name}, of {len(self._where)} that the indexes tell of")

    def _indexed(self) -> dict[str, list[tuple[str, int]]]:
        """The keys and sizes of the packs that are said to have each chunk."""
        start, told = f"{CATALOGUE}index/", {}
        for key in self.objects:
            if key.startswith(start):
                data = self._client.get_object(self._prefix + key).read()
                plain = zstandard.ZstdDecompressor().decompressobj().decompress(data)
                told[key.removeprefix(start)] = [json.loads(line) for line in plain.splitlines()]
        old = {id for lines in told.values() for id in lines[0].get("supersedes", [])}
        where: dict[str, list[tuple[str, int]]] = {}
        for lines in (lines for id, lines in told.items() if id not in old):
            for row in lines[1:]:
                place = (f"{CATALOGUE}packs/{row['pack'][:2]}/{row['pack']}", row["size"])
                for name in (name for _, chunks in row["frames"] for name, _ in chunks):
                    where.setdefault(name, []).append(place)
        return where

    def _unpacked(self, line: Line) -> dict[str, bytes]:
        """Every chunk of a pack, by what the pack says of itself; name and SHA-256 of pack and chunks are checked."""
        if line not in self._packs:
            data = self._client.get_object(line[0]).read()
            if hashlib.sha256(data).hexdigest() != line[0].rpartition("/")[2]:
                raise Broken(f"{line[0]} has another content than its name says")
            length, padding = (int.from_bytes(data[at : at + 4], "little") for at in (len(data) - 12, len(data) - 8))
            end = len(data) - 12 - padding
            directory = json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(data[end - length : end]))
            found, at = {}, 0
            for stored, chunks in directory["frames"]:
                plain = zstandard.ZstdDecompressor().decompressobj().decompress(data[at : at + stored])
                at, start = at + stored, 0
                for name, size in chunks:
                    found[name] = plain[start : start + size]
                    start += size
                    if hashlib.sha256(found[name]).hexdigest() != name:
                        raise Broken(f"{line[0]} says that it has the chunk {name}, and has another")
            self._packs[line] = found
        return self._packs[line]

    def _fetch(self, line: Line) -> tuple[int, str]:
        seen = self._seen.get(line)
        if seen is None:
            sha256, size = hashlib.sha256(), 0
            answer = self._client.get_object(line[0], params={"versionId": line[1]} if line[1] else {})
            while piece := answer.read(PIECE):
                sha256.update(piece)
                size += len(piece)
            seen = self._seen[line] = (size, sha256.hexdigest())
        return seen

    def _version(self, key: str, version: str) -> Line | None:
        if self._versions is None:
            listed = list(versions(self._client, self._prefix))
            self._versions = {(line[0], line[1]): line for line in listed}
        return self._versions.get((key, version))


def versions(client: oss2.Bucket, prefix: str) -> Iterator[Line]:
    """Every version below a prefix, delete markers left out."""
    key, version, more = "", "", True
    while more:
        page = client.list_object_versions(prefix, key_marker=key, versionid_marker=version, max_keys=1000)
        for item in page.versions:
            yield item.key, item.versionid, item.etag.strip('"'), item.size, item.last_modified
        key, version, more = page.next_key_marker, page.next_versionid_marker, page.is_truncated


def read_snapshot(frame: bytes) -> Snapshot:
    """Reads one snapshot as it is stored. Raises Broken where its digest is not that of its bytes."""
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(frame)
    if not plain.endswith(b"\n"):
        raise Broken("a snapshot does not end with a line")
    *lines, last = plain[:-1].split(b"\n")
    foot = json.loads(last)["foot"]
    digest = hashlib.sha256(plain[: len(plain) - len(last) - 1]).hexdigest()
    head, *entries = (json.loads(line) for line in lines)
    head = head["head"]
    if digest != foot["digest"]:
        raise Broken(f"snapshot {head['id']} has the digest {digest}, and says {foot['digest']}")
    return Snapshot(head["id"], digest, head, entries, foot)


def check_chain(snapshots: list[Snapshot]) -> None:
    """Raises Broken unless each snapshot of one source, oldest first, names the one before and its digest."""
    for before, told in itertools.pairwise(snapshots):
        parent = told.head.get("parent") or {}
        if told.head["sequence"] != before.head["sequence"] + 1:
            raise Broken(f"{told.id} is number {told.head['sequence']}, and follows {before.head['sequence']}")
        if (parent.get("id"), parent.get("digest")) != (before.id, before.digest):
            raise Broken(f"{told.id} says that it grew from {parent}, not from {before.id} {before.digest}")
    if snapshots and (snapshots[0].head["sequence"] == 1) == ("parent" in snapshots[0].head):
        raise Broken(f"{snapshots[0].id} is number {snapshots[0].head['sequence']}: {snapshots[0].head.get('parent')}")


def committed(client: oss2.Bucket, prefix: str) -> list[Snapshot]:
    """Every snapshot below the prefix, by source and sequence, digests and chains checked."""
    return Bucket(client, prefix).committed()


def read_whole(client: oss2.Bucket, prefix: str, snapshot: Snapshot) -> dict[str, str]:
    """Fetches and hashes each file's content; raises Broken with the paths that cannot be read."""
    return Bucket(client, prefix).read_whole(snapshot)
