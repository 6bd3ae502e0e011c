"""Environments: places, credentials, enrolment. Source: protocol.md, "Starting, and who may enter", "enrol"."""

import asyncio
from datetime import timedelta

import msgspec

from rota.environments import passwords
from rota.environments.callers import Callers
from rota.environments.tokens import SigningKeys, hash_secret, new_opaque, read_opaque, secret_text
from rota.protocol.enrol import Enrol, WorkerCredential
from rota.protocol.environment import (
    Caller,
    CallerKind,
    ChangeEnvironment,
    CreateCredential,
    CreatedCredential,
    CreateEnvironment,
    Credential,
    Environment,
    TokenKind,
)  # fmt: skip
from rota.protocol.ids import CredentialId, WorkerId
from rota.protocol.placement import WorkerFacts
from rota.protocol.problems import Conflict, Forbidden, InvalidRequest, NotFound, Unauthenticated
from rota.protocol.resources import counted
from rota.protocol.spec import ENVIRONMENT
from rota.protocol.wire import timestamp
from rota.storage.stores.environments import EnvironmentStore, StoredCredential
from rota.world import World

WORKER_TOKEN_LIFETIME_S = 24 * 3600
"""A worker's JWT: long enough to outlive an outage of the registry; revocation does not wait for it."""


class EnvironmentsService:
    """See `rota.protocol.participants.Environments` for what gateway and registry ask."""

    def __init__(self, store: EnvironmentStore, world: World) -> None:
        self._store, self._world = store, world
        self._known: dict[str, Environment] = {}
        self._keys: SigningKeys
        self._callers: Callers

    async def start(self) -> None:
        """Make what an empty database lacks: the environment `default` and a signing key."""
        private = [key for _, key in await self._store.signing_keys()]
        if not private:
            key_id = self._world.new_id()
            private = [SigningKeys.generate(key_id)]
            await self._store.insert_signing_key(key_id, private[0], self._now())
            await self.create(CreateEnvironment(ENVIRONMENT, "jwt", description="Made at the first start."))
        self._keys = SigningKeys(private)
        self._callers = Callers(self._store, self._keys, self._world)

    async def make_token(self, kind: CallerKind, note: str) -> str:
        """A token for everywhere: the administrator's, or the one by which Rota's services know each other."""
        credential, token, secret_hash = new_opaque(self._world)
        await self._store.insert_credential(
            StoredCredential(credential, kind, None, secret_hash, note, None, None, self._now(), None)
        )
        return token

    async def accept_token(self, token: str, kind: CallerKind, note: str) -> None:
        """Take a token that an operator gave, as it was made by an earlier `make_token`. Raises InvalidRequest."""
        opaque = read_opaque(token)
        if opaque is None:
            raise InvalidRequest.of("ROTA_SERVICE_TOKEN", "is not a token that Rota made")
        if await self._store.credential(opaque.credential_id) is None:
            kept = hash_secret(opaque.secret)
            await self._store.insert_credential(
                StoredCredential(opaque.credential_id, kind, None, kept, note, None, None, self._now(), None)
            )

    async def recognise(self, authorization: str | None) -> Caller:
        return await self._callers.recognise(authorization)

    def jwks(self) -> dict[str, object]:
        """The public signing keys."""
        return self._keys.jwks()

    async def create(self, wanted: CreateEnvironment) -> Environment:
        """A new place. Raises Conflict where the name is taken, InvalidRequest where leases would be too short."""
        made = Environment(
            wanted.name, wanted.worker_auth, wanted.labels, wanted.heartbeat_s, wanted.lease_s, wanted.description,
            self._now(), wanted.shares,
        )  # fmt: skip
        _check_lease(made)
        if await self._store.environment(wanted.name) is not None:
            raise Conflict(f"There is an environment `{wanted.name}` already.")
        try:
            await self._store.insert(made)
        except Conflict:
            raise Conflict(f"`{wanted.name}` was the name of an environment that is retired; take another.") from None
        return made

    async def environment(self, name: str) -> Environment:
        found = self._known.get(name) or await self._store.environment(name)
        if found is None:
            raise NotFound(f"There is no environment `{name}`.")
        self._known[name] = found
        return found

    async def environments(self) -> list[Environment]:
        """By name."""
        return await self._store.environments()

    async def change(self, name: str, wanted: ChangeEnvironment) -> Environment:
        """Replace what `wanted` names. Raises NotFound, InvalidRequest."""
        given = {key: value for key, value in msgspec.structs.asdict(wanted).items() if value is not msgspec.UNSET}
        changed = msgspec.structs.replace(await self.environment(name), **given)
        _check_lease(changed)
        await self._store.change(changed)
        self._known[name] = changed
        return changed

    async def retire(self, name: str) -> None:
        """No more jobs and workers there; all its credentials are revoked. Raises NotFound."""
        await self.environment(name)
        await self._store.retire(name, self._now())
        self._known.pop(name, None)
        self._callers.forget_all()

    async def create_credential(self, environment: str, wanted: CreateCredential) -> CreatedCredential:
        """A token of the environment, shown this once. Raises NotFound."""
        await self.environment(environment)
        credential, token, secret_hash = new_opaque(self._world)
        now = self._world.now()
        expires_at = None if wanted.expires_in_s is None else timestamp(now + timedelta(seconds=wanted.expires_in_s))
        if wanted.uses is not None and wanted.kind is not TokenKind.ENROLMENT:
            raise InvalidRequest.of("uses", "only an enrolment token is used up; leave it out for other kinds")
        if wanted.tenant is not None and wanted.kind is not TokenKind.SUBMIT:
            raise InvalidRequest.of("tenant", "is for a submit token, whose jobs take turns; leave it out for others")
        await self._store.insert_credential(
            StoredCredential(
                credential, CallerKind(wanted.kind), environment, secret_hash, wanted.note, None, wanted.uses,
                timestamp(now), expires_at, tenant=wanted.tenant,
            )
        )  # fmt: skip
        return CreatedCredential(credential, wanted.kind, token, expires_at)

    async def credentials(self, environment: str) -> list[Credential]:
        """Without tokens. Raises NotFound."""
        await self.environment(environment)
        return await self._store.credentials(environment)

    async def revoke(self, environment: str, credential: CredentialId) -> None:
        """The next call with it is 401. Raises NotFound."""
        if not await self._store.revoke(credential, environment, self._now()):
            raise NotFound("There is no such credential in this environment.")
        self._callers.forget(credential)

    async def enrol(
        self, authorization: str, worker_id: WorkerId, enrol: Enrol
    ) -> tuple[WorkerFacts, WorkerCredential, Environment]:
        caller = await self.recognise(authorization)
        if caller.kind is not CallerKind.ENROLMENT or caller.environment is None:
            raise Forbidden("Only an enrolment token makes workers. Ask for one: rota env token ENVIRONMENT.")
        enrol.check()
        environment = await self.environment(caller.environment)
        if not await self._store.use_up(caller.credential_id, self._now()):
            raise Unauthenticated
        facts = WorkerFacts(
            worker_id, environment.name, enrol.name, {**enrol.labels, **environment.labels}, enrol.executors,
            enrol.slots, counted(enrol.resources),
        )  # fmt: skip
        credential = CredentialId(self._world.new_id())
        await self._store.insert_credential(
            StoredCredential(
                credential, CallerKind.WORKER, environment.name, "", f"worker {enrol.name}", facts, None, self._now(),
                None,
            )
        )  # fmt: skip
        return facts, await self._issue(credential, facts, environment.worker_auth), environment

    async def renew(self, caller: Caller) -> WorkerCredential:
        if caller.worker is None or caller.environment is None:
            raise Forbidden("Only a worker renews a worker's credential.")
        environment = await self.environment(caller.environment)
        return await self._issue(caller.credential_id, caller.worker, environment.worker_auth)

    async def _issue(self, credential: CredentialId, facts: WorkerFacts, method: str) -> WorkerCredential:
        if method == "jwt":
            now = self._world.now()
            token = self._keys.sign(facts, credential, now.timestamp(), WORKER_TOKEN_LIFETIME_S)
            expires_at = timestamp(now + timedelta(seconds=WORKER_TOKEN_LIFETIME_S))
            return WorkerCredential("jwt", token=token, expires_at=expires_at)
        password = secret_text(self._world)
        stored = await self._store.credential(credential)
        before = stored.secret_hash.split()[:1] if stored is not None else []
        fresh = await asyncio.to_thread(passwords.hash_password, password)
        await self._store.replace_secret(credential, " ".join([fresh, *before]))
        self._callers.forget(credential)
        return WorkerCredential("basic", username=credential, password=password)

    def _now(self) -> str:
        return timestamp(self._world.now())


def _check_lease(environment: Environment) -> None:
    """A lease must outlive a lost heartbeat, or healthy workers would lose their jobs."""
    if environment.lease_s < 2 * environment.heartbeat_s:
        raise InvalidRequest.of("lease_s", f"must be at least twice heartbeat_s ({environment.heartbeat_s:g})")
