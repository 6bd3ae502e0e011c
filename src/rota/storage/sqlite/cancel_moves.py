"""Cancel, as a deed for the writer: on a person's word, or because of what became of other jobs."""

import apsw

from rota.protocol.event import EventType
from rota.protocol.ids import JobId
from rota.protocol.problems import Conflict, NotFound, Problem
from rota.protocol.states import JobState
from rota.storage.sqlite.event_log import abandoned, moved
from rota.storage.sqlite.rows import first
from rota.storage.statements import load
from rota.storage.stores.jobs import Outcome

SQL = load(__package__, "jobs.sql")
DEADLINES = load(__package__, "deadlines.sql")


def cancel(connection: apsw.Connection, job: JobId, message: str | None = None) -> Outcome:
    """End it where nobody holds it, or its holder is silent; else ask for it. `message` says why, where people ask."""
    if first(connection, SQL["cancel"], {"job": job, "message": message}) is not None:
        moved(connection, EventType.JOB_CANCELLED, job)
        return Outcome(job, JobState.CANCELLED)
    requested = first(connection, SQL["request_cancel"], {"job": job, "message": message})
    if requested is not None:
        ended = abandoned(connection, first(connection, SQL["abandon"], {"job": job}))
        return Outcome(job, JobState.CANCELLED if ended else JobState(requested[0]))
    return Outcome(problem=not_from_here(connection, job, "cancelled"))


def overdue(connection: apsw.Connection, job: JobId) -> Outcome:
    """Its deadline has passed: what waits expires, what a worker holds is to be stopped."""
    if first(connection, DEADLINES["overdue"], {"job": job}) is not None:
        moved(connection, EventType.JOB_EXPIRED, job)
        return Outcome(job, JobState.EXPIRED)
    outcome = cancel(connection, job)
    if outcome.problem is None:
        connection.execute(DEADLINES["tell_overdue"], {"job": job})
    return outcome


def not_from_here(connection: apsw.Connection, job: JobId, what: str) -> Problem:
    """Why a job is not moved: there is none, or it is in another state."""
    state = first(connection, SQL["job_state"], {"job": job})
    if state is None:
        return NotFound("There is no such job.")
    return Conflict(f"The job is {state[0]}; it cannot be {what} from there.")
