"""snapshots: looks at the catalogue, and writes nothing.

| given | view |
|---|---|
| nothing, or `all-sources` | the list of snapshots, and whether their chain is whole |
| `snapshot` | one of them: head, foot, what it has by root, its largest files |
| `against` | what differs from that one to `snapshot`, by default the latest |
| `find` | a path through time |
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from backup_action import access
from backup_action.adapters import progress
from backup_action.core import difference, escape, listing, overview, render, selection, selector
from backup_action.core.entry import Entry, encode_entry
from backup_action.core.listing import Compared, Found, Listed, Told
from backup_action.core.problem import Kind, Problem
from backup_action.core.report import Draft
from backup_action.core.selection import Selection
from backup_action.core.snapshot import Snapshot
from backup_action.core.timeline import Timeline
from backup_action.settings import Settings
from backup_action.transfer.shelf import Shelf
from backup_action.vault import Vault


async def run(settings: Settings, environ: Mapping[str, str], draft: Draft, stopped: Callable[[], bool]) -> None:
    """The whole journey. Fills the draft as it goes; raises Stop."""
    chosen = selection.select(settings.exclude, settings.include)
    matches = selection.finder(settings.find)
    access.announce(draft, settings, ())
    await progress.tell(render.reading(settings.language))
    async with access.opened(settings, environ, draft) as (bucket, _):
        vault = await access.unlocked(bucket, settings, draft, any_layout=True)
        shelf = Shelf(
            vault, "" if settings.all_sources else draft.source, draft.tell, concurrency=settings.concurrency
        )  # fmt: skip
        if settings.find:
            told = await found(shelf, settings.find, matches, chosen, stopped)
        elif settings.against:
            told = await compared(vault, settings, chosen, stopped)
        elif settings.snapshot:
            told = await shown(vault, settings.snapshot, chosen, stopped)
        else:
            told = await listed(shelf, "" if settings.all_sources else draft.source, draft)
    draft.listing = told
    draft.page = told.document() if settings.json else render.page(told, settings.language)


async def listed(shelf: Shelf, source: str, draft: Draft) -> Told:
    """The list. A snapshot that is not what the next one says of it is told as a problem."""
    heads = await shelf.heads()
    rows, chains = heads.rows(), heads.chains()
    for row in rows:
        if row.link == "broken":
            draft.tell(Problem(Kind.SNAPSHOT_DAMAGED, row.id, {"cause": "chain", "parent": row.parent}))
    source = escape.encodable(source)
    return Told(Listed(listing.FORMAT, source, shelf.others, len(shelf.damaged), chains, len(rows)), rows)


async def shown(vault: Vault, text: str, chosen: Selection, stopped: Callable[[], bool]) -> Told:
    """One snapshot."""
    snapshot = await vault.choose(text)
    view = await asyncio.to_thread(overview.shown, snapshot, wanted(snapshot, chosen, stopped))
    return Told(view, lines=map(encode_entry, wanted(snapshot, chosen)))


async def compared(vault: Vault, settings: Settings, chosen: Selection, stopped: Callable[[], bool]) -> Told:
    """Two of them."""
    before = await vault.choose(settings.against)
    after = await vault.choose(settings.snapshot or selector.LATEST)
    both = (wanted(one, chosen, stopped) for one in (before, after))
    found = await asyncio.to_thread(difference.difference, *both)
    view = Compared(
        listing.FORMAT, before.id, after.id, found.sum("added"), found.sum("changed"), found.sum("moved"),
        found.sum("removed"), found.metadata, found.folders_added, found.folders_removed, len(found.rows),
    )  # fmt: skip
    return Told(view, found.rows)


async def found(
    shelf: Shelf, pattern: str, matches: Callable[[str], bool], chosen: Selection, stopped: Callable[[], bool]
) -> Told:
    """A path, or what a pattern matches, in all of them."""
    timeline = Timeline()

    def look(snapshot: Snapshot) -> None:
        entries = wanted(snapshot, chosen, stopped)
        timeline.see(snapshot.id, (entry for entry in entries if matches(entry.path)))

    await shelf.each(look)
    rows = list(timeline.rows())
    view = Found(
        listing.FORMAT, escape.encodable(pattern), timeline.snapshots, len(shelf.damaged), timeline.paths,
        timeline.more, len(rows),
    )  # fmt: skip
    return Told(view, rows)


def wanted(snapshot: Snapshot, chosen: Selection, stopped: Callable[[], bool] = lambda: False) -> Iterator[Entry]:
    """What of a snapshot is told: no entry that is gone, and with patterns only what they take; none after a signal."""
    for entry in snapshot.entries():
        if stopped():
            return
        if not entry.gone and (entry.kind == "folder" or chosen.takes(entry.path)):
            yield entry
