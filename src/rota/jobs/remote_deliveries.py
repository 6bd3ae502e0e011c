"""What the Job service has to send, over HTTP, as a scheduler sees it that runs apart."""

from collections.abc import Sequence

from rota.http.peer import TIMEOUT_S, Peer
from rota.protocol.webhook import DueDeliveries, ToSend, Tried, TriedAll

_BASE = "/internal/v1/deliveries"


class RemoteDeliveries:
    """See `rota.protocol.participants.Deliveries`."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def due(self, limit: int, wait_s: float) -> list[ToSend]:
        path = f"{_BASE}/due?limit={limit}&wait_s={wait_s}"
        return (await self._peer.ask("GET", path, DueDeliveries, timeout_s=wait_s + TIMEOUT_S)).deliveries

    async def tried(self, tried: Sequence[Tried]) -> None:
        await self._peer.tell("POST", f"{_BASE}/tried", TriedAll(list(tried)))
