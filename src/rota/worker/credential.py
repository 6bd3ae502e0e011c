"""The worker's credential: enrolled for once, kept in the work folder with mode 0600, renewed while it is good.

Source: protocol.md, "Registry: enrol"; threats.md, T19.
"""

import base64
import binascii
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from rota.protocol.enrol import Enrolled, WorkerCredential
from rota.protocol.problems import Problem, Unauthenticated
from rota.protocol.resources import Resources
from rota.protocol.wire import parse_timestamp
from rota.worker.backoff import TRANSIENT, Backoff
from rota.worker.calls import explain
from rota.worker.registry import Registry
from rota.worker.say import say
from rota.world import World

FILE_NAME = "credential.json"
RENEW_AT = 1 / 4
"""Which part of its life a credential is used for before it is renewed: the rest outlasts an outage of the registry."""


class Kept(msgspec.Struct, frozen=True):
    """What the file holds. `obtained_at` is seconds of the wall clock."""

    server_url: str
    labels: dict[str, str]
    enrolled: Enrolled
    obtained_at: float
    name: str | None = None
    slots: int | None = None
    resources: Resources | None = None
    """None: kept by a version that did not keep it."""


def load(folder: Path) -> Kept | None:
    """What an earlier start kept, or None. A file that cannot be read as such is as good as none, and said to be."""
    try:
        return msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        say(f"the credential in {folder / FILE_NAME} cannot be read ({error}); it is not used")
        return None


def save(folder: Path, kept: Kept) -> None:
    """Keep it: whole or not at all, readable by this user alone."""
    fresh = folder / f"{FILE_NAME}.new"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123  (a descriptor)
        file.write(msgspec.json.encode(kept))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / FILE_NAME)


def relocated(kept: Kept, server_url: str) -> Kept:
    """The same for a server that has moved to another address; a gateway of its own stays where it was."""
    if kept.server_url == server_url:
        return kept
    enrolled = kept.enrolled
    moves = urlsplit(enrolled.gateway_url).netloc == urlsplit(enrolled.registry_url).netloc
    moved = msgspec.structs.replace(
        enrolled, registry_url=server_url, gateway_url=server_url if moves else enrolled.gateway_url
    )
    return msgspec.structs.replace(kept, server_url=server_url, enrolled=moved)


def authorization(credential: WorkerCredential) -> str:
    """The header's value."""
    if credential.method == "jwt":
        return f"Bearer {credential.token}"
    pair = f"{credential.username}:{credential.password}"
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


def life_s(credential: WorkerCredential, present: float) -> float | None:
    """How long it is good for from its issue, by the issuer's clock alone where it says so; None: for ever."""
    claims = _claims(credential.token or "")
    if isinstance(claims.get("exp"), int | float) and isinstance(claims.get("iat"), int | float):
        return max(0.0, float(claims["exp"]) - float(claims["iat"]))
    if credential.expires_at is None:
        return None
    return max(0.0, parse_timestamp(credential.expires_at).timestamp() - present)


class Credential:
    """The present one. `refused` is called when the registry no longer accepts it, and there is no way out."""

    def __init__(self, kept: Kept, folder: Path, registry: Registry, world: World, refused: Callable[[], None]) -> None:
        self.kept = kept
        self._folder = folder
        self._registry = registry
        self._world = world
        self._refused = refused
        self._is_renewing = False

    def header(self) -> str:
        """For the session."""
        return authorization(self.kept.enrolled.credential)

    async def after_401(self) -> bool:
        """Whether a renewal made a better credential. Its own 401 is the registry's last word."""
        if self._is_renewing:
            return False
        try:
            await self.renew()
        except Unauthenticated:
            self._refused()
            return False
        except Problem:
            return False
        return True

    async def renew(self) -> None:
        """Swap it for a fresh one. Raises Problem; the present one then stays."""
        self._is_renewing = True
        try:
            credential = await self._registry.renew()
        finally:
            self._is_renewing = False
        enrolled = msgspec.structs.replace(self.kept.enrolled, credential=credential)
        self.kept = msgspec.structs.replace(self.kept, enrolled=enrolled, obtained_at=self._world.now().timestamp())
        try:
            save(self._folder, self.kept)
        except OSError as error:
            say(f"the renewed credential could not be kept ({error.strerror}); this worker goes on with it")

    async def keep_fresh(self) -> None:
        """Renew before it expires, for as long as the worker lives: also while reports wait."""
        age_s = self._world.now().timestamp() - self.kept.obtained_at
        if age_s < 0:  # the clock was set back: nobody knows how old it is
            age_s = float("inf")
        backoff = Backoff(self._world)
        while (life := life_s(self.kept.enrolled.credential, self.kept.obtained_at)) is not None:
            await self._world.sleep(max(0.0, life * RENEW_AT - age_s))
            age_s = 0.0
            while not await self._is_renewed(backoff):
                pass

    async def _is_renewed(self, backoff: Backoff) -> bool:
        try:
            await self.renew()
        except Unauthenticated:
            self._refused()
            await self._world.sleep(backoff.pause_s() + 1)
            return False
        except Problem as problem:
            if not isinstance(problem, TRANSIENT):
                say(f"the credential could not be renewed: {explain(problem)}")
            await backoff.pause(problem)
            return False
        backoff.succeeded()
        return True


def _claims(token: str) -> dict[str, Any]:
    """What a JWT says, unverified: only to know when to renew it."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004  (RFC 7519: header, claims, signature)
        return {}
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)), type=dict[str, Any])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return {}
