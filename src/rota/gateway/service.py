"""WorkerGateway: getJob, refuse job, jobFinished are passed on; a Job service in error is noJob. Source: flows.md."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace
from prometheus_client import CollectorRegistry, Counter, Gauge

from rota.gateway.waiting import Waiting
from rota.protocol.environment import Caller
from rota.protocol.get_job import GetJob, GetJobForWorker, Offer
from rota.protocol.heartbeat import Renewed
from rota.protocol.ids import AttemptId, Incarnation
from rota.protocol.job_finished import Finished, JobFinishedReceived
from rota.protocol.participants import Content, Job
from rota.protocol.placement import WorkerFacts
from rota.protocol.problems import Forbidden, Problem, Unavailable
from rota.protocol.refuse_job import Refusal, RefuseAccepted
from rota.world import World

_WATCH_S = 1.0
"""How often the Job service hears that a gateway is there: while none is, it ends no lease."""
_AGAIN_S = 1.0

log = logging.getLogger(__name__)


class GatewayService:
    """See `rota.protocol.participants.WorkerGateway` for what each message promises."""

    def __init__(self, job: Job, world: World, metrics: CollectorRegistry) -> None:
        self._job, self._world = job, world
        self._waiting = Waiting()
        self._closing = False
        asked = Counter("rota_get_job", "Answers to getJob", ["answer"], registry=metrics)
        self._offered, self._none = asked.labels("job"), asked.labels("no_job")
        self._degraded = asked.labels("no_job_degraded")
        held = Gauge("rota_get_job_held", "getJobs that are held now", registry=metrics)
        held.set_function(lambda: len(self._waiting))

    async def get_job(self, caller: Caller, incarnation: Incarnation, ask: GetJob) -> list[Offer]:
        worker = _worker(caller)
        question = GetJobForWorker(worker, incarnation, ask.slots, self._world.now(), ask.request_id)
        asked_s = self._world.monotonic()
        until_s = asked_s + ask.wait_s
        try:
            with self._waiting.hold(worker, ask.slots) as waiter:
                while True:
                    wake = waiter.clear()
                    # A lease runs from here, the worker counts it from before it asked: the time that its question
                    # was held is not its loss. Whole milliseconds, rounded down, so that the lease is never longer.
                    held_s = int((self._world.monotonic() - asked_s) * 1000) / 1000
                    given = await self._job.get_job_for_worker(question)
                    offers = given.jobs
                    if wake is not None and given.is_short:
                        self._waiting.pass_on(wake, len(offers))
                    left_s = until_s - self._world.monotonic()
                    if offers or left_s <= 0 or self._closing:
                        break
                    try:
                        await asyncio.wait_for(waiter.woken.wait(), left_s)
                    except TimeoutError:
                        break
        except Unavailable:
            self._degraded.inc()
            raise
        (self._offered if offers else self._none).inc()
        return [replace(offer, lease_s=offer.lease_s + held_s) for offer in offers] if held_s else offers

    async def refuse_job(self, caller: Caller, refusals: Sequence[Refusal]) -> RefuseAccepted:
        return await self._job.refuse_job(_worker(caller).worker_id, refusals)

    async def job_finished(self, caller: Caller, finished: Sequence[Finished]) -> JobFinishedReceived:
        return await self._job.job_finished(_worker(caller).worker_id, finished)

    async def heartbeat(self, caller: Caller, attempts: Sequence[AttemptId]) -> Renewed:
        worker = _worker(caller)
        return await self._job.heartbeat(worker.worker_id, worker.environment, attempts)

    async def upload(
        self, caller: Caller, attempt: AttemptId, path: str | None, offset: int, content: AsyncIterator[bytes]
    ) -> int:
        """Pass bytes on while they come; returns the new offset."""
        return await self._job.upload(_worker(caller).worker_id, attempt, path, offset, content)

    async def upload_offset(self, caller: Caller, attempt: AttemptId, path: str | None) -> int:
        """How many bytes are stored."""
        return await self._job.upload_offset(_worker(caller).worker_id, attempt, path)

    async def input(self, caller: Caller, attempt: AttemptId, path: str) -> Content:
        """An input's bytes."""
        return await self._job.input(_worker(caller).worker_id, attempt, path)

    def close(self) -> None:
        """About to stop: what is held is answered now."""
        self._closing = True
        self._waiting.wake_all()

    async def watch(self) -> None:
        """Wake held getJobs as jobs arrive; runs until cancelled. A Job service that is down is asked again."""
        mark = -1
        while not self._closing:
            try:
                arrivals = await self._job.arrivals(mark, _WATCH_S)
            except Problem as problem:
                log.warning("the Job service does not tell what arrives: %s", problem.detail)
                mark = -1
                await self._world.sleep(_AGAIN_S * (0.5 + self._world.random()))
                continue
            mark = arrivals.mark
            if arrivals.missed:
                self._waiting.wake_all()
            for arrival in arrivals.arrivals:
                self._waiting.wake(arrival)
            for worker in arrivals.freed:
                self._waiting.wake_worker(worker)


def _worker(caller: Caller) -> WorkerFacts:
    if caller.worker is None:
        raise Forbidden("Only a worker may do this.")
    return caller.worker
