"""The sequence diagram as Python: a class a participant, a method an arrow. Source: flows.md, protocol.md.

A participant is met through these alone, so that it makes no difference whether it lives in this process or
behind HTTP. Every method may raise Unavailable: the participant is down, and nothing is known to have happened.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from rota.protocol.decide import Decision, Ended
from rota.protocol.enrol import Enrol, WorkerCredential
from rota.protocol.environment import Caller, Environment
from rota.protocol.fire import Due, Firing
from rota.protocol.get_job import Arrivals, GetJob, GetJobForWorker, Given, Offer
from rota.protocol.heartbeat import Renewed
from rota.protocol.ids import AttemptId, Incarnation, WorkerId
from rota.protocol.job_finished import Finished, JobFinishedReceived
from rota.protocol.placement import WorkerFacts
from rota.protocol.refuse_job import Refusal, RefuseAccepted
from rota.protocol.status import Acknowledgement, Status, StatusReceived
from rota.protocol.webhook import ToSend, Tried
from rota.protocol.worker import Worker


class Content(Protocol):
    """Stored bytes, read in pieces."""

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        ...

    def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Those from `start` up to `end` (excluded). Raises Damaged, Unavailable."""
        ...


class Job(Protocol):
    """The Job service, as the gateway, the registry and the scheduler see it."""

    async def get_job_for_worker(self, ask: GetJobForWorker) -> Given:
        """Lease up to `ask.slots` queued jobs to the worker; empty is *noJob*. Never waits for work.

        The same `request_id` again gives the same offers while none of them was finished, refused or lost.
        """
        ...

    async def arrivals(self, after: int, wait_s: float) -> Arrivals:
        """What came into the queue after the mark `after`, at the latest when `wait_s` are over."""
        ...

    async def refuse_job(self, worker: WorkerId, refusals: Sequence[Refusal]) -> RefuseAccepted:
        """Take jobs back unstarted: each is queued again at its old place, and the try does not count."""
        ...

    async def job_finished(self, worker: WorkerId, finished: Sequence[Finished]) -> JobFinishedReceived:
        """Make results durable. The answer's `received` are on disk."""
        ...

    async def heartbeat(self, worker: WorkerId, environment: str, attempts: Sequence[AttemptId]) -> Renewed:
        """Renew leases of a worker of `environment`; tell what to stop."""
        ...

    async def upload(
        self, worker: WorkerId, attempt: AttemptId, path: str | None, offset: int, content: AsyncIterator[bytes]
    ) -> int:
        """Append bytes to the log (`path` None) or an artifact at `offset`; returns the new offset.

        What arrived before `content` broke off is kept. Raises OffsetMismatch, NotFound, LeaseLost, TooLarge.
        """
        ...

    async def upload_offset(self, worker: WorkerId, attempt: AttemptId, path: str | None) -> int:
        """How many bytes of it are stored. Raises NotFound, LeaseLost."""
        ...

    async def input(self, worker: WorkerId, attempt: AttemptId, path: str) -> Content:
        """An input's bytes. Raises NotFound, LeaseLost."""
        ...

    async def release(self, worker: WorkerId, incarnation: Incarnation, keep: Sequence[AttemptId]) -> None:
        """The worker's new incarnation answers for `keep` only: its other attempts are lost at once."""
        ...

    async def unstartable(self, worker: WorkerId, attempts: Sequence[AttemptId]) -> list[AttemptId]:
        """Those of the attempts that this worker must not start any more: cancelled, ended, or held by another.

        One that the Job service never made is not among them: nobody can have been offered it.
        """
        ...

    async def ended(self, limit: int, wait_s: float) -> list[Ended]:
        """Jobs that wait for the scheduler's word, at the latest when `wait_s` are over."""
        ...

    async def decide(self, decisions: Sequence[Decision]) -> None:
        """Apply the scheduler's words, each at most once."""
        ...

    async def announce(self, policies: Sequence[str]) -> None:
        """The scheduler knows these policies, and no other."""
        ...


class Schedules(Protocol):
    """The Job service's schedules, as the scheduler sees them."""

    async def due(self, limit: int, wait_s: float) -> list[Due]:
        """Schedules whose time has come, as soon as one's does, at the latest when `wait_s` are over."""
        ...

    async def fire(self, firings: Sequence[Firing]) -> None:
        """Make jobs of the runs that are due, each at most once, whoever says it how often."""
        ...


class Deliveries(Protocol):
    """The Job service, as the scheduler sees it that sends what webhooks are to be told."""

    async def due(self, limit: int, wait_s: float) -> list[ToSend]:
        """Deliveries to send now, at the latest when `wait_s` are over; nobody else is handed them for a while."""
        ...

    async def tried(self, tried: Sequence[Tried]) -> None:
        """Record what came of tries, each at most once."""
        ...


class WorkerGateway(Protocol):
    """The gateway, as a worker sees it through its credential (`caller`)."""

    async def get_job(self, caller: Caller, incarnation: Incarnation, ask: GetJob) -> list[Offer]:
        """Hold the question until a job fits or `ask.wait_s` is over; empty is *noJob*.

        Raises Unavailable where the Job service errs: on the wire that too is *noJob*, marked as degraded.
        """
        ...

    async def refuse_job(self, caller: Caller, refusals: Sequence[Refusal]) -> RefuseAccepted:
        """Pass a refusal on."""
        ...

    async def job_finished(self, caller: Caller, finished: Sequence[Finished]) -> JobFinishedReceived:
        """Pass results on; its answer means: durable."""
        ...

    async def heartbeat(self, caller: Caller, attempts: Sequence[AttemptId]) -> Renewed:
        """Pass a heartbeat on."""
        ...


class WorkerRegistry(Protocol):
    """Who the workers are and what they say they do."""

    async def enrol(self, authorization: str, enrol: Enrol) -> "tuple[WorkerFacts, WorkerCredential, Environment]":
        """Make a worker of an enrolment token's holder. Raises Unauthenticated, Forbidden."""
        ...

    async def status(self, caller: Caller, incarnation: Incarnation, status: Status) -> StatusReceived:
        """*status received*: after it, and not before, the worker may execute."""
        ...


class Fleet(Protocol):
    """The WorkerRegistry, as the Job service sees it: what people want to know of the workers."""

    async def workers(self, environment: str | None) -> list[Worker]:
        """All workers, or those of one environment."""
        ...

    async def worker(self, worker: WorkerId, environment: str | None) -> Worker:
        """One worker. Raises NotFound (also outside `environment`)."""
        ...

    async def drain(self, worker: WorkerId, environment: str | None) -> Worker:
        """Ask a worker to take no more jobs and to leave. Raises NotFound (also outside `environment`)."""
        ...

    async def acknowledgements(self, attempts: Sequence[AttemptId]) -> list[Acknowledgement]:
        """What the registry acknowledged of these attempts."""
        ...


class Environments(Protocol):
    """The places where workers run, and their credentials, as gateway and registry see them."""

    async def recognise(self, authorization: str | None) -> Caller:
        """Who sends this `Authorization` header. Raises Unauthenticated, with the same words for every cause."""
        ...

    async def enrol(
        self, authorization: str, worker_id: WorkerId, enrol: Enrol
    ) -> "tuple[WorkerFacts, WorkerCredential, Environment]":
        """Use an enrolment token once and issue the worker's own credential. Raises Unauthenticated, Forbidden."""
        ...

    async def renew(self, caller: Caller) -> WorkerCredential:
        """A fresh credential for a worker whose present one is still good. Raises Unauthenticated."""
        ...

    async def environment(self, name: str) -> Environment:
        """One environment. Raises NotFound."""
        ...
