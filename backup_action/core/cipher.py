"""The cipher of an encrypted vault: AES-256-GCM under a key that a passphrase unlocks; and the plain one beside it.

A key's object, `.oss-backup/keys/<id>.json`, holds a random master key, sealed under scrypt of the passphrase. From the
master key come, by HMAC-SHA-256, one key that seals and one that names chunks: so neither a chunk's name nor anything
else in the bucket tells of a content, and equal chunks are still stored once. What is sealed begins with a random
nonce of 12 bytes and ends with a tag of 16; `about` binds an object to its place, so no two can be exchanged. What
stands in a pack is bound by the names of its chunks instead.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from typing import Annotated, Final, Protocol

import msgspec

FORMAT: Final = "oss-backup-key/1"
SEALED: Final = b"oss-backup-sealed/1\n"  # begins an object of records, see `seal_records`
NONCE: Final = 12  # bytes
TAG: Final = 16
N: Final = 1 << 17  # scrypt's cost, with r 8 and p 1: 128 MiB, OWASP's minimum
RECORD: Final = 1 << 16  # bytes of what is sealed in one piece, so that the beginning can be read alone


class Unopened(ValueError):
    """What was sealed does not open: another key, or altered bytes."""


class Cipher(Protocol):
    """How the objects of a vault are sealed and its chunks named."""

    @property
    def key_id(self) -> str:
        """The key's id; "" where nothing is sealed."""

    def name(self, sha256: bytes) -> str:
        """The name of the chunk with this digest: 64 hex digits."""

    def seal(self, data: bytes, about: str) -> bytes:
        """What is stored."""

    def open(self, data: bytes | memoryview, about: str) -> bytes | memoryview:
        """What was sealed. Raises Unopened."""


class Plain:
    """Seals nothing: a chunk's name is its SHA-256."""

    key_id = ""

    def name(self, sha256: bytes) -> str:
        """Its hex digits."""
        return sha256.hex()

    def seal(self, data: bytes, about: str) -> bytes:
        """The same bytes."""
        return data

    def open(self, data: bytes | memoryview, about: str) -> bytes | memoryview:
        """The same bytes."""
        return data


PLAIN: Final = Plain()


class Kdf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of scrypt. Bounded: a bucket's word must not cost a host its memory."""

    n: Annotated[int, msgspec.Meta(ge=1 << 14, le=1 << 17)]
    r: Annotated[int, msgspec.Meta(ge=1, le=8)]
    p: Annotated[int, msgspec.Meta(ge=1, le=1)]
    salt: Annotated[bytes, msgspec.Meta(min_length=16, max_length=64)]


class Locked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key's object."""

    format: str
    id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{16}\Z")]
    kdf: Kdf
    sealed: bytes


class Sealed:
    """The cipher of one master key."""

    def __init__(self, key_id: str, master: bytes) -> None:
        """`master` is 32 bytes."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # takes a while to import

        self.key_id = key_id
        self._names = _derived(master, b"chunk names")
        self._gcm = AESGCM(_derived(master, b"content"))

    def name(self, sha256: bytes) -> str:
        """Nobody without the key can tell whether a content that he knows is in the vault."""
        return hmac.digest(self._names, sha256, "sha256").hex()

    def seal(self, data: bytes, about: str) -> bytes:
        """Nonce, ciphertext, tag."""
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._gcm.encrypt(nonce, data, about.encode())

    def open(self, data: bytes | memoryview, about: str) -> bytes:
        """What was sealed about this very thing. Raises Unopened."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._gcm.decrypt(data[:NONCE], data[NONCE:], about.encode())
        except (InvalidTag, ValueError):
            raise Unopened(about) from None


def _derived(master: bytes, purpose: bytes) -> bytes:
    return hmac.digest(master, b"oss-backup/1 " + purpose, "sha256")


def new(passphrase: str) -> tuple[Locked, Sealed]:
    """A new key, and its object. Takes about 0.4 s and 128 MiB."""
    master, key_id = secrets.token_bytes(32), secrets.token_hex(8)
    kdf = Kdf(N, 8, 1, secrets.token_bytes(32))
    sealed = _locker(passphrase, kdf, key_id).seal(master, f"key {key_id}")
    return Locked(FORMAT, key_id, kdf, sealed), Sealed(key_id, master)


def unlock(locked: Locked, passphrase: str) -> Sealed:
    """The cipher of a key's object. Raises Unopened where the passphrase is another."""
    return Sealed(locked.id, _locker(passphrase, locked.kdf, locked.id).open(locked.sealed, f"key {locked.id}"))


def _locker(passphrase: str, kdf: Kdf, key_id: str) -> Sealed:
    memory = 128 * kdf.n * kdf.r * kdf.p + (32 << 20)
    told = passphrase.encode("utf-8", "surrogateescape")
    return Sealed(key_id, hashlib.scrypt(told, salt=kdf.salt, n=kdf.n, r=kdf.r, p=kdf.p, maxmem=memory, dklen=32))


def encode(locked: Locked) -> bytes:
    """A key's object as JSON."""
    return msgspec.json.format(msgspec.json.encode(locked), indent=2) + b"\n"


def decode(data: bytes) -> Locked:
    """Undoes `encode`. Raises ValueError for anything else."""
    try:
        locked = msgspec.json.decode(data, type=Locked)
    except msgspec.MsgspecError as error:
        raise ValueError(f"it is no key of format {FORMAT!r}: {error}") from None
    if locked.format != FORMAT:
        raise ValueError(f"its format is {locked.format[:40]!r}, and this program knows {FORMAT!r}")
    return locked


def is_sealed(data: bytes) -> bool:
    """Whether an object is one of `seal_records`."""
    return data.startswith(SEALED)


def seal_records(cipher: Sealed, data: bytes, about: str) -> bytes:
    """An object of records of 64 KiB, each bound to its number and whether it is the last: none can be left out."""
    return b"".join(sealing(cipher, (data,), about))


def sealing(cipher: Sealed, segments: Iterable[bytes], about: str) -> Iterator[bytes]:
    """The same, a record at a time."""
    yield SEALED + cipher.key_id.encode()
    for number, (piece, is_last) in enumerate(_even(segments, RECORD)):
        yield cipher.seal(piece, _record(about, number, is_last=is_last))


def opening(cipher: Sealed, segments: Iterable[bytes], about: str) -> Iterator[bytes]:
    """Undoes `sealing`, a record at a time. Raises Unopened; what came before is of no use then."""
    for number, (piece, is_last) in enumerate(_even(segments, RECORD + NONCE + TAG, len(SEALED) + 16)):
        yield cipher.open(piece, _record(about, number, is_last=is_last))


def _even(segments: Iterable[bytes], size: int, head: int = 0) -> Iterator[tuple[bytes, bool]]:
    """All bytes behind the `head`, in pieces of one size but for the last; and which that is. At least one."""
    waiting = bytearray()
    for segment in segments:
        waiting += segment
        if len(waiting) > head:
            del waiting[:head]
            head = 0
        while not head and len(waiting) > size:
            yield bytes(waiting[:size]), False
            del waiting[:size]
    yield bytes(waiting[head:]), True


def key_of(data: bytes) -> str:
    """The id of the key that an object of records was sealed under."""
    return data[len(SEALED) : len(SEALED) + 16].decode("ascii", "replace")


def open_records(cipher: Sealed, data: bytes, about: str, *, whole: bool = True) -> bytes:
    """What `seal_records` sealed; not `whole`: what its first bytes hold. Raises Unopened."""
    if whole:
        return b"".join(opening(cipher, (data,), about))
    pieces: list[bytes] = []
    try:
        for number, (piece, _) in enumerate(_even((data,), RECORD + NONCE + TAG, len(SEALED) + 16)):
            pieces.append(cipher.open(piece, _record(about, number, is_last=False)))
    except Unopened:
        if not pieces:
            raise
    return b"".join(pieces)


def _record(about: str, number: int, *, is_last: bool) -> str:
    return f"{about} {number}{' last' if is_last else ''}"
