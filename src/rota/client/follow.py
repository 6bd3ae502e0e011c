"""A job's log while it is written: server-sent events, resumed after every break. Source: protocol.md, `/log`.

Only the event `end` ends it. A stream that stops without one was dropped, and is taken up where it stopped.
"""

import base64
import binascii
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

import httpx2
import msgspec

from rota.client.jobs import path_of
from rota.client.transport import BACKOFF_MAX_S, Broken, Call, NotUnderstood, Patience, Transport, newer
from rota.protocol import wire
from rota.protocol.ids import JobId
from rota.protocol.job_finished import Result
from rota.protocol.problems import OffsetMismatch
from rota.protocol.states import JobState, Verdict
from rota.protocol.wire import Answer

T = TypeVar("T")

SILENCE_S = 45.0
"""The server says something every 15 s; after three of them unheard the connection is dead."""
LINE_SIZE_BYTES_MAX = 16 * 1024 * 1024


class End(Answer, frozen=True):
    """The job has ended; nothing follows."""

    state: JobState
    verdict: Verdict | None = None
    result: Result | None = None


class AttemptBegan(Answer, frozen=True):
    """From here on the log is that of this try, from its first byte."""

    number: int


@dataclass(frozen=True)
class Event:
    """One server-sent event; `id` is None where it has none."""

    name: str
    data: str
    id: str | None


class LogStream:
    """Iterates over the log's bytes as they come, from the first one written, until the job has ended.

    `attempt` is the try whose bytes come now, `end` how the job ended (None before), `breaks` how often the
    connection was lost and resumed. Raises NotReached where the server stayed away for `outage_s` seconds.
    """

    def __init__(self, transport: Transport, job_id: JobId, outage_s: float) -> None:
        self.transport, self.job_id = transport, job_id
        self.attempt: int | None = None
        self.end: End | None = None
        self.breaks = 0
        self._last_id: str | None = None
        self._patience = Patience(transport.world, outage_s)
        self._connected_at = 0.0
        self._pieces = self._read_on()

    def __aiter__(self) -> "LogStream":
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """Stop listening; the job goes on."""
        await self._pieces.aclose()

    async def _read_on(self) -> AsyncGenerator[bytes]:
        while self.end is None:
            self._connected_at = self.transport.world.monotonic()
            try:
                async with contextlib.aclosing(self._read_once()) as pieces:
                    async for piece in pieces:
                        self._patience.begin()
                        yield piece
                if self.end is None:
                    await self._after(Broken(EOFError("the stream broke off"), sent=True))
            except Broken as broken:
                await self._after(broken)
            except OffsetMismatch as problem:  # of another try's log, or one that a crash cut: the stream says which
                if self._last_id == str(problem.offset):
                    raise
                self._last_id = str(problem.offset)
            except httpx2.TransportError as error:
                await self._after(Broken(error, sent=True))

    async def _after(self, broken: Broken) -> None:
        self.breaks += 1
        if self.transport.world.monotonic() - self._connected_at > BACKOFF_MAX_S:  # it worked for a while
            self._patience.begin()
        if not await self._patience.wait(broken.wait_s):
            raise self.transport.given_up(broken)

    async def _read_once(self) -> AsyncGenerator[bytes]:
        call = Call(
            method="GET",
            path=path_of(self.job_id, "/log"),
            params={"encoding": "base64"},
            headers={"Accept": "text/event-stream"} | ({"Last-Event-ID": self._last_id} if self._last_id else {}),
            read_s=SILENCE_S,
        )
        async with self.transport.open(call) as response:
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise NotUnderstood(f"{self.transport.endpoint.server} does not stream logs as a Rota server does.")
            async with (
                contextlib.aclosing(read_events(response.aiter_bytes())) as events,
                contextlib.aclosing(self._heed(events)) as pieces,
            ):
                async for piece in pieces:
                    yield piece

    async def _heed(self, events: AsyncGenerator[Event]) -> AsyncGenerator[bytes]:
        """The bytes that they bring, until one of them ends the stream."""
        resumed = self._last_id is not None
        async for event in events:
            if event.name == "end":
                self.end = read(event, End)
                return
            if event.name == "attempt":
                number = read(event, AttemptBegan).number
                elsewhere = resumed and number != self.attempt
                self.attempt = number
                if elsewhere:  # our offset was that of another try: this one is read from its start
                    self._last_id = None
                    return
                self._last_id = self._last_id if resumed else None
            elif event.name == "message":
                yield decode(event.data)
                self._last_id = event.id or self._last_id
            resumed = False


async def read_events(pieces: AsyncIterator[bytes]) -> AsyncGenerator[Event]:
    """Server-sent events out of bytes; comments are passed over. Source: WHATWG HTML, "Parsing an event stream".

    An id without data is an event too, of no data: it says where to resume.
    """
    name, event_id = "", None
    data: list[str] = []
    async with contextlib.aclosing(read_lines(pieces)) as lines:
        async for line in lines:
            if not line:
                if name or data or event_id is not None:
                    yield Event(name or "message", "\n".join(data), event_id)
                name, data, event_id = "", [], None
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                event_id = value


async def read_lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[str]:
    """Whole lines; a last one without its end was cut, and is left out."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
        if len(rest) > LINE_SIZE_BYTES_MAX:
            raise NotUnderstood("The server sent an event that is too long to be a piece of a log.")


def read(event: Event, kind: type[T]) -> T:
    """The event's data. Raises NotUnderstood."""
    try:
        return wire.read_answer(event.data.encode(), kind)
    except msgspec.DecodeError as error:
        word = wire.unknown_word(error)
        if word is not None:
            raise NotUnderstood(newer("The server", word)) from None
        raise NotUnderstood(f"The server sent a `{event.name}` event that cannot be read: {error}") from None


def decode(data: str) -> bytes:
    """The bytes of a piece. Raises NotUnderstood."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise NotUnderstood("The server sent a piece of log that is not base64, though it was asked for.") from None
