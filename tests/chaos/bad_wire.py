"""A bad wire between workers and a service: cuts, delays, drops answers after the effect, sends requests twice."""

import asyncio
import contextlib
import random
import threading
from collections import Counter

import aiohttp
from aiohttp import web

from wiretap import HOP_BY_HOP

DELAY_S_MAX = 2.0
LATE_S_MAX = 8.0
"""How long after the first a second copy of a request may come."""


class BadWire:
    """A reverse proxy on loopback in a thread of its own. What it does to a request is drawn from `chance`."""

    def __init__(self, upstream: str, port: int, chance: random.Random) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.counts: Counter[str] = Counter()
        self.is_bad = False
        self._upstream, self._port, self._chance = upstream, port, chance
        self._late: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._session: aiohttp.ClientSession
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def close(self) -> None:
        """Cut it for good."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", self._pass)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, auto_decompress=False) as self._session:
            self._ready.set()
            await self._stop.wait()
            for task in self._late:
                task.cancel()
            await asyncio.gather(*self._late, return_exceptions=True)
        await runner.cleanup()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        fate = self._fate()
        if fate:
            self.counts[fate] += 1
        if fate == "cut before it arrived":
            return _cut(request)
        if fate == "request delayed":
            await self._pause(self._chance.uniform(0.1, DELAY_S_MAX))
        if fate == "sent twice":
            task = asyncio.create_task(self._send_again(request, body))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        try:
            answer = await self._send(request, body)
        except (aiohttp.ClientError, OSError):
            return _cut(request)  # as if nobody were there
        if fate == "answer dropped":
            return _cut(request)
        if fate == "answer delayed":
            await self._pause(self._chance.uniform(0.1, DELAY_S_MAX))
        return answer

    def _fate(self) -> str:
        if not self.is_bad:
            return ""
        drawn = self._chance.random()
        fates = ("cut before it arrived", "answer dropped", "request delayed", "answer delayed", "sent twice")
        return next((fate for step, fate in enumerate(fates, 1) if drawn < step * 0.03), "")

    async def _send(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with self._session.request(
            request.method, self._upstream + request.raw_path, data=body, headers=headers, allow_redirects=False
        ) as response:
            content = await response.read()
            kept = {name: value for name, value in response.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=response.status, body=content, headers=kept)

    async def _send_again(self, request: web.Request, body: bytes) -> None:
        await self._pause(self._chance.uniform(0, LATE_S_MAX) if self._chance.random() < 0.5 else 0)
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await self._send(request, body)

    async def _pause(self, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._stop.wait()


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
