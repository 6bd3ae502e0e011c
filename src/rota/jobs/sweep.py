"""The sweeper: every state that is not an end has a way out by time. Source: guarantees.md, G8."""

import logging

from rota.jobs.service import JobService
from rota.protocol.problems import Problem
from rota.world import World

SWEEP_EVERY_S = 0.5

log = logging.getLogger(__name__)


async def sweep(jobs: JobService, world: World) -> None:
    """Sweep until cancelled; what the store could not do now is swept again."""
    while True:
        await world.sleep(SWEEP_EVERY_S)
        try:
            await jobs.sweep()
        except Problem as problem:
            log.warning("not swept now: %s", problem.detail)
