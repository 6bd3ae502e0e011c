"""The porter: opens the gate for waiting jobs as their time comes. What verdicts set free goes with the verdict."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from rota.protocol.ids import AttemptId
from rota.protocol.problems import Problem
from rota.protocol.wire import parse_timestamp, timestamp
from rota.storage.stores.jobs import JobStore, Outcome
from rota.world import World

_RELEASED_MAX = 1000
"""Most in one round, so that others get their turn at the writer."""
_LOOK_S = 30.0
"""At the latest: the wall clock, which `not_before` hangs on, may have been set meanwhile."""
_AGAIN_S = 1.0
_STEP_S = 1.0

log = logging.getLogger(__name__)


class Porter:
    """One loop; it sleeps until the next time that a job waits for."""

    def __init__(
        self, store: JobStore, world: World, note: Callable[[Iterable[AttemptId], Iterable[Outcome]], None]
    ) -> None:
        self._store, self._world, self._note = store, world, note
        self._changed = asyncio.Event()
        self._ahead_s: float | None = None

    def look(self) -> None:
        """Another job waits for a time; it may be the next one."""
        self._changed.set()

    async def open_gate(self) -> float:
        """Let in whose time has come, once; returns for how many seconds nobody else's comes."""
        now = self._world.now()
        if self._was_set_back(now):
            await self._store.shorten_pauses(timestamp(now))
        released = await self._store.release_due(timestamp(now), _RELEASED_MAX)
        self._note([], released.outcomes)
        if released.next_ready_at is None:
            return _LOOK_S
        return min(_LOOK_S, max(0.0, (parse_timestamp(released.next_ready_at) - now).total_seconds()))

    def _was_set_back(self, now: datetime) -> bool:
        """Whether the wall clock was, since the last look; at the first look nobody knows."""
        before_s, self._ahead_s = self._ahead_s, now.timestamp() - self._world.monotonic()
        return before_s is None or self._ahead_s < before_s - _STEP_S

    async def run(self) -> None:
        """Until cancelled; what the store could not do now is done later."""
        while True:
            self._changed.clear()
            try:
                wait_s = await self.open_gate()
            except Problem as problem:
                log.warning("no waiting job is let in now: %s", problem.detail)
                await self._world.sleep(_AGAIN_S)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait_s)
