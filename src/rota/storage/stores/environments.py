"""What Environments asks of its store."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from rota.protocol.environment import CallerKind, Credential, Environment
from rota.protocol.ids import CredentialId
from rota.protocol.placement import WorkerFacts


class StoredCredential(msgspec.Struct, frozen=True):
    """A credential as it is kept: never the secret itself. `environment` None: everywhere."""

    id: CredentialId
    kind: CallerKind
    environment: str | None
    secret_hash: str
    note: str
    worker: WorkerFacts | None
    uses_left: int | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None = None
    tenant: str | None = None


class EnvironmentStore(Protocol):
    """Environments, credentials and signing keys."""

    async def insert(self, environment: Environment) -> None:
        """Raises Conflict where the name is taken, also by a retired one."""
        ...

    async def environment(self, name: str) -> Environment | None:
        """None where there is none, or it is retired."""
        ...

    async def environments(self) -> list[Environment]:
        """By name, without the retired."""
        ...

    async def change(self, environment: Environment) -> None:
        """Replace what may change of it."""
        ...

    async def retire(self, name: str, at: str) -> None:
        """It takes no more jobs and workers; its credentials are revoked with it."""
        ...

    async def insert_credential(self, credential: StoredCredential) -> None:
        """Keep it."""
        ...

    async def credential(self, credential: CredentialId) -> StoredCredential | None:
        """One, also if revoked."""
        ...

    async def credentials(self, environment: str) -> list[Credential]:
        """Not revoked, newest first."""
        ...

    async def revoke(self, credential: CredentialId, environment: str, at: str) -> bool:
        """Whether there was one to revoke."""
        ...

    async def use_up(self, credential: CredentialId, now: str) -> bool:
        """Count one use. False: used up, expired or revoked; of many at once, as many win as uses are left."""
        ...

    async def replace_secret(self, credential: CredentialId, secret_hash: str) -> None:
        """The old secret is no longer good."""
        ...

    async def signing_keys(self) -> Sequence[tuple[str, str]]:
        """Id and private JWK, newest first."""
        ...

    async def insert_signing_key(self, key: str, private: str, at: str) -> None:
        """Keep it."""
        ...
