"""What waits for workers: which queues a worker serves, and word to the gateways of what came in."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from rota.protocol.get_job import Arrival, Arrivals
from rota.protocol.ids import WorkerId
from rota.protocol.placement import Demand, QueueKey, WorkerFacts
from rota.protocol.problems import Unavailable
from rota.protocol.resources import Resources
from rota.storage.stores.jobs import JobStore

_REMEMBERED_ARRIVALS = 10_000


class Served(NamedTuple):
    """The queues that a worker may be given jobs from, with what their jobs ask for, and prefer, of it."""

    keys: list[int]
    asks: dict[int, Resources]
    preferred: dict[int, int]


class Queues:
    """The queue keys. A worker's facts decide once which it serves; of a new key they do when it next asks."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._demands: list[tuple[int, Demand]] = []
        self._known: set[str] = set()
        self._served: dict[WorkerId, tuple[WorkerFacts, int, Served]] = {}

    async def start(self) -> None:
        """Learn the keys that there are. Numbers grow, so that what is new stands behind what was known."""
        keys = await self._store.queue_keys()
        self._demands += [(number, Demand(keys[number])) for number in sorted(keys)[len(self._demands) :]]
        self._known = {demand.key.text() for _, demand in self._demands}

    async def learn(self, keys: Iterable[QueueKey]) -> None:
        """Jobs with these keys were submitted."""
        if any(key.text() not in self._known for key in keys):
            await self.start()

    def environments(self) -> set[str]:
        """Those that jobs were ever queued in."""
        return {demand.key.environment for _, demand in self._demands}

    def served_by(self, worker: WorkerFacts) -> Served:
        """The queues that a worker may be given jobs from."""
        facts, seen, served = self._served.get(worker.worker_id, (None, 0, Served([], {}, {})))
        if facts != worker:
            seen, served = 0, Served([], {}, {})
        for number, demand in self._demands[seen:]:
            if demand.fits(worker):
                served.keys.append(number)
                if demand.key.resources:
                    served.asks[number] = demand.key.resources
                preference = demand.preference(worker)
                if preference:
                    served.preferred[number] = preference
        self._served[worker.worker_id] = worker, len(self._demands), served
        return served


class Arrived:
    """A numbered record of what came into the queues; gateways wait for what comes after their mark."""

    def __init__(self, first_mark: int) -> None:
        # Marks of another process of the server must not be taken for ours: they start at another number.
        self._mark = self._oldest = first_mark
        self._recent: deque[Arrival | WorkerId] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def close(self) -> None:
        """Nobody waits any more."""
        self._closed = True
        self._changed.set()

    def add(self, arrivals: Iterable[Arrival | WorkerId]) -> None:
        """These can be had now, and these workers may have room again; wakes who waits."""
        for arrival in arrivals:
            self._recent.append(arrival)
            self._mark += 1
        while len(self._recent) > _REMEMBERED_ARRIVALS:
            self._recent.popleft()
            self._oldest += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def after(self, mark: int, wait_s: float) -> Arrivals:
        """What came after `mark`; `missed` where that is no longer, or never was, known."""
        if self._closed:
            raise Unavailable("The Job service is stopping.")
        if mark == self._mark and wait_s > 0:
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), wait_s)
            except TimeoutError:
                return Arrivals(mark, [])
        if not self._oldest <= mark <= self._mark:
            return Arrivals(self._mark, [], missed=True)
        recent = [self._recent[index] for index in range(mark - self._oldest, len(self._recent))]
        arrivals = [one for one in recent if isinstance(one, Arrival)]
        return Arrivals(self._mark, arrivals, freed=[one for one in recent if not isinstance(one, Arrival)])
