"""Writes what is needed of packs that are mostly not needed into new packs, one pack after another.

Only frames with a chunk that is needed are fetched, and every chunk is held against its name before it is packed anew.
A pack of which one cannot be had, or is not what its name says, stays as it is, and that is told.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from typing import Final

from backup_action.adapters.oss.refusal import Refusal
from backup_action.core import pack
from backup_action.core.index import Packed
from backup_action.core.pack import FRAME, Chunk, Frame, Open
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.tally import Tally
from backup_action.vault import Vault
from backup_action.vault.chunks import stretches
from backup_action.vault.contents import FROZEN
from backup_action.vault.packs import Packs, pack_key

LOST: Final = ("InvalidRange", FROZEN)  # what OSS says of a pack that is cut short, or must be thawed first

Wanted = Callable[[str], bool]  # whether a chunk of the pack is to be taken


class Repack:
    """One run's. New packs are sealed as the old ones were: they must be of the key of `packs`."""

    def __init__(self, vault: Vault, packs: Packs, id: str, tally: Tally) -> None:
        """`id` is that of the index to be; the tally hears of what cannot be had."""
        self._vault = vault
        self._packs = packs
        self._id = id
        self._tally = tally
        self._open = Open()
        self._chunks: list[tuple[Chunk, bytes]] = []  # of the frame that is open
        self._size = 0

    async def run(self, chosen: Iterable[tuple[Packed, Wanted]]) -> list[str]:
        """Gives the names of the packs all of whose wanted chunks stand in new ones, with their index. Raises Stop."""
        done = []
        for packed, wanted in chosen:
            if await self._one(packed, wanted):
                done.append(packed.pack)
            else:
                self._tally.tell(Problem(Kind.CONTENT_UNPROVEN, packed.pack))
        await self._close_frame()
        await self._close()
        await self._packs.flush(self._id)
        return done

    async def _one(self, packed: Packed, wanted: Wanted) -> bool:
        hit = [any(wanted(chunk.name) for chunk in frame.chunks) for frame in packed.frames]
        key = self._vault.prefix + pack_key(packed.pack)
        for stretch in stretches(packed, hit, self._packs.cipher):
            try:
                data = await self._vault.bucket.stretch(key, stretch.start, stretch.end - stretch.start)
            except Refusal:
                return False
            except Stop as stop:
                if stop.problem.facts.get("code") not in LOST:
                    raise
                return False
            at = 0
            for frame in stretch.frames:
                if not await self._take(data[at : at + frame.stored], frame, wanted):
                    return False
                at += frame.stored
        return True

    async def _take(self, piece: bytes, frame: Frame, wanted: Wanted) -> bool:
        """Takes what is wanted of one frame. False where something of it is not what its name says."""
        if not any(wanted(chunk.name) for chunk in frame.chunks):
            return True
        try:
            taken = await asyncio.to_thread(self._proven, piece, frame, wanted)
        except pack.Broken:
            return False
        for chunk, data in taken:
            self._chunks.append((chunk, data))
            self._size += chunk.size
            if self._size >= FRAME:
                await self._close_frame()
        return True

    def _proven(self, piece: bytes, frame: Frame, wanted: Wanted) -> list[tuple[Chunk, bytes]]:
        """In a thread: the chunks that are wanted. Raises Broken where one has another name."""
        plain, at, taken = pack.unpack(piece, frame, self._packs.cipher), 0, []
        for chunk in frame.chunks:
            data, at = plain[at : at + chunk.size], at + chunk.size
            if wanted(chunk.name):
                if self._packs.cipher.name(hashlib.sha256(data).digest()) != chunk.name:
                    raise pack.Broken("a chunk has another name")
                taken.append((chunk, data))
        return taken

    async def _close_frame(self) -> None:
        if not self._chunks:
            return
        told, self._chunks, self._size = self._chunks, [], 0
        piece = await asyncio.to_thread(pack.compress, [data for _, data in told], self._packs.cipher)
        self._open.add(piece, [chunk for chunk, _ in told])
        if self._open.is_full:
            await self._close()

    async def _close(self) -> None:
        if self._open.size:
            full, self._open = self._open, Open()
            await self._packs.put(full)
