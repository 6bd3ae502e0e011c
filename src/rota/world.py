"""Time, identity and chance: all that a simulation replaces, and nothing else."""

import asyncio
import random
import secrets
import time
from datetime import UTC, datetime
from typing import Protocol

import uuid_utils


class World(Protocol):
    """What a participant asks of the machine below it."""

    def now(self) -> datetime:
        """Wall clock, UTC. For people and records only: no lease hangs on it."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back and go on through a suspend: the clock of leases and deadlines."""
        ...

    def new_id(self) -> str:
        """A fresh identifier, sortable by time of creation (UUIDv7, RFC 9562)."""
        ...

    def random(self) -> float:
        """A number from 0 (included) to 1 (excluded), for jitter."""
        ...

    def secret(self, size_bytes: int) -> bytes:
        """Unguessable bytes."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Come back after `duration_s` seconds of this world."""
        ...


class SystemWorld:
    """The real one."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        # MONOTONIC stands still while the machine is suspended; a lease on the server does not.
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def new_id(self) -> str:
        return str(uuid_utils.uuid7())

    def random(self) -> float:
        return random.random()  # noqa: S311  (jitter, no secret)

    def secret(self, size_bytes: int) -> bytes:
        return secrets.token_bytes(size_bytes)

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)
