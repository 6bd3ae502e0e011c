"""The part of the SDK's blocking face that is about workers and environments. See blocking.py."""

from collections.abc import Mapping
from typing import Literal

from rota.client.background import Background
from rota.client.client import AsyncClient
from rota.protocol.environment import CreatedCredential, Credential, Environment
from rota.protocol.worker import Worker


class Places:
    """PlaceCalls' blocking face."""

    _client: AsyncClient
    _background: Background

    def has_registry(self) -> bool:
        return self._background.run(self._client.has_registry())

    def workers(self) -> list[Worker]:
        return self._background.run(self._client.workers())

    def drain(self, worker_id: str) -> Worker:
        return self._background.run(self._client.drain(worker_id))

    def environments(self) -> list[Environment]:
        return self._background.run(self._client.environments())

    def environment(self, name: str) -> Environment:
        return self._background.run(self._client.environment(name))

    def create_environment(
        self,
        name: str,
        worker_auth: Literal["jwt", "basic"] = "jwt",
        *,
        labels: Mapping[str, str] | None = None,
        heartbeat_s: float | None = None,
        lease_s: float | None = None,
        description: str = "",
        shares: Mapping[str, float] | None = None,
    ) -> Environment:
        return self._background.run(
            self._client.create_environment(
                name,
                worker_auth,
                labels=labels,
                heartbeat_s=heartbeat_s,
                lease_s=lease_s,
                description=description,
                shares=shares,
            )
        )

    def change_shares(self, environment: str, shares: Mapping[str, float]) -> Environment:
        return self._background.run(self._client.change_shares(environment, shares))

    def create_credential(
        self,
        environment: str,
        kind: Literal["enrolment", "submit", "view", "admin"],
        *,
        expires_in_s: float | None = None,
        uses: int | None = None,
        note: str = "",
        tenant: str | None = None,
    ) -> CreatedCredential:
        return self._background.run(
            self._client.create_credential(
                environment, kind, expires_in_s=expires_in_s, uses=uses, note=note, tenant=tenant
            )
        )

    def credentials(self, environment: str) -> list[Credential]:
        return self._background.run(self._client.credentials(environment))

    def revoke(self, environment: str, credential_id: str) -> None:
        self._background.run(self._client.revoke(environment, credential_id))
