"""A Job service with workers of any size, asked by hand; its clock is the test's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from participants.clockwork import Works
from rota.jobs.service import JobService
from rota.protocol.environment import Environment
from rota.protocol.get_job import GetJobForWorker, Given
from rota.protocol.ids import AttemptId, Incarnation, JobId, WorkerId
from rota.protocol.placement import QueueKey, WorkerFacts
from rota.protocol.problems import NotFound, Unavailable
from rota.protocol.spec import Spec
from rota.protocol.status import Acknowledgement, WorkerStatus
from rota.protocol.worker import Worker
from stores.bench import NOW, report

ENVIRONMENT = "default"


class LongLeases:
    """Environments with one answer: nobody needs a heartbeat while the clock is turned."""

    async def environment(self, name: str) -> Environment:
        """Any."""
        return Environment(name, "jwt", {}, 10, 1e6, "", NOW)


class Register:
    """What the registry would say of each worker."""

    def __init__(self) -> None:
        self.said: dict[WorkerId, Worker] = {}
        self.is_away = False

    async def acknowledgements(self, attempts: Sequence[AttemptId]) -> list[Acknowledgement]:
        """None: nothing was started."""
        assert attempts
        return []

    async def worker(self, worker: WorkerId, environment: str | None) -> Worker:
        """As the test has set it."""
        assert environment is None
        if self.is_away:
            raise Unavailable("The registry does not answer.")
        if worker not in self.said:
            raise NotFound("There is no such worker.")
        return self.said[worker]


class Yard(Works):
    """Workers and their jobs; `reserve_after_s` is how long a job is passed over before one keeps itself free."""

    def __init__(self, folder: Path, reserve_after_s: float = 60) -> None:
        super().__init__(folder)
        environments: Any = LongLeases()
        self.jobs = JobService(self.store, self.blobs, environments, self.clock, 10**9, 10**9, reserve_after_s)
        self.register = Register()
        fleet: Any = self.register
        self.jobs.fleet = fleet

    def worker(
        self, name: str, slots: int = 100, labels: Mapping[str, str] | None = None, **offers: float
    ) -> WorkerFacts:
        """A worker that offers so much; the registry knows it as ready."""
        facts = WorkerFacts(WorkerId(name), ENVIRONMENT, name, dict(labels or {}), ["process"], slots, offers)
        self.say(facts, WorkerStatus.READY_FOR_WORK)
        return facts

    def say(self, facts: WorkerFacts, status: WorkerStatus, *, draining: bool = False) -> None:
        """What the registry says of it from now on."""
        shown = Worker(
            facts.worker_id, facts.name, ENVIRONMENT, {}, ["process"], 1, 1, status, [], "", NOW, NOW, draining=draining
        )
        self.register.said[facts.worker_id] = shown

    async def queue(self, count: int = 1, priority: int = 0, **asks: float) -> list[JobId]:
        """Jobs that ask for so much."""
        key = QueueKey(ENVIRONMENT, "process", {}, {}, asks)
        jobs = await self.submit(*[Spec(command=["true"], priority=priority)] * count, key=key)
        await self.jobs.queues.learn([key])
        return jobs

    async def prefer(self, who: str, prefers: Mapping[str, str], count: int = 1, **asks: float) -> list[JobId]:
        """Jobs of that submitter's, which prefer workers with these labels."""
        key = QueueKey(ENVIRONMENT, "process", {}, prefers, asks)
        jobs = await self.submit_by({who: [Spec(command=["true"])] * count}, key=key)
        await self.jobs.queues.learn([key])
        return jobs

    async def ask(self, worker: WorkerFacts, slots: int = 1, request: str | None = None) -> Given:
        """GetJobForWorker."""
        asked = GetJobForWorker(worker, Incarnation("one"), slots, self.clock.now(), request)
        return await self.jobs.get_job_for_worker(asked)

    async def given(self, worker: WorkerFacts, slots: int = 1) -> list[JobId]:
        """The ids of the jobs that it is given."""
        return [offer.job_id for offer in (await self.ask(worker, slots)).jobs]

    async def finish(self, worker: WorkerFacts, attempts: Sequence[AttemptId]) -> None:
        """They end well."""
        ends = [report(attempt)[0] for attempt in attempts]
        assert (await self.jobs.job_finished(worker.worker_id, ends)).rejected == []

    async def end(self, worker: WorkerFacts, *jobs: JobId) -> None:
        """The same by the jobs' ids."""
        await self.finish(worker, [await self.attempt_of(job) for job in jobs])

    async def keepers(self) -> dict[str, JobId]:
        """Who keeps itself free, and for which job."""
        return dict(await self.rows("SELECT reserved_by, id FROM job WHERE reserved_by IS NOT NULL"))
