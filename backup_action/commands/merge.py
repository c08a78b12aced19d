"""merge: wanted is one snapshot of what the shards of a run handed on, there are their parts; all of them, or none.

It refuses where a part is missing, where parts do not fit together, and where the snapshot that they go on from is no
longer the newest. What they name is proven before the commit (law 1), and removed after it are the parts, and what is
gone from the disk, if that is asked for: of all the shards' work only this verb can tell what is gone for good.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from backup_action import access
from backup_action.adapters import progress
from backup_action.adapters.overflow import Overflow
from backup_action.core import recent, render, shard
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.report import Draft
from backup_action.core.snapshot import Snapshot, Writer
from backup_action.settings import Settings
from backup_action.transfer import committing, merging, sharing
from backup_action.transfer.merging import Gathered
from backup_action.vault import Lease, Vault
from backup_action.vault.shards import Shards


async def run(settings: Settings, environ: Mapping[str, str], draft: Draft, stopped: Callable[[], bool]) -> None:
    """The whole journey. Fills the draft as it goes; raises Stop."""
    access.announce(draft, settings, ())
    group = sharing.group_of(settings, draft)
    async with access.opened(settings, environ, draft) as (bucket, token):
        vault = await access.unlocked(bucket, settings, draft, keep=Overflow().keep)
        catalogue = await vault.catalogue()
        parent, shards = await vault.parent(catalogue), Shards(vault, group)
        found = await merging.gather(vault, shards)
        refuse_moved(found, parent)
        begin(found, parent, vault, draft)
        roots = tuple(found.parts[0].roots)
        census = merging.take_in(found, draft, roots)
        head = committing.new_head(vault, draft, roots, parent)
        lease = Lease(vault, head.id, token, draft.run.url or draft.run.host, heir=shard.RUN + group)
        async with committing.writing(vault, catalogue, parent, lease, settings, draft) as safe:
            left = await still_there(shards, found)
            await merging.prove(vault, found, head.id, settings.concurrency, stopped)
            writer = Writer(head, vault.keep)
            gone = await asyncio.to_thread(merging.fill, writer, found.merged(), vault.keep)
            committing.sound(census, parent, settings, draft)
            if safe:
                await progress.tell(render.committing(settings.language))
                goes_on = shard.goes_on(found.parts, parent.foot.reread if parent else 0)
                complete = all(part.complete for part in found.parts)
                await committing.commit(vault, safe, writer, head, parent, draft, complete=complete, goes_on=goes_on)
                await committing.tidy(vault, safe, gone, settings, roots, draft)
                await clear(shards, left, draft)


def refuse_moved(found: Gathered, parent: Snapshot | None) -> None:
    """Raises Stop where another run has committed since the shards began."""
    before = found.parts[0].parent
    if (before.id if before else "") != (parent.id if parent else ""):
        raise Stop(Kind.PARENT_MOVED, parent.id if parent else "", cause="merge")


def begin(found: Gathered, parent: Snapshot | None, vault: Vault, draft: Draft) -> None:
    """The run began with the first of its shards: so say its id, its duration, and whoever looks who is writing."""
    began = min(part.began for part in found.parts) - vault.bucket.attempts.now() + time.time()
    draft.started = min(draft.started, began)
    draft.recent, draft.kept = (parent.recent if parent else []), recent.kept(vault.kept())


async def still_there(shards: Shards, found: Gathered) -> list[str]:
    """Under the lease: raises Stop where a shard has begun again. Gives the keys of all that shards have left."""
    if await shards.attempts() != found.attempts:
        raise Stop(Kind.LEASE_HELD, shards.group, owner=shards.group)
    return await shards.left()


async def clear(shards: Shards, keys: list[str], draft: Draft) -> None:
    """Removes the parts. Where that may not be, they stay, and it is told."""
    trouble = await merging.clear(shards, keys)
    if trouble is not None:
        facts = {"count": str(len(keys)), "reason": trouble.problem.facts.get("code") or trouble.problem.kind.value}
        draft.tell(Problem(Kind.SHARDS_LEFT, shards.group, facts))
