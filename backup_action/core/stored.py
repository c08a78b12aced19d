"""What a listing says of one object."""

from __future__ import annotations

import msgspec


class Stored(msgspec.Struct, frozen=True):
    """One object. `key` is below the prefix once the vault has read it; `last_modified` is seconds since 1970."""

    key: str
    size: int
    etag: str  # without quotes
    last_modified: int
