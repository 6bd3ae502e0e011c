"""A Job service in this process, with its store on SQLite and a clock that the test turns."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rota.jobs.service import JobService
from rota.protocol.decide import Decision, Ended
from rota.protocol.environment import Environment
from rota.protocol.ids import AttemptId, JobId
from rota.protocol.job_finished import Reason
from rota.protocol.spec import Spec
from rota.protocol.states import AttemptState, JobState
from rota.protocol.wire import timestamp
from rota.storage.blobs import FolderBlobs
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.jobs import SqliteJobs
from rota.world import SystemWorld
from stores.bench import ANNA, NOW, Bench, report

LEASE_S = 30.0


class Clock(SystemWorld):
    """Both clocks stand until they are turned; who sleeps only lets the others go on."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 12, tzinfo=UTC) + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s

    async def sleep(self, duration_s: float) -> None:
        self.passed_s += duration_s
        await super().sleep(0)  # a turn of the loop, no time


class Everywhere:
    """Environments with one answer."""

    async def environment(self, name: str) -> Environment:
        """Any, with a lease of LEASE_S."""
        return Environment(name, "jwt", {}, 10, LEASE_S, "", NOW)


class Works(Bench):
    """The service, its store, its clock; nobody asks for jobs, and nobody sweeps or decides but the test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        database = Database(folder / "rota.db", "jobs")
        super().__init__(database, SqliteJobs(database))
        self.blobs = FolderBlobs(folder / "blobs")
        everywhere: Any = Everywhere()
        self.jobs = JobService(self.store, self.blobs, everywhere, self.clock, 10**9, 10**9)

    async def put(self, job_state: JobState, attempt_state: AttemptState | None, *, cancel: bool = False) -> JobId:
        """A job in that state whose newest attempt is in that one, however it came to be so, and its lease granted."""
        spec = Spec(command=["true"], queue_timeout_s=3600)
        [job] = await self.submit(spec, expires_at=timestamp(self.clock.now() + timedelta(hours=1)))
        undecided = job_state is JobState.WAITING
        if attempt_state is not None:
            [leased] = await self.claim()
            assert leased.job_id == job
            if attempt_state in {AttemptState.FINISHED, AttemptState.CANCELLED}:
                reason = Reason.EXITED if attempt_state is AttemptState.FINISHED else Reason.CANCELLED
                await self.store.finish(ANNA, [report(leased.attempt_id, reason)], NOW)
            await self._set("attempt", leased.attempt_id, state=attempt_state)
        state = {"state": job_state, "undecided": int(undecided), "cancel_requested": int(cancel)}
        await self._set("job", job, submitted_at=NOW, **state)
        return job

    async def _set(self, table: str, row: str, **values: object) -> None:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        await self.rows(f"UPDATE {table} SET {columns} WHERE id = :row", row=row, **values)  # noqa: S608  (our own names)

    async def after(
        self, duration_s: float, decide: Callable[[Ended], Decision] | None = None, steps: int = 10
    ) -> None:
        """Let the clock run, in steps, with the sweeper and, where one is given, a scheduler."""
        for _ in range(steps):
            await self.clock.sleep(duration_s / steps)
            await self.jobs.sweep()
            if decide is not None:
                await self.jobs.decide([decide(one) for one in await self.jobs.ended(100, 0)])

    async def attempt_of(self, job: JobId) -> AttemptId:
        """Its newest."""
        [(attempt,)] = await self.rows("SELECT id FROM attempt WHERE job_id = :job ORDER BY id DESC LIMIT 1", job=job)
        return AttemptId(attempt)
