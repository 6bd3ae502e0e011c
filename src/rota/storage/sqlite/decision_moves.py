"""What follows an end, as deeds for the writer: the scheduler's word, and a person's retry."""

from datetime import timedelta
from typing import Any

import apsw

from rota.protocol.decide import Decision
from rota.protocol.event import EventType
from rota.protocol.ids import JobId
from rota.protocol.problems import Conflict
from rota.protocol.states import ENDED, JobState
from rota.protocol.wire import parse_timestamp, timestamp
from rota.storage.sqlite.cancel_moves import not_from_here
from rota.storage.sqlite.event_log import decided, moved
from rota.storage.sqlite.gate import fill_seats, release
from rota.storage.sqlite.job_moves import SQL
from rota.storage.sqlite.retry_moves import next_try, run_again
from rota.storage.sqlite.rows import first
from rota.storage.sqlite.tallies import count_verdict
from rota.storage.stores.jobs import Outcome

_STILL_RUNS = (
    "A worker that is not heard of may still execute the job. Run it again when the worker has come back, "
    "or its detach_timeout_s is over."
)


def decide(connection: apsw.Connection, decision: Decision, at: str) -> list[Outcome]:
    """Apply the scheduler's word where it is still due, and what it sets free with it."""
    row: dict[str, Any] = {
        "job": decision.job_id,
        "attempt": decision.attempt_id,
        "message": decision.message,
        "at": at,
    }
    row["state"] = decision.state
    if decision.verdict is None:
        row |= {"ready_at": _after(at, decision.delay_s), "pause_s": decision.delay_s}
        if first(connection, SQL["try_again"], row) is None:
            return []
        moved(connection, EventType.JOB_RETRIED, decision.job_id, at)
        key = next_try(connection, decision, at)
        return [release(connection, decision.job_id, at) or Outcome(decision.job_id, JobState.WAITING, key)]
    row["verdict"] = decision.verdict
    ended = first(connection, SQL["decide"], row) or first(connection, SQL["give_up"], row)
    if ended is None:
        return []
    count_verdict(connection, decision.job_id, at)
    state, environment, group, parent, *told = ended
    decided(connection, decision, JobState(state), environment, told, at)
    lost = JobState.LOST if state == JobState.LOST else None
    return [Outcome(decision.job_id, lost), *fill_seats(connection, environment, group, parent, at)]


def retry(connection: apsw.Connection, job: JobId, expires_at: str | None, at: str) -> Outcome:
    """Once more, through the gate."""
    if first(connection, SQL["retry"], {"job": job, "expires_at": expires_at}) is None:
        state = first(connection, SQL["job_state"], {"job": job})
        if state is not None and JobState(state[0]) in ENDED:
            return Outcome(problem=Conflict(_STILL_RUNS))
        return Outcome(problem=not_from_here(connection, job, "run again"))
    moved(connection, EventType.JOB_RETRIED, job, at)
    run_again(connection, job)
    return release(connection, job, at) or Outcome(job, JobState.WAITING)


def _after(at: str, delay_s: float) -> str | None:
    return timestamp(parse_timestamp(at) + timedelta(seconds=delay_s)) if delay_s else None
