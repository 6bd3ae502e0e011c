"""Workers' credentials in a simulation: the real tokens, of one key that all services know, with a short life.

Not every seed has them (a signature costs time). Source: protocol.md, "Registry: enrol".
"""

import base64

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rota.environments.tokens import ALGORITHM, SigningKeys
from rota.protocol.enrol import Enrolled, WorkerCredential
from rota.protocol.environment import Caller
from rota.protocol.ids import CredentialId
from rota.protocol.placement import WorkerFacts
from rota.protocol.problems import Unauthenticated
from rota.worker.credential import Kept
from rota.world import World

LIFE_S = 60.0
"""And a minute of leeway. It is renewed four times in that."""
AGE_S = 85.0
"""So old are those of the beginning: good for half a minute more, thanks to the leeway."""


def _key() -> SigningKeys:
    """Always the same, so that a seed is the same."""
    secret = bytes(range(32))
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key = {"kty": "OKP", "crv": "Ed25519", "kid": "simulated", "use": "sig", "alg": ALGORITHM}
    return SigningKeys([msgspec.json.encode(key | {"d": _text(secret), "x": _text(public)}).decode()])


def _text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


KEYS = _key()


def issued(facts: WorkerFacts, world: World, age_s: float = 0.0) -> WorkerCredential:
    """By the issuer's clock."""
    credential = CredentialId(facts.name)
    return WorkerCredential("jwt", token=KEYS.sign(facts, credential, world.now().timestamp() - age_s, LIFE_S))


def recognised(authorization: str, world: World) -> Caller:
    """By the clock of who asks. Raises Unauthenticated."""
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer":
        raise Unauthenticated
    return KEYS.verify(token, world.now().timestamp())


def enrolled(facts: WorkerFacts, issuer: World, worker: World, heartbeat_s: float, age_s: float) -> Kept:
    """What a worker has that was enrolled so long ago."""
    credential = issued(facts, issuer, age_s)
    told = Enrolled(facts.worker_id, facts.environment, credential, "sim://gateway", "sim://registry", heartbeat_s)
    return Kept("sim://registry", {}, told, worker.now().timestamp() - age_s)
