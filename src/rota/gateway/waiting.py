"""Held getJobs: each sleeps until a job that its worker can run has come, and as many wake as there are jobs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from rota.protocol.get_job import Arrival
from rota.protocol.placement import WorkerFacts, fits


class Waiter:
    """One held getJob. `woken` is cleared before the Job service is asked, so that no job is missed."""

    __slots__ = ("slots", "woken", "woken_for", "worker")

    def __init__(self, worker: WorkerFacts, slots: int) -> None:
        self.worker, self.slots = worker, slots
        self.woken = asyncio.Event()
        self.woken_for: Arrival | None = None

    def clear(self) -> None:
        """About to ask."""
        self.woken.clear()
        self.woken_for = None


class Waiting:
    """All held getJobs, longest waiting first."""

    def __init__(self) -> None:
        self._waiters: dict[int, Waiter] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    @contextmanager
    def hold(self, worker: WorkerFacts, slots: int) -> Iterator[Waiter]:
        """The waiter is woken while the block runs. One that leaves without asking hands its wake to the next."""
        waiter = Waiter(worker, slots)
        self._waiters[id(waiter)] = waiter
        try:
            yield waiter
        finally:
            del self._waiters[id(waiter)]
            if waiter.woken_for is not None:
                self.wake(waiter.woken_for)

    def wake(self, arrival: Arrival) -> None:
        """As many as are needed for the arrived jobs, of those whose worker can run them."""
        left = arrival.count
        key = arrival.key
        for waiter in self._waiters.values():
            if left <= 0:
                return
            if waiter.woken_for is None and fits(
                key, waiter.worker.environment, waiter.worker.executors, waiter.worker.labels
            ):
                waiter.woken_for = Arrival(key, min(left, waiter.slots))
                waiter.woken.set()
                left -= waiter.slots

    def wake_all(self) -> None:
        """What came meanwhile is not known: everybody asks."""
        for waiter in self._waiters.values():
            waiter.woken.set()
