"""getJob → returnJob | noJob. Source: flows.md, "Full execution with job", "Full execution no job"."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from rota.protocol.ids import AttemptId, Incarnation, JobId, WorkerId
from rota.protocol.placement import QueueKey, WorkerFacts
from rota.protocol.spec import Input, Spec
from rota.protocol.wire import Answer, Request

WAIT_S_MAX = 60
SLOTS_MAX = 10_000


class GetJob(Request, frozen=True):
    """A worker asks for up to `slots` jobs and lets the gateway hold the question for `wait_s`."""

    slots: Annotated[int, Meta(ge=1, le=SLOTS_MAX)]
    wait_s: Annotated[float, Meta(ge=0, le=WAIT_S_MAX)]
    request_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class Offer(Answer, frozen=True):
    """A job, leased to the asking worker.

    `lease_s` counts from before the worker sent its request; until it ends nobody else gets the job. `number` is the
    try, from 1.
    """

    attempt_id: AttemptId
    job_id: JobId
    number: int
    lease_s: float
    spec: Spec
    inputs: list[Input] = []
    secrets: dict[str, str] = {}


class Offers(Answer, frozen=True):
    """returnJob, or noJob where `jobs` is empty (204 on the outer wire)."""

    jobs: list[Offer]


class Given(Answer, frozen=True, omit_defaults=True):
    """returnJobForWorker. `is_short`: there was more for this worker, and no room for it beside what it holds."""

    jobs: list[Offer]
    is_short: bool = False


class GetJobForWorker(Request, frozen=True):
    """The gateway asks the Job service on behalf of a worker; `asked_at` is when the worker's getJob came in."""

    worker: WorkerFacts
    incarnation: Incarnation
    slots: int
    asked_at: datetime
    request_id: str | None = None


class Arrival(Answer, frozen=True):
    """`count` jobs with this key can be had now."""

    key: QueueKey
    count: int


class Arrivals(Answer, frozen=True):
    """What came into the queue since the mark that the gateway named; `mark` is the next one to name.

    `missed` says that the Job service does not know what came since (it was restarted): ask for everybody.
    `freed` are workers for which there was no room before, and now may be.
    """

    mark: int
    arrivals: list[Arrival]
    missed: bool = False
    freed: list[WorkerId] = []
