"""The gate, as deeds for the writer: a waiting job enters its queue when nothing holds it back any more.

It may wait for its needs, for a time, and for a seat: one in its concurrency group, one among the parts of its array.
Seats are taken at the gate and kept until the verdict, so that a job that is tried again stands in nobody's line.
"""

from datetime import UTC, datetime

import apsw

from rota.protocol.event import EventType
from rota.protocol.ids import JobId
from rota.protocol.placement import QueueKey
from rota.protocol.states import JobState
from rota.protocol.wire import timestamp
from rota.storage.sqlite.cancel_moves import cancel
from rota.storage.sqlite.event_log import moved
from rota.storage.sqlite.placement import read_key
from rota.storage.sqlite.rows import every, first, only
from rota.storage.sqlite.turns import Turns
from rota.storage.statements import load
from rota.storage.stores.jobs import Outcome, Released

SQL = load(__package__, "gate.sql")
JOBS = load(__package__, "jobs.sql")

_LOOKED_AT_MAX = 100
"""Most that are looked at for one seat: those before it may wait for another seat than the one that became free."""
_CLOCK_S = 0.001
"""SQLite's seconds are cut to thousandths: so much later a start is over for sure."""


def release(connection: apsw.Connection, job: JobId, now: str, turns: Turns | None = None) -> Outcome | None:
    """Let it into its queue, at its old place where it had one; None where something still holds it.

    `turns`, where many are let in: who has made it keeps it.
    """
    row = first(connection, SQL["release"], {"job": job, "now": now})
    if row is None:
        _wake_by_rate(connection, job, now)
        return None
    moved(connection, EventType.JOB_QUEUED, job, now)
    _, key, rank, has_rate = row
    if rank is None:
        taken = turns or Turns(connection)
        taken.enter(job, now)
        if turns is None:
            taken.keep()
    if has_rate:
        connection.execute(SQL["forget_starts"], {"job": job, "now": now})
        connection.execute(SQL["book_start"], {"job": job, "now": now})
    return Outcome(job, JobState.QUEUED, key_of(connection, key))


def arrive(
    connection: apsw.Connection, job: JobId, now: str, turns: Turns | None = None, last: JobId | None = None
) -> list[Outcome]:
    """It waits for nothing but seats from now on: let it in where there is one, once it has made room for itself.

    `last` is the last one of its submission, where they come one after the other.
    """
    others = every(connection, SQL["superseded"], {"job": job, "now": now, "last": last or job})
    outcomes = [cancel(connection, other, f"Job {job} took its place in its concurrency group.") for (other,) in others]
    released = release(connection, job, now, turns)
    return outcomes if released is None else [*outcomes, released]


def release_due(connection: apsw.Connection, now: str, limit: int) -> Released:
    """Let in whose time has come, up to `limit` of them, and tell when the next one's comes."""
    due = every(connection, SQL["due"], {"now": now, "limit": limit})
    outcomes: list[Outcome] = []
    for (job,) in due:
        connection.execute(SQL["come"], {"job": job})
        outcomes += arrive(connection, job, now)
    for environment, group in every(connection, SQL["alarms"], {"now": now}):
        outcomes += fill_seats(connection, environment, group, None, now)
    nexts = [only(connection, SQL[name], {})[0] for name in ("next_ready_at", "next_alarm")]
    return Released(outcomes, min((at for at in nexts if at is not None), default=None))


def fill_seats(
    connection: apsw.Connection, environment: str, group: str | None, parent: JobId | None, now: str
) -> list[Outcome]:
    """A seat of the group, or of the array, is free: whoever is next takes it."""
    limit: dict[str, str | int | None] = {"limit": _LOOKED_AT_MAX}
    whose = limit | {"environment": environment, "group_name": group}
    lines = () if group is None else ("seated_of_group", "next_of_group")
    waiting = [row for line in lines for row in every(connection, SQL[line], whose)]
    waiting += [] if parent is None else every(connection, SQL["next_parts"], limit | {"parent": parent})
    outcomes: list[Outcome] = []
    for (job,) in waiting:
        outcome = release(connection, job, now)
        if outcome is not None:
            outcomes.append(outcome)
        elif group is None:
            break  # the same seat holds all behind it
    if group is not None and len(outcomes) >= _LOOKED_AT_MAX:
        _set_alarm(connection, environment, group, now)  # a rate that opened for many: on with it in the next round
    return outcomes


def key_of(connection: apsw.Connection, key: int) -> QueueKey:
    """The demand that a queue stands for."""
    return read_key(*only(connection, JOBS["queue_key"], {"key": key}))


def _wake_by_rate(connection: apsw.Connection, job: JobId, now: str) -> None:
    """Where it is its group's rate that holds the job, have the porter look again when the rate opens."""
    held = first(connection, SQL["rate_of"], {"job": job, "now": now})
    if held is None:
        return
    environment, group, count, per_s = held
    group_row = {"environment": environment, "group_name": group}
    oldest = first(connection, SQL["oldest_start"], group_row | {"count": count})
    if oldest is None:
        return
    opens_at = timestamp(datetime.fromtimestamp(oldest[0] + per_s + _CLOCK_S, UTC))
    if opens_at > now:  # else it is a seat that it waits for
        _set_alarm(connection, environment, group, opens_at)


def _set_alarm(connection: apsw.Connection, environment: str, group: str, at: str) -> None:
    connection.execute(SQL["set_alarm"], {"environment": environment, "group_name": group, "at": at})
