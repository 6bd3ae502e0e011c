"""What the Job service's store is asked when a worker asks for jobs, and what it answers."""

import msgspec

from rota.protocol.ids import AttemptId, Incarnation, JobId, WorkerId
from rota.protocol.resources import Resources
from rota.protocol.spec import Input, Spec


class Claim(msgspec.Struct, frozen=True):
    """Up to `len(attempt_ids)` jobs out of the queues `keys`, for this worker.

    `asks`: what each job of these queues has for itself, of what the worker has `offered`; `preferred`: how many of
    its preferences the worker satisfies. For what was passed over since before `reserve_before` it keeps itself free.
    """

    worker_id: WorkerId
    incarnation: Incarnation
    request_id: str | None
    keys: list[int]
    attempt_ids: list[AttemptId]
    asked_at: str
    at: str
    asks: dict[int, Resources] = {}
    offered: Resources = {}
    preferred: dict[int, int] = {}
    reserve_before: str = ""


class Leased(msgspec.Struct, frozen=True):
    """A job that the worker now holds."""

    attempt_id: AttemptId
    job_id: JobId
    number: int
    environment: str
    spec: Spec
    inputs: list[Input]


class Claimed(msgspec.Struct, frozen=True):
    """`is_short`: there were slots for more, and jobs that the worker could hold, but not beside what it holds."""

    leased: list[Leased]
    is_short: bool = False


class Reservation(msgspec.Struct, frozen=True):
    """A worker takes nothing that stands behind the job; `waits`: the job is still to be had."""

    worker_id: WorkerId
    job_id: JobId
    waits: bool
