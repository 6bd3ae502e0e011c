"""What a schedule owes at a time: a plain function. Source: protocol.md, "Schedules"."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, takewhile

from rota.protocol.fire import Due, Firing
from rota.protocol.schedule import RUNS_MAX, Missed, times
from rota.protocol.wire import parse_timestamp, timestamp

MISSED_AFTER_S = 60.0
"""A run that is started within that time after it was due was not missed: a server restarts meanwhile."""

_INSTANT = timedelta(microseconds=1)


def owed(due: Due) -> Firing:
    """What follows from the clock's reaching `due.now`: a run that is on time, and what `missed` says of the others.

    Of more than RUNS_MAX passed times only the latest are looked at: so many are made up, and counted, at most.
    """
    now = parse_timestamp(due.now)
    passed = _passed(due, now)
    if due.missed is Missed.ALL:
        run = passed[-RUNS_MAX:]
    elif due.missed is Missed.ONCE or (now - passed[-1]).total_seconds() <= MISSED_AFTER_S:
        run = passed[-1:]
    else:
        run = []
    following = next(_times(due, now), None)
    return Firing(
        due.environment,
        due.name,
        due.revision,
        due.next_at,
        [timestamp(at) for at in run],
        len(passed) - len(run),
        None if following is None else timestamp(following),
    )


def _passed(due: Due, now: datetime) -> list[datetime]:
    """The times from `next_at` to `now`, in order; where they are more than RUNS_MAX, the latest of them alone."""
    first = parse_timestamp(due.next_at)
    passed = _between(due, first, now, RUNS_MAX + 1)
    if len(passed) <= RUNS_MAX:
        return passed or [first]  # the zone's rules have changed since `first` was reckoned: it stands
    window = timedelta(hours=1)
    while len(passed := _between(due, now - window, now, None)) < RUNS_MAX:
        window *= 4
    return passed


def _between(due: Due, first: datetime, last: datetime, limit: int | None) -> list[datetime]:
    return list(islice(takewhile(lambda at: at <= last, _times(due, first - _INSTANT)), limit))


def _times(due: Due, after: datetime) -> Iterator[datetime]:
    return times(due.cron, due.every_s, due.timezone, due.anchor_at, after)
