"""An answer's head and body leave in one piece: one system call here, and one awakening of who waits for it there."""

import asyncio
from typing import Any


class Gathered:
    """A connection's transport; what is written first waits for the next, at most for the rest of this turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._first = b""

    def write(self, content: bytes) -> None:
        """Send it with what waits, or let it wait."""
        if self._first:
            first, self._first = self._first, b""
            self._transport.writelines([first, content] if content else [first])
        elif content:
            self._first = content
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what waits for nothing: the head of an answer whose body takes its time."""
        if self._first:
            first, self._first = self._first, b""
            self._transport.write(first)

    def close(self) -> None:
        """Send what waits, and hang up."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (all else is the transport's own)
        return getattr(self._transport, name)
