"""The Job service's store on SQLite: moves through the writer, questions through the reader."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import apsw
import msgspec
from msgspec import UNSET

from rota.protocol.decide import Decision, Ended
from rota.protocol.event import EventType
from rota.protocol.ids import AttemptId, Incarnation, JobId, WorkerId
from rota.protocol.job import Artifact, Attempt, Job
from rota.protocol.job_finished import Finished, Result, Uncollected
from rota.protocol.placement import QueueKey
from rota.protocol.problems import Unavailable
from rota.protocol.spec import Spec
from rota.protocol.states import AttemptState, JobState, Verdict
from rota.protocol.wire import encode, parse_timestamp, timestamp, to_base64
from rota.storage.sqlite import array_moves as arrays
from rota.storage.sqlite import cancel_moves as cancels
from rota.storage.sqlite import decision_moves as decisions
from rota.storage.sqlite import gate, placement
from rota.storage.sqlite import job_moves as moves
from rota.storage.sqlite import lease_moves as leases
from rota.storage.sqlite import retry_moves as retries
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.event_log import moved_all
from rota.storage.sqlite.inputs import input_of
from rota.storage.sqlite.job_moves import SQL
from rota.storage.sqlite.need_moves import SQL as NEEDS
from rota.storage.sqlite.refusals import SQL as RETRIES
from rota.storage.sqlite.rows import apart, every, first, only
from rota.storage.stores.claims import Claim, Claimed, Reservation
from rota.storage.stores.holds import Known
from rota.storage.stores.jobs import Held, JobFilter, NewJob, Outcome, Output, Released, Repeatable, Submission, Traced

_spec = msgspec.json.Decoder(Spec)
_result = msgspec.json.Decoder(Result)
_problems = msgspec.json.Decoder(list[Uncollected])


class SqliteJobs:
    """See the port, `rota.storage.stores.jobs.JobStore`, for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._write = database.writer.run
        self._look, self._read = database.reader.look, database.reader.run
        self._disk = database.disk

    async def submit(self, jobs: Sequence[NewJob], repeatable: Repeatable | None) -> Submission:
        self._disk.check_work()
        return await self._write(lambda connection: moves.submit(connection, jobs, repeatable))

    async def claim(self, claim: Claim) -> Claimed:
        self._disk.check_work()
        return await self._write(lambda connection: moves.claim(connection, claim))

    async def reserved(self) -> list[Reservation]:
        return self._look(placement.reserved)

    async def give_up_reservations(self, workers: Sequence[WorkerId]) -> None:
        await self._write(lambda connection: placement.give_up(connection, workers))

    async def start(self, worker: WorkerId, attempts: Sequence[AttemptId]) -> None:
        await self._write(lambda connection: moves.start(connection, worker, attempts))

    async def refuse(self, worker: WorkerId, refusals: Sequence[tuple[AttemptId, str]], at: str) -> list[Outcome]:
        return await self._write(lambda c: [moves.refuse(c, worker, attempt, why, at) for attempt, why in refusals])

    async def finish(self, worker: WorkerId, ends: Sequence[tuple[Finished, str]], at: str) -> list[Outcome]:
        def deed(connection: apsw.Connection) -> list[Outcome]:
            return [moves.finish(connection, worker, end, digest, at) for end, digest in ends]

        try:
            return await self._write(deed)
        except Unavailable:  # the disk may be full: this is what the reserve was kept for
            self._disk.give_up_reserve()
            return await self._write(deed)

    async def lose(self, attempts: Sequence[AttemptId], at: str, why: str) -> list[Outcome]:
        return await self._write(
            lambda c: [apart(c, lambda one=attempt: leases.lose(c, one, at, why)) for attempt in attempts]  # type: ignore[misc]
        )

    async def detach(self, attempts: Sequence[AttemptId], at: str) -> list[Outcome]:
        return await self._write(
            lambda c: [apart(c, lambda one=attempt: leases.detach(c, one, at)) for attempt in attempts]  # type: ignore[misc]
        )

    async def come_back(self, worker: WorkerId, attempts: Sequence[AttemptId], at: str) -> list[Outcome]:
        return await self._write(lambda c: [leases.come_back(c, worker, attempt, at) for attempt in attempts])

    async def book(self, detached_s: Mapping[AttemptId, float]) -> None:
        await self._write(lambda connection: leases.book(connection, detached_s))

    async def keep(self, worker: WorkerId, incarnation: Incarnation, keep: Sequence[AttemptId]) -> list[AttemptId]:
        return await self._write(lambda connection: leases.keep(connection, worker, incarnation, keep))

    async def cancel(self, job: JobId) -> Outcome:
        return await self._write(lambda connection: cancels.cancel(connection, job))

    async def cancel_parts(self, job: JobId) -> list[Outcome]:
        return await self._write(lambda connection: arrays.cancel_parts(connection, job))

    async def retry(self, job: JobId, expires_at: str | None, at: str) -> list[Outcome]:
        return await self._write(lambda connection: decisions.retry(connection, job, expires_at, at))

    async def retry_parts(self, job: JobId, expires_at: str | None, at: str, *, only_failed: bool) -> list[Outcome]:
        return await self._write(lambda c: decisions.retry_array(c, job, expires_at, at, only_failed=only_failed))

    async def release_due(self, now: str, limit: int) -> Released:
        return await self._write(lambda connection: gate.release_due(connection, now, limit))

    async def shorten_pauses(self, now: str) -> None:
        await self._write(lambda connection: retries.shorten_pauses(connection, now))

    async def expire(self, now: str, limit: int) -> list[JobId]:
        def deed(connection: apsw.Connection) -> list[JobId]:
            connection.execute(SQL["book_queue_clock"], {"now": now})
            for job, timeout_s in every(connection, SQL["newly_queued"], {"limit": limit}):
                expires_at = timestamp(parse_timestamp(now) + timedelta(seconds=timeout_s))
                connection.execute(SQL["put_off_expiry"], {"job": job, "expires_at": expires_at})
            expired = every(connection, SQL["expire"], {"now": now, "limit": limit})
            return moved_all(connection, EventType.JOB_EXPIRED, expired)  # `now` is no time of day

        return await self._write(deed)

    async def queue_clock(self, first: str) -> str:
        def deed(connection: apsw.Connection) -> str:
            connection.execute(SQL["set_queue_clock"], {"at": first})
            at: str = only(connection, SQL["queue_clock"], {})[0]
            return at

        return await self._write(deed)

    async def overdue(self, now: str, limit: int) -> list[Outcome]:
        late = self._look(lambda c: every(c, cancels.DEADLINES["past_deadline"], {"now": now, "limit": limit}))
        return await self._write(lambda c: [cancels.overdue(c, row[0]) for row in late]) if late else []

    async def retire(self, environment: str, limit: int) -> list[JobId]:
        retired = {"environment": environment, "limit": limit}
        return await self._write(lambda c: moved_all(c, EventType.JOB_CANCELLED, every(c, SQL["retire"], retired)))

    async def decide(self, words: Sequence[Decision], at: str) -> list[Outcome]:
        return await self._write(lambda c: [outcome for word in words for outcome in decisions.decide(c, word, at)])

    async def queue_keys(self) -> dict[int, QueueKey]:
        rows = await self._rows("queue_keys")
        return {number: placement.read_key(*key) for number, *key in rows}

    async def undecided(self, limit: int) -> list[Ended]:
        rows = self._look(lambda connection: every(connection, RETRIES["undecided"], {"limit": limit}))
        return [retries.ended(row) for row in rows]

    async def held(self) -> list[Held]:
        return [_held(row) for row in await self._rows("held")]

    async def attempt(self, attempt: AttemptId) -> Held | None:
        rows = self._rows_now("attempt", attempt=attempt)
        return _held(rows[0]) if rows else None

    async def job(self, job: JobId) -> Job | None:
        def read(connection: apsw.Connection) -> Job | None:
            row = first(connection, SQL["job"], {"job": job})
            return None if row is None else _whole(connection, _job(connection, row))

        found = self._look(read)
        if found is None or not found.spec.inputs:
            return found
        owner = job if found.parent_id is UNSET else found.parent_id
        content = {row[0]: to_base64(row[1]) for row in await self._rows("inputs_content", job=owner)}
        inputs = [msgspec.structs.replace(file, content=content.get(file.path)) for file in found.spec.inputs]
        return msgspec.structs.replace(found, spec=msgspec.structs.replace(found.spec, inputs=inputs))

    async def known(self, jobs: Sequence[JobId]) -> dict[JobId, Known]:
        asked = {"jobs": encode(jobs).decode()}
        rows = await self._read(lambda connection: every(connection, NEEDS["known"], asked))
        return {job: Known(environment, bool(decided), bool(array)) for job, environment, decided, array in rows}

    async def jobs_by_id(self, jobs: Sequence[JobId]) -> list[Job]:
        def read(connection: apsw.Connection) -> list[Job]:
            found = [_job(connection, only(connection, SQL["job"], {"job": job})) for job in jobs]
            return [_whole(connection, job) for job in found]

        return self._look(read) if len(jobs) == 1 else await self._read(read)

    async def jobs(self, wanted: JobFilter) -> list[Job]:
        sql, values = _list_statement(wanted)

        def read(connection: apsw.Connection) -> list[Job]:
            return [_job(connection, row) for row in every(connection, sql, values)]

        return await self._read(read)

    async def input(self, job: JobId, path: str) -> Output | None:
        return await self._read(lambda connection: input_of(connection, job, path))

    async def artifacts(self, attempt: AttemptId) -> list[Artifact]:
        return [Artifact(*row) for row in await self._rows("artifacts", attempt=attempt)]

    async def output(self, attempt: AttemptId, path: str) -> Output | None:
        rows = self._rows_now("output", attempt=attempt, path=path)
        return Output(*rows[0]) if rows else None

    async def traces(self, job: JobId) -> tuple[list[Traced], str | None]:
        decided = self._rows_now("decided_at", job=job)
        return [Traced(*row) for row in self._rows_now("traces", job=job)], decided[0][0] if decided else None

    async def counts(self) -> dict[str, int]:
        return dict(await self._rows("counts"))

    def _rows_now(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  (bound by SQLite)
        return self._look(lambda connection: every(connection, SQL[statement], values))

    async def _rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  (bound by SQLite)
        return await self._read(lambda connection: every(connection, SQL[statement], values))


def _held(row: tuple[Any, ...]) -> Held:
    attempt, job, worker, environment, state, cancel_requested, keep_s, detached_s, *_ = row
    return Held(attempt, job, worker, environment, AttemptState(state), bool(cancel_requested), keep_s, detached_s)


def _result_of(text: str | None) -> Result | None:
    return None if text is None else _result.decode(text)


def _job(connection: apsw.Connection, row: tuple[Any, ...]) -> Job:
    job, state, verdict, spec, submitted_at, submitted_by, result, environment, message, schedule, due_at, *array = row
    parent, parts_left = array
    attempts = [
        Attempt(
            attempt, number, worker, AttemptState(attempt_state), assigned_at, started_at, finished_at,
            _result_of(attempt_result), _problems.decode(problems) if problems else [],
        )
        for attempt, number, worker, attempt_state, assigned_at, started_at, finished_at, attempt_result, problems
        in every(connection, SQL["attempts"], {"job": job})
    ]  # fmt: skip
    said = None if verdict is None else Verdict(verdict)
    return Job(
        job, JobState(state), said, _spec.decode(spec), submitted_at, submitted_by, _result_of(result), attempts,
        environment, message, schedule, due_at, UNSET if parent is None else parent,
        UNSET if parts_left is None else arrays.count_parts(connection, job),
    )  # fmt: skip


def _whole(connection: apsw.Connection, job: Job) -> Job:
    """With the ids of its parts, where it is an array."""
    return job if job.parts is UNSET else msgspec.structs.replace(job, children=arrays.children(connection, job.id))


def _list_statement(wanted: JobFilter) -> tuple[str, dict[str, Any]]:
    """The list's SELECT, with a condition for each filter that is given."""
    conditions = {
        "state = :state": wanted.state,
        "verdict = :verdict": wanted.verdict,
        "environment = :environment": wanted.environment,
        "name = :name": wanted.name,
        "schedule = :schedule": wanted.schedule,
        "submitted_at > :submitted_after": wanted.submitted_after,
        "id < :before": wanted.before,
        "parent_id = :parent": wanted.parent,
    }
    given = {condition: value for condition, value in conditions.items() if value is not None}
    values: dict[str, Any] = {condition.rpartition(":")[2]: value for condition, value in given.items()}
    for index, tag in enumerate(wanted.tags):
        # Only our own numbered names are put into the statement; what people sent is bound.
        given[f"id IN (SELECT job_id FROM job_tag WHERE tag = :tag{index})"] = values[f"tag{index}"] = tag  # noqa: S608
    if not wanted.parts:
        given["parent_id IS NULL"] = ""
    where = f" WHERE {' AND '.join(given)}" if given else ""
    select = SQL["job"].partition(" WHERE ")[0]
    return f"{select}{where} ORDER BY id DESC LIMIT :limit", values | {"limit": wanted.limit}
