"""The timekeeper: fires what schedules owe, as soon as it is due; down or not, each time is fired at most once."""

import logging

from rota.protocol.participants import Schedules
from rota.protocol.problems import Problem
from rota.scheduler.calendar import owed
from rota.world import World

_BATCH = 200
_WAIT_S = 30.0
_AGAIN_S = 1.0

log = logging.getLogger(__name__)


async def keep(schedules: Schedules, world: World) -> None:
    """Until cancelled. A firing that was applied already changes nothing, so a lost answer does no harm."""
    while True:
        try:
            firings = []
            for due in await schedules.due(_BATCH, _WAIT_S):
                firings.append(owed(due))
                await world.sleep(0)  # after a long absence there is much to reckon; others get their turn
            if firings:
                await schedules.fire(firings)
        except Problem as problem:
            log.warning("the Job service cannot be asked what is due: %s", problem.detail)
            await world.sleep(_AGAIN_S * (0.5 + world.random()))
