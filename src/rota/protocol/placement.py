"""Which worker may be given which job: decided by environment, executor, labels and resources alone."""

from collections.abc import Mapping, Sequence

import msgspec

from rota.protocol.conditions import Wanted, compiled, said
from rota.protocol.ids import WorkerId
from rota.protocol.resources import Resources, counted, has_room
from rota.protocol.wire import Answer

_sorted = msgspec.json.Encoder(order="sorted")
RESERVE_AFTER_S = 60.0
"""For how long a job's resources may be passed over by smaller jobs, before a worker keeps itself free for it."""


class WorkerFacts(Answer, frozen=True):
    """What a worker's credential says of it; a body never does. One without `resources` has none that are known."""

    worker_id: WorkerId
    environment: str
    name: str
    labels: dict[str, str]
    executors: list[str]
    slots: int = 1
    resources: Resources = {}


class Asked(Answer, frozen=True, omit_defaults=True):
    """What a job asks of its worker, beside environment and executor."""

    requires: Mapping[str, Wanted] = {}
    prefers: Mapping[str, Wanted] = {}
    resources: Resources = {}

    def text(self) -> str:
        """JSON. Equal demands are equal texts."""
        return _sorted.encode(self).decode()


class QueueKey(Answer, frozen=True, omit_defaults=True):
    """What a set of queued jobs asks of a worker. Equal demands share one key, so that a claim reads an index."""

    environment: str
    executor: str
    requires: Mapping[str, Wanted]
    prefers: Mapping[str, Wanted] = {}
    resources: Resources = {}

    def asked(self) -> Asked:
        """Without the place."""
        return Asked(self.requires, self.prefers, counted(self.resources))

    def text(self) -> str:
        """One text for all keys that are equal."""
        return f"{self.environment}\0{self.executor}\0{self.asked().text()}"


class Demand:
    """A queue key, compiled once, to be held against many workers."""

    __slots__ = ("_preferred", "_required", "key")

    def __init__(self, key: QueueKey) -> None:
        self.key = key
        self._required = [(label, compiled(wanted)) for label, wanted in key.requires.items()]
        self._preferred = [(label, compiled(wanted)) for label, wanted in key.prefers.items()]

    def fits(self, worker: WorkerFacts) -> bool:
        """Whether the worker can run such a job, with nothing else to do: all that is required, and room for it."""
        key, labels = self.key, worker.labels
        return (
            key.environment == worker.environment
            and key.executor in worker.executors
            and all(test(labels.get(label)) for label, test in self._required)
            and (not key.resources or has_room(worker.resources, key.resources))
        )

    def preference(self, worker: WorkerFacts) -> int:
        """How many of its preferences the worker satisfies: the more, the rather."""
        return sum(test(worker.labels.get(label)) for label, test in self._preferred)


def fits(
    key: QueueKey,
    environment: str,
    executors: Sequence[str],
    labels: Mapping[str, str],
    resources: Mapping[str, float] | None = None,
) -> bool:
    """Whether such a worker can run the jobs of `key`. For many workers, make one `Demand` of the key."""
    facts = WorkerFacts(WorkerId(""), environment, "", dict(labels), [*executors], 1, dict(resources or {}))
    return Demand(key).fits(facts)


def lacking(key: QueueKey, worker: WorkerFacts) -> list[str]:
    """What keeps a worker from being given such a job, in words for people; empty: nothing does."""
    lacks = [] if key.executor in worker.executors else [f"executor={key.executor}"]
    labels, wants = worker.labels, key.requires.items()
    lacks += [said(label, wanted) for label, wanted in wants if not compiled(wanted)(labels.get(label))]
    asked = key.resources.items()
    return lacks + [f"{name} {amount}" for name, amount in asked if not has_room(worker.resources, {name: amount})]
