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
from rota.storage.sqlite.array_moves import SQL as ARRAYS
from rota.storage.sqlite.array_moves import STILL_RUNS, reopen, retry_parts
from rota.storage.sqlite.cancel_moves import SQL, not_from_here
from rota.storage.sqlite.event_log import decided, moved
from rota.storage.sqlite.gate import arrive, fill_seats, release
from rota.storage.sqlite.need_moves import after_verdict, give_up, look_up
from rota.storage.sqlite.retry_moves import next_try, run_again
from rota.storage.sqlite.rows import first
from rota.storage.sqlite.tallies import count_verdict
from rota.storage.stores.jobs import Outcome


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
        key = next_try(connection, decision)
        return [release(connection, decision.job_id, at) or Outcome(decision.job_id, JobState.WAITING, key)]
    row["verdict"] = decision.verdict
    ended = first(connection, SQL["decide"], row) or first(connection, SQL["give_up"], row)
    if ended is None:
        return []
    count_verdict(connection, decision.job_id, at)
    state, environment, group, parent, *told = ended
    decided(connection, decision, JobState(state), environment, told, at)
    lost = JobState.LOST if state == JobState.LOST else None
    return [
        Outcome(decision.job_id, lost),
        *fill_seats(connection, environment, group, parent, at),
        *after_verdict(connection, decision.job_id, JobState(state), decision.verdict, parent, at),
    ]


def retry(connection: apsw.Connection, job: JobId, expires_at: str | None, at: str) -> list[Outcome]:
    """Once more, through the gate. What it needed is not asked again; inputs that others bring are looked up anew."""
    parent, undecided = first(connection, ARRAYS["parent_of"], {"job": job}) or (None, 0)
    if first(connection, SQL["retry"], {"job": job, "expires_at": expires_at}) is None:
        state = first(connection, SQL["job_state"], {"job": job})
        if state is not None and JobState(state[0]) in ENDED:
            return [Outcome(problem=Conflict(STILL_RUNS))]
        return [Outcome(problem=not_from_here(connection, job, "run again"))]
    moved(connection, EventType.JOB_RETRIED, job, at)
    run_again(connection, job)
    outcomes = [] if parent is None else [reopen(connection, parent, was_decided=not undecided)]
    lacking = look_up(connection, parent or job, anew=parent is None)  # parts share those of the array
    came = arrive(connection, job, at) if lacking is None else give_up(connection, job, lacking)
    own = next((outcome for outcome in came if outcome.job_id == job), Outcome(job, JobState.WAITING))
    return [own, *outcomes, *(outcome for outcome in came if outcome is not own)]


def retry_array(
    connection: apsw.Connection, job: JobId, expires_at: str | None, at: str, *, only_failed: bool
) -> list[Outcome]:
    """The parts of an array once more, with inputs that are looked up anew."""
    outcomes = retry_parts(connection, job, expires_at, at, only_failed=only_failed)
    if outcomes[0].problem is None:
        lacking = look_up(connection, job, anew=True)
        outcomes += [] if lacking is None else give_up(connection, job, lacking)
    return outcomes


def _after(at: str, delay_s: float) -> str | None:
    return timestamp(parse_timestamp(at) + timedelta(seconds=delay_s)) if delay_s else None
