"""backup: wanted are the files on disk, there is the last snapshot, checked against the bucket's listing.

What is missing or changed is sent, then a snapshot is committed, last of all (laws 1 and 2).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping

import msgspec

from backup_action.adapters import credentials, github
from backup_action.adapters.files.scan import Scan, scan
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket, Written
from backup_action.adapters.oss.place import Place
from backup_action.adapters.way import Way
from backup_action.core import place, plan, rights, selection
from backup_action.core.deadline import Deadline
from backup_action.core.place import Root
from backup_action.core.problem import Kind, Problem
from backup_action.core.report import Draft, SnapshotLine, Target
from backup_action.core.snapshot import FORMAT, Head, Origin, Parent, Snapshot, Writer
from backup_action.core.spool import Spool
from backup_action.core.stored import Stored
from backup_action.core.tally import Tally
from backup_action.settings import Settings
from backup_action.transfer.flow import together
from backup_action.transfer.upload import Upload
from backup_action.vault import Vault

LAYOUT = "tree"


async def backup(settings: Settings, environ: Mapping[str, str], draft: Draft, stopped: Callable[[], bool]) -> None:
    """The whole journey. Fills the draft as it goes; raises Stop."""
    roots = place.roots(settings.paths)
    chosen = selection.select(settings.exclude, settings.include)
    keys = keyring(settings, environ, draft)
    where, deadline = bucket_of(settings), Deadline.after(settings.deadline_minutes, time.monotonic)
    announce(draft, settings, where, roots)
    attempts = Attempts(where, keys, way=way_of(settings), deadline=deadline)
    limit = int(settings.bandwidth_limit or 0)
    async with Bucket(attempts, connections=settings.concurrency, limit=limit) as bucket:
        try:
            vault = Vault(bucket, settings.prefix, draft.source, LAYOUT)
            async with together() as group:
                scanning = group.create_task(asyncio.to_thread(scan, roots, chosen, vault.room, stopped))
                asking = group.create_task(state(vault, roots))
            scanned, (parent, listing) = scanning.result(), asking.result()
            tell_of_sources(draft, scanned, parent, roots)
            items = plan.compare(
                scanned.found, parent.entries() if parent else (), itertools.chain(*listing), scanned.covers
            )
            head = begin(vault, draft, roots, parent)
            writer = Writer(head)
            upload = Upload(
                vault, roots, writer, draft.tally, concurrency=settings.concurrency, dry=settings.dry_run,
                stopped=stopped,
            )  # fmt: skip
            await upload.run(items)
            draft.tally.out_of_reach(len(scanned.unread))
            if not settings.dry_run:
                await commit(vault, writer, head, parent, scanned, draft)
        finally:
            draft.requests = bucket.requests
            tell_of_keys(draft, settings, keys)


def keyring(settings: Settings, environ: Mapping[str, str], draft: Draft) -> credentials.Keyring:
    """The keys that the settings choose."""

    def hide(secret: str) -> None:
        github.mask(secret, environ)
        draft.secrets.add(secret)

    if settings.allow_static_keys:
        return credentials.Keyring(credentials.stored(environ, hide))
    role = credentials.Role(
        settings.role_to_assume,
        settings.oidc_provider_arn,
        settings.audience,
        settings.role_session_name,
        settings.role_session_expiration,
        settings.sts_endpoint or f"https://sts.{settings.region}.aliyuncs.com",
        rights.policy("backup", settings.bucket, settings.prefix),
    )
    way = way_of(settings)
    return credentials.Keyring(lambda: credentials.assume(role, environ, hide, way), settings.role_session_expiration)


def way_of(settings: Settings) -> Way:
    """By which way every neighbour is reached."""
    return Way(settings.proxy, settings.ca_bundle)


def tell_of_keys(draft: Draft, settings: Settings, keys: credentials.Keyring) -> None:
    """Notes what kind of keys the run had, if it came to have any."""
    draft.identity = keys.identity
    if keys.is_used and settings.allow_static_keys:
        draft.tell(Problem(Kind.KEYS_STORED, "allow-static-keys"))
    elif keys.is_used and not settings.prefix:
        draft.tell(Problem(Kind.POLICY_WIDE, settings.bucket, {"bucket": settings.bucket}))


def bucket_of(settings: Settings) -> Place:
    """Which bucket, and its endpoint: the setting's or the region's public one."""
    endpoint = settings.endpoint or f"https://oss-{settings.region}.aliyuncs.com"
    return Place(settings.bucket, settings.region, endpoint, settings.prefix)


def announce(draft: Draft, settings: Settings, where: Place, roots: tuple[Root, ...]) -> None:
    """Puts into the draft what is known before anything is asked."""
    draft.target = Target(where.bucket, where.region, settings.prefix, where.endpoint, LAYOUT)
    draft.source = settings.source or draft.run.repository or draft.run.host
    draft.dry_run = settings.dry_run
    draft.roots = tuple((root.source, root.destination) for root in roots)
    draft.tally.open_roots(len(roots))


async def state(vault: Vault, roots: tuple[Root, ...]) -> tuple[Snapshot | None, list[Spool[Stored]]]:
    """What is there: the parent and the listing. Raises Stop where another source's places overlap ours."""
    catalogue = await vault.catalogue()
    parent = await vault.parent(catalogue)
    await vault.refuse_overlap(catalogue, roots)
    if parent is None:
        await vault.ask_to_read()
    return parent, await vault.listing(parent.marks if parent else [])


def tell_of_sources(draft: Draft, scanned: Scan, parent: Snapshot | None, roots: tuple[Root, ...]) -> None:
    """Notes what the scan met, and places of the last snapshot that this run was not asked to back up."""
    for problem in scanned.problems:
        draft.tell(problem)
    if parent is None:
        return
    left = [root.destination or "." for root in parent.head.roots if not place.overlap((root,), roots)]
    if left:
        draft.tell(Problem(Kind.ROOTS_DROPPED, ", ".join(left), {"snapshot": parent.id}))


def begin(vault: Vault, draft: Draft, roots: tuple[Root, ...], parent: Snapshot | None) -> Head:
    """The head of the new snapshot."""
    run = draft.run
    return Head(
        format=FORMAT,
        id=vault.new_id(draft.started),
        sequence=parent.head.sequence + 1 if parent else 1,
        source=draft.source,
        layout=LAYOUT,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(draft.started)),
        version=draft.version,
        roots=list(roots),
        parent=Parent(parent.id, parent.foot.digest) if parent else None,
        origin=Origin(run.host, run.repository, run.run_id, run.attempt, run.commit, run.actor),
    )


async def commit(
    vault: Vault, writer: Writer, head: Head, parent: Snapshot | None, scanned: Scan, draft: Draft
) -> None:
    """Ends the snapshot and stores it; from here on it is one that can be restored."""
    tally: Tally = draft.tally
    complete = scanned.complete and not tally.total().files_failed
    data, foot = writer.finish(dict(tally.problem_counts), complete=complete)
    written = await vault.commit(head.id, data)
    grew = (parent.id, parent.foot.digest) if parent else ("", "")
    draft.snapshot = SnapshotLine(head.id, foot.digest, head.sequence, *grew)
    draft.verified = True
    draft.target = msgspec.structs.replace(draft.target, versioning=versioning(written))


def versioning(written: Written) -> str:
    """The bucket's versioning, as the answer to a PUT tells it: its versions have ids, `null` while suspended."""
    return {"": "", "null": "Suspended"}.get(written.version, "Enabled")
