"""How a store is kept in a folder, so that it comes back after a restart.

    buckets/<bucket>/bucket.json                          its facts
    buckets/<bucket>/keys/<2 hex>/<62 hex>.json           SHA-256 of a key: the key and all its versions, newest first
    blobs/<2 hex>/<32 hex>                                the bytes of one piece, under a random name

No object key is ever a file name. A file is replaced by renaming, so a stopped process leaves the old or the new state;
nothing is flushed to the disk: this is a stand-in. Uploads under way are not kept.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from .objects import Bucket, Facts, Version


@dataclass(slots=True)
class _KeyFile:
    key: str
    versions: list[Version]


_ENCODER = msgspec.json.Encoder()
_FACTS = msgspec.json.Decoder(Facts)
_KEY = msgspec.json.Decoder(_KeyFile)


class Folder:
    """A folder of the above layout."""

    def __init__(self, root: Path) -> None:
        self._buckets = root / "buckets"
        self._buckets.mkdir(parents=True, exist_ok=True)

    def load(self) -> Iterator[Bucket]:
        """Every bucket, in the order in which they were made. Raises msgspec.DecodeError on a file of another kind."""
        found = [_FACTS.decode(path.read_bytes()) for path in self._buckets.glob("*/bucket.json")]
        for facts in sorted(found, key=lambda facts: facts.order):
            bucket = Bucket(facts)
            for path in (self._buckets / facts.name / "keys").glob("??/*.json"):
                held = _KEY.decode(path.read_bytes())
                bucket.versions[held.key] = held.versions
                bucket.index.add(held.key)
            yield bucket

    def save_facts(self, facts: Facts) -> None:
        """Writes a bucket's facts."""
        _write(self._buckets / facts.name / "bucket.json", _ENCODER.encode(facts))

    def remove_bucket(self, name: str) -> None:
        """Removes an empty bucket's folder."""
        shutil.rmtree(self._buckets / name, ignore_errors=True)

    def save_key(self, bucket: str, key: str, versions: list[Version] | None) -> None:
        """Writes all versions of a key, or forgets the key if there are none."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        path = self._buckets / bucket / "keys" / digest[:2] / f"{digest[2:]}.json"
        if versions:
            _write(path, _ENCODER.encode(_KeyFile(key, versions)))
        else:
            path.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    partial = path.with_suffix(".partial")
    try:
        partial.write_bytes(data)
    except FileNotFoundError:
        path.parent.mkdir(parents=True)
        partial.write_bytes(data)
    partial.replace(path)
