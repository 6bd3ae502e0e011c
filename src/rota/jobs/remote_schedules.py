"""The Job service's schedules over HTTP, as the scheduler sees them."""

from collections.abc import Sequence

from rota.http.peer import TIMEOUT_S, Peer
from rota.protocol.fire import Due, DueSchedules, Firing, Firings


class RemoteSchedules:
    """See `rota.protocol.participants.Schedules`."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def due(self, limit: int, wait_s: float) -> list[Due]:
        path = f"/internal/v1/due?limit={limit}&wait_s={wait_s}"
        return (await self._peer.ask("GET", path, DueSchedules, timeout_s=wait_s + TIMEOUT_S)).schedules

    async def fire(self, firings: Sequence[Firing]) -> None:
        await self._peer.tell("POST", "/internal/v1/fire", Firings(list(firings)))
