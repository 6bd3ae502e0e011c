"""An array and its parts, as deeds for the writer: the array waits until the last of its parts has a verdict."""

from collections.abc import Iterable
from typing import NamedTuple

import apsw

from rota.protocol.event import EventType
from rota.protocol.ids import JobId
from rota.protocol.job import Parts
from rota.protocol.problems import Conflict
from rota.protocol.states import ENDED, JobState, Verdict
from rota.storage.sqlite.cancel_moves import SQL as JOBS
from rota.storage.sqlite.cancel_moves import cancel, not_from_here
from rota.storage.sqlite.event_log import moved, moved_all
from rota.storage.sqlite.gate import arrive
from rota.storage.sqlite.retry_moves import run_again
from rota.storage.sqlite.rows import every, first
from rota.storage.sqlite.turns import Turns
from rota.storage.statements import load
from rota.storage.stores.jobs import Outcome

SQL = load(__package__, "arrays.sql")

STILL_RUNS = (
    "A worker that is not heard of may still execute the job. Run it again when the worker has come back, "
    "or its detach_timeout_s is over."
)


class Closed(NamedTuple):
    """The end of an array."""

    state: JobState
    verdict: Verdict


def count_parts(connection: apsw.Connection, parent: JobId) -> Parts:
    """How many of its parts are in which state, and have which verdict."""
    counted = dict.fromkeys((*JobState, *Verdict), 0)
    total = 0
    for state, verdict, count in every(connection, SQL["part_counts"], {"parent": parent}):
        counted[JobState(state)] += count
        if verdict is not None:
            counted[Verdict(verdict)] += count
        total += count
    return Parts(total, **{str(name): count for name, count in counted.items()})


def children(connection: apsw.Connection, parent: JobId) -> list[JobId]:
    """Its parts, in their order."""
    return [JobId(job) for (job,) in every(connection, SQL["children"], {"parent": parent})]


def open_parts(connection: apsw.Connection, parent: JobId, at: str, turns: Turns) -> list[Outcome]:
    """What the array needed is there: as many of its parts are let in as may be."""
    parts = [job for (job,) in every(connection, SQL["open_parts"], {"parent": parent})]
    return let_in(connection, sorted(parts), at, turns)


def let_in(connection: apsw.Connection, parts: Iterable[JobId], at: str, turns: Turns) -> list[Outcome]:
    """Parts of one array, in their order, until one finds no seat; a verdict lets in those behind it."""
    outcomes: list[Outcome] = []
    for part in parts:
        came = arrive(connection, part, at, turns)
        outcomes += came
        if not came:
            break
    return outcomes


def part_decided(
    connection: apsw.Connection, parent: JobId, verdict: Verdict, at: str
) -> tuple[list[Outcome], Closed | None]:
    """One more of its parts has a verdict; with the last one the array has its own, which succeeds if all did."""
    row = first(connection, SQL["part_decided"], {"parent": parent})
    if row is None:
        return [], None
    left, fail_fast, cancel_requested = row
    if left and fail_fast and verdict is Verdict.FAILED:
        return _cancel_each(connection, parent, "Another part of its array failed."), None
    if left:
        return [], None
    parts = count_parts(connection, parent)
    word = Verdict.SUCCEEDED if parts.succeeded == parts.total else Verdict.FAILED
    message = None if word is Verdict.SUCCEEDED else f"{parts.failed} of {parts.total} parts did not succeed."
    close = {"parent": parent, "verdict": word, "at": at, "message": message}
    name = "close_cancelled" if cancel_requested else "close"
    if first(connection, SQL[name], close) is None:
        return [], None
    state = JobState.CANCELLED if cancel_requested else JobState.FINISHED
    moved(connection, EventType.JOB_CANCELLED if cancel_requested else EventType.JOB_FINISHED, parent, at)
    moved(connection, EventType.JOB_DECIDED, parent, at)
    return [Outcome(parent, state)], Closed(state, word)


def cancel_parts(connection: apsw.Connection, parent: JobId, message: str | None = None) -> list[Outcome]:
    """Cancel the array: all of its parts that have not ended. A problem is in the only outcome."""
    if first(connection, SQL["to_be_cancelled"], {"parent": parent, "message": message}) is None:
        return [Outcome(problem=not_from_here(connection, parent, "cancelled"))]
    return [Outcome(parent), *_cancel_each(connection, parent, message)]


def retry_parts(
    connection: apsw.Connection, parent: JobId, expires_at: str | None, at: str, *, only_failed: bool
) -> list[Outcome]:
    """Run its parts once more, all or those that failed, all or none of them. A problem is in the only outcome."""
    state = first(connection, JOBS["job_state"], {"job": parent})
    if state is None or JobState(state[0]) not in ENDED:
        return [Outcome(problem=not_from_here(connection, parent, "run again"))]
    if first(connection, SQL["parts_held"], {"parent": parent}) is not None:
        return [Outcome(problem=Conflict(STILL_RUNS))]
    parts = [job for job, _ in every(connection, SQL["ended_parts"], {"parent": parent, "failed": only_failed})]
    if not parts:
        return [Outcome(problem=Conflict("None of its parts failed; nothing is to be run again."))]
    first(connection, SQL["reopen"], {"parent": parent, "parts": len(parts)})
    for part in parts:
        first(connection, JOBS["retry"], {"job": part, "expires_at": expires_at})
        run_again(connection, part)
    moved_all(connection, EventType.JOB_RETRIED, [(parent,), *((part,) for part in parts)], at)
    turns = Turns(connection)
    outcomes = [Outcome(parent, JobState.WAITING), *let_in(connection, parts, at, turns)]
    turns.keep()
    return outcomes


def reopen(connection: apsw.Connection, parent: JobId, *, was_decided: bool) -> Outcome:
    """One part is run again: the array ends when it has its next verdict."""
    if first(connection, SQL["reopen"], {"parent": parent, "parts": int(was_decided)}) is not None:
        moved(connection, EventType.JOB_RETRIED, parent)
    return Outcome(parent, JobState.WAITING)


def _cancel_each(connection: apsw.Connection, parent: JobId, message: str | None) -> list[Outcome]:
    ended = every(connection, SQL["cancel_parts"], {"parent": parent, "message": message})
    held = every(connection, SQL["held_parts"], {"parent": parent})
    return [
        *(Outcome(part, JobState.CANCELLED) for part in moved_all(connection, EventType.JOB_CANCELLED, ended)),
        *(cancel(connection, part, message) for (part,) in held),
    ]
