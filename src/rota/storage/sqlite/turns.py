"""A job's rank, given when it becomes queued; and how far each class has been served. Source: protocol/turns.py."""

from collections.abc import Iterable
from typing import NamedTuple

import apsw
import msgspec

from rota.protocol.ids import JobId
from rota.protocol.turns import Queued, step
from rota.storage.sqlite.candidates import SQL
from rota.storage.sqlite.rows import first, only


class Place(NamedTuple):
    """What decides a job's rank: its class, its queue, and whose it is; `tenant` is empty where there is none."""

    environment: str
    priority: int
    key: int
    tenant: str
    submitted_by: str
    weight: float


class _Line(msgspec.Struct):
    """A submitter's next rank in a class, and from there to the one behind it."""

    next_rank: float
    step: float
    is_new: bool


class Turns:
    """Gives ranks within one transaction. Make one, ask it for every job that becomes queued, then `keep`."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._fronts: dict[tuple[str, int, int], float] = {}
        self._lines: dict[tuple[str, int, str, str], _Line] = {}

    def rank(self, place: Place) -> float:
        """The rank of the submitter's next job there: behind its own, and where the class is now at the earliest."""
        environment, priority, key, tenant, submitted_by, _ = place
        front = self._fronts.get((environment, priority, key))
        if front is None:
            front = self._fronts[environment, priority, key] = self._front(place)
        line = self._lines.get((environment, priority, tenant, submitted_by)) or self._line(place, front)
        rank = max(front, line.next_rank)
        line.next_rank = rank + line.step
        return rank

    def enter(self, job: JobId, at: str) -> None:
        """Give a job its rank that became queued, and had none."""
        place = Place(*only(self._connection, SQL["place"], {"job": job}))
        self._connection.execute(SQL["enter"], {"job": job, "rank": self.rank(place), "at": at})

    def keep(self) -> None:
        """Write down where each submitter is now; where one is new, forget some that have been overtaken."""
        for (environment, priority, tenant, submitted_by), line in self._lines.items():
            whose = {"environment": environment, "priority": priority, "tenant": tenant, "submitted_by": submitted_by}
            self._connection.execute(SQL["keep_next_rank"], whose | {"next_rank": line.next_rank})
        for environment, priority in {whose[:2] for whose, line in self._lines.items() if line.is_new}:
            passed = {"environment": environment, "priority": priority, "served": self._served(environment, priority)}
            self._connection.execute(SQL["forget"], passed)

    def _front(self, place: Place) -> float:
        """How far the class has been served; less where workers that cannot serve this queue have run ahead."""
        served = self._served(place.environment, place.priority)
        lowest = first(self._connection, SQL["front"], {"key": place.key, "priority": place.priority})
        return served if lowest is None else min(served, lowest[0])

    def _line(self, place: Place, front: float) -> _Line:
        environment, priority, _, tenant, submitted_by, weight = place
        whose = {"environment": environment, "priority": priority, "tenant": tenant, "submitted_by": submitted_by}
        before = first(self._connection, SQL["next_rank"], whose)
        others = only(self._connection, SQL["others"], whose | {"front": front})[0] if tenant else 0
        line = _Line(front if before is None else before[0], step(weight, 1 + others), is_new=before is None)
        self._lines[environment, priority, tenant, submitted_by] = line
        return line

    def _served(self, environment: str, priority: int) -> float:
        row = first(self._connection, SQL["served"], {"environment": environment, "priority": priority})
        return 0.0 if row is None else row[0]


def serve(connection: apsw.Connection, environment: str, claimed: Iterable[Queued]) -> None:
    """These were claimed: who comes from now on stands behind them."""
    ranks: dict[int, float] = {}
    for job in claimed:
        ranks[job.priority] = max(job.rank, ranks.get(job.priority, job.rank))
    for priority, rank in ranks.items():
        connection.execute(SQL["serve"], {"environment": environment, "priority": priority, "rank": rank})
