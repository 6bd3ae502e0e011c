"""The clock of queue timeouts: no step of a wall clock moves it, and it stands still while no server runs.

Source: guarantees.md, G15, F49; decisions, 23.
"""

from datetime import datetime, timedelta

from rota.protocol.wire import parse_timestamp, timestamp
from rota.storage.stores.jobs import JobStore
from rota.world import World


class QueueClock:
    """Where the one before stopped, as far as it was noted, and the monotonic clock since."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._set(world.now())

    async def start(self, store: JobStore) -> None:
        """Go on from what the store last noted."""
        self._set(parse_timestamp(await store.queue_clock(timestamp(self.now()))))

    def now(self) -> datetime:
        """For comparison with another moment of it; it is no time of day."""
        return self._began_at + timedelta(seconds=self._world.monotonic() - self._began_s)

    def in_s(self, duration_s: float | None) -> str | None:
        """So much later, for the store; None: never."""
        return None if duration_s is None else timestamp(self.now() + timedelta(seconds=duration_s))

    def _set(self, at: datetime) -> None:
        self._began_at, self._began_s = at, self._world.monotonic()
