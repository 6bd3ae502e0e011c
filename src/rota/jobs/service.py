"""The Job service's messages with gateway, registry and scheduler, in the diagrams' order. Source: flows.md."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence

from rota.jobs import finish
from rota.jobs.assign import Assign
from rota.jobs.contact import Contact
from rota.jobs.deadlines import end_overdue
from rota.jobs.follow import Changes
from rota.jobs.leases import Lease, Leases
from rota.jobs.logs import LogSource
from rota.jobs.overdue import SWEPT_MAX, Overdue
from rota.jobs.policies import KnownPolicies
from rota.jobs.porter import Porter
from rota.jobs.queue import Arrived, Queues
from rota.jobs.queue_clock import QueueClock
from rota.jobs.reservations import Reservations
from rota.jobs.retired import end_retired
from rota.jobs.tails import with_tails
from rota.protocol.decide import Decision, Ended
from rota.protocol.get_job import Arrival, Arrivals, GetJobForWorker, Given
from rota.protocol.heartbeat import Renewed
from rota.protocol.ids import AttemptId, Incarnation, JobId, WorkerId
from rota.protocol.job_finished import Finished, JobFinishedReceived
from rota.protocol.participants import Environments, Fleet
from rota.protocol.paths import check_path
from rota.protocol.placement import RESERVE_AFTER_S
from rota.protocol.problems import LeaseLost, NotFound, Problem, TooLarge, Unavailable
from rota.protocol.refuse_job import Refusal, RefuseAccepted, Rejected
from rota.protocol.states import JobState
from rota.protocol.wire import timestamp
from rota.storage.stores.blobs import BlobStore
from rota.storage.stores.jobs import JobStore, Outcome
from rota.world import World

PIECE_SIZE_BYTES = 1024 * 1024
_STOPPED = frozenset({JobState.ASSIGNED, JobState.RUNNING, JobState.CANCELLED})
"""Outcomes of a cancel: a worker that holds such a job hears of it with its next heartbeat."""
LEASE_S = 30.0
"""For what still runs in an environment that was retired."""


class JobService:
    """See `rota.protocol.participants.Job` for what each message promises."""

    def __init__(
        self,
        store: JobStore,
        blobs: BlobStore,
        environments: Environments,
        world: World,
        log_size_bytes_max: int,
        artifact_size_bytes_max: int,
        reserve_after_s: float = RESERVE_AFTER_S,
    ) -> None:
        self._store, self._blobs, self._environments, self._world = store, blobs, environments, world
        self._log_size_bytes_max, self._artifact_size_bytes_max = log_size_bytes_max, artifact_size_bytes_max
        self._leases = self.leases = Leases()
        self.contact = Contact(world, self._leases.prolong)
        self._undecided = asyncio.Event()
        self._undecided.set()
        self._closing = False
        self.queues, self.queue_clock, self.policies = Queues(store), QueueClock(world), KnownPolicies()
        self.arrived = Arrived(int(world.now().timestamp() * 1_000_000))
        self.changes = Changes()
        self.fleet: Fleet | None = None  # the registry, which needs this service before it can be named here
        self.porter = Porter(store, world, self.note)
        self._overdue = Overdue(store, self._leases, self.contact, world, self.note, lambda: self.fleet)
        self.reservations = Reservations(store, world, lambda: self.fleet, self.arrived.add)
        self._assign = Assign(
            store, self._leases, self.queues, self.reservations, self.changes, self.contact, world, reserve_after_s
        )

    async def start(self) -> None:
        """Every held attempt has a full lease again: while the service was away nobody could renew it.

        A detached one stays so, and the time that the service was away is not counted.
        """
        await self.queues.start()
        await self.queue_clock.start(self._store)
        for held in await self._store.held():
            self._leases.restore(held, self.contact.now_s(), await self._lease_s(held.environment))

    def close(self) -> None:
        """About to stop: who waits is answered now."""
        self._closing = True
        self._undecided.set()
        self.arrived.close()
        self.changes.close()

    async def get_job_for_worker(self, ask: GetJobForWorker) -> Given:
        self.contact.heard()
        return await self._assign.give(ask, await self._lease_s(ask.worker.environment))

    async def arrivals(self, after: int, wait_s: float) -> Arrivals:
        self.contact.heard()
        return await self.arrived.after(after, wait_s)

    async def refuse_job(self, worker: WorkerId, refusals: Sequence[Refusal]) -> RefuseAccepted:
        asked = [(refusal.attempt_id, refusal.reason) for refusal in refusals]
        outcomes = await self._store.refuse(worker, asked, timestamp(self._world.now()))
        attempts = [refusal.attempt_id for refusal in refusals]
        return RefuseAccepted(*self._answered(attempts, outcomes))

    async def job_finished(self, worker: WorkerId, finished: Sequence[Finished]) -> JobFinishedReceived:
        rejected: list[Rejected] = []
        good: list[tuple[Finished, str]] = []
        for end in finished:
            if self._leases.of(worker, end.attempt_id) is None:
                # Only a holder's bytes are looked at; the store says what else it is: unknown, lost, repeated.
                good.append((end, finish.digest(end)))
                continue
            try:
                good.append((await finish.checked(end, self._blobs), finish.digest(end)))
            except Unavailable:
                raise  # the disk's fault and not the report's: all is sent again, and nothing of it is lost
            except Problem as problem:
                rejected.append(Rejected.because(end.attempt_id, problem))
        outcomes = await self._store.finish(worker, good, timestamp(self._world.now())) if good else []
        received, refused = self._answered([end.attempt_id for end, _ in good], outcomes)
        return JobFinishedReceived(received, [*rejected, *refused])

    async def heartbeat(self, worker: WorkerId, environment: str, attempts: Sequence[AttemptId]) -> Renewed:
        now_s = self.contact.heard()
        lease_s = await self._lease_s(environment)
        lost: list[AttemptId] = []
        begun: list[AttemptId] = []
        cancel: list[AttemptId] = []
        for attempt in attempts:
            renewed = await self._overdue.renew(worker, attempt, now_s, self._lease_s)
            if renewed is None:
                lost.append(attempt)
                continue
            lease, lease_s = renewed
            if lease.cancel:
                cancel.append(attempt)
            if not lease.running:
                begun.append(attempt)
        with contextlib.suppress(Unavailable):  # a full disk: the lease is renewed, that it runs is recorded next time
            await self._start(worker, begun)
        return Renewed(lease_s, cancel, lost)

    async def upload(
        self, worker: WorkerId, attempt: AttemptId, path: str | None, offset: int, content: AsyncIterator[bytes]
    ) -> int:
        lease = await self._held(worker, attempt)
        name = "" if path is None else check_path(path, "path")
        most = self._log_size_bytes_max if path is None else self._artifact_size_bytes_max
        if path is None and not lease.running:
            await self._start(worker, [attempt])
        offset = await self._append(worker, attempt, name, offset, b"")  # the offset is checked before bytes come
        pieces: list[bytes] = []
        waiting = 0
        try:
            async for piece in content:
                pieces.append(piece)
                waiting += len(piece)
                if offset + waiting > most:
                    raise TooLarge(f"More than {most} bytes.", limit_bytes=most)
                if waiting >= PIECE_SIZE_BYTES:
                    offset, pieces, waiting = await self._append(worker, attempt, name, offset, b"".join(pieces)), [], 0
        finally:
            if pieces:  # also when the sender broke off: what came is kept, and it goes on from there
                offset = await self._append(worker, attempt, name, offset, b"".join(pieces)[: most - offset])
        return offset

    async def upload_offset(self, worker: WorkerId, attempt: AttemptId, path: str | None) -> int:
        await self._held(worker, attempt)
        return await self._blobs.size(attempt, "" if path is None else check_path(path, "path"))

    async def input(self, worker: WorkerId, attempt: AttemptId, path: str) -> LogSource:
        lease = await self._held(worker, attempt)
        found = await self._store.input(lease.job_id, check_path(path, "path"))
        if found is None:
            raise NotFound("The job has no such input.")
        source = LogSource(found.size_bytes, self._blobs, found.attempt_id, found.path, found.content, found.sha256)
        await source.hold()
        return source

    async def release(self, worker: WorkerId, incarnation: Incarnation, keep: Sequence[AttemptId]) -> None:
        gone = await self._store.keep(worker, incarnation, keep)
        await self.lose(gone, "worker_restarted: the worker, or its shepherd, no longer answers for it")

    async def unstartable(self, worker: WorkerId, attempts: Sequence[AttemptId]) -> list[AttemptId]:
        held = {attempt: self._leases.of(worker, attempt) for attempt in attempts}
        over = [one for one, lease in held.items() if lease is not None and (lease.cancel or lease.decided)]
        return over + [one for one, lease in held.items() if lease is None and await self._store.attempt(one)]

    async def ended(self, limit: int, wait_s: float) -> list[Ended]:
        self._undecided.clear()
        found = await self._store.undecided(limit)
        if not found and wait_s > 0:
            if self._closing:
                raise Unavailable("The Job service is stopping.")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._undecided.wait(), wait_s)
            found = await self._store.undecided(limit)
        return await with_tails(found, self._store, self._blobs)

    async def announce(self, policies: Sequence[str]) -> None:
        self.policies.announced(policies)

    async def decide(self, decisions: Sequence[Decision]) -> None:
        outcomes = await self._store.decide(decisions, timestamp(self._world.now()))
        await self.queues.learn([outcome.key for outcome in outcomes if outcome.key is not None])
        self.note([], outcomes)
        if any(decision.verdict is not None for decision in decisions):
            self.porter.look()  # whom a verdict let through may wait for a time yet, its own or its group's rate

    async def lose(self, attempts: Sequence[AttemptId], why: str) -> None:
        """End these leases. The statement is guarded: a finish that came first wins."""
        await self._overdue.lose(attempts, why)

    async def sweep(self) -> None:
        """End what ran out, once."""
        await self._overdue.sweep()
        expired = await self._store.expire(timestamp(self.queue_clock.now()), SWEPT_MAX)
        self.note([], [Outcome(job, JobState.EXPIRED) for job in expired])
        await end_overdue(self._store, timestamp(self._world.now()), self.cancel_requested, self.note)
        self.note([], await end_retired(self.queues, self._environments, self._store, SWEPT_MAX))
        await self.reservations.sweep()

    def note(self, over: Iterable[AttemptId], outcomes: Iterable[Outcome]) -> None:
        """What follows at once from moves that are recorded: leases end, gateways, followers and scheduler hear."""
        self.reservations.ended(self._leases.end(over))
        arrivals = []
        stopped: set[JobId] = set()
        for outcome in outcomes:
            if outcome.state is JobState.QUEUED and outcome.key is not None:
                arrivals.append(Arrival(outcome.key, 1))
            elif outcome.state is JobState.WAITING:
                self.porter.look()
                self._undecided.set()
            elif outcome.state is not None:
                self._undecided.set()
            if outcome.state in _STOPPED and outcome.job_id is not None:
                stopped.add(outcome.job_id)
            self.changes.tell(outcome.job_id)
        if stopped:
            self._leases.cancel(stopped)
        if arrivals:
            self.arrived.add(arrivals)

    def cancel_requested(self, outcome: Outcome) -> None:
        """The worker that holds it hears of it with its next heartbeat."""
        if outcome.job_id is not None:
            self._leases.cancel({outcome.job_id})

    def _answered(
        self, attempts: Sequence[AttemptId], outcomes: Sequence[Outcome]
    ) -> tuple[list[AttemptId], list[Rejected]]:
        good = [attempt for attempt, outcome in zip(attempts, outcomes, strict=True) if outcome.problem is None]
        rejected = [
            Rejected.because(attempt, outcome.problem)
            for attempt, outcome in zip(attempts, outcomes, strict=True)
            if outcome.problem is not None
        ]
        self.note(good, outcomes)
        return good, rejected

    async def _start(self, worker: WorkerId, attempts: Sequence[AttemptId]) -> None:
        """Assigned → running, recorded before anybody can see it."""
        if not attempts:
            return
        await self._store.start(worker, attempts)
        for attempt in attempts:
            lease = self._leases.of(worker, attempt)
            if lease is not None:
                lease.running = True
                self.changes.tell(lease.job_id)

    async def _append(self, worker: WorkerId, attempt: AttemptId, name: str, offset: int, piece: bytes) -> int:
        lease = self._leases.of(worker, attempt)
        if lease is None:  # lost while the bytes were on their way
            raise LeaseLost
        async with lease.appending:
            offset = await self._blobs.append(attempt, name, offset, piece)
        if not name and piece:
            self.changes.tell(lease.job_id)
        return offset

    async def _held(self, worker: WorkerId, attempt: AttemptId) -> Lease:
        """The lease. Raises NotFound where the attempt never was this worker's, LeaseLost where it was."""
        lease = self._leases.of(worker, attempt)
        if lease is not None:
            return lease
        held = await self._store.attempt(attempt)
        if held is None or held.worker_id != worker:
            raise NotFound("There is no such attempt of yours.")
        raise LeaseLost

    async def _lease_s(self, environment: str) -> float:
        try:
            return (await self._environments.environment(environment)).lease_s
        except NotFound:  # retired, while its last jobs run
            return LEASE_S
