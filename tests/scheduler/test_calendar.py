"""What a schedule owes at a time: tables, and what holds for all. Source: protocol.md, "Schedules"."""

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.protocol.fire import Due, Firing
from rota.protocol.schedule import RUNS_MAX, Missed, times
from rota.protocol.wire import parse_timestamp, timestamp
from rota.scheduler.calendar import MISSED_AFTER_S, owed

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def due(now: datetime, next_at: datetime = NOON, missed: Missed = Missed.SKIP, **when: object) -> Due:
    given = {"cron": None, "every_s": 600.0} | when
    asked = Due(
        "lab", "poll", 3, None, None, "UTC", missed, timestamp(NOON - timedelta(days=1)), timestamp(next_at),
        timestamp(now),
    )  # fmt: skip
    return msgspec.structs.replace(asked, **given)


def minutes(firing: Firing) -> list[float]:
    """When its runs were due, in minutes after noon."""
    return [(parse_timestamp(at) - NOON).total_seconds() / 60 for at in firing.due_at]


def test_a_run_that_is_due_is_fired_and_the_next_one_named() -> None:
    firing = owed(due(NOON))

    assert (minutes(firing), firing.missed) == ([0], 0)
    assert firing.next_at == timestamp(NOON + timedelta(minutes=10))
    assert (firing.environment, firing.name, firing.revision) == ("lab", "poll", 3)
    assert firing.expected_at == timestamp(NOON)


@pytest.mark.parametrize(
    ("missed", "late_s", "runs", "given_up"),
    [
        (Missed.SKIP, MISSED_AFTER_S, [0], 0),  # a server restarts meanwhile
        (Missed.SKIP, MISSED_AFTER_S + 1, [], 1),
        (Missed.SKIP, 1200, [20], 2),  # the latest is due this very moment
        (Missed.SKIP, 1500, [], 3),
        (Missed.ONCE, 1500, [20], 2),
        (Missed.ALL, 1500, [0, 10, 20], 0),
    ],
)
def test_what_was_missed_is_given_up_or_made_up(
    missed: Missed, late_s: float, runs: list[float], given_up: int
) -> None:
    firing = owed(due(NOON + timedelta(seconds=late_s), missed=missed))

    assert (minutes(firing), firing.missed) == (runs, given_up)


def test_of_a_long_absence_the_latest_runs_are_made_up_and_no_more() -> None:
    firing = owed(due(NOON + timedelta(days=365), missed=Missed.ALL))

    assert len(firing.due_at) == RUNS_MAX
    assert minutes(firing)[-1] == 365 * 24 * 60
    assert minutes(firing)[0] == 365 * 24 * 60 - 10 * (RUNS_MAX - 1)


def test_a_cron_every_minute_that_nobody_looked_at_for_ten_years_is_reckoned_at_once() -> None:
    firing = owed(due(NOON + timedelta(days=3650), cron="* * * * *", every_s=None, timezone="Europe/Berlin"))

    assert minutes(firing) == [3650 * 24 * 60]
    assert firing.missed >= RUNS_MAX


def test_a_time_that_a_new_rule_of_the_zone_has_taken_away_is_fired_all_the_same() -> None:
    """It was reckoned, and shown to people, by the rules of then."""
    stale = NOON + timedelta(minutes=17)
    firing = owed(due(stale, next_at=stale, cron="0 * * * *", every_s=None))

    assert minutes(firing) == [17]
    assert firing.next_at == timestamp(NOON + timedelta(hours=1))


CRONS = st.sampled_from(["* * * * *", "*/7 3-5 * * *", "30 2 * * *", "0 0 29 2 *", "15 9 * * MON-FRI"])


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(CRONS, st.floats(1, 1e6)),
    st.sampled_from(Missed),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
    st.floats(0, 2e7),
)
def test_no_run_is_owed_twice_early_or_out_of_order(
    when: str | float, missed: Missed, zone: str, late_s: float
) -> None:
    cron, every_s, zone = (when, None, zone) if isinstance(when, str) else (None, when, "UTC")
    anchor = timestamp(NOON)
    first = next(times(cron, every_s, zone, anchor, NOON))
    now = first + timedelta(seconds=late_s)
    asked = Due("lab", "poll", 1, cron, every_s, zone, missed, anchor, timestamp(first), timestamp(now))

    firing = owed(asked)
    runs = [parse_timestamp(at) for at in firing.due_at]

    assert firing == owed(asked)
    assert runs == sorted(set(runs))
    assert all(first <= at <= now for at in runs)
    assert len(runs) <= (RUNS_MAX if missed is Missed.ALL else 1)
    assert firing.next_at is not None
    assert parse_timestamp(firing.next_at) > now
    coming = takewhile(lambda at: at <= now, times(cron, every_s, zone, anchor, NOON))
    calendar = set(islice(coming, 2 * RUNS_MAX))
    assert {at for at in runs if at <= max(calendar)} <= calendar
    if missed is Missed.ALL and len(runs) < RUNS_MAX:
        assert runs == sorted(calendar)
        assert firing.missed == 0


@settings(max_examples=50, deadline=None)
@given(CRONS, st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_whenever_it_is_asked_all_times_are_fired_once(cron: str, steps_s: list[float]) -> None:
    """With `missed: all` what is fired is the calendar, however often and however late somebody asks."""
    now, next_at = NOON, next(times(cron, None, "Europe/Berlin", timestamp(NOON), NOON))
    fired: list[datetime] = []
    for step_s in steps_s:
        now += timedelta(seconds=min(step_s, RUNS_MAX * 60 - 60))
        if next_at > now:
            continue
        firing = owed(due(now, next_at, Missed.ALL, cron=cron, every_s=None, timezone="Europe/Berlin"))
        fired += [parse_timestamp(at) for at in firing.due_at]
        assert firing.next_at is not None
        next_at = parse_timestamp(firing.next_at)

    expected = list(islice(times(cron, None, "Europe/Berlin", timestamp(NOON), NOON), len(fired) + 1))
    assert fired == expected[:-1]
    assert expected[-1] > now
