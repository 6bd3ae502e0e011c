"""The clock of leases: it stands still while no gateway is there to pass a renewal on.

Source: guarantees.md, G8, G10; decisions, 23.
"""

from collections.abc import Callable

from rota.world import World

SILENT_S = 3.0
"""A longer silence of all gateways is an outage. Each asks every second what arrives (`gateway/service.py`)."""
COUNTED_S = 1.0
"""What of an outage is counted all the same: behind a very slow wire, too, time must go on."""


class Contact:
    """Seconds in which leases could be renewed. Never faster than the monotonic clock, so no lease is cut short."""

    def __init__(self, world: World, returned: Callable[[float], None]) -> None:
        self.follows_gateways = False
        """False: there is nobody whose absence would count, and this is the monotonic clock."""
        self._world, self._returned = world, returned
        self._heard_s = world.monotonic()
        self._away_s = 0.0

    def heard(self) -> float:
        """A gateway is there; the clock has caught up. After an outage `returned` is called. Returns the time."""
        if self.follows_gateways:
            silent_s = self.silent_s
            self._heard_s += silent_s
            if silent_s > SILENT_S:
                self._away_s += silent_s - COUNTED_S
                self._returned(self.now_s())
        return self.now_s()

    def now_s(self) -> float:
        """As late as a gateway was heard of: what happened since, nobody could have prevented."""
        return self._heard_s - self._away_s if self.follows_gateways else self._world.monotonic()

    @property
    def silent_s(self) -> float:
        """For how long no gateway has been heard of."""
        return self._world.monotonic() - self._heard_s
