"""What waits for workers: which queues a worker serves, and word to the gateways of what came in."""

import asyncio
from collections import deque
from collections.abc import Iterable

from rota.protocol.get_job import Arrival, Arrivals
from rota.protocol.placement import QueueKey, WorkerFacts, fits
from rota.protocol.problems import Unavailable
from rota.storage.stores.jobs import JobStore

_REMEMBERED_ARRIVALS = 10_000


class Queues:
    """The queue keys. A worker's facts decide once which it serves; a new key makes everybody decide again."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._keys: dict[int, QueueKey] = {}
        self._known: set[str] = set()
        self._served: dict[str, tuple[WorkerFacts, list[int]]] = {}

    async def start(self) -> None:
        """Learn the keys that there are."""
        self._keys = await self._store.queue_keys()
        self._known = {_text(key) for key in self._keys.values()}
        self._served.clear()

    async def learn(self, keys: Iterable[QueueKey]) -> None:
        """Jobs with these keys were submitted."""
        if any(_text(key) not in self._known for key in keys):
            await self.start()

    def environments(self) -> set[str]:
        """Those that jobs were ever queued in."""
        return {key.environment for key in self._keys.values()}

    def served_by(self, worker: WorkerFacts) -> list[int]:
        """The queues that a worker may be given jobs from."""
        facts, keys = self._served.get(worker.worker_id, (None, []))
        if facts != worker:
            keys = [
                number
                for number, key in self._keys.items()
                if fits(key, worker.environment, worker.executors, worker.labels)
            ]
            self._served[worker.worker_id] = worker, keys
        return keys


def _text(key: QueueKey) -> str:
    return f"{key.environment}\0{key.executor}\0{sorted(key.requires.items())}"


class Arrived:
    """A numbered record of what came into the queues; gateways wait for what comes after their mark."""

    def __init__(self, first_mark: int) -> None:
        # Marks of another process of the server must not be taken for ours: they start at another number.
        self._mark = self._oldest = first_mark
        self._recent: deque[Arrival] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def close(self) -> None:
        """Nobody waits any more."""
        self._closed = True
        self._changed.set()

    def add(self, arrivals: Iterable[Arrival]) -> None:
        """These can be had now; wakes who waits."""
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
                return Arrivals(self._mark, [])
        if not self._oldest <= mark <= self._mark:
            return Arrivals(self._mark, [], missed=True)
        return Arrivals(self._mark, [self._recent[index] for index in range(mark - self._oldest, len(self._recent))])
