"""Alarms of runs, kept in the bucket until a person acknowledges them.

| object | is |
|---|---|
| `<prefix>/.oss-backup/alarms/<snapshot id>.json` | what the run that committed this snapshot raised |
| `<prefix>/.oss-backup/alarms/<snapshot id>.ack.json` | who looked at it, and when |

Each is written once and never changed. While an alarm of a source is open, nothing of what the source keeps may be
removed: the last good version may be among it. Whoever removes calls `acknowledge` with what the person said, and then
`refuse_open`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import fastcrc
import msgspec

from backup_action.core import escape
from backup_action.core.address import CATALOGUE
from backup_action.core.problem import Kind, Problem, Stop
from backup_action.core.selector import ALL
from backup_action.core.snapshot import is_id
from backup_action.vault.catalogue import Vault

ALARMS: Final = f"{CATALOGUE}/alarms/"
FORMAT: Final = "oss-backup/alarm/1"
TOLD: Final = 100  # problems that an alarm holds; the counts hold them all
_ALARM, _ACK = ".json", ".ack.json"


class Alarm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one run raised. `snapshot` is the run's own; the facts of the problems name the one before, the good one."""

    format: str
    snapshot: str
    source: str
    layout: str
    lease: str  # the digest of source and layout: whose it is
    problems: list[Problem]
    counts: dict[str, int]  # by kind


class Acknowledgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody looked at it."""

    format: str
    snapshot: str
    who: str
    at: str  # UTC, 2026-11-22T18:00:00Z


async def store(vault: Vault, snapshot: str, source: str, layout: str, raised: Sequence[Problem]) -> None:
    """Keeps what a run raises, before its commit. Raises Stop."""
    counts: dict[str, int] = {}
    for problem in raised:
        counts[problem.kind.value] = counts.get(problem.kind.value, 0) + 1
    told = [_plain(problem) for problem in raised[:TOLD]]
    alarm = Alarm(FORMAT, snapshot, escape.encodable(source), layout, vault.lease_name, told, counts)
    data = vault.ring.seal(msgspec.json.encode(alarm), _about(snapshot))  # it names files
    await _write_once(vault, snapshot + _ALARM, data)


async def open_alarms(vault: Vault) -> list[Alarm]:
    """The alarms of this source that nobody has acknowledged, oldest first. Raises Stop; also for a damaged one."""
    names = await _names(vault)
    ids = sorted(name.removesuffix(_ALARM) for name in names if name.endswith(_ALARM) and not name.endswith(_ACK))
    waiting = [id for id in ids if is_id(id) and id + _ACK not in names and vault.has_our_tag(id)]
    if waiting:  # one whose run never committed is about nothing that anybody could lose
        committed = (await vault.catalogue()).ids
        waiting = [id for id in waiting if id in committed]
    return [alarm for alarm in [await _read(vault, id) for id in waiting] if alarm.lease == vault.lease_name]


async def acknowledge(vault: Vault, ids: Sequence[str], who: str) -> list[str]:
    """Acknowledges these alarms, or `all` that are open; gives the ids that were open.

    Raises Stop for an id without an alarm: none is acknowledged before it is raised.
    """
    if not ids:
        return []
    names = await _names(vault)
    for id in ids:
        if id != ALL and id + _ALARM not in names:
            raise Stop(Kind.ALARM_UNKNOWN, id)
    found = [alarm.snapshot for alarm in await open_alarms(vault) if ALL in ids or alarm.snapshot in ids]
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for id in found:
        told = Acknowledgement(FORMAT, id, escape.encodable(who), at)
        await _write_once(vault, id + _ACK, msgspec.json.encode(told))
    return found


async def refuse_open(vault: Vault, acknowledged: Sequence[str] = ()) -> None:
    """Raises Stop where an alarm of this source is open that is not among the acknowledged ids (`all`: each is)."""
    waiting = [alarm for alarm in await open_alarms(vault) if not {ALL, alarm.snapshot} & set(acknowledged)]
    if waiting:
        kinds = sorted({kind for alarm in waiting for kind in alarm.counts})
        raise Stop(Kind.ALARM_OPEN, waiting[0].snapshot, count=len(waiting), kinds=", ".join(kinds))


async def _names(vault: Vault) -> set[str]:
    """What stands below the folder of alarms."""
    return {stored.key for stored in await vault.below(ALARMS)}


async def _read(vault: Vault, id: str) -> Alarm:
    answer = await vault.bucket.get(f"{vault.prefix}{ALARMS}{id}{_ALARM}")
    try:
        data = vault.ring.open(answer.body if answer else b"", _about(id))
        alarm = msgspec.json.decode(data, type=Alarm)
    except (msgspec.MsgspecError, ValueError):
        raise Stop(Kind.ALARM_OPEN, id, count=1, cause="damaged") from None
    if alarm.format != FORMAT:
        raise Stop(Kind.ALARM_OPEN, id, count=1, cause="damaged")
    return alarm


def _about(id: str) -> str:
    """What an alarm of an encrypted vault is sealed about."""
    return f"alarm {id}"


async def _write_once(vault: Vault, name: str, data: bytes) -> None:
    headers = {**vault.headers, "content-type": "application/json", "x-oss-forbid-overwrite": "true"}
    try:
        await vault.bucket.put(vault.prefix + ALARMS + name, data, fastcrc.crc64.xz(data), headers)
    except Stop as stop:
        if stop.problem.facts.get("code") != "FileAlreadyExists":  # a try before this one got through
            raise


def _plain(problem: Problem) -> Problem:
    """The same, of text that JSON can hold."""
    facts = {name: escape.encodable(fact) for name, fact in problem.facts.items()}
    return Problem(problem.kind, escape.encodable(problem.where), facts)
