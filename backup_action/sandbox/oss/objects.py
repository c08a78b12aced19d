"""The nouns of the store: a version of an object, an upload in parts, a bucket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .content import Piece, Pieces

NULL = "null"  # the version id of what was put while versioning was not enabled

Versioning = Literal["", "Enabled", "Suspended"]  # empty: never enabled
STORAGE_CLASSES = ("Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive")
ARCHIVES = STORAGE_CLASSES[2:]


@dataclass(slots=True)
class Traits:
    """What the sender says of an object, and what Copy may carry over or replace."""

    headers: dict[str, str] = field(default_factory=dict)  # Content-Type and the like, as the request had them
    meta: dict[str, str] = field(default_factory=dict)  # x-oss-meta-*: names in lower case, with the prefix
    tags: dict[str, str] = field(default_factory=dict)
    storage_class: str = "Standard"
    acl: str = "default"
    encryption: str = ""  # AES256, KMS, SM4 or nothing
    encryption_key: str = ""  # KMS: id of the key; empty: OSS's own
    data_encryption: str = ""  # KMS: SM4 or nothing


@dataclass(slots=True)
class Version:
    """One version of one key; a delete marker has no content."""

    key: str
    version_id: str
    modified: float
    marker: bool = False
    kind: str = "Normal"  # Normal, Multipart, Appendable
    etag: str = ""  # without quotes
    md5: bytes = b""  # of the content, where OSS knows it
    crc: int = 0
    size: int = 0
    pieces: Pieces = ()
    traits: Traits = field(default_factory=Traits)
    restored_at: float = 0.0  # when the last RestoreObject is or was ready; 0: never asked
    restored_until: float = 0.0


@dataclass(slots=True)
class Part:
    """One part of an upload."""

    number: int
    piece: Piece
    md5: bytes
    crc: int
    modified: float


@dataclass(slots=True)
class Upload:
    """A multipart upload that has begun and not ended."""

    upload_id: str
    key: str
    initiated: float
    traits: Traits
    parts: dict[int, Part] = field(default_factory=dict)


@dataclass(slots=True)
class Facts:
    """What a bucket is, apart from what it holds; this is what its file on disk holds."""

    name: str
    region: str
    created: float
    versioning: Versioning = ""
    storage_class: str = "Standard"
    acl: str = "private"
    worm_days: int = 0  # retention; 0: no lock
    encryption: str = ""  # default for new objects: AES256, KMS, SM4 or nothing
    encryption_key: str = ""
    lifecycle: bytes = b""  # the XML as it was put
    order: int = 0  # when it was made, among its like


class Index:
    """The keys of a bucket in byte order, put in order only when they are listed."""

    def __init__(self) -> None:
        self._sorted: list[str] = []
        self._added: list[str] = []
        self._removed: set[str] = set()

    def add(self, key: str) -> None:
        """Notes a key that was not there."""
        if key in self._removed:
            self._removed.discard(key)
        else:
            self._added.append(key)

    def remove(self, key: str) -> None:
        """Notes that a key that was there is gone."""
        self._removed.add(key)

    def keys(self) -> list[str]:
        """All keys in order; not to be changed by the caller."""
        if self._added:
            self._sorted.extend(self._added)
            self._sorted.sort()  # merges the two runs; code point order is UTF-8's byte order
            self._added = []
        if self._removed:
            self._sorted = [key for key in self._sorted if key not in self._removed]
            self._removed = set()
        return self._sorted


@dataclass(slots=True)
class Bucket:
    """A bucket: its facts, the versions of each key (newest first), the uploads under way."""

    facts: Facts
    versions: dict[str, list[Version]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    index: Index = field(default_factory=Index)

    def newest(self, key: str) -> Version | None:
        """The key's current version, which may be a delete marker."""
        stack = self.versions.get(key)
        return stack[0] if stack else None

    def is_visible(self, key: str) -> bool:
        """Whether a plain listing shows the key."""
        newest = self.newest(key)
        return newest is not None and not newest.marker
