"""Two statuses of one start at the same time. Source: guarantees.md, F23; found by the simulation."""

import asyncio
from collections.abc import Sequence
from typing import Any

from rota.protocol.environment import Caller, CallerKind
from rota.protocol.ids import AttemptId, CredentialId, Incarnation, WorkerId
from rota.protocol.incarnation import is_earlier, numbered
from rota.protocol.placement import WorkerFacts
from rota.protocol.status import Status, WorkerStatus
from rota.registry.service import RegistryService
from rota.storage.stores.workers import Seen
from rota.world import SystemWorld

CALLER = Caller(
    CallerKind.WORKER, CredentialId("c"), "default", WorkerFacts(WorkerId("w"), "default", "w", {}, ["process"])
)
READY = Status(WorkerStatus.READY_FOR_WORK, [], 1)


class Slow:
    """A store, an environment, and a Job service that answers when a test lets it."""

    heartbeat_s = 10.0

    def __init__(self) -> None:
        self.released: list[Incarnation] = []
        self.asked, self.answers = asyncio.Semaphore(0), asyncio.Event()

    async def release(self, _: WorkerId, incarnation: Incarnation, keep: Sequence[AttemptId]) -> None:
        del keep
        self.asked.release()
        await self.answers.wait()
        self.released.append(incarnation)

    async def seen(self, _: WorkerId) -> Seen:
        return Seen(None, drain_requested=False)

    async def status(self, *_: object) -> None: ...

    async def environment(self, _: str) -> "Slow":
        return self


async def test_a_start_whose_first_status_is_repeated_is_not_superseded_by_itself() -> None:
    slow: Any = Slow()
    registry, present = RegistryService(slow, slow, slow, SystemWorld()), numbered(2, bytes(10))
    both = [asyncio.create_task(registry.status(CALLER, present, READY)) for _ in range(2)]
    for _ in both:
        await slow.asked.acquire()

    slow.answers.set()
    await asyncio.gather(*both)

    assert (await registry.status(CALLER, present, READY)).received
    assert slow.released == [present, present]


async def test_what_a_start_left_behind_is_released_by_a_name_that_touches_nothing_of_the_next() -> None:
    """However late it comes. Source: guarantees.md, F23; found by the simulation."""
    slow: Any = Slow()
    slow.answers.set()
    registry, present = RegistryService(slow, slow, slow, SystemWorld()), numbered(2, bytes(10))

    await registry.status(CALLER, present, Status(WorkerStatus.OFFLINE, [], 0))

    _, last = slow.released
    assert is_earlier(last, numbered(3, bytes(10)))
    assert not is_earlier(last, present)


async def test_a_start_that_waited_longer_than_the_next_one_does_not_take_its_place() -> None:
    slow: Any = Slow()
    registry, late, present = (
        RegistryService(slow, slow, slow, SystemWorld()), numbered(1, bytes(10)), numbered(2, bytes(10))
    )  # fmt: skip
    waiting = [asyncio.create_task(registry.status(CALLER, present, READY))]
    await slow.asked.acquire()
    waiting.append(asyncio.create_task(registry.status(CALLER, late, READY)))
    await slow.asked.acquire()

    slow.answers.set()
    await asyncio.gather(*waiting)

    assert (await registry.status(CALLER, present, READY)).received
    assert slow.released == [present, late]
