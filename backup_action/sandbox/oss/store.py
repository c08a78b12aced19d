"""What the sandbox's OSS holds: buckets, every version of every object, uploads under way.

The versioning rules of OSS live here (https://www.alibabacloud.com/help/en/oss/user-guide/overview-78):

| bucket | put | delete without a version id |
|---|---|---|
| never versioned | replaces the object | removes it |
| Enabled | a new version on top | a new delete marker on top |
| Suspended | replaces the version `null`, on top | replaces the version `null` by a marker `null`, on top |

With a folder (`state`) everything but uploads under way is kept there and comes back; `disk` has the layout.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections import Counter
from pathlib import Path

from ..world import REGION
from .content import Piece, Shelf
from .disk import Folder
from .objects import NULL, Bucket, Facts, Upload, Version, Versioning


class Store:
    """Buckets and their objects. Used from one event loop; nothing here waits or locks."""

    def __init__(self, state: Path | None = None) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.shelf = Shelf(None if state is None else state / "blobs")
        self._folder = None if state is None else Folder(state)
        self._named: Counter[str] = Counter()  # how many versions name a piece's file
        self._numbers = itertools.count(1)
        if self._folder is not None:
            self._load(self._folder)

    def _load(self, folder: Folder) -> None:
        for bucket in folder.load():
            self.buckets[bucket.facts.name] = bucket
            for version in itertools.chain.from_iterable(bucket.versions.values()):
                self._named.update(piece.name for piece in version.pieces)
        for name in list(self.shelf.names()):
            if name not in self._named:  # a part of an upload that the last run did not end
                self.shelf.drop(Piece(0, name=name))

    def create_bucket(
        self,
        name: str,
        *,
        region: str = REGION,
        versioning: Versioning = "",
        storage_class: str = "Standard",
        worm_days: int = 0,
        encryption: str = "",
        encryption_key: str = "",
        created: float | None = None,
    ) -> Bucket:
        """Makes a bucket, or returns the one of that name as it is. `worm_days`: 0 for no retention."""
        if name in self.buckets:
            return self.buckets[name]
        moment = time.time() if created is None else created
        facts = Facts(
            name,
            region,
            moment,
            versioning,
            storage_class,
            "private",
            worm_days,
            encryption,
            encryption_key,
            order=len(self.buckets),
        )
        self.buckets[name] = Bucket(facts)
        self.save_facts(self.buckets[name])
        return self.buckets[name]

    def delete_bucket(self, bucket: Bucket) -> None:
        """Forgets an empty bucket."""
        del self.buckets[bucket.facts.name]
        if self._folder is not None:
            self._folder.remove_bucket(bucket.facts.name)

    def save_facts(self, bucket: Bucket) -> None:
        """To be called when a bucket's facts have changed."""
        if self._folder is not None:
            self._folder.save_facts(bucket.facts)

    def new_version_id(self, bucket: Bucket) -> str:
        """The id of the next version in this bucket; never one that was given before, unless it is `null`."""
        if bucket.facts.versioning != "Enabled":
            return NULL
        return f"CAEQ{next(self._numbers):08X}{secrets.token_hex(16)}"

    def place(self, bucket: Bucket, version: Version) -> None:
        """Puts a version on top of its key, by the rules above."""
        stack = bucket.versions.get(version.key)
        gone: list[Version] = []
        if stack is None:
            bucket.versions[version.key] = stack = []
            bucket.index.add(version.key)
        elif version.version_id == NULL:
            gone = [old for old in stack if old.version_id == NULL]
            stack[:] = [old for old in stack if old.version_id != NULL]
        stack.insert(0, version)
        self._named.update(piece.name for piece in version.pieces if piece.name)
        self._settle(bucket, version.key, gone)

    def remove(self, bucket: Bucket, version: Version) -> None:
        """Takes one version (or marker) away for good."""
        stack = bucket.versions[version.key]
        stack.remove(version)
        if not stack:
            del bucket.versions[version.key]
            bucket.index.remove(version.key)
        self._settle(bucket, version.key, [version])

    def changed(self, bucket: Bucket, key: str) -> None:
        """To be called when a version was changed in place (tags, ACL, restored, appended)."""
        self._settle(bucket, key, [])

    def _settle(self, bucket: Bucket, key: str, gone: list[Version]) -> None:
        """Makes the folder agree: what a key has now is written first, then the bytes that nobody names go."""
        if self._folder is None:
            return
        self._folder.save_key(bucket.facts.name, key, bucket.versions.get(key))
        for piece in itertools.chain.from_iterable(version.pieces for version in gone):
            self._named[piece.name] -= 1
            if self._named[piece.name] <= 0:
                del self._named[piece.name]
                self.shelf.drop(piece)

    def name_piece(self, piece: Piece) -> None:
        """Notes that one more version names a piece (an appended one)."""
        if piece.name:
            self._named[piece.name] += 1

    def discard_upload(self, bucket: Bucket, upload: Upload, *, kept: tuple[Piece, ...] = ()) -> None:
        """Ends an upload; the bytes of parts that are not `kept` go."""
        bucket.uploads.pop(upload.upload_id, None)
        for part in upload.parts.values():
            self.release(part.piece, kept)

    def release(self, piece: Piece, kept: tuple[Piece, ...] = ()) -> None:
        """Drops a piece that an upload held, unless a version names it."""
        if piece not in kept and not self._named.get(piece.name):
            self.shelf.drop(piece)
