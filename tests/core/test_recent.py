"""Recent runs: what each snapshot says of those before it, and how far the history reaches."""

import json

import msgspec
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_snapshot import HEAD, head_line, plain_snapshot

from backup_action.core import recent
from backup_action.core.entry import Entry, Sort
from backup_action.core.recent import Effort, PastRun
from backup_action.core.snapshot import Snapshot, Unreadable, Writer, head_of

efforts = st.builds(
    Effort,
    seconds=st.floats(-1e12, 1e12),
    files_sent=st.integers(0, 2**53),
    bytes_sent=st.integers(0, 2**53),
    files_copied=st.sampled_from([0, 0, 1, 2**53]),
)
runs = st.lists(st.tuples(efforts, st.integers(0, 3), st.booleans()), max_size=40)


def chain(did: list[tuple[Effort, int, bool]]) -> list[Snapshot]:
    """Snapshots that grow from each other, one of each run, written and read back."""
    found: list[Snapshot] = []
    for number, (effort, files, complete) in enumerate(did):
        before = found[-1].recent if found else []
        writer = Writer(msgspec.structs.replace(HEAD, id=f"20261122T180000Z-{number:08x}", recent=before))
        for at in range(files):
            writer.add(Entry(f"{at}", Sort.FILE, f"{at}", at + 1))
        found.append(Snapshot(writer.finish({}, complete=complete, effort=effort)[0]))
    return found


@given(runs)
@example([(Effort(at / 7, at, at), 1, True) for at in range(64)])
@settings(max_examples=30)
def test_each_head_has_the_last_thirty_runs_before_it_and_no_other(did: list[tuple[Effort, int, bool]]) -> None:
    rows = [
        PastRun(
            f"20261122T180000Z-{number:08x}", min(max(0.0, round(effort.seconds, 1)), 1e9), files,
            sum(range(1, files + 1)), effort.files_sent, effort.bytes_sent, complete, effort.files_copied,
        )
        for number, (effort, files, complete) in enumerate(did)
    ]  # fmt: skip
    for number, snapshot in enumerate(chain(did)):
        assert snapshot.head.recent == rows[max(0, number - 30) : number]
        assert snapshot.recent == rows[max(0, number - 29) : number + 1]


def plain(snapshot: bytes) -> list[bytes]:
    return zstandard.ZstdDecompressor().decompressobj().decompress(snapshot).splitlines()


ROW = {"id": HEAD.id, "seconds": 1.5, "files": 1, "bytes": 2, "files_sent": 3, "bytes_sent": 4, "complete": True}


@pytest.mark.parametrize(
    "rows",
    [
        [ROW] * 31,
        [ROW | {"id": "x"}],
        [ROW | {"id": HEAD.id + "\n"}],
        [ROW | {"seconds": -0.1}],
        [ROW | {"seconds": 1e10}],
        [ROW | {"files": -1}],
        [ROW | {"bytes_sent": 2**60}],
        [ROW | {"complete": 1}],
        [ROW | {"more": 1}],
        [{name: value for name, value in ROW.items() if name != "bytes"}],
        "none",
    ],
)
def test_a_head_with_other_rows_is_refused(rows: object) -> None:
    head = json.loads(head_line())["head"]
    good, bad = (
        plain_snapshot(json.dumps({"head": head | {"recent": some}}, separators=(",", ":")).encode())
        for some in ([ROW] * 30, rows)
    )
    assert len(head_of(good).recent) == 30
    with pytest.raises(Unreadable, match="head"):
        head_of(bad)


@pytest.mark.parametrize(
    ("name", "value"), [("seconds", -1), ("seconds", None), ("files_sent", -1), ("bytes_sent", "1"), ("more", 1)]
)
def test_a_foot_with_other_numbers_is_refused(name: str, value: object) -> None:
    [snapshot] = chain([(Effort(2.0, 1, 9), 1, True)])
    assert (snapshot.foot.seconds, snapshot.foot.files_sent, snapshot.foot.bytes_sent) == (2.0, 1, 9)
    head, entry, foot = plain(one_file())
    told = json.loads(foot)
    told["foot"][name] = value
    packed = zstandard.ZstdCompressor(write_checksum=True)
    Snapshot(packed.compress(b"\n".join([head, entry, foot, b""])))
    with pytest.raises(Unreadable, match="foot"):
        Snapshot(packed.compress(b"\n".join([head, entry, json.dumps(told).encode(), b""])))


def one_file() -> bytes:
    writer = Writer(HEAD)
    writer.add(Entry("a", Sort.FILE, "a", 1))
    return bytes(writer.finish({}, complete=True, effort=Effort(2.0, 1, 9))[0])


@given(st.lists(st.datetimes().map(lambda at: at.strftime("%Y%m%dT%H%M%SZ").zfill(16) + "-6c5f0a26"), max_size=9))
def test_the_history_reaches_from_the_first_to_the_last(ids: list[str]) -> None:
    kept = recent.kept(ids)
    if kept is None:
        assert not ids
        return
    assert (kept.snapshots, kept.oldest, kept.newest) == (len(ids), min(ids), max(ids))
    assert kept.oldest_at.replace("-", "").replace(":", "") == kept.oldest[:16]


def test_the_time_of_an_id() -> None:
    assert recent.moment(HEAD.id) == "2026-11-22T18:00:00Z"
