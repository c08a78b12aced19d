"""What a shard does where a whole backup takes the lease and commits: it says that it begins, and hands its part on.

Its part is written after the content of its share is proven (law 2), and no other verb takes it for a snapshot.
"""

from __future__ import annotations

import asyncio
import hashlib
import time

import msgspec

from backup_action.core import place, shard
from backup_action.core.alarm import Census
from backup_action.core.problem import Kind, Stop
from backup_action.core.report import Draft
from backup_action.core.shard import Met, Part
from backup_action.core.snapshot import Head, Writer
from backup_action.core.verification import Share
from backup_action.settings import Settings, flag, variable
from backup_action.transfer.committing import still_ours
from backup_action.transfer.safekeeping import Safekeeping
from backup_action.vault import Vault
from backup_action.vault.lease import Lease
from backup_action.vault.shards import Shards
from backup_action.vault.uploads import OpenUploads


class Sharing(msgspec.Struct, frozen=True):
    """One shard's run."""

    vault: Vault
    shards: Shards
    share: Share
    rules: str  # digest of the settings that say what is taken
    uploads: OpenUploads

    def lease(self) -> Lease:
        """The lease that the shards of a group share; no host has it for itself, so that none of them ends it."""
        id = shard.RUN + self.shards.group
        return Lease(self.vault, id, "", id, shared=self.uploads)

    async def begin(self, safe: Safekeeping, id: str) -> None:
        """Under the lease, before the first write. Raises Stop where this shard is under way elsewhere.

        Of the uploads that a dead run left open it goes on with those of its own paths; the others are other shards'.
        """
        lease, start = safe.lease, len(self.vault.prefix)
        lease.is_after_failure = await self.shards.begin(self.share, id) or lease.is_after_failure
        left = {**lease.inherited, **{one.key: one for one in await self.uploads.read()}}
        lease.inherited = {key: one for key, one in left.items() if self.share.has(place.uncode(key[start:]))}

    async def hand_on(
        self, safe: Safekeeping, writer: Writer, head: Head, draft: Draft, census: Census, scan: Met, unread: int,
        goes_on: int,
    ) -> None:  # fmt: skip
        """Stores the part, if the lease still is the group's and the parent still the newest. Raises Stop.

        `scan`: what was met before the transfer; `unread`: places that the scan could not look at. Uploads that a dead
        run left and nobody needs are ended, but for a run that was cut: it notes them with its own.
        """
        await still_ours(self.vault, safe)
        complete = not unread and not draft.tally.total().files_failed
        own, ahead = shard.met(draft.tally, scan), self.vault.bucket.attempts.now() - time.time()
        counts = {kind.value: count for kind, count in own.counts.items()}
        data, foot = await asyncio.to_thread(writer.finish, counts, complete=complete)
        part = Part(
            format=shard.FORMAT, id=head.id, group=self.shards.group, number=self.share.number, of=self.share.of,
            source=draft.source, layout=head.layout, roots=head.roots, parent=head.parent, rules=self.rules,
            began=draft.started + ahead, digest=foot.digest, complete=complete, goes_on=goes_on,
            within=draft.turn.within, too_large=draft.turn.too_large, unread=unread, scan=scan, own=own,
            sums=draft.tally.sums(), census=census.counted(),
        )  # fmt: skip
        await self.shards.store(part, bytes(data))
        left = [*safe.lease.late, *safe.lease.inherited.values()]
        if Kind.FILE_LATE not in draft.tally.met():
            for begun in left:
                await self.vault.control.abort(begun.key, begun.upload)
            left = []
        await self.uploads.note(left)
        draft.verified = True


def of(vault: Vault, settings: Settings, draft: Draft) -> Sharing | None:
    """What the setting `shard` says; None for a run that takes all paths. Raises Stop where its group has no name."""
    share = shard.share(settings.shard)
    if share is None:
        return None
    told = msgspec.json.encode((settings.exclude, settings.include, settings.follow_symlinks))
    return Sharing(
        vault,
        Shards(vault, group_of(settings, draft)),
        share,
        hashlib.sha256(told).hexdigest()[:16],
        OpenUploads(vault, share),
    )


def group_of(settings: Settings, draft: Draft) -> str:
    """The name that the shards of one run share: the setting, or on GitHub the run's id. Raises Stop without one.

    The id, and not the attempt: a job that is run again takes the place of what it did before.
    """
    group = settings.shard_group or draft.run.run_id
    try:
        return shard.group(group)
    except ValueError:
        name = "shard-group"
        raise Stop(Kind.SETTING_MISSING, name, flag=flag(name), variable=variable(name)) from None
