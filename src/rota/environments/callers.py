"""Who calls: from an `Authorization` header to a Caller, or one and the same refusal."""

import asyncio
import base64
import binascii
import hashlib
from collections import OrderedDict

import msgspec

from rota.environments import passwords
from rota.environments.tokens import SigningKeys, hash_secret, is_jwt, is_secret, read_opaque
from rota.protocol.environment import Caller, CallerKind
from rota.protocol.ids import CredentialId
from rota.protocol.problems import Unauthenticated
from rota.protocol.wire import timestamp
from rota.storage.stores.environments import EnvironmentStore, StoredCredential
from rota.world import World

AUTHORIZATION_SIZE_MAX = 8 * 1024
_REMEMBERED_MAX = 100_000


class Callers:
    """Recognises callers; remembers what is expensive to check, forgets at once what is revoked."""

    def __init__(self, store: EnvironmentStore, keys: SigningKeys, world: World) -> None:
        self._store, self._keys, self._world = store, keys, world
        self._credentials: dict[CredentialId, StoredCredential] = {}
        self._proven: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()  # header's digest → caller, until when

    def forget(self, credential: CredentialId) -> None:
        """It was revoked or changed: look it up again."""
        self._credentials.pop(credential, None)
        for digest in [digest for digest, (caller, _) in self._proven.items() if caller.credential_id == credential]:
            del self._proven[digest]

    def forget_all(self) -> None:
        """Many were revoked: look all up again."""
        self._credentials.clear()
        self._proven.clear()

    async def recognise(self, authorization: str | None) -> Caller:
        """Who sends this header. Raises Unauthenticated."""
        if authorization is None or len(authorization) > AUTHORIZATION_SIZE_MAX:
            raise Unauthenticated
        scheme, _, value = authorization.partition(" ")
        digest = hashlib.sha256(authorization.encode("utf-8", "surrogatepass")).digest()
        now_s = self._world.monotonic()
        caller, until = self._proven.get(digest, (None, 0.0))
        if caller is None or until <= now_s:
            caller, until = await self._prove(scheme.lower(), value.strip(), now_s)
            self._proven[digest] = caller, until
            if len(self._proven) > _REMEMBERED_MAX:
                self._proven.popitem(last=False)
        await self._still_good(caller)
        return caller

    async def _prove(self, scheme: str, value: str, now_s: float) -> tuple[Caller, float]:
        """The caller, and until when the proof may be remembered (monotonic seconds)."""
        if scheme == "basic":
            return await self._by_password(value), now_s + 3600
        if scheme != "bearer":
            raise Unauthenticated
        if is_jwt(value):
            return self._keys.verify(
                value, self._world.now().timestamp()
            ), now_s + 30  # looked at again: it may expire meanwhile
        opaque = read_opaque(value)
        stored = None if opaque is None else await self._credential(opaque.credential_id)
        if opaque is None or stored is None or stored.kind is CallerKind.WORKER:
            hash_secret(value)  # as much work as for a known one
            raise Unauthenticated
        if not is_secret(opaque.secret, stored.secret_hash):
            raise Unauthenticated
        return Caller(stored.kind, stored.id, stored.environment, tenant=stored.tenant), now_s + 3600

    async def _by_password(self, value: str) -> Caller:
        try:
            username, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise Unauthenticated from None
        stored = await self._credential(CredentialId(username)) if colon else None
        if stored is None or stored.kind is not CallerKind.WORKER or not stored.secret_hash or stored.worker is None:
            await asyncio.to_thread(passwords.check_nobody, password)
            raise Unauthenticated
        which = await asyncio.to_thread(passwords.which_password, password, stored.secret_hash)
        if which is None:
            raise Unauthenticated
        if which == 0 and " " in stored.secret_hash:  # the new password arrived: the old one is no longer good
            newest = stored.secret_hash.split()[0]
            await self._store.replace_secret(stored.id, newest)
            self.forget(stored.id)
            stored = msgspec.structs.replace(stored, secret_hash=newest)
        return Caller(CallerKind.WORKER, stored.id, stored.environment, stored.worker)

    async def _still_good(self, caller: Caller) -> None:
        stored = await self._credential(caller.credential_id)
        if (
            stored is None
            or stored.revoked_at is not None
            or stored.uses_left == 0
            or (stored.expires_at is not None and stored.expires_at <= timestamp(self._world.now()))
        ):
            raise Unauthenticated

    async def _credential(self, credential: CredentialId) -> StoredCredential | None:
        known = self._credentials.get(credential)
        if known is None:
            known = await self._store.credential(credential)
            if known is not None and known.uses_left is None:  # what is counted is looked at each time
                self._credentials[credential] = known
        return known
