"""verify: wanted is what the snapshots name, there is the bucket. The difference is told, and nothing is written.

The chain of snapshots is walked first, then the content of their files is proven: by the listing, and a few HEADs or
the indexes of packs; with `read` by its bytes. Damage never hides what else there is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import msgspec

from backup_action import access
from backup_action.adapters import progress
from backup_action.core import render, selection, selector, verification
from backup_action.core.entry import Entry
from backup_action.core.problem import STATUS, Kind, Problem, Status, Stop
from backup_action.core.report import Draft, SnapshotLine
from backup_action.core.selection import Selection
from backup_action.core.snapshot import Snapshot
from backup_action.core.verification import Findings, Link, Proof, Share, Verification
from backup_action.settings import Settings
from backup_action.transfer.prover import prover
from backup_action.transfer.proving import Proving
from backup_action.transfer.proving_packs import ProvingPacks
from backup_action.vault import Vault
from backup_action.vault.walk import Walked, walk

DAY: Final = 86_400  # seconds


async def run(settings: Settings, environ: Mapping[str, str], draft: Draft, stopped: Callable[[], bool]) -> None:
    """The whole journey. Fills the draft as it goes; raises Stop."""
    chosen = selection.select(settings.exclude, settings.include)
    announce(draft, settings)
    async with access.opened(settings, environ, draft) as (bucket, _):
        vault = await access.unlocked(bucket, settings, draft)
        await progress.tell(render.walking(settings.language))
        walked = await walk(vault)
        snapshot = await choose(vault, walked, settings.snapshot or selector.LATEST)
        tell_of_chain(draft, walked, snapshot, settings.expect_digest)
        if snapshot is None:
            return
        findings = Findings(several=settings.all_snapshots)
        share = to_read(settings, int(draft.started // DAY))
        proving = await prover(
            vault, snapshot.marks, findings, draft.tally, share=share, concurrency=settings.concurrency,
            stopped=stopped, tell=draft.tell,
        )  # fmt: skip
        scope = walked.links[::-1] if settings.all_snapshots else [verification.link(snapshot)]
        async with watched(proving, scope, settings, environ), noted(draft, findings, share, proving):
            for number, link in enumerate(scope, 1):
                await progress.tell(render.verifying(link, number, len(scope), settings.language))
                one = snapshot if link.id == snapshot.id else await vault.snapshot(link.id)
                await proving.run(link.id, partial(wanted, one, chosen))
                findings.snapshots += 1
        if chosen.included and not draft.tally.total().files_total:
            raise Stop(Kind.SNAPSHOT_UNKNOWN, snapshot.id, cause="unmatched")
        draft.verified = all(STATUS[kind] is Status.OK for kind in draft.tally.met())


def announce(draft: Draft, settings: Settings) -> None:
    """Puts into the draft what is known before anything is asked."""
    access.announce(draft, settings, ())
    draft.dry_run = False  # nothing is ever written
    draft.tally.open_roots(1)


def to_read(settings: Settings, day: int) -> Share | None:
    """The share of the files, or packs, that is read, or None. A subset is asked for to be read."""
    if settings.read_subset:
        return verification.share(settings.read_subset, day)
    return verification.EVERYTHING if settings.read else None


async def choose(vault: Vault, walked: Walked, text: str) -> Snapshot | None:
    """The snapshot that is meant; where the latest is damaged the newest that is not, and None for any other."""
    try:
        found = await vault.choose(text)
        if found.id not in walked.damaged:
            return found
    except Stop as stop:
        if stop.problem.where not in walked.damaged:
            raise
    newest = walked.links[-1:] if text == selector.LATEST else []
    return await vault.snapshot(newest[0].id) if newest else None


def tell_of_chain(draft: Draft, walked: Walked, snapshot: Snapshot | None, expected: str) -> None:
    """Tells of snapshots that cannot be read, of a chain that does not hold, and of another digest than expected."""
    broken, gaps = verification.chain(walked.links, walked.damaged)
    for problem in (*walked.damaged.values(), *broken):
        draft.tell(problem)
    if snapshot is not None:
        draft.snapshot = SnapshotLine.of(snapshot)
        if expected and snapshot.foot.digest != expected:
            facts = {"expected": expected, "found": snapshot.foot.digest}
            draft.tell(Problem(Kind.SNAPSHOT_DIGEST, snapshot.id, facts))
    is_expected = snapshot is not None and snapshot.foot.digest == expected
    draft.verification = Verification(walked=len(walked.links), gaps=gaps, expected=is_expected)


@asynccontextmanager
async def watched(
    proving: Proving | ProvingPacks, scope: list[Link], settings: Settings, environ: Mapping[str, str]
) -> AsyncIterator[None]:
    """Says how far the verification is while it runs."""
    files, size = sum(link.files for link in scope), sum(link.bytes for link in scope)
    async with progress.shown(proving.looked_at, files, size, settings.language, environ):
        yield


@asynccontextmanager
async def noted(
    draft: Draft, findings: Findings, share: Share | None, proving: Proving | ProvingPacks
) -> AsyncIterator[None]:
    """What was found goes into the draft at the end, however that comes."""
    try:
        yield
    finally:
        for problem in (*proving.problems(), *findings.problems()):
            draft.tell(problem)
        counts = findings.counts
        draft.verification = msgspec.structs.replace(
            draft.verification or Verification(),
            snapshots=findings.snapshots,
            listed=counts[Proof.LISTED],
            asked=counts[Proof.ASKED],
            read=counts[Proof.READ],
            read_bytes=findings.read_bytes,
            share=str(share) if share else "",
            damaged=findings.damaged,
            frozen=counts[Proof.FROZEN],
            packed=counts[Proof.PACKED],
            chunks=counts[Proof.CHUNKS],
            packs=proving.packs,
        )


def wanted(snapshot: Snapshot, chosen: Selection) -> Iterator[Entry]:
    """What of a snapshot is proven: patterns are matched against its paths, from its top."""
    return (entry for entry in snapshot.entries() if entry.is_file and chosen.takes(entry.path))
