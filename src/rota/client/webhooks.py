"""Webhooks, for administrators. Source: protocol.md, "Webhooks"."""

from collections.abc import AsyncGenerator
from urllib.parse import quote

from rota.client.transport import Call, Transport
from rota.protocol.webhook import (
    CreatedWebhook,
    CreateWebhook,
    Delivery,
    DeliveryList,
    DeliveryState,
    Webhook,
    WebhookList,
)

WEBHOOKS = "/api/v1/webhooks"
HELD_S = 10.0


class WebhookCalls:
    """The calls of `/api/v1/webhooks`."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def create(self, wanted: CreateWebhook) -> CreatedWebhook:
        """With the secret, which is shown this once. Raises InvalidRequest, Conflict."""
        return await self.transport.ask(
            Call(method="POST", path=WEBHOOKS, body=wanted, repeatable=False), CreatedWebhook
        )

    async def all(self) -> list[Webhook]:
        """By age."""
        return (await self.transport.ask(Call(method="GET", path=WEBHOOKS), WebhookList)).webhooks

    async def webhook(self, webhook_id: str) -> Webhook:
        """One. Raises NotFound."""
        return await self.transport.ask(Call(method="GET", path=_path(webhook_id)), Webhook)

    async def delete(self, webhook_id: str) -> None:
        """With its deliveries. Raises NotFound."""
        await self.transport.read(Call(method="DELETE", path=_path(webhook_id), repeatable=False))

    async def enable(self, webhook_id: str) -> Webhook:
        """Tell it again. Raises NotFound."""
        return await self.transport.ask(Call(method="POST", path=f"{_path(webhook_id)}/enable"), Webhook)

    async def test(self, webhook_id: str) -> Delivery:
        """Send it a test; `delivery` tells what came of it. Raises NotFound."""
        call = Call(method="POST", path=f"{_path(webhook_id)}/test", repeatable=False)
        return await self.transport.ask(call, Delivery)

    async def deliveries(
        self, webhook_id: str, limit: int, state: DeliveryState | None = None
    ) -> AsyncGenerator[Delivery]:
        """Newest first, at most `limit`. Raises NotFound."""
        params: dict[str, str] = {} if state is None else {"state": state}
        while limit > 0:
            page = await self.transport.ask(
                Call(
                    method="GET",
                    path=f"{_path(webhook_id)}/deliveries",
                    params={**params, "limit": str(min(limit, 1000))},
                ),
                DeliveryList,
            )
            for delivery in page.deliveries:
                yield delivery
            limit -= len(page.deliveries)
            if page.next_cursor is None:
                return
            params["cursor"] = page.next_cursor

    async def delivery(self, webhook_id: str, delivery_id: str, held_s: float = HELD_S) -> Delivery:
        """One, with its event, once it has been tried or `held_s` are over. Raises NotFound."""
        path = f"{_path(webhook_id)}/deliveries/{quote(delivery_id, '')}"
        return await self.transport.ask(Call(method="GET", path=path, params={"wait_s": f"{held_s:g}"}), Delivery)

    async def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send it again. Raises NotFound."""
        path = f"{_path(webhook_id)}/deliveries/{quote(delivery_id, '')}/redeliver"
        return await self.transport.ask(Call(method="POST", path=path), Delivery)


def _path(webhook_id: str) -> str:
    return f"{WEBHOOKS}/{quote(webhook_id, '')}"
