"""Restores a snapshot of an unencrypted vault without the program that wrote it: Python's own library and `zstd`.

    python3 restore.py FOLDER SNAPSHOT TARGET

FOLDER has all objects below `.oss-backup/`, as any tool downloads them; SNAPSHOT is an id, or `latest`.
"""

import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys


def lines(file):
    data = subprocess.run(["zstd", "-dcq", "--long=27", str(file)], check=True, capture_output=True).stdout
    return [json.loads(line) for line in data.splitlines()]


def main(folder, snapshot, target):
    where = {}  # of each chunk: its pack, where it begins in what `zstd -dc` gives of that, and its size
    for index in sorted((folder / "index").iterdir()):
        for row in lines(index)[1:]:
            at = 0
            for _, chunks in row["frames"]:
                for name, size in chunks:
                    where[name] = (row["pack"], at, size)
                    at += size
    files = sorted((folder / "snapshots").glob("*.jsonl.zst"))
    chosen = folder / "snapshots" / f"{snapshot}.jsonl.zst"
    if snapshot == "latest" and files:  # of those that began in one second the one that the others led to
        newest = [file for file in files if file.name[:15] == files[-1].name[:15]]
        chosen = max(newest, key=lambda file: lines(file)[0]["head"]["sequence"])
    if chosen not in files:
        sys.exit(f"no snapshot {snapshot!r} below {folder}")
    path = lambda text, raw: os.fsencode(text) if not raw else base64.b64decode(raw)
    told = [(path(entry["path"], entry.get("raw")), entry) for entry in lines(chosen)[1:-1] if not entry.get("gone")]
    told = [(name, entry) for name, entry in told if not {b"", b".", b".."} & set(name.split(b"/"))]
    top, last, plain = os.fsencode(target), "", b""
    for name, entry in told:
        to = os.path.join(top, name)
        os.makedirs(to if entry["kind"] == "folder" else os.path.dirname(to), exist_ok=True)
        if entry["kind"] == "file":
            with open(to, "wb") as file:
                for pack, at, size in (where[chunk] for chunk in entry.get("chunks", [])):
                    if pack != last:
                        last, stored = pack, folder / "packs" / pack[:2] / pack
                        plain = subprocess.run(["zstd", "-dcq", str(stored)], check=True, capture_output=True).stdout
                    file.write(plain[at : at + size])
            if hashlib.sha256(pathlib.Path(os.fsdecode(to)).read_bytes()).hexdigest() != entry["sha256"]:
                sys.exit(f"damaged: {name!r}")
    for name, entry in reversed(told):  # links, modes and times when all content stands, folders after what is in them
        to = os.path.join(top, name)
        if entry["kind"] == "link":
            os.symlink(path(entry["target"], entry.get("target_raw")), to)
        else:
            os.chmod(to, entry.get("mode", 0) & 0o777)
        os.utime(to, ns=(int(entry.get("mtime_ns", 0)),) * 2, follow_symlinks=False)


if len(sys.argv) != 4:
    sys.exit(__doc__)
main(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3])
