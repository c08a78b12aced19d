"""A large file on its way into packs: what was claimed is stored, whatever becomes of the file meanwhile (law 1)."""

import asyncio
import hashlib
import mmap
import os
import random
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from backup_action.adapters.files.folder import Opener
from backup_action.adapters.files.read import identity
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.place import Place
from backup_action.adapters.oss.signature import Credentials
from backup_action.core import index
from backup_action.core.entry import Sort
from backup_action.core.found import Found
from backup_action.core.index import Packed
from backup_action.core.problem import Kind, Problem
from backup_action.core.ring import Ring
from backup_action.transfer.framing import Made
from backup_action.transfer.streaming import Read, Streaming
from backup_action.vault import Vault
from backup_action.vault.packs import Packs

T = TypeVar("T")
SIZE = 40 << 20


async def keys(_: Credentials | None) -> Credentials:
    return Credentials("id", "secret")


def packs() -> Packs:
    """Those of an empty vault, that nothing is asked of."""
    bucket = Bucket(Attempts(Place("bucket", "cn-hangzhou", "http://127.0.0.1:9"), keys), connections=1)
    return Packs(Vault(bucket, "p/", "story", "vault"), Ring(), {})


def found(path: Path, **changed: int) -> Found:
    told: dict[str, Any] = identity(path.stat()) | changed
    return Found(root=0, inner=path.name, path=path.name, place=path.name, kind=Sort.FILE, **told)


async def aside(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


def never() -> Kind | None:
    return None


async def stream(
    path: Path, seen: Found, stow: Callable[[list[Made]], Awaitable[None]], late: Callable[[], Kind | None] = never
) -> Read | Problem:
    with Opener((str(path.parent),)) as opener:
        return await Streaming(packs(), aside, stow, late, dry=False).run(seen, opener)


@pytest.mark.parametrize("how", ["shrinks", "late"])
def test_what_was_claimed_is_stored_though_the_reading_ends_in_the_middle(tmp_path: Path, how: str) -> None:
    """Nobody else would store it: the next reading, or another file of the same content, finds it claimed."""
    path = tmp_path / "x"
    path.write_bytes(random.Random(1).randbytes(SIZE))
    os.utime(path, ns=(0, 0))
    told, stored = packs(), set()
    begun, calls = asyncio.Event(), 0

    async def stow(frames: list[Made]) -> None:
        nonlocal calls
        calls += 1
        if how == "shrinks" and calls == 1:
            os.truncate(path, 17 << 20)
        begun.set()
        await asyncio.sleep(0.2)  # as while four packs are on their way
        stored.update(chunk.name for _, chunks in frames for chunk in chunks)

    def late() -> Kind | None:
        return Kind.FILE_LATE if how == "late" and begun.is_set() else None

    async def run() -> Read | Problem:
        with Opener((str(tmp_path),)) as opener:
            seen = found(path, mtime_ns=1, ctime_ns=1)
            return await Streaming(told, aside, stow, late, dry=False).run(seen, opener)

    result = asyncio.run(run())
    if how == "late":
        assert isinstance(result, Problem) and result.kind is Kind.FILE_LATE
    else:
        assert isinstance(result, tuple) and result[0].size == 17 << 20
        assert set(result[1]) <= stored
    assert stored and {name.hex() for name in told._claimed} == stored


def test_a_change_behind_the_reading_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(random.Random(3).randbytes(SIZE))
    calls = 0

    async def stow(frames: list[Made]) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            with path.open("r+b") as file:
                file.write(b"other")

    result = asyncio.run(stream(path, found(path, mtime_ns=1, ctime_ns=1), stow))
    assert isinstance(result, tuple) and result[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_chunk_that_was_claimed_and_not_stored_ends_the_run() -> None:
    told = packs()
    assert told.claim("a" * 64) and not told.claim("a" * 64)
    with pytest.raises(AssertionError, match="claimed"):
        asyncio.run(told.flush("id", last=True))


def test_an_index_that_was_cut_short_is_written_by_the_last() -> None:
    """A signal comes while the index of minutes is on its way: those packs must not be forgotten."""

    async def run(port: int) -> tuple[list[Packed], list[Packed]]:
        place = Place("bucket", "cn-hangzhou", f"http://127.0.0.1:{port}")
        async with Bucket(Attempts(place, keys), connections=1) as bucket:
            told = Packs(Vault(bucket, "p/", "story", "vault"), Ring(), {})
            told._made.append(index.shut(Packed("a" * 64, 1, [])))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(told.flush("id"), 0.3)
            return [index.opened(one) for one in told._made], [Packed("a" * 64, 1, [])]

    with socket.create_server(("127.0.0.1", 0)) as silent:
        left, made = asyncio.run(run(silent.getsockname()[1]))
    assert left == made


def test_a_change_that_leaves_no_trace_in_the_times_is_seen(tmp_path: Path) -> None:
    """The scan saw an old file; it was written to a moment before it is opened, and once more while it is read: the
    times are those of the first write, as with two writes within the clock's grain.
    """
    path = tmp_path / "x"
    path.write_bytes(random.Random(2).randbytes(SIZE))
    seen = found(path, mtime_ns=1, ctime_ns=1)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), SIZE) as memory:
        memory[:4], memory[-4:] = b"new1", b"new1"
        before = path.stat()

        async def stow(frames: list[Made]) -> None:
            if memory[:4] == b"new1":
                memory[:4], memory[-4:] = b"new2", b"new2"  # the pages are written already: no time changes

        result = asyncio.run(stream(path, seen, stow))
        if path.stat() != before:
            pytest.skip("this file system notes each write")
    if isinstance(result, tuple):
        assert result[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    else:
        assert result.kind is Kind.FILE_CHANGING
