"""Webhooks: who is told of which events, and what became of each delivery. Source: protocol.md, "Webhooks".

What the scheduler is handed to send, and what it reports, stands at the end.
"""

import base64
import binascii
import ipaddress
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import Meta

from rota.protocol.environment import Description, EnvironmentName
from rota.protocol.event import check_patterns
from rota.protocol.problems import InvalidRequest
from rota.protocol.wire import Answer, Request, Timestamp

SECRET_PREFIX = "whsec_"  # noqa: S105  (it opens nothing)
SECRET_SIZE_BYTES = 32
_SECRET_SIZES_BYTES = range(24, 65)
URL_LENGTH_MAX = 2000
WEBHOOKS_MAX = 1000
"""Most webhooks of a server."""
LIST_MAX = 1000
TAKEN_MAX = 1000
LEASE_S = 60.0
"""How long nobody else is handed a delivery; trying it once takes less."""


class CreateWebhook(Request, frozen=True):
    """`environment` left out: the caller's own, or all of them; `secret` left out: one is made."""

    url: str
    events: list[str]
    secret: str | None = None
    environment: EnvironmentName | None = None
    description: Description = ""


class Webhook(Answer, frozen=True):
    """`message` says why it is disabled; `waiting` and `dead` count deliveries."""

    webhook_id: str
    url: str
    events: list[str]
    environment: str | None
    description: str
    created_at: Timestamp
    created_by: str
    enabled: bool
    message: str | None = None
    failing_since: Timestamp | None = None
    waiting: int = 0
    dead: int = 0


class CreatedWebhook(Webhook, frozen=True, kw_only=True):
    """With the secret, which is shown this once."""

    secret: str


class WebhookList(Answer, frozen=True):
    """By age."""

    webhooks: list[Webhook]


class DeliveryState(StrEnum):
    """What became of a delivery."""

    WAITING = "waiting"  # for its first try, or its next
    DELIVERED = "delivered"  # the receiver answered 2xx
    DEAD = "dead"  # given up; kept, and can be sent again


class Delivery(Answer, frozen=True):
    """One event for one webhook. `status`, `message` and `duration_s` are of the last try; `event` is what is sent."""

    delivery_id: str
    webhook_id: str
    event_id: str
    type: str
    subject: str
    state: DeliveryState
    tries: int
    created_at: Timestamp
    next_at: Timestamp | None
    ended_at: Timestamp | None
    status: int | None
    message: str | None
    duration_s: float | None
    event: Any = None


class DeliveryList(Answer, frozen=True):
    """Newest first, without the events; `next_cursor` null on the last page."""

    deliveries: list[Delivery]
    next_cursor: str | None = None


class ToSend(Answer, frozen=True):
    """A delivery that is due, handed to a scheduler. `failing_s`: for how long it has been tried in vain."""

    delivery_id: str
    webhook_id: str
    event_id: str
    url: str
    secret: str
    body: str
    tries: int
    failing_s: float
    failures: int


class DueDeliveries(Answer, frozen=True):
    """Up to as many as were asked for."""

    deliveries: list[ToSend]


class After(StrEnum):
    """What follows a try."""

    DELIVERED = "delivered"
    AGAIN = "again"
    DEAD = "dead"
    DISABLE = "disable"  # dead, and the webhook is told of nothing more


class Tried(Request, frozen=True):
    """One try of a delivery that had had `tries` before, and the scheduler's word on what follows.

    `again_s`: the next try of this delivery is no earlier; `pause_s`: nor that of any other of this webhook.
    """

    delivery_id: str
    tries: int
    after: After
    status: int | None = None
    message: Annotated[str, Meta(max_length=2000)] | None = None
    duration_s: float = 0.0
    again_s: float = 0.0
    pause_s: float = 0.0


class TriedAll(Request, frozen=True):
    """Each is applied at most once; one that comes late changes nothing."""

    tried: Annotated[list[Tried], Meta(max_length=TAKEN_MAX)]


def check_webhook(wanted: CreateWebhook) -> None:
    """Raise InvalidRequest where it could never be told of anything, or names an address that cannot be one."""
    check_patterns(wanted.events, "events")
    check_url(wanted.url)
    if wanted.secret is not None:
        key_of(wanted.secret)


def check_url(url: str) -> None:
    """Raise InvalidRequest where nothing is sent to such a URL, wherever it leads."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > URL_LENGTH_MAX:
        raise InvalidRequest.of("url", f"has at most {URL_LENGTH_MAX} characters, all of them printable ASCII")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidRequest.of("url", f"cannot be read: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidRequest.of("url", "begins with https:// or http:// and a host's name")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest.of("url", "holds no user and password: the signature proves who sends")
    if parts.fragment or port == 0:
        raise InvalidRequest.of("url", "has no fragment (#) and no port 0")


def literal_address(url: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, where the URL names one instead of a host."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def key_of(secret: str) -> bytes:
    """What is signed with. Raises InvalidRequest. Source: Standard Webhooks, "Signature scheme"."""
    advice = "is `whsec_` and base64 of 24 to 64 random bytes; leave it out to have one made"
    if not secret.startswith(SECRET_PREFIX):
        raise InvalidRequest.of("secret", advice)
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest.of("secret", advice) from None
    if len(key) not in _SECRET_SIZES_BYTES:
        raise InvalidRequest.of("secret", advice)
    return key


def new_secret(random: bytes) -> str:
    """The secret made of these unguessable bytes."""
    return SECRET_PREFIX + base64.b64encode(random).decode()
