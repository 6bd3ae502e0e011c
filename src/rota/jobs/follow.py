"""Word of changes to those who follow a job: its state, its log."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from rota.protocol.ids import JobId


class Changes:
    """An event a follower, set when something of its job changed."""

    def __init__(self) -> None:
        self._followers: dict[JobId, set[asyncio.Event]] = {}
        self.is_closed = False

    def close(self) -> None:
        """About to stop: every follower looks once more, and goes."""
        self.is_closed = True
        for events in self._followers.values():
            for event in events:
                event.set()

    def tell(self, job: JobId | None) -> None:
        """Something of this job changed."""
        for event in self._followers.get(job, ()) if job is not None else ():
            event.set()

    def followed(self) -> list[JobId]:
        """The jobs that somebody follows."""
        return list(self._followers)

    @contextmanager
    def of(self, job: JobId) -> Iterator[asyncio.Event]:
        """The follower's event; it clears it before it looks, so that no change is missed."""
        event = asyncio.Event()
        self._followers.setdefault(job, set()).add(event)
        try:
            yield event
        finally:
            self._followers[job].discard(event)
            if not self._followers[job]:
                del self._followers[job]
