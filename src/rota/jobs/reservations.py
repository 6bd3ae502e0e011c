"""Workers without room for what they could do alone: told when they may have it, and watched while they keep it free.

A reservation ends with its job (taken by whoever has room first, cancelled, expired), or with its worker: one that is
lost, has left or is leaving will never have room.
"""

from collections.abc import Callable, Iterable

from rota.protocol.ids import WorkerId
from rota.protocol.participants import Fleet
from rota.protocol.problems import NotFound, Problem
from rota.protocol.status import WorkerStatus
from rota.storage.stores.jobs import JobStore
from rota.world import World

LOOK_S = 5.0
"""How often the registry is asked whether who keeps itself free is still there."""
LEAVES_S = 60.0
"""For so long nobody reserves who was found to be leaving, though it may ask once more before it hears of it."""
_GONE = frozenset({WorkerStatus.LOST, WorkerStatus.OFFLINE, WorkerStatus.DRAINING})


class Reservations:
    """`freed` is told of workers that may have room again."""

    def __init__(
        self,
        store: JobStore,
        world: World,
        fleet: Callable[[], Fleet | None],
        freed: Callable[[Iterable[WorkerId]], None],
    ) -> None:
        self._store, self._world, self._fleet, self._freed = store, world, fleet, freed
        self._short: set[WorkerId] = set()
        self._keeping: set[WorkerId] = set()
        self._leaving: dict[WorkerId, float] = {}  # until when
        self._looked_at_s = -LOOK_S

    def may_reserve(self, worker: WorkerId) -> bool:
        """Whether it is known to stay."""
        return worker not in self._leaving

    def claimed(self, worker: WorkerId, *, is_short: bool) -> None:
        """The worker's last claim left jobs that it could hold, or not."""
        if is_short:
            self._short.add(worker)
        else:
            self._short.discard(worker)

    def ended(self, holders: Iterable[WorkerId]) -> None:
        """They hold something less."""
        freed = self._short.intersection(holders)
        if freed:
            self._short -= freed
            self._freed(freed)

    async def sweep(self) -> None:
        """End the reservations that have no job, or no worker, any more; their workers may have other jobs."""
        found = await self._store.reserved()
        over = {one.worker_id for one in found if not one.waits}
        keeping = {one.worker_id for one in found} - over
        now_s = self._world.monotonic()
        self._leaving = {worker: until_s for worker, until_s in self._leaving.items() if now_s < until_s}
        if keeping and now_s - self._looked_at_s >= LOOK_S:
            self._looked_at_s = now_s
            gone = {worker for worker in keeping if await self._is_gone(worker)}
            self._leaving |= dict.fromkeys(gone, now_s + LEAVES_S)
            over |= gone
        if over:
            await self._store.give_up_reservations(sorted(over))
        self.ended(self._keeping - (keeping - over))
        self._keeping = keeping - over

    async def _is_gone(self, worker: WorkerId) -> bool:
        fleet = self._fleet()
        if fleet is None:
            return False
        try:
            known = await fleet.worker(worker, None)
        except NotFound:
            return True
        except Problem:  # asked again: without its word nothing is changed
            return False
        return known.draining or known.status in _GONE
