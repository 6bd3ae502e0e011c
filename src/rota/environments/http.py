"""/api/v1/environments: places, and the credentials to be had in them. Source: protocol.md, "Starting"."""

import msgspec

from rota.environments.service import EnvironmentsService
from rota.http.routes import ADMINS, PEOPLE, Call, Endpoint
from rota.protocol.environment import (
    ChangeEnvironment,
    CreateCredential,
    CreatedCredential,
    CreateEnvironment,
    CredentialList,
    Environment,
    EnvironmentList,
    PutSecret,
    SecretList,
)  # fmt: skip
from rota.protocol.ids import CredentialId
from rota.protocol.problems import Forbidden, InvalidRequest, NotFound


class EnvironmentsHttp:
    """The routes."""

    def __init__(self, environments: EnvironmentsService) -> None:
        self._environments = environments

    def endpoints(self) -> list[Endpoint]:
        """What is served, by whom it may be called."""
        base = "/api/v1/environments"
        one, credentials, secrets = f"{base}/{{name}}", f"{base}/{{name}}/credentials", f"{base}/{{name}}/secrets"
        return [
            Endpoint("POST", base, self.create, "create", ADMINS, CreateEnvironment, Environment, 201),
            Endpoint("GET", base, self.environments, "list", PEOPLE, None, EnvironmentList),
            Endpoint("GET", one, self.environment, "show", PEOPLE, None, Environment),
            Endpoint("PATCH", one, self.change, "change", ADMINS, ChangeEnvironment, Environment),
            Endpoint("DELETE", one, self.retire, "retire", ADMINS),
            Endpoint(
                "POST", credentials, self.provision, "provision", ADMINS, CreateCredential, CreatedCredential, 201
            ),
            Endpoint("GET", credentials, self.credentials, "list credentials", ADMINS, None, CredentialList),
            Endpoint("DELETE", f"{credentials}/{{credential_id}}", self.revoke, "revoke", ADMINS),
            Endpoint("GET", secrets, self.secrets, "list secrets by name", ADMINS, None, SecretList),
            Endpoint("PUT", f"{secrets}/{{key}}", self.put_secret, "set a secret", ADMINS, PutSecret),
        ]

    async def create(self, call: Call) -> Environment:
        if call.caller.environment is not None:
            raise Forbidden("Only the administrator's token makes environments.")
        return await self._environments.create(await call.body(CreateEnvironment))

    async def environments(self, call: Call) -> EnvironmentList:
        own = call.caller.environment
        return EnvironmentList([e for e in await self._environments.environments() if own in {None, e.name}])

    async def environment(self, call: Call) -> Environment:
        return await self._environments.environment(_own(call))

    async def change(self, call: Call) -> Environment:
        return await self._environments.change(_own(call), await call.body(ChangeEnvironment))

    async def retire(self, call: Call) -> None:
        await self._environments.retire(_own(call))

    async def provision(self, call: Call) -> CreatedCredential:
        return await self._environments.create_credential(_own(call), await call.body(CreateCredential))

    async def credentials(self, call: Call) -> CredentialList:
        return CredentialList(await self._environments.credentials(_own(call)))

    async def revoke(self, call: Call) -> None:
        await self._environments.revoke(_own(call), CredentialId(call.part("credential_id")))

    async def secrets(self, call: Call) -> SecretList:
        await self._environments.environment(_own(call))
        return SecretList([])

    async def put_secret(self, call: Call) -> msgspec.Struct | None:
        await self._environments.environment(_own(call))
        raise InvalidRequest.of("secrets", "are not supported by this server yet; use `env` for what is not secret")


def _own(call: Call) -> str:
    """The environment that the path names. A foreign one is as unknown as one that does not exist."""
    name = call.part("name")
    if call.caller.environment not in {None, name}:
        raise NotFound(f"There is no environment `{name}`.")
    return name
