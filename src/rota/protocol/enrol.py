"""Enrolment: a worker trades its environment's enrolment token for a credential of its own. Source: protocol.md."""

from typing import Annotated, Literal

from msgspec import Meta

from rota.protocol.get_job import SLOTS_MAX
from rota.protocol.ids import WorkerId
from rota.protocol.problems import FieldError, InvalidRequest
from rota.protocol.resources import Resources, wrong_resources
from rota.protocol.spec import Name
from rota.protocol.wire import Answer, Request, Timestamp

PROTOCOL_VERSION = 1
"""The only version that is spoken; a caller may name it in the header `Rota-Protocol`."""


class Enrol(Request, frozen=True):
    """What a worker says of itself, once."""

    name: Name
    labels: dict[str, str]
    slots: Annotated[int, Meta(ge=1, le=SLOTS_MAX)]
    executors: Annotated[list[str], Meta(min_length=1, max_length=50)]
    version: Annotated[str, Meta(max_length=100)]
    resources: Resources = {}

    def check(self) -> None:
        """Raise InvalidRequest naming each resource that cannot be meant so."""
        errors = [FieldError(*wrong) for wrong in wrong_resources(self.resources, "resources", is_asked=False)]
        if errors:
            raise InvalidRequest("; ".join(f"{e.field}: {e.message}" for e in errors), errors)


class WorkerCredential(Answer, frozen=True, omit_defaults=True):
    """A JWT (`token`, `expires_at`) or a Basic pair (`username`, `password`), as the environment says."""

    method: Literal["jwt", "basic"]
    token: str | None = None
    expires_at: Timestamp | None = None
    username: str | None = None
    password: str | None = None


class Enrolled(Answer, frozen=True):
    """All that a worker needs from now on; its environment's labels are already its own."""

    worker_id: WorkerId
    environment: str
    credential: WorkerCredential
    gateway_url: str
    registry_url: str
    heartbeat_s: float


class Renewed(Answer, frozen=True):
    """A fresh credential for one that is still good."""

    credential: WorkerCredential
