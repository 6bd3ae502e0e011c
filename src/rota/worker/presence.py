"""status: the worker tells the registry what it does, one message after the other, never two at once.

Source: flows.md, "status: Working", "status: readyForWork"; protocol.md, "status".
"""

import asyncio
from collections.abc import Callable, Sequence

from rota.protocol.ids import AttemptId
from rota.protocol.problems import Problem
from rota.protocol.status import Status, StatusReceived, WorkerStatus
from rota.worker.held import HeldAttempts
from rota.worker.registry import Registry
from rota.world import World


class Presence:
    """What the registry hears of this worker. `drain` is called when it asks the worker to leave."""

    def __init__(self, registry: Registry, held: HeldAttempts, world: World, timeout_s: float) -> None:
        self.drain: Callable[[], None] = lambda: None
        self.is_draining = False
        self._registry = registry
        self._held = held
        self._world = world
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()

    async def working(self, offered: Sequence[AttemptId], until: float) -> None:
        """Ask for the permission to execute `offered`. Raises Problem where it is not given before `until`."""
        async with self._turn:
            timeout_s = max(0.001, min(self._timeout_s, until - self._world.monotonic()))
            await self._send(WorkerStatus.WORKING, [*self._held.ids, *offered], timeout_s, len(offered))

    async def present(self) -> None:
        """Say again what is so. Raises Problem."""
        async with self._turn:
            ids = self._held.ids
            idle = WorkerStatus.DRAINING if self.is_draining else WorkerStatus.READY_FOR_WORK
            busy = WorkerStatus.DRAINING if self.is_draining else WorkerStatus.WORKING
            await self._send(busy if ids else idle, ids, self._timeout_s)

    async def ready_for_work(self) -> None:
        """Say that some of what was held is reported, and free its slots, whether the registry hears it or not.

        Raises Problem where it does not.
        """
        async with self._turn:
            told = self._held.untold
            status = WorkerStatus.DRAINING if self.is_draining else WorkerStatus.READY_FOR_WORK
            try:
                await self._send(status, self._held.ids, self._timeout_s)
            finally:
                self._held.told(told)

    async def offline(self) -> None:
        """Last word; names what could not be reported, which the next start answers for. Raises Problem."""
        async with self._turn:
            await self._send(WorkerStatus.OFFLINE, self._held.ids, self._timeout_s)

    async def _send(
        self, status: WorkerStatus, attempts: list[AttemptId], timeout_s: float, promised: int = 0
    ) -> StatusReceived:
        free_slots = 0 if status is WorkerStatus.OFFLINE else max(0, self._held.free_slots - promised)
        received = await self._registry.status(Status(status, attempts, free_slots), timeout_s)
        if received.drain and not self.is_draining:
            self.drain()
        return received


async def repeat(presence: Presence, heartbeat_s: float, world: World, on_problem: Callable[[Problem], None]) -> None:
    """Say it again every `heartbeat_s`, so that the registry does not take the worker for lost."""
    while True:
        await world.sleep(heartbeat_s)
        try:
            await presence.present()
        except Problem as problem:
            on_problem(problem)
