"""Leases run only while a gateway is there to renew them. Source: guarantees.md, G8, G10; decisions, 23."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from house import finished
from participants.test_overdue import KEPT, STOPPED, WORKER, House
from rota.jobs.contact import COUNTED_S, SILENT_S
from rota.jobs.service import LEASE_S
from rota.protocol.ids import AttemptId, Incarnation
from rota.protocol.job_finished import Finished
from rota.protocol.states import AttemptState
from rota.protocol.wire import encode, read_answer

OUTAGE_S = 10 * LEASE_S


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.environments.start()
    made.service.contact.follows_gateways = True
    yield made
    made.database.stop()


async def asked(house: House, passed_s: float) -> None:
    """A gateway asks what arrives; so much later the sweeper comes."""
    await house.service.arrivals(-1, 0)
    await house.swept(passed_s)


async def with_a_gateway(house: House, passed_s: float) -> None:
    """One asks every second."""
    for _ in range(int(passed_s)):
        await asked(house, 1)


async def test_while_a_gateway_asks_a_lease_ends_when_it_is_over(house: House) -> None:
    attempt = await house.running(STOPPED)
    await with_a_gateway(house, LEASE_S)
    assert await house.state(attempt) == AttemptState.RUNNING

    await asked(house, 0)

    assert await house.state(attempt) == AttemptState.LOST


async def test_no_lease_ends_while_no_gateway_is_there(house: House) -> None:
    attempt = await house.running(STOPPED)

    await house.swept(OUTAGE_S)

    assert await house.state(attempt) == AttemptState.RUNNING
    assert house.service.leases.overdue(house.service.contact.now_s()) == []


async def test_when_a_gateway_is_back_a_lease_is_whole_again(house: House) -> None:
    attempt = await house.running(STOPPED)
    await with_a_gateway(house, LEASE_S - 1)
    await house.swept(OUTAGE_S)
    await with_a_gateway(house, LEASE_S)
    assert await house.state(attempt) == AttemptState.RUNNING

    await asked(house, 0)

    assert await house.state(attempt) == AttemptState.LOST


async def test_a_result_that_waited_for_the_gateway_is_taken(house: House) -> None:
    attempt = await house.running(STOPPED)
    await house.swept(OUTAGE_S)
    await asked(house, LEASE_S - 1)

    end = read_answer(encode(finished(attempt)), Finished)
    told = await house.service.job_finished(WORKER.worker_id, [end])

    assert (told.received, told.rejected) == ([attempt], [])
    assert await house.bench.rows("SELECT state, number FROM attempt") == [("finished", 1)]


async def test_a_short_silence_is_no_outage(house: House) -> None:
    attempt = await house.running(STOPPED)
    await with_a_gateway(house, LEASE_S - SILENT_S + 1)
    await house.swept(SILENT_S - 1)  # and the second before

    await asked(house, 0)

    assert await house.state(attempt) == AttemptState.LOST


async def test_behind_gateways_that_are_hardly_heard_of_leases_end_all_the_same(house: House) -> None:
    """Each silence is an outage, and one whole lease more is all that a worker is given for them."""
    attempt = await house.running(STOPPED)

    for _ in range(int(2 * LEASE_S / COUNTED_S) + 2):
        await asked(house, SILENT_S + 1)

    assert await house.state(attempt) == AttemptState.LOST


async def test_a_heartbeat_through_the_gateway_that_came_back_renews_for_a_whole_lease(house: House) -> None:
    attempt = await house.running(STOPPED)
    await with_a_gateway(house, LEASE_S - 1)
    await house.swept(SILENT_S - 1)

    await house.service.heartbeat(WORKER.worker_id, WORKER.environment, [attempt])

    await with_a_gateway(house, LEASE_S)
    assert await house.state(attempt) == AttemptState.RUNNING
    await asked(house, 0)
    assert await house.state(attempt) == AttemptState.LOST


async def test_the_time_without_a_gateway_is_not_counted_as_detached(house: House) -> None:
    attempt = await house.running(KEPT)
    await with_a_gateway(house, LEASE_S + 1)
    assert await house.state(attempt) == AttemptState.DETACHED
    await house.swept(10 * KEPT.keep_s)
    assert await house.state(attempt) == AttemptState.DETACHED

    await with_a_gateway(house, 3000)
    assert await house.state(attempt) == AttemptState.DETACHED
    await with_a_gateway(house, KEPT.keep_s - 3000 + 1)

    assert await house.state(attempt) == AttemptState.LOST


async def test_a_registered_loss_ends_an_attempt_at_once_whether_a_gateway_is_there_or_not(house: House) -> None:
    attempt = await house.running(STOPPED)
    await house.swept(OUTAGE_S)

    await house.service.release(WORKER.worker_id, Incarnation("two"), [])

    assert await house.state(attempt) == AttemptState.LOST


async def test_after_a_start_nothing_ends_before_a_gateway_was_there_for_a_lease(house: House) -> None:
    attempt = await house.running(STOPPED)
    await house.restarted()
    house.service.contact.follows_gateways = True
    await house.swept(OUTAGE_S)
    assert await house.state(attempt) == AttemptState.RUNNING

    await with_a_gateway(house, LEASE_S)
    assert await house.state(attempt) == AttemptState.RUNNING
    await asked(house, 0)

    assert await house.state(attempt) == AttemptState.LOST


async def test_a_lease_that_was_renewed_meanwhile_is_prolonged_by_the_next_outage_too(house: House) -> None:
    attempt = AttemptId(await house.running(STOPPED))
    for _ in range(3):
        await house.swept(OUTAGE_S)
        await with_a_gateway(house, LEASE_S - 1)
        await house.service.heartbeat(WORKER.worker_id, WORKER.environment, [attempt])

    assert await house.state(attempt) == AttemptState.RUNNING
