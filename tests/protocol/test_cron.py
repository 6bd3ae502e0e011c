"""When a schedule's times are, also where a zone's clock is changed. Source: cron(8) of Debian; protocol/cron.py.

Checked against two independent readings: a clock that is looked at every minute around every change of a century, and
croniter, another library, where no clock changes.
"""

import functools
import string
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

import croniter
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rota.protocol.cron import ALIASES, cron_times, interval_times, wrong_cron, wrong_zone

MINUTE = timedelta(minutes=1)
BERLIN = "Europe/Berlin"
ZONES = (
    "UTC", BERLIN, "America/New_York", "America/Sao_Paulo", "America/Havana", "America/St_Johns", "Asia/Beirut",
    "Africa/Casablanca", "Antarctica/Troll", "Australia/Lord_Howe", "Asia/Kathmandu", "Asia/Gaza", "Europe/Dublin",
    "Pacific/Apia", "Pacific/Kwajalein", "America/Santiago",
)  # fmt: skip
"""Clocks changed by an hour, half an hour, two, a whole day; at midnight, at two, at 24; in summer and in Ramadan."""
CENTURY = (datetime(1973, 1, 1, tzinfo=UTC), datetime(2073, 1, 1, tzinfo=UTC))


def next_of(expression: str, after: str, count: int = 1, zone: str = BERLIN) -> list[str]:
    times = islice(cron_times(expression, zone, datetime.fromisoformat(after)), count)
    return [at.astimezone(zoneinfo.ZoneInfo(zone)).isoformat()[:16] + at.isoformat()[-6:][:0] for at in times]


def in_utc(expression: str, after: str, count: int, zone: str = BERLIN) -> list[str]:
    return [at.isoformat()[:16] for at in islice(cron_times(expression, zone, datetime.fromisoformat(after)), count)]


def test_a_time_of_the_day_that_the_clock_jumps_over_comes_as_soon_as_it_has_jumped() -> None:
    assert next_of("30 2 * * *", "2026-03-28T12:00Z", 3) == ["2026-03-29T03:00", "2026-03-30T02:30", "2026-03-31T02:30"]


def test_times_of_the_day_that_are_jumped_over_together_come_once() -> None:
    assert next_of("0,20,40 2 * * *", "2026-03-28T12:00Z", 2) == ["2026-03-29T03:00", "2026-03-30T02:00"]


def test_a_time_of_the_day_that_the_clock_shows_twice_comes_the_first_time_alone() -> None:
    assert in_utc("30 2 * * *", "2026-10-24T12:00Z", 2) == ["2026-10-25T00:30", "2026-10-26T01:30"]


def test_what_follows_the_clock_skips_what_it_skips_and_runs_twice_what_it_shows_twice() -> None:
    assert in_utc("*/30 2 * * *", "2026-03-28T12:00Z", 2) == ["2026-03-30T00:00", "2026-03-30T00:30"]
    assert in_utc("*/30 2 * * *", "2026-10-24T12:00Z", 5)[:4] == [
        "2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30",
    ]  # fmt: skip
    assert in_utc("0 * * * *", "2026-03-29T00:00Z", 2) == ["2026-03-29T01:00", "2026-03-29T02:00"]


def test_who_asks_while_the_hour_is_shown_for_the_second_time_is_not_told_of_its_first() -> None:
    assert in_utc("45 2 * * *", "2026-10-25T01:15Z", 1) == ["2026-10-26T01:45"]
    assert in_utc("* 2 * * *", "2026-10-25T01:15Z", 1) == ["2026-10-25T01:16"]


def test_a_time_is_behind_the_one_that_was_asked_with() -> None:
    assert in_utc("30 2 * * *", "2026-06-01T00:30:00Z", 1) == ["2026-06-02T00:30"]
    assert in_utc("30 2 * * *", "2026-06-01T00:29:59.999999Z", 1) == ["2026-06-01T00:30"]
    assert in_utc("* * * * *", "2026-06-01T00:30:00.000001Z", 1) == ["2026-06-01T00:31"]


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_the_expression_that_it_stands_for(alias: str) -> None:
    assert wrong_cron(alias) is None
    assert in_utc(alias, "2026-06-01T00:00Z", 3) == in_utc(ALIASES[alias], "2026-06-01T00:00Z", 3)


def test_the_29th_of_february_and_the_last_day_of_a_month_are_found() -> None:
    assert in_utc("0 0 29 2 *", "2026-06-01T00:00Z", 2, "UTC") == ["2028-02-29T00:00", "2032-02-29T00:00"]
    assert in_utc("0 0 29 2 *", "2096-06-01T00:00Z", 1, "UTC") == ["2104-02-29T00:00"]
    assert in_utc("0 0 L * *", "2026-02-01T00:00Z", 2, "UTC") == ["2026-02-28T00:00", "2026-03-31T00:00"]


def test_the_calendar_has_an_end_so_that_what_is_rare_is_told_soon() -> None:
    """The 29th of February on a fifth Monday of it: every 28 years, and never again after some thousand."""
    times = list(islice(cron_times("0 0 * 2 MON#5", "UTC", CENTURY[0]), 1000))

    assert [at.year for at in times[:3]] == [1988, 2016, 2044]
    assert times[-1].year < 3000


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("0 0 30,31 2 *", "never comes"),
        ("* * * * * *", "`every_s`"),
        ("*/5 * * * * *", "`every_s`"),
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("60 * * * *", "its minute"),
        ("* 24 * * *", "its hour"),
        ("* * 32 * *", "its day of the month"),
        ("* * 0 * *", "its day of the month"),
        ("* * * 13 *", "its month"),
        ("* * * * 8", "its day of the week"),
        ("* * * * FRY", "its day of the week"),
        ("*/0 * * * *", "its minute"),
        ("5-1 * * * *", "its minute"),
        ("@reboot", "@daily"),
        ("@secondly", "@daily"),
    ],
)
def test_an_expression_that_could_not_work_is_refused_in_words(expression: str, words: str) -> None:
    assert words in (wrong_cron(expression) or "")


@given(st.lists(st.text(string.digits + "*/-,#LW?@ ABCFMNORSTU²", min_size=1, max_size=8), min_size=5, max_size=5))
def test_whatever_is_written_is_taken_or_refused(fields: list[str]) -> None:
    expression = " ".join(fields)

    if wrong_cron(expression) is None:
        assert next(cron_times(expression, "UTC", CENTURY[0])) > CENTURY[0]


@pytest.mark.parametrize("name", ["Mars/Base", "", "Europe", "../../etc/passwd", "/etc/localtime", "x" * 1000, "\0"])
def test_a_zone_that_nobody_knows_is_refused(name: str) -> None:
    assert "is no time zone" in (wrong_zone(name) or "")


def test_the_zone_that_was_meant_is_named() -> None:
    assert "`Europe/Berlin`" in (wrong_zone("Europe/Berln") or "")
    assert wrong_zone("Europe/Berlin") is None


def test_an_interval_counts_from_its_anchor_and_does_not_drift() -> None:
    anchor = datetime(2026, 1, 1, tzinfo=UTC)

    assert next(interval_times(90, anchor, anchor)) == anchor + timedelta(seconds=90)
    assert next(interval_times(90, anchor, anchor + timedelta(days=365, seconds=1))) == anchor + timedelta(
        days=365, seconds=90
    )  # fmt: skip
    assert next(interval_times(90, anchor, anchor - timedelta(hours=1))) == anchor


# Expressions, each with what it means, so that the oracle reads none.


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> tuple[str, frozenset[int]]:
    every = frozenset(range(low, high + 1))
    kind = draw(st.sampled_from(["*", "*/n", "one", "range", "list"]))
    if kind == "*":
        return "*", every
    if kind == "*/n":
        step = draw(st.integers(2, max(2, (high - low) // 2)))
        return f"*/{step}", frozenset(range(low, high + 1, step))
    first = draw(st.integers(low, high))
    if kind == "one":
        return str(first), frozenset({first})
    last = draw(st.integers(min(first + 1, high), high))
    assume(last > first)  # `6-6` is a whole week to croniter
    if kind == "range":
        return f"{first}-{last}", frozenset(range(first, last + 1))
    return f"{first},{last}", frozenset({first, last})


@st.composite
def expressions(draw: st.DrawFn) -> tuple[str, tuple[frozenset[int], ...], bool]:
    """The text, its sets, and whether a day must fit both of day of the month and day of the week."""
    drawn = [draw(fields(*limits)) for limits in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))]
    texts, sets = zip(*drawn, strict=True)
    assume(wrong_cron(" ".join(texts)) is None)  # the 31st of February and the like
    return " ".join(texts), sets, texts[2].startswith("*") or texts[4].startswith("*")


@functools.cache
def changes(zone: str) -> list[datetime]:
    """The minutes of the century from which on the zone's clock is another one."""
    clock, found = zoneinfo.ZoneInfo(zone), []
    at, offset = CENTURY[0], CENTURY[0].astimezone(clock).utcoffset()
    while at < CENTURY[1]:
        at += timedelta(hours=6)
        if at.astimezone(clock).utcoffset() != offset:
            back = at
            while (back - MINUTE).astimezone(clock).utcoffset() != offset:
                back -= MINUTE
            found.append(back)
            offset = at.astimezone(clock).utcoffset()
    return found


@functools.cache
def looked_at(zone: str, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Every minute, and what the zone's clock shows then."""
    clock = zoneinfo.ZoneInfo(zone)
    minutes = int((end - start) / MINUTE)
    moments = [start + number * MINUTE for number in range(minutes + 1)]
    return [(at, at.astimezone(clock).replace(tzinfo=None)) for at in moments]


def oracle(
    expression: tuple[str, tuple[frozenset[int], ...], bool], zone: str, start: datetime, end: datetime
) -> Iterator[datetime]:
    """What somebody finds who looks at the clock every minute, and has seen it for a day and a half before."""
    text, (minutes, hours, days, months, weekdays), is_both = expression

    def fits(wall: datetime) -> bool:
        if wall.minute not in minutes or wall.hour not in hours or wall.month not in months:
            return False
        day, weekday = wall.day in days, wall.isoweekday() % 7 in weekdays
        return (day and weekday) if is_both else (day or weekday)

    follows_clock = text.startswith("*") or text.split()[1].startswith("*")
    shown: set[datetime] = set()
    before: datetime | None = None
    for at, wall in looked_at(zone, start - timedelta(hours=36), end):
        jumped_over = before is not None and not follows_clock and any(
            fits(before + number * MINUTE) for number in range(1, int((wall - before) / MINUTE))
        )  # fmt: skip
        is_again = not follows_clock and wall in shown
        if at > start and ((fits(wall) and not is_again) or jumped_over):
            yield at
        shown.add(wall)
        before = wall


@settings(max_examples=60, deadline=None)
@given(expressions(), st.sampled_from(ZONES), st.data())
def test_around_every_change_of_a_clock_it_is_as_somebody_finds_who_looks_every_minute(
    expression: tuple[str, tuple[frozenset[int], ...], bool], zone: str, data: st.DataObject
) -> None:
    around = changes(zone) or [CENTURY[0] + timedelta(days=400)]
    change = data.draw(st.sampled_from(around))
    start = change - timedelta(hours=data.draw(st.integers(0, 30)), minutes=data.draw(st.integers(0, 59)))
    end = change + timedelta(hours=30)

    found = list(takewhile(lambda at: at <= end, cron_times(expression[0], zone, start)))

    assert found == list(oracle(expression, zone, start, end))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", ["30 2 * * *", "*/10 2 * * *", "0 0 * * *", "59 23 * * *", "15,45 * * * *"])
def test_over_a_century_no_change_of_a_clock_is_read_otherwise(zone: str, text: str) -> None:
    sets = {
        "30 2 * * *": ({30}, {2}), "*/10 2 * * *": (set(range(0, 60, 10)), {2}), "0 0 * * *": ({0}, {0}),
        "59 23 * * *": ({59}, {23}), "15,45 * * * *": ({15, 45}, set(range(24))),
    }[text]  # fmt: skip
    every = (range(1, 32), range(1, 13), range(7))
    expression = (text, (*map(frozenset, sets), *map(frozenset, every)), True)
    for change in changes(zone)[::4]:
        start, end = change - timedelta(hours=5), change + timedelta(hours=5)
        found = list(takewhile(lambda at, end=end: at <= end, cron_times(text, zone, start)))  # type: ignore[misc]
        assert found == list(oracle(expression, zone, start, end)), change


@settings(max_examples=150, deadline=None)
@given(expressions(), st.datetimes(datetime(1973, 1, 1), datetime(2073, 1, 1)))  # noqa: DTZ001  (of UTC)
def test_where_no_clock_changes_another_library_reads_the_same(
    expression: tuple[str, tuple[frozenset[int], ...], bool], after: datetime
) -> None:
    text, _, is_both = expression
    after = after.replace(tzinfo=UTC)
    # Debian's cron takes `*/2` for a star: a day must fit both fields then. croniter has a switch for that.
    theirs = croniter.croniter(text, after, ret_type=datetime, day_or=not is_both, max_years_between_matches=60)

    ours = list(islice(cron_times(text, "UTC", after), 30))

    assert ours == [theirs.get_next() for _ in range(30)]
