"""Sends one delivery: signed, to an address that was looked at when it was connected to, and nowhere else.

Sources: Standard Webhooks; CloudEvents HTTP binding (structured mode); threats.md, T27.
"""

import asyncio
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks import Webhook

from rota import __version__
from rota.protocol.addresses import Network, is_allowed, refusal
from rota.protocol.problems import InvalidRequest
from rota.protocol.webhook import ToSend, check_url
from rota.scheduler.tries import Answer
from rota.world import World

CONNECT_S = 10.0
MESSAGE_LENGTH_MAX = 500
_LOOKUPS_AT_ONCE = 32
_REDIRECTS = range(300, 400)


class Sender:
    """Connections that are kept for a while; close it at the end."""

    def __init__(self, world: World, networks: Sequence[Network], timeout_s: float) -> None:
        self._world, self._networks, self._timeout_s = world, networks, timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, one: ToSend) -> Answer:
        """What came of it. Raises nothing: whatever goes wrong is an answer."""
        began_s = self._world.monotonic()
        status, message, retry_after_s = await self._exchange(one)
        duration_s = self._world.monotonic() - began_s
        return Answer(status, message and message[:MESSAGE_LENGTH_MAX], retry_after_s, duration_s)

    async def _exchange(self, one: ToSend) -> tuple[int | None, str | None, float | None]:
        """Status, words and Retry-After. Nothing of an answer's body is read."""
        timeout = aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=CONNECT_S)
        try:
            check_url(one.url)
            async with self._opened().post(
                one.url, data=one.body.encode(), headers=self._headers(one), timeout=timeout, allow_redirects=False
            ) as response:
                said = f"The receiver answered {response.status}."
                if response.status in _REDIRECTS:
                    said += " Redirects are not followed: name the address itself."
                good = response.status < _REDIRECTS.start
                return response.status, None if good else said, _wait_s(response.headers.get("Retry-After"))
        except TimeoutError:
            return None, f"The receiver did not answer within {self._timeout_s:g} s.", None
        except aiohttp.ClientConnectorError as error:
            return None, f"The receiver cannot be reached: {error.os_error}", None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return None, f"The receiver did not answer ({type(error).__name__}): {error}", None
        except InvalidRequest as problem:
            return None, problem.detail, None

    def _headers(self, one: ToSend) -> dict[str, str]:
        now = self._world.now()
        return {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "User-Agent": f"Rota/{__version__}",
            "webhook-id": one.event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(one.secret).sign(one.event_id, now, one.body),
        }

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0, use_dns_cache=False, resolver=_Lookup(), socket_factory=self._socket
            )
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The socket for this very address: what a name means now cannot mean something else a moment later."""
        family, kind, proto, _, (host, *_) = info
        address = ip_address(str(host).partition("%")[0])
        if not is_allowed(address, self._networks):
            raise PermissionError(refusal(str(address), address))
        return socket.socket(family, kind, proto)


class _Lookup(AbstractResolver):
    """Names looked up in threads of its own: a slow name server holds up nothing but the receivers that it serves."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS_AT_ONCE, thread_name_prefix="webhook names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        def look_up() -> list[tuple[Any, ...]]:
            return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)

        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host, host=address[0], port=port, family=kind, proto=proto, flags=socket.AI_NUMERICHOST
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _wait_s(retry_after: str | None) -> float | None:
    """What `Retry-After` asks for: seconds, or a date (RFC 9110)."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
