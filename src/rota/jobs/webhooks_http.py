"""/api/v1/webhooks for administrators, and what the scheduler asks behind them. Source: protocol.md, "Webhooks"."""

from rota.http.routes import ADMINS, SERVICES, Answered, Call, Endpoint
from rota.jobs.outbox import Outbox
from rota.jobs.webhooks import Webhooks
from rota.protocol.get_job import WAIT_S_MAX
from rota.protocol.problems import InvalidRequest
from rota.protocol.webhook import (
    LIST_MAX,
    TAKEN_MAX,
    CreatedWebhook,
    CreateWebhook,
    Delivery,
    DeliveryList,
    DeliveryState,
    DueDeliveries,
    TriedAll,
    Webhook,
    WebhookList,
)
from rota.storage.stores.webhooks import DeliveryFilter


class WebhooksHttp:
    """The routes."""

    def __init__(self, webhooks: Webhooks, outbox: Outbox) -> None:
        self._webhooks, self._outbox = webhooks, outbox

    def endpoints(self) -> list[Endpoint]:
        """What is served, by whom it may be called."""
        base, one, inner = "/api/v1/webhooks", "/api/v1/webhooks/{webhook_id}", "/internal/v1/deliveries"
        deliveries, delivery = f"{one}/deliveries", f"{one}/deliveries/{{delivery_id}}"
        shown = {"state": "waiting, delivered or dead", "limit": f"1 to {LIST_MAX}", "cursor": "next_cursor"}
        wait = {"wait_s": f"0 to {WAIT_S_MAX}: answer when it has been tried, at the latest then"}
        batch = {"limit": f"1 to {TAKEN_MAX}", "wait_s": f"0 to {WAIT_S_MAX}"}
        return [
            Endpoint("POST", base, self.create, "tell a URL of events", ADMINS, CreateWebhook, CreatedWebhook, 201),
            Endpoint("GET", base, self.webhooks, "list", ADMINS, None, WebhookList),
            Endpoint("GET", one, self.webhook, "show", ADMINS, None, Webhook),
            Endpoint("DELETE", one, self.delete, "delete", ADMINS),
            Endpoint("POST", f"{one}/enable", self.enable, "tell it again", ADMINS, None, Webhook),
            Endpoint("POST", f"{one}/test", self.test, "send a test", ADMINS, None, Delivery, 202),
            Endpoint("GET", deliveries, self.deliveries, "newest first", ADMINS, None, DeliveryList, queries=shown),
            Endpoint("GET", delivery, self.delivery, "one, with its event", ADMINS, None, Delivery, queries=wait),
            Endpoint("POST", f"{delivery}/redeliver", self.redeliver, "send it again", ADMINS, None, Delivery, 202),
            Endpoint(
                "GET", f"{inner}/due", self.due, "what is to be sent", SERVICES, None, DueDeliveries, queries=batch
            ),
            Endpoint("POST", f"{inner}/tried", self.tried, "what came of it", SERVICES, TriedAll),
        ]

    async def create(self, call: Call) -> CreatedWebhook:
        return await self._webhooks.create(call.caller, await call.body(CreateWebhook))

    async def webhooks(self, call: Call) -> WebhookList:
        return WebhookList(await self._webhooks.webhooks(call.caller))

    async def webhook(self, call: Call) -> Webhook:
        return await self._webhooks.webhook(call.caller, call.part("webhook_id"))

    async def delete(self, call: Call) -> Answered:
        await self._webhooks.delete(call.caller, call.part("webhook_id"))
        return None

    async def enable(self, call: Call) -> Webhook:
        return await self._webhooks.enable(call.caller, call.part("webhook_id"))

    async def test(self, call: Call) -> Delivery:
        return await self._webhooks.test(call.caller, call.part("webhook_id"))

    async def deliveries(self, call: Call) -> DeliveryList:
        given = call.query("state", "limit", "cursor")
        state = given.get("state")
        if state is not None and state not in set(DeliveryState):
            raise InvalidRequest.of("state", f"is one of {', '.join(DeliveryState)}")
        limit = call.count("limit", 100, 1, LIST_MAX)
        wanted = DeliveryFilter(
            call.part("webhook_id"), None if state is None else DeliveryState(state), limit + 1, given.get("cursor")
        )
        found = await self._webhooks.deliveries(call.caller, wanted)
        page = found[:limit]
        return DeliveryList(page, page[-1].delivery_id if len(found) > limit else None)

    async def delivery(self, call: Call) -> Delivery:
        wait_s = call.number("wait_s", 0, 0, WAIT_S_MAX)
        return await self._webhooks.delivery(call.caller, call.part("webhook_id"), call.part("delivery_id"), wait_s)

    async def redeliver(self, call: Call) -> Delivery:
        return await self._webhooks.redeliver(call.caller, call.part("webhook_id"), call.part("delivery_id"))

    async def due(self, call: Call) -> DueDeliveries:
        limit = call.count("limit", 100, 1, TAKEN_MAX)
        return DueDeliveries(await self._outbox.due(limit, call.number("wait_s", 0, 0, WAIT_S_MAX)))

    async def tried(self, call: Call) -> Answered:
        await self._outbox.tried((await call.body(TriedAll)).tried)
        return None
