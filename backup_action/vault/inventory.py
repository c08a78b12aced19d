"""What the bucket has of packs: its indexes and its listing, and the bytes of a pack (layout vault).

As `evidence` is for the layout tree: nothing of a pack is read before it is asked for. An index that cannot be read
is told of, and hides none of the others; what only it knew of is then nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from backup_action.adapters.oss.refusal import Refusal
from backup_action.core import index
from backup_action.core.cipher import Cipher
from backup_action.core.holdings import Holdings
from backup_action.core.index import Packed
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.vault.catalogue import Vault
from backup_action.vault.contents import FROZEN, Frozen, Missing
from backup_action.vault.packs import Read, indexes, listed, pack_key

Tell = Callable[[Problem], None]
CONTRADICTION: Final = "it tells of the pack {} otherwise than another index"


class Inventory:
    """Of one vault, unlocked. `gather` comes first."""

    def __init__(self, vault: Vault, tell: Tell) -> None:
        """`tell` hears of every index that is damaged."""
        self.holdings = Holdings({})
        self._vault = vault
        self._tell = tell
        self._indexes: dict[str, Read] = {}

    async def gather(self) -> None:
        """Lists the packs and reads the indexes. Raises Stop."""
        told = indexes(self._vault, self._vault.ring, self._tell)
        (self._indexes, _), sizes = await asyncio.gather(told, listed(self._vault))
        self.holdings = await asyncio.to_thread(self._held, sizes)

    def _held(self, sizes: Mapping[str, int]) -> Holdings:
        found = Holdings(sizes)
        for id, one in self._indexes.items():
            try:
                for packed in index.packs(one.data):
                    found.add(id, one.key, packed)
            except index.Unreadable as error:
                self._tell(Problem(Kind.INDEX_DAMAGED, id, {"reason": str(error)}))
        for id, name in found.contradictions:
            self._tell(Problem(Kind.INDEX_DAMAGED, id, {"reason": CONTRADICTION.format(name)}))
        return found

    def cipher(self, number: int) -> Cipher:
        """What a telling's pack and chunks are sealed and named with. Raises Stop."""
        return self._vault.ring.of(self.holdings.told[number].key)

    def packs(self, numbers: Collection[int]) -> Iterator[tuple[int, Packed]]:
        """The packs of these tellings once more, with their frames, one at a time. Not for the event loop."""
        left = set(numbers)
        for one in self._indexes.values():
            try:
                for packed in index.packs(one.data):
                    number = self.holdings.number(one.key, packed)
                    if number in left:
                        left.discard(number)
                        yield number, packed
            except index.Unreadable:
                continue  # told of already

    async def read(self, packed: Packed) -> bytes:
        """A pack, in one request, as long as its index says. Raises Missing, Frozen, and Stop."""
        key = self._vault.prefix + pack_key(packed.pack)
        try:
            return await self._vault.bucket.stretch(key, 0, packed.size)
        except Refusal:
            raise Missing from None
        except Stop as stop:
            code = stop.problem.facts.get("code")
            if code == FROZEN:
                raise Frozen(stop, key, "") from None
            if code != "InvalidRange":
                raise
            return b""  # it has become shorter since it was listed
