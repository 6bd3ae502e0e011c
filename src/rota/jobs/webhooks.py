"""What administrators ask about webhooks: make, show, try out, delete; look at deliveries and send them again."""

import asyncio
import contextlib
from collections.abc import Sequence

import msgspec

from rota.jobs.outbox import Outbox
from rota.protocol.addresses import Network, is_allowed, refusal
from rota.protocol.environment import Caller
from rota.protocol.event import TEST, CloudEvent
from rota.protocol.ids import JobId
from rota.protocol.participants import Environments
from rota.protocol.problems import Forbidden, InvalidRequest, NotFound
from rota.protocol.webhook import (
    SECRET_SIZE_BYTES,
    WEBHOOKS_MAX,
    CreatedWebhook,
    CreateWebhook,
    Delivery,
    DeliveryState,
    Webhook,
    check_webhook,
    literal_address,
    new_secret,
)
from rota.protocol.wire import encode, timestamp
from rota.storage.stores.webhooks import DeliveryFilter, NewDelivery, NewWebhook, WebhookStore
from rota.world import World


class Tested(msgspec.Struct, frozen=True):
    """The data of a test's event."""

    webhook_id: str
    message: str = "A test: somebody asked whether this webhook works."


class Webhooks:
    """Every method knows who asks: a foreign webhook is as unknown as one that does not exist."""

    def __init__(
        self,
        store: WebhookStore,
        outbox: Outbox,
        environments: Environments,
        world: World,
        networks: Sequence[Network] = (),
    ) -> None:
        self._store, self._outbox, self._environments, self._world = store, outbox, environments, world
        self._networks = networks

    async def create(self, caller: Caller, wanted: CreateWebhook) -> CreatedWebhook:
        """It is told of what happens from here on. Raises InvalidRequest, Forbidden, Conflict."""
        check_webhook(wanted)
        self._check_address(wanted.url)
        environment = await self._environment(caller, wanted.environment)
        secret = wanted.secret or new_secret(self._world.secret(SECRET_SIZE_BYTES))
        made = NewWebhook(
            self._world.new_id(), environment, wanted.url, wanted.events, secret, wanted.description, self._now(),
            str(caller.credential_id),
        )  # fmt: skip
        await self._store.insert(made, WEBHOOKS_MAX)
        self._outbox.look()
        shown = await self.webhook(caller, made.id)
        return CreatedWebhook(**msgspec.structs.asdict(shown), secret=secret)

    async def webhooks(self, caller: Caller) -> list[Webhook]:
        """By age."""
        return await self._store.webhooks(caller.environment)

    async def webhook(self, caller: Caller, webhook_id: str) -> Webhook:
        """One. Raises NotFound."""
        found = await self._store.webhook(webhook_id)
        if found is None or caller.environment not in {None, found.environment}:
            raise NotFound("There is no such webhook.")
        return found

    async def delete(self, caller: Caller, webhook_id: str) -> None:
        """With its deliveries. Raises NotFound."""
        await self.webhook(caller, webhook_id)
        await self._store.delete(webhook_id, at=self._now())

    async def enable(self, caller: Caller, webhook_id: str) -> Webhook:
        """Tell it (again), from here on; what waits is due at once. Raises NotFound."""
        await self.webhook(caller, webhook_id)
        await self._store.enable(webhook_id, at=self._now())
        self._outbox.look()
        return await self.webhook(caller, webhook_id)

    async def test(self, caller: Caller, webhook_id: str) -> Delivery:
        """A delivery of an event that says that it is a test. Raises NotFound."""
        webhook = await self.webhook(caller, webhook_id)
        delivery, at = self._world.new_id(), self._now()
        source = f"/api/v1/webhooks/{webhook_id}"
        event = CloudEvent(f"test-{delivery}", source, TEST, webhook.webhook_id, at, Tested(webhook.webhook_id))
        await self._store.insert_delivery(
            NewDelivery(delivery, webhook_id, event.id, TEST, webhook_id, encode(event).decode(), at)
        )
        self._outbox.look()
        return await self.delivery(caller, webhook_id, delivery, 0)

    async def deliveries(self, caller: Caller, wanted: DeliveryFilter) -> list[Delivery]:
        """Newest first, without their events. Raises NotFound."""
        await self.webhook(caller, wanted.webhook_id)
        return await self._store.deliveries(wanted)

    async def delivery(self, caller: Caller, webhook_id: str, delivery_id: str, wait_s: float) -> Delivery:
        """One, with its event, as soon as it has been tried or `wait_s` are over. Raises NotFound."""
        await self.webhook(caller, webhook_id)
        with self._outbox.changes.of(JobId(delivery_id)) as changed:
            found = await self._found(webhook_id, delivery_id)
            is_untried = found.state is DeliveryState.WAITING and not found.tries
            if wait_s > 0 and is_untried and not self._outbox.changes.is_closed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), wait_s)
                found = await self._found(webhook_id, delivery_id)
        return found

    async def redeliver(self, caller: Caller, webhook_id: str, delivery_id: str) -> Delivery:
        """Send it again, now and with all tries before it. Raises NotFound."""
        await self.delivery(caller, webhook_id, delivery_id, 0)
        await self._store.redeliver(delivery_id, self._now())
        self._outbox.look()
        return await self.delivery(caller, webhook_id, delivery_id, 0)

    async def _found(self, webhook_id: str, delivery_id: str) -> Delivery:
        found = await self._store.delivery(webhook_id, delivery_id)
        if found is None:
            raise NotFound("There is no such delivery of this webhook.")
        return found

    async def _environment(self, caller: Caller, wanted: str | None) -> str | None:
        """Whose events it is told of. Raises Forbidden, InvalidRequest."""
        if caller.environment is not None:
            if wanted not in {None, caller.environment}:
                raise Forbidden(f"This credential is for the environment `{caller.environment}` alone.")
            return caller.environment
        if wanted is not None:
            try:
                await self._environments.environment(wanted)
            except NotFound:
                raise InvalidRequest.of("environment", f"there is no environment `{wanted}`") from None
        return wanted

    def _check_address(self, url: str) -> None:
        """Told at once where it can be seen at once; what a name leads to is looked at each time it is sent to."""
        address = literal_address(url)
        if address is not None and not is_allowed(address, self._networks):
            raise InvalidRequest.of("url", refusal(str(address), address))

    def _now(self) -> str:
        return timestamp(self._world.now())
