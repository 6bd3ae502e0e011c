"""The scheduler's loop: what ended → what follows, in batches; down or not, nothing is lost and all is caught up."""

import logging

from rota.protocol.participants import Job
from rota.protocol.problems import Problem
from rota.scheduler.decide import decide
from rota.world import World

_BATCH = 500
_WAIT_S = 30.0
_AGAIN_S = 1.0

log = logging.getLogger(__name__)


async def run(job: Job, world: World) -> None:
    """Decide until cancelled. A decision that was applied already changes nothing, so a lost answer does no harm."""
    while True:
        try:
            ended = await job.ended(_BATCH, _WAIT_S)
            if ended:
                await job.decide([decide(one) for one in ended])
        except Problem as problem:
            log.warning("the Job service cannot be asked what ended: %s", problem.detail)
            await world.sleep(_AGAIN_S * (0.5 + world.random()))
