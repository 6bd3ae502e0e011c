"""A tap on the wire between two participants: passes on, records the messages, and breaks when a test says so."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

NAMES = {
    "/gateway/v1/get-job": ("getJob", "returnJob"),
    "/gateway/v1/refuse-job": ("refuse job", "refuse accepted"),
    "/gateway/v1/job-finished": ("jobFinished", "jobFinishedReceived"),
    "/internal/v1/get-job": ("getJobForWorker", "returnJobForWorker"),
    "/internal/v1/refuse-job": ("refuse job", "refuse accepted"),
    "/internal/v1/job-finished": ("jobFinished", "jobFinishedReceived"),
    "/registry/v1/status": ("status: ", "status received"),
}
"""A request's and its answer's name in the diagrams; what is not named here is not in them."""
STATUS = {"working": "Working", "ready_for_work": "readyForWork"}
HOP_BY_HOP = {"host", "transfer-encoding", "connection", "content-length", "keep-alive"}


@dataclass
class Wire:
    """The messages in the order in which they crossed any of a test's taps."""

    messages: list[str] = field(default_factory=list)

    def since(self, mark: int) -> list[str]:
        """What crossed after `mark` messages."""
        return self.messages[mark:]


class Tap:
    """A reverse proxy on loopback in front of one participant. `caller`, `called` are the diagrams' short names."""

    def __init__(self, wire: Wire, caller: str, called: str, upstream: str) -> None:
        self.wire, self.caller, self.called, self.upstream = wire, caller, called, upstream
        self.mend()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def mend(self) -> None:
        """Pass everything on."""
        self.fails: Callable[[str], bool] = lambda _name: False  # answer 500 to such a message
        self.delays: Callable[[str], bool] = lambda _name: False  # pass no answer of such a message
        self.before_answer: Callable[[str], None] = lambda _name: None

    def close(self) -> None:
        """Cut it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", self._pass)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as self._session:
            self._ready.set()
            await self._stop.wait()
        await runner.cleanup()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        asked, answered = self._names(request.path, body)
        self._record(self.caller, self.called, asked)
        if asked and self.fails(asked):
            self._record(self.called, self.caller, answered and "error")
            return web.Response(status=500, text="<html>broken</html>")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        try:
            async with self._session.request(
                request.method, self.upstream + request.raw_path, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await response.read()
        except aiohttp.ClientError:
            self._record(self.called, self.caller, answered and "error")
            assert request.transport is not None
            request.transport.abort()  # as if nobody were there
            return web.Response()
        if asked and self.delays(asked):
            await self._stop.wait()
        if answered in {"returnJob", "returnJobForWorker"} and (response.status == 204 or content == b'{"jobs":[]}'):
            answered = "noJob"
        elif response.status >= 300:
            answered = answered and f"{response.status}"
        self.before_answer(asked)
        self._record(self.called, self.caller, answered)
        kept = {name: value for name, value in response.headers.items() if name.lower() not in HOP_BY_HOP}
        return web.Response(status=response.status, body=content, headers=kept)

    def _names(self, path: str, body: bytes) -> tuple[str, str]:
        asked, answered = NAMES.get(path, ("", ""))
        if asked == "status: ":
            status = next(
                name for name in ("working", "ready_for_work", "draining", "offline") if name.encode() in body
            )
            asked += STATUS.get(status, status)
        return asked, answered

    def _record(self, sender: str, receiver: str, name: str) -> None:
        if name:
            self.wire.messages.append(f"{sender} -> {receiver}: {name}")
