"""Tokens: opaque ones (`rota_<id>_<secret>`, kept as a hash) and the workers' JWTs (Ed25519, RFC 8037, RFC 9864)."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import InvalidClaimError, JoseError
from joserfc.jwk import KeySet, OKPKey

from rota.protocol.environment import Caller, CallerKind
from rota.protocol.ids import CredentialId
from rota.protocol.placement import WorkerFacts
from rota.protocol.problems import Unauthenticated
from rota.world import World

ISSUER = "rota"
AUDIENCE = "rota-worker"
ALGORITHM = "Ed25519"
JWT_PARTS = 3
LEEWAY_S = 60
"""How far apart the clocks of two machines may be."""

_OPAQUE = re.compile(r"^rota_([0-9a-f]{32})_([A-Za-z0-9_-]{43})$")


class Opaque(msgspec.Struct, frozen=True):
    """The two halves of an opaque token: the one to find it by, the one to prove it."""

    credential_id: CredentialId
    secret: str


def new_opaque(world: World) -> tuple[CredentialId, str, str]:
    """A credential's id, its token (shown once), and the hash that is kept."""
    credential = world.new_id()
    secret = secret_text(world)
    return CredentialId(credential), f"rota_{credential.replace('-', '')}_{secret}", hash_secret(secret)


def is_jwt(token: str) -> bool:
    """Whether it has a JWT's three parts (RFC 7515, compact serialization)."""
    return len(token.split(".")) == JWT_PARTS


def read_opaque(token: str) -> Opaque | None:
    """The halves, or None where it is not such a token."""
    found = _OPAQUE.match(token)
    if found is None:
        return None
    half = found[1]
    dashed = f"{half[:8]}-{half[8:12]}-{half[12:16]}-{half[16:20]}-{half[20:]}"
    return Opaque(CredentialId(dashed), found[2])


def secret_text(world: World) -> str:
    """256 random bits as 43 characters."""
    return base64.urlsafe_b64encode(world.secret(32)).decode().rstrip("=")


def hash_secret(secret: str) -> str:
    """A random secret of 256 bits needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(secret: str, secret_hash: str) -> bool:
    """Whether it is that secret, in a time that tells nothing."""
    return hmac.compare_digest(hash_secret(secret), secret_hash)


class SigningKeys:
    """The keys that sign workers' JWTs: the newest signs, all verify."""

    def __init__(self, private: Sequence[str]) -> None:
        self._keys = [OKPKey.import_key(msgspec.json.decode(key)) for key in private]
        self._verifying = KeySet(list(self._keys))

    @staticmethod
    def generate(key_id: str) -> str:
        """A fresh private key as JWK text."""
        key = OKPKey.generate_key("Ed25519", parameters={"kid": key_id, "use": "sig", "alg": ALGORITHM})
        return msgspec.json.encode(key.as_dict(private=True)).decode()

    def jwks(self) -> dict[str, Any]:
        """The public halves (RFC 7517)."""
        return {"keys": [key.as_dict(private=False) for key in self._keys]}

    def sign(self, facts: WorkerFacts, credential: CredentialId, now_s: float, lifetime_s: float) -> str:
        """A worker's JWT; it holds all that the gateway must know while the Job service is down."""
        key = self._keys[0]
        issued = int(now_s)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": facts.worker_id,
            "jti": credential,
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(lifetime_s),
            "worker": msgspec.to_builtins(facts),
        }
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": key.kid}
        return jwt.encode(header, claims, key, algorithms=[ALGORITHM])

    def verify(self, token: str, now_s: float) -> Caller:
        """Whom the token names. Raises Unauthenticated. Whether it was revoked is the caller's to find out."""
        return verify(token, self._verifying, now_s)


class _OwnClaims(jwt.JWTClaimsRegistry):
    """Of tokens that only our own keys make: when they were made is for people, and protects nothing.

    A token "of the future" is one of before this clock was set back, and as good as it was. What bounds a stolen one is
    `exp`, and that it can be revoked. Source: guarantees.md, F49; surrealdb/surrealdb#7491.
    """

    def validate_iat(self, value: object) -> None:
        self._check_time("iat", value)

    def validate_nbf(self, value: object) -> None:
        self._check_time("nbf", value)

    def _check_time(self, claim: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidClaimError(claim)


def verify(token: str, keys: KeySet, now_s: float) -> Caller:
    """Whom the token names, by one fixed algorithm and the given keys alone. Raises Unauthenticated."""
    try:
        decoded = jwt.decode(token, keys, algorithms=[ALGORITHM])
        if {"jwk", "jku", "x5u", "x5c", "crit"} & decoded.header.keys():
            raise Unauthenticated
        # Rule of RFC 8725: the algorithm, issuer and audience are ours to name, never the token's.
        _OwnClaims(
            now=int(now_s),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            jti={"essential": True},
        ).validate(decoded.claims)
        facts = msgspec.convert(decoded.claims["worker"], WorkerFacts)
    except (JoseError, ValueError, KeyError, TypeError, msgspec.ValidationError):
        raise Unauthenticated from None
    if facts.worker_id != decoded.claims["sub"]:
        raise Unauthenticated
    return Caller(CallerKind.WORKER, CredentialId(decoded.claims["jti"]), facts.environment, facts)
