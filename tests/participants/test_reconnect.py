"""Hundreds of workers come back in one instant, when their server does: spread over time, and no lease is lost.

Each is the worker's own code for its calls, its heartbeat and its pauses; only the jobs are none.
Source: guarantees.md, G10, F26.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import pytest

from house import PLAIN, Json, Server
from rota.protocol.get_job import GetJob, Offer
from rota.protocol.heartbeat import Renewed
from rota.protocol.ids import AttemptId
from rota.worker.calls import Calls
from rota.worker.gateway import Gateway
from rota.worker.heartbeat import Heartbeat
from rota.worker.held import Held, HeldAttempts, Phase
from rota.world import SystemWorld
from waiting import until_true

WORKERS = 200
LEASE_S, HEARTBEAT_S = 10.0, 3.0
AWAY_S = 3.0
WORLD = SystemWorld()


class Told(Gateway):
    """The gateway, as one worker knows it. Notes when it was asked what it then answered."""

    def __init__(self, calls: Calls, url: str) -> None:
        super().__init__(calls, url, timeout_s=10)
        self.answered: list[float] = []

    async def heartbeat(self, attempts: Any, timeout_s: float) -> Renewed:  # noqa: ANN401  (as the method's)
        asked_at = monotonic()
        renewed = await super().heartbeat(attempts, timeout_s)
        self.answered.append(asked_at)
        return renewed


class Link:
    """No shepherd."""

    def extend(self, _attempts: Any, _deadline: float) -> None:  # noqa: ANN401  (as above)
        """Nothing runs."""


class Member:
    """A worker of the crowd, with one job that it was given."""

    def __init__(self, calls: Calls, url: str) -> None:
        self.gateway = Told(calls, url)
        self.lost: list[AttemptId] = []
        self.held = HeldAttempts(1)

    async def take(self) -> None:
        """Be given a job."""
        [offer] = (await self.gateway.get_job(GetJob(1, 10.0, WORLD.new_id()))).offers
        self.held.add([self._held(offer)])

    async def live(self) -> None:
        """Heartbeats for ever, as the worker's own code sends them."""
        link: Any = Link()
        heartbeat = Heartbeat(self.gateway, self.held, link, WORLD, HEARTBEAT_S)
        heartbeat.lose = lambda attempts, _why: self.lost.extend(attempts)
        await heartbeat.beat(first_s=0.5, margin_s=0.5)

    def _held(self, offer: Offer) -> Held:
        held = Held.of(offer, WORLD.monotonic() + offer.lease_s)
        held.phase = Phase.RUNNING
        return held


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[tuple[Server, list[Member]]]:
    """A server of its own, and its workers, which all hold a job."""
    server = await asyncio.to_thread(Server, tmp_path / "data")
    try:
        credentials = await asyncio.to_thread(prepared, server)
        async with AsyncExitStack() as stack:
            members = []
            for credential in credentials:
                calls = await stack.enter_async_context(Calls("one"))
                calls.authorization = f"Bearer {credential}".__str__
                members.append(Member(calls, server.url))
            await asyncio.gather(*(member.take() for member in members))
            yield server, members
    finally:
        await asyncio.to_thread(server.stop)


def prepared(server: Server) -> list[str]:
    """An environment with a job for each worker; the workers' tokens."""
    with server.client() as admin:
        place = {"name": "crowd", "worker_auth": "jwt", "heartbeat_s": HEARTBEAT_S, "lease_s": LEASE_S}
        admin.post("/api/v1/environments", json=place).raise_for_status()
        jobs = [{"command": ["true"], "environment": "crowd"}] * WORKERS
        admin.post("/api/v1/jobs", json={"jobs": jobs}).raise_for_status()
    enrolment = server.token("enrolment", "crowd", uses=WORKERS)
    body = {"labels": {}, "slots": 1, "executors": ["process"], "version": "test"}
    headers = {"Authorization": f"Bearer {enrolment}"}
    with httpx2.Client(verify=PLAIN, base_url=server.url, headers=headers) as client:
        enrolled = [client.post("/registry/v1/workers", json=body | {"name": f"w{i}"}).json() for i in range(WORKERS)]
    return [one["credential"]["token"] for one in enrolled]


def most_within(moments: list[float], window_s: float) -> int:
    """How many of them fall into the fullest window of that length."""
    moments = sorted(moments)
    return max(sum(begin <= one < begin + window_s for one in moments) for begin in moments)


@pytest.mark.timeout(60)
async def test_a_crowd_that_comes_back_is_spread_over_time_and_loses_no_lease(
    crowd: tuple[Server, list[Member]],
) -> None:
    server, members = crowd
    async with asyncio.TaskGroup() as group:
        lives = [group.create_task(member.live()) for member in members]
        await until_true(lambda: all_answered(members, 0), 15, "all have shown that they run")
        server.kill()
        for member in members:
            member.held.heard.set()  # all have something to say in one instant
        back_at = monotonic() + AWAY_S
        await until_true(lambda: is_past(back_at), AWAY_S + 5)
        await asyncio.to_thread(server.start)
        await until_true(lambda: all_answered(members, back_at), 15, "all are back")
        for life in lives:
            life.cancel()

    first = [min(at for at in member.gateway.answered if at >= back_at) for member in members]
    assert most_within(first, 0.5) < WORKERS * 3 / 4, "they came at once"
    assert [member.lost for member in members if member.lost] == []
    assert await asyncio.to_thread(tries, server) == [["running"]] * WORKERS


async def all_answered(members: list[Member], since: float) -> bool:
    """Whether each had an answer to what it asked since then."""
    return all(member.gateway.answered and member.gateway.answered[-1] >= since for member in members)


async def is_past(moment: float) -> bool:
    return monotonic() > moment


def tries(server: Server) -> list[list[str]]:
    """The states of each job's attempts."""
    with server.client() as admin:
        listed: list[Json] = admin.get("/api/v1/jobs", params={"limit": 1000}).json()["jobs"]
        return [[one["state"] for one in job["attempts"]] for job in listed]
