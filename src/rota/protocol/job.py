"""A job as people see it. Source: protocol.md, "Job service, the user's side"."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.job_finished import Result, Uncollected
from rota.protocol.spec import SPECS_MAX, Spec, SubmittedSpec
from rota.protocol.states import ENDED, AttemptState, JobState, Verdict
from rota.protocol.wire import Answer, Request, Sha256, Size, Timestamp

LIST_MAX = 1000
"""Most jobs on one page of a list."""


class SubmitMany(Request, frozen=True):
    """Several specs, all or none."""

    jobs: Annotated[list[SubmittedSpec], Meta(min_length=1, max_length=SPECS_MAX)]


class Attempt(Answer, frozen=True):
    """One try, or one refusal. `started_at` and `finished_at` are the worker's own word."""

    attempt_id: AttemptId
    number: int
    worker_id: WorkerId
    state: AttemptState
    assigned_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    result: Result | None
    problems: list[Uncollected] = []


class Parts(Answer, frozen=True):
    """How many parts an array has, how many of them are in each state, and how many have each verdict."""

    total: int
    waiting: int = 0
    queued: int = 0
    assigned: int = 0
    running: int = 0
    finished: int = 0
    cancelled: int = 0
    expired: int = 0
    lost: int = 0
    succeeded: int = 0
    failed: int = 0


class Job(Answer, frozen=True):
    """`message` says why where the state alone does not: expired, lost, skipped, tried again, refused time and again.

    `schedule` names the schedule that it is a run of, `due_at` the time that the run was due at. `parent_id` is the
    array that the job is a part of. Of an array, `parts` counts its parts, and `children` are their ids, in their
    order; lists of jobs leave `children` out.
    """

    id: JobId
    state: JobState
    verdict: Verdict | None
    spec: Spec
    submitted_at: Timestamp
    submitted_by: str
    result: Result | None
    attempts: list[Attempt] = []
    environment: str = ""
    message: str | None = None
    schedule: str | None = None
    due_at: Timestamp | None = None
    parent_id: JobId | UnsetType = UNSET
    parts: Parts | UnsetType = UNSET
    children: list[JobId] | UnsetType = UNSET

    @property
    def is_over(self) -> bool:
        """Whether nothing follows by itself: it has ended, and the verdict is there where the spec makes it wait."""
        return self.state in ENDED and (self.verdict is not None or not self.spec.awaits_verdict)


class JobList(Answer, frozen=True):
    """Newest first; `next_cursor` null on the last page."""

    jobs: list[Job]
    next_cursor: str | None = None


class Artifact(Answer, frozen=True):
    """One file that the job brought back."""

    path: str
    size_bytes: Size
    sha256: Sha256
    mode: int


class ArtifactList(Answer, frozen=True):
    """Artifacts of the newest attempt that has any, by path."""

    artifacts: list[Artifact]


class Submitted(Answer, frozen=True):
    """Several jobs, in the order of their specs."""

    jobs: list[Job]
