"""Pauses between tries: growing, with full jitter, so that many workers do not come back in one instant.

Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; guarantees.md, F26.
"""

from rota.protocol.problems import (
    Forbidden,
    Internal,
    MethodNotAllowed,
    Problem,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UpgradeRequired,
)
from rota.world import World

TRANSIENT = (
    Unavailable, RateLimited, Internal,
    Unauthenticated, Forbidden, MethodNotAllowed, UpgradeRequired,
)  # fmt: skip
"""Problems that a later try may not meet: they say nothing about the attempt in question. Any other is an answer."""


class Backoff:
    """One row of failures. `succeeded` ends it."""

    def __init__(self, world: World, first_s: float = 0.25, max_s: float = 30) -> None:
        self._world = world
        self._first_s = first_s
        self._max_s = max_s
        self.failures = 0

    def succeeded(self) -> None:
        """The next failure is the first again."""
        self.failures = 0

    def pause_s(self, problem: Problem | None = None) -> float:
        """How long to wait now. A `Retry-After` is obeyed, and spread over half of its length more."""
        ceiling_s: float = min(self._max_s, self._first_s * 2 ** min(self.failures, 30))
        self.failures += 1
        asked_s = problem.retry_after_s if problem is not None else None
        if asked_s:
            return spread_s(min(asked_s, self._max_s), self._world)
        return ceiling_s * self._world.random()

    async def pause(self, problem: Problem | None = None) -> None:
        """Wait that long."""
        await self._world.sleep(self.pause_s(problem))


def spread_s(asked_s: float, world: World) -> float:
    """The pause that was asked for, and up to half of it more."""
    return asked_s * (1 + world.random() / 2)
