"""The pack: many chunks in one object, write-once, named by the SHA-256 of its bytes. This is format 1.

    frame frame … frame directory

A frame is chunks one after the other, compressed together as one zstd frame (what does not compress stands in it as it
is), so `zstd -dc PACK` gives all chunks of a plain pack in order. The directory is a zstd *skippable* frame, which
`zstd` passes over: it says which chunks each frame holds, so an index can be made anew from the packs alone.

    {"format": "oss-backup-pack/1", "frames": [[bytes, [[chunk, size], …]], …]}

as zstd-compressed JSON, then padding, then twelve bytes: the lengths of both, and `OBP1`. In an encrypted vault each
frame and the directory are sealed (`core/cipher.py`), and padding hides the true size: it then tells nothing but its
magnitude (at most 12 % are added, as in PURBs' Padmé).
"""

from __future__ import annotations

import struct
from collections.abc import Container, Sequence
from typing import Annotated, Final

import msgspec
import zstandard

from backup_action.core.body import Body
from backup_action.core.cipher import Cipher, Unopened

FORMAT: Final = "oss-backup-pack/1"
TARGET: Final = 16 << 20  # bytes; a pack is closed when it has as many
FRAME: Final = 1 << 20  # bytes of chunks that are compressed together, before compression; a larger chunk stands alone
CHUNKS: Final = 65_536  # the same, so that what an index says of it stays a line of a few MB
FRAME_MAX: Final = 8 << 20  # bytes; no frame of ours unpacks to more
PACK_MAX: Final = 128 << 20  # bytes; no pack of ours is larger
DIRECTORY_MAX: Final = 32 << 20  # bytes of JSON
LEVEL: Final = 3
_PIECE: Final = 1 << 20  # bytes unpacked at a time
_SKIPPABLE: Final = 0x184D2A50  # RFC 8878, 3.1.2
_END: Final = b"OBP1"
_TAIL: Final = struct.Struct("<II4s")
_HEAD: Final = struct.Struct("<II")

Size = Annotated[int, msgspec.Meta(ge=1, le=FRAME_MAX)]
Name = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class Chunk(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One chunk of a frame: its name, and how many bytes it has."""

    name: Name
    size: Size


class Frame(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One frame: how many bytes of the pack, and its chunks in order."""

    stored: Size
    chunks: list[Chunk]


class Directory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a pack says of itself."""

    format: str
    frames: list[Frame]


class Broken(ValueError):
    """These bytes are no pack, or no frame, of this vault; the text says why."""


class Open(msgspec.Struct):
    """A pack in the making: frames, already sealed."""

    pieces: list[bytes] = msgspec.field(default_factory=list)
    frames: list[Frame] = msgspec.field(default_factory=list)
    size: int = 0
    chunks: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it is to be closed."""
        return self.size >= TARGET or self.chunks >= CHUNKS

    def add(self, piece: bytes, chunks: Sequence[Chunk]) -> None:
        """Adds one frame."""
        self.pieces.append(piece)
        self.frames.append(Frame(len(piece), list(chunks)))
        self.size += len(piece)
        self.chunks += len(chunks)

    def finish(self, cipher: Cipher, avoid: Container[str] = (), spare: int = 0) -> tuple[str, Body]:
        """Name and content of the pack. With so many `spare` bytes at its end, or more of them where that name is to be
        avoided, it gets another.
        """
        plain = msgspec.json.encode(Directory(FORMAT, self.frames))
        directory = cipher.seal(zstandard.compress(plain, LEVEL), "directory")
        bare = self.size + _HEAD.size + len(directory) + _TAIL.size
        size = (padded(bare) - bare if cipher.key_id else 0) + spare
        while True:
            content = len(directory) + size + _TAIL.size
            head, tail = _HEAD.pack(_SKIPPABLE, content), _TAIL.pack(len(directory), size, _END)
            body = Body((*self.pieces, head + directory + bytes(size) + tail))
            name = body.sha256
            if name not in avoid:
                return name, body
            size += 1


def compress(chunks: Sequence[bytes | memoryview], cipher: Cipher) -> bytes:
    """One frame of these chunks, sealed."""
    plain = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    packed = zstandard.ZstdCompressor(level=LEVEL).compress(plain)
    if len(packed) * 8 < len(plain) * 7:
        packed = bytes(memoryview(packed))  # what zstd gives has the room of what it was given: a pack waits long
    return cipher.seal(packed, "frame")


def unpack(piece: bytes | memoryview, frame: Frame, cipher: Cipher) -> bytes:
    """The chunks of a frame, one after the other. Raises Broken. What they hold is for the caller to prove."""
    size = sum(chunk.size for chunk in frame.chunks)
    try:
        plain = cipher.open(piece, "frame")
        if size > FRAME_MAX or zstandard.frame_content_size(plain) not in (-1, size):  # so much would be made room for
            raise Broken("a frame has another size than is told of it")
        data = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompress(plain, max_output_size=size)
    except (Unopened, zstandard.ZstdError) as error:
        raise Broken(f"a frame does not open: {error}") from None
    if len(data) != size:
        raise Broken("a frame has another size than is told of it")
    return data


def directory(data: bytes, cipher: Cipher) -> list[Frame]:
    """The frames of a whole pack, by what it says of itself. Raises Broken."""
    try:
        length, padding, end = _TAIL.unpack(data[-_TAIL.size :])
        behind = len(data) - _TAIL.size - padding
        at = behind - length - _HEAD.size
        if end != _END or at < 0 or _HEAD.unpack_from(data, at) != (_SKIPPABLE, len(data) - at - _HEAD.size):
            raise Broken("its end is no pack's")
        plain = _unpacked(cipher.open(data[behind - length : behind], "directory"))
        found = msgspec.json.decode(plain, type=Directory)
    except (struct.error, zstandard.ZstdError, Unopened, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Broken(f"it has no directory that can be read: {error}") from None
    if found.format != FORMAT:
        raise Broken(f"its format is {found.format[:40]!r}, and this program knows {FORMAT!r}")
    if sum(frame.stored for frame in found.frames) != at:
        raise Broken("its frames do not fill it")
    return found.frames


def _unpacked(data: bytes | memoryview) -> bytes:
    """A directory's JSON; a bucket's word must not cost a host its memory. Raises Broken and ZstdError."""
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(data)
    pieces, size = [], 0
    while piece := reader.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > DIRECTORY_MAX:
            raise Broken("its directory is longer than any")
    return b"".join(pieces)


def fits(size: int, frames: Sequence[Frame], *, sealed: bool) -> bool:
    """Whether these frames and a directory of them can be all that a pack of this size holds."""
    bare = sum(frame.stored for frame in frames) + _HEAD.size + _TAIL.size
    plain = len(msgspec.json.encode(Directory(FORMAT, list(frames))))
    most = bare + plain + plain // 128 + 512  # what zstd adds at most to what it cannot compress, and a cipher's part
    return bare < size <= min(padded(most) if sealed else most, PACK_MAX)


def padded(size: int) -> int:
    """Padmé: the size rounded up so that only its magnitude and a few digits show (Nikitin et al., PETS 2019)."""
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    last = exponent - exponent.bit_length()
    mask = (1 << last) - 1
    return (size + mask) & ~mask
