"""The web server of a process: says where it is, and answers what it holds before it stops."""

import asyncio
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from rota.http.head import BoundedHead

_GRACE_S = 5  # for answers that are on their way when the server is told to stop
_KEEP_ALIVE_S = 75


class Serving(uvicorn.Server):
    """`started` is called when it answers, `stopping` as soon as it is told to stop."""

    def __init__(
        self, application: Starlette, http: type[BoundedHead], started: Callable[[], None], stopping: Callable[[], None]
    ) -> None:
        config = uvicorn.Config(
            application, log_config=None, access_log=False, server_header=False, timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S, lifespan="on", http=http,
        )  # fmt: skip
        super().__init__(config)
        self._on_started, self._on_stopping = started, stopping
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        self._captured_signals.clear()  # stopped as it was told to: an exit code, not death by the signal

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._on_stopping)
