"""/api/v1/events: what happens, as it happens. Source: protocol.md, "Events"; WHATWG HTML, "Server-sent events"."""

from collections.abc import AsyncIterator, Awaitable, Callable

from msgspec import Raw
from starlette.responses import Response, StreamingResponse

from rota.http.routes import PEOPLE, Call, Endpoint, Recognise, json_response
from rota.jobs.feed import Feed
from rota.protocol.event import PAGE_MAX, EventList, EventType, check_patterns, is_any_met
from rota.protocol.ids import JobId
from rota.protocol.problems import Gone, InvalidRequest, Problem
from rota.protocol.wire import Answer, encode
from rota.storage.stores.events import Logged, Wanted

_QUERIES = {
    "type": "types or patterns such as dev.rota.job.*, with commas between",
    "environment": "a name",
    "job_id": "a job's id",
    "after": "`now` (the default of a stream), `oldest` (of JSON), or an event's id",
    "limit": f"JSON only: 1 to {PAGE_MAX}, 100 where left out",
    "last": f"JSON only: the newest 1 to {PAGE_MAX}",
}


class RawEvents(Answer, frozen=True):
    """An EventList whose events are written already."""

    events: list[Raw]
    next_cursor: str | None


class EventsHttp:
    """The route."""

    def __init__(self, feed: Feed, recognise: Recognise) -> None:
        self._feed, self._recognise = feed, recognise

    def endpoints(self) -> list[Endpoint]:
        """What is served, by whom it may be called."""
        about = "what happens, as SSE; a page of it as JSON by Accept"
        return [Endpoint("GET", "/api/v1/events", self.events, about, PEOPLE, None, EventList, queries=_QUERIES)]

    async def events(self, call: Call) -> Response:
        given = call.query(*_QUERIES)
        wanted = await self._feed.check(call.caller, _wanted(given))
        accept = call.request.headers.get("accept", "")
        if "application/json" in accept and "text/event-stream" not in accept:
            return await self._page(call, wanted, given)
        for name in ("limit", "last"):
            if name in given:
                raise InvalidRequest.of(name, "is for pages as JSON: send `Accept: application/json`")
        last_id = call.request.headers.get("last-event-id") or None
        field = "after" if last_id is None else "Last-Event-ID"
        # What is not there is told before the stream begins.
        after = await self._feed.position(last_id or given.get("after"), field)
        told = self._feed.follow(after, wanted, self._is_welcome(call))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_stream(told), 200, headers, media_type="text/event-stream")

    async def _page(self, call: Call, wanted: Wanted, given: dict[str, str]) -> Response:
        if "last" in given:
            for name in ("after", "limit"):
                if name in given:
                    raise InvalidRequest.of(name, "does not go with `last`")
            found, cursor = await self._feed.last(wanted, call.count("last", 1, 1, PAGE_MAX)), None
        else:
            after = await self._feed.position(given.get("after", "oldest"), "after")
            found, cursor = await self._feed.page(after, wanted, call.count("limit", 100, 1, PAGE_MAX))
        return json_response(RawEvents([Raw(event.body) for event in found], cursor))

    def _is_welcome(self, call: Call) -> Callable[[], Awaitable[bool]]:
        async def ask() -> bool:
            try:
                return await self._recognise(call.request.headers.get("authorization")) == call.caller
            except Problem:
                return False

        return ask


def _wanted(given: dict[str, str]) -> Wanted:
    types = None
    if "type" in given:
        patterns = [pattern.strip() for pattern in given["type"].split(",")]
        check_patterns(patterns, "type")
        types = frozenset(kind for kind in EventType if is_any_met(patterns, kind))
    job = given.get("job_id")
    return Wanted(types, given.get("environment"), None if job is None else JobId(job))


async def _stream(told: AsyncIterator[Logged | Gone | str]) -> AsyncIterator[bytes]:
    """The events' bytes. An id without data moves the place to resume at, and is shown to nobody."""
    async for one in told:
        if isinstance(one, Logged):
            yield b"id: %b\ndata: %b\n\n" % (one.id.encode(), one.body)
        elif isinstance(one, Gone):
            yield b"event: gone\ndata: %b\n\n" % encode(one.body())
        else:
            yield b": still here\nid: %b\n\n" % one.encode()
