"""The gate, as deeds for the writer: a waiting job enters its queue when nothing holds it back any more.

It may wait for its needs, for a time, and for a seat: one in its concurrency group, one among the parts of its array.
Seats are taken at the gate and kept until the verdict, so that a job that is tried again stands in nobody's line.
"""

import apsw

from rota.protocol.event import EventType
from rota.protocol.ids import JobId
from rota.protocol.placement import QueueKey
from rota.protocol.states import JobState
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


def release(connection: apsw.Connection, job: JobId, now: str, turns: Turns | None = None) -> Outcome | None:
    """Let it into its queue, at its old place where it had one; None where something still holds it.

    `turns`, where many are let in: who has made it keeps it.
    """
    row = first(connection, SQL["release"], {"job": job, "now": now})
    if row is None:
        return None
    moved(connection, EventType.JOB_QUEUED, job, now)
    _, key, rank = row
    if rank is None:
        taken = turns or Turns(connection)
        taken.enter(job, now)
        if turns is None:
            taken.keep()
    return Outcome(job, JobState.QUEUED, key_of(connection, key))


def release_due(connection: apsw.Connection, now: str, limit: int) -> Released:
    """Let in whose time has come, up to `limit` of them, and tell when the next one's comes."""
    due = every(connection, SQL["due"], {"now": now, "limit": limit})
    outcomes = [outcome for (job,) in due if (outcome := release(connection, job, now)) is not None]
    return Released(outcomes, only(connection, SQL["next_ready_at"], {})[0])


def fill_seats(
    connection: apsw.Connection, environment: str, group: str | None, parent: JobId | None, now: str
) -> list[Outcome]:
    """A seat of the group, or of the array, is free: whoever is next takes it."""
    limit: dict[str, str | int | None] = {"limit": _LOOKED_AT_MAX}
    waiting = [] if group is None else every(
        connection, SQL["next_of_group"], limit | {"environment": environment, "group_name": group}
    )  # fmt: skip
    waiting += [] if parent is None else every(connection, SQL["next_parts"], limit | {"parent": parent})
    outcomes: list[Outcome] = []
    for (job,) in waiting:
        outcome = release(connection, job, now)
        if outcome is not None:
            outcomes.append(outcome)
        elif group is None or parent is None:
            break  # the same seat holds all behind it
    return outcomes


def key_of(connection: apsw.Connection, key: int) -> QueueKey:
    """The demand that a queue stands for."""
    return read_key(*only(connection, JOBS["queue_key"], {"key": key}))
