"""Who is first: by priority, which grows with waiting; then by fair turns of the submitters; then by age.

Fair turns are start tags (start-time fair queueing, Goyal, Vin and Cheng, 1996): a job's `rank` is given once, when it
becomes queued, and a claim only has to take the lowest. See `docs/decisions/0017-who-is-first.md`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple

from rota.protocol.ids import JobId

AGE_S = 600.0
"""What a queued job waits for one more point of priority."""
PRIORITY_MAX = 100
"""Where growing by waiting ends: the most that a spec may ask for."""
WEIGHT = 1.0
"""Of a tenant that its environment's `shares` do not name, and of a submitter without a tenant."""


class Queued(NamedTuple):
    """A queued job where it stands. Compared as within its class: by rank, then by age (ids are in order of making)."""

    rank: float
    job_id: JobId
    queued_at: str
    priority: int
    key: int


def effective_priority(priority: int, waited_s: float) -> int:
    """What it counts as after so long in the queue. A clock that was set back takes nothing away."""
    return min(PRIORITY_MAX, priority + int(max(0.0, waited_s) // AGE_S))


def step(weight: float, submitters: int) -> float:
    """From one rank of a submitter to its next, where `submitters` with jobs share a tenant of that weight."""
    return submitters / weight


def in_turn(classes: Mapping[int, Iterable[Queued]], now: datetime) -> Iterator[Queued]:
    """All jobs, the next to be served first; `classes` holds those of each priority, by rank.

    Each class is read no further than is asked for. Of two whose priority has come to be equal, the older one is first:
    ranks of different classes say nothing of each other.
    """
    if len(classes) == 1:  # nothing to compare: the usual case, and the claim's cost
        yield from next(iter(classes.values()))
        return
    line = [entry for jobs in classes.values() if (entry := _entry(iter(jobs), now)) is not None]
    heapify(line)
    while line:
        *_, job, jobs = line[0]
        yield job
        following = _entry(jobs, now)
        if following is None:
            heappop(line)
        else:
            heapreplace(line, following)


class _Entry(NamedTuple):
    """A class in the heap. No two have the same first three, so that the job and what follows are never compared."""

    before: int
    queued_at: str
    then: int
    job: Queued
    jobs: Iterator[Queued]


def _entry(jobs: Iterator[Queued], now: datetime) -> _Entry | None:
    job = next(jobs, None)
    if job is None:
        return None
    waited_s = (now - datetime.fromisoformat(job.queued_at)).total_seconds()
    return _Entry(-effective_priority(job.priority, waited_s), job.queued_at, -job.priority, job, jobs)
