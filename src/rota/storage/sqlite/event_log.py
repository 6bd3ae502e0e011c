"""The event log: each move of a job writes its row here, in the move's own transaction. Source: decision 0022."""

from collections.abc import Iterable, Sequence
from typing import Any

import apsw
import msgspec

from rota.protocol.decide import Decision
from rota.protocol.event import EventType
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.states import JobState
from rota.storage.sqlite.rows import Row
from rota.storage.statements import load
from rota.storage.stores.claims import Leased
from rota.storage.stores.jobs import NewJob

SQL = load(__package__, "event_log.sql")


class NewEvent(msgspec.Struct, frozen=True):
    """What happened. `at` None: now, by SQLite's clock; `data`: the facts of what is not about a job, as JSON."""

    type: EventType
    environment: str
    subject: str
    at: str | None = None
    state: str | None = None
    attempt_id: AttemptId | None = None
    verdict: str | None = None
    message: str | None = None
    has_result: bool = False
    data: str | None = None


def moved(
    connection: apsw.Connection, kind: EventType, job: JobId, at: str | None = None, message: str | None = None
) -> None:
    """The job has just been moved: its facts are those of its row as it is now.

    `message` None: the job's own. Call it in the deed that moved the job, right behind the statement that did.
    """
    row = {"type": kind, "job": job, "at": at, "message": message}
    connection.execute(SQL["moved"], row)


def submitted(connection: apsw.Connection, jobs: Iterable[NewJob]) -> None:
    """The jobs have just been made."""
    kind, states = EventType.JOB_SUBMITTED, (JobState.QUEUED, JobState.WAITING)
    record(
        connection,
        *[NewEvent(kind, j.key.environment, j.id, j.submitted_at, states[j.is_held]) for j in jobs],
    )


def assigned(connection: apsw.Connection, leased: Iterable[Leased], at: str) -> None:
    """These jobs have just been leased."""
    kind, state = EventType.JOB_ASSIGNED, JobState.ASSIGNED
    record(connection, *[NewEvent(kind, one.environment, one.job_id, at, state, one.attempt_id) for one in leased])


def running(connection: apsw.Connection, job: JobId, attempt: AttemptId, environment: str) -> None:
    """The job has just begun to run."""
    record(connection, NewEvent(EventType.JOB_RUNNING, environment, job, None, JobState.RUNNING, attempt))


def over(
    connection: apsw.Connection, job: JobId, attempt: AttemptId, state: JobState, environment: str, at: str
) -> None:
    """The attempt has just ended its job with a result, as finished or cancelled."""
    kind = EventType.JOB_FINISHED if state is JobState.FINISHED else EventType.JOB_CANCELLED
    record(connection, NewEvent(kind, environment, job, at, state, attempt, has_result=True))


def abandoned(connection: apsw.Connection, row: Row | None) -> bool:
    """Whether the job ended without its worker: `row` is what the statement that may have cancelled it returned."""
    if row is not None:
        moved(connection, EventType.JOB_CANCELLED, row[0])
    return row is not None


def decided(
    connection: apsw.Connection, word: Decision, state: JobState, environment: str, told: Sequence[Any], at: str
) -> None:
    """The verdict has just been recorded, of a job that is given up as well: `told` is its message and has-a-result."""
    message, has_result = told
    facts = (environment, word.job_id, at, state, word.attempt_id, word.verdict, message, bool(has_result))
    lost = [NewEvent(EventType.JOB_LOST, *facts)] if state is JobState.LOST else []
    record(connection, *lost, NewEvent(EventType.JOB_DECIDED, *facts))


def moved_all(connection: apsw.Connection, kind: EventType, rows: Iterable[Row], at: str | None = None) -> list[JobId]:
    """The jobs whose ids are the first column of what a statement that moved many returned."""
    jobs = [JobId(row[0]) for row in rows]
    for job in jobs:
        moved(connection, kind, job, at)
    return jobs


def record(connection: apsw.Connection, *events: NewEvent) -> None:
    """By the facts given: for the moves that every job makes, where this costs a third, and for what is no job."""
    connection.executemany(SQL["record"], map(msgspec.structs.astuple, events))
