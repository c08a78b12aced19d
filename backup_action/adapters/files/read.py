"""Reads one file as it is at one moment: never half old, half new (law 4).

The file is looked at by its handle before and after; where size, times or inode differ, it is read again, up to
`TRIES` times, and then reported. One changed a moment ago is read twice, since its times may hide another change.
Bytes of a small file are returned; a large one is digested, and read again in parts while it is sent: whether both
readings saw the same bytes shows in the digests.

A re-read of what did not change is to come from the disk: what the page cache has of the file is given up before
(`posix_fadvise`, where the platform has it). That is advice: pages that others map or have not written yet may stay,
and what a disk or a hypervisor caches is beyond it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import fastcrc
import msgspec
import xxhash

from backup_action.adapters.files.folder import Opener
from backup_action.core import checksum
from backup_action.core.alarm import SAMPLE, is_dense
from backup_action.core.entry import BLOCK, BLOCKS_FROM, Blocks, Entry, block_size
from backup_action.core.found import Found, entry
from backup_action.core.parts import grain
from backup_action.core.problem import Kind, Problem

TRIES = 3
RACY_NS = 2_000_000_000  # a file changed this short before it was read may change again within the clock's grain
_REPLACED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV}  # the last: a link that now leads out of its root
_AGAIN = {errno.EIO, errno.ESTALE, errno.EAGAIN, errno.EINTR}
crc64 = fastcrc.crc64.xz


@dataclass(frozen=True, slots=True)
class Content:
    """A file as it was read. `data` is empty for a large file, whose bytes are read again when they are sent."""

    entry: Entry
    data: bytes = field(repr=False, default=b"")
    whole: bool = True  # `data` is all of it
    crcs: Sequence[int] = ()  # of one that was digested: the CRC-64 of each grain (`core.parts`), in order


class Unstable(Exception):
    """The file did not hold still, or is none any more."""

    def __init__(self, kind: Kind, reason: str = "") -> None:
        """`reason` is for people."""
        self.kind, self.reason = kind, reason


def read(
    found: Found, opener: Opener, limit: int, stopped: Callable[[], bool] = bool, *, from_disk: bool = False,
    known: Entry | None = None,
) -> Content | Problem:  # fmt: skip
    """The file as it is now: with its bytes where it has at most `limit`, else digested only.

    `from_disk`: not from the page cache, as far as the platform can be asked for that. `known` is what the snapshot
    before has under its path: what was said of that content need not be found out again.
    """
    try:
        for attempt in range(TRIES):
            try:
                return _once(found, opener, limit, stopped, from_disk=from_disk, known=known)
            except Unstable as error:
                if error.kind is not Kind.FILE_CHANGING or attempt == TRIES - 1:
                    raise
            except OSError as error:
                if error.errno not in _AGAIN or attempt == TRIES - 1:
                    raise
    except Unstable as error:
        return Problem(
            error.kind, opener.name(found.root, found.inner), {"reason": error.reason} if error.reason else {}
        )
    except OSError as error:
        return unread(found, opener, error)
    raise AssertionError("the last attempt returns or raises")


def unread(found: Found, opener: Opener, error: OSError) -> Problem:
    """The problem of a file that could not be opened or read."""
    kind = Kind.FILE_VANISHED if error.errno in _REPLACED else Kind.FILE_UNREADABLE
    return Problem(kind, opener.name(found.root, found.inner), {"reason": error.strerror or type(error).__name__})


def _once(
    found: Found, opener: Opener, limit: int, stopped: Callable[[], bool], *, from_disk: bool, known: Entry | None
) -> Content:
    handle = opener.open(found.root, found.inner)
    try:
        if from_disk:
            forget(handle)
        before = os.fstat(handle)
        now = msgspec.structs.replace(found, **identity(before))
        racy = is_racy(now)
        if before.st_size <= limit:
            data = _bytes(handle, before.st_size)
            if racy and data != _again(handle, before.st_size):
                raise Unstable(Kind.FILE_CHANGING)
            read_as = entry(now, hashlib.sha256(data).hexdigest(), crc64(data), racy=racy)
            same = known if known is not None and known.sha256 == read_as.sha256 else None
            dense = same.dense if same else is_dense(now.path, data)
            content = Content(msgspec.structs.replace(read_as, dense=dense), data)
        else:
            content = _digest(handle, now, racy, stopped)
        if identity(os.fstat(handle)) != identity(before):
            raise Unstable(Kind.FILE_CHANGING)
        return content
    finally:
        os.close(handle)


def forget(handle: int) -> None:
    """Gives up what the page cache has of a file."""
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):  # a file system that takes no advice
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


def is_racy(found: Found) -> bool:
    """Whether it was changed so short ago that its times may hide another change."""
    return max(found.mtime_ns, found.ctime_ns) >= time.time_ns() - RACY_NS


def identity(info: os.stat_result) -> dict[str, int]:
    """What must not differ between two looks at one file, by the names of `Found`."""
    return {
        "size": info.st_size,
        "mode": stat.S_IMODE(info.st_mode),
        "mtime_ns": info.st_mtime_ns,
        "ctime_ns": info.st_ctime_ns,
        "dev": info.st_dev,
        "inode": info.st_ino,
    }


def _bytes(handle: int, size: int) -> bytes:
    """Exactly `size` bytes and then the end, or Unstable."""
    data = os.read(handle, size + 1)
    while len(data) < size:
        more = os.read(handle, size + 1 - len(data))
        if not more:
            break
        data += more
    if len(data) != size:
        raise Unstable(Kind.FILE_CHANGING)
    return data


def _again(handle: int, size: int) -> bytes:
    """A second reading: within the clock's grain a write leaves no trace in the times of the file."""
    os.lseek(handle, 0, os.SEEK_SET)
    return _bytes(handle, size)


def pieces(handle: int, start: int, size: int, piece: int = BLOCK) -> Iterator[bytes]:
    """`size` bytes from `start`, a piece at a time. Raises Unstable when the file ends before."""
    end = start + size
    while start < end:
        data = os.pread(handle, min(piece, end - start), start)
        if not data:
            raise Unstable(Kind.FILE_CHANGING, "it became shorter")
        yield data
        start += len(data)


def first_block_digest(found: Found, opener: Opener) -> bytes:
    """XXH3-128 of a file's first `BLOCK` bytes; b"" where they cannot be read. A hint: the file may change yet."""
    try:
        handle = opener.open(found.root, found.inner)
    except (OSError, Unstable):
        return b""
    try:
        return xxhash.xxh3_128_digest(os.pread(handle, BLOCK, 0))
    except OSError:
        return b""
    finally:
        os.close(handle)


def _digest(handle: int, found: Found, racy: bool, stopped: Callable[[], bool]) -> Content:
    size, block, step = found.size, block_size(found.size), grain(found.size)
    sha, part, crcs, digests = hashlib.sha256(), xxhash.xxh3_128(), [], bytearray()
    for start in range(0, size, step):
        if stopped():
            raise Unstable(Kind.INTERRUPTED)
        crc, end = 0, min(start + step, size)
        for data in pieces(handle, start, end - start):
            sha.update(data)
            part.update(data)
            crc = crc64(data, crc)
        crcs.append(crc)
        if end == size or end % block == 0:
            digests += part.digest()
            part.reset()
    if os.pread(handle, 1, size):
        raise Unstable(Kind.FILE_CHANGING, "it became longer")
    crc = checksum.whole((crc, min(step, size - number * step)) for number, crc in enumerate(crcs))
    whole = entry(found, sha.hexdigest(), crc, racy=racy)
    blocks = Blocks(block, bytes(digests)) if found.size > BLOCKS_FROM else None
    dense = is_dense(found.path, os.pread(handle, SAMPLE, 0))
    return Content(msgspec.structs.replace(whole, blocks=blocks, dense=dense), whole=False, crcs=crcs)
