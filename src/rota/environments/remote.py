"""Environments over HTTP, as gateway and registry see it; while it is down, what was last learnt there counts.

Source: protocol.md: "Gateway and registry recognise a worker by what they last learnt there … for at least 15 minutes
while it is down: so a worker whose Job service is down gets *noJob*, not 401".
"""

import hashlib
from collections import OrderedDict

from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from rota.environments.inner_http import EnrolledWorker, EnrolWorker, Recognise, RenewWorker
from rota.environments.tokens import is_jwt, verify
from rota.http.peer import Peer
from rota.protocol.enrol import Enrol, WorkerCredential
from rota.protocol.environment import Caller, Environment
from rota.protocol.ids import WorkerId
from rota.protocol.placement import WorkerFacts
from rota.protocol.problems import Unauthenticated, Unavailable
from rota.world import World

TRUSTED_FOR_S = 3600.0
"""How long a caller who was recognised is taken for the same while Environments is down."""
_KEYS_EVERY_S = 60.0
_REMEMBERED_MAX = 100_000
_TIMEOUT_S = 3.0


class RemoteEnvironments:
    """See `rota.protocol.participants.Environments`."""

    def __init__(self, peer: Peer, world: World) -> None:
        self._peer, self._world = peer, world
        self._learnt: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        self._keys: KeySet | None = None

    def can_do_without(self) -> bool:
        """Whether workers are recognised while Environments is down: their signing keys were learnt."""
        return self._keys is not None

    async def recognise(self, authorization: str | None) -> Caller:
        if authorization is None:
            raise Unauthenticated
        digest = hashlib.sha256(authorization.encode("utf-8", "surrogatepass")).digest()
        try:
            asked = Recognise(authorization)
            caller = await self._peer.ask("POST", "/internal/v1/recognise", Caller, asked, _TIMEOUT_S)
        except Unavailable:
            return self._by_memory(authorization, digest)
        except Unauthenticated:
            self._learnt.pop(digest, None)
            raise
        self._learnt[digest] = caller, self._world.monotonic() + TRUSTED_FOR_S
        self._learnt.move_to_end(digest)
        if len(self._learnt) > _REMEMBERED_MAX:
            self._learnt.popitem(last=False)
        return caller

    async def enrol(
        self, authorization: str, worker_id: WorkerId, enrol: Enrol
    ) -> tuple[WorkerFacts, WorkerCredential, Environment]:
        asked = EnrolWorker(authorization, worker_id, enrol)
        made = await self._peer.ask("POST", "/internal/v1/enrol", EnrolledWorker, asked)
        return made.facts, made.credential, made.environment

    async def renew(self, caller: Caller) -> WorkerCredential:
        return await self._peer.ask("POST", "/internal/v1/renew", WorkerCredential, RenewWorker(caller))

    async def environment(self, name: str) -> Environment:
        return await self._peer.ask("GET", f"/internal/v1/environments/{name}", Environment)

    async def watch(self) -> None:
        """Keep the signing keys fresh, so that a worker never seen before is recognised too; runs until cancelled."""
        while True:
            try:
                jwks = await self._peer.ask("GET", "/.well-known/jwks.json", KeySetSerialization)
                self._keys = KeySet.import_key_set(jwks)
            except (Unavailable, JoseError):
                await self._world.sleep(1)  # what was learnt before stays; without keys it is asked for sooner
            else:
                await self._world.sleep(_KEYS_EVERY_S)

    def _by_memory(self, authorization: str, digest: bytes) -> Caller:
        caller, until = self._learnt.get(digest, (None, 0.0))
        if caller is not None and until > self._world.monotonic():
            return caller
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and is_jwt(token) and self._keys is not None:
            return verify(token.strip(), self._keys, self._world.now().timestamp())
        raise Unavailable("Who calls cannot be checked: the Job service is down. Try again later.")
