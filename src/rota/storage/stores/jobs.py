"""What the Job service asks of its store. Every move is guarded by state and attempt; no row is an answer.

Every method that writes has its effect on disk before it returns, and raises Unavailable where the disk fails.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from rota.protocol.decide import Decision, Ended
from rota.protocol.ids import AttemptId, Incarnation, JobId, WorkerId
from rota.protocol.job import Artifact, Job
from rota.protocol.job_finished import Finished
from rota.protocol.placement import QueueKey
from rota.protocol.problems import Problem
from rota.protocol.spec import Spec
from rota.protocol.states import AttemptState, JobState
from rota.protocol.turns import WEIGHT
from rota.storage.stores.claims import Claim, Claimed, Reservation
from rota.storage.stores.holds import Hold, Known, NewNeed, NewReference


class NewInput(msgspec.Struct, frozen=True):
    """An input file of a job to be."""

    path: str
    sha256: str
    content: bytes


class NewJob(msgspec.Struct, frozen=True):
    """A job to be; `spec` is without the inputs' content. `hold` None: it enters its queue at once.

    The parts of an array come behind it, and have neither inputs nor needs of their own. `tenant` '': its submitter
    takes turns for itself. What has not ended at `deadline_at` is ended then.
    """

    id: JobId
    spec: Spec
    key: QueueKey
    submitted_at: str
    submitted_by: str
    expires_at: str | None
    """By the clock of queue timeouts."""
    inputs: list[NewInput] = []
    hold: Hold | None = None
    tenant: str = ""
    weight: float = WEIGHT
    deadline_at: str | None = None
    needs: list[NewNeed] = []
    references: list[NewReference] = []

    @property
    def is_held(self) -> bool:
        """Whether it begins before the gate; else in its queue."""
        return bool(self.references) or (self.hold is not None and self.hold.is_waiting)


class Repeatable(msgspec.Struct, frozen=True):
    """A submission that carries an `Idempotency-Key`."""

    submitted_by: str
    key: str
    body_sha256: str


class Submission(msgspec.Struct, frozen=True):
    """The ids in the order of the specs; `repeated` where an earlier submission had made them.

    `waiting`: those of them, and of the parts of arrays, that something holds back from their queues. `outcomes`: what
    else followed, such as jobs of the same group that were cancelled.
    """

    job_ids: list[JobId]
    waiting: list[JobId] = []
    outcomes: list["Outcome"] = []
    repeated: bool = False


class Held(msgspec.Struct, frozen=True):
    """An attempt that a worker holds, or held: its state says which."""

    attempt_id: AttemptId
    job_id: JobId
    worker_id: WorkerId
    environment: str
    state: AttemptState
    cancel_requested: bool = False
    keep_s: float = 0.0
    detached_s: float | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What a guarded move did to one attempt's job: `problem` where nothing was changed."""

    job_id: JobId | None = None
    state: JobState | None = None
    key: QueueKey | None = None
    problem: Problem | None = None


class Released(msgspec.Struct, frozen=True):
    """Who was let into the queues because its time had come, and when the next one's comes (None: nobody's)."""

    outcomes: list[Outcome]
    next_ready_at: str | None


class JobFilter(msgspec.Struct, frozen=True):
    """Which jobs a list shows; `before` is the last id of the page before."""

    limit: int = 100
    state: JobState | None = None
    verdict: str | None = None
    environment: str | None = None
    name: str | None = None
    tags: list[str] = []
    submitted_after: str | None = None
    schedule: str | None = None
    before: str | None = None
    parent: str | None = None
    parts: bool = True


class Output(msgspec.Struct, frozen=True):
    """A log (`path` ''), artifact or input; `content` None: it is in the blob store, with that attempt's."""

    attempt_id: AttemptId
    path: str
    size_bytes: int
    sha256: str
    content: bytes | None


class Traced(msgspec.Struct, frozen=True):
    """What one attempt's row tells of the messages that changed it."""

    attempt_id: AttemptId
    asked_at: str
    assigned_at: str
    trace: str


class JobStore(Protocol):
    """Jobs, attempts, inputs and outputs."""

    async def submit(self, jobs: Sequence[NewJob], repeatable: Repeatable | None) -> Submission:
        """All or none. Raises Conflict where the key was used for another body."""
        ...

    async def queue_keys(self) -> dict[int, QueueKey]:
        """All of them; they are few, since equal demands share one."""
        ...

    async def claim(self, claim: Claim) -> Claimed:
        """By turn (protocol/turns.py). The same request_id of the worker again gives the same, while all are held."""
        ...

    async def reserved(self) -> list[Reservation]:
        """Who keeps itself free for a job."""
        ...

    async def give_up_reservations(self, workers: Sequence[WorkerId]) -> None:
        """They keep themselves free no longer; others may do so."""
        ...

    async def start(self, worker: WorkerId, attempts: Sequence[AttemptId]) -> None:
        """The first heartbeat or log byte: assigned → running."""
        ...

    async def refuse(self, worker: WorkerId, refusals: Sequence[tuple[AttemptId, str]], at: str) -> list[Outcome]:
        """Queued again at its old place. The same refusal again changes nothing and is no problem."""
        ...

    async def finish(self, worker: WorkerId, ends: Sequence[tuple[Finished, str]], at: str) -> list[Outcome]:
        """Result and outputs, with a digest of the report each: the same digest again is no problem, another is."""
        ...

    async def lose(self, attempts: Sequence[AttemptId], at: str, why: str) -> list[Outcome]:
        """Their leases are over: unacknowledged ones are queued again, the rest wait for the scheduler's word.

        Each for itself: an attempt whose row cannot be moved has `Internal` as its outcome, and the others are moved.
        """
        ...

    async def detach(self, attempts: Sequence[AttemptId], at: str) -> list[Outcome]:
        """Their leases are over, and they stay their workers' own: running → detached. Cancelled jobs end with it."""
        ...

    async def come_back(self, worker: WorkerId, attempts: Sequence[AttemptId], at: str) -> list[Outcome]:
        """The worker answers for them again: detached → running."""
        ...

    async def book(self, detached_s: Mapping[AttemptId, float]) -> None:
        """For how long each has been detached."""
        ...

    async def keep(self, worker: WorkerId, incarnation: Incarnation, keep: Sequence[AttemptId]) -> list[AttemptId]:
        """The worker's held attempts of other incarnations that are not in `keep`; those in it are taken over."""
        ...

    async def cancel(self, job: JobId) -> Outcome:
        """Cancelled at once where no worker holds or answers for it, else requested. A problem is in the outcome."""
        ...

    async def retry(self, job: JobId, expires_at: str | None, at: str) -> list[Outcome]:
        """Through the gate once more; only what has ended can be, and what no worker may still execute.

        The first outcome is the job's. Its needs are not asked again; the array that it is a part of is open again.
        """
        ...

    async def cancel_parts(self, job: JobId) -> list[Outcome]:
        """Cancel an array: each of its parts, all or none. The first outcome is the array's."""
        ...

    async def retry_parts(self, job: JobId, expires_at: str | None, at: str, *, only_failed: bool) -> list[Outcome]:
        """An array's parts through the gate once more, all or none. The first outcome is the array's."""
        ...

    async def release_due(self, now: str, limit: int) -> Released:
        """Waiting jobs whose time has come are queued, unless they wait for a seat too."""
        ...

    async def shorten_pauses(self, now: str) -> None:
        """The wall clock was set back: no job waits longer for its next try than the scheduler said."""
        ...

    async def expire(self, now: str, limit: int) -> list[JobId]:
        """Queued for longer than their queue timeout, by the clock of queue timeouts, which is noted meanwhile."""
        ...

    async def queue_clock(self, first: str) -> str:
        """What that clock was last noted to show; `first` where it never was."""
        ...

    async def overdue(self, now: str, limit: int) -> list[Outcome]:
        """Ended, or asked to, because their deadline has passed: what waits has expired, what runs is cancelled."""
        ...

    async def retire(self, environment: str, limit: int) -> list[JobId]:
        """Cancel what waits in an environment that is no more; what a worker holds ends as it would."""
        ...

    async def undecided(self, limit: int) -> list[Ended]:
        """What waits for the scheduler's word."""
        ...

    async def decide(self, decisions: Sequence[Decision], at: str) -> list[Outcome]:
        """Each at most once; one that comes late changes nothing. A verdict lets in who waited for it."""
        ...

    async def held(self) -> list[Held]:
        """All attempts that workers hold."""
        ...

    async def attempt(self, attempt: AttemptId) -> Held | None:
        """One attempt, in whatever state."""
        ...

    async def job(self, job: JobId) -> Job | None:
        """One job with its attempts, its spec whole (with the inputs' content)."""
        ...

    async def known(self, jobs: Sequence[JobId]) -> dict[JobId, Known]:
        """Those of them that there are."""
        ...

    async def jobs_by_id(self, jobs: Sequence[JobId]) -> list[Job]:
        """These, in this order; specs without the inputs' content."""
        ...

    async def jobs(self, wanted: JobFilter) -> list[Job]:
        """Newest first; specs without the inputs' content."""
        ...

    async def input(self, job: JobId, path: str) -> Output | None:
        """One input, as it was sent along or as another job brought it."""
        ...

    async def artifacts(self, attempt: AttemptId) -> list[Artifact]:
        """Of one attempt, by path."""
        ...

    async def output(self, attempt: AttemptId, path: str) -> Output | None:
        """One artifact, or the log where `path` is ''."""
        ...

    async def traces(self, job: JobId) -> tuple[list[Traced], str | None]:
        """Of all its attempts, oldest first; and when the scheduler gave its verdict."""
        ...

    async def counts(self) -> dict[str, int]:
        """Queued, assigned and running jobs, for the metrics."""
        ...
