"""Webhooks and deliveries on SQLite, in the Job service's file."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import apsw
import msgspec

from rota.protocol.problems import Conflict
from rota.protocol.webhook import After, Delivery, DeliveryState, ToSend, Webhook
from rota.protocol.wire import encode, parse_timestamp
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.events import SqliteEvents
from rota.storage.sqlite.rows import every, first, only
from rota.storage.statements import load
from rota.storage.stores.events import Wanted
from rota.storage.stores.webhooks import DeliveryFilter, Limits, NewDelivery, NewWebhook, Noted, Told, Unrouted

SQL = load(__package__, "webhooks.sql")

_DISABLED = "The webhook was disabled."
_DELETED = "It is being deleted."
_BATCH = 2000
"""Most rows that one deed deletes, so that others get their turn at the writer."""
_ENDS = {After.DELIVERED: DeliveryState.DELIVERED, After.DEAD: DeliveryState.DEAD, After.DISABLE: DeliveryState.DEAD}


class SqliteWebhooks:
    """See the port, `rota.storage.stores.webhooks.WebhookStore`."""

    def __init__(self, database: Database, events: SqliteEvents) -> None:
        self._write, self._look, self._read = database.writer.run, database.reader.look, database.reader.run
        self._events = events

    async def insert(self, webhook: NewWebhook, most: int) -> None:
        row = msgspec.structs.asdict(webhook) | {"events": encode(webhook.events).decode(), "most": most}

        def deed(connection: apsw.Connection) -> None:
            connection.execute(SQL["skip_untold"])
            if first(connection, SQL["insert"], row) is None:
                raise Conflict(f"There are {most} webhooks already; delete one that nobody needs.")

        await self._write(deed)

    async def webhooks(self, environment: str | None) -> list[Webhook]:
        row = {"webhook": None, "environment": environment}
        return [_webhook(found) for found in await self._read(lambda c: every(c, SQL["webhooks"], row))]

    async def webhook(self, webhook_id: str) -> Webhook | None:
        row = {"webhook": webhook_id, "environment": None}
        found = self._look(lambda connection: first(connection, SQL["webhooks"], row))
        return None if found is None else _webhook(found)

    async def delete(self, webhook_id: str, *, at: str) -> None:
        row = {"webhook": webhook_id, "at": at, "message": _DELETED, "limit": _BATCH}
        await self._write(lambda connection: every(connection, SQL["disable"], row))
        while await self._write(lambda connection: every(connection, SQL["delete_deliveries"], row)):
            pass
        await self._write(lambda connection: every(connection, SQL["delete"], row))

    async def enable(self, webhook_id: str, *, at: str) -> None:
        def deed(connection: apsw.Connection) -> None:
            connection.execute(SQL["skip_untold"])
            connection.execute(SQL["enable"], {"webhook": webhook_id})
            connection.execute(SQL["hurry"], {"webhook": webhook_id, "at": at})

        await self._write(deed)

    async def unrouted(self, limit: int) -> Unrouted | None:
        def read(connection: apsw.Connection) -> tuple[int, list[Told]]:
            told = [
                Told(row[0], row[1], msgspec.json.decode(row[2]), row[3]) for row in every(connection, SQL["told"], {})
            ]
            return only(connection, SQL["routed"], {})[0], told

        after, told = self._look(read)
        if not told:
            return None
        page = await self._events.page(max(after, await self._events.oldest() - 1), Wanted(), limit)
        return Unrouted(after, page.upto, page.newest, page.events, told)

    async def route(self, after: int, upto: int, deliveries: Sequence[NewDelivery]) -> None:
        rows = [msgspec.structs.asdict(delivery) for delivery in deliveries]

        def deed(connection: apsw.Connection) -> None:
            if first(connection, SQL["route"], {"after": after, "upto": upto}) is not None:
                connection.executemany(SQL["insert_delivery"], rows)

        await self._write(deed)

    async def insert_delivery(self, delivery: NewDelivery) -> None:
        row = msgspec.structs.asdict(delivery)
        await self._write(lambda connection: every(connection, SQL["insert_delivery"], row))

    async def due(self, now: str, busy: Mapping[str, Collection[str]], limits: Limits, limit: int) -> list[ToSend]:
        def read(connection: apsw.Connection) -> list[ToSend]:
            found: list[ToSend] = []
            for webhook, url, secret, failures in every(connection, SQL["able"], {"now": now}):
                under_way = busy.get(webhook, ())
                room = (limits.failing_at_once if failures else limits.at_once) - len(under_way)
                room = min(room, limit - len(found))
                if room <= 0:
                    continue
                row = {"webhook": webhook, "now": now, "limit": room + len(under_way)}
                rows = [one for one in every(connection, SQL["due"], row) if one[0] not in under_way]
                for delivery, event, body, tries, first_tried_at in rows[:room]:
                    failing_s = _between_s(first_tried_at, now)
                    found.append(ToSend(delivery, webhook, event, url, secret, body, tries, failing_s, failures))
            return found

        return await self._read(read)

    async def next_at(self) -> str | None:
        row = self._look(lambda connection: only(connection, SQL["next_at"], {}))
        return None if row[0] is None else str(row[0])

    async def tried(self, tried: Sequence[Noted], at: str) -> None:
        def deed(connection: apsw.Connection) -> None:
            for one in tried:
                _note(connection, one, at)

        await self._write(deed)

    async def deliveries(self, wanted: DeliveryFilter) -> list[Delivery]:
        row = msgspec.structs.asdict(wanted) | {"webhook": wanted.webhook_id}
        del row["webhook_id"]
        return [_delivery(found) for found in await self._read(lambda c: every(c, SQL["deliveries"], row))]

    async def delivery(self, webhook_id: str, delivery_id: str) -> Delivery | None:
        row = {"webhook": webhook_id, "delivery": delivery_id}
        found = self._look(lambda connection: first(connection, SQL["delivery"], row))
        return None if found is None else _delivery(found)

    async def redeliver(self, delivery_id: str, at: str) -> None:
        row = {"delivery": delivery_id, "at": at}
        await self._write(lambda connection: every(connection, SQL["redeliver"], row))

    async def give_up(self, before: str, at: str, limit: int) -> int:
        row = {"before": before, "at": at, "limit": limit}
        return len(await self._write(lambda connection: every(connection, SQL["give_up"], row)))

    async def prune(self, state: DeliveryState, before: str, limit: int) -> int:
        row = {"state": state, "before": before, "limit": limit}
        return len(await self._write(lambda connection: every(connection, SQL["prune"], row)))


def _note(connection: apsw.Connection, noted: Noted, at: str) -> None:
    """One try; nothing where it comes late: the delivery has been tried since, or has ended."""
    tried = noted.tried
    state = _ENDS.get(tried.after, DeliveryState.WAITING)
    row = {
        "delivery": tried.delivery_id,
        "tries": tried.tries,
        "state": state,
        "at": at,
        "next_at": noted.next_at,
        "ended_at": None if state is DeliveryState.WAITING else at,
        "status": tried.status,
        "message": tried.message,
        "duration_s": tried.duration_s,
    }
    found = first(connection, SQL["tried"], row)
    if found is None:
        return
    webhook = {"webhook": found[0], "at": at}
    if tried.after is After.DELIVERED:
        if first(connection, SQL["succeeded"], webhook) is not None:
            connection.execute(SQL["hurry_failed"], webhook)
    elif tried.after is After.DISABLE:
        connection.execute(SQL["disable"], webhook | {"message": tried.message})
        connection.execute(SQL["bury"], webhook | {"message": _DISABLED})
    elif noted.paused_until is not None:
        connection.execute(SQL["failed"], webhook | {"paused_until": noted.paused_until})


def _webhook(row: tuple[Any, ...]) -> Webhook:
    name, url, events, environment, description, created_at, created_by, enabled, *rest = row
    patterns = msgspec.json.decode(events)
    return Webhook(name, url, patterns, environment, description, created_at, created_by, bool(enabled), *rest)


def _delivery(row: tuple[Any, ...]) -> Delivery:
    name, webhook, event, kind, subject, state, *rest, body = row
    made = Delivery(name, webhook, event, kind, subject, DeliveryState(state), *rest)
    return made if body is None else msgspec.structs.replace(made, event=msgspec.Raw(body.encode()))


def _between_s(earlier: str | None, later: str) -> float:
    if earlier is None:
        return 0.0
    return max(0.0, (parse_timestamp(later) - parse_timestamp(earlier)).total_seconds())
