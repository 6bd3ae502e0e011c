"""A wire on which bytes vanish: one way or both, without a word to either end (no FIN, no RST), or only very slow.

What a connection has lost it never gets back: as behind a router that forgot it.
"""

import asyncio
import contextlib
import threading
from typing import Self

PIECE_SIZE_BYTES = 1024
UP, DOWN = "up", "down"
"""From the caller, and to it."""


class SilentWire:
    """A relay of TCP on loopback to `port`, in a thread. `loses` names the ways on which bytes vanish now."""

    def __init__(self, port: int, bytes_s: float | None = None) -> None:
        self.loses: frozenset[str] = frozenset()
        self._upstream, self._bytes_s = port, bytes_s
        self._lost_on: list[set[str]] = []
        self._relays: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def forget(self) -> None:
        """Every connection that there is stays silent for ever; new ones are good."""
        for lost in [*self._lost_on]:
            lost |= {UP, DOWN}

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in self._relays:
            task.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        lost: set[str] = set()
        self._lost_on.append(lost)
        writers = [writer]
        try:
            upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._upstream)
            writers.append(upstream)
            await asyncio.gather(
                self._pump(UP, reader, upstream, lost),
                self._pump(DOWN, upstream_reader, writer, lost),
                return_exceptions=True,
            )
        except OSError:
            return  # nobody is there
        finally:
            for one in writers:
                one.close()
            await asyncio.gather(*(one.wait_closed() for one in writers), return_exceptions=True)
            self._lost_on.remove(lost)
            self._relays.discard(task)

    async def _pump(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: set[str]) -> None:
        while piece := await reader.read(PIECE_SIZE_BYTES if self._bytes_s else 65536):
            if way in self.loses:
                lost.add(way)
            if way not in lost:
                writer.write(piece)
                await writer.drain()
            if self._bytes_s:
                await self._pause(len(piece) / self._bytes_s)
        if way in lost or way in self.loses:
            await self._stop.wait()  # that the other end hung up is lost too
        writer.close()

    async def _pause(self, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._stop.wait()
