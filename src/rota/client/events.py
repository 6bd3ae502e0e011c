"""What happens on a server, as it happens: resumed after every break, nothing lost and nothing twice.

Source: protocol.md, "Events".
"""

import contextlib
from collections.abc import AsyncGenerator, Sequence

import httpx2
import msgspec

from rota.client.follow import SILENCE_S, read, read_events
from rota.client.transport import BACKOFF_MAX_S, Broken, Call, NotUnderstood, Patience, Transport
from rota.protocol.event import CloudEvent, EventList
from rota.protocol.problems import Gone

EVENTS = "/api/v1/events"


class _Gone(msgspec.Struct):
    """The last event of a stream that the log has left behind."""

    detail: str
    oldest: str


class EventStream:
    """Iterates over events as they happen, without end.

    `position` is the id of the place up to which all was told: give it as `after` to go on there, another time.
    Raises Gone where what comes next is no longer kept, NotReached where the server stayed away for `outage_s` seconds.
    """

    def __init__(
        self,
        transport: Transport,
        outage_s: float,
        types: Sequence[str] = (),
        environment: str | None = None,
        job_id: str | None = None,
        after: str = "now",
    ) -> None:
        self.transport = transport
        self.position: str | None = None
        self._params = filters(types, environment, job_id) | {"after": after}
        self._patience = Patience(transport.world, outage_s)
        self._connected_at = 0.0
        self._events = self._read_on()

    def __aiter__(self) -> "EventStream":
        return self

    async def __anext__(self) -> CloudEvent:
        return await anext(self._events)

    async def begin(self) -> "EventStream":
        """Begin at what happens from now on; without it a stream begins when it is first read from."""
        if self.position is None and self._params["after"] == "now":
            environment = self._params.get("environment")
            newest = await EventCalls(self.transport).last(1, environment=environment)
            if newest:
                self.position = newest[0].id
            else:
                self._params["after"] = "oldest"  # nothing has happened yet
        return self

    async def aclose(self) -> None:
        """Stop listening."""
        await self._events.aclose()

    async def _read_on(self) -> AsyncGenerator[CloudEvent]:
        while True:
            self._connected_at = self.transport.world.monotonic()
            try:
                async with contextlib.aclosing(self._read_once()) as events:
                    async for event in events:
                        self._patience.begin()
                        yield event
                await self._after(Broken(EOFError("the stream broke off"), sent=True))
            except Broken as broken:
                await self._after(broken)
            except httpx2.TransportError as error:
                await self._after(Broken(error, sent=True))

    async def _after(self, broken: Broken) -> None:
        if self.transport.world.monotonic() - self._connected_at > BACKOFF_MAX_S:  # it worked for a while
            self._patience.begin()
        if not await self._patience.wait(broken.wait_s):
            raise self.transport.given_up(broken)

    async def _read_once(self) -> AsyncGenerator[CloudEvent]:
        headers = {"Accept": "text/event-stream"}
        if self.position is not None:
            headers["Last-Event-ID"] = self.position
        call = Call(method="GET", path=EVENTS, params=self._params, headers=headers, read_s=SILENCE_S)
        async with self.transport.open(call) as response:
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise NotUnderstood(f"{self.transport.endpoint.server} does not stream events as a Rota server does.")
            async with contextlib.aclosing(read_events(response.aiter_bytes())) as events:
                async for event in events:
                    if event.name == "gone":
                        gone = read(event, _Gone)
                        raise Gone(gone.detail, gone.oldest)
                    self.position = event.id or self.position
                    if event.data:
                        yield read(event, CloudEvent)


class EventCalls:
    """What happened, page by page."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def last(
        self, count: int, types: Sequence[str] = (), environment: str | None = None, job_id: str | None = None
    ) -> list[CloudEvent]:
        """The newest so many, oldest first."""
        return (await self._page(filters(types, environment, job_id) | {"last": str(count)})).events

    async def kept(
        self,
        types: Sequence[str] = (),
        environment: str | None = None,
        job_id: str | None = None,
        after: str = "oldest",
    ) -> AsyncGenerator[CloudEvent]:
        """All that are kept behind `after`, oldest first, fetched as they are asked for. Raises Gone."""
        cursor: str | None = after
        while cursor is not None:
            page = await self._page(filters(types, environment, job_id) | {"after": cursor, "limit": "1000"})
            for event in page.events:
                yield event
            cursor = page.next_cursor

    async def _page(self, params: dict[str, str]) -> EventList:
        headers = {"Accept": "application/json"}
        return await self.transport.ask(Call(method="GET", path=EVENTS, params=params, headers=headers), EventList)


def filters(types: Sequence[str], environment: str | None, job_id: str | None) -> dict[str, str]:
    """Which events, as the query says it."""
    given = {"type": ",".join(types) or None, "environment": environment, "job_id": job_id}
    return {name: value for name, value in given.items() if value is not None}
