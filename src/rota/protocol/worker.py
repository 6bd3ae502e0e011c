"""A worker as the registry knows it. Source: protocol.md, "/api/v1/workers"."""

from rota.protocol.ids import AttemptId, WorkerId
from rota.protocol.resources import Resources
from rota.protocol.status import WorkerStatus
from rota.protocol.wire import Answer, Timestamp


class Worker(Answer, frozen=True):
    """`attempts` are those that its last status named; `draining` says that somebody asked it to drain."""

    worker_id: WorkerId
    name: str
    environment: str
    labels: dict[str, str]
    executors: list[str]
    slots: int
    free_slots: int
    status: WorkerStatus
    attempts: list[AttemptId]
    version: str
    enrolled_at: Timestamp
    last_seen_at: Timestamp | None
    draining: bool = False
    resources: Resources = {}


class WorkerList(Answer, frozen=True):
    """Workers, by name."""

    workers: list[Worker]
