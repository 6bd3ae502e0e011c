"""What somebody without a credential sends is bounded in size and time: it fills no memory and holds no connection.

Only what is still to be received counts: a getJob that is held, or a log that is followed, is an answer and may take
its time. Source: threats.md, T23.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rota.http.gathered import Gathered
from rota.protocol.problems import Problem, TooLarge, Unavailable, Unparsable
from rota.protocol.wire import encode

HEAD_SIZE_BYTES_MAX = 64 * 1024
"""Request line and headers together; one read of the socket may bring more before it is noticed."""
BODY_SIZE_BYTES_MIN = 16 * 1024
"""What a body must bring within its time unless it ends: the slowest line is faster, a trickle is not."""
_LINGER_S = 2.0


@dataclass(frozen=True)
class Limits:
    """How long a head may take, how long a body may bring next to nothing, and how many connections there may be."""

    head_s: float = 15.0
    body_s: float = 60.0
    connections_max: int = 10_000


class _Awaited(Enum):
    """What a connection is to bring next."""

    HEAD = auto()  # a new connection, or a request whose head has begun
    BODY = auto()
    NOTHING = auto()  # the request is whole: it is our turn, or the next request's whenever it comes


class BoundedHead(HttpToolsProtocol):
    """Answers 413 where a head does not end, drops what still comes, and hangs up; hangs up on what is too slow."""

    limits = Limits()
    _awaited = _Awaited.HEAD
    _is_refused = False
    _head_size_bytes = 0
    _body_size_bytes = 0
    _alarm: asyncio.TimerHandle | None = None

    @classmethod
    def within(cls, limits: Limits) -> type["BoundedHead"]:
        """The same with these limits; uvicorn makes one of it for each connection."""
        return type("BoundedHead", (cls,), {"limits": limits})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(Gathered(transport, self.loop))  # type: ignore[arg-type]  # it is one to uvicorn
        if len(self.connections) > self.limits.connections_max:
            self._refuse(Unavailable("There are too many connections now."), linger_s=0)
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._awaited = _Awaited.NOTHING
        self._watch()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._awaited = _Awaited.HEAD
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._awaited, self._head_size_bytes = _Awaited.BODY, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_size_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._awaited = _Awaited.NOTHING
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        before = self._awaited
        super().data_received(data)
        if self._awaited is _Awaited.HEAD:
            self._head_size_bytes += len(data)
            if self._head_size_bytes > HEAD_SIZE_BYTES_MAX:
                limit = HEAD_SIZE_BYTES_MAX
                self._refuse(TooLarge(f"The request's headers are larger than {limit} bytes.", limit_bytes=limit))
        if self._awaited is not before or self._alarm is None:
            self._watch()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told so in the same words as everything else."""
        self._refuse(Unparsable(msg))

    def _watch(self) -> None:
        """Set the alarm for what is awaited now; most requests come whole, and need none."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._is_refused or self._awaited is _Awaited.NOTHING:
            return
        self._body_size_bytes = 0
        within_s = self.limits.head_s if self._awaited is _Awaited.HEAD else self.limits.body_s
        self._alarm = self.loop.call_later(within_s, self._ring)

    def _ring(self) -> None:
        """Too slow: hang up, unless it was we who did not read."""
        self._alarm = None
        is_body = self._awaited is _Awaited.BODY
        is_our_doing = self.flow.read_paused or (is_body and self.cycle.waiting_for_100_continue)
        is_fast = is_body and self._body_size_bytes >= BODY_SIZE_BYTES_MIN
        if is_our_doing or is_fast:
            self._watch()
        else:
            self.transport.abort()

    def _refuse(self, problem: Problem, linger_s: float = _LINGER_S) -> None:
        self._is_refused = True
        self._watch()
        body = encode(problem.body())
        lines = [
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
            "Content-Type: application/problem+json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        if problem.retry_after_s is not None:
            lines.append(f"Retry-After: {problem.retry_after_s}")
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        # Hanging up at once would throw the answer away at a sender that still sends.
        self.loop.call_later(linger_s, self.transport.close)
