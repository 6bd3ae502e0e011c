"""WorkerRegistry: status: Working / readyForWork → status received. Source: flows.md; protocol.md, "status"."""

import logging
from collections import deque
from collections.abc import Sequence

from rota.protocol.enrol import Enrol, WorkerCredential
from rota.protocol.environment import Caller, Environment
from rota.protocol.ids import AttemptId, Incarnation, WorkerId
from rota.protocol.incarnation import gone, is_earlier
from rota.protocol.participants import Environments, Job
from rota.protocol.placement import WorkerFacts
from rota.protocol.problems import Conflict, InvalidRequest, LeaseLost, NotFound, Problem, Unavailable
from rota.protocol.status import AT_WORK, Acknowledgement, Status, StatusReceived, WorkerStatus
from rota.protocol.wire import timestamp
from rota.protocol.worker import Worker
from rota.registry.presence import LastSeen, lost
from rota.storage.stores.workers import WorkerStore
from rota.world import World

HEARTBEAT_S = 10.0
"""For a worker whose environment cannot be asked just now."""
_LOOK_EVERY_S = 1.0
_SUPERSEDED_MAX = 20  # earlier starts of one worker that are still told from new ones

log = logging.getLogger(__name__)


class RegistryService:
    """Keeps what workers say; its answer to `working` is the permission to execute."""

    def __init__(self, store: WorkerStore, environments: Environments, job: Job, world: World) -> None:
        self._store, self._environments, self._job, self._world = store, environments, job, world
        self._seen: dict[WorkerId, LastSeen] = {}
        self._incarnations: dict[WorkerId, Incarnation | None] = {}
        self._superseded: dict[WorkerId, deque[Incarnation]] = {}
        self._draining: set[WorkerId] = set()
        self._told: dict[WorkerId, frozenset[AttemptId]] = {}  # what each named in its last status

    async def start(self) -> None:
        """Begin with a full grace for everyone: while the registry was away nobody could be seen."""
        now_s = self._world.monotonic()
        for worker, recorded_at, heartbeat_s in await self._store.present():
            self._seen[worker] = LastSeen(now_s, recorded_at, heartbeat_s)

    async def enrol(self, authorization: str, enrol: Enrol) -> tuple[WorkerFacts, WorkerCredential, Environment]:
        """A new worker with its own credential. Raises Unauthenticated, Forbidden."""
        worker_id = WorkerId(self._world.new_id())
        facts, credential, environment = await self._environments.enrol(authorization, worker_id, enrol)
        now = timestamp(self._world.now())
        await self._store.insert(facts, enrol.version, environment.heartbeat_s, now)
        return facts, credential, environment

    async def status(self, caller: Caller, incarnation: Incarnation, status: Status) -> StatusReceived:
        """*status received*. Recorded before it is answered; the answer to `working` is the permission to execute."""
        if caller.worker is None:
            raise NotFound("Only a worker has a status.")
        if status.status is WorkerStatus.LOST:
            raise InvalidRequest.of("status", "`lost` is the registry's word, not a worker's")
        worker = caller.worker.worker_id
        if worker not in self._incarnations:
            await self._meet(caller.worker)
        if incarnation in self._superseded.get(worker, ()) or self._is_earlier(worker, incarnation):
            # A late word of an earlier start must not release what the present one holds. Source: guarantees.md, F23.
            raise Conflict("A newer start of this worker has taken its place.")
        if self._incarnations[worker] != incarnation:
            await self._release_others(worker, incarnation, status.attempts)
        if status.status in AT_WORK:
            await self._check_startable(worker, status.attempts)
        at = timestamp(self._world.now())
        await self._store.status(worker, incarnation, status, at)
        self._told[worker] = frozenset(status.attempts)
        drain = worker in self._draining
        if status.status is WorkerStatus.OFFLINE:
            await self._release_all(worker, incarnation, status.attempts)
            self._draining.discard(worker)
            self._seen.pop(worker, None)
        else:
            heartbeat_s = self._seen[worker].heartbeat_s if worker in self._seen else await self._heartbeat(caller)
            self._seen[worker] = LastSeen(self._world.monotonic(), at, heartbeat_s)
        return StatusReceived(received=True, drain=drain)

    async def workers(self, environment: str | None) -> list[Worker]:
        return await self._store.workers(environment)

    async def worker(self, worker: WorkerId, environment: str | None) -> Worker:
        found = await self._store.worker(worker)
        if found is None or environment not in {None, found.environment}:
            raise NotFound("There is no such worker.")
        return found

    async def drain(self, worker: WorkerId, environment: str | None) -> Worker:
        await self.worker(worker, environment)
        await self._store.request_drain(worker)
        self._draining.add(worker)
        return await self.worker(worker, environment)

    async def acknowledgements(self, attempts: Sequence[AttemptId]) -> list[Acknowledgement]:
        return await self._store.acknowledgements(attempts)

    async def watch(self) -> None:
        """Call lost who is unseen too long; runs until it is cancelled."""
        while True:
            await self._world.sleep(_LOOK_EVERY_S)
            away = lost(self._seen, self._world.monotonic())
            if away:
                unseen = [(worker, self._seen.pop(worker).recorded_at) for worker in away]
                try:
                    await self._store.lost(unseen)
                except Unavailable as problem:
                    log.warning("%d workers are lost, which could not be recorded: %s", len(away), problem.detail)

    def _is_earlier(self, worker: WorkerId, incarnation: Incarnation) -> bool:
        present = self._incarnations[worker]
        return present is not None and is_earlier(incarnation, present)

    async def _meet(self, facts: WorkerFacts) -> None:
        """Remember what is stored of a worker. One that the store lacks is good all the same: its credential is."""
        seen = await self._store.seen(facts.worker_id)
        if seen is None:
            now = timestamp(self._world.now())
            await self._store.insert(facts, "", HEARTBEAT_S, now)
        elif seen.drain_requested:
            self._draining.add(facts.worker_id)
        self._incarnations[facts.worker_id] = None if seen is None else seen.incarnation

    async def _check_startable(self, worker: WorkerId, attempts: Sequence[AttemptId]) -> None:
        """No permission for what was cancelled, ended, or went to another. What has the permission keeps it. F11."""
        fresh = [attempt for attempt in attempts if attempt not in self._told.get(worker, ())]
        over = await self._job.unstartable(worker, fresh) if fresh else []
        if over:
            permitted = {one.attempt_id for one in await self._store.acknowledgements(over) if one.worker_id == worker}
            refused = [attempt for attempt in over if attempt not in permitted]
            if refused:
                raise LeaseLost(f"Not to be started any more, nor anything named beside it: {', '.join(refused)}.")

    async def _release_others(self, worker: WorkerId, incarnation: Incarnation, keep: Sequence[AttemptId]) -> None:
        try:
            await self._job.release(worker, incarnation, keep)
        except Problem as problem:  # asked again with the next status; until then their leases stand
            log.warning("what worker %s no longer answers for is not released yet: %s", worker, problem.detail)
        else:
            before = self._incarnations[worker]
            if before == incarnation or self._is_earlier(worker, incarnation):
                return  # another status, meanwhile: of this start, or of the next
            if before is not None:
                self._superseded.setdefault(worker, deque(maxlen=_SUPERSEDED_MAX)).append(before)
            self._incarnations[worker] = incarnation

    async def _release_all(self, worker: WorkerId, incarnation: Incarnation, keep: Sequence[AttemptId]) -> None:
        """It has gone and starts nothing more: an offer that never reached it need not wait for its lease's end."""
        try:
            await self._job.release(worker, gone(incarnation), keep)
        except Problem as problem:
            log.warning("what worker %s left behind waits for its leases' end: %s", worker, problem.detail)

    async def _heartbeat(self, caller: Caller) -> float:
        try:
            return (await self._environments.environment(caller.environment or "")).heartbeat_s
        except Problem:
            return HEARTBEAT_S
