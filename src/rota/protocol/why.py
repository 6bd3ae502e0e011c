"""Why a job waits. Source: protocol.md, "/api/v1/jobs/{id}/why"."""

from enum import StrEnum

from rota.protocol.ids import JobId
from rota.protocol.states import JobState
from rota.protocol.wire import Answer, Timestamp


class ReasonCode(StrEnum):
    """What holds a job back, for programs."""

    NO_WORKER = "no_worker"  # none that fits is there
    WORKERS_BUSY = "workers_busy"  # those that fit have no room
    NEEDS = "needs"  # for other jobs' ends
    GROUP = "group"  # for a seat in its concurrency group
    NOT_BEFORE = "not_before"  # for a time that its spec names
    BACKOFF = "backoff"  # for its next try
    LIMIT = "limit"  # for a seat among its array's parts, or for its group's rate
    PLACE = "place"  # for jobs that stand before it


class Reason(Answer, frozen=True, omit_defaults=True):
    """One of them, in words for people; with the jobs that it waits for, the time, or its place, where it has such."""

    code: ReasonCode
    message: str
    job_ids: list[JobId] = []
    at: Timestamp | None = None
    place: int | None = None


class Why(Answer, frozen=True):
    """All that holds the job back now; empty where it does not wait, or is about to go on."""

    state: JobState
    reasons: list[Reason]
