"""Who waits for whom, as deeds for the writer: a verdict is told to those that need the job, in its own transaction.

A need is asked once, by the first verdict that comes. What is not met any more is skipped here, and has its own verdict
from the scheduler: so a chain of skips goes through the scheduler's loop, each link a transaction of its own.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import apsw
import msgspec

from rota.protocol.event import EventType
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.job_finished import Result
from rota.protocol.needs import On, is_met, unmet
from rota.protocol.states import JobState, Verdict
from rota.protocol.wire import encode
from rota.storage.sqlite.array_moves import cancel_parts, open_parts, part_decided
from rota.storage.sqlite.cancel_moves import cancel
from rota.storage.sqlite.event_log import moved_all
from rota.storage.sqlite.gate import arrive
from rota.storage.sqlite.rows import every, first, only
from rota.storage.sqlite.turns import Turns
from rota.storage.statements import load
from rota.storage.stores.holds import Hold
from rota.storage.stores.jobs import NewJob, Outcome

SQL = load(__package__, "needs.sql")

_result = msgspec.json.Decoder(Result)


class _Verdict(NamedTuple):
    """How a needed job ended."""

    job: JobId
    name: str | None
    state: JobState
    verdict: Verdict


def add_needs(connection: apsw.Connection, jobs: Sequence[NewJob], at: str, turns: Turns) -> list[Outcome]:
    """Record what new jobs need of others; those whose needs have all ended before are let in, or skipped, now."""
    new = {job.id for job in jobs}
    ended: dict[JobId, _Verdict | None] = {}
    for job in jobs:
        for need in job.needs:
            if need.job_id not in new and need.job_id not in ended:
                row = first(connection, SQL["ended_already"], {"job": need.job_id})
                ended[need.job_id] = None if row is None else _verdict(need.job_id, *row)
            is_open = ended.get(need.job_id) is None
            link = {"job": job.id, "needed": need.job_id, "on_end": need.on, "open": is_open}
            connection.execute(SQL["insert_need"], link)
        for file in job.references:
            given = {"job": job.id, "path": file.path, "source": file.source_id, "source_path": file.source_path}
            connection.execute(SQL["insert_reference"], given)
    outcomes: list[Outcome] = []
    for job in jobs:
        for need in job.needs:
            verdict = ended.get(need.job_id)
            if verdict is not None:
                outcomes += _ask(connection, job.id, need.on, verdict, at, turns)
        if job.references and not job.needs and job.hold is not None:
            outcomes += _ready(connection, job.id, at, turns, is_array=job.hold.parts_left is not None)
    return outcomes


def let_in(connection: apsw.Connection, new: Sequence[NewJob], turns: Turns) -> list[Outcome]:
    """Through the gate, who of a submission waits for nothing else; what they need is recorded."""
    held = [job for job in new if job.is_held]
    if not held:
        return []
    at = held[0].submitted_at
    outcomes = add_needs(connection, held, at, turns)
    full: set[tuple[str, Hold]] = set()
    for job in held:
        hold = job.hold or Hold()
        if job.needs or job.references or hold.unmet or hold.parts_left is not None:
            continue
        line = job.key.environment, hold
        if line not in full:
            came = arrive(connection, job.id, at, turns, held[-1].id)
            outcomes += came
            if not came and not hold.supersedes:
                full.add(line)  # nothing is free for those behind it either, who wait for the very same
    return outcomes


def after_verdict(
    connection: apsw.Connection, job: JobId, state: JobState, verdict: Verdict, parent: JobId | None, at: str
) -> list[Outcome]:
    """What hangs on a verdict besides seats: who needs the job, and the array that it is a part of."""
    outcomes = _settle(connection, job, state, verdict, at)
    if parent is not None:
        closing, closed = part_decided(connection, parent, verdict, at)
        outcomes += closing
        if closed is not None:
            outcomes += _settle(connection, parent, closed.state, closed.verdict, at)
    return outcomes


def look_up(connection: apsw.Connection, job: JobId, *, anew: bool = False) -> str | None:
    """Find the bytes that its inputs refer to; returns what is lacking.

    Where the job is to run all the same, the file is left out, and nothing is lacking.
    """
    if anew:
        connection.execute(SQL["forget_references"], {"job": job})
    lacking: str | None = None
    for path, source, source_path in every(connection, SQL["unresolved"], {"job": job}):
        found = _bytes_of(connection, source, source_path)
        if found is None:
            what = "result" if source_path is None else f"artifact `{source_path}`"
            lacking = lacking or f"Its input `{path}` is the {what} of job {source}, which has none."
            continue
        attempt, size_bytes, sha256 = found
        row = {"job": job, "path": path, "attempt": attempt, "size_bytes": size_bytes, "sha256": sha256}
        connection.execute(SQL["resolve"], row)
    if lacking is None or only(connection, SQL["on_unmet"], {"job": job})[0] == "run":
        return None
    return lacking


def value_of(result: str) -> bytes:
    """The value of a recorded result as a file."""
    return encode(_result.decode(result).value) + b"\n"


def give_up(connection: apsw.Connection, job: JobId, message: str) -> list[Outcome]:
    """It will not run: cancelled with the reason, alone or with all of its submission, as it says."""
    row = first(connection, SQL["terms"], {"job": job})
    if row is None:
        return []
    on_unmet, parts_left, graph = row
    if parts_left is not None:
        outcomes = cancel_parts(connection, job, message)
    else:
        skipped = first(connection, SQL["skip"], {"job": job, "message": message})
        outcomes = [] if skipped is None else [Outcome(job, JobState.CANCELLED)]
        moved_all(connection, EventType.JOB_CANCELLED, [] if skipped is None else [skipped])
    if on_unmet != "cancel" or graph is None:
        return outcomes
    others = every(connection, SQL["graph"], {"graph": graph, "job": job})
    with_it = f"Cancelled with its submission: job {job} could not run."
    for other, is_array in others:
        outcomes += cancel_parts(connection, other, with_it) if is_array else [cancel(connection, other, with_it)]
    return outcomes


def _verdict(job: JobId, state: str, verdict: str, name: str | None) -> _Verdict:
    return _Verdict(job, name, JobState(state), Verdict(verdict))


def _settle(connection: apsw.Connection, job: JobId, state: JobState, verdict: Verdict, at: str) -> list[Outcome]:
    """Tell the verdict to those that need the job."""
    waiting = every(connection, SQL["close_needs"], {"job": job})
    if not waiting:
        return []
    [name] = only(connection, SQL["name_of"], {"job": job})
    given, turns = _Verdict(job, name, state, verdict), Turns(connection)
    outcomes = [one for other, on in sorted(waiting) for one in _ask(connection, other, On(on), given, at, turns)]
    turns.keep()
    return outcomes


def _ask(connection: apsw.Connection, job: JobId, on: On, given: _Verdict, at: str, turns: Turns) -> list[Outcome]:
    """One need of the job has its answer."""
    if not is_met(on, given.state, given.verdict) and only(connection, SQL["on_unmet"], {"job": job})[0] != "run":
        if first(connection, SQL["is_needy"], {"job": job}) is None:
            return []
        return give_up(connection, job, unmet(given.job, given.name, on, given.state, given.verdict))
    row = first(connection, SQL["count_down"], {"job": job})
    if row is None or row[0] > 0:
        return []
    return _ready(connection, job, at, turns, is_array=row[1] is not None)


def _ready(connection: apsw.Connection, job: JobId, at: str, turns: Turns, *, is_array: bool) -> list[Outcome]:
    """Nothing that it needs is open any more."""
    lacking = look_up(connection, job)
    if lacking is not None:
        return give_up(connection, job, lacking)
    return open_parts(connection, job, at, turns) if is_array else arrive(connection, job, at, turns)


def _bytes_of(connection: apsw.Connection, source: JobId, path: str | None) -> tuple[AttemptId, int, str] | None:
    """Whose bytes, how many, and their digest; of the newest try that ended with a result."""
    row = first(connection, SQL["newest_result"], {"job": source})
    if row is None:
        return None
    attempt, result = row
    if path is not None:
        output = first(connection, SQL["source_output"], {"attempt": attempt, "path": path})
        return None if output is None else (attempt, *output)
    if result is None:
        return None
    content = value_of(result)
    return attempt, len(content), hashlib.sha256(content).hexdigest()
