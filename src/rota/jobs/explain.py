"""Why a job waits, as people ask for it: the facts are asked of store and registry, the reasons are made of them."""

from rota.http.routes import PEOPLE, Call, Endpoint
from rota.jobs.why import competing, reasons
from rota.protocol.environment import Caller
from rota.protocol.ids import JobId
from rota.protocol.participants import Fleet
from rota.protocol.problems import NotFound, Unavailable
from rota.protocol.states import JobState
from rota.protocol.why import Why
from rota.protocol.wire import timestamp
from rota.protocol.worker import Worker
from rota.storage.stores.jobs import JobStore
from rota.storage.stores.standings import Standing, StandingStore
from rota.world import World


class Explain:
    """`GET /api/v1/jobs/{id}/why`."""

    def __init__(self, standings: StandingStore, store: JobStore, fleet: Fleet, world: World) -> None:
        self._standings, self._store, self._fleet, self._world = standings, store, fleet, world

    def endpoints(self) -> list[Endpoint]:
        """What is served, by whom it may be called."""
        return [Endpoint("GET", "/api/v1/jobs/{job_id}/why", self.http, "why it waits", PEOPLE, None, Why)]

    async def http(self, call: Call) -> Why:
        """The route."""
        return await self.why(call.caller, JobId(call.part("job_id")))

    async def why(self, caller: Caller, job: JobId) -> Why:
        """All that holds it back now. Raises NotFound, also for another environment's."""
        standing = await self._standings.standing(job)
        if standing is None or caller.environment not in {None, standing.environment}:
            raise NotFound("There is no such job.")
        if standing.state is not JobState.QUEUED:
            return Why(standing.state, reasons(standing, [], None, self._world.now()))
        workers = await self._workers(standing)
        queues = competing(await self._store.queue_keys(), standing, workers or [])
        now = self._world.now()
        line = await self._standings.line(job, queues, timestamp(now))
        return Why(standing.state, reasons(standing, workers, line, now))

    async def _workers(self, standing: Standing) -> list[Worker] | None:
        try:
            return await self._fleet.workers(standing.environment)
        except Unavailable:
            return None
