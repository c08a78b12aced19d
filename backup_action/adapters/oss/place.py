"""Which bucket a run talks to, and by which address."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from backup_action.core import address


class Place(msgspec.Struct, frozen=True):
    """Which bucket, and how it is reached."""

    bucket: str
    region: str
    endpoint: str  # https://host, or http(s)://loopback:port
    prefix: str = ""  # below which rights are needed; for messages

    @property
    def address(self) -> str:
        """The bucket's own address: a host below the endpoint, or on loopback a path."""
        scheme, _, host = self.endpoint.partition("://")
        local = address.is_loopback(urlsplit(self.endpoint).hostname or "")
        return f"{self.endpoint}/{self.bucket}" if local else f"{scheme}://{self.bucket}.{host}"
