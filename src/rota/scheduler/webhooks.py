"""The scheduler's second loop: sends what webhooks are to be told. Source: protocol.md, "Webhooks"."""

import asyncio
import logging

from rota.protocol.participants import Deliveries
from rota.protocol.problems import Problem
from rota.protocol.webhook import ToSend, Tried
from rota.scheduler.sender import Sender
from rota.scheduler.tries import Patience, what_follows
from rota.world import World

AT_ONCE = 256
_WAIT_S = 30.0
_AGAIN_S = 1.0

log = logging.getLogger(__name__)


class Post:
    """Fetches what is due, sends it, reports what came of it. A receiver that is slow holds up nobody else's."""

    def __init__(self, deliveries: Deliveries, world: World, sender: Sender, patience: Patience) -> None:
        self._deliveries, self._world, self._sender, self._patience = deliveries, world, sender, patience
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._in_hand: set[str] = set()
        """Fetched, and not yet reported: handed out once more meanwhile, they are not sent once more."""
        self._tried: list[Tried] = []
        self._any_tried = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; then what is under way is cut off, and is sent again by whoever comes after."""
        reporting = asyncio.create_task(self._report())
        try:
            while True:
                await self._fetch()
        finally:
            reporting.cancel()
            for task in self._sending.values():
                task.cancel()
            await asyncio.gather(reporting, *self._sending.values(), return_exceptions=True)
            await self._sender.close()

    async def _fetch(self) -> None:
        room = AT_ONCE - len(self._sending)
        if room <= 0:
            await asyncio.wait(self._sending.values(), return_when=asyncio.FIRST_COMPLETED)
            return
        try:
            due = await self._deliveries.due(room, _WAIT_S)
        except Problem as problem:
            log.warning("the Job service cannot be asked what webhooks are to be told: %s", problem.detail)
            await self._world.sleep(_AGAIN_S * (0.5 + self._world.random()))
            return
        for one in due:
            if one.delivery_id not in self._in_hand:
                self._in_hand.add(one.delivery_id)
                task = asyncio.create_task(self._send(one))
                self._sending[one.delivery_id] = task
                task.add_done_callback(lambda _, name=one.delivery_id: self._sending.pop(name, None))  # type: ignore[misc]

    async def _send(self, one: ToSend) -> None:
        answer = await self._sender.send(one)
        self._tried.append(what_follows(one, answer, self._patience, self._world.random()))
        self._any_tried.set()

    async def _report(self) -> None:
        """What was tried together is reported together; what could not be reported is reported again."""
        while True:
            await self._any_tried.wait()
            self._any_tried.clear()
            tried, self._tried = self._tried, []
            try:
                await self._deliveries.tried(tried)
            except Problem as problem:
                log.warning("what webhooks were told cannot be reported: %s", problem.detail)
                self._tried = tried + self._tried
                self._any_tried.set()
                await self._world.sleep(_AGAIN_S * (0.5 + self._world.random()))
            else:
                self._in_hand.difference_update(one.delivery_id for one in tried)
