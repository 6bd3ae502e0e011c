"""The store of schedules on SQLite, in the Job service's file: what becomes a job is written with what made it one."""

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from rota.protocol.fire import Due, Firing
from rota.protocol.ids import JobId
from rota.protocol.problems import Conflict
from rota.protocol.schedule import RUNS_MAX, Counts, LastRun, Missed, Overlap, Schedule
from rota.protocol.spec import InputFile, Spec
from rota.protocol.states import JobState, Verdict
from rota.protocol.wire import encode
from rota.storage.sqlite import job_moves as moves
from rota.storage.sqlite.array_moves import cancel_parts
from rota.storage.sqlite.cancel_moves import cancel
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.rows import Row, every, first, only
from rota.storage.statements import load
from rota.storage.stores.jobs import Outcome, Repeatable
from rota.storage.stores.schedules import Run, StoredSchedule

SQL = load(__package__, "schedules.sql")

_spec = msgspec.json.Decoder(Spec)


class SqliteSchedules:
    """See the port, `rota.storage.stores.schedules.ScheduleStore`, for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._write = database.writer.run
        self._look, self._read = database.reader.look, database.reader.run
        self._disk = database.disk

    async def insert(self, schedule: StoredSchedule) -> bool:
        self._disk.check_work()
        row = _row(schedule)
        return await self._write(lambda c: first(c, SQL["insert_schedule"], row)) is not None

    async def schedule(self, environment: str, name: str) -> StoredSchedule | None:
        named = {"environment": environment, "name": name}
        row = await self._read(lambda c: first(c, SQL["schedule"], named))
        return None if row is None else StoredSchedule(_schedule(row), *row[-3:])

    async def environments(self, name: str) -> list[str]:
        rows = self._look(lambda c: every(c, SQL["environments_of_schedule"], {"name": name}))
        return [row[0] for row in rows]

    async def schedules(self, environment: str | None, after: tuple[str, str], limit: int) -> list[Schedule]:
        asked = {"own": environment, "environment": after[0], "name": after[1], "limit": limit}
        rows = await self._read(lambda c: every(c, SQL["schedules"], asked))
        return [_without_content(_schedule(row)) for row in rows]

    async def change(self, schedule: StoredSchedule, expected_at: str | None) -> bool:
        row = _row(schedule) | {"expected_at": expected_at}
        return await self._write(lambda c: first(c, SQL["change_schedule"], row)) is not None

    async def delete(self, environment: str, name: str) -> bool:
        named = {"environment": environment, "name": name}
        return await self._write(lambda c: first(c, SQL["delete_schedule"], named)) is not None

    async def due(self, now: str, limit: int) -> list[Due]:
        rows = self._look(lambda c: every(c, SQL["due_schedules"], {"now": now, "limit": limit}))
        return [
            Due(environment, name, revision, cron, every_s, timezone, Missed(missed), anchor_at, next_at, now)
            for environment, name, revision, cron, every_s, timezone, missed, anchor_at, next_at in rows
        ]

    async def next_at(self) -> str | None:
        found: str | None = self._look(lambda c: only(c, SQL["next_due_at"], {}))[0]
        return found

    async def fire(self, firing: Firing, runs: Sequence[Run], message: str | None) -> list[Outcome] | None:
        self._disk.check_work()
        return await self._write(lambda c: fire(c, firing, runs, message))

    async def run(
        self, environment: str, name: str, revision: int, run: Run, repeatable: Repeatable | None
    ) -> tuple[JobId, list[Outcome]] | None:
        self._disk.check_work()
        return await self._write(lambda c: run_now(c, environment, name, revision, run, repeatable))


def fire(connection: apsw.Connection, firing: Firing, runs: Sequence[Run], message: str | None) -> list[Outcome] | None:
    """Move the schedule on and start what is due, both or none."""
    row = msgspec.structs.asdict(firing) | {"message": message}
    del row["due_at"]
    found = first(connection, SQL["fire_schedule"], row)
    if found is None:
        return None
    # Runs that are made up are due at once: they would leave each other out.
    overlap = Overlap.QUEUE if len(runs) > 1 else Overlap(found[0])
    outcomes: list[Outcome] = []
    for run in runs:
        started = _start(connection, firing.environment, firing.name, overlap, run)
        if isinstance(started, str):
            skipped = {"environment": firing.environment, "name": firing.name, "message": started}
            connection.execute(SQL["count_skip"], skipped)
        else:
            outcomes += started
    return outcomes


def run_now(
    connection: apsw.Connection, environment: str, name: str, revision: int, run: Run, repeatable: Repeatable | None
) -> tuple[JobId, list[Outcome]] | None:
    """One run out of turn; the same key again gives the job of the first time."""
    named = {"environment": environment, "name": name, "revision": revision}
    found = first(connection, SQL["schedule_overlap"], named)
    if found is None:
        return None
    if repeatable is not None:
        earlier = moves.submitted_before(connection, repeatable)
        if earlier is not None:
            return earlier[0], []
    started = _start(connection, environment, name, Overlap(found[0]), run, repeatable)
    if isinstance(started, str):
        raise Conflict(f"{started} Wait for it, cancel it, or give the schedule another `overlap`.")
    return run.jobs[0].id, started


def _start(
    connection: apsw.Connection,
    environment: str,
    name: str,
    overlap: Overlap,
    run: Run,
    repeatable: Repeatable | None = None,
) -> list[Outcome] | str:
    """The job of a run, and the end of those that it replaces; why not, where `overlap` leaves it out."""
    named = {"environment": environment, "name": name}
    before = every(connection, SQL["open_jobs"], named | {"limit": RUNS_MAX})
    if before and overlap is Overlap.SKIP:
        return f"A run was left out: job {before[0][0]} of the schedule is {before[0][1]}."
    if len(before) >= RUNS_MAX:
        return f"A run was left out: {RUNS_MAX} of the schedule wait already."
    outcomes = []
    if overlap is Overlap.REPLACE:
        ends = [end for job, _ in before for end in _cancelled(connection, JobId(job))]
        outcomes += [end for end in ends if end.problem is None]  # what has ended already waits for its verdict
    made = moves.submit(connection, run.jobs, repeatable)
    waiting = set(made.waiting)
    outcomes += made.outcomes
    own = run.jobs[0].id
    connection.execute(SQL["mark_run"], {"name": name, "due_at": run.due_at, "job": own})
    connection.execute(SQL["count_run"], named | {"job": own})
    states = [JobState.WAITING if job.id in waiting else JobState.QUEUED for job in run.jobs]
    return [*outcomes, *(Outcome(job.id, state, job.key) for job, state in zip(run.jobs, states, strict=True))]


def _cancelled(connection: apsw.Connection, job: JobId) -> list[Outcome]:
    """The end of a run that is replaced; of an array, that of its parts."""
    parts = cancel_parts(connection, job)
    return parts if parts[0].problem is None else [cancel(connection, job)]


def _row(stored: StoredSchedule) -> dict[str, Any]:
    row = msgspec.structs.asdict(stored.schedule)
    row |= {"spec": encode(stored.schedule.spec).decode(), "paused": int(stored.schedule.paused)}
    del row["counts"], row["last"]
    return row | {"revision": stored.revision, "anchor_at": stored.anchor_at, "tenant": stored.tenant}


def _schedule(row: Row) -> Schedule:
    environment, name, cron, every_s, timezone, spec, overlap, missed, paused, next_at, created_at, by = row[:12]
    fired, skipped, given_up, job, due_at, state, verdict, message = row[12:20]
    last = None
    if job is not None:
        last = LastRun(job, due_at, JobState(state), None if verdict is None else Verdict(verdict))
    return Schedule(
        name, environment, cron, every_s, timezone, _spec.decode(spec), Overlap(overlap), Missed(missed), bool(paused),
        next_at, created_at, by, Counts(fired, skipped, given_up), last, message,
    )  # fmt: skip


def _without_content(schedule: Schedule) -> Schedule:
    if not schedule.spec.inputs:
        return schedule
    inputs = [InputFile(file.path) for file in schedule.spec.inputs]
    return msgspec.structs.replace(schedule, spec=msgspec.structs.replace(schedule.spec, inputs=inputs))
