"""What webhooks are to be told: events become deliveries, and deliveries are handed to schedulers, which send them.

A delivery is stored before anybody may send it, and is handed to one scheduler at a time. Who holds one is known here
in memory alone: after a restart it may be sent twice, and never not at all.
"""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Sequence
from datetime import timedelta

from rota.jobs.follow import Changes
from rota.protocol.event import is_any_met
from rota.protocol.ids import JobId
from rota.protocol.problems import Problem
from rota.protocol.webhook import LEASE_S, TAKEN_MAX, After, ToSend, Tried
from rota.protocol.wire import parse_timestamp, timestamp
from rota.storage.stores.webhooks import Limits, NewDelivery, Noted, Unrouted, WebhookStore
from rota.world import World

LIMITS = Limits(at_once=8, failing_at_once=1)
"""Deliveries of one webhook that are under way at once: one that fails is tried with one, whatever waits."""
ROUTED_MAX = 500
TOGETHER_S = 0.01
"""Under load what comes within so long becomes deliveries at once."""
_LOOK_S = 1.0
_AGAIN_S = 1.0

log = logging.getLogger(__name__)


class Outbox:
    """See `rota.protocol.participants.Deliveries` for what the scheduler asks."""

    def __init__(self, store: WebhookStore, world: World) -> None:
        self._store, self._world = store, world
        self._committed, self._ready = asyncio.Event(), asyncio.Event()
        self._leases: dict[str, tuple[str, float]] = {}
        self._handing = asyncio.Lock()
        self._closing = False
        self.is_used = True
        """Whether there is a webhook; no commit wakes anything while there is none."""
        self.changes = Changes()

    def close(self) -> None:
        """About to stop: who waits is answered now."""
        self._closing = True
        self._ready.set()
        self.changes.close()

    def wake(self) -> None:
        """Something was committed."""
        if self.is_used:
            self._committed.set()

    def look(self) -> None:
        """Deliveries may be due, or there may be a webhook."""
        self.is_used = True
        self._committed.set()
        self._ready.set()

    async def run(self) -> None:
        """Make deliveries of events as they come, until cancelled; what the store could not do now is done later."""
        self._committed.set()
        while True:
            await self._committed.wait()
            self._committed.clear()
            try:
                while await self.route():
                    pass
                await self._world.sleep(TOGETHER_S)
            except Problem as problem:
                log.warning("webhooks are not told now: %s", problem.detail)
                self._committed.set()
                await self._world.sleep(_AGAIN_S)

    async def route(self) -> bool:
        """Make deliveries of some events, once; returns whether there are more."""
        found = await self._store.unrouted(ROUTED_MAX)
        self.is_used = found is not None
        if found is None or found.upto == found.after:
            return False
        made = self._deliveries(found)
        await self._store.route(found.after, found.upto, made)
        if made:
            self._ready.set()
        return found.upto < found.newest

    async def due(self, limit: int, wait_s: float) -> list[ToSend]:
        until_s = self._world.monotonic() + wait_s
        while True:
            self._ready.clear()
            now = self._world.now()
            found = await self._hand_out(timestamp(now), min(limit, TAKEN_MAX))
            left_s = until_s - self._world.monotonic()
            if found or left_s <= 0 or self._closing:
                return found
            next_at = await self._store.next_at()
            due_s = left_s if next_at is None else (parse_timestamp(next_at) - now).total_seconds()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), min(left_s, max(_LOOK_S, due_s)))

    async def tried(self, tried: Sequence[Tried]) -> None:
        now = self._world.now()

        def after(seconds: float) -> str:
            return timestamp(now + timedelta(seconds=seconds))

        noted = [
            Noted(
                one,
                after(one.again_s) if one.after is After.AGAIN else None,
                after(one.pause_s) if one.pause_s > 0 else None,
            )
            for one in tried
        ]
        await self._store.tried(noted, timestamp(now))
        for one in tried:
            self._leases.pop(one.delivery_id, None)
            self.changes.tell(JobId(one.delivery_id))
        self._ready.set()

    async def _hand_out(self, now: str, limit: int) -> list[ToSend]:
        """What is due, from now on under way. One scheduler after the other, so that none is handed another's."""
        async with self._handing:
            found = await self._store.due(now, self._busy(), LIMITS, limit)
            for one in found:
                self._leases[one.delivery_id] = one.webhook_id, self._world.monotonic() + LEASE_S
            return found

    def _busy(self) -> dict[str, Collection[str]]:
        """What is under way, by webhook."""
        now_s = self._world.monotonic()
        busy: dict[str, Collection[str]] = {}
        for delivery, (webhook, until_s) in list(self._leases.items()):
            if until_s <= now_s:
                del self._leases[delivery]
            else:
                busy[webhook] = [*busy.get(webhook, ()), delivery]
        return busy

    def _deliveries(self, found: Unrouted) -> list[NewDelivery]:
        at = timestamp(self._world.now())
        return [
            NewDelivery(
                self._world.new_id(), webhook.webhook_id, event.id, event.type, event.subject, event.body.decode(), at
            )
            for event in found.events
            for webhook in found.webhooks
            if event.seq > webhook.after_seq
            and webhook.environment in {None, event.environment}
            and is_any_met(webhook.events, event.type)
        ]
