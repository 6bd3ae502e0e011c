"""How leases end and attempts come back, as deeds for the writer. Source: protocol.md, "Incarnation"; states.py."""

from collections.abc import Mapping, Sequence

import apsw

from rota.protocol.event import EventType
from rota.protocol.ids import AttemptId, Incarnation, WorkerId
from rota.protocol.incarnation import is_earlier
from rota.protocol.problems import LeaseLost
from rota.protocol.states import JobState
from rota.storage.sqlite.event_log import abandoned, moved
from rota.storage.sqlite.job_moves import SQL, back_in_queue, cancelled_at_last, traced
from rota.storage.sqlite.rows import every, first
from rota.storage.stores.jobs import Outcome


def lose(connection: apsw.Connection, attempt: AttemptId, at: str, why: str) -> Outcome:
    """The lease is over: queued again, waiting for the scheduler, or cancelled where that was asked for."""
    lost = {"attempt": attempt, "trace": traced(at, "lost", why)}
    row = first(connection, SQL["lose_attempt"], lost)
    if row is None:
        return Outcome(problem=LeaseLost())
    job = row[0]
    back = back_in_queue(connection, "lapse", attempt, job, at, why)
    if back is not None:
        return back
    if first(connection, SQL["lose"], {"attempt": attempt, "job": job}) is not None:
        moved(connection, EventType.JOB_ATTEMPT_LOST, job, at, why)
        return Outcome(job, JobState.WAITING)
    return cancelled_at_last(connection, attempt, job)


def detach(connection: apsw.Connection, attempt: AttemptId, at: str) -> Outcome:
    """The lease is over, and nobody else gets the job yet. One that somebody has cancelled ends here."""
    row = first(connection, SQL["detach_attempt"], {"attempt": attempt, "trace": traced(at, "detached", "silent")})
    if row is None:
        return Outcome(problem=LeaseLost())
    moved(connection, EventType.JOB_DETACHED, row[0], at)
    ended = abandoned(connection, first(connection, SQL["abandon"], {"job": row[0]}))
    return Outcome(row[0], JobState.CANCELLED if ended else None)


def come_back(connection: apsw.Connection, worker: WorkerId, attempt: AttemptId, at: str) -> Outcome:
    """Its worker is heard of again."""
    back = {"attempt": attempt, "worker": worker, "trace": traced(at, "returned", "heartbeat")}
    row = first(connection, SQL["return_attempt"], back)
    if row is None:
        return Outcome(problem=LeaseLost())
    moved(connection, EventType.JOB_RETURNED, row[0], at)
    return Outcome(row[0])


def book(connection: apsw.Connection, detached_s: Mapping[AttemptId, float]) -> None:
    """Note for how long each has been detached."""
    for attempt, passed_s in detached_s.items():
        connection.execute(SQL["book_detached"], {"attempt": attempt, "detached_s": passed_s})


def keep(
    connection: apsw.Connection, worker: WorkerId, incarnation: Incarnation, keep: Sequence[AttemptId]
) -> list[AttemptId]:
    """Take over what the new incarnation answers for; the rest is returned. Nothing of a later one is touched."""
    others = every(connection, SQL["other_incarnations"], {"worker": worker, "incarnation": incarnation})
    held = [AttemptId(row[0]) for row in others if not is_earlier(incarnation, row[1])]
    for attempt in set(keep) & set(held):
        connection.execute(SQL["take_over"], {"attempt": attempt, "worker": worker, "incarnation": incarnation})
    return [attempt for attempt in held if attempt not in set(keep)]
