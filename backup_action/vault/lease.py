"""Who is writing: one small object for each snapshot that a run wants to go on from.

    {"id": "20261122T180000Z-6c5f0a26", "host": "5f0c…", "owner": "runner-7", "uploads": [["data/ticks.bin", …]]}

Its key is the parent's id, or the source's own name where there is none, so a run that committed needs no release: who
comes after goes on from another snapshot. It is made with `x-oss-forbid-overwrite`, which lets one of many in; a
versioned bucket ignores that, so there it is looked at again before the first write. It is written anew every minute,
and, `released`, when the run ends without a snapshot.

Where another run's lease is found, that run is alive until nobody has written it for `LIFE`, both times being OSS's
own; on this host a lock of the operating system tells at once that it is dead. Before the commit the lease must still
be ours, and the parent still the newest.

The multipart uploads that are open stand in it, so that the next run can resume what a killed one began, or end it. A
run that commits at its deadline passes its open uploads on: as a released lease, for the snapshot that it committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import hashlib
import time
from collections.abc import Mapping
from typing import Final

import fastcrc
import msgspec

from backup_action.adapters.oss.data import Answer, Bucket
from backup_action.core.problem import Kind, Stop
from backup_action.core.snapshot import Snapshot
from backup_action.vault.catalogue import LEASE, SNAPSHOTS, Catalogue, Vault

LIFE: Final = 300.0  # seconds after its last writing
RENEW: Final = 60.0  # seconds between two writings
SETTLE: Final = 1.0  # seconds that an upload is open before it is worth a writing
PARTING: Final = 1.5  # seconds that a release may take; a cancelled job has five in all


class Begun(msgspec.Struct, frozen=True, array_like=True):
    """A multipart upload that is open: of which key, in parts of how many bytes, with headers of which digest."""

    key: str
    upload: str
    part: int
    headers: str


class Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a lease says."""

    id: str
    host: str
    owner: str
    uploads: list[Begun] = []
    released: bool = False


class Lease:
    """This run's. `take` it, `renew` it in a task of its own, `confirm` before a write, `release` on failure."""

    def __init__(self, vault: Vault, id: str, host: str, owner: str) -> None:
        """`id` is the snapshot's to be, `host` a token that only runs of this host share, `owner` is for people."""
        self.versioning = ""  # Enabled, Suspended or "", as the answer to its first writing tells
        self.is_after_failure = False  # an earlier run wrote, and never committed
        self.inherited: dict[str, Begun] = {}  # uploads that it left open, by key
        self._bucket: Bucket = vault.bucket
        self._headers = vault.headers
        self._name = vault.lease_name
        self._start = f"{vault.prefix}{SNAPSHOTS}"
        self._me = Holder(id, host, owner)
        self._open: dict[str, tuple[Begun, float]] = {}
        self._late: list[Begun] = []
        self._told: list[Begun] = []
        self._etags: set[str] = set()
        self._confirmed = False
        self._one = asyncio.Lock()

    @property
    def _key(self) -> str:
        return f"{self._start}{self._name}{LEASE}"

    async def take(self, catalogue: Catalogue, parent: Snapshot | None) -> None:
        """Takes the lease. Raises Stop while another run holds it."""
        if parent is not None:
            self._name = parent.id
        is_new = self._name not in catalogue.leases
        if is_new:
            try:
                await self._write(self._me, {"x-oss-forbid-overwrite": "true"})
            except Stop as stop:  # another run was faster; or it was ours, and its answer was lost
                if stop.problem.facts.get("code") != "FileAlreadyExists":
                    raise
                is_new = False
        if not is_new:
            await self._succeed(catalogue)
            await self._write(self._me)
        self._confirmed = is_new and not self.versioning

    async def _succeed(self, catalogue: Catalogue) -> None:
        """Takes over from a run whose lease is there. Raises Stop while that is alive."""
        answer = await self._bucket.get(self._key)
        try:
            before = msgspec.json.decode(answer.body, type=Holder) if answer else None
        except msgspec.MsgspecError:  # no lease of ours: it is overwritten, as a damaged one must be
            before = None
        if answer is None or before is None or before.id == self._me.id:
            return
        is_committed = before.id in catalogue.ids
        if not (is_committed or before.released) and before.host != self._me.host and _age(answer) < LIFE:
            raise Stop(Kind.LEASE_HELD, self._key, owner=before.owner, seconds=round(LIFE - _age(answer)))
        self.is_after_failure = not is_committed
        self.inherited = {begun.key: begun for begun in before.uploads}

    async def renew(self) -> None:
        """Writes it anew every minute, and when uploads have begun or ended. Raises Stop when another run took it."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(SETTLE / 2)
            now = time.monotonic()
            settled = [begun for begun, since in self._open.values() if now - since >= SETTLE]
            if settled == self._told and now - last < RENEW:
                continue
            if now - last >= RENEW:
                await self._look()
            self._told, last = settled, now
            await self._write(msgspec.structs.replace(self._me, uploads=settled))

    def began(self, key: str, upload: str, part: int, headers: str) -> None:
        """Notes that an upload is open."""
        self.inherited.pop(key, None)
        self._open[key] = (Begun(key, upload, part, headers), time.monotonic())

    def is_late(self, key: str) -> None:
        """Notes that an upload is left open, for the next run."""
        self._late.append(self._open.pop(key)[0])

    def ended(self, key: str) -> None:
        """Notes that it is so no more."""
        self._open.pop(key, None)

    async def confirm(self) -> None:
        """Before a write: raises Stop where another run took the lease at the same moment. Asks once."""
        if not self._confirmed:
            async with self._one:
                if not self._confirmed:
                    await self._look()
                    self._confirmed = True

    async def _look(self) -> None:
        answer = await self._bucket.head(self._key)
        self._check(answer.etag if answer else "")

    def check(self, catalogue: Catalogue) -> None:
        """Before the commit: raises Stop where another run took the lease meanwhile."""
        row = catalogue.leases.get(self._name)
        self._check(row.etag if row else "")

    def _check(self, etag: str) -> None:
        if etag not in self._etags:
            raise Stop(Kind.LEASE_LOST, self._key)

    async def _write(self, holder: Holder, condition: Mapping[str, str] = {}) -> None:
        data = msgspec.json.encode(holder)
        headers = {"content-type": "application/json", **self._headers, **condition}
        written = await self._bucket.put(self._key, data, fastcrc.crc64.xz(data), headers)
        self.versioning = {"": "", "null": "Suspended"}.get(written.version, "Enabled")
        self._etags.add(written.etag)

    async def pass_on(self) -> None:
        """After a commit that some files missed: leaves their uploads to the run that goes on from it."""
        left = [*self._late, *self.inherited.values()]
        self._name = self._me.id
        with contextlib.suppress(
            Stop
        ):  # another run is faster than light, or OSS is gone: they stay until a rule ends them
            await self._write(
                msgspec.structs.replace(self._me, uploads=left, released=True), {"x-oss-forbid-overwrite": "true"}
            )

    async def release(self) -> None:
        """Lets others in at once after a run that did not commit. What cannot be released ends by itself."""
        if self._etags:
            uploads = [begun for begun, _ in self._open.values()] + list(self.inherited.values())
            parting = self._write(msgspec.structs.replace(self._me, uploads=uploads, released=True))
            with contextlib.suppress(Stop, TimeoutError):
                await asyncio.shield(asyncio.wait_for(parting, PARTING))


def digest(headers: dict[str, str]) -> str:
    """What tells one set of headers from another."""
    return hashlib.sha256(repr(sorted(headers.items())).encode()).hexdigest()[:16]


def _age(answer: Answer) -> float:
    """Seconds since the lease was written, both moments by OSS's clock; 0 where that cannot be told."""
    try:
        now, then = (email.utils.parsedate_to_datetime(answer.headers[name]) for name in ("Date", "Last-Modified"))
        return (now - then).total_seconds()
    except (KeyError, ValueError, TypeError):
        return 0.0
