"""A service as another sees it that runs elsewhere, and what stands in for Environments.

Source: rota/protocol/participants.py; the time limits are those of rota/jobs/remote.py and rota/registry/remote.py.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from rota.http.peer import TIMEOUT_S
from rota.jobs.remote import _FINISH_TIMEOUT_S, _GET_JOB_TIMEOUT_S
from rota.protocol.decide import Decision, Ended
from rota.protocol.enrol import Enrol, WorkerCredential
from rota.protocol.environment import Caller, Environment
from rota.protocol.get_job import Arrivals, GetJobForWorker, Given
from rota.protocol.heartbeat import Renewed
from rota.protocol.ids import AttemptId, Incarnation, WorkerId
from rota.protocol.job_finished import Finished, JobFinishedReceived
from rota.protocol.participants import Content
from rota.protocol.placement import WorkerFacts
from rota.protocol.problems import NotFound, Unavailable
from rota.protocol.refuse_job import Refusal, RefuseAccepted
from rota.protocol.status import Acknowledgement
from rota.protocol.worker import Worker
from rota.world import World
from simulation.credentials import issued, recognised
from simulation.network import Network
from simulation.outages import Outages
from simulation.process import Process

TELLING = frozenset({"arrivals", "getJobForWorker", "heartbeat"})
"""By what the Job service hears that a gateway is there."""


class Far:
    """Somebody behind the network."""

    def __init__(self, asker: Process, network: Network, address: str) -> None:
        self._asker, self._network, self._address = asker, network, address

    async def ask(
        self, name: str, deed: Callable[[Any], Awaitable[Any]], body: object = None, timeout_s: float = TIMEOUT_S
    ) -> Any:  # noqa: ANN401  (whatever is answered)
        """One message and its answer."""
        return await self._network.ask(self._asker, self._address, name, deed, timeout_s, body)


class FarJob(Far):
    """See `rota.protocol.participants.Job`. `outages`: told of what comes from a gateway that runs apart."""

    def __init__(self, asker: Process, network: Network, address: str, outages: Outages | None = None) -> None:
        super().__init__(asker, network, address)
        self._outages = outages

    async def ask(
        self, name: str, deed: Callable[[Any], Awaitable[Any]], body: object = None, timeout_s: float = TIMEOUT_S
    ) -> Any:  # noqa: ANN401  (as above)
        async def heard(job: Any) -> Any:  # noqa: ANN401  (as above)
            if self._outages is not None and name in TELLING:
                self._outages.heard()
            return await deed(job)

        return await super().ask(name, heard, body, timeout_s)

    async def get_job_for_worker(self, ask: GetJobForWorker) -> Given:
        said = f"{ask.worker.name} slots={ask.slots} {ask.request_id}"
        answer: Given = await self.ask(
            "getJobForWorker", lambda job: job.get_job_for_worker(ask), said, _GET_JOB_TIMEOUT_S
        )
        return answer

    async def arrivals(self, after: int, wait_s: float) -> Arrivals:
        answer: Arrivals = await self.ask(
            "arrivals", lambda job: job.arrivals(after, wait_s), after, wait_s + TIMEOUT_S
        )
        return answer

    async def refuse_job(self, worker: WorkerId, refusals: Sequence[Refusal]) -> RefuseAccepted:
        answer: RefuseAccepted = await self.ask("refuse job", lambda job: job.refuse_job(worker, refusals), refusals)
        return answer

    async def job_finished(self, worker: WorkerId, finished: Sequence[Finished]) -> JobFinishedReceived:
        said = [(end.attempt_id, end.result.reason, end.result.exit_code) for end in finished]
        answer: JobFinishedReceived = await self.ask(
            "jobFinished", lambda job: job.job_finished(worker, finished), said, _FINISH_TIMEOUT_S
        )
        return answer

    async def heartbeat(self, worker: WorkerId, environment: str, attempts: Sequence[AttemptId]) -> Renewed:
        async def beat(job: Any) -> Renewed:  # noqa: ANN401  (as above)
            at = self._asker.loop.time()
            renewed: Renewed = await job.heartbeat(worker, environment, attempts)
            if self._outages is not None:
                self._outages.renewed([one for one in attempts if one not in renewed.lost], at)
            return renewed

        answer: Renewed = await self.ask("heartbeat", beat, attempts)
        return answer

    async def upload(
        self, worker: WorkerId, attempt: AttemptId, path: str | None, offset: int, content: AsyncIterator[bytes]
    ) -> int:
        pieces: list[bytes] = []
        is_cut = False
        try:
            async for piece in content:
                pieces.append(piece)  # noqa: PERF401  (what came before a break is passed on)
        except Unavailable:
            is_cut = True
        said = f"{attempt} {path} at {offset}: {sum(map(len, pieces))} bytes, {is_cut=}"
        answer: int = await self.ask(
            "upload",
            lambda job: job.upload(worker, attempt, path, offset, _passed_on(pieces, is_cut=is_cut)),
            said,
            60.0,
        )
        return answer

    async def upload_offset(self, worker: WorkerId, attempt: AttemptId, path: str | None) -> int:
        answer: int = await self.ask("offset", lambda job: job.upload_offset(worker, attempt, path), attempt)
        return answer

    async def input(self, worker: WorkerId, attempt: AttemptId, path: str) -> Content:
        answer: Content = await self.ask("input", lambda job: job.input(worker, attempt, path), attempt)
        return answer

    async def release(self, worker: WorkerId, incarnation: Incarnation, keep: Sequence[AttemptId]) -> None:
        await self.ask("release", lambda job: job.release(worker, incarnation, keep), (worker, keep))

    async def unstartable(self, worker: WorkerId, attempts: Sequence[AttemptId]) -> list[AttemptId]:
        answer: list[AttemptId] = await self.ask(
            "unstartable", lambda job: job.unstartable(worker, attempts), (worker, attempts)
        )
        return answer

    async def ended(self, limit: int, wait_s: float) -> list[Ended]:
        answer: list[Ended] = await self.ask("ended", lambda job: job.ended(limit, wait_s), None, wait_s + TIMEOUT_S)
        return answer

    async def decide(self, decisions: Sequence[Decision]) -> None:
        await self.ask("decide", lambda job: job.decide(decisions), decisions)

    async def announce(self, policies: Sequence[str]) -> None:
        await self.ask("policies", lambda job: job.announce(policies), policies)


class FarFleet(Far):
    """See `rota.protocol.participants.Fleet`; only what the Job service's own messages need."""

    async def workers(self, environment: str | None) -> list[Worker]:
        answer: list[Worker] = await self.ask("workers", lambda fleet: fleet.workers(environment))
        return answer

    async def worker(self, worker: WorkerId, environment: str | None) -> Worker:
        answer: Worker = await self.ask("worker", lambda fleet: fleet.worker(worker, environment))
        return answer

    async def drain(self, worker: WorkerId, environment: str | None) -> Worker:
        answer: Worker = await self.ask("drain", lambda fleet: fleet.drain(worker, environment))
        return answer

    async def acknowledgements(self, attempts: Sequence[AttemptId]) -> list[Acknowledgement]:
        answer: list[Acknowledgement] = await self.ask(
            "acknowledgements", lambda fleet: fleet.acknowledgements(attempts), attempts
        )
        return answer


class StandInEnvironments:
    """One environment, known everywhere; whose credentials each service checks by its own clock."""

    def __init__(self, heartbeat_s: float, lease_s: float, world: World) -> None:
        self._world = world
        self._only = Environment("default", "jwt", {}, heartbeat_s, lease_s, "", "2026-11-23T12:00:00.000000Z")

    async def environment(self, name: str) -> Environment:
        if name != self._only.name:
            raise NotFound(f"There is no environment `{name}`.")
        return self._only

    async def recognise(self, authorization: str | None) -> Caller:
        return recognised(authorization or "", self._world)

    async def enrol(
        self, authorization: str, worker_id: WorkerId, enrol: Enrol
    ) -> tuple[WorkerFacts, WorkerCredential, Environment]:
        raise NotImplementedError

    async def renew(self, caller: Caller) -> WorkerCredential:
        if caller.worker is None:
            raise NotImplementedError
        return issued(caller.worker, self._world)


async def _passed_on(pieces: Sequence[bytes], *, is_cut: bool) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if is_cut:
        raise Unavailable("the sender broke off")
