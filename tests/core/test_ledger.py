"""The ledger's format, and the arithmetic of its window."""

import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import ledger, rights
from backup_action.core.address import PREFIX_MAX
from backup_action.core.ledger import AHEAD, DAYS, MOST, Past, Record, Standing

GOLDEN = Path(__file__).parent / "golden/ledger-1.json"
NOW = 1_795_370_400.0  # 2026-11-22T18:00:00Z
SPAN = DAYS * 86_400

ids = st.builds(
    lambda ago, roll: ledger.new_id(NOW - ago, "s", "backup", f"{roll:08x}"),
    st.integers(-3 * 86_400, SPAN + 3 * 86_400),
    st.integers(0, 2**32 - 1),
)
counts = st.integers(0, 2**53)
pasts = st.builds(Past, ids, st.booleans(), st.integers(0, 10**6), counts)
texts = st.text(st.characters(exclude_categories=("Cs",)))
records = st.builds(
    Record, st.just(ledger.FORMAT), ids, texts, texts, texts, st.floats(0, 1e9), texts, st.integers(0, 255),
    *[texts] * 10, counts, counts, st.dictionaries(texts, st.integers(0, 99)),
    st.none() | st.builds(ledger.Totals, counts, counts, counts, counts, st.none() | st.floats(0, 1e9)),
    st.none() | st.lists(pasts, max_size=5),
)  # fmt: skip


def record(**more: Any) -> Record:
    return msgspec.structs.replace(
        Record(ledger.FORMAT, ledger.new_id(NOW, "s", "backup", "1a2b3c4d"), "backup", "s", "", 83.4, "ok", 0, "0.1.0"),
        **more,
    )


def ago(seconds: float, *, ok: bool = True, tenths: int = 10, sent: int = 0, roll: int = 0) -> Past:
    return Past(ledger.new_id(NOW - seconds, "s", "backup", f"{roll:08x}"), ok, tenths, sent)


@given(records)
def test_what_is_written_is_read(one: Record) -> None:
    assert ledger.decode(ledger.encode(one)) == one
    assert ledger.encode(one).count(b"\n") == 1, "one line"


@given(st.binary())
def test_what_is_no_record_is_unreadable_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ledger.Unreadable):
        ledger.decode(data)


@given(records, st.text())
def test_another_version_is_never_guessed_at(one: Record, version: str) -> None:
    told = msgspec.structs.replace(one, format=version)
    if version != ledger.FORMAT:
        with pytest.raises(ledger.UnknownFormat) if _encodable(version) else pytest.raises(Exception):
            ledger.decode(ledger.encode(told))


def _encodable(text: str) -> bool:
    return text == text.encode(errors="replace").decode()


@pytest.mark.parametrize("more", [{"id": "x"}, {"seconds": -1.0}, {"window": [["x", True, 1, 1]]}, {"extra": 1}])
def test_what_a_record_may_not_say(more: dict[str, Any]) -> None:
    told = msgspec.json.decode(ledger.encode(record())) | more
    with pytest.raises(ledger.Unreadable):
        ledger.decode(msgspec.json.encode(told))


def test_version_1_stays_as_it_is() -> None:
    """The bytes of a record as it was first published: they are read for good, and written the same."""
    one = ledger.decode(GOLDEN.read_bytes())
    assert ledger.encode(one) == GOLDEN.read_bytes()
    assert (one.verb, one.source, one.status, one.exit_code) == ("backup", "example/quant-data", "incomplete", 3)
    assert one.window and one.totals == ledger.totals(one.window) and one.window[-1] == one.past
    assert one.totals == ledger.Totals(3, 2, 1, 734_007_296, 3725.0)


@given(st.lists(pasts, max_size=40), st.lists(pasts, max_size=10))
def test_a_window_is_what_counting_by_hand_gives(runs: list[Past], late: list[Past]) -> None:
    """Old ones dropped, late ones added wherever they belong, the same one counted once, in order of their time."""
    window = ledger.window([*ledger.window(runs, NOW), *late, *late, *runs], NOW)

    def seconds(id: str) -> float:
        return datetime.datetime.strptime(id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC).timestamp()

    by_hand = {run.id for run in [*runs, *late] if NOW - SPAN <= seconds(run.id) <= NOW + AHEAD}
    assert [run.id for run in window] == sorted(by_hand)
    assert set(window) <= {*runs, *late}
    assert ledger.window(reversed(window), NOW) == window, "once more changes nothing, and the order does not matter"
    told = ledger.totals(window)
    good = sorted(run.tenths for run in window if run.ok)
    assert (told.runs, told.successes, told.failures) == (len(window), len(good), len(window) - len(good))
    assert told.bytes_sent == sum(run.bytes_sent for run in window)
    p95 = next((t for t in good if 100 * sum(u <= t for u in good) >= 95 * len(good)), None)
    assert told.p95_seconds == (None if p95 is None else p95 / 10)


@given(st.lists(pasts, max_size=30), st.floats(0, SPAN * 2))
def test_windows_that_are_passed_on_lose_nothing_that_is_young_enough(runs: list[Past], later: float) -> None:
    """From run to run, each adding itself to what it read: the same as counting all at the end."""
    carried: list[Past] = []
    for run in sorted(runs):
        carried = ledger.window([*carried, run], NOW)
    assert ledger.window(carried, NOW + later) == [
        run for run in ledger.window(runs, NOW) if run.id >= ledger.horizon(NOW + later)
    ]


def test_of_more_runs_than_a_window_holds_the_last_stay() -> None:
    runs = [ago(60 * number, roll=number) for number in range(MOST + 50)]
    window = ledger.window(runs, NOW)
    assert len(window) == MOST and window[-1] == runs[0] and window[0] == runs[MOST - 1]
    told = ledger.with_window(record(window=None), runs, NOW)
    assert told.window and len(told.window) == MOST and told.window[-1].id == told.id
    assert len(ledger.encode(told)) < 32_768, "a full window is still one small object"


@pytest.mark.parametrize(
    ("successes", "runs", "rate", "wish", "misses"),
    [
        (29, 30, "96.7", 99, True), (30, 30, "100.0", 99, False), (0, 1, "0.0", 0, False), (99, 100, "99.0", 99, False),
        (2999, 3000, "99.9", 100, True), (0, 0, "", 99, False), (1, 3, "33.3", 33, False),
    ],
)  # fmt: skip
def test_a_rate_against_its_wish(successes: int, runs: int, rate: str, wish: int, misses: bool) -> None:
    told = Standing(runs, successes, None, wish)
    assert (told.rate, told.misses_rate) == (rate, misses)


@pytest.mark.parametrize(
    ("p95", "wish", "misses"), [(None, 30, False), (1800.0, 30, False), (1800.1, 30, True), (9e9, 0, False)]
)
def test_a_p95_against_its_wish(p95: float | None, wish: int, misses: bool) -> None:
    assert Standing(1, 1, p95, 0, wish).misses_minutes is misses


def test_ids_are_found_by_whose_they_are() -> None:
    id = ledger.new_id(NOW, "s", "backup", "1a2b3c4d")
    assert id.startswith("20261122T180000Z-") and ledger.is_id(id, ledger.tag("s", "backup"))
    assert len({ledger.tag(source, verb) for source in ("s", "t") for verb in ledger.VERBS}) == 2 * len(ledger.VERBS)
    assert not ledger.is_id(id, ledger.tag("s", "restore")) and not ledger.is_id(id + "0", ledger.tag("s", "backup"))


@pytest.mark.parametrize("verb", ["backup", "restore", "snapshots", "verify", "drill"])
def test_verbs_that_read_may_write_to_the_ledger_alone(verb: str) -> None:
    prefix = "p" * (PREFIX_MAX - 1) + "/"
    text = rights.policy(verb, "b" * 63, prefix, delete=True, tags=True)
    assert len(text) <= 2048
    told = msgspec.json.decode(text)
    puts = [one["Resource"] for one in told["Statement"] if "oss:PutObject" in one["Action"]]
    everything, own = f"acs:oss:*:*:{'b' * 63}/{prefix}*", f"acs:oss:*:*:{'b' * 63}/{'p' * 160}*/.oss-backup/ledger/*"
    assert puts == {"backup": [[everything]], "snapshots": []}.get(verb, [[own]])
    if verb == "restore":
        assert '"acs:oss:*:*:b/p/.oss-backup/ledger/*"' in rights.policy(verb, "b", "p/"), "a short one is spelled out"
