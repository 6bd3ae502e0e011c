"""heartbeat: renews the leases of what is held, apart from all uploads; brings cancellations and losses.

Source: protocol.md, "heartbeat"; guarantees.md, G9.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from rota.protocol.heartbeat import Renewed
from rota.protocol.ids import AttemptId
from rota.protocol.problems import Problem
from rota.worker.backoff import Backoff
from rota.worker.gateway import Gateway
from rota.worker.held import HeldAttempts, Phase, lease_end
from rota.worker.link import Link
from rota.world import World


class Heartbeat:
    """Every `every_s`, and once `first_s` after something was started, so that it shows as running."""

    def __init__(self, gateway: Gateway, held: HeldAttempts, link: Link, world: World, every_s: float) -> None:
        self.cancel: Callable[[Sequence[AttemptId]], None] = lambda _: None
        self.lose: Callable[[Sequence[AttemptId], str], None] = lambda _attempts, _why: None
        self.on_problem: Callable[[Problem], None] = lambda _: None
        self._gateway = gateway
        self._held = held
        self._link = link
        self._world = world
        self._every_s = every_s

    async def beat(self, first_s: float, margin_s: float) -> None:
        """For ever."""
        backoff = Backoff(self._world, first_s=min(1.0, self._every_s / 4), max_s=self._every_s)
        pause_s = 0.0
        while True:
            await self._pause(pause_s, min(first_s, self._every_s))
            self._held.heard.clear()
            ids = self._held.ids
            if not ids:
                await self._held.heard.wait()
                pause_s = min(first_s, self._every_s)
                continue
            sent_at = self._world.monotonic()
            try:
                renewed = await self._gateway.heartbeat(ids, timeout_s=max(1.0, min(10.0, self._every_s)))
            except Problem as problem:
                self.on_problem(problem)
                self._drop_overdue()
                pause_s = backoff.pause_s(problem)
                continue
            backoff.succeeded()
            self._renew(ids, renewed, lease_end(sent_at, renewed.lease_s, margin_s))
            pause_s = self._every_s

    async def _pause(self, pause_s: float, first_s: float) -> None:
        """Until the next beat; at most `first_s` longer once something new is held, and well before its lease ends."""
        end = self._world.monotonic() + pause_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._held.heard.wait()
        present = self._world.monotonic()
        soonest_s = (self._held.soonest_deadline(present) - present) / 2
        await self._world.sleep(max(0.0, min(first_s, soonest_s, end - present)))

    def _renew(self, ids: Sequence[AttemptId], renewed: Renewed, deadline: float) -> None:
        kept: dict[float, list[AttemptId]] = {}
        for held in map(self._held.get, ids):
            if held is not None and held.attempt_id not in renewed.lost:
                held.deadline = max(held.deadline, deadline)
                kept.setdefault(held.note.keep_s, []).append(held.attempt_id)
        for keep_s, attempts in kept.items():
            self._link.extend(attempts, deadline + keep_s)
        if renewed.cancel:
            self.cancel(renewed.cancel)
        lost = [attempt for attempt in renewed.lost if self._is_running(attempt)]
        if lost:
            self.lose(lost, "its lease went to another worker")

    def _is_running(self, attempt: AttemptId) -> bool:
        """Not so where a report is on its way: it may just have been received, and its own answer tells."""
        held = self._held.get(attempt)
        return held is not None and held.phase is not Phase.REPORTING

    def _drop_overdue(self) -> None:
        """What is not with the shepherd yet is ours to give up when its lease is over."""
        present = self._world.monotonic()
        overdue = [one.attempt_id for one in self._held.in_phase(Phase.PREPARING) if one.kill_at < present]
        if overdue:
            self.lose(overdue, "its lease ended before its inputs had come")
