"""Held getJobs: each sleeps until a job that its worker can run has come, and as many wake as there are jobs."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec

from rota.protocol.get_job import Arrival
from rota.protocol.ids import WorkerId
from rota.protocol.placement import Demand, WorkerFacts


class Wake(msgspec.Struct, frozen=True):
    """What somebody is woken for: so many jobs of an arrival. `tried`: who was woken for it, and may have no room."""

    arrival: Arrival
    tried: set[WorkerId]


class Waiter:
    """One held getJob. `woken` is cleared before the Job service is asked, so that no job is missed."""

    __slots__ = ("slots", "woken", "woken_for", "worker")

    def __init__(self, worker: WorkerFacts, slots: int) -> None:
        self.worker, self.slots = worker, slots
        self.woken = asyncio.Event()
        self.woken_for: Wake | None = None

    def clear(self) -> Wake | None:
        """About to ask. Returns what it was woken for."""
        self.woken.clear()
        wake, self.woken_for = self.woken_for, None
        return wake


class Waiting:
    """All held getJobs, longest waiting first."""

    def __init__(self) -> None:
        self._waiters: dict[int, Waiter] = {}
        self._of_worker: dict[WorkerId, list[Waiter]] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    @contextmanager
    def hold(self, worker: WorkerFacts, slots: int) -> Iterator[Waiter]:
        """The waiter is woken while the block runs. One that leaves without asking hands its wake to the next."""
        waiter = Waiter(worker, slots)
        self._waiters[id(waiter)] = waiter
        of_worker = self._of_worker.setdefault(worker.worker_id, [])
        of_worker.append(waiter)
        try:
            yield waiter
        finally:
            del self._waiters[id(waiter)]
            of_worker.remove(waiter)
            if not of_worker:
                del self._of_worker[worker.worker_id]
            if waiter.woken_for is not None:
                self._wake(waiter.woken_for)

    def wake(self, arrival: Arrival) -> None:
        """As many as are needed for the arrived jobs, of those whose worker can run them; those preferred first."""
        self._wake(Wake(arrival, set()))

    def pass_on(self, wake: Wake, taken: int) -> None:
        """Who was woken had no room for all of it, as others may: each is woken for it once."""
        left = wake.arrival.count - taken
        if left > 0:
            self._wake(Wake(Arrival(wake.arrival.key, left), wake.tried))

    def wake_worker(self, worker: WorkerId) -> None:
        """It may have room for what it had none for before."""
        for waiter in self._of_worker.get(worker, ()):
            waiter.woken.set()

    def wake_all(self) -> None:
        """What came meanwhile is not known: everybody asks."""
        for waiter in self._waiters.values():
            waiter.woken.set()

    def _wake(self, wake: Wake) -> None:
        left, key, tried = wake.arrival.count, wake.arrival.key, wake.tried
        demand = Demand(key)
        waiters: Iterable[Waiter] = self._waiters.values()
        if key.prefers:
            waiters = sorted(waiters, key=lambda waiter: -demand.preference(waiter.worker))
        for waiter in waiters:
            worker = waiter.worker
            if waiter.woken_for is not None or worker.worker_id in tried or not demand.fits(worker):
                continue
            waiter.woken_for = Wake(Arrival(key, min(left, waiter.slots)), tried)
            waiter.woken.set()
            tried.add(worker.worker_id)
            left -= waiter.slots
            if left <= 0:
                return
