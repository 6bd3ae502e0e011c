"""All that tells others what happens: the feed, the outbox, webhooks; and what of it is forgotten."""

import logging
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from rota.http.routes import Endpoint, Recognise
from rota.jobs.events_http import EventsHttp
from rota.jobs.feed import Feed
from rota.jobs.outbox import Outbox
from rota.jobs.webhooks import Webhooks
from rota.jobs.webhooks_http import WebhooksHttp
from rota.protocol.addresses import Network
from rota.protocol.participants import Environments
from rota.protocol.problems import Problem
from rota.protocol.webhook import DeliveryState
from rota.protocol.wire import timestamp
from rota.storage.stores.events import EventStore
from rota.storage.stores.jobs import JobStore
from rota.storage.stores.webhooks import WebhookStore
from rota.world import World

FORGET_EVERY_S = 5.0
BATCH = 2000
"""Most rows that one deed deletes, so that others get their turn at the writer."""

log = logging.getLogger(__name__)


class Keeping(msgspec.Struct, frozen=True):
    """How much is kept, for how long, and where webhooks may lead besides public addresses."""

    events_max: int
    events_age_s: float
    deliveries_age_s: float
    dead_age_s: float
    give_up_s: float
    networks: Sequence[Network]


class Telling:
    """See the module."""

    def __init__(
        self,
        events: EventStore,
        webhooks: WebhookStore,
        jobs: JobStore,
        environments: Environments,
        world: World,
        keeping: Keeping,
    ) -> None:
        self._events, self._webhooks, self._world, self._keeping = events, webhooks, world, keeping
        self.feed = Feed(events, jobs, environments, world)
        self.outbox = Outbox(webhooks, world)
        self._desk = Webhooks(webhooks, self.outbox, environments, world, keeping.networks)
        self._recognise: Recognise = environments.recognise
        self.tasks: list[Callable[[], Coroutine[Any, Any, None]]] = [self.feed.run, self.outbox.run, self.forget]

    def endpoints(self) -> list[Endpoint]:
        """All routes."""
        return [
            *EventsHttp(self.feed, self._recognise).endpoints(),
            *WebhooksHttp(self._desk, self.outbox).endpoints(),
        ]

    def wake(self) -> None:
        """Something was committed."""
        self.feed.wake()
        self.outbox.wake()

    def close(self) -> None:
        """About to stop: who waits is answered now."""
        self.feed.close()
        self.outbox.close()

    async def forget(self) -> None:
        """Forget what is old, until cancelled, a few rows at a time; what the store could not do now is done later."""
        while True:
            await self._world.sleep(FORGET_EVERY_S)
            try:
                while await self.forget_some() == BATCH:
                    await self._world.sleep(0)
            except Problem as problem:
                log.warning("nothing old is forgotten now: %s", problem.detail)

    async def forget_some(self) -> int:
        """Forget once; returns how many rows of that kind it was of which there were most."""
        keeping = self._keeping
        counts = [
            await self._events.prune(keeping.events_max, self._ago(keeping.events_age_s), BATCH),
            await self._webhooks.give_up(self._ago(keeping.give_up_s), self._ago(0), BATCH),
            await self._webhooks.prune(DeliveryState.DELIVERED, self._ago(keeping.deliveries_age_s), BATCH),
            await self._webhooks.prune(DeliveryState.DEAD, self._ago(keeping.dead_age_s), BATCH),
        ]
        return max(counts)

    def _ago(self, age_s: float) -> str:
        return timestamp(self._world.now() - timedelta(seconds=age_s))
