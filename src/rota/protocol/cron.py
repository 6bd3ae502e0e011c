"""When a schedule's times are: cron expressions in a time zone, and intervals. Plain functions of their arguments.

`cronsim` reads the expression and finds the times of a clock that never changes; what happens where a zone's clock does
change is decided here, by the rules of Vixie's cron. An expression whose minute or hour begins with `*` follows the
clock: what it skips is skipped, what it shows twice is run twice. Every other one names times of the day: each is run
once a day, a skipped one as soon as the clock has jumped over it. Source: cron(8) of Debian, "Daylight Saving Time".
"""

import difflib
import functools
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import takewhile

from cronsim import CronSim, CronSimError

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
EVERY_S_MIN = 1.0

_FIELDS = 5
_SHAPE = (
    "five fields: minute (0-59), hour (0-23), day of the month (1-31), month (1-12), day of the week (0-7, SUN-SAT)"
)
_INSTANT = timedelta(microseconds=1)
_STRIDE = timedelta(hours=12)
"""No zone changes its clock twice within so short a time."""
_LAST_YEAR = 3000
"""Calendars end somewhere, and what comes every fourth leap year is soon there."""
_LONGEST_GAP = timedelta(hours=26)


def wrong_cron(expression: str) -> str | None:
    """What is wrong with it and what to write instead; None: nothing."""
    fields = ALIASES.get(expression, expression).split()
    if expression.startswith("@") and expression not in ALIASES:
        return f"`{expression}` is none of {', '.join(ALIASES)}; or write {_SHAPE}"
    if len(fields) == _FIELDS + 1:
        return "has six fields, and no seconds are read; write five, or `every_s` for more often than a minute"
    if len(fields) != _FIELDS:
        return f"has {len(fields)} fields; write {_SHAPE}, such as `30 2 * * *`"
    try:
        first = next(CronSim(" ".join(fields), datetime(2000, 1, 1)), None)  # noqa: DTZ001  (a clock on no wall)
    except CronSimError as error:
        reason = str(error).removeprefix("Bad ").replace("-of-", " of the ")
        if _is_shaped(fields):
            return "never comes: none of its months has such a day; write a day that there is, or `L` for the last one"
        return f"its {reason} is not understood; write {_SHAPE}"
    return None if first is not None else "never comes; write a day that there is"


def wrong_zone(name: str) -> str | None:
    """What is wrong with a time zone's name and what to write instead; None: nothing."""
    if name in _zones():
        return None
    close = difflib.get_close_matches(name, _zones(), 1, 0.7)
    meant = f"did you mean `{close[0]}`?" if close else "write such as `Europe/Berlin` or `UTC`"
    return f"`{name[:100]}` is no time zone of the IANA database; {meant}"


def cron_times(expression: str, timezone: str, after: datetime) -> Iterator[datetime]:
    """Its moments behind `after`, in order, in UTC, until the year 3000. The expression and the zone are good ones."""
    fields = ALIASES.get(expression, expression).split()
    zone = zoneinfo.ZoneInfo(timezone)
    follows_clock = fields[0].startswith("*") or fields[1].startswith("*")
    return (_of_clock if follows_clock else _of_days)(" ".join(fields), zone, after.astimezone(UTC))


def interval_times(every_s: float, anchor: datetime, after: datetime) -> Iterator[datetime]:
    """`anchor` and every `every_s` seconds from there on, behind `after`, in order, in UTC, without end."""
    every = timedelta(seconds=every_s)
    start = anchor.astimezone(UTC)
    number = max(0, (after - start) // every + 1)
    while True:
        yield start + number * every
        number += 1


def _of_clock(expression: str, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """Whenever the zone's clock shows such a time: stretch by stretch, each without a change of the clock."""
    begin = after + _INSTANT
    while True:
        offset = _offset(zone, begin)
        looked_at = begin
        for wall in _walls(expression, (begin - _INSTANT).replace(tzinfo=None) + offset):
            moment = (wall - offset).replace(tzinfo=UTC)
            change = _change(zone, looked_at, moment)
            if change is not None:
                begin = change
                break
            yield moment
            looked_at = moment
        else:
            return


def _of_days(expression: str, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """Each time of the day once: the first time that the clock shows it, or when it has jumped over it."""
    last = after
    for wall in _walls(expression, after.astimezone(zone).replace(tzinfo=None)):
        moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) != wall:
            moment = _change(zone, moment - _LONGEST_GAP, moment) or moment
        if moment > last:  # not so: it came before the clock went back, or with another of the same gap
            yield moment
            last = moment


def _walls(expression: str, after: datetime) -> Iterator[datetime]:
    """The times behind `after` of a clock that never changes."""
    yield from takewhile(lambda wall: wall.year < _LAST_YEAR, CronSim(expression, after))


def _offset(zone: tzinfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _change(zone: tzinfo, after: datetime, until: datetime) -> datetime | None:
    """The first moment in (after, until] from which on the zone's clock is another one."""
    offset = _offset(zone, after)
    low = after
    while low < until:
        high = min(low + _STRIDE, until)
        if _offset(zone, high) != offset:
            while high - low > _INSTANT:
                middle = low + (high - low) / 2
                low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
            return high
        low = high
    return None


def _is_shaped(fields: list[str]) -> bool:
    """Whether the expression would be a good one in a month of 31 days."""
    try:
        CronSim(" ".join([*fields[:3], "*", fields[4]]), datetime(2000, 1, 1))  # noqa: DTZ001  (as above)
        CronSim(" ".join([*fields[:2], "1", *fields[3:]]), datetime(2000, 1, 1))  # noqa: DTZ001  (as above)
    except CronSimError:
        return False
    return True


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
