"""The messages that a job really caused, as data. Source: protocol.md, "Flow as JSON"; flows.md."""

from enum import StrEnum
from typing import Literal

from msgspec import field

from rota.protocol.ids import AttemptId
from rota.protocol.wire import Answer, Timestamp


class Participant(StrEnum):
    """In the order in which a diagram draws them."""

    REGISTRY = "WorkerRegistry"
    WORKER = "Worker"
    GATEWAY = "WorkerGateway"
    JOB = "Job"
    SCHEDULER = "JobScheduler"


class Message(Answer, frozen=True):
    """One arrow."""

    at: Timestamp
    attempt_id: AttemptId | None
    sender: Participant = field(name="from")
    receiver: Participant = field(name="to")
    name: str
    outcome: Literal["ok", "error"] = "ok"
    detail: str | None = None


class Flow(Answer, frozen=True):
    """The arrows in the order in which they happened."""

    messages: list[Message]
