"""Jobs in any state, and each move of the table as its message would ask for it."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import apsw

from rota.protocol.decide import Decision
from rota.protocol.ids import AttemptId, Incarnation, JobId, WorkerId
from rota.protocol.job_finished import Finished, LogReport, Reason, ReportedResult
from rota.protocol.placement import QueueKey
from rota.protocol.spec import Spec
from rota.protocol.states import AttemptState, JobState, Move, Verdict
from rota.protocol.turns import WEIGHT
from rota.protocol.wire import timestamp
from rota.storage.sqlite import array_moves, need_moves
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.job_moves import LAPSES_MAX
from rota.storage.stores.claims import Claim, Leased
from rota.storage.stores.holds import Hold
from rota.storage.stores.jobs import JobStore, NewJob, Outcome
from rota.world import SystemWorld

ANNA, BERT = WorkerId("anna"), WorkerId("bert")
ONE = Incarnation("one")
NOW = "2026-11-23T12:00:00.000000Z"
KEY = QueueKey("default", "process", {})
EMPTY = hashlib.sha256().hexdigest()

HAS_RULE = '{"command": ["true"], "retry": {"max_attempts": 2, "on": [{"reasons": ["refused"]}]}}'
WORLD = SystemWorld()


def report(attempt: AttemptId, reason: Reason = Reason.EXITED, exit_code: int = 0) -> tuple[Finished, str]:
    """JobFinished's report and what a repeat is compared with."""
    end = Finished(attempt, ReportedResult(exit_code, None, reason), LogReport(0, EMPTY), [], None, NOW)
    return end, f"{reason} {exit_code}"


class Bench:
    """`store` is the port; `database` is where the rows are."""

    def __init__(self, database: Database, store: JobStore) -> None:
        self.database, self.store = database, store

    async def submit(
        self, *specs: Spec, key: QueueKey = KEY, expires_at: str | None = None, hold: Hold | None = None
    ) -> list[JobId]:
        """Jobs as the Job service makes them."""
        return await self.submit_by({"me": specs}, key=key, expires_at=expires_at, hold=hold)

    async def submit_by(
        self,
        specs: Mapping[str, Sequence[Spec]],
        key: QueueKey = KEY,
        expires_at: str | None = None,
        hold: Hold | None = None,
    ) -> list[JobId]:
        """The same, of several submitters: `me`, or `me@tenant`, or `me@tenant=weight`."""
        now = timestamp(datetime.now(UTC))
        jobs = []
        for whose, theirs in specs.items():
            by, _, of = whose.partition("@")
            tenant, _, weight = of.partition("=")
            share: dict[str, Any] = {"tenant": tenant, "weight": float(weight or WEIGHT)}
            jobs += [
                NewJob(JobId(WORLD.new_id()), spec, key, now, by, expires_at, hold=hold, **share) for spec in theirs
            ]
        return (await self.store.submit(jobs, None)).job_ids

    async def claim(self, slots: int = 1, worker: WorkerId = ANNA, request: str | None = None) -> list[Leased]:
        """getJobForWorker, from all queues."""
        keys = list(await self.store.queue_keys())
        attempts = [AttemptId(WORLD.new_id()) for _ in range(slots)]
        return (await self.store.claim(Claim(worker, ONE, request, keys, attempts, NOW, NOW))).leased

    async def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  (bound by SQLite)
        """What a statement of the test's own gives."""
        return await self.database.writer.run(lambda connection: connection.execute(sql, values).fetchall())

    async def placed(self, state: JobState) -> tuple[JobId, AttemptId]:
        """A job in that state whose attempt Anna still holds, so that the job's own guard is what is met."""
        [job] = await self.submit(Spec(command=["true"], queue_timeout_s=1), expires_at=NOW)
        [leased] = await self.claim()
        undecided = state not in {JobState.QUEUED, JobState.ASSIGNED, JobState.RUNNING}
        put = {"state": state, "undecided": int(undecided), "job": job}
        await self.rows("UPDATE job SET state = :state, undecided = :undecided WHERE id = :job", **put)
        held = AttemptState.RUNNING if state is JobState.RUNNING else AttemptState.ASSIGNED
        await self.rows("UPDATE attempt SET state = :held WHERE id = :id", held=held, id=leased.attempt_id)
        return job, leased.attempt_id

    async def state_of(self, job: JobId) -> JobState:
        """Its state now."""
        [(state,)] = await self.rows("SELECT state FROM job WHERE id = :job", job=job)
        return JobState(state)

    async def make(self, move: Move, job: JobId, attempt: AttemptId) -> None:
        """Ask for the move, as its message does; what refuses it says so in an answer or by a problem."""
        verdicts = {Move.TRY_AGAIN: None, Move.GIVE_UP: Verdict.FAILED}
        swept: dict[Move, Callable[[], Awaitable[object]]] = {
            Move.RETIRE: lambda: self.store.retire(KEY.environment, 10),
            Move.EXPIRE: lambda: self.store.expire("2999-01-01T00:00:00.000000Z", 10),
            Move.RELEASE: lambda: self.let_in(job),
            Move.OVERDUE: lambda: self.pass_deadline(job),
        }
        if move is Move.ASSIGN:
            await self.claim(worker=BERT)
        elif move in {Move.REFUSE, Move.ASK}:
            changed = HAS_RULE if move is Move.ASK else None
            await self.rows("UPDATE job SET spec = coalesce(:spec, spec) WHERE id = :job", job=job, spec=changed)
            await self.store.refuse(ANNA, [(attempt, "no room")], NOW)
        elif move is Move.START:
            await self.store.start(ANNA, [attempt])
        elif move in {Move.FINISH, Move.STOP}:
            reason = Reason.CANCELLED if move is Move.STOP else Reason.EXITED
            await self.store.finish(ANNA, [report(attempt, reason)], NOW)
        elif move in {Move.ABANDON, Move.LAPSE, Move.LOSE}:
            await self.end_lease(move, job, attempt)
        elif move is Move.CANCEL:
            await self.store.cancel(job)
        elif move in swept:
            await swept[move]()
        elif move in verdicts:
            # The word names the end that it was given for; only a lost attempt can be given up.
            state = await self.state_of(job) if move is Move.TRY_AGAIN else JobState.WAITING
            await self.store.decide([Decision(job, attempt, state, verdicts[move], "as said", 60.0)], NOW)
        elif move is Move.RETRY:
            await self.store.retry(job, None, NOW)
        else:
            await self.follow(move, job)

    async def follow(self, move: Move, job: JobId) -> None:
        """What became of other jobs moves this one: one that it needs, or a part of it."""
        if move is Move.CANCEL_PARTS:
            await self.rows(
                "INSERT INTO job"
                " (id, environment, state, spec, queue_key, priority, submitted_at, submitted_by, parts_left)"
                " SELECT 'array', environment, 'waiting', spec, queue_key, 0, submitted_at, submitted_by, 1 FROM job"
                " WHERE id = :job",
                job=job,
            )
            await self.rows("UPDATE job SET parent_id = 'array' WHERE id = :job", job=job)
        parts = {Move.CLOSE: 1, Move.CLOSE_CANCELLED: 1, Move.REOPEN: 0}.get(move)
        put = {"parts": parts, "cancelled": move is Move.CLOSE_CANCELLED, "job": job}
        await self.rows(
            "UPDATE job SET undecided = 0, parts_left = :parts, cancel_requested = :cancelled WHERE id = :job", **put
        )
        deeds: dict[Move, Callable[[apsw.Connection], object]] = {
            Move.CANCEL_PARTS: lambda connection: array_moves.cancel_parts(connection, JobId("array")),
            Move.SKIP: lambda connection: need_moves.give_up(connection, job, "as said"),
            Move.REOPEN: lambda connection: array_moves.reopen(connection, job, was_decided=True),
        }
        last = partial(array_moves.part_decided, parent=job, verdict=Verdict.SUCCEEDED, at=NOW)
        await self.database.writer.run(deeds.get(move, last))

    async def let_in(self, job: JobId) -> None:
        """Its time has come, and it needs no word of the scheduler's."""
        await self.rows("UPDATE job SET undecided = 0, ready_at = :at WHERE id = :job", at=NOW, job=job)
        await self.store.release_due(NOW, 10)

    async def pass_deadline(self, job: JobId) -> None:
        """Its deadline has passed."""
        await self.rows("UPDATE job SET deadline_at = :at WHERE id = :job", at=NOW, job=job)
        await self.store.overdue(NOW, 10)

    async def end_lease(self, move: Move, job: JobId, attempt: AttemptId) -> None:
        """Ask for the move that this kind of end makes."""
        if move is Move.ABANDON:
            await self.rows("UPDATE job SET cancel_requested = 1 WHERE id = :job", job=job)
            await self.rows("UPDATE attempt SET state = 'running' WHERE id = :id", id=attempt)
            await self.store.detach([attempt], NOW)
            return
        lapses = LAPSES_MAX if move is Move.LOSE else 0
        await self.rows("UPDATE job SET lapses = :lapses WHERE id = :job", lapses=lapses, job=job)
        await self.store.lose([attempt], NOW, "its lease ran out")


def slug(outcome: Outcome) -> str | None:
    """What a refused move is refused by."""
    return None if outcome.problem is None else outcome.problem.slug
