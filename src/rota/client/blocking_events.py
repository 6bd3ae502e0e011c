"""Events without `await`: read in the client's own thread, and iterated over from any other."""

from concurrent.futures import Future

from rota.client.background import Background
from rota.client.events import EventStream
from rota.protocol.event import CloudEvent


class Events:
    """Iterates over events as they happen. A Ctrl-C inside loses nothing: iterating again goes on there."""

    def __init__(self, background: Background, stream: EventStream) -> None:
        self._background, self._stream = background, stream
        self._next: Future[CloudEvent | None] | None = None

    def __iter__(self) -> "Events":
        return self

    def __next__(self) -> CloudEvent:
        if self._next is None:
            self._next = self._background.start(next_event(self._stream))
        event = self._next.result()
        self._next = None
        if event is None:
            raise StopIteration
        return event

    @property
    def position(self) -> str | None:
        """The id of the place up to which all was told."""
        return self._stream.position

    def close(self) -> None:
        """Stop listening."""
        if self._next is None:
            self._background.run(self._stream.aclose())
        else:
            self._next.cancel()


async def next_event(stream: EventStream) -> CloudEvent | None:
    """The next event; None after the stream was closed."""
    return await anext(stream, None)
