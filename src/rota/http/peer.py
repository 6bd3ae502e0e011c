"""Calls to another participant that runs elsewhere: its problems are raised here, its silence is Unavailable."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp
import msgspec

from rota.protocol.problems import Problem, Unavailable, raised_again
from rota.protocol.wire import encode, read_answer

T = TypeVar("T")

TIMEOUT_S = 10.0
_CONNECTIONS = 200


class Peer:
    """One participant's address, with connections that are kept. `token` is asked for each time: it may come later."""

    def __init__(self, url: str, token: Callable[[], str]) -> None:
        self._url = self.url = url.rstrip("/")
        self.ahead_s = 0.0
        """How far its clock was before ours at its last answer, to a second or so."""
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, method: str, path: str, kind: type[T], body: object = None, timeout_s: float = TIMEOUT_S) -> T:
        """The peer's answer as a message. Raises its problem, or Unavailable where it gave none."""
        content = None if body is None else encode(body)
        status, answer = await self._exchange(method, path, content, {}, timeout_s)
        del status
        try:
            return read_answer(answer, kind)
        except msgspec.DecodeError as error:
            raise Unavailable(f"{self._url} did not answer as Rota does.") from error

    async def tell(self, method: str, path: str, body: object, timeout_s: float = TIMEOUT_S) -> None:
        """The same where the answer has no body."""
        await self._exchange(method, path, encode(body), {}, timeout_s)

    async def pieces(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The peer's answer as bytes, while they come. Raises its problem, or Unavailable where it breaks off."""
        timeout = aiohttp.ClientTimeout(sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S)
        try:
            async with self._connected().get(
                self._url + path, headers=self._known(headers), timeout=timeout, allow_redirects=False
            ) as response:
                if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                    raise self._problem(response.status, await response.read())
                async for piece in response.content.iter_any():
                    yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{self._url} does not answer ({type(error).__name__}).") from error

    async def send(self, path: str, content: AsyncIterator[bytes], headers: Mapping[str, str], kind: type[T]) -> T:
        """Pass bytes on while they come."""
        _, answer = await self._exchange("PATCH", path, content, headers, None)
        return read_answer(answer, kind)

    async def _exchange(
        self,
        method: str,
        path: str,
        content: Any,  # noqa: ANN401  (bytes, or a stream of them)
        headers: Mapping[str, str],
        timeout_s: float | None,
    ) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=TIMEOUT_S)
        try:
            async with self._connected().request(
                method,
                self._url + path,
                data=content,
                headers=self._known(headers),
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                body = await response.read()
                self.ahead_s = _ahead_s(response.headers.get("Date"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{self._url} does not answer ({type(error).__name__}).") from error
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return response.status, body
        raise self._problem(response.status, body)

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session

    def _known(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json", **headers}

    def _problem(self, status: int, body: bytes) -> Problem:
        """What it said no with; Unavailable where that is no word of Rota's, or a fault of its own."""
        try:
            problem = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            problem = {}
        if not problem or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unavailable(f"{self._url} answered {status}.")
        return raised_again(problem)


def _ahead_s(date: str | None) -> float:
    """How far the clock that wrote an answer's `Date` (whole seconds, RFC 9110) is before this one."""
    try:
        told_s = parsedate_to_datetime(date or "").timestamp() + 0.5
    except ValueError:
        return 0.0
    return told_s - time.time()
