"""A lease whose end is being recorded is not renewed meanwhile. Source: guarantees.md, G2; found by the simulation."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from rota.jobs.leases import Leases
from rota.jobs.service import JobService
from rota.protocol.ids import AttemptId, JobId, WorkerId
from rota.protocol.states import AttemptState
from rota.protocol.status import Acknowledgement
from rota.storage.stores.jobs import Held, Outcome
from rota.world import SystemWorld

A, W = AttemptId("a"), WorkerId("w")
HELD = Held(A, JobId("j"), W, "default", AttemptState.ASSIGNED)


class Slow:
    """A store, a registry and an environment, of which the first two answer when a test lets them."""

    lease_s = 5.0

    def __init__(self) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()
        self.lost: list[AttemptId] = []

    async def acknowledgements(self, _: Sequence[AttemptId]) -> list[Acknowledgement]:
        await self._held()
        return []

    async def lose(self, attempts: Sequence[AttemptId], *_: str) -> list[Outcome]:
        await self._held()
        self.lost += attempts
        return [Outcome() for _ in attempts]

    async def _held(self) -> None:
        self.asked.set()
        await self.answers.wait()

    async def start(self, *_: object) -> None: ...

    async def expire(self, *_: object) -> list[JobId]:
        return []

    async def environment(self, _: str) -> "Slow":
        return self


@pytest.fixture
async def slow() -> Slow:
    return Slow()


def service(slow: Any) -> JobService:  # noqa: ANN401  (it stands in for three)
    jobs = JobService(slow, slow, slow, SystemWorld(), 1, 1)
    jobs.fleet = slow
    jobs._leases.grant(HELD, SystemWorld().monotonic() - 1)  # noqa: SLF001  (overdue, as the sweeper would find it)
    return jobs


async def test_what_is_found_overdue_is_told_as_lost_while_the_registry_is_still_asked(slow: Slow) -> None:
    jobs = service(slow)
    sweeping = asyncio.create_task(jobs.sweep())
    await slow.asked.wait()

    renewed = await jobs.heartbeat(W, "default", [A])
    slow.answers.set()
    await sweeping

    assert (renewed.lost, slow.lost) == ([A], [A])


async def test_what_is_being_recorded_as_lost_is_told_as_lost(slow: Slow) -> None:
    jobs = service(slow)
    jobs.fleet = None
    sweeping = asyncio.create_task(jobs.sweep())
    await slow.asked.wait()

    renewed = await jobs.heartbeat(W, "default", [A])
    slow.answers.set()
    await sweeping

    assert (renewed.lost, slow.lost) == ([A], [A])


def test_what_is_given_again_to_the_same_request_keeps_that_it_was_cancelled() -> None:
    leases = Leases()
    leases.grant(HELD, 1)
    leases.cancel(HELD.job_id)

    leases.grant(HELD, 2)

    lease = leases.of(W, A)
    assert lease is not None
    assert (lease.cancel, lease.until_s) == (True, 2)
