"""The WorkerRegistry over HTTP, as the Job service sees it."""

from collections.abc import Sequence
from urllib.parse import quote

from rota.http.peer import Peer
from rota.protocol.ids import AttemptId, WorkerId
from rota.protocol.problems import NotFound
from rota.protocol.status import Acknowledgement
from rota.protocol.worker import Worker, WorkerList
from rota.registry.http import Acknowledgements, AttemptsAsked


class RemoteRegistry:
    """See `rota.protocol.participants.Fleet`."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def workers(self, environment: str | None) -> list[Worker]:
        query = "" if environment is None else f"?environment={quote(environment)}"
        return (await self._peer.ask("GET", f"/registry/v1/workers{query}", WorkerList)).workers

    async def worker(self, worker: WorkerId, environment: str | None) -> Worker:
        found = await self._peer.ask("GET", f"/registry/v1/workers/{quote(worker, safe='')}", Worker)
        if environment not in {None, found.environment}:
            raise NotFound("There is no such worker.")
        return found

    async def drain(self, worker: WorkerId, environment: str | None) -> Worker:
        await self.worker(worker, environment)
        return await self._peer.ask("POST", f"/registry/v1/workers/{quote(worker, safe='')}/drain", Worker)

    async def acknowledgements(self, attempts: Sequence[AttemptId]) -> list[Acknowledgement]:
        asked = AttemptsAsked(list(attempts))
        path = "/registry/v1/acknowledgements"
        return (await self._peer.ask("POST", path, Acknowledgements, asked)).acknowledgements
