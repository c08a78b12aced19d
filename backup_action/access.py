"""How a run comes to its bucket: whose keys, which place, and what goes with every object that it writes."""

from __future__ import annotations

import urllib.parse
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, nullcontext

from backup_action import recording
from backup_action.adapters import credentials, github, host
from backup_action.adapters.oss.attempts import Attempts
from backup_action.adapters.oss.data import Bucket
from backup_action.adapters.oss.place import Place
from backup_action.adapters.way import Way
from backup_action.core import ledger, rights
from backup_action.core.deadline import NEVER, Deadline
from backup_action.core.entry import Entry
from backup_action.core.escape import SHORTEST_SECRET
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.report import Draft, Target
from backup_action.core.segments import Keep, in_memory
from backup_action.core.snapshot import WRITERS
from backup_action.settings import Settings
from backup_action.vault import Vault, keys
from backup_action.vault.catalogue import TREE
from backup_action.vault.chunks import Chunks
from backup_action.vault.contents import Contents
from backup_action.vault.packs import INDEX, Packs


@asynccontextmanager
async def opened(
    settings: Settings, environ: Mapping[str, str], draft: Draft, deadline: Deadline = NEVER
) -> AsyncIterator[tuple[Bucket, str]]:
    """The bucket; for a backup while no other of this source is on this host, and the token that they share there.

    Of the shards of one run each may be there once: what keeps other runs from coming between them is their lease.

    Raises Stop. The draft says for which verb, and hears at the end how many requests there were, and with what keys.
    """
    keys, where, limit = keyring(settings, environ, draft), bucket_of(settings), int(settings.bandwidth_limit or 0)
    attempts = Attempts(where, keys, way=way_of(settings), deadline=deadline, concurrency=settings.concurrency)
    name = place_of(settings, draft.source)
    lock = f"{name} {draft.shard}" if draft.shard else name
    with host.alone(environ, lock) if draft.command in WRITERS else nullcontext("") as token:
        async with (
            Bucket(attempts, connections=settings.concurrency, limit=limit) as bucket,
            recording.recorded(bucket, settings, environ, draft, name, sealing(settings)),
        ):
            try:
                yield bucket, token
            finally:
                draft.requests += bucket.requests
                tell_of_keys(draft, settings, keys)
                tell_of_throttling(draft, bucket)


def announce(draft: Draft, settings: Settings, roots: tuple[tuple[str, str], ...]) -> None:
    """Puts into the draft what is known before anything is asked; `roots` are source and destination of each."""
    where = bucket_of(settings)
    history = settings.history if draft.command in WRITERS else ""
    draft.target = Target(where.bucket, where.region, settings.prefix, where.endpoint, settings.layout, history=history)
    draft.source = settings.source or draft.run.repository or draft.run.host
    draft.dry_run = settings.dry_run
    draft.shard = settings.shard if draft.command == "backup" else ""
    draft.roots = roots
    draft.tally.open_roots(len(roots))


def keyring(settings: Settings, environ: Mapping[str, str], draft: Draft) -> credentials.Keyring:
    """The keys that the settings choose."""

    def hide(secret: str) -> None:
        github.mask(secret, environ)
        draft.secrets.add(secret)

    if len(settings.passphrase) >= SHORTEST_SECRET:
        hide(settings.passphrase)
    if settings.allow_static_keys:
        return credentials.Keyring(credentials.stored(environ, hide))
    is_backup = draft.command == "backup"
    applies = draft.command == "prune" and settings.apply and not settings.dry_run
    deletes = settings.delete and not draft.shard if draft.command in WRITERS else applies
    policy = rights.policy(
        draft.command, settings.bucket, settings.prefix, layout=settings.layout, delete=deletes,
        tags=is_backup and bool(settings.tags),
    )  # fmt: skip
    role = credentials.Role(
        settings.role_to_assume,
        settings.oidc_provider_arn,
        settings.audience,
        settings.role_session_name,
        settings.role_session_expiration,
        settings.sts_endpoint or f"https://sts.{settings.region}.aliyuncs.com",
        policy,
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


def tell_of_throttling(draft: Draft, bucket: Bucket) -> None:
    """Notes that the bucket refused so many requests that the run took longer."""
    concurrency = bucket.attempts.concurrency
    if concurrency.has_slowed:
        facts = {"count": str(concurrency.refusals), "requests": str(bucket.requests), "least": str(concurrency.lowest)}
        draft.tell(Problem(Kind.OSS_THROTTLED, bucket.place.bucket, facts))


def place_of(settings: Settings, source: str) -> str:
    """Which bucket, prefix and source: what runs of one host share a lock and a backlog for."""
    where = bucket_of(settings)
    return f"{where.address}/{where.prefix} {source}"


def keep(draft: Draft, settings: Settings, environ: Mapping[str, str]) -> None:
    """Has the host keep how a run ended that is in no ledger, if it is known of which bucket and to be recorded."""
    is_dry = draft.dry_run or settings.dry_run
    is_shard = draft.command == "backup" and bool(settings.shard)
    is_known = settings.bucket and settings.region and ledger.recorded_as(draft.command, is_shard=is_shard)
    if draft.is_recorded or is_dry or not is_known:
        return
    draft.source = draft.source or settings.source or draft.run.repository or draft.run.host
    recording.keep(draft, environ, place_of(settings, draft.source))


def bucket_of(settings: Settings) -> Place:
    """Which bucket, and its endpoint: the setting's or the region's public one."""
    endpoint = settings.endpoint or f"https://oss-{settings.region}.aliyuncs.com"
    return Place(settings.bucket, settings.region, endpoint, settings.prefix)


def sealing(settings: Settings) -> dict[str, str]:
    """The headers that have OSS encrypt an object as the settings ask."""
    headers = {
        "x-oss-server-side-encryption": settings.server_side_encryption,
        "x-oss-server-side-encryption-key-id": settings.kms_key_id,
    }
    return {name: value for name, value in headers.items() if value}


async def unlocked(
    bucket: Bucket, settings: Settings, draft: Draft, *, any_layout: bool = False, keep: Keep = in_memory
) -> Vault:
    """The vault of a verb that makes no key, unlocked if it is encrypted. Raises Stop."""
    layout = "" if any_layout else settings.layout
    vault = Vault(bucket, settings.prefix, draft.source, layout, sealing(settings), keep)
    if settings.passphrase:
        vault.ring = await keys.ring(vault, settings.passphrase)
    return vault


async def contents(vault: Vault, entries: Iterable[Entry]) -> Contents | Chunks:
    """What reads these files. Raises Stop."""
    if vault.layout == TREE:
        return Contents(vault)
    chunks = Chunks(vault, vault.ring)
    await chunks.prepare(entries)
    return chunks


async def packs(vault: Vault, settings: Settings) -> Packs:
    """The packs of a vault that is to be written, unlocked, its first key made if need be. Raises Stop."""
    vault.ring = await keys.ring(vault, settings.passphrase)
    if vault.ring.there and not settings.passphrase:
        raise Stop(Kind.PASSPHRASE_MISSING, settings.prefix)
    if settings.passphrase and not vault.ring.there:
        if len(await vault.below(INDEX)):
            raise Stop(Kind.PASSPHRASE_LATE, settings.prefix)
        if not settings.dry_run:
            vault.ring = await keys.make(vault, settings.passphrase)
    return Packs(vault, vault.ring, describing(settings))


def describing(settings: Settings) -> dict[str, str]:
    """The headers that go with every file: encryption, class, tags."""
    pairs = (tag.partition("=") for tag in settings.tags)
    quote = urllib.parse.quote
    headers = {
        "x-oss-storage-class": settings.storage_class,
        "x-oss-tagging": "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, _, value in pairs),
    }
    return sealing(settings) | {name: value for name, value in headers.items() if value}
