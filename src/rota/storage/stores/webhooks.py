"""What the Job service asks of its store of webhooks and their deliveries."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from rota.protocol.webhook import Delivery, DeliveryState, ToSend, Tried, Webhook
from rota.storage.stores.events import Logged


class NewWebhook(msgspec.Struct, frozen=True):
    """A webhook to be."""

    id: str
    environment: str | None
    url: str
    events: list[str]
    secret: str
    description: str
    created_at: str
    created_by: str


class NewDelivery(msgspec.Struct, frozen=True):
    """A delivery to be: one event for one webhook."""

    id: str
    webhook_id: str
    event_id: str
    type: str
    subject: str
    body: str
    created_at: str


class Told(msgspec.Struct, frozen=True):
    """Whom to tell: an enabled webhook, its patterns, and behind which event it begins."""

    webhook_id: str
    environment: str | None
    events: list[str]
    after_seq: int


class Unrouted(msgspec.Struct, frozen=True):
    """Events that no deliveries were made of yet, behind `after`, up to `upto`, and whom there is to tell."""

    after: int
    upto: int
    newest: int
    events: list[Logged]
    webhooks: list[Told]


class Noted(msgspec.Struct, frozen=True):
    """A try, with the times that follow from it: of this delivery's next one, and of any of its webhook."""

    tried: Tried
    next_at: str | None
    paused_until: str | None


class DeliveryFilter(msgspec.Struct, frozen=True):
    """Which deliveries of a webhook a list shows; `before` is the last id of the page before."""

    webhook_id: str
    state: DeliveryState | None = None
    limit: int = 100
    before: str | None = None


class Limits(msgspec.Struct, frozen=True):
    """How many of one webhook may be under way at once: while it works, and while it fails."""

    at_once: int
    failing_at_once: int


class WebhookStore(Protocol):
    """Webhooks and deliveries."""

    async def insert(self, webhook: NewWebhook, most: int) -> None:
        """It is told of what happens from here on. Raises Conflict where there are `most` already."""
        ...

    async def webhooks(self, environment: str | None) -> list[Webhook]:
        """All, or those of one environment; by age."""
        ...

    async def webhook(self, webhook_id: str) -> Webhook | None:
        """One."""
        ...

    async def delete(self, webhook_id: str, *, at: str) -> None:
        """With its deliveries."""
        ...

    async def enable(self, webhook_id: str, *, at: str) -> None:
        """Tell it again, of what happens from here on; what waits is due at once."""
        ...

    async def unrouted(self, limit: int) -> Unrouted | None:
        """The next events to make deliveries of; None where nobody is to be told."""
        ...

    async def route(self, after: int, upto: int, deliveries: Sequence[NewDelivery]) -> None:
        """Keep these deliveries: they are all that follow from the events behind `after` up to `upto`. Once."""
        ...

    async def insert_delivery(self, delivery: NewDelivery) -> None:
        """One that follows from no event of the log."""
        ...

    async def due(self, now: str, busy: Mapping[str, Collection[str]], limits: Limits, limit: int) -> list[ToSend]:
        """What is to be sent now. `busy` are the deliveries under way, by webhook.

        Of one subject nothing is due while an earlier delivery of it waits.
        """
        ...

    async def next_at(self) -> str | None:
        """When the next delivery is due, at the earliest; None: none waits."""
        ...

    async def tried(self, tried: Sequence[Noted], at: str) -> None:
        """Record tries."""
        ...

    async def deliveries(self, wanted: DeliveryFilter) -> list[Delivery]:
        """Newest first, without their events."""
        ...

    async def delivery(self, webhook_id: str, delivery_id: str) -> Delivery | None:
        """One, with its event."""
        ...

    async def redeliver(self, delivery_id: str, at: str) -> None:
        """Due now, with all tries before it."""
        ...

    async def give_up(self, before: str, at: str, limit: int) -> int:
        """What waits since before `before`, of webhooks that have failed ever since, is dead."""
        ...

    async def prune(self, state: DeliveryState, before: str, limit: int) -> int:
        """Forget what ended so before then; returns how many deliveries it was."""
        ...
