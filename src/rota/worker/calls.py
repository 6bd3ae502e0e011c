"""HTTP as the worker speaks it: one session for all calls, every answer that is not the expected one a Problem.

No redirect is followed, every call has a time limit, and a dead connection is noticed. Source: threats.md, T22;
guarantees.md, F21.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Self

import aiohttp
import msgspec

from rota.protocol.enrol import PROTOCOL_VERSION
from rota.protocol.problems import LeaseLost, NotFound, Problem, Unauthenticated, Unavailable, raised_again
from rota.protocol.wire import unknown_word

PROBLEM_JSON = "application/problem+json"
DEAD_AFTER_MS = 20_000
_NOT_SAID = 0
"""Nobody asked for a pause: how long it is, the backoff decides."""
KEEP_ALIVE_S = 4
"""Shorter than servers usually keep an idle connection, so that a call does not meet one that is being closed."""


class NotUnderstood(Exception):
    """An answer that had its effect, and that this version cannot read. The text says why."""


class Reply(NamedTuple):
    """An answer with a status below 300."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Calls:
    """The session. `authorization` gives the present credential; `renew` tries to get a better one after a 401."""

    def __init__(self, incarnation: str) -> None:
        self.authorization: Callable[[], str | None] = lambda: None
        self.renew: Callable[[], Awaitable[bool]] | None = None
        self._headers = {"Rota-Incarnation": incarnation, "Rota-Protocol": str(PROTOCOL_VERSION)}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, socket_factory=_socket)
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=self._headers,
            trust_env=bool(urllib.request.getproxies()),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self, method: str, url: str, timeout_s: float, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """The answer. Raises Problem: the one that was sent, or Unavailable where there was no proper answer."""
        used = self.authorization()
        try:
            return await self._send_once(method, url, timeout_s, body, headers or {})
        except Unauthenticated:
            is_fresh = self.authorization() != used
            if not is_fresh and (self.renew is None or not await self.renew()):
                raise
        return await self._send_once(method, url, timeout_s, body, headers or {})

    @contextlib.asynccontextmanager
    async def stream(self, url: str, timeout_s: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body of a GET in pieces; `timeout_s` is for each step. Raises Problem as `send`, also on the way."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=timeout_s, sock_read=timeout_s)
        with _told_as_problems(timeout_s):
            async with self._request("GET", url, limits, b"", {}) as response:
                if response.status >= 300:  # noqa: PLR2004  (RFC 9110: what is not 2xx is no success)
                    raise await _problem(response)
                yield response.content.iter_chunked(256 * 1024)

    async def _send_once(
        self, method: str, url: str, timeout_s: float, body: bytes, headers: Mapping[str, str]
    ) -> Reply:
        limits = aiohttp.ClientTimeout(total=timeout_s)
        with _told_as_problems(timeout_s):
            async with self._request(method, url, limits, body, headers) as response:
                if response.status >= 300:  # noqa: PLR2004  (as above)
                    raise await _problem(response)
                return Reply(response.status, response.headers, await response.read())

    def _request(
        self, method: str, url: str, limits: aiohttp.ClientTimeout, body: bytes, headers: Mapping[str, str]
    ) -> Any:  # noqa: ANN401  (aiohttp's own context manager)
        if self._session is None:
            raise AssertionError("the session is entered before it is used")
        sent = {"Content-Type": "application/json", **headers} if body else dict(headers)
        credential = self.authorization()
        if credential is not None:
            sent["Authorization"] = credential
        return self._session.request(
            method, url, data=body or None, headers=sent, timeout=limits, allow_redirects=False
        )


def explain(problem: Problem) -> str:
    """In a few words, for a line that a person reads."""
    return (
        problem.detail
        if isinstance(problem, Unavailable)
        else f"HTTP {problem.status} {problem.slug}: {problem.detail}"
    )


def unread(error: msgspec.DecodeError) -> str:
    """Why an answer cannot be read: a newer server's word, or no answer of Rota's at all."""
    word = unknown_word(error)
    return f"the answer was not understood: {error}" if word is None else f"the server is newer: it says {word}"


@contextlib.contextmanager
def _told_as_problems(timeout_s: float) -> Any:  # noqa: ANN401  (a context manager)
    try:
        yield
    except TimeoutError:
        raise Unavailable(f"no answer within {timeout_s:g} s", _NOT_SAID) from None
    except aiohttp.ClientConnectorCertificateError as error:
        raise Unavailable(f"the server's certificate is not trusted: {error.certificate_error}", _NOT_SAID) from None
    except (aiohttp.ClientError, OSError, ssl.SSLError, asyncio.IncompleteReadError) as error:
        raise Unavailable(f"no connection: {_why(error)}", _NOT_SAID) from None


def _why(error: Exception) -> str:
    """In the system's own words, without the client library's."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError):
        known = cause.errno is not None and cause.errno > 0  # a resolver's numbers are others
        return (os.strerror(cause.errno) if known and cause.errno else cause.strerror) or type(cause).__name__
    return str(cause) or type(cause).__name__


# What is asked with HEAD is answered without a body, so that the status alone tells: the attempt is unknown, or lost.
# Taken for an outage, it would be asked again for ever.
_TOLD_BY_STATUS: dict[int, Callable[[], Problem]] = {
    NotFound.status: lambda: NotFound("There is no such attempt."),
    LeaseLost.status: LeaseLost,
}


async def _problem(response: aiohttp.ClientResponse) -> Problem:
    after = response.headers.get("Retry-After", "")
    retry_after_s = int(after) if after.isdigit() else None
    body = await response.read()
    if response.content_type == PROBLEM_JSON:
        with contextlib.suppress(msgspec.DecodeError, ValueError, TypeError, AttributeError):
            return raised_again(msgspec.json.decode(body, type=dict[str, Any]), retry_after_s)
    if response.status == Unauthenticated.status:
        return Unauthenticated()
    if response.method == "HEAD" and response.status in _TOLD_BY_STATUS:
        return _TOLD_BY_STATUS[response.status]()
    return Unavailable(f"HTTP {response.status}", retry_after_s or _NOT_SAID)


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that notices a peer which is gone without a word (linkerd2#13023 hung for 15 minutes)."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_USER_TIMEOUT", DEAD_AFTER_MS), ("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
