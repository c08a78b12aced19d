"""Who is writing: one small object for each snapshot that a run wants to go on from.

    {"id": "20261122T180000Z-6c5f0a26", "host": "5f0c…", "owner": "runner-7", "uploads": [["data/ticks.bin", …]]}

Its key is the parent's id, or the source's own name where there is none, so a run that committed needs no release: who
comes after goes on from another snapshot. It is made with `x-oss-forbid-overwrite`, which lets one of many in; a
versioned bucket, suspended or not, ignores that, so there it is asked before. Wherever it could have been another's, it
is looked at again before the first write, and with it whether the parent is still the newest: the run that had it may
have committed since the parent was read.
It is written anew every minute, and, `released`, when the run ends without a snapshot.

A run that removes what is gone after its commit does so under the lease of who comes next (`stay`): its id is then its
own name. What stands there of another run is never released nor written over.

Where another run's lease is found, that run is alive until nobody has written it for `LIFE`, both times being OSS's
own; on this host a lock of the operating system tells at once that it is dead. A dead one is not written over: who
comes next makes another beside it, `<name>.1.lease`, `.2`, and so on, and that lets one of many in again. Before the
commit the lease must still be ours and the last of its name, and the parent still the newest.

The multipart uploads that are open stand in it, so that the next run can resume what a killed one began, or end it. A
run that commits at its deadline passes its open uploads on: as a released lease, for the snapshot that it committed.

The shards of one run share a lease: its `id` is their group's, each of them writes the same, and none releases it, so
that it lives for `LIFE` after the last one has. Who makes one snapshot of what they did comes next at once (`heir`).
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import time
from collections.abc import Mapping
from typing import Final

import fastcrc
import msgspec

from backup_action.adapters.oss.data import Answer, Bucket
from backup_action.core.problem import Kind, Stop
from backup_action.core.snapshot import Snapshot
from backup_action.vault.catalogue import LEASE, SNAPSHOTS, Catalogue, Vault
from backup_action.vault.uploads import LONGEST, Begun, OpenUploads

LIFE: Final = 300.0  # seconds after its last writing
RENEW: Final = 60.0  # seconds between two writings
SETTLE: Final = 1.0  # seconds that an upload is open before it is worth a writing
TURNS: Final = 100  # leases beside each other that may have come since the listing
PARTING: Final = 1.5  # seconds that a release may take; a cancelled job has five in all


class Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a lease says."""

    id: str
    host: str
    owner: str
    uploads: list[Begun] = []
    released: bool = False


class Lease:
    """This run's. `take` it, `renew` it in a task of its own, `confirm` before a write, `release` on failure."""

    def __init__(
        self, vault: Vault, id: str, host: str, owner: str, *, shared: OpenUploads | None = None, heir: str = ""
    ) -> None:  # fmt: skip
        """`id` is the snapshot's to be, `host` a token that only runs of this host share, `owner` is for people.

        `shared`: by all runs with this id; then open uploads are noted there. `heir`: of the run with that id, which is
        over though its lease lives.
        """
        self.versioning = ""  # Enabled, Suspended or "", as the answer to its first writing tells
        self.is_after_failure = False  # an earlier run wrote, and never committed
        self.inherited: dict[str, Begun] = {}  # uploads that it left open, by key
        self._vault = vault
        self._bucket: Bucket = vault.bucket
        self._headers = vault.headers
        self._name = vault.lease_name
        self._turn = 0
        self._start = f"{vault.prefix}{SNAPSHOTS}"
        self._me = Holder(id, host, owner)
        self._aside = shared
        self._is_shared = shared is not None
        self._heir = heir
        self._open: dict[str, tuple[Begun, float]] = {}
        self.late: list[Begun] = []  # uploads that are left open, for the next run
        self._told: list[Begun] = []
        self._etags: set[str] = set()
        self._confirmed = False
        self._ended = False
        self._one = asyncio.Lock()

    @property
    def _key(self) -> str:
        return self._key_of(self._turn)

    def _key_of(self, turn: int) -> str:
        return f"{self._start}{self._named(turn)}{LEASE}"

    def _named(self, turn: int) -> str:
        return f"{self._name}.{turn}" if turn else self._name

    async def take(self, catalogue: Catalogue, parent: Snapshot | None) -> None:
        """Takes the lease. Raises Stop while another run holds it."""
        if parent is not None:
            self._name = parent.id
        if self._name not in catalogue.leases and await self._make():
            self._confirmed = not self.versioning and not self._is_shared
            return
        while self._named(self._turn + 1) in catalogue.leases:
            self._turn += 1
        for _ in range(TURNS):
            if await self._succeed(catalogue):
                await self._write(self._me)
                return
            self._turn += 1
            if await self._make():
                return
        raise Stop(Kind.LEASE_HELD, self._key)

    async def _make(self) -> bool:
        """Makes it. False where there is one: another run was faster, or it is ours, and the answer was lost."""
        if self._vault.may_be_versioned and await self._etag():
            return False
        try:
            await self._write(self._me, {"x-oss-forbid-overwrite": "true"})
        except Stop as stop:
            if stop.problem.facts.get("code") != "FileAlreadyExists":
                raise
            return False
        return True

    async def _succeed(self, catalogue: Catalogue) -> bool:
        """Takes over from the run whose lease is there; true where it is ours. Raises Stop while it is alive."""
        told = await self._read(self._turn)
        if told is None:
            return False
        before, age = told
        removes = before.id == self._name
        if not removes and before.id in (self._me.id, *catalogue.ids):
            if (
                before.id == self._me.id
                and self._is_shared
                and self._turn
                and (told := await self._read(self._turn - 1))
            ):
                self._inherit(told[0])  # another of us took over from that one
            return before.id == self._me.id
        is_other = before.host != self._me.host or self._is_shared
        if not before.released and is_other and before.id != self._heir and age < LIFE:
            raise Stop(Kind.LEASE_HELD, self._key, owner=before.owner, seconds=round(LIFE - age))
        self._inherit(before)
        return False

    async def _read(self, turn: int) -> tuple[Holder, float] | None:
        """What a lease says, and its age in seconds; None where there is none of ours, or a damaged one."""
        answer = await self._bucket.get(self._key_of(turn), first=LONGEST)
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            return (msgspec.json.decode(answer.body, type=Holder), _age(answer)) if answer else None
        return None

    def _inherit(self, before: Holder) -> None:
        self.is_after_failure = before.id != self._name
        self.inherited = {begun.key: begun for begun in before.uploads if begun.is_below(self._vault.prefix)}

    async def renew(self) -> None:
        """Writes it anew every minute, and when uploads have begun or ended. Raises Stop when another run took it."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(SETTLE / 2)
            now = time.monotonic()
            settled = [begun for begun, since in self._open.values() if now - since >= SETTLE]
            if settled == self._told and now - last < RENEW:
                continue
            async with self._one:
                if self._ended:
                    return
                await self._look()
                self._told, last = settled, now
                await self._tell(settled)

    async def _tell(self, uploads: list[Begun], *, released: bool = False) -> None:
        """Notes what is open: in the lease, or where that is also others', beside it."""
        if self._aside is None:
            await self._write(msgspec.structs.replace(self._me, uploads=uploads, released=released))
            return
        if not released:
            await self._write(self._me)
        await self._aside.note(uploads)

    def began(self, key: str, upload: str, part: int, headers: str) -> None:
        """Notes that an upload is open."""
        self.inherited.pop(key, None)
        self._open[key] = (Begun(key, upload, part, headers), time.monotonic())

    def is_late(self, key: str) -> None:
        """Notes that an upload is left open, for the next run."""
        self.late.append(self._open.pop(key)[0])

    def ended(self, key: str) -> None:
        """Notes that it is so no more."""
        self._open.pop(key, None)

    async def confirm(self) -> None:
        """Before a write: raises Stop where another run took the lease, or committed since the parent was read.

        Asks once, and not where nobody else can have had it.
        """
        if not self._confirmed:
            async with self._one:
                if not self._confirmed:
                    catalogue = await self._vault.catalogue()
                    await self._vault.refuse_moved(catalogue)
                    await self.check(catalogue)
                    self._confirmed = True

    async def stay(self) -> bool:
        """After the commit: holds the lease of who comes next. False where somebody has come, and nothing is held."""
        if self.versioning == "Enabled":  # there no removal takes a version from anybody
            return True
        async with self._one:
            before, self._name, self._turn = (self._name, self._turn), self._me.id, 0
            await self._make()
            if await self._etag() in self._etags:
                return True
            self._name, self._turn = before
        return False

    async def _look(self) -> None:
        await self._check(await self._etag(), is_last=not await self._etag(self._turn + 1))

    async def _etag(self, turn: int = -1) -> str:
        answer = await self._bucket.head(self._key if turn < 0 else self._key_of(turn))
        return answer.etag if answer else ""

    async def check(self, catalogue: Catalogue) -> None:
        """Before the commit: raises Stop where another run took the lease meanwhile."""
        row = catalogue.leases.get(self._named(self._turn))
        await self._check(row.etag if row else "", is_last=self._named(self._turn + 1) not in catalogue.leases)

    async def _check(self, etag: str, *, is_last: bool) -> None:
        is_ours = etag in self._etags
        if not is_ours and self._is_shared:  # another of us wrote it last, and its ETag need not be an MD5
            told = await self._read(self._turn)
            is_ours = told is not None and told[0].id == self._me.id
        if not is_ours or not is_last:
            self._etags.clear()  # what stands there is not ours to release
            raise Stop(Kind.LEASE_LOST, self._key)

    async def _write(self, holder: Holder, condition: Mapping[str, str] = {}) -> None:
        data = msgspec.json.encode(holder)
        headers = {"content-type": "application/json", **self._headers, **condition}
        written = await self._bucket.put(self._key, data, fastcrc.crc64.xz(data), headers)
        self.versioning = {"": "", "null": "Suspended"}.get(written.version, "Enabled")
        self._etags.add(written.etag)

    async def pass_on(self) -> None:
        """After a commit that some files missed: leaves their uploads to the run that goes on from it."""
        left = [*self.late, *self.inherited.values()]
        self._name, self._turn = self._me.id, 0
        parting = msgspec.structs.replace(self._me, uploads=left, released=True)
        with contextlib.suppress(Stop):  # where that fails they stay open until the lifecycle rule ends them
            await self._write(parting, {"x-oss-forbid-overwrite": "true"})

    async def release(self) -> None:
        """Lets others in at once after a run that did not commit. What cannot be released ends by itself."""
        self._ended = True
        if self._etags:
            uploads = [begun for begun, _ in self._open.values()] + list(self.inherited.values())
            parting = self._tell(uploads, released=True)
            with contextlib.suppress(Stop, TimeoutError):
                await asyncio.shield(asyncio.wait_for(parting, PARTING))


async def writing(vault: Vault, catalogue: Catalogue, now: float) -> list[str]:
    """The ids of the snapshots that runs are about to write below the prefix, whichever source. Raises Stop.

    `now` is OSS's clock, or some time before: then a run that is dead counts too.
    """
    alive = [name for name, row in catalogue.leases.items() if row.last_modified > now - LIFE]
    keys = [f"{vault.prefix}{SNAPSHOTS}{name}{LEASE}" for name in alive]
    found = []
    for answer in await asyncio.gather(*(vault.bucket.get(key, first=LONGEST) for key in keys)):
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):  # no lease of ours
            holder = msgspec.json.decode(answer.body if answer else b"", type=Holder)
            if not holder.released and holder.id not in catalogue.ids:
                found.append(holder.id)
    return found


def _age(answer: Answer) -> float:
    """Seconds since the lease was written, both moments by OSS's clock; 0 where that cannot be told."""
    try:
        now, then = (email.utils.parsedate_to_datetime(answer.headers[name]) for name in ("Date", "Last-Modified"))
        return (now - then).total_seconds()
    except (KeyError, ValueError, TypeError):
        return 0.0
