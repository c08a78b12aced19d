"""What a run would overwrite or remove for good, before it does: for runs without history (`core.guard`).

Metadata says at once how many files may have changed. Only where that is too many are they read and held against the
last snapshot, until the limit is passed or all are known: a fresh checkout touches every file and changes none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from backup_action.adapters.files.folder import Opener
from backup_action.adapters.files.read import Content, read
from backup_action.core.guard import is_beyond
from backup_action.core.place import Root, root_of
from backup_action.core.plan import Item, Step
from backup_action.core.problem import Kind, Stop


def refuse_change(
    plan: Callable[[], Iterable[Item]], opener: Opener, files: int, limit: int, *, removing: tuple[Root, ...],
    stopped: Callable[[], bool],
) -> None:  # fmt: skip
    """Raises Stop where more than `limit` percent of `files` would lose their content for good.

    `plan` gives the items, twice if need be. `removing`: what is gone from below these roots will be removed. Reads
    files; not for the event loop.
    """
    lost = rewritten = 0
    for item in filter(_is_at_risk, plan()):
        lost += _is_removed(item, removing)
        rewritten += item.step is Step.READ
    if not is_beyond(lost + rewritten, files, limit):
        return
    for item in filter(_is_at_risk, plan()):
        if is_beyond(lost, files, limit):
            break
        lost += item.step is Step.READ and _is_new(item, opener, stopped)
    if is_beyond(lost, files, limit):
        raise Stop(Kind.SOURCE_CHANGED, before=files, now=lost, percent=100 * lost // files, limit=limit)


def _is_at_risk(item: Item) -> bool:
    return item.known is not None and item.known.is_file and not item.known.has_version


def _is_removed(item: Item, removing: tuple[Root, ...]) -> bool:
    return item.step is Step.GONE and item.known is not None and root_of(item.known.path, removing) is not None


def _is_new(item: Item, opener: Opener, stopped: Callable[[], bool]) -> bool:
    """Whether the file has other content than the parent says. One that cannot be read is not overwritten."""
    assert item.found is not None and item.known is not None  # noqa: S101  (READ has both)
    if stopped():
        raise Stop(Kind.INTERRUPTED)
    content = read(item.found, opener, 0, stopped)
    return isinstance(content, Content) and content.entry.sha256 != item.known.sha256
