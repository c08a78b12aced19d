"""The keys of a vault that a passphrase opens, and the objects that are sealed under them."""

from __future__ import annotations

import msgspec

from backup_action.core import cipher
from backup_action.core.cipher import PLAIN, Cipher, Sealed, Unopened
from backup_action.core.problem import Kind, Stop
from backup_action.core.segments import Keep, Segments


class Ring(msgspec.Struct, frozen=True):
    """The keys that a passphrase opens. `there`: whether the vault has any at all."""

    there: bool = False
    ciphers: dict[str, Sealed] = msgspec.field(default_factory=dict)  # by id, the one to seal with first

    @property
    def cipher(self) -> Cipher:
        """What to seal with."""
        return next(iter(self.ciphers.values()), PLAIN)

    def of(self, key_id: str) -> Cipher:
        """The cipher of one key. Raises Stop where the passphrase does not open it."""
        if not key_id:
            return PLAIN
        if key_id not in self.ciphers:
            raise Stop(Kind.PASSPHRASE_WRONG if self.ciphers else Kind.PASSPHRASE_MISSING, key_id)
        return self.ciphers[key_id]

    def open(self, data: bytes, about: str, *, whole: bool = True) -> bytes:
        """An object as it was before it was sealed, if it was. Raises Stop, and Unopened where it was altered."""
        if not cipher.is_sealed(data):
            return data
        key = self.of(cipher.key_of(data))
        if not isinstance(key, Sealed):
            raise Unopened(about)
        return cipher.open_records(key, data, about, whole=whole)

    def seal(self, data: bytes, about: str) -> bytes:
        """An object as it is stored."""
        key = self.cipher
        return cipher.seal_records(key, data, about) if isinstance(key, Sealed) else data

    def opening(self, segments: Segments, about: str, keep: Keep) -> Segments:
        """An object as `open` gives it, however long. Raises as that does."""
        first = next(iter(segments), b"")
        if not cipher.is_sealed(first):
            return segments
        key = self.of(cipher.key_of(first))
        if not isinstance(key, Sealed):
            raise Unopened(about)
        return Segments(keep, cipher.opening(key, segments, about))

    def sealing(self, segments: Segments, about: str, keep: Keep) -> Segments:
        """An object as it is stored, however long."""
        key = self.cipher
        return Segments(keep, cipher.sealing(key, segments, about)) if isinstance(key, Sealed) else segments
