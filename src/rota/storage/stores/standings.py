"""What the Job service asks of its store to tell why a job waits. Questions only; they may be a moment old."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from rota.protocol.ids import JobId, WorkerId
from rota.protocol.placement import QueueKey
from rota.protocol.states import JobState

LINE_MAX = 10_000
"""How far back a place is counted."""


class Neighbour(msgspec.Struct, frozen=True):
    """Another job that one waits for."""

    job_id: JobId
    name: str | None
    state: JobState


class Standing(msgspec.Struct, frozen=True):
    """Where a job stands: in which queue, and what the gate holds it back for.

    `holders` have the seats of its group (a few of them, `holder_count` in all), `parts_seated` those of its array.
    `is_passed_over`: a worker that fits had no room for it; `reserved_by`: that one keeps itself free for it.
    `needed` are a few of its `unmet` needs. `parts_left`: so many parts of the array that it is have no verdict yet.
    `rate_opens_at`: when its group's rate lets another one in.
    """

    job_id: JobId
    state: JobState
    environment: str
    queue: int
    key: QueueKey
    tries: int
    was_offered: bool
    is_undecided: bool
    unmet: int
    ready_at: str | None
    is_seated: bool
    group_name: str | None
    group_limit: int | None
    parallel_max: int | None
    holders: list[Neighbour] = []
    holder_count: int = 0
    parts_seated: int = 0
    is_passed_over: bool = False
    reserved_by: WorkerId | None = None
    needed: list[Neighbour] = []
    parts_left: int | None = None
    rate_count: int | None = None
    rate_per_s: float | None = None
    rate_opens_at: str | None = None


class Line(msgspec.Struct, frozen=True):
    """A queued job's place: 1 is the next. `others` of those before it are other submitters'.

    Counted up to LINE_MAX: such a place means so many or more.
    """

    place: int
    others: int


class StandingStore(Protocol):
    """Where jobs stand."""

    async def standing(self, job: JobId) -> Standing | None:
        """One job's, whatever its state; None where there is no such job."""
        ...

    async def line(self, job: JobId, queues: Sequence[int], now: str) -> Line | None:
        """Its place among the jobs of these queues; None where it is queued no more."""
        ...
