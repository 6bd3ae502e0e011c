"""The listening process: it says that it is there, and answers what it holds before it stops."""

import asyncio
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn


class Serving(uvicorn.Server):
    """`ready` is called when it serves; `stop_waiting` when it was told to stop: held questions are answered then."""

    def __init__(self, config: uvicorn.Config, stop_waiting: Callable[[], None], ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop_waiting, self._ready = stop_waiting, ready
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        self._captured_signals.clear()  # stopped as it was told to: exit code 0, not death by the signal

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop_waiting)
