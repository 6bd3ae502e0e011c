"""The scheduler's loop: what ended → what follows, in batches; down or not, nothing is lost and all is caught up."""

import logging

from rota.protocol.participants import Job
from rota.protocol.problems import Problem
from rota.scheduler.decide import decide
from rota.scheduler.policies import Policies
from rota.world import World

_BATCH = 500
_WAIT_S = 30.0
_AGAIN_S = 1.0

log = logging.getLogger(__name__)


async def run(job: Job, world: World, policies: Policies | None = None) -> None:
    """Decide until cancelled. A decision that was applied already changes nothing, so a lost answer does no harm."""
    policies = Policies({}, world) if policies is None else policies
    is_announced = False
    while True:
        try:
            if not is_announced:  # whom it was told may have been started anew
                await job.announce(policies.names)
                is_announced = True
            ended = await job.ended(_BATCH, _WAIT_S)
            plain = [decide(one, world.random()) for one in ended if one.spec.policy is None]
            if plain:
                await job.decide(plain)
            asked = await policies.decide([one for one in ended if one.spec.policy is not None])
            if asked:
                await job.decide(asked)
        except Problem as problem:
            is_announced = False
            log.warning("the Job service cannot be asked what ended: %s", problem.detail)
            await world.sleep(_AGAIN_S * (0.5 + world.random()))
