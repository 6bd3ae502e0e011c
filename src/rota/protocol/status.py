"""status: Working, readyForWork → status received. Source: flows.md; protocol.md, "status"."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from rota.protocol.ids import AttemptId, WorkerId
from rota.protocol.wire import Answer, Request, Timestamp


class WorkerStatus(StrEnum):
    """What a worker says of itself; `lost` is what the registry says of one unseen for 3 heartbeats."""

    WORKING = "working"  # about to execute, or executing; its answer is the permission
    READY_FOR_WORK = "ready_for_work"  # nothing left to report of what it did
    DRAINING = "draining"  # finishes what runs, takes no more
    OFFLINE = "offline"  # gone by its own will
    LOST = "lost"  # unseen; never sent by a worker


AT_WORK = frozenset({WorkerStatus.WORKING, WorkerStatus.DRAINING})
"""What a worker says that executes what it names; the answer is the permission to."""


class Status(Request, frozen=True):
    """A worker's present status; `attempts` are all that it answers for. Never `lost`."""

    status: WorkerStatus
    attempts: Annotated[list[AttemptId], Meta(max_length=10_000)]
    free_slots: Annotated[int, Meta(ge=0, le=10_000)]


class StatusReceived(Answer, frozen=True):
    """The permission to execute. `drain` asks the worker to take no more jobs and to leave when the last has ended."""

    received: bool
    drain: bool = False


class Acknowledgement(Answer, frozen=True):
    """What one worker said of an attempt: its first `working`, and the first status after its end.

    Whose attempt it is, and whether it may still be started, the registry asks the Job service.
    """

    attempt_id: AttemptId
    worker_id: WorkerId
    working_at: Timestamp
    ready_at: Timestamp | None = None
