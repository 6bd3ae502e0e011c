"""Environments, their credentials and who calls. Source: protocol.md, "Starting, and who may enter"."""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from rota.protocol.ids import CredentialId
from rota.protocol.placement import WorkerFacts
from rota.protocol.wire import Answer, Request, Timestamp

EnvironmentName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$(?!\n)",
        description="1 to 63 lower-case letters, digits and hyphens, no hyphen first or last",
    ),
]
SecretName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,199}$(?!\n)",
        description="1 to 200 letters, digits and underscores, no digit first",
    ),
]
HeartbeatSeconds = Annotated[float, Meta(ge=0.1, le=3600)]
LeaseSeconds = Annotated[float, Meta(ge=0.3, le=86400)]
Description = Annotated[str, Meta(max_length=10_000)]
Tenant = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,199}$(?!\n)",
        description="1 to 200 letters, digits and . _ @ -, a letter or digit first",
    ),
]
Weight = Annotated[float, Meta(ge=0.001, le=1000)]
Shares = Annotated[
    dict[Tenant, Weight],
    Meta(max_length=10_000, description="tenant → weight: whoever is not named has 1; see how-to/who-is-first"),
]


class CreateEnvironment(Request, frozen=True):
    """A named place where workers run."""

    name: EnvironmentName
    worker_auth: Literal["jwt", "basic"]
    labels: dict[str, str] = {}
    heartbeat_s: HeartbeatSeconds = 10
    lease_s: LeaseSeconds = 30
    description: Description = ""
    shares: Shares = {}


class ChangeEnvironment(Request, frozen=True):
    """What may change of it; a field left out stays."""

    labels: dict[str, str] | UnsetType = UNSET
    heartbeat_s: HeartbeatSeconds | UnsetType = UNSET
    lease_s: LeaseSeconds | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    shares: Shares | UnsetType = UNSET


class Environment(Answer, frozen=True):
    """As people see it."""

    name: str
    worker_auth: Literal["jwt", "basic"]
    labels: dict[str, str]
    heartbeat_s: float
    lease_s: float
    description: str
    created_at: Timestamp
    shares: dict[str, float] = {}


class EnvironmentList(Answer, frozen=True):
    """Environments, by name."""

    environments: list[Environment]


class TokenKind(StrEnum):
    """What a token is for."""

    ENROLMENT = "enrolment"  # makes workers of the environment
    SUBMIT = "submit"  # submits, follows and cancels in it
    VIEW = "view"  # reads
    ADMIN = "admin"  # all of it


class CallerKind(StrEnum):
    """Who may call: a token's holder, a worker, or another of Rota's own services."""

    ENROLMENT = "enrolment"
    SUBMIT = "submit"
    VIEW = "view"
    ADMIN = "admin"
    WORKER = "worker"
    SERVICE = "service"


class CreateCredential(Request, frozen=True):
    """`expires_in_s` and `uses` left out: neither ends it. `tenant`: for whom a submit credential's jobs take turns."""

    kind: TokenKind
    expires_in_s: Annotated[float, Meta(gt=0, le=100 * 365 * 86400)] | None = None
    uses: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    note: Annotated[str, Meta(max_length=1000)] = ""
    tenant: Tenant | None = None


class CreatedCredential(Answer, frozen=True):
    """The token is shown this once and kept only as a hash."""

    credential_id: CredentialId
    kind: TokenKind
    token: str
    expires_at: Timestamp | None


class Credential(Answer, frozen=True):
    """As listed: without its token. `worker_id` where it is a worker's."""

    credential_id: CredentialId
    kind: CallerKind
    note: str
    created_at: Timestamp
    expires_at: Timestamp | None
    uses_left: int | None
    worker_id: str | None
    tenant: str | None = None


class CredentialList(Answer, frozen=True):
    """Credentials that are not revoked, newest first."""

    credentials: list[Credential]


class Caller(Answer, frozen=True):
    """Who calls. `environment` null: everywhere. `worker` is what a worker's credential says of it."""

    kind: CallerKind
    credential_id: CredentialId
    environment: str | None
    worker: WorkerFacts | None = None
    tenant: str | None = None


class PutSecret(Request, frozen=True):
    """A secret's value; it is never read back."""

    value: Annotated[str, Meta(max_length=64 * 1024)]


class Secret(Answer, frozen=True):
    """A secret's name."""

    name: str
    set_at: Timestamp


class SecretList(Answer, frozen=True):
    """Secrets by name, without values."""

    secrets: list[Secret]
