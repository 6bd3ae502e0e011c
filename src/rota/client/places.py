"""Workers and environments: where jobs run, and who may enter. Source: protocol.md, "Starting, and who may enter"."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

from rota.client.transport import Call, Transport
from rota.protocol.environment import CreatedCredential, Credential, CredentialList, Environment, EnvironmentList
from rota.protocol.worker import Worker, WorkerList

ENVIRONMENTS = "/api/v1/environments"
WORKERS = "/api/v1/workers"
ENROLMENT = "/registry/v1/workers"


class PlaceCalls:
    """The calls of `/api/v1/workers` and `/api/v1/environments`."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def has_registry(self) -> bool:
        """Whether the registry's routes are among those that the server describes."""
        described = await self.transport.ask(Call(method="GET", path="/openapi.json"), dict[str, Any])
        return ENROLMENT in described.get("paths", {})

    async def workers(self) -> list[Worker]:
        """All that the caller may see, by name."""
        return (await self.transport.ask(Call(method="GET", path=WORKERS), WorkerList)).workers

    async def drain(self, worker_id: str) -> Worker:
        """Raises NotFound."""
        return await self.transport.ask(Call(method="POST", path=f"{WORKERS}/{quote(worker_id, '')}/drain"), Worker)

    async def environments(self) -> list[Environment]:
        """All that the caller may see, by name."""
        return (await self.transport.ask(Call(method="GET", path=ENVIRONMENTS), EnvironmentList)).environments

    async def environment(self, name: str) -> Environment:
        """Raises NotFound."""
        return await self.transport.ask(Call(method="GET", path=f"{ENVIRONMENTS}/{quote(name, '')}"), Environment)

    async def create_environment(
        self,
        name: str,
        worker_auth: Literal["jwt", "basic"],
        labels: Mapping[str, str] | None,
        heartbeat_s: float | None,
        lease_s: float | None,
        description: str,
        shares: Mapping[str, float] | None,
    ) -> Environment:
        """What is None is left to the server. Raises Conflict."""
        body = given(
            name=name,
            worker_auth=worker_auth,
            labels=dict(labels) if labels else None,
            heartbeat_s=heartbeat_s,
            lease_s=lease_s,
            description=description or None,
            shares=dict(shares) if shares else None,
        )
        call = Call(method="POST", path=ENVIRONMENTS, body=body, repeatable=False)
        return await self.transport.ask(call, Environment)

    async def change_shares(self, name: str, shares: Mapping[str, float]) -> Environment:
        """All of them are replaced. Raises NotFound."""
        call = Call(method="PATCH", path=f"{ENVIRONMENTS}/{quote(name, '')}", body={"shares": dict(shares)})
        return await self.transport.ask(call, Environment)

    async def create_credential(
        self, environment: str, kind: str, expires_in_s: float | None, uses: int | None, note: str, tenant: str | None
    ) -> CreatedCredential:
        """What is None is left out. Never repeated where the answer was lost: that would leave a token behind."""
        body = given(kind=kind, expires_in_s=expires_in_s, uses=uses, note=note or None, tenant=tenant)
        path = f"{ENVIRONMENTS}/{quote(environment, '')}/credentials"
        return await self.transport.ask(Call(method="POST", path=path, body=body, repeatable=False), CreatedCredential)

    async def credentials(self, environment: str) -> list[Credential]:
        """Newest first."""
        call = Call(method="GET", path=f"{ENVIRONMENTS}/{quote(environment, '')}/credentials")
        return (await self.transport.ask(call, CredentialList)).credentials

    async def revoke(self, environment: str, credential_id: str) -> None:
        """Raises NotFound."""
        path = f"{ENVIRONMENTS}/{quote(environment, '')}/credentials/{quote(credential_id, '')}"
        await self.transport.read(Call(method="DELETE", path=path))


def given(**fields: Any) -> dict[str, Any]:  # noqa: ANN401  (a request's fields are of many types)
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}
