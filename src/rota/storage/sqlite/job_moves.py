"""The moves of jobs and attempts, as deeds for the writer: each runs inside its transaction."""

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from rota.protocol.event import EventType
from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.job_finished import Finished, Reason
from rota.protocol.problems import Conflict, InvalidRequest, LeaseLost, NotFound, Problem
from rota.protocol.spec import Spec
from rota.protocol.states import HELD, AttemptState, JobState
from rota.protocol.wire import encode, from_base64
from rota.storage.sqlite.event_log import assigned, moved, over, running, submitted
from rota.storage.sqlite.gate import key_of
from rota.storage.sqlite.inputs import inputs_of
from rota.storage.sqlite.need_moves import let_in
from rota.storage.sqlite.placement import Choice, queue_key
from rota.storage.sqlite.refusals import refused
from rota.storage.sqlite.rows import every, first, only
from rota.storage.sqlite.turns import Place, Turns, serve
from rota.storage.statements import load
from rota.storage.stores.claims import Claim, Claimed, Leased
from rota.storage.stores.holds import Hold
from rota.storage.stores.jobs import NewJob, Outcome, Repeatable, Submission

SQL = load(__package__, "jobs.sql")

LAPSES_MAX = 10
"""Offers of one job that may run out unacknowledged before the scheduler is asked."""

_spec = msgspec.json.Decoder(Spec)
_FREE = Hold()


def submit(connection: apsw.Connection, jobs: Sequence[NewJob], repeatable: Repeatable | None) -> Submission:
    """All or none; the same key and body again gives the ids of the first time."""
    earlier = None if repeatable is None else submitted_before(connection, repeatable)
    if earlier is not None:
        return Submission(earlier, repeated=True)
    check_deadlines(jobs)
    keys: dict[int, int] = {}  # by identity: one submission's jobs share their key objects
    turns = Turns(connection)
    for job in jobs:
        key = keys.get(id(job.key)) or keys.setdefault(id(job.key), queue_key(connection, job.key))
        _insert(connection, job, key, turns)
    submitted(connection, jobs)
    outcomes = let_in(connection, jobs, turns)
    turns.keep()
    queued = {outcome.job_id for outcome in outcomes if outcome.state is JobState.QUEUED}
    waiting = [job.id for job in jobs if job.is_held and job.id not in queued]
    own = {job.id for job in jobs}
    ids = [job.id for job in jobs if job.hold is None or job.hold.parent_id not in own]
    if repeatable is not None:
        row = msgspec.to_builtins(repeatable) | {"submitted_at": jobs[0].submitted_at}
        connection.execute(SQL["insert_submission"], row | {"job_ids": encode(ids).decode()})
    return Submission(ids, waiting, [outcome for outcome in outcomes if outcome.state is not JobState.QUEUED])


def check_deadlines(jobs: Sequence[NewJob]) -> None:
    """Raise InvalidRequest where one has passed already; the repeat of an earlier submission is not looked at."""
    whole = [job for job in jobs if job.hold is None or job.hold.parent_id is None]
    for index, job in enumerate(whole):
        if job.deadline_at is not None and job.deadline_at <= job.submitted_at:
            field = f"jobs[{index}].deadline" if len(whole) > 1 else "deadline"
            raise InvalidRequest.of(field, f"has passed already: it is {job.submitted_at}")


def submitted_before(connection: apsw.Connection, repeatable: Repeatable) -> list[JobId] | None:
    """The jobs that this key made the first time; None: it is new. Raises Conflict where it made others."""
    earlier = first(connection, SQL["submission"], msgspec.to_builtins(repeatable))
    if earlier is None:
        return None
    if earlier[0] != repeatable.body_sha256:
        raise Conflict("This Idempotency-Key was used for another submission; use a new key for a new one.")
    jobs: list[JobId] = msgspec.json.decode(earlier[1])
    return jobs


def _insert(connection: apsw.Connection, job: NewJob, key: int, turns: Turns) -> None:
    place = Place(job.key.environment, job.spec.priority, key, job.tenant, job.submitted_by, job.weight)
    row = {
        "id": job.id,
        "environment": job.key.environment,
        "name": job.spec.name,
        "spec": encode(job.spec).decode(),
        "queue_key": key,
        "priority": job.spec.priority,
        "submitted_at": job.submitted_at,
        "submitted_by": job.submitted_by,
        "expires_at": job.expires_at,
        "state": JobState.WAITING if job.is_held else JobState.QUEUED,
        "tenant": job.tenant,
        "weight": job.weight,
        "rank": None if job.is_held else turns.rank(place),
        "queued_at": None if job.is_held else job.submitted_at,
    }
    connection.execute(SQL["insert_job"], row | msgspec.structs.asdict(job.hold or _FREE))
    if job.deadline_at is not None and (job.hold is None or job.hold.parts_left is None):  # an array's is its parts'
        connection.execute(SQL["set_deadline"], {"job": job.id, "deadline_at": job.deadline_at})
    for tag, value in job.spec.tags.items():
        connection.execute(SQL["insert_tag"], {"tag": f"{tag}:{value}", "job": job.id})
    for file in job.inputs:
        size = {"size_bytes": len(file.content), "sha256": file.sha256}
        connection.execute(SQL["insert_input"], {"job": job.id, "path": file.path, "content": file.content} | size)


def claim(connection: apsw.Connection, claim: Claim) -> Claimed:
    """Lease the first queued jobs of these queues, or give again what the same request was given."""
    again = _again(connection, claim)
    if again:
        return Claimed(again)
    choice = Choice(connection, claim)
    choice.make()
    leased: list[Leased] = []
    row: dict[str, Any] = {"worker": claim.worker_id, "incarnation": claim.incarnation, "at": claim.at}
    row |= {"request_id": claim.request_id, "asked_at": claim.asked_at}
    for attempt, job in zip(claim.attempt_ids, choice.jobs, strict=False):
        number, environment, spec = only(connection, SQL["assign"], {"job": job.job_id, "attempt": attempt})
        given = _leased(connection, attempt, job.job_id, number, environment, spec)
        made = {"job": job.job_id, "attempt": attempt, "number": number, "keep_s": given.spec.keep_s}
        connection.execute(SQL["insert_attempt"], row | made)
        leased.append(given)
    if leased:
        serve(connection, leased[0].environment, choice.jobs)
    assigned(connection, leased, claim.at)
    return Claimed(leased, choice.is_short)


def _again(connection: apsw.Connection, claim: Claim) -> list[Leased]:
    """What the worker was given for the same request, while it holds all of it."""
    if claim.request_id is None:
        return []
    asked = {"worker": claim.worker_id, "request_id": claim.request_id}
    rows = every(connection, SQL["requested"], asked)
    if not all(state in HELD and incarnation == claim.incarnation for *_, state, incarnation in rows):
        return []
    for attempt, job in ((row[0], row[1]) for row in rows if row[5] == AttemptState.DETACHED):
        back = {"attempt": attempt, "worker": claim.worker_id, "trace": traced(claim.at, "returned", "asked again")}
        if first(connection, SQL["return_attempt"], back) is not None:
            moved(connection, EventType.JOB_RETURNED, JobId(job), claim.at)
    return [_leased(connection, *row[:5]) for row in rows]


def _leased(
    connection: apsw.Connection, attempt: AttemptId, job: JobId, number: int, environment: str, spec: str
) -> Leased:
    read = _spec.decode(spec)
    return Leased(attempt, job, number, environment, read, inputs_of(connection, job) if read.inputs else [])


def start(connection: apsw.Connection, worker: WorkerId, attempts: Sequence[AttemptId]) -> None:
    """From assigned to running; what is in another state stays."""
    for attempt in attempts:
        row = first(connection, SQL["start_attempt"], {"attempt": attempt, "worker": worker})
        if row is not None:
            begun = first(connection, SQL["start"], {"attempt": attempt, "job": row[0]})
            if begun is not None:
                running(connection, row[0], attempt, begun[0])


def refuse(connection: apsw.Connection, worker: WorkerId, attempt: AttemptId, reason: str, at: str) -> Outcome:
    """Back to its old place in the queue, or cancelled where that was asked for."""
    trace = traced(at, "refused", reason)
    given_back = {"attempt": attempt, "worker": worker, "trace": trace}
    row = first(connection, SQL["refuse_attempt"], given_back)
    if row is None:
        held = _held_by(connection, worker, attempt)
        if isinstance(held, Problem):
            return Outcome(problem=held)
        if held[0] == AttemptState.REFUSED:
            return Outcome(held[1])
        if held[0] == AttemptState.LOST:
            return Outcome(problem=LeaseLost())
        return Outcome(problem=Conflict(f"The attempt is {held[0]}; only one that was not started can be refused."))
    asked = refused(connection, attempt, row[0], reason)
    if asked is not None:
        moved(connection, EventType.JOB_REFUSED, row[0], at, reason)
        return asked
    back = back_in_queue(connection, "refuse", attempt, row[0], at, reason)
    return back or cancelled_at_last(connection, attempt, row[0])


def finish(connection: apsw.Connection, worker: WorkerId, end: Finished, digest: str, at: str) -> Outcome:
    """Record the end and its outputs, once."""
    attempt = end.attempt_id
    stopped = end.result.reason is Reason.CANCELLED
    result = encode(end.result).decode()
    row = connection.execute(
        SQL["finish_attempt"],
        {
            "attempt": attempt,
            "worker": worker,
            "state": AttemptState.CANCELLED if stopped else AttemptState.FINISHED,
            "started_at": end.started_at,
            "finished_at": end.finished_at,
            "digest": digest,
            "result": result,
            "problems": encode(end.problems).decode() if end.problems else None,
            "trace": traced(at, "finished", str(end.result.reason)),
        },
    ).fetchone()
    if row is None:
        return _finished_before(connection, worker, attempt, digest, at)
    move = "stop" if stopped else "finish"
    ended = first(connection, SQL[move], {"attempt": attempt, "job": row[0], "result": result})
    if ended is None:
        # Its job was cancelled while the worker was silent: what it did is kept, and the job's end does not change.
        if first(connection, SQL["over_attempt"], {"attempt": attempt}) is None:
            raise LeaseLost  # a held attempt is its job's present one; were it not, nothing may change
        _insert_outputs(connection, end)
        return Outcome(row[0])
    _insert_outputs(connection, end)
    state = JobState.CANCELLED if stopped else JobState.FINISHED
    over(connection, row[0], attempt, state, ended[0], at)
    return Outcome(row[0], state)


def _insert_outputs(connection: apsw.Connection, end: Finished) -> None:
    if end.log.size_bytes:
        content = None if end.log.inline is None else from_base64(end.log.inline, "log.inline")
        log = {"path": "", "size_bytes": end.log.size_bytes, "sha256": end.log.sha256, "mode": 0}
        connection.execute(SQL["insert_output"], log | {"attempt": end.attempt_id, "content": content})
    for artifact in end.artifacts:
        content = None if artifact.inline is None else from_base64(artifact.inline, "artifacts.inline")
        file = {"path": artifact.path, "size_bytes": artifact.size_bytes, "sha256": artifact.sha256}
        file |= {"mode": artifact.mode, "content": content}
        connection.execute(SQL["insert_output"], file | {"attempt": end.attempt_id})


def _finished_before(
    connection: apsw.Connection, worker: WorkerId, attempt: AttemptId, digest: str, at: str
) -> Outcome:
    held = _held_by(connection, worker, attempt)
    if isinstance(held, Problem):
        return Outcome(problem=held)
    state, job, finish_digest = held
    if finish_digest == digest:
        connection.execute(SQL["trace_attempt"], {"attempt": attempt, "trace": traced(at, "finished", "sent again")})
        return Outcome(job)
    if finish_digest is not None:
        return Outcome(problem=Conflict("Another result of this attempt is recorded already; the first one stays."))
    return Outcome(problem=LeaseLost(f"The attempt is {state}: its result came too late. Forget it."))


def back_in_queue(
    connection: apsw.Connection, move: str, attempt: AttemptId, job: JobId, at: str, why: str
) -> Outcome | None:
    """What `move` did; None where the job does not go back: it ran, or was cancelled."""
    row = connection.execute(SQL[move], {"attempt": attempt, "job": job, "lapses_max": LAPSES_MAX}).fetchone()
    if row is None:
        return None
    moved(connection, EventType.JOB_REFUSED if move == "refuse" else EventType.JOB_LAPSED, job, at, why)
    return Outcome(job, JobState.QUEUED, key_of(connection, row[1]))


def cancelled_at_last(connection: apsw.Connection, attempt: AttemptId, job: JobId) -> Outcome:
    """Somebody had cancelled it, and no worker holds it any more."""
    if first(connection, SQL["stop"], {"attempt": attempt, "job": job, "result": None}) is not None:
        moved(connection, EventType.JOB_CANCELLED, job)
    return Outcome(job, JobState.CANCELLED)


def _held_by(
    connection: apsw.Connection, worker: WorkerId, attempt: AttemptId
) -> tuple[AttemptState, JobId, str | None] | NotFound:
    """State, job and finish of an attempt that is, or was, this worker's. Foreign and unknown are told alike."""
    row = first(connection, SQL["attempt"], {"attempt": attempt})
    if row is None or row[2] != worker:
        return NotFound("There is no such attempt of yours.")
    return AttemptState(row[4]), JobId(row[1]), row[8]


def traced(at: str, event: str, detail: str) -> str:
    """One line of an attempt's trace."""
    return encode({"at": at, "event": event, "detail": detail}).decode() + "\n"
