"""What the registry asks of its store."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from rota.protocol.ids import AttemptId, Incarnation, WorkerId
from rota.protocol.placement import WorkerFacts
from rota.protocol.status import Acknowledgement, Status
from rota.protocol.worker import Worker


class Seen(msgspec.Struct, frozen=True):
    """What the store knew of a worker before its present status."""

    incarnation: Incarnation | None
    drain_requested: bool


class WorkerStore(Protocol):
    """Workers and what the registry acknowledged of their attempts."""

    async def insert(self, facts: WorkerFacts, version: str, heartbeat_s: float, at: str) -> None:
        """A new worker, `offline` until its first status."""
        ...

    async def seen(self, worker: WorkerId) -> Seen | None:
        """None: never heard of it."""
        ...

    async def status(self, worker: WorkerId, incarnation: Incarnation, status: Status, at: str) -> None:
        """The worker's present status; attempts that it names for the first time as `working` are acknowledged.

        It outlives the process; a crash of the machine may take the last ones. Every other write is on disk.
        """
        ...

    async def lost(self, unseen_before: Sequence[tuple[WorkerId, str]]) -> list[WorkerId]:
        """Mark those `lost` whose last status is still older than the time beside them."""
        ...

    async def workers(self, environment: str | None) -> list[Worker]:
        """By environment and name."""
        ...

    async def worker(self, worker: WorkerId) -> Worker | None:
        """One worker."""
        ...

    async def present(self) -> list[tuple[WorkerId, str, float]]:
        """Id, last seen and heartbeat_s of all that are neither offline nor lost."""
        ...

    async def request_drain(self, worker: WorkerId) -> None:
        """Its next status is answered with `drain`, until it has been offline."""
        ...

    async def acknowledgements(self, attempts: Sequence[AttemptId]) -> list[Acknowledgement]:
        """Those that there are."""
        ...
