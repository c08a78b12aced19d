"""What a listing says of one object, or of one version of it."""

from __future__ import annotations

import msgspec


class Stored(msgspec.Struct, frozen=True, gc=False):
    """One object. `key` is below the prefix once the vault has read it; `last_modified` is seconds since 1970."""

    key: str
    size: int
    etag: str  # without quotes
    last_modified: int


class StoredVersion(msgspec.Struct, frozen=True, gc=False):
    """One version of one object, or a delete marker, which has no size and no ETag. `version` may be `null`."""

    key: str
    version: str
    size: int
    etag: str
    last_modified: int
    is_latest: bool
    is_marker: bool
