"""The wall clock steps: nothing ends early or late, and jobs are given out. Source: guarantees.md, G15, F49."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from participants.test_overdue import KEPT, STOPPED, WORKER, House
from rota.jobs.service import LEASE_S
from rota.protocol.enrol import Enrol
from rota.protocol.environment import CreateCredential, TokenKind
from rota.protocol.ids import JobId
from rota.protocol.spec import ENVIRONMENT, Spec
from rota.protocol.states import AttemptState, JobState

HOURS_2 = timedelta(hours=2)
STEPS = pytest.mark.parametrize("step", [HOURS_2, -HOURS_2], ids=["forward", "back"])


class Wall:
    """The machine's wall clock, that somebody sets."""

    def __init__(self) -> None:
        self.step = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.step


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
async def house(tmp_path: Path, wall: Wall, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    made = House(tmp_path)
    monkeypatch.setattr(made.clock, "now", wall.now)
    await made.environments.start()
    yield made
    made.database.stop()


@STEPS
async def test_a_lease_ends_neither_early_nor_late(house: House, wall: Wall, step: timedelta) -> None:
    attempt = await house.running(STOPPED)
    wall.step = step
    await house.swept(LEASE_S - 1)
    assert await house.state(attempt) == AttemptState.RUNNING

    await house.swept(1)

    assert await house.state(attempt) == AttemptState.LOST


@STEPS
async def test_a_heartbeat_renews_for_a_whole_lease_and_no_longer(house: House, wall: Wall, step: timedelta) -> None:
    attempt = await house.running(STOPPED)
    await house.swept(LEASE_S - 1)
    wall.step = step

    told = await house.service.heartbeat(WORKER.worker_id, WORKER.environment, [attempt])

    assert (told.lost, told.lease_s) == ([], LEASE_S)
    await house.swept(LEASE_S - 1)
    assert await house.state(attempt) == AttemptState.RUNNING
    await house.swept(1)
    assert await house.state(attempt) == AttemptState.LOST


@STEPS
async def test_a_detach_timeout_ends_neither_early_nor_late_also_over_a_restart(
    house: House, wall: Wall, step: timedelta
) -> None:
    attempt = await house.running(KEPT)
    await house.swept(LEASE_S)
    await house.swept(3000)
    wall.step = step
    await house.restarted()
    await house.swept(599)
    assert await house.state(attempt) == AttemptState.DETACHED

    await house.swept(1)

    assert await house.state(attempt) == AttemptState.LOST


@STEPS
async def test_a_job_is_given_out_with_a_whole_lease_after_a_step_and_a_restart(
    house: House, wall: Wall, step: timedelta
) -> None:
    before = await house.offered(STOPPED)
    await house.swept(LEASE_S)
    wall.step = step
    await house.restarted()

    after = await house.asked(None)

    assert (after.job_id, after.number, after.lease_s) == (before.job_id, 1, LEASE_S)
    await house.swept(LEASE_S - 1)
    assert await house.state(after.attempt_id) == AttemptState.ASSIGNED


async def queued(house: House, queue_timeout_s: float) -> JobId:
    """A job that nobody asks for."""
    spec = Spec(command=["true"], queue_timeout_s=queue_timeout_s)
    [job] = await house.bench.submit(spec, expires_at=house.service.queue_clock.in_s(queue_timeout_s))
    return job


@STEPS
async def test_a_queue_timeout_ends_neither_early_nor_late(house: House, wall: Wall, step: timedelta) -> None:
    job = await queued(house, 600)
    wall.step = step
    await house.swept(599)
    assert await house.bench.state_of(job) is JobState.QUEUED

    await house.swept(1)

    assert await house.bench.state_of(job) is JobState.EXPIRED


@STEPS
async def test_a_queue_timeout_is_counted_on_over_a_restart_but_for_the_time_without_a_server(
    house: House, wall: Wall, step: timedelta
) -> None:
    await house.service.start()
    job = await queued(house, 600)
    await house.swept(500)
    wall.step = step
    house.clock.passed_s += 3600  # it was away
    await house.restarted()
    await house.swept(99)
    assert await house.bench.state_of(job) is JobState.QUEUED

    await house.swept(1)

    assert await house.bench.state_of(job) is JobState.EXPIRED


async def test_a_restart_forgets_some_seconds_of_waiting_at_most(house: House) -> None:
    """So a server that is started anew again and again comes to the end of a queue timeout, too."""
    await house.service.start()
    job = await queued(house, 600)
    for _ in range(60):
        await house.swept(20)
        await house.swept(9)
        await house.restarted()
    await house.swept(1)

    assert await house.bench.state_of(job) is JobState.EXPIRED


@STEPS
async def test_a_worker_is_known_by_a_token_of_before_the_step(house: House, wall: Wall, step: timedelta) -> None:
    """A step of a whole life of it forward is another matter: that long it was not renewed, as far as anybody knows."""
    made = await house.environments.create_credential(ENVIRONMENT, CreateCredential(TokenKind.ENROLMENT))
    enrol = Enrol("anna", {}, 1, ["process"], "1")
    _, credential, _ = await house.environments.enrol(f"Bearer {made.token}", WORKER.worker_id, enrol)
    wall.step = step

    caller = await house.environments.recognise(f"Bearer {credential.token}")

    assert caller.worker is not None
    assert caller.worker.name == "anna"
