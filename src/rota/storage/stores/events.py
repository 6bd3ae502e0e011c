"""What the Job service asks of the event log. Moves write it themselves, in their own transaction."""

from typing import Protocol

import msgspec

from rota.protocol.event import EventType
from rota.protocol.ids import JobId


class Wanted(msgspec.Struct, frozen=True):
    """Which events: all that meet every condition. `types` None: every type."""

    types: frozenset[str] | None = None
    environment: str | None = None
    job_id: JobId | None = None

    def holds(self, event: "Logged") -> bool:
        """Whether it is one of them."""
        return (
            (self.types is None or event.type in self.types)
            and self.environment in {None, event.environment}
            and self.job_id in {None, event.subject}
        )


class Logged(msgspec.Struct, frozen=True):
    """One event: where it stands, whose it is, and the whole of it as JSON."""

    seq: int
    type: EventType
    environment: str
    subject: str
    id: str
    body: bytes


class Page(msgspec.Struct, frozen=True):
    """Events in order; up to the number `upto` there is none more that is wanted; `newest` is the log's newest."""

    events: list[Logged]
    upto: int
    newest: int


class EventStore(Protocol):
    """The log. Its numbers have no holes: only the oldest events are ever deleted."""

    async def newest(self) -> int:
        """The number of the newest event; 0 where nothing happened yet."""
        ...

    async def oldest(self) -> int:
        """The number of the oldest that is kept; 1 where nothing happened yet."""
        ...

    def id_of(self, seq: int) -> str:
        """What the event of that number is called; also of one that is yet to come."""
        ...

    async def seq_of(self, event_id: str, field: str) -> int:
        """The number behind an id. Raises InvalidRequest naming `field`, Gone where it is not of this log."""
        ...

    async def page(self, after: int, wanted: Wanted, limit: int) -> Page:
        """The next events behind `after`. Raises Gone where the next one is no longer kept."""
        ...

    async def last(self, wanted: Wanted, count: int) -> list[Logged]:
        """The newest so many, oldest first."""
        ...

    async def prune(self, count_max: int, before: str, limit: int) -> int:
        """Delete the oldest beyond `count_max`, or of before `before`, at most `limit`; returns how many.

        The newest stays, and so does what webhooks have not been told of.
        """
        ...
