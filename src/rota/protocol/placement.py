"""Which worker may be given which job: decided by environment, executor and labels alone."""

from collections.abc import Mapping, Sequence

from rota.protocol.ids import WorkerId
from rota.protocol.wire import Answer


class WorkerFacts(Answer, frozen=True):
    """What a worker's credential says of it; a body never does."""

    worker_id: WorkerId
    environment: str
    name: str
    labels: dict[str, str]
    executors: list[str]
    slots: int = 1


class QueueKey(Answer, frozen=True):
    """What a set of queued jobs asks of a worker. Equal demands share one key, so that a claim reads an index."""

    environment: str
    executor: str
    requires: dict[str, str]


def fits(key: QueueKey, environment: str, executors: Sequence[str], labels: Mapping[str, str]) -> bool:
    """Whether such a worker can run the jobs of `key`: same environment, executor there, every label equal."""
    return (
        key.environment == environment
        and key.executor in executors
        and all(labels.get(label) == value for label, value in key.requires.items())
    )
