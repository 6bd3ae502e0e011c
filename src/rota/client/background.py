"""An event loop in a thread of its own: what runs the SDK for callers that do not await."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Background:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="rota-client", daemon=True)
        self.thread.start()

    def start(self, deed: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin it there."""
        return asyncio.run_coroutine_threadsafe(deed, self.loop)

    def run(self, deed: Coroutine[Any, Any, T]) -> T:
        """Do it there and come back with what it returned or raised; interrupted here, it is cancelled there."""
        future = self.start(deed)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
