"""The keep-rules: dates and reasons in a table, and any history against a model that is as plain as can be."""

import calendar
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import retention
from backup_action.core.retention import AHEAD, Dated, Rules, Verdict, judge

HOUR, DAY = 3600, 86_400
NOW = calendar.timegm((2026, 1, 10, 12, 0, 0))
FORMS = {
    "hourly": lambda t: (t.year, t.month, t.day, t.hour),
    "daily": lambda t: (t.year, t.month, t.day),
    "weekly": lambda t: t.isocalendar()[:2],
    "monthly": lambda t: (t.year, t.month),
    "yearly": lambda t: (t.year,),
}


def at(text: str) -> int:
    return calendar.timegm(datetime.datetime.fromisoformat(text).timetuple())


def chain(*texts: str) -> list[Dated]:
    """A snapshot for each moment, in this order, each the next one's parent."""
    return [
        Dated(text, number, at(text), texts[number - 2] if number > 1 else "") for number, text in enumerate(texts, 1)
    ]


def told(verdicts: list[Verdict]) -> dict[str, str]:
    return {one.snapshot.id: " ".join(one.reasons) for one in verdicts}


TABLE = {
    "the newest so many": (
        Rules(last=2),
        {"2026-01-01": "beyond", "2026-01-02": "last", "2026-01-03": "last"},
    ),
    "the newest of each hour": (
        Rules(hourly=2),
        {
            "2026-01-09T07:10": "beyond", "2026-01-09T08:10": "hourly", "2026-01-10T09:59:58": "covered",
            "2026-01-10T09:59:59": "hourly",
        },
    ),
    "days are those of UTC, and empty ones do not count": (
        Rules(daily=3),
        {
            "2026-01-01T23:59:59": "beyond", "2026-01-02T00:00": "covered", "2026-01-02T23:59:59": "daily",
            "2026-01-03": "daily", "2026-01-10T11:00": "daily",
        },
    ),
    "weeks begin on Monday, and those of the turn of the year belong to the year of their Thursday": (
        Rules(weekly=3),
        {
            "2025-12-21T12:00": "beyond",  # Sunday of week 51
            "2025-12-22": "covered",  # Monday of week 52
            "2025-12-28T23:00": "weekly",  # its Sunday
            "2025-12-29": "covered",  # Monday of 2026's week 1
            "2026-01-04T23:00": "weekly",  # its Sunday
            "2026-01-05": "weekly",  # Monday of week 2
        },
    ),
    "a year of 53 weeks": (
        Rules(weekly=2),
        {"2026-12-27": "beyond", "2026-12-28": "covered", "2027-01-03": "weekly", "2027-01-04": "weekly"},
    ),
    "months and years": (
        Rules(monthly=2, yearly=3),
        {
            "2023-06-01": "beyond", "2024-02-29": "yearly", "2025-11-30": "covered", "2025-12-30": "covered",
            "2025-12-31T23:59": "monthly yearly", "2026-01-01": "monthly yearly",
        },
    ),
    "room that is left reaches the first": (
        Rules(daily=7),
        {"2026-01-09T01:00": "oldest-daily", "2026-01-09T02:00": "covered", "2026-01-09T03:00": "daily"},
    ),
    "back from the newest, its edge too": (
        Rules(within=2 * DAY),
        {"2026-01-02T23:59:59": "beyond", "2026-01-03": "within", "2026-01-05": "within"},
    ),
    "a snapshot that any rule keeps is kept, with the reasons of all": (
        Rules(last=1, daily=1, within=DAY),
        {"2026-01-01": "beyond", "2026-01-09T12:00": "within", "2026-01-10T10:00": "last daily within"},
    ),
    "what is dated more than 25 h ahead counts for nothing": (
        Rules(last=1, within=HOUR),
        {
            "2026-01-09": "beyond", "2026-01-10T09:00": "last within", "2026-01-11T13:00:01": "future",
            "2031-01-01": "future",
        },
    ),
    "25 h ahead is still counted, and does not move `keep-within` past now": (
        Rules(within=2 * HOUR),
        {"2026-01-10T09:59": "beyond", "2026-01-10T10:00": "within", "2026-01-11T13:00": "within"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_dates_and_reasons(name: str) -> None:
    rules, expected = TABLE[name]
    now = NOW if not name.startswith("a year") else at("2027-02-01")
    assert told(judge(chain(*expected), rules, now)) == expected


def test_the_one_that_covers_is_named() -> None:
    verdicts = judge(chain("2026-01-01", "2026-01-02T01:00", "2026-01-02T02:00"), Rules(daily=1), NOW)
    assert [(one.kept, one.by) for one in verdicts] == [(True, ""), (False, "2026-01-02T02:00"), (False, "")]


def test_the_order_is_the_chain_s_and_not_the_clock_s() -> None:
    wrong = chain("2026-01-05", "2026-01-01", "2026-01-06")  # the clock of the second was behind
    assert told(judge(wrong, Rules(last=2), NOW)) == {
        "2026-01-05": "beyond",
        "2026-01-01": "last",
        "2026-01-06": "last",
    }
    back = chain("2026-01-05", "2026-01-06", "2026-01-04")
    assert [one.snapshot.id for one in judge(back, Rules(last=1), NOW) if one.kept] == ["2026-01-04"]


def test_of_two_with_one_sequence_the_one_that_the_newest_grew_from_is_the_newer() -> None:
    first, stray, line, last = (
        Dated("a", 1, NOW), Dated("b", 2, NOW + 9, "a"), Dated("c", 2, NOW, "a"), Dated("d", 3, NOW, "c"),
    )  # fmt: skip
    assert [one.id for one in retention.in_order([stray, last, first, line])] == ["d", "c", "b", "a"]
    loop = [Dated("x", 2, NOW, "y"), Dated("y", 1, NOW, "x")]
    assert [one.id for one in retention.in_order(loop)] == ["x", "y"], "a chain in a ring is a forger's"


def test_without_a_rule_nothing_is_judged() -> None:
    assert not Rules().any
    with pytest.raises(ValueError, match="rule"):
        judge(chain("2026-01-01"), Rules(), NOW)


@pytest.mark.parametrize(("text", "seconds"), [("", 0), ("12h", 43_200), ("30d", 30 * DAY), ("8w", 56 * DAY)])
def test_a_span(text: str, seconds: int) -> None:
    assert retention.span(text) == seconds


@pytest.mark.parametrize("text", ["0d", "1", "d", "1m", "-1d", "1.5d", "1 d", "123456d", "1D", "１d"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="hours, days or weeks"):
        retention.check(text)


@pytest.mark.parametrize("id", ["20261301T000000Z-00000000", "20260101T250000Z-00000000", "20260230T000000Z-00000000"])
def test_an_id_that_tells_no_time(id: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        retention.moment(id)


MOMENTS = st.lists(st.integers(NOW - 3 * 365 * DAY, NOW + 3 * DAY), max_size=40)
NEAR = st.lists(st.integers(NOW - 5 * DAY, NOW + 2 * DAY), max_size=40)
SOME = st.one_of(st.just(0), st.integers(0, 9))
RULES = st.builds(Rules, SOME, SOME, SOME, SOME, SOME, SOME, st.one_of(st.just(0), st.integers(1, 90 * DAY))).filter(
    lambda rules: rules.any
)


def model(moments: list[int], rules: Rules) -> dict[int, set[str]]:
    """The reasons to keep each, by its place: looked up for each rule and snapshot anew."""
    ahead = {place for place, moment in enumerate(moments) if moment > NOW + AHEAD}
    ours = [place for place in range(len(moments)) if place not in ahead]
    reasons: dict[int, set[str]] = {place: {"future"} for place in ahead} | {place: set() for place in ours}
    for place in ours:
        newer = [other for other in ours if other > place]
        if len(newer) < rules.last:
            reasons[place].add("last")
        if rules.within and moments[place] >= min(moments[ours[-1]], NOW) - rules.within:
            reasons[place].add("within")
        for name, form in FORMS.items():
            limit = getattr(rules, name)
            buckets = {other: form(datetime.datetime.fromtimestamp(moments[other], datetime.UTC)) for other in ours}
            distinct = {buckets[other] for other in newer}
            if buckets[place] not in distinct and len(distinct) < limit:
                reasons[place].add(name)
            elif place == ours[0] and buckets[place] in distinct and len(distinct) < limit:
                reasons[place].add(f"oldest-{name}")
    return reasons


@given(st.one_of(MOMENTS, MOMENTS.map(sorted), NEAR, NEAR.map(sorted)), RULES)
def test_any_history_is_judged_as_the_model_does(moments: list[int], rules: Rules) -> None:
    snapshots = [Dated(str(place), place + 1, moment, str(place - 1)) for place, moment in enumerate(moments)]
    verdicts = judge(snapshots[::-1], rules, NOW)
    expected = model(moments, rules)
    assert [int(one.snapshot.id) for one in verdicts] == list(range(len(moments)))[::-1]
    for one in verdicts:
        reasons = expected[int(one.snapshot.id)]
        assert one.kept == bool(reasons)
        assert set(one.reasons) == (reasons or ({"covered"} if one.by else {"beyond"}))
        assert len(one.reasons) == len(set(one.reasons))


@given(MOMENTS, RULES)
def test_more_rules_never_keep_less(moments: list[int], rules: Rules) -> None:
    snapshots = [Dated(str(place), place + 1, moment) for place, moment in enumerate(moments)]
    kept = {one.snapshot.id for one in judge(snapshots, rules, NOW) if one.kept}
    more = Rules(
        rules.last + 1, rules.hourly + 1, rules.daily, rules.weekly + 2, rules.monthly, rules.yearly, rules.within
    )
    assert kept <= {one.snapshot.id for one in judge(snapshots, more, NOW) if one.kept}
