"""The end of a lease, step by step: nothing is renewed while it is being ended. Source: guarantees.md, G2, G15, F43."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from rota.environments.service import EnvironmentsService
from rota.jobs.leases import BOOK_EVERY_S
from rota.jobs.service import LEASE_S, JobService
from rota.protocol.get_job import GetJobForWorker, Offer
from rota.protocol.ids import AttemptId, Incarnation, WorkerId
from rota.protocol.placement import QueueKey, WorkerFacts
from rota.protocol.problems import Unavailable
from rota.protocol.spec import ENVIRONMENT, Spec
from rota.protocol.states import AttemptState
from rota.protocol.status import Acknowledgement
from rota.storage.blobs import FolderBlobs
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.environments import SqliteEnvironments
from rota.storage.sqlite.jobs import SqliteJobs
from rota.storage.stores.jobs import Outcome
from rota.world import SystemWorld
from stores.bench import NOW, Bench

WORKER = WorkerFacts(WorkerId("anna"), ENVIRONMENT, "anna", {}, ["process"], 4)
KEPT = Spec(command=["true"], lease_policy="keep", detach_timeout_s=3600)
STOPPED = Spec(command=["true"])


class Clock(SystemWorld):
    """Time passes when a test says so; it begins at 0."""

    passed_s = 0.0

    def monotonic(self) -> float:
        return self.passed_s


class SlowJobs(SqliteJobs):
    """Ends of leases wait until the test lets them through."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.asked, self.may = asyncio.Event(), asyncio.Event()
        self.may.set()

    async def lose(self, attempts: Sequence[AttemptId], at: str, why: str) -> list[Outcome]:
        await self._hold()
        return await super().lose(attempts, at, why)

    async def detach(self, attempts: Sequence[AttemptId], at: str) -> list[Outcome]:
        await self._hold()
        return await super().detach(attempts, at)

    async def _hold(self) -> None:
        self.asked.set()
        await self.may.wait()


class Registry:
    """`acknowledged` None: it does not answer."""

    acknowledged: list[AttemptId] | None = None

    async def acknowledgements(self, _attempts: Sequence[AttemptId]) -> list[Acknowledgement]:
        if self.acknowledged is None:
            raise Unavailable("away")
        return [Acknowledgement(one, WORKER.worker_id, NOW) for one in self.acknowledged]


class House:
    """A Job service on a real store, with a clock, a registry and ends of leases in the test's hand."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder / "rota.db", "jobs")
        self.database.start()
        self.clock, self.store, self.registry = Clock(), SlowJobs(self.database), Registry()
        self.bench = Bench(self.database, self.store)
        self._folder = folder
        self.service = self._built()

    def _built(self) -> JobService:
        self.environments = EnvironmentsService(SqliteEnvironments(self.database), self.clock)
        blobs = FolderBlobs(self._folder / "blobs")
        service = JobService(self.store, blobs, self.environments, self.clock, 1000, 1000)
        service.fleet = self.registry  # type: ignore[assignment]  # of the registry, only its record is asked
        return service

    async def restarted(self) -> None:
        """The process anew, on the same store; its clock goes on."""
        self.service = self._built()
        await self.service.start()

    async def offered(self, spec: Spec, request: str | None = None) -> Offer:
        """A job that Anna was given."""
        key = QueueKey(ENVIRONMENT, "process", {})
        await self.bench.submit(spec, key=key)
        await self.service.queues.learn([key])
        return await self.asked(request)

    async def asked(self, request: str | None) -> Offer:
        """getJob, once more where the request is an old one."""
        ask = GetJobForWorker(WORKER, Incarnation("one"), 1, self.clock.now(), request)
        [offer] = (await self.service.get_job_for_worker(ask)).jobs
        return offer

    async def running(self, spec: Spec) -> AttemptId:
        """The same, with a heartbeat."""
        attempt = (await self.offered(spec)).attempt_id
        await self.service.heartbeat(WORKER.worker_id, WORKER.environment, [attempt])
        return attempt

    async def state(self, attempt: AttemptId) -> AttemptState:
        held = await self.store.attempt(attempt)
        assert held is not None
        return held.state

    async def swept(self, passed_s: float) -> None:
        """So much later."""
        self.clock.passed_s += passed_s
        await self.service.sweep()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.environments.start()
    yield made
    made.database.stop()


@pytest.mark.parametrize(("spec", "is_lost"), [(STOPPED, True), (KEPT, False)], ids=["stop", "keep"])
async def test_a_heartbeat_into_the_end_of_a_lease_waits_for_it(house: House, spec: Spec, *, is_lost: bool) -> None:
    """Else the worker would be told of a whole lease that is gone the next instant."""
    attempt = await house.running(spec)
    house.store.asked.clear()
    house.store.may.clear()
    sweeping = asyncio.create_task(house.swept(LEASE_S))
    await house.store.asked.wait()
    beating = asyncio.create_task(house.service.heartbeat(WORKER.worker_id, WORKER.environment, [attempt]))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(beating), 0.1)

    house.store.may.set()
    await sweeping
    told = await beating

    assert told.lost == ([attempt] if is_lost else [])
    assert await house.state(attempt) == (AttemptState.LOST if is_lost else AttemptState.RUNNING)


async def test_an_offer_is_not_given_again_while_it_is_being_ended(house: House) -> None:
    await house.offered(STOPPED, "r")
    house.registry.acknowledged = []
    house.store.asked.clear()
    house.store.may.clear()
    sweeping = asyncio.create_task(house.swept(LEASE_S))
    await house.store.asked.wait()

    ask = GetJobForWorker(WORKER, Incarnation("one"), 1, house.clock.now(), "r")
    again = (await house.service.get_job_for_worker(ask)).jobs
    house.store.may.set()
    await sweeping

    assert again == []
    assert [one.attempt_id for one in await house.store.held()] == []


async def test_an_offer_that_is_given_again_is_still_cancelled(house: House) -> None:
    offer = await house.offered(STOPPED, "r")
    house.service.note([], [await house.store.cancel(offer.job_id)])

    again = await house.asked("r")

    assert again.attempt_id == offer.attempt_id
    told = await house.service.heartbeat(WORKER.worker_id, WORKER.environment, [offer.attempt_id])
    assert told.cancel == [offer.attempt_id]


async def test_while_the_registry_cannot_be_asked_a_kept_offer_stays_its_workers(house: House) -> None:
    attempt = (await house.offered(KEPT)).attempt_id
    await house.swept(LEASE_S)
    assert await house.state(attempt) == AttemptState.ASSIGNED

    house.registry.acknowledged = [attempt]
    await house.swept(1)

    assert await house.state(attempt) == AttemptState.DETACHED


async def test_a_kept_offer_that_nobody_knows_of_is_queued_again_when_its_timeout_is_over(house: House) -> None:
    attempt = (await house.offered(KEPT)).attempt_id
    await house.swept(LEASE_S + 3599)
    assert await house.state(attempt) == AttemptState.ASSIGNED

    await house.swept(1)

    assert await house.state(attempt) == AttemptState.LOST
    assert (await house.asked(None)).number == 1


@pytest.mark.parametrize(("spec", "state"), [(STOPPED, AttemptState.LOST), (KEPT, AttemptState.DETACHED)])
async def test_after_a_restart_a_kept_offer_may_run_though_the_registry_has_no_record_of_it(
    house: House, spec: Spec, state: AttemptState
) -> None:
    """A crash of the machine may take the last records of a registry. Source: decisions, 7."""
    attempt = (await house.offered(spec)).attempt_id
    house.registry.acknowledged = []
    await house.restarted()

    await house.swept(LEASE_S)

    assert await house.state(attempt) == state


async def test_a_detach_timeout_is_counted_on_over_a_restart_and_never_ends_early(house: House) -> None:
    attempt = await house.running(KEPT)
    await house.swept(LEASE_S)
    await house.swept(3000)  # noted
    await house.swept(BOOK_EVERY_S - 1)  # not noted yet: may be forgotten
    await house.restarted()
    await house.swept(599)
    assert await house.state(attempt) == AttemptState.DETACHED

    await house.swept(1)

    assert await house.state(attempt) == AttemptState.LOST


async def test_a_heartbeat_after_a_restart_brings_a_detached_attempt_back(house: House) -> None:
    attempt = await house.running(KEPT)
    await house.swept(LEASE_S)
    await house.restarted()

    told = await house.service.heartbeat(WORKER.worker_id, WORKER.environment, [attempt])
    await house.swept(LEASE_S - 1)

    assert (told.lost, await house.state(attempt)) == ([], AttemptState.RUNNING)
    assert await house.bench.rows("SELECT keep_s, detached_s FROM attempt") == [(3600.0, None)]


async def test_a_store_that_fails_to_end_a_lease_ends_it_with_the_next_round(house: House) -> None:
    attempt = await house.running(STOPPED)

    async def fail() -> None:
        raise Unavailable("the disk is full")

    hold, house.store._hold = house.store._hold, fail  # type: ignore[method-assign]  # noqa: SLF001  (its own fake)
    with pytest.raises(Unavailable):
        await house.swept(LEASE_S)
    assert await house.state(attempt) == AttemptState.RUNNING
    house.store._hold = hold  # type: ignore[method-assign]  # noqa: SLF001  (as above)

    await house.swept(0)

    assert await house.state(attempt) == AttemptState.LOST
