"""What happened, as others are told of it: CloudEvents 1.0 in JSON. Source: protocol.md, "Events"; cloudevents.io."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.job_finished import Result
from rota.protocol.problems import InvalidRequest
from rota.protocol.states import JobState, Verdict
from rota.protocol.wire import Answer, Timestamp

PREFIX = "dev.rota."
PATTERNS_MAX = 50
PAGE_MAX = 1000


class EventType(StrEnum):
    """Every kind of event that the log holds. A new one is named here, and a pattern may ask for it."""

    JOB_SUBMITTED = "dev.rota.job.submitted"  # its state says whether it is queued at once
    JOB_QUEUED = "dev.rota.job.queued"  # what it waited for has come
    JOB_ASSIGNED = "dev.rota.job.assigned"
    JOB_RUNNING = "dev.rota.job.running"
    JOB_REFUSED = "dev.rota.job.refused"  # queued again at its old place; the message is the worker's reason
    JOB_LAPSED = "dev.rota.job.lapsed"  # an offer that nobody acknowledged ran out: queued again
    JOB_ATTEMPT_LOST = "dev.rota.job.attempt_lost"  # its worker vanished: the scheduler is asked what follows
    JOB_DETACHED = "dev.rota.job.detached"  # kept through a partition, its worker is silent
    JOB_RETURNED = "dev.rota.job.returned"  # its worker is heard of again
    JOB_FINISHED = "dev.rota.job.finished"  # its result is durable, whatever the exit code
    JOB_CANCELLED = "dev.rota.job.cancelled"
    JOB_EXPIRED = "dev.rota.job.expired"
    JOB_LOST = "dev.rota.job.lost"
    JOB_DECIDED = "dev.rota.job.decided"  # the verdict is there
    JOB_RETRIED = "dev.rota.job.retried"  # once more, on the scheduler's or a person's word


TEST = "dev.rota.webhook.test"
"""What `POST /api/v1/webhooks/{id}/test` sends. It is in no log, and no pattern asks for it."""


class EventAttempt(Answer, frozen=True):
    """The try that the event is about; or the last one."""

    attempt_id: AttemptId
    number: int
    worker_id: WorkerId


class JobFacts(Answer, frozen=True):
    """The job at the moment of the event, as the API's Job has it, without the spec and the other attempts."""

    id: JobId
    state: JobState
    environment: str
    name: str | None = None
    tags: dict[str, str] = {}
    submitted_at: Timestamp | None = None
    submitted_by: str | None = None
    attempt: EventAttempt | None = None
    result: Result | None = None
    verdict: Verdict | None = None
    message: str | None = None


class CloudEvent(Answer, frozen=True, rename={"spec_version": "specversion", "content_type": "datacontenttype"}):
    """One event. `id` is also where it stands in the log: whoever has seen it goes on behind it."""

    id: str
    source: str
    type: str
    subject: str
    time: Timestamp
    data: Any
    spec_version: str = "1.0"
    content_type: str = "application/json"


class EventList(Answer, frozen=True):
    """Oldest first. `next_cursor` null: there are no more now."""

    events: list[CloudEvent]
    next_cursor: str | None = None


_ID = re.compile(r"^([0-9a-f]{8})-([0-9]{1,18})$")


def event_id(log: str, seq: int) -> str:
    """The id of the log's event `seq`."""
    return f"{log}-{seq}"


def read_event_id(text: str, field: str) -> tuple[str, int]:
    """The log and the number. Raises InvalidRequest naming `field` where it is no event's id."""
    found = _ID.match(text)
    if found is None:
        raise InvalidRequest.of(field, "is not the id of an event, such as 5f3a9c1e-1042")
    return found[1], int(found[2])


def check_patterns(patterns: Sequence[str], field: str) -> None:
    """Raise InvalidRequest where one of them is met by no event that there is."""
    if not 1 <= len(patterns) <= PATTERNS_MAX:
        raise InvalidRequest.of(field, f"has 1 to {PATTERNS_MAX} names or patterns, such as dev.rota.job.*")
    for pattern in patterns:
        if not any(is_met(pattern, kind) for kind in EventType):
            raise InvalidRequest.of(field, _advice(pattern))


def is_met(pattern: str, kind: str) -> bool:
    """Whether an event of that type meets the pattern: a type, all below one (`dev.rota.job.*`), or `*`."""
    if pattern == "*":
        return True
    if pattern.endswith(".*"):
        return kind.startswith(pattern[:-1])
    return pattern == kind


def is_any_met(patterns: Sequence[str], kind: str) -> bool:
    """Whether it meets one of them; none given asks for all."""
    return not patterns or any(is_met(pattern, kind) for pattern in patterns)


def _advice(pattern: str) -> str:
    shown = pattern[:100]
    if "*" in pattern.removesuffix(".*"):
        return f"`{shown}`: a star stands alone, or last behind a dot, as in dev.rota.job.*"
    if any(is_met(PREFIX + pattern, kind) for kind in EventType):
        return f"`{shown}`: write it whole, {PREFIX}{shown}"
    return f"`{shown}` is no event; known: {', '.join(EventType)}"
