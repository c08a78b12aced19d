"""One authenticated request, as the operations see it, and what they answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ..world import Key, World
from .address import Address
from .content import Pieces
from .failure import Failure, invalid_argument, no_such_bucket
from .objects import Bucket
from .store import Store

Allowed = Callable[[Key, str, str, Mapping[str, str]], bool]
"""Whether a key may do an action (`oss:PutObject`) to a resource (`acs:oss:*:ACCOUNT:bucket/key`) under conditions."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request's whole body and its digests."""

    data: bytes
    md5: bytes
    crc: int


@dataclass(slots=True)
class Answer:
    """What goes back: a body, or the range of `pieces` from `start` with `length` bytes."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    pieces: Pieces = ()
    start: int = 0
    length: int = 0


@dataclass(slots=True)
class Call:
    """An authenticated request; header names are in lower case."""

    world: World
    store: Store
    allowed: Allowed
    method: str
    kind: str
    address: Address
    headers: Mapping[str, str]
    key: Key
    receive: Callable[[int], Awaitable[Received]]  # the body, if it has at most that many bytes; Failure otherwise
    now: float
    altered: int | None = None  # the byte of a copy that a fault turns

    @property
    def params(self) -> Mapping[str, str]:
        """The query, decoded."""
        return self.address.params

    @property
    def object_key(self) -> str:
        """The key that the request addresses; empty for a bucket."""
        return self.address.key

    def bucket(self, name: str = "") -> Bucket:
        """The bucket of that name, or else the addressed one; Failure if there is none."""
        found = self.store.buckets.get(name or self.address.bucket)
        if found is None:
            raise no_such_bucket(name or self.address.bucket)
        return found

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from the query; Failure outside `low` to `high`."""
        value = self.params.get(name)
        if not value:
            return default
        if not value.isascii() or not value.isdecimal() or not low <= int(value) <= high:
            raise invalid_argument(f"Argument {name} must be an integer between {low} and {high}.", name, value)
        return int(value)

    def url_encodes(self) -> bool:
        """Whether names in the answer are to be URL-encoded; Failure for an encoding that OSS does not know."""
        encoding = self.params.get("encoding-type", "")
        if encoding.lower() not in ("", "url"):
            raise invalid_argument("Invalid Encoding Method specified in Request.", "encoding-type", encoding)
        return bool(encoding)

    def check_region(self) -> None:
        """Raises Failure if the addressed bucket is in another region than the endpoint that was called."""
        found = self.store.buckets.get(self.address.bucket)
        if found is None or found.facts.region == self.address.region:
            return
        message = (
            "The bucket you are attempting to access must be addressed using the specified endpoint. "
            "Please send all future requests to this endpoint."
        )
        fields = {"Bucket": found.facts.name, "Endpoint": f"oss-{found.facts.region}.aliyuncs.com"}
        raise Failure(403, "AccessDenied", message, "0003-00001403", fields)
